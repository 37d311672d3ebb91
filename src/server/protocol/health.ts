import type { Lease } from '../../shared/messages';
import type { Health } from '../../shared/types';
import type { Now } from '../clock';
import { expiryOf, INTERVAL } from '../timing';

/**
 * An observer that has not read the store for this long knows nothing, in ms: two polls and the timeout of one command.
 */
export const DISCONNECTED_AFTER = 5_000;
/** A beat that is found within this time after such an absence may have been on its way all the while, in ms: a store that was frozen goes on with it. */
const BELATED = 1_500;
/** How much later than what it asks for an observer finds it, at most, in ms: two polls and some latency. */
const FOUND_WITHIN = 3_000;
/** Missed beats until suspect. */
const SUSPECT_AFTER = 2;

/** What the observer knows about one environment's lease. */
export interface LeaseObservation {
  lease: Lease | null;
  /** When this observer first polled the environment. */
  firstPoll: Now;
  /** When this observer last saw the heartbeat change; null if never. */
  lastBeat: Now | null;
  /**
   * How much of the silence since then the observer itself was disconnected, in ms; `lastBeat.mono` is shifted by this
   * time.
   */
  discounted: number;
  /** How much older the last heartbeat may be than it seems, in ms. */
  doubt: number;
  /** Since when heartbeats have arrived without a gap. */
  onlineSince: number;
  /** When the observer saw that the holder released the lease, instead of letting it expire. */
  releasedAt: Now | null;
  /** Whether the store has an older beat than the last one by now: it is an older copy, in which the lease expires too early. */
  wentBack: boolean;
}

/** What an observer knows of its own sight. */
export interface StoreObservation {
  /** When it first asked the store; null before. */
  asksSince: Now | null;
  /** When it last read the store; null if never. */
  lastPoll: Now | null;
  /** When it last read the store again, by the monotonic clock, and after how many ms; null if it was never disconnected. */
  resumed: { at: number; after: number } | null;
}

/** Whether its Worker is taken to work. */
export const isAlive = (health: Health): boolean => health === 'online' || health === 'suspect';

export const intervalOf = (observation: LeaseObservation): number => observation.lease?.interval ?? INTERVAL;

/**
 * The health of one environment, by the observer's own monotonic clock only, so that a worker's wrong clock has no
 * effect.
 */
export function healthOf(
  observation: LeaseObservation,
  observer: StoreObservation,
  now: Now,
): { health: Health; since: number } {
  const seen = observer.lastPoll ?? observer.asksSince ?? now;
  if (observer.lastPoll === null || now.mono - seen.mono > DISCONNECTED_AFTER)
    return { health: 'unknown', since: seen.wall };
  if (observation.releasedAt !== null) return { health: 'down', since: observation.releasedAt.wall };
  const interval = intervalOf(observation);
  if (observation.lastBeat === null) {
    // Just started: absence proves nothing until a live worker would have sent a heartbeat.
    const silence = now.mono - observation.firstPoll.mono;
    return { health: silence < expiryOf(interval) ? 'unknown' : 'down', since: observation.firstPoll.wall };
  }
  const age = now.mono - observation.lastBeat.mono;
  const expiresAt = observation.lastBeat.wall + expiryOf(interval);
  if (age >= expiryOf(interval)) return { health: 'down', since: expiresAt };
  // The silence may be the observer's, but there is no proof of life either: a report is valid only as long as its
  // lease.
  if (age + observation.discounted + observation.doubt >= expiryOf(interval))
    return { health: 'unknown', since: expiresAt };
  if (observation.lease?.state === 'stopping') return { health: 'stopping', since: observation.lastBeat.wall };
  if (age >= SUSPECT_AFTER * interval)
    return { health: 'suspect', since: observation.lastBeat.wall + SUSPECT_AFTER * interval };
  return { health: 'online', since: observation.onlineSince };
}

/** For an environment that was never polled. */
export const unobserved = (now: Now): LeaseObservation => ({
  lease: null,
  firstPoll: now,
  lastBeat: null,
  discounted: 0,
  doubt: 0,
  onlineSince: now.wall,
  releasedAt: null,
  wentBack: false,
});

/** The time since the last heartbeat of a lease, derived from its remaining time, in ms. */
export const silenceOf = (lease: Lease, left: number): number =>
  Math.min(Math.max(expiryOf(lease.interval) - left, 0), expiryOf(lease.interval));

/**
 * The observation of a lease after a poll.
 * @param flushed whether the store has lost all content: then a missing lease means nothing
 * @param silence how long ago a heartbeat arrived that is only observed now, in ms; not called for one observed in time
 * @param late whether the observer was disconnected: the store may be an older copy
 */
