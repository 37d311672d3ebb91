import type { DatabaseConnection } from '../apps/databases';
import { acquireLock } from '../apps/databases';
import { fingerprint } from '../apps/secrets';
import type { Log } from '../log';
import type { ProcessLock } from './lease';

/**
 * A session lock on a worker's own main database, for as long as the process lives: the server gives it up when the
 * process dies, however it dies. So whoever holds it knows that no other process of this environment and database is alive.
 */
export function createProcessLock(main: DatabaseConnection, environment: string, log: Log): ProcessLock {
  const place = [main.dialect, main.host, main.port, main.database, main.schema, environment].join('|');
  let held: Awaited<ReturnType<typeof acquireLock>> | null = null;
  return {
    fingerprint: fingerprint(place),
    async hold() {
      if (held && (await held.isHeld().catch(() => false))) return true;
      held = null;
      try {
        held = await acquireLock(main, { key: `environment ${environment}`, app: 'main', environment, timeoutMs: 0 });
        return true;
      } catch (error) {
        log.debug(`The process lock of environment ${environment} is not free: ${String(error)}`);
        return false;
      }
    },
    async release() {
      await held?.release().catch(() => undefined);
      held = null;
    },
  };
}
