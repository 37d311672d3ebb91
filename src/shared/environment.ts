import { environmentName } from './app';
import {
  bigInt,
  choice,
  type Fields,
  flag,
  type In,
  integer,
  list,
  mapOf,
  message,
  number,
  object,
  objectIn,
  orNull,
  text,
} from './fields';
import { HEALTHS, STATUSES } from './words';

/**
 * An environment: every field of it is declared here. What a Worker registers, table, row and API documentation follow
 * (fields.ts says how). A default of what is registered is shown until an environment has registered.
 */
const FIELDS = {
  name: { type: environmentName, in: ['table', 'registration', 'row'], column: { primaryKey: true } },
  url: { type: text(), default: '', in: ['registration', 'row'] },
  proxyUrl: { type: text(), default: '', in: ['registration', 'row'] },
  appVersion: { type: text(), default: '', in: ['registration', 'row'] },
  /** `<name>@<version>` of each plugin that all of its apps have. */
  plugins: { type: list(text()), in: ['registration'] },
  /** `health` is online or suspect; what multi-app-manager's migration page filters by. */
  available: { type: flag(), in: ['row'] },
  health: { type: choice(HEALTHS), in: ['row'] },
  since: { type: bigInt(), in: ['row'] },
  /** Whether it serves requests (`WORKER_MODE`). */
  serves: { type: flag(), default: true, in: ['registration', 'row'] },
  /** First 12 hex digits of a keyed hash, so that equal secrets can be told without showing them. */
  fingerprints: { type: object({ appKey: text(), aesKey: orNull(text()) }), in: ['registration'] },
  /** Takes no new apps. */
  cordoned: { type: flag(), default: false, in: ['table', 'row'] },
  /** The process that holds the lease, `host:pid:random`; null when none does. */
  instance: { type: orNull(text()), in: ['row'] },
  /** A second live process of the same name, which hosts nothing. */
  standby: { type: orNull(text()), in: ['row'] },
  lastHeartbeatAt: { type: orNull(bigInt()), in: ['row'] },
  apps: { type: mapOf(STATUSES, integer()), in: ['row'] },
  /** Resident set size in bytes. */
  memory: { type: orNull(number()), in: ['row'] },
  /** 99th percentile since the last beat, in milliseconds. */
  eventLoopDelay: { type: orNull(number()), in: ['row'] },
  /** Each says what to do. In the row also what the Supervisor finds. */
  warnings: { type: list(message()), in: ['registration', 'row'] },
  /** Whether it gives a new app its `initialAdmin`; before 0.1.1 every new app got NocoBase's well-known password. */
  setsInitialAdmin: { type: flag(), default: false, since: '0.1.1', in: ['registration'] },
  lastSeenAt: { type: bigInt(), in: ['table'] },
} as const satisfies Fields;

export const ENVIRONMENT = {
  ...FIELDS,
  registration: { type: objectIn(FIELDS, 'registration'), default: {}, in: ['table'] },
} as const satisfies Fields;

/** What an environment is; written when its worker takes the lease and when it changes. */
export type Registration = In<typeof ENVIRONMENT, 'registration'>;
/** As the supervisor's database remembers it. */
export type StoredEnvironment = In<typeof ENVIRONMENT, 'table'>;
export type EnvironmentRow = In<typeof ENVIRONMENT, 'row'>;
