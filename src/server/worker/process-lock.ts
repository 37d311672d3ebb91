import { type Clock, within } from '../clock';
import type { DatabaseConnection } from '../databases';
import { acquireLock } from '../databases';
import type { Log } from '../log';
import { fingerprint } from '../protocol/secrets';
import type { ProcessLock } from './lease';

/** How long a heartbeat waits for the database, in ms. */
const PATIENCE = 3_000;

/**
 * A session lock on a worker's own main database for the lifetime of the process: the server releases it when the
 * process dies, however it dies. So its holder knows that no other process of this environment and database is alive.
 */
export function createProcessLock(main: DatabaseConnection, environment: string, clock: Clock, log: Log): ProcessLock {
  const place = [main.dialect, main.host, main.port, main.database, main.schema, environment].join('|');
  let held: Awaited<ReturnType<typeof acquireLock>> | null = null;
  let asking: Promise<boolean> | null = null;
  const ask = async (): Promise<boolean> => {
    if (held && (await held.isHeld().catch(() => false))) return true;
    held = null;
    try {
      held = await acquireLock(main, { key: `environment ${environment}`, app: 'main', environment, timeoutMs: 0 });
      return true;
    } catch (error) {
      (log.rooms.lease ?? log.debug)(`The process lock of environment ${environment} is not free: ${String(error)}`);
      return false;
    }
  };
  return {
    fingerprint: fingerprint(place),
    hold() {
      asking ??= ask().finally(() => {
        asking = null;
      });
      // A database that hangs proves nothing, and must not delay the renewal of the lease.
      return within(clock, PATIENCE, asking, false);
    },
    async release() {
      const giveUp = async () => {
        await held?.release().catch(() => undefined);
        held = null;
      };
      // A lock that the database grants too late is released.
      const later = asking?.then(giveUp);
      await within(clock, PATIENCE, later ?? giveUp(), undefined);
    },
  };
}
