import { parseArgs } from 'node:util';
import { Development } from './dev/dev';
import { Fleet, type FleetOptions } from './fleet';
import { terminalProgress } from './fleet/progress';
import { summaryOf } from './fleet/summary';

const USAGE = `npm start [-- options], npm run dev [-- options]

  --reset        begin without the data of earlier starts
  --local        one process in shared-memory mode: no Redis, no Workers
  --workers N    how many Workers (default 2)
  --no-door      without HAProxy: the Supervisor itself answers at the port
  --name NAME    a fleet apart from others, in .fleet/NAME
  --no-restart   what ends by itself stays down, instead of being started again after 5 s
  --port N       port of the fleet (default 14000); Workers are 1000, 2000, … above it, and behind a door the Supervisor is 1 above it

  DB_HOST, DB_PORT, DB_USER, DB_PASSWORD   use this PostgreSQL instead of starting one
  REDIS_URL                                use this Redis instead of starting one
`;

const print = (line: string): void => console.log(line);

/** Starts the fleet, and keeps it running until a signal. */
export async function start(): Promise<void> {
  const options = optionsOf(process.argv.slice(2), process.env);
  if (!options) return;
  const { restart, dev, ...wanted } = options;
  const development = dev ? new Development() : null;
  const progress = terminalProgress();
  const abort = new AbortController();
  const starting = Fleet.start({ knowsItsUrl: false, ...wanted, ...development?.options }, progress, abort.signal);

  let keeping: Promise<unknown> | null = null;
  let ending: Promise<never> | null = null;
  const end = (code: number): Promise<never> => {
    ending ??= (async () => {
      progress.end();
      abort.abort();
      const fleet = await starting.catch(() => null);
      await fleet?.stop().catch((error) => console.error(error.message));
      await keeping?.catch(() => {});
      process.exit(code);
    })();
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!ending) console.log('\nStopping …');
      void end(0);
    });
  }
  // A terminated `npm` does not forward the signal, and nobody would be left to stop the fleet.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event) {
    setInterval(() => {
      if (process.ppid !== parent) void end(0);
    }, 1_000).unref();
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      console.error(error);
      void end(1);
    });
  }

  const fleet = await starting.catch((error: Error) => {
    if (ending) return ending;
    progress.end();
    console.error(`\n${error.message}`);
    return end(1);
  });
  console.log(summaryOf(fleet));

  const { signal } = abort;
  keeping = Promise.all([fleet.keep({ restart, print, signal }), development?.follow(fleet, print, signal)]);
}

function optionsOf(args: string[], env: NodeJS.ProcessEnv): (FleetOptions & { restart: boolean; dev: boolean }) | null {
  const { values } = parseArgs({
    args,
    options: {
      reset: { type: 'boolean' },
      local: { type: 'boolean' },
      dev: { type: 'boolean' },
      'no-restart': { type: 'boolean' },
      'no-door': { type: 'boolean' },
      name: { type: 'string' },
      workers: { type: 'string' },
      port: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return null;
  }
  if (env.DB_DIALECT && env.DB_DIALECT !== 'postgres')
    throw new Error(`npm start knows PostgreSQL only, not ${env.DB_DIALECT}.`);
  if (values.name && !/^[a-z0-9-]+$/i.test(values.name)) {
    throw new Error(`--name may hold letters, digits and "-" only, not "${values.name}".`);
  }
  return {
    name: values.name,
    mode: values.local ? 'local' : 'remote',
    reset: values.reset,
    restart: !values['no-restart'],
    env: values['no-restart'] ? { APP_SUPERVISOR_RESTARTED: 'false' } : {},
    dev: values.dev ?? false,
    door: !values['no-door'] && !values.dev,
    workers: wholeNumber('--workers', values.workers, 1),
    port: wholeNumber('--port', values.port, 1),
    redisUrl: env.REDIS_URL,
    postgres: env.DB_HOST
      ? {
          host: env.DB_HOST,
          port: Number(env.DB_PORT ?? 5432),
          user: env.DB_USER ?? 'postgres',
          password: env.DB_PASSWORD ?? '',
        }
      : undefined,
  };
}

function wholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) < least)
    throw new Error(`${option} must be a whole number from ${least} on, not "${text}".`);
  return Number(text);
}
