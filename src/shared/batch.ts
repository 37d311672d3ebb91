import {
  anything,
  bigInt,
  choice,
  type Fields,
  flag,
  type In,
  integer,
  list,
  map,
  message,
  object,
  orNull,
  text,
  type ValueOf,
} from './fields';

/** What can be asked for of several apps at once: the names of the actions of `apps`, and what is asked for of all apps of an environment. */
export const BATCH_ACTIONS = [
  'start',
  'stop',
  'restart',
  'upgrade',
  'renewSecrets',
  'move',
  'label',
  'configure',
  'destroy',
  'drain',
] as const;
export type BatchAction = (typeof BATCH_ACTIONS)[number];

const askedApp = object({ name: text(), title: text(), uid: text() });
const failure = object({
  /** Why, without what differs from app to app. */
  cause: message(),
  apps: list(object({ name: text(), title: text() })),
});
export type BatchFailure = ValueOf<typeof failure>;

/** A request about several apps. Every field is declared here (see fields.ts). */
export const BATCH = {
  id: { type: text(), in: ['table', 'row'], column: { primaryKey: true } },
  action: { type: choice(BATCH_ACTIONS), in: ['table', 'row'] },
  /** What else was asked for: the body of the request, and the environment that is drained. */
  input: { type: map(anything()), default: {}, in: ['table'] },
  /** In the order in which they are asked for. */
  apps: { type: list(askedApp), default: [], in: ['table'] },
  /** Of how many of `apps` it is known what came of the request: an operation, a refusal, or a change without an operation. */
  asked: { type: integer(), default: 0, in: ['table'] },
  /** By name of the app, why it was refused. */
  refused: { type: map(message()), default: {}, in: ['table'] },
  createdById: { type: orNull(text()), in: ['table'] },
  createdBy: { type: orNull(text()), in: ['row'] },
  createdAt: { type: bigInt(), in: ['table', 'row', 'sort'], column: { index: true } },
  /** When the process that asks for them last said so; another value after each write. */
  askedAt: { type: bigInt(), in: ['table'] },
  /** The environment of which all apps are drained or moved; null: the apps were chosen one by one. */
  environment: { type: orNull(text()), in: ['table', 'row', 'filter'], column: { index: true } },
  /** Number of apps: the sum of the four that follow. */
  total: { type: integer(), in: ['row'] },
  done: { type: integer(), in: ['row'] },
  /** Operations that go on, and apps that are still to be asked for. */
  underWay: { type: integer(), in: ['row'] },
  /** Refused, failed, or never asked for because the process has ended that did it. */
  failed: { type: integer(), in: ['row'] },
  /** By somebody, or by a newer request. */
  cancelled: { type: integer(), in: ['row'] },
  failures: { type: list(failure), in: ['row'] },
  /** Whether nothing goes on any more. */
  isOver: { type: flag(), in: ['row'] },
} as const satisfies Fields;

/** As stored. */
export type Batch = In<typeof BATCH, 'table'>;
export type BatchRow = In<typeof BATCH, 'row'>;
