import { bigInt, choice, type Fields, type In, message, orNull, text } from './fields';
import { EVENT_KINDS } from './words';

/**
 * An event: something that happened to an app or an environment, or that lasts. Every field is declared here. Table, row
 * and API documentation are derived from it (see fields.ts).
 */
export const EVENT = {
  /** Derived from what happened: the same event has the same id in every Supervisor. */
  id: { type: text(), in: ['table', 'row'], column: { primaryKey: true } },
  kind: { type: choice(EVENT_KINDS), in: ['table', 'row', 'filter'] },
  appName: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  appUid: { type: orNull(text()), in: ['table', 'filter'] },
  environment: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  message: { type: message(), in: ['table', 'row'] },
  /** Why it happened, as the Worker or the operation says. */
  cause: { type: orNull(message()), in: ['table', 'row'] },
  /** Id of the user whose request it was about; null if it was nobody's. */
  createdById: { type: orNull(text()), in: ['table', 'filter'] },
  createdBy: { type: orNull(text()), in: ['row'] },
  /** By the clock of the Supervisor that recorded it. */
  at: { type: bigInt(), in: ['table', 'row', 'sort'], column: { index: true } },
  /** The end of what lasts, otherwise `at`; null while it lasts. */
  endedAt: { type: orNull(bigInt()), in: ['table', 'row', 'sort'], column: { index: true } },
} as const satisfies Fields;

/** As stored. */
export type Event = In<typeof EVENT, 'table'>;
export type EventRow = In<typeof EVENT, 'row'>;
