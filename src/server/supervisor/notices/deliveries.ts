import type { Event } from '../../../shared/event';
import { type Message, say } from '../../../shared/message';
import {
  type Delivery,
  type Notifier,
  type NotifierId,
  noticeKindOf,
  notifierName,
  type Phase,
} from '../../../shared/notice';
import { eventOf } from '../definitions/change-events';

/** What is told, when, and how often it is tried, as pure functions. All times are in ms since 1970, waits in ms. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Events that are older are not looked for. */
export const LOOK_BACK = 7 * 24 * HOUR;
/** Waits after the first, second, … failed attempt; the last one repeats. */
export const WAITS = [10_000, 30_000, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];
/** What could not be sent for this long is given up. */
export const GIVE_UP_AFTER = 24 * HOUR;
/** People get at most one message in this time. */
export const SPACING = MINUTE;
/** Events in one delivery: people get a summary, a webhook all of them. */
export const MOST_EVENTS: Record<NotifierId, number> = { channel: 500, webhook: 100 };

/** @param failures of this delivery, at least 1 */
export const waitAfter = (failures: number): number => WAITS[Math.min(failures, WAITS.length) - 1];

/** What is next: `wait` in ms, or a new delivery may be put together, or the present one is sent or given up. */
export type Due = { do: 'collect' } | { do: 'send' } | { do: 'giveUp' } | { do: 'wait'; ms: number };

export function dueOf(
  { id, delivery, deliveredAt, changedAt }: Pick<Notifier, 'id' | 'delivery' | 'deliveredAt' | 'changedAt'>,
  now: number,
): Due {
  const until = (time: number, longest: number): Due | null =>
    // Of a clock that was turned back, no wait is longer than the longest that can be meant.
    time > now ? { do: 'wait', ms: Math.min(time - now, longest) } : null;
  if (!delivery) return (id === 'channel' && until((deliveredAt ?? 0) + SPACING, SPACING)) || { do: 'collect' };
  if (now - delivery.at >= GIVE_UP_AFTER) return { do: 'giveUp' };
  const isChanged = delivery.failures > 0 && changedAt > delivery.nextAt - waitAfter(delivery.failures);
  return (!isChanged && until(delivery.nextAt, WAITS[WAITS.length - 1])) || { do: 'send' };
}

/** What an event's row says of a notifier: nothing yet, not told, told as it began, or told for good. */
export type Told = 'no' | 'begun' | 'over';

export interface Collected {
  /** In the order in which they happened. */
  events: Delivery['events'];
  /** By event, what its row says from now on. */
  told: Map<string, Told>;
  /** Events that are too old to be told. */
  late: number;
}

/**
 * @param fresh events of which this notifier knows nothing yet
 * @param ended events that it told as they began, and that are over
 */
export function collect(
  { kinds }: Pick<Notifier, 'kinds'>,
  fresh: readonly Event[],
  ended: readonly Event[],
  now: number,
): Collected {
  const told = new Map<string, Told>();
  const found: Array<{ id: string; phase: Phase; at: number }> = [];
  let late = 0;
  const add = (id: string, phase: Phase, at: number, next: Told) => {
    const isLate = now - at >= GIVE_UP_AFTER;
    if (isLate) late++;
    else found.push({ id, phase, at });
    told.set(id, next);
  };
  for (const event of fresh) {
    const { id, at, endedAt } = event;
    const kind = noticeKindOf(event);
    if (kind === null || !kinds.includes(kind)) told.set(id, 'no');
    // What still lasts is told, however long ago it began.
    else if (endedAt === null) add(id, 'begun', now, 'begun');
    else add(id, endedAt > at ? 'over' : 'once', endedAt, 'over');
  }
  for (const { id, endedAt } of ended) add(id, 'over', endedAt ?? now, 'over');
  found.sort((a, b) => a.at - b.at);
  return { events: found.map(({ id, phase }) => ({ id, phase })), told, late };
}

/** The result of an attempt. */
export interface Attempt {
  ok: boolean;
  /** HTTP status; null if there was none. */
  status: number | null;
  error: Message | null;
  /** Languages in which people have it now. */
  done: string[];
}

/** What the notifier's row says after an attempt. */
export function afterAttempt(
  { delivery, failingSince, deliveredAt }: Pick<Notifier, 'delivery' | 'failingSince' | 'deliveredAt'>,
  { ok, status, error, done }: Attempt,
  now: number,
): Pick<Notifier, 'delivery' | 'deliveredAt' | 'status' | 'failingSince' | 'error'> {
  if (ok) return { delivery: null, deliveredAt: now, status, failingSince: null, error: null };
  const failures = (delivery?.failures ?? 0) + 1;
  return {
    delivery: delivery && { ...delivery, failures, nextAt: now + waitAfter(failures), done },
    deliveredAt,
    status,
    failingSince: failingSince ?? now,
    error,
  };
}

/** The event that attempts fail, once for each time that they begin to. */
export const failingEvent = (id: NotifierId, since: number, cause: Message | null): Event =>
  eventOf({
    id: `notifier ${id} ${since}`,
    kind: 'failure',
    message: say('NOTIFIER_FAILS', { notifier: notifierName(id) }),
    cause,
    at: since,
  });

/** The event that something was not told in time. @param count of events */
export const givenUpEvent = (id: NotifierId, count: number, at: number): Event =>
  eventOf({
    id: `notifier ${id} gave up ${at}`,
    kind: 'failure',
    message: say('NOTIFIER_GAVE_UP', { notifier: notifierName(id), count, hours: GIVE_UP_AFTER / HOUR }),
    at,
  });
