import {
  bigInt,
  choice,
  type Fields,
  type In,
  list,
  message,
  object,
  optional,
  orNull,
  text,
  timestamp,
  type ValueOf,
} from './fields';
import { ACTIONS, DATA_ENDS, MOVE_CAUSES, OPERATION_STATES, PROGRESS_OF } from './words';

/**
 * An operation, one requested change of one app. Every field is declared here. Table, row and API documentation are
 * derived from it (see fields.ts).
 */

/** How far one step of an operation is in one environment: the data of a deleted app end in one that it leaves, too. */
const progress = object({
  environment: text(),
  of: choice(PROGRESS_OF),
  state: choice(OPERATION_STATES),
  message: optional(message()),
  error: optional(message()),
  startedAt: optional(bigInt()),
  finishedAt: optional(bigInt()),
});
export type Progress = ValueOf<typeof progress>;

export const OPERATION = {
  id: { type: text(), in: ['table', 'row', 'filter'], column: { primaryKey: true } },
  appName: { type: text(), in: ['table', 'row', 'sort'], column: { index: true } },
  appUid: { type: text(), in: ['table', 'filter'], column: { index: true } },
  action: { type: choice(ACTIONS), in: ['table', 'row', 'sort'] },
  /** Of a move that is not for good. */
  cause: { type: orNull(choice(MOVE_CAUSES)), since: '0.3.0', in: ['table', 'row'] },
  state: { type: choice(OPERATION_STATES), in: ['table', 'save', 'row', 'sort'], column: { index: true } },
  /** That of the request: what it asks for is of this generation in the spec of the app (supervisor/rollout/spec.ts). */
  generation: { type: bigInt(), in: ['table', 'row'] },
  /** Why nothing happens right now; null while it proceeds or has finished. */
  waitingFor: { type: orNull(message()), in: ['table', 'save', 'row'] },
  /** By environment; nothing is decided by it (supervisor/rollout/progress.ts). */
  progress: {
    type: list(progress),
    default: [],
    since: '0.3.0',
    in: ['table', 'save', 'row'],
  },
  /** The environments that the request named; null: all of the app. `progress` also shows what of an earlier request is not over. */
  environments: { type: orNull(list(text())), since: '0.3.0', in: ['table'] },
  /** Id of the request about several apps of which it is part; null if there is none. */
  batch: { type: orNull(text()), since: '0.3.0', in: ['table', 'row', 'filter'], column: { index: true } },
  /** Of a destroy: what becomes of the data; null for any other action. */
  data: { type: orNull(choice(DATA_ENDS)), since: '0.3.0', in: ['table'] },
  /** Whether a boot that fails keeps the app from booting in the next environment. */
  onFailure: { type: choice(['stop', 'continue']), default: 'stop', in: ['table'] },
  /** Id of the user who requested it; null if the system did. */
  createdById: { type: orNull(text()), in: ['table', 'filter'] },
  createdBy: { type: orNull(text()), in: ['row'] },
  createdAt: { type: timestamp(), in: ['table', 'row', 'sort'] },
  finishedAt: { type: orNull(bigInt()), in: ['table', 'save', 'row', 'sort'] },
} as const satisfies Fields;

/** As stored. */
export type Operation = In<typeof OPERATION, 'table'>;
export type OperationRow = In<typeof OPERATION, 'row'>;
