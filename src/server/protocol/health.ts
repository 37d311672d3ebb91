import type { Lease } from '../../shared/messages';
import type { Health } from '../../shared/types';
import type { Now } from '../clock';

/** Without a look at the store for this long the observer knows nothing: two rounds and one command's time-out. */
export const DISCONNECTED_AFTER = 5_000;
/** What an environment that never said its interval is judged by, in ms. */
export const DEFAULT_INTERVAL = 5_000;
/** Missed beats until suspect, and until down. */
export const SUSPECT_AFTER = 2;
export const DOWN_AFTER = 3;

/** What the observer knows of one environment's lease. */
export interface LeaseObservation {
  lease: Lease | null;
  /** When this observer first looked for the environment. */
  firstPoll: Now;
  /** When this observer last saw the beat change; null when it never did. */
  lastBeat: Now | null;
  /** How much of the silence since then was this observer's own blindness, in ms; `lastBeat.mono` is later by that. */
  forgiven: number;
  /** Since when beats came without a gap. */
  onlineSince: number;
  /** When the holder was seen to have given the lease up, rather than letting it run out. */
  releasedAt: number | null;
}

/** When the observer last saw the store; null when it never did. */
export interface StoreObservation {
  lastPoll: Now | null;
  startedAt: Now;
}

/** Whether its Worker is taken to work. */
export const isAlive = (health: Health): boolean => health === 'online' || health === 'suspect';

export const intervalOf = (sight: LeaseObservation): number => sight.lease?.interval ?? DEFAULT_INTERVAL;

/**
 * Health of one environment, by the observer's own monotonic clock only: a worker whose clock is off, or jumps, is judged
 * the same.
 */
export function healthOf(
  sight: LeaseObservation,
  observer: StoreObservation,
  now: Now,
): { health: Health; since: number } {
  const seen = observer.lastPoll ?? observer.startedAt;
  if (observer.lastPoll === null || now.mono - seen.mono > DISCONNECTED_AFTER)
    return { health: 'unknown', since: seen.wall };
  if (sight.releasedAt !== null) return { health: 'down', since: sight.releasedAt };
  const interval = intervalOf(sight);
  if (sight.lastBeat === null) {
    // Just restarted: an absence proves nothing until a living worker would have been heard.
    const silence = now.mono - sight.firstPoll.mono;
    return silence < DOWN_AFTER * interval
      ? { health: 'unknown', since: sight.firstPoll.wall }
      : { health: 'down', since: sight.firstPoll.wall };
  }
  const age = now.mono - sight.lastBeat.mono;
  const runsOut = sight.lastBeat.wall + DOWN_AFTER * interval;
  if (age >= DOWN_AFTER * interval) return { health: 'down', since: runsOut };
  // Not its silence, but no proof of life either: whatever it said is worth no more than its lease.
  if (age + sight.forgiven >= DOWN_AFTER * interval) return { health: 'unknown', since: runsOut };
  if (sight.lease?.state === 'stopping') return { health: 'stopping', since: sight.lastBeat.wall };
  if (age >= SUSPECT_AFTER * interval)
    return { health: 'suspect', since: sight.lastBeat.wall + SUSPECT_AFTER * interval };
  return { health: 'online', since: sight.onlineSince };
}

/** Of an environment that was never looked for. */
export const unseen = (now: Now): LeaseObservation => ({
  lease: null,
  firstPoll: now,
  lastBeat: null,
  forgiven: 0,
  onlineSince: now.wall,
  releasedAt: null,
});

/** How long ago a lease got its last beat, by what is left of its time, in ms. */
export const silenceOf = (lease: Lease, left: number): number =>
  Math.min(Math.max(DOWN_AFTER * lease.interval - left, 0), DOWN_AFTER * lease.interval);

/**
 * The next sight of a lease after a look.
 * @param flushed whether the store had lost everything: then a missing lease says nothing
 * @param silence how long ago a beat came that is seen only now, in ms; of one that is seen in time it is not asked
 */
export function afterPoll(
  previous: LeaseObservation | undefined,
  lease: Lease | null,
  observer: StoreObservation,
  flushed: boolean,
  now: Now,
  silence = 0,
): LeaseObservation {
  const before = previous ?? unseen(now);
  if (lease) {
    const changed = lease.beat !== before.lease?.beat || lease.epoch !== before.lease?.epoch;
    if (!changed) return before;
    const wasOnline = before.lastBeat !== null && healthOf(before, observer, now).health !== 'down';
    return {
      ...before,
      lease,
      lastBeat: { mono: now.mono - silence, wall: now.wall - silence },
      forgiven: 0,
      onlineSince: wasOnline ? before.onlineSince : now.wall,
      releasedAt: null,
    };
  }
  if (before.releasedAt !== null || before.lastBeat === null || flushed) return before;
  // A lease that goes before it could have run out was given up. The tenth is for the store's own clock.
  const age = now.mono - before.lastBeat.mono + before.forgiven;
  const runsOut = DOWN_AFTER * intervalOf(before) * 0.9;
  return age < runsOut ? { ...before, releasedAt: now.wall } : before;
}

/** From so many environments on, and when more than this share of them is lost, and lost within this many ms … */
const CUT_OFF_LEAST = 3;
const CUT_OFF_SHARE = 0.55;
const CUT_OFF_WINDOW = 60_000;

/**
 * … the observer takes itself to be cut off: that most of a fleet dies at once is less likely than that one cannot see it.
 * Those that said goodbye, or were never seen alive, say nothing either way.
 */
export function isCutOff(sights: Iterable<LeaseObservation>, observer: StoreObservation, now: Now): boolean {
  const lostAt: number[] = [];
  let alive = 0;
  for (const sight of sights) {
    if (sight.releasedAt !== null || sight.lastBeat === null) continue;
    const { health, since } = healthOf(sight, observer, now);
    if (health === 'down') lostAt.push(since);
    else alive++;
  }
  const total = alive + lostAt.length;
  if (total < CUT_OFF_LEAST || lostAt.length / total <= CUT_OFF_SHARE) return false;
  return Math.max(...lostAt) - Math.min(...lostAt) <= CUT_OFF_WINDOW;
}

/** After the observer was blind, silence during that time is not the worker's: its age goes on from where it was. */
export function forgiveBlindness(sight: LeaseObservation, blindFor: number, now: Now): LeaseObservation {
  if (!sight.lastBeat) return { ...sight, firstPoll: now };
  const lastBeat = { ...sight.lastBeat, mono: sight.lastBeat.mono + blindFor };
  return { ...sight, lastBeat, forgiven: sight.forgiven + blindFor };
}
