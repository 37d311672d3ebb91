import { acquireLock, type DatabaseConnection } from '../databases';
import { AppSupervisorError } from '../errors';
import type { LeaseStore } from '../protocol/stores/leases';

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
    const code = error instanceof AppSupervisorError ? error.code : null;
    if (code === 'LOCK_BUSY') return true;
    // Behind a pooler that release had no lock either.
    if (code !== 'LOCK_POOLED') throw error;
  }
  // Without Redis the lock alone decided there, too.
  return leases.hasFormer(environment).catch(() => false);
}
