import { withoutPasswords } from '../../../shared/app';
import type { Message } from '../../../shared/message';
import type { AdminPassword, AppRecord, StatusEntry } from '../../../shared/messages';
import type { Status } from '../../../shared/types';
import type { SecretField } from '../../protocol/secrets';
import type { HostingWish } from '../hosting/claim';

/** What a worker last applied for an app, stored in its own main database. */
export interface Applied {
  uid: string;
  generation: number;
  bootGeneration: number;
  /** Boots of one boot generation that began and never ended: the process died in them. */
  unfinished: { bootGeneration: number; count: number } | null;
  /** NocoBase version that last ran it; null before the first run. */
  version: string | null;
  /** Why its last boot failed; null if it did not. */
  failure: Message | null;
  /** The newest work on its data that was done; absent if there was none. */
  work?: number;
  /** As in `StatusEntry`; kept for a dormant app that a visit starts. */
  adminPassword?: AdminPassword | null;
  /** As in `StatusEntry`, up to a minute old. */
  lastVisitAt?: number | null;
}

/** What exists of an app in this process. */
export interface Hosted {
  state: 'absent' | 'dormant' | 'stopped' | 'running' | 'error';
  /** As the core says; an app whose `state` is `running` may have stopped or failed by itself since. */
  status: Status;
  /** When a failed app may be retried, by the monotonic clock; null for no automatic retry. */
  retryAt: number | null;
  /** Newest generation that was completed: a removal for it is not repeated. */
  generation: number;
  /** The record by which the running app was claimed; null if it does not run. */
  claimed: HostingWish | null;
  /** Work on its data that has failed; null if none has. */
  failedWork: FailedWork | null;
}

export interface FailedWork {
  generation: number;
  error: Message;
  /** When it is tried again, by the monotonic clock. */
  retryAt: number;
}

export type Decision =
  /** In the desired state, or nothing can be done about it now. */
  | { do: 'nothing' }
  /** Another incarnation exists here: it has to be removed first. */
  | { do: 'replace' }
  | { do: 'boot'; how: 'start' | 'restart' | 'upgrade' }
  | { do: 'rest'; as: 'stopped' | 'dormant' }
  | { do: 'remove'; data: 'keep' | 'drop' | 'release' }
  /** It runs, and its record lets fewer environments host it than the one by which it was claimed. */
  | { do: 'claim' }
  /** Something is to be done to its data. */
  | { do: 'work' }
  /** It is not booted, and the reason is recorded. */
  | { do: 'keepOut'; because: Because };

/** It crashed its process too often; it has stopped the loop of this process, or of another one. */
export type Because = 'crashes' | 'loop' | 'paused';

/** Number of crashes in the boot of one app after which the worker no longer boots it by itself. */
export const MAX_UNFINISHED_BOOTS = 3;
/** Number of consecutive failed boots after which an app is no longer retried. */
const MAX_FAILURES = 5;

/** Delay before the next attempt after this number of consecutive failed boots, in ms; null for no further attempt. */
export function retryAfter(failures: number): number | null {
  return failures >= MAX_FAILURES ? null : Math.min(5_000 * 3 ** (failures - 1), 300_000);
}

/**
 * Decides what a worker does next to bring one app to its desired state. Pure; called again after every step until it
 * returns `nothing`.
 *
 * @param mono ms of the monotonic clock
 * @param visited whether somebody visited the app
 */
export function decide(
  record: AppRecord,
  applied: Applied | null,
  hosted: Hosted,
  mono: number,
  visited: boolean,
): Decision {
  const decision = decideState(record, applied, hosted, mono, visited);
  return decision.do === 'nothing' && isWorkDue(record, applied, hosted, mono) ? { do: 'work' } : decision;
}

function isWorkDue(
  { work, desired }: AppRecord,
  applied: Applied | null,
  { failedWork }: Hosted,
  mono: number,
): boolean {
  if (!work || desired === 'removed' || work.generation <= (applied?.work ?? 0)) return false;
  const hasFailed = failedWork !== null && failedWork.generation >= work.generation;
  return !hasFailed || mono >= failedWork.retryAt;
}

