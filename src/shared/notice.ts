import type { Event } from './event';
import {
  anything,
  bigInt,
  choice,
  type Fields,
  flag,
  type In,
  integer,
  list,
  message,
  object,
  orNull,
  text,
  type ValueOf,
} from './fields';
import { type Message, say } from './message';

/**
 * Who is notified of what happened: people through a channel of NocoBase's notification manager, other systems through
 * a webhook.
 */
export const NOTIFIERS = ['channel', 'webhook'] as const;
export type NotifierId = (typeof NOTIFIERS)[number];

export const notifierName = (id: NotifierId): Message =>
  say(id === 'webhook' ? 'NOTIFIER_WEBHOOK' : 'NOTIFIER_CHANNEL');

/** What a notifier may be asked to tell. */
export const NOTICE_KINDS = [
  'environmentDown',
  'appFailing',
  'operationFailed',
  'nearLimit',
  'door',
  'failover',
  'takeover',
  'rejected',
  'request',
] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** Whether a notice is about the beginning of what lasts, about its end, or about what does not last. */
export const PHASES = ['begun', 'over', 'once'] as const;
export type Phase = (typeof PHASES)[number];

/** @returns null for what nobody is notified of: what notifying does itself, for example, so that it causes no more of it */
export function noticeKindOf({ kind, message }: Pick<Event, 'kind' | 'message'>): NoticeKind | null {
  switch (message.code) {
    case 'ENVIRONMENT_DOWN':
    case 'CONTAINER_DIED':
      return 'environmentDown';
    case 'APP_FAILED':
    case 'APP_CRASHED':
      return 'appFailing';
    case 'OPERATION_FAILED':
      return 'operationFailed';
  }
  if (kind === 'memory' || kind === 'disk') return 'nearLimit';
  if (kind === 'door') return 'door';
  if (kind === 'failover' || kind === 'failback') return 'failover';
  if (kind === 'holder') return 'takeover';
  if (kind === 'refusal') return 'rejected';
  return kind === 'change' ? 'request' : null;
}

/** One message or request, which is repeated unchanged until it has arrived. */
export const delivery = object({
  /** Unique. A receiver that gets it twice recognizes it by this. */
  id: text(),
  events: list(object({ id: text(), phase: choice(PHASES) })),
  /** When it was put together, in ms since 1970. */
  at: bigInt(),
  /** Failed attempts. */
  failures: integer(),
  /** Not before this time, in ms since 1970. */
  nextAt: bigInt(),
  /** Languages in which people have it already. */
  done: list(text()),
});
export type Delivery = ValueOf<typeof delivery>;

/** A notifier: its settings, and how it is going. Table, row and API documentation are derived from it (see fields.ts). */
export const NOTIFIER = {
  id: { type: choice(NOTIFIERS), in: ['table', 'row'], column: { primaryKey: true } },
  enabled: { type: flag(), in: ['table', 'row'], default: false },
  kinds: { type: list(choice(NOTICE_KINDS)), in: ['table', 'row'], default: [] },
  /** Name of a channel of the notification manager. */
  channel: { type: orNull(text()), in: ['table', 'row'] },
  /** Ids of users. */
  receivers: { type: list(text()), in: ['table', 'row'], default: [] },
  url: { type: orNull(text({ long: true })), in: ['table', 'row'] },
  /** Signs webhooks; sealed. */
  secret: { type: orNull(text({ long: true })), in: ['table'], column: { hidden: true } },
  hasSecret: { type: flag(), in: ['row'] },
  /** Events before this time are not told: when it was last turned on, in ms since 1970. */
  since: { type: bigInt(), in: ['table'], default: 0 },
  /** When its settings were last changed, in ms since 1970: what failed before is tried again at once. */
  changedAt: { type: bigInt(), in: ['table'], default: 0 },
  /** What is being sent; null if nothing is. */
  delivery: { type: orNull(anything()), in: ['table'] },
  /** The last delivery that arrived, in ms since 1970. */
  deliveredAt: { type: orNull(bigInt()), in: ['table', 'row'] },
  /** HTTP status of the last answer; null if there was none. */
  status: { type: orNull(integer()), in: ['table', 'row'] },
  /** When the first of the attempts that fail was made, in ms since 1970; null if the last one did not fail. */
  failingSince: { type: orNull(bigInt()), in: ['table', 'row'] },
  /** Why the last attempt failed. */
  error: { type: orNull(message()), in: ['table', 'row'] },
  /** The next attempt, in ms since 1970; null if none is due. */
  nextAt: { type: orNull(bigInt()), in: ['row'] },
} as const satisfies Fields;

/** As stored. */
export type Notifier = Omit<In<typeof NOTIFIER, 'table'>, 'delivery'> & { delivery: Delivery | null };
export type NotifierRow = In<typeof NOTIFIER, 'row'>;

/** A channel of the notification manager that can be chosen. */
export const noticeChannel = object({
  name: text(),
  title: text(),
  /** As the notification manager calls it, such as `in-app-message` or `email`. */
  type: text(),
});
export type NoticeChannel = ValueOf<typeof noticeChannel>;

/** The notifiers, and the channels that exist. */
export interface NoticeSettings {
  notifiers: NotifierRow[];
  channels: NoticeChannel[];
  /** Why there is no channel; null if there are some. */
  missing: 'plugin' | 'channels' | null;
}

/** The result of a test message. */
export const noticeResult = object({
  ok: flag(),
  /** HTTP status; null if there was none. */
  status: orNull(integer()),
  /** Why it failed. */
  error: orNull(message()),
});
export type NoticeResult = ValueOf<typeof noticeResult>;