export function afterPoll(
  previous: LeaseObservation | undefined,
  lease: Lease | null,
  observer: StoreObservation,
  flushed: boolean,
  now: Now,
  silence = 0,
  late = false,
): LeaseObservation {
  const before = previous ?? unobserved(now);
  if (lease) {
    const changed = lease.beat !== before.lease?.beat || lease.epoch !== before.lease?.epoch;
    if (!changed) return before;
    if (lease.epoch === before.lease?.epoch && lease.beat < before.lease.beat) return { ...before, wentBack: true };
    const wasOnline = before.lastBeat !== null && healthOf(before, observer, now).health !== 'down';
    return {
      ...before,
      lease,
      lastBeat: { mono: now.mono - silence, wall: now.wall - silence },
      discounted: 0,
      doubt: doubtOf(lease, before.lease, observer, now),
      onlineSince: wasOnline ? before.onlineSince : now.wall,
      releasedAt: null,
      wentBack: false,
    };
  }
  if (before.releasedAt !== null || before.lastBeat === null || before.wentBack || flushed) return before;
  const expiry = expiryOf(intervalOf(before));
  // An older copy may never have had the lease, or have lost it: that proves neither its end nor that it goes on.
  if (late) return { ...before, discounted: Math.max(before.discounted, expiry) };
  // A lease that disappears before it could have expired was released. The tenth allows for the store's own clock.
  const age = now.mono - before.lastBeat.mono + before.discounted;
  return age < expiry * 0.9 ? { ...before, releasedAt: now } : before;
}

/**
 * How much older a beat may be than it seems, in ms: as much as the observer was disconnected, if the store may have kept it all the while. Where
 * the next beat would come too late for that, the lease counts as expired until then. The first beat of a holder that follows a known one is not doubted.
 */
function doubtOf(lease: Lease, known: Lease | null, { resumed }: StoreObservation, now: Now): number {
  const isOfNewHolder = known !== null && lease.epoch !== known.epoch;
  if (!resumed || isOfNewHolder || now.mono - resumed.at >= BELATED) return 0;
  const expiry = expiryOf(lease.interval);
  return resumed.after + lease.interval + FOUND_WITHIN > expiry ? expiry : resumed.after;
}

/** From this number of environments on, and if more than this share of them is lost within this number of ms … */
const CUT_OFF_LEAST = 3;
const CUT_OFF_SHARE = 0.55;
const CUT_OFF_WINDOW = 60_000;
/** … for so long after the last one of these was lost, in ms: what is still silent then has to be repaired, whichever side is disconnected. */
export const CUT_OFF_FOR = 180_000;

/**
 * When a silent environment is lost, by the monotonic clock, in ms; in the future while it is not. Null for one that announced its shutdown
 * or was never seen alive.
 */
export function lostAt(observation: LeaseObservation): number | null {
  const { lastBeat, releasedAt } = observation;
  return lastBeat === null || releasedAt !== null ? null : lastBeat.mono + expiryOf(intervalOf(observation));
}

/**
 * … the observer assumes that it is itself disconnected: that is more likely than that most of a fleet dies at once. What was
 * lost before does not count, and stays lost; a later loss ends nothing. One that announced its shutdown later was there.
 * @returns since when a loss proves nothing, by the monotonic clock, in ms; Infinity if each one proves something
 */
export function doubtfulSince(environments: Iterable<{ observation: LeaseObservation }>, now: Now): number {
  const observations = [...environments].map(({ observation }) => observation);
  const all = observations.flatMap((one) => lostAt(one) ?? []);
  const left = observations.flatMap(({ releasedAt }) => releasedAt?.mono ?? []);
  const lost = all.filter((at) => at <= now.mono);
  const ends = lost.filter((at) => now.mono - at < CUT_OFF_FOR);
  const begins = ends.flatMap((end) => {
    const begin = end - CUT_OFF_WINDOW;
    const total = all.filter((at) => at >= begin).length + left.filter((at) => at > end).length;
    const share = lost.filter((at) => at >= begin && at <= end).length / total;
    return total >= CUT_OFF_LEAST && share > CUT_OFF_SHARE ? [begin] : [];
  });
  return Math.min(...begins);
}

/** How long an observer that reads the store at `now` was disconnected until then, in ms; 0 if it was not. */
export function absenceUntil(now: Now, { asksSince, lastPoll }: StoreObservation): number {
  const ms = now.mono - (lastPoll ?? asksSince ?? now).mono;
  return ms > DISCONNECTED_AFTER ? ms : 0;
}

/**
 * After the observer was disconnected, silence during that time does not count against the worker. Polls that find the store again and cannot
 * read all of it take that time off more than once; no beat becomes later than `now` by that.
 */
export function discountOutage(observation: LeaseObservation, disconnectedFor: number, now: Now): LeaseObservation {
  const { lastBeat, releasedAt, discounted } = observation;
  if (!lastBeat) return { ...observation, firstPoll: now };
  const later = (at: Now): Now => ({ ...at, mono: Math.min(at.mono + disconnectedFor, now.mono) });
  return {
    ...observation,
    lastBeat: later(lastBeat),
    releasedAt: releasedAt && later(releasedAt),
    discounted: discounted + disconnectedFor,
  };
}
