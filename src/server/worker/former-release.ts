import type { Clock } from '../clock';
import { acquireLock, type DatabaseConnection } from '../databases';
import { hasCode, messageOf } from '../errors';
import type { Lease } from '../lease/lease';
import type { Log } from '../log';
import type { LeaseStore } from '../protocol/stores/leases';
import { INTERVAL } from '../timing';

/**
 * Whether a process of release 0.2.0 may still host the environment: it knows nothing of the lease in the main database, but has a session lock
 * there, and a lease in Redis. Asked before the first row is written, by this release alone.
 *
 * @throws errors of the database
 */
export async function hasFormerProcess(
  main: DatabaseConnection,
  environment: string,
  leases: Pick<LeaseStore, 'hasFormer'>,
): Promise<boolean> {
  try {
    const key = `environment ${environment}`;
    await (await acquireLock(main, { key, app: 'main', environment, timeoutMs: 0 })).release();
  } catch (error) {
    if (hasCode(error, 'LOCK_BUSY')) return true;
    // Behind a pooler that release had no lock either.
    if (!hasCode(error, 'LOCK_POOLED')) throw error;
  }
  // Without Redis the lock alone decided there, too.
  return leases.hasFormer(environment).catch(() => false);
}

export interface FormerWaitOptions {
  environment: { name: string };
  lease: Pick<Lease, 'isAlone' | 'exists'>;
  clock: Clock;
  log: Log;
  /** Time between two questions, in ms. */
  beginAgain?: number;
  /** As `hasFormerProcess`. */
  hasFormer(): Promise<boolean>;
  /** Whether this process still waits. */
  goesOn(): boolean;
}

/** Before the first row of its lease is written, no process of release 0.2.0 may be there. Never rejects. */
export async function untilFormerHasEnded(options: FormerWaitOptions): Promise<void> {
  const { environment, lease, clock, log, beginAgain = INTERVAL, hasFormer, goesOn } = options;
  if (lease.isAlone) return;
  for (let found = 0; goesOn(); ) {
    try {
      if ((await lease.exists()) || !(await hasFormer())) return;
      found++;
      // What is found once may be another first start, which looks in the same way.
      if (found === 2)
        log.warn(`A process of a former release hosts environment ${environment.name}: stop it. This one waits.`);
    } catch (error) {
      log.warn(`The main database does not say who hosts, it is asked again: ${messageOf(error)}`);
    }
    await clock.sleep(beginAgain);
  }
}
