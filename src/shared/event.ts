import {
  bigInt,
  choice,
  type Fields,
  flag,
  type In,
  list,
  message,
  object,
  optional,
  orNull,
  text,
  type ValueOf,
} from './fields';
import { ACTIONS, EVENT_KINDS, OPERATION_STATES } from './words';

/** What somebody changed of an app's settings. Of a secret, only that it changed. */
const settingChange = object({
  /** Name of the setting, such as `title` or `database.host`. */
  field: text(),
  /** Null if there was none. */
  before: orNull(text()),
  /** Null if there is none now. */
  after: orNull(text()),
  isSecret: optional(flag()),
});
export type SettingChange = ValueOf<typeof settingChange>;

/** The operation of an event, as far as a list of events shows it. */
const eventOperation = object({
  id: text(),
  appName: text(),
  action: choice(ACTIONS),
  state: choice(OPERATION_STATES),
  createdAt: bigInt(),
  finishedAt: orNull(bigInt()),
});

/**
 * An event: something that happened to an app or an environment, or that lasts. Every field is declared here. Table, row
 * and API documentation are derived from it (see fields.ts).
 */
export const EVENT = {
  /** Derived from what happened: the same event has the same id in every Supervisor. */
  id: { type: text(), in: ['table', 'row'], column: { primaryKey: true } },
  kind: { type: choice(EVENT_KINDS), in: ['table', 'row', 'filter'] },
  appName: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  /** Its title now; null if it is gone. */
  appTitle: { type: orNull(text()), in: ['row'] },
  appUid: { type: orNull(text()), in: ['table', 'filter'] },
  environment: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  message: { type: message(), in: ['table', 'row'] },
  /** Why it happened, as the Worker or the operation says. */
  cause: { type: orNull(message()), in: ['table', 'row'] },
  /** Id of the user whose request it was about; null if it was nobody's. */
  createdById: { type: orNull(text()), in: ['table', 'filter'] },
  createdBy: { type: orNull(text()), in: ['row'] },
  /** Id of the operation that it began, or whose failure it is. */
  operationId: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  /** That operation as of now; null if there is none, or it is kept no longer. */
  operation: { type: orNull(eventOperation), in: ['row'] },
  /** Settings before and after; null if it is not about settings. */
  changes: { type: orNull(list(settingChange)), in: ['table', 'row'] },
  /** By the clock of the Supervisor that recorded it. */
  at: { type: bigInt(), in: ['table', 'row', 'sort'], column: { index: true } },
  /** The end of what lasts, otherwise `at`; null while it lasts. */
  endedAt: { type: orNull(bigInt()), in: ['table', 'row', 'sort'], column: { index: true } },
} as const satisfies Fields;

/** As stored. */
export type Event = In<typeof EVENT, 'table'>;
export type EventRow = In<typeof EVENT, 'row'>;
