import { version } from '../../package.json';
import { systemClock } from './clock';
import { ConfigError } from './config';
import { doorConfig } from './config/door';
import { systemRandom } from './core/system';
import { Feeder } from './door/feeder';
import { messageOf } from './errors';
import { createLog } from './log';

/**
 * The program `nocobase-door`, which needs no NocoBase: it writes what HAProxy reads, and keeps it as the Supervisor's table says. HAProxy
 * is started by whoever starts this program, and both may end at any time.
 */
const line =
  (write: (text: string) => void, level: string) =>
  (message: string, details?: object): void =>
    write(`${new Date().toISOString()} ${level} ${message}${details ? ` ${JSON.stringify(details)}` : ''}`);
const log = createLog({
  debug: () => undefined,
  info: line(console.log, 'info'),
  warn: line(console.error, 'warn'),
  error: line(console.error, 'error'),
});

async function main(): Promise<void> {
  const feeder = new Feeder(doorConfig(), version, log, systemClock, systemRandom);
  feeder.start();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void feeder.stop().finally(() => process.exit(0)));
  }
}

// Its timers do not keep a process, and HAProxy may be away.
setInterval(() => undefined, 3_600_000);
main().catch((error) => {
  console.error(error instanceof ConfigError ? error.message : `The door cannot start: ${messageOf(error)}`);
  process.exit(1);
});
