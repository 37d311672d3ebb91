import {
  bigInt,
  choice,
  flag,
  integer,
  list,
  map,
  mapOf,
  message,
  number,
  object,
  optional,
  orNull,
  text,
  type ValueOf,
} from './fields';
import { HEALTHS, STATUSES, WORST_FIRST } from './words';

/** What `appFleet:summary` and `appFleet:load` answer. */

/** What can be done about a problem; the page offers it. */
export const REMEDIES = [
  /** Move the apps of `environment`, best `to`. */
  'move',
  /** Add an environment: no other takes the apps. */
  'addEnvironment',
  /** Give `apps` an environment. */
  'assign',
  /** Restart `apps`. */
  'restart',
  /** Read the log of the app in `apps`. */
  'log',
  /** See the app in `apps`. */
  'open',
  /** See all apps with the status `filter`. */
  'list',
  /** See what happened to `environment`. */
  'why',
  /** See the environments. */
  'environments',
] as const;

const remedy = object({
  kind: choice(REMEDIES),
  environment: optional(text()),
  to: optional(text()),
  apps: optional(list(text())),
  filter: optional(text()),
});
export type Remedy = ValueOf<typeof remedy>;

const problem = object({
  /** `red`: visitors notice it. */
  level: choice(['red', 'yellow']),
  message: message(),
  /** Null if it is not known. */
  since: orNull(bigInt()),
  remedies: list(remedy),
});
export type Problem = ValueOf<typeof problem>;

const doorSummary = object({
  id: text(),
  version: text(),
  /** Null: it does not run. */
  haproxy: orNull(text()),
  /** Whether nothing was heard of it for some time; then what follows is from before. */
  isSilent: flag(),
  seenAt: bigInt(),
  /** A second; null if it is not known yet. */
  requests: orNull(number()),
  errors: orNull(number()),
  /** Open WebSockets. */
  sockets: integer(),
  /** How long ago its table was last known to be the newest, in ms; null if it has none. */
  tableAge: orNull(number()),
});
export type DoorSummary = ValueOf<typeof doorSummary>;

export const ATTENTION_KINDS = ['failed', 'outdated', 'domain', 'idle', 'security'] as const;
const attention = object({
  kind: choice(ATTENTION_KINDS),
  count: integer(),
  /** The first ones. */
  apps: list(object({ name: text(), title: text() })),
});
export type Attention = ValueOf<typeof attention>;

const environmentSummary = object({
  name: text(),
  health: choice(HEALTHS),
  since: bigInt(),
  cordoned: flag(),
  /** Resident set size in bytes. */
  memory: orNull(number()),
  /** 99th percentile since the last heartbeat, in milliseconds. */
  eventLoopDelay: orNull(number()),
  /** Number of apps by their status there. */
  apps: mapOf(STATUSES, integer()),
});
export type EnvironmentSummary = ValueOf<typeof environmentSummary>;

/** How many apps a filter of the list would find, together with the other filters. */
export const appCounts = object({
  /** An app counts once, by its worst status. */
  statuses: mapOf(WORST_FIRST, integer()),
  /** By name. */
  environments: map(integer()),
  /** With this label and those of the filter. */
  labels: map(integer()),
});
export type AppCounts = ValueOf<typeof appCounts>;

export const fleetSummary = object({
  /** By the clock of the Supervisor. */
  at: bigInt(),
  /** Number of apps. */
  total: integer(),
  /** An app counts once, with its worst status: together they are the total. */
  counts: mapOf(WORST_FIRST, integer()),
  /** Red ones first. */
  problems: list(problem),
  attention: list(attention),
  environments: list(environmentSummary),
  doors: list(doorSummary),
});
export type FleetSummary = ValueOf<typeof fleetSummary>;

const series = list(orNull(number()));
/** The last hour of an environment, oldest first; null where nothing is known. */
const environmentLoad = object({
  name: text(),
  /** In bytes. */
  memory: series,
  /** In processors: 0.5 is half of one. */
  cpu: series,
  /** In ms. */
  delay: series,
  /** A second, as this Supervisor saw them. */
  requests: series,
  errors: series,
});
export type EnvironmentLoad = ValueOf<typeof environmentLoad>;

export const fleetLoad = object({
  /** Time between two values, in ms. */
  step: integer(),
  /** Of the last values. */
  end: bigInt(),
  environments: list(environmentLoad),
});
export type FleetLoad = ValueOf<typeof fleetLoad>;

/** The last hour of an app as this Supervisor saw it, oldest first; null where nothing is known. */
export const appLoad = object({
  /** Time between two values, in ms. */
  step: integer(),
  /** Of the last values. */
  end: bigInt(),
  /** False if only busier apps have a history. */
  isKept: flag(),
  /** A second. */
  requests: series,
  errors: series,
  /** Within which 95 % of the answers began, in ms; null where there were none. */
  latency: series,
});
export type AppLoad = ValueOf<typeof appLoad>;
