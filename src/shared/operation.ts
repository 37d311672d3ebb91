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
import { ACTIONS, MOVE_CAUSES, OPERATION_STATES, STEP_KINDS } from './words';

/**
 * An operation, one requested change of one app. Every field is declared here. Table, row and API documentation are
 * derived from it (see fields.ts).
 */

const STEP = {
  environment: text(),
  state: choice(OPERATION_STATES),
  message: optional(message()),
  error: optional(message()),
  startedAt: optional(bigInt()),
  finishedAt: optional(bigInt()),
};

/** A step as the pages see it. */
const operationStep = object(STEP);
export type OperationStep = ValueOf<typeof operationStep>;

const step = object({ ...STEP, kind: choice(STEP_KINDS) });
export type Step = ValueOf<typeof step>;

export const OPERATION = {
  id: { type: text(), in: ['table', 'row', 'filter'], column: { primaryKey: true } },
  appName: { type: text(), in: ['table', 'row', 'sort'], column: { index: true } },
  appUid: { type: text(), in: ['table', 'filter'], column: { index: true } },
  action: { type: choice(ACTIONS), in: ['table', 'row', 'sort'] },
  /** Of a move that is not for good. */
  cause: { type: orNull(choice(MOVE_CAUSES)), since: '0.3.0', in: ['table', 'row'] },
  state: { type: choice(OPERATION_STATES), in: ['table', 'save', 'row', 'sort'], column: { index: true } },
  /** The generation that its steps publish; a report of an older one belongs to something else. A Worker that is ahead of it raises it. */
  generation: { type: bigInt(), in: ['table', 'save'] },
  /** Why nothing happens right now; null while it proceeds or has finished. */
  waitingFor: { type: orNull(message()), in: ['table', 'save', 'row'] },
  steps: { type: list(step), rowType: list(operationStep), default: [], in: ['table', 'save', 'row'] },
  /** What happens to steps that have not begun when a step fails. */
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
