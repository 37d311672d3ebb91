/** The enumerations of a fleet: each list is defined only here, for rows, messages and columns. */

/** The core's `AppStatus` (server/src/app-supervisor/types.ts:40) and three of ours. */
export const STATUSES = [
  'preparing',
  'initializing',
  'initialized',
  'running',
  'commanding',
  'stopped',
  'error',
  'not_found',
  /** Not loaded; starts when visited. */
  'dormant',
  /** Queued behind another boot or environment, or the environment has not answered yet. */
  'waiting',
  /** Cannot be verified: the environment is down, or the observer is disconnected. */
  'unknown',
] as const;
export type Status = (typeof STATUSES)[number];

/** In the list of apps, the status of an app that has no environment. */
export const NO_ENVIRONMENT = 'no_environment';

/** Statuses of apps, and the one of an app that has no environment, in the order in which they are shown: what needs somebody first. */
export const WORST_FIRST = [
  NO_ENVIRONMENT,
  'error',
  'unknown',
  'waiting',
  'preparing',
  'initializing',
  'initialized',
  'commanding',
  'not_found',
  'stopped',
  'dormant',
  'running',
] as const;
export type CountedStatus = (typeof WORST_FIRST)[number];

/** The status by which an app is counted once: its worst one in an environment. */
export const worstOf = (statuses: readonly Status[]): CountedStatus =>
  WORST_FIRST.find((status) => (statuses as readonly string[]).includes(status)) ?? NO_ENVIRONMENT;

export const HEALTHS = ['online', 'suspect', 'down', 'stopping', 'unknown'] as const;
export type Health = (typeof HEALTHS)[number];

/** The desired state of an app in one environment. `removed`: remove it there. */
export const DESIRED = ['running', 'onDemand', 'stopped', 'removed'] as const;
/** What is wanted of an app in an environment in which it is placed. */
export const WANTS = ['running', 'onDemand', 'stopped'] as const;
export const START_MODES = ['onVisit', 'withMain'] as const;
export type StartMode = (typeof START_MODES)[number];

/**
 * What a drain does with apps. `move`: those that another environment takes are moved, and those that others of their environments
 * serve are stopped there; `moveOrStop`: the rest is stopped there, too; `stop`: all are stopped there.
 */
export const DRAIN_MODES = ['move', 'moveOrStop', 'stop'] as const;
export type DrainMode = (typeof DRAIN_MODES)[number];

/** Who sees an app: everybody who can sign in, users with certain roles of the main app, or nobody. */
export const VISIBLE_TO = ['everybody', 'roles', 'nobody'] as const;
export type VisibleTo = (typeof VISIBLE_TO)[number];

/** How a user of the main app is matched with an account of an app at the first sign-in: see sso.ts. */
export const SSO_MAPPINGS = ['username', 'email', 'none'] as const;
export type SsoMapping = (typeof SSO_MAPPINGS)[number];

/** Whether an app's own domain leads to this fleet: not checked yet, yes, or no. */
export const DOMAIN_STATES = ['pending', 'verified', 'failed'] as const;
export type DomainState = (typeof DOMAIN_STATES)[number];

/**
 * Why a domain is not verified: the Supervisor does not know its own address, and so neither scheme nor port; the name has no
 * address; nobody answers there; TLS fails; something else than this fleet answers, or the host is not passed on to it.
 */
export const DOMAIN_REASONS = ['noPublicUrl', 'unresolved', 'unreachable', 'tls', 'elsewhere'] as const;
export type DomainReason = (typeof DOMAIN_REASONS)[number];

export const ACTIONS = [
  'create',
  'adopt',
  'restore',
  'update',
  'move',
  'start',
  'stop',
  'restart',
  'upgrade',
  'renewSecrets',
  'destroy',
] as const;
export type Action = (typeof ACTIONS)[number];

/** Who moves an app when its only environment is down, and who brings it home again: whoever asks for it, or the Supervisor. */
export const FAILOVER_MODES = ['manual', 'automatic'] as const;
export type FailoverMode = (typeof FAILOVER_MODES)[number];

/** Why an app moves, if it is not for good: its environment is down, or it returns to the one that was. */
export const MOVE_CAUSES = ['failover', 'failback'] as const;
export type MoveCause = (typeof MOVE_CAUSES)[number];

export const OPERATION_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/**
 * What is shown of an operation in one environment, and when it is over there: `boot` when that boot of the app is done, `place` when it
 * is known there what is wanted, and the app rests if it is to, `leave` when the app is gone, `data` when its data is dropped or released.
 */
export const PROGRESS_OF = ['boot', 'place', 'leave', 'data'] as const;
/** What becomes of the data of a deleted app: nothing, the ownership marker is removed, or what the app created is deleted. */
export const DATA_ENDS = ['keep', 'release', 'drop'] as const;
export type DataEnd = (typeof DATA_ENDS)[number];

export const DB_CONN_TYPES = ['new_database', 'new_connection', 'new_schema'] as const;
export type DbConnType = (typeof DB_CONN_TYPES)[number];

/**
 * What an event is about: an environment that is down or was stopped, a process that took an environment over, an app
 * that crashed its Worker, an app or an operation that failed, uploads that were not copied after a move, a value in Redis that was ignored, a change that somebody
 * requested, an operation that the Supervisor began itself, a user whom the main app signed in to an app, an app that leaves an
 * environment that is down, an app that returns to it.
 */
export const EVENT_KINDS = [
  'health',
  'holder',
  'crash',
  'failure',
  'memory',
  'disk',
  'uploads',
  'door',
  'refusal',
  'change',
  'healing',
  'signIn',
  ...MOVE_CAUSES,
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
