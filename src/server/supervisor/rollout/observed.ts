import type { AppDefinition, Placement, Published } from '../../../shared/app';
import type { StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import { isAhead } from './uploads';

/** What is known about one environment by its lease, and about an app in it: `entry` only under a live one. */
export interface Observed {
  health: Health;
  /** Null if it is not admitted: what it reports decides nothing. */
  entry: StatusEntry | null;
  /** Otherwise what is published waits until somebody admits it. */
  isAdmitted: boolean;
  /** Of its Worker; null if it is not known. */
  address: string | null;
  /** False if it was forgotten. */
  isKnown: boolean;
  /** Whether its release claims apps in their own databases, so that it can be cut off from them. */
  isCurrent: boolean;
}
export type Observe = (environment: string) => Observed;

/** Whether a Worker has done all that a record asks for, or says why it cannot. */
export const isReported = (uid: string, wish: Published, entry: StatusEntry | null): entry is StatusEntry =>
  entry !== null && entry.uid === uid && entry.generation >= wish.generation;

/** Whether an app is as its record wants it. */
export function isDone(uid: string, wish: Published, entry: StatusEntry | null): boolean {
  if (!isReported(uid, wish, entry)) return false;
  if (wish.desired === 'stopped') return entry.status === 'stopped';
  // Dormant: it had booted, and its Worker restarted before anybody observed that.
  const hasBooted = entry.status === 'dormant' && !entry.error && entry.bootGeneration >= wish.boot.generation;
  return entry.status === 'running' || hasBooted;
}

/** Whether visitors are served by an app that says this of itself: where it is dormant, it starts for them. */
export const isServing = (uid: string, entry: StatusEntry | null): boolean =>
  entry?.uid === uid && !entry.error && (entry.status === 'running' || entry.status === 'dormant');

/** Whether the boot that a record asks for is done, whatever has been published since. */
export function isUp(uid: string, wish: Published, entry: StatusEntry | null): boolean {
  if (entry?.uid !== uid || wish.desired === 'stopped' || wish.desired === 'removed') return false;
  if (entry.bootGeneration < wish.boot.generation) return false;
  return entry.status === 'running' || (entry.status === 'dormant' && !entry.error);
}

/** Whether what a record asks for has failed. A dormant app reports the error of its last boot, in an earlier process of its Worker. */
export const hasFailed = (uid: string, wish: Published, entry: StatusEntry | null): boolean =>
  isReported(uid, wish, entry) &&
  !isDone(uid, wish, entry) &&
  (entry.status === 'error' || (entry.error !== undefined && wish.desired !== 'stopped' && wish.desired !== 'removed'));

/** Whether a Worker has confirmed that an app is gone there. */
export const confirms = (uid: string, wish: Pick<Published, 'generation'>, entry: StatusEntry | null): boolean =>
  entry !== null && (entry.uid !== uid || (entry.status === 'not_found' && entry.generation >= wish.generation));

/** Whether an environment was asked to run an app or to let it rest: neither to remove it nor only to copy its uploads ahead. */
export const isPublished = (wish: Published | undefined): wish is Published =>
  wish !== undefined && wish.desired !== 'removed' && !isAhead(wish);

/** Whether a boot is wanted in an environment that is not published there. */
export function startsBoot(
  { placements, published }: Pick<AppDefinition, 'placements' | 'published'>,
  environment: string,
): boolean {
  const place: Placement | undefined = placements[environment];
  const wish = published[environment];
  if (!place || place.want === 'stopped') return false;
  return !isPublished(wish) || wish.boot.generation < place.boot.generation;
}
