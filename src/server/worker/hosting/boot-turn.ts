import type { Message } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { acquireLock, type DatabaseLock, endDisplacedBoot, type HostingRow } from '../../databases';
import { AppSupervisorError } from '../../errors';
import { type Claim, displacedRows, type HostingAuthority } from './claim';
import type { HostDatabase } from './connection';

/** What a boot tells while it goes on. */
export type Progress = (message: Message, waiting: boolean) => void;

/** By which record an app is to boot, and how. */
export interface BootWish {
  record: AppRecord;
  how: 'start' | 'restart' | 'upgrade';
}

/** What a boot asks and tells whoever wants it. */
export interface BootTurn {
  /** Asked when its turn has come, and again when it has the lock: how to boot by the newest record; null: not any more. */
  decide(): BootWish | null;
  /** What ran of the app ends now. */
  begin(): void;
  /** What makes this process the host of its environment. */
  authority: HostingAuthority;
  /** Environments that the app has left may still run it. */
  left(environments: string[]): void;
  /** Awaited under the lock, before anything of the app runs. */
  mark(): Promise<void>;
  progress: Progress;
  /** It has taken too long, and gave its place in the queue to others. It goes on nevertheless. */
  onLate(): void;
  /** Ends its waiting, so that it is decided anew. */
  signal: AbortSignal;
}

export interface BootOutcome {
  /** NocoBase version of the app's data. */
  version: string | null;
  /** What it runs by. */
  record: AppRecord;
}

/**
 * The lock on the database of the app that a turn is about.
 * @param timeoutMs for which another environment is waited for
 * @returns null when it holds the lock and is not waited for, or when the waiting was ended
 */
export async function lockFor(
  { decide, signal }: BootTurn,
  environment: string,
  connectionOf: (record: AppRecord) => HostDatabase,
  timeoutMs: number,
): Promise<DatabaseLock | null> {
  const wish = decide();
  if (!wish || signal.aborted) return null;
  const { record } = wish;
  try {
    return await acquireLock(connectionOf(record), { app: record.name, environment, timeoutMs, signal });
  } catch (error) {
    const isBusy = error instanceof AppSupervisorError && error.code === 'LOCK_BUSY' && timeoutMs === 0;
    if (isBusy || signal.aborted) return null;
    throw error;
  }
}

/**
 * Ends the boot of a process that this one has displaced, or of an environment that the app has left, if that is what holds the lock of
 * the app: it may be frozen.
 */
export async function endBootOfDisplaced(
  { decide, authority }: BootTurn,
  connectionOf: (record: AppRecord) => HostDatabase,
): Promise<void> {
  const wish = decide();
  if (!wish || !(await authority.confirm())) return;
  const { record } = wish;
  const displaced = (rows: HostingRow[]) => displacedRows(rows, record, authority);
  await endDisplacedBoot(connectionOf(record), record.database.dbConnType, record.name, displaced);
}

/**
 * Claims an app for the turn that holds its lock. Finding out which environments nobody holds takes longer than a heartbeat, in which
 * the app may be stopped, moved or taken: so the app is claimed by what is wished after that, and no session is open meanwhile.
 *
 * @param claim as `claimHosting`
 * @returns what was claimed; null if the app is not to boot any more
 */
export async function claimTurn(
  { decide, authority, left }: Pick<BootTurn, 'decide' | 'authority' | 'left'>,
  claim: (record: AppRecord, silent: string[] | null) => Promise<Claim | null>,
): Promise<BootWish | null> {
  for (let silent: string[] | null = null; ; ) {
    const wish = decide();
    const found = wish && (await claim(wish.record, silent));
    if (!found) return null;
    if ('left' in found) {
      left(found.left);
      return wish;
    }
    silent = await authority.silentOf(found.ask);
  }
}