function decideState(
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

  if (record.paused && hosted.state !== 'running')
    return hosted.state === 'error' ? { do: 'nothing' } : { do: 'keepOut', because: 'paused' };
  const unfinished = applied?.unfinished;
  if (unfinished && unfinished.bootGeneration === record.boot.generation && unfinished.count >= MAX_UNFINISHED_BOOTS) {
    return hosted.state === 'error' ? { do: 'nothing' } : { do: 'keepOut', because: 'crashes' };
  }
  const freshBoot = record.boot.generation > (applied?.bootGeneration ?? 0);
  // Only a newer boot starts it.
  if (applied?.failure?.code === 'APP_STOPS_LOOP' && !freshBoot)
    return hosted.state === 'error' ? { do: 'nothing' } : { do: 'keepOut', because: 'loop' };
  if (freshBoot) {
    const endedByItself = hosted.status === 'error' || hosted.status === 'stopped';
    const alreadyDone = record.boot.how === 'start' && hosted.state === 'running' && !endedByItself;
    return alreadyDone ? whileRunning(record, hosted) : { do: 'boot', how: record.boot.how };
  }
  if (hosted.state === 'running') return whileRunning(record, hosted);
  if (hosted.state === 'error') {
    // An app that starts when visited is retried, too: a visitor wanted it when it failed.
    const due = hosted.retryAt !== null && mono >= hosted.retryAt;
    return due ? { do: 'boot', how: 'start' } : { do: 'nothing' };
  }
  if (record.desired === 'running' || visited) return { do: 'boot', how: 'start' };
  return hosted.state === 'dormant' ? { do: 'nothing' } : { do: 'rest', as: 'dormant' };
}

const whileRunning = (record: AppRecord, { claimed }: Hosted): Decision =>
  claimed && cutsOff(claimed, record) ? { do: 'claim' } : { do: 'nothing' };

/** Whether an environment may not host an app any more, which the claim of before has not cut off. */
export function cutsOff(before: HostingWish, now: HostingWish): boolean {
  const hosts = now.hosts ?? now.environments;
  const known = before.left ?? [];
  const out = [...(before.hosts ?? before.environments), ...(now.left ?? [])].filter((one) => !hosts.includes(one));
  return out.some((one) => !known.includes(one));
}

/**
 * Changed settings that a running app does not have yet, because it was created with the previous ones.
 * @param reveal opens a sealed secret: sealed again with another key it is the same secret
 */
export function pendingChanges(
  booted: AppRecord | null,
  record: AppRecord,
  reveal: (sealed: string, record: AppRecord, field: SecretField) => string,
): string[] {
  if (!booted) return [];
  const differs = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);
  // The password of the app's own role reaches its pool while it runs.
  const place = ({ database, ...each }: AppRecord) => ({
    ...withoutPasswords(database),
    ...(database.dbConnType === 'new_connection'
      ? { password: reveal(database.password ?? '', each as AppRecord, 'database') }
      : {}),
  });
  const secret = (each: AppRecord) => reveal(each.jwtSecret ?? '', each, 'jwtSecret');
  const found: string[] = [];
  if (differs(place(booted), place(record))) found.push('options.database');
  if (record.jwtSecret !== null && secret(booted) !== secret(record)) found.push('jwtSecret');
  return found;
}

/** What a Worker reports of work on an app's data. */
export function workOf(applied: Applied | null, failedWork: FailedWork | null): Pick<StatusEntry, 'work'> {
  const done = applied?.work ?? 0;
  if (failedWork && failedWork.generation > done) {
    const { generation, error } = failedWork;
    return { work: { generation, error } };
  }
  return done > 0 ? { work: { generation: done, error: null } } : {};
}

/**
 * A record by which an app is removed, and its data stay, names no database: a process that has hosted the app knows it, and writes there
 * that it has left.
 * @param known what this process knows of an app of that name
 */
export function withPlace(record: AppRecord, known: AppRecord | undefined): AppRecord {
  const isKnown = known?.uid === record.uid && record.desired === 'removed' && record.data === 'keep';
  return isKnown ? { ...record, database: known.database } : record;
}

/** What a Worker reports that it is doing. */
export function doingOf(record: AppRecord, applied: Applied | null, decision: Decision): StatusEntry['doing'] {
  switch (decision.do) {
    case 'boot':
      if (decision.how !== 'start') return decision.how;
      return record.provision !== 'none' && applied === null ? 'create' : 'start';
    case 'remove':
      return decision.data === 'keep' ? 'remove' : decision.data;
    case 'rest':
      return 'stop';
    default:
      return null;
  }
}
