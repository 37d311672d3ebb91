import type { Message } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { acquireLock, type DatabaseLock, markOf } from '../../databases';
import { AppSupervisorError } from '../../errors';
import type { HostingAuthority } from './claim';
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
  { decide, signal, authority }: BootTurn,
  environment: string,
  connectionOf: (record: AppRecord) => HostDatabase,
  timeoutMs: number,
): Promise<DatabaseLock | null> {
  const wish = decide();
  if (!wish || signal.aborted) return null;
  const { record } = wish;
  try {
    const mark = markOf(record.uid, authority);
    return await acquireLock(connectionOf(record), { app: record.name, environment, mark, timeoutMs, signal });
  } catch (error) {
    const isBusy = error instanceof AppSupervisorError && error.code === 'LOCK_BUSY' && timeoutMs === 0;
    if (isBusy || signal.aborted) return null;
    throw error;
  }
}
