import type { Message } from '../../../shared/message';
import type { AdminPassword, AppRecord } from '../../../shared/messages';
import type { Status } from '../../../shared/types';

/** What a worker last applied of an app, kept in its own main database. */
export interface Applied {
  uid: string;
  generation: number;
  bootGeneration: number;
  /** Boots of one boot generation that began and were never seen to end: the process died in them. */
  unfinished: { bootGeneration: number; count: number } | null;
  /** NocoBase's version that last ran it; null before. */
  version: string | null;
  /** Why its last boot failed; null when it did not. */
  failure: Message | null;
  /** As in `StatusEntry`; a dormant app that a visit starts has it still. */
  adminPassword?: AdminPassword | null;
}

/** What is there of an app in this process. */
export interface Hosted {
  state: 'absent' | 'dormant' | 'stopped' | 'running' | 'error';
  /** As the core says; an app whose `state` is `running` may have stopped or failed by itself since. */
  status: Status;
  /** Failed boots in a row. */
  failures: number;
  /** When a failed app may be tried again, by the monotonic clock; null when not on its own. */
  retryAt: number | null;
  /** Newest generation that was worked off: what was removed for it is not removed again. */
  generation: number;
}

export type Decision =
  /** As wished, or nothing to be done about it now. */
  | { do: 'nothing' }
  /** Another incarnation is here: it has to go first. */
  | { do: 'replace' }
  | { do: 'boot'; how: 'start' | 'restart' | 'upgrade' }
  | { do: 'rest'; as: 'stopped' | 'dormant' }
  | { do: 'remove'; data: 'keep' | 'drop' | 'release' }
  /** It took its process down too often: kept out, with the reason on record. */
  | { do: 'keepOut' };

/** A process that died this often in the boot of one app does not try it again by itself. */
export const MAX_UNFINISHED_BOOTS = 3;
/** Failed boots in a row until an app is left alone. */
export const MAX_FAILURES = 5;

/** Wait before the next try after so many failed boots in a row, in ms; null when there is no next. */
export function retryAfter(failures: number): number | null {
  return failures >= MAX_FAILURES ? null : Math.min(5_000 * 3 ** (failures - 1), 300_000);
}

/**
 * What a worker does to bring one app to what is desired of it. Pure; asked again after every step until it says `nothing`.
 *
 * @param mono ms of the monotonic clock
 * @param visited somebody asked for the app
 */
export function decide(
  record: AppRecord,
  applied: Applied | null,
  hosted: Hosted,
  mono: number,
  visited: boolean,
): Decision {
  if (record.desired === 'removed') {
    return hosted.generation >= record.generation ? { do: 'nothing' } : { do: 'remove', data: record.data };
  }
  if (applied && applied.uid !== record.uid) return { do: 'replace' };
  if (record.desired === 'stopped')
    return hosted.state === 'stopped' ? { do: 'nothing' } : { do: 'rest', as: 'stopped' };

  const unfinished = applied?.unfinished;
  if (unfinished && unfinished.bootGeneration === record.boot.generation && unfinished.count >= MAX_UNFINISHED_BOOTS) {
    return hosted.state === 'error' ? { do: 'nothing' } : { do: 'keepOut' };
  }
  const freshBoot = record.boot.generation > (applied?.bootGeneration ?? 0);
  if (freshBoot) {
    const endedByItself = hosted.status === 'error' || hosted.status === 'stopped';
    const alreadyDone = record.boot.how === 'start' && hosted.state === 'running' && !endedByItself;
    return alreadyDone ? { do: 'nothing' } : { do: 'boot', how: record.boot.how };
  }
  if (hosted.state === 'running') return { do: 'nothing' };
  const wanted = record.desired === 'running' || visited;
  if (hosted.state === 'error') {
    const due = hosted.retryAt !== null && mono >= hosted.retryAt;
    return wanted && due ? { do: 'boot', how: 'start' } : { do: 'nothing' };
  }
  if (wanted) return { do: 'boot', how: 'start' };
  return hosted.state === 'dormant' ? { do: 'nothing' } : { do: 'rest', as: 'dormant' };
}

/**
 * Settings whose change a running app does not see: it was made with what they were.
 * @param reveal opens a sealed secret: sealed anew under another key it is the same one
 */
export function pendingChanges(
  booted: AppRecord | null,
  record: AppRecord,
  reveal: (sealed: string) => string,
): string[] {
  if (!booted) return [];
  const differs = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);
  const place = ({ database }: AppRecord) => ({ ...database, password: reveal(database.password ?? '') });
  const found: string[] = [];
  if (differs(place(booted), place(record))) found.push('options.database');
  if (record.jwtSecret !== null && reveal(booted.jwtSecret ?? '') !== reveal(record.jwtSecret)) found.push('jwtSecret');
  if (differs(booted.sso, record.sso)) found.push('options.sso');
  return found;
}
