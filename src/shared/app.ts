import { SERVER_DIALECTS } from './dialects';
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
  needing,
  object,
  objectIn,
  optional,
  orNull,
  text,
  timestamp,
  type ValueOf,
} from './fields';
import {
  APP_NAME,
  DOMAIN,
  ENVIRONMENT_NAME,
  ICON,
  LABEL,
  LANGUAGE,
  SCHEMA_NAME,
  SIGNUP_ROLE,
  SQL_IDENTIFIER,
  TABLE_PREFIX,
} from './names';
import { OPERATION } from './operation';
import {
  DATA_ENDS,
  DB_CONN_TYPES,
  DESIRED,
  DOMAIN_REASONS,
  DOMAIN_STATES,
  FAILOVER_MODES,
  SSO_MAPPINGS,
  START_MODES,
  STATUSES,
  VISIBLE_TO,
  WANTS,
} from './words';

/**
 * An app. Every field is declared here, and only here. Input, table, record, entry of the app index, row, API
 * documentation and the form's values are derived from it (see fields.ts). A new field needs this file, an element of
 * the form (ui/apps/AppFields.tsx) and its texts (src/locale).
 */

export const appName = text({ pattern: [APP_NAME, 'INPUT_NAME'], check: 'INPUT_NAME_RESERVED', strict: true });
export const environmentName = text({ pattern: [ENVIRONMENT_NAME, 'INPUT_ENVIRONMENT'], strict: true });
/** Most labels of one app. */
const MOST_LABELS = 20;
const label = text({ trim: true, max: [50, 'INPUT_LABEL'], pattern: [LABEL, 'INPUT_LABEL'] });
/** By which people group apps. */
export const labels = list(label, { max: [MOST_LABELS, 'INPUT_LABELS'], unique: 'INPUT_TWICE' });
/** Milliseconds since 1970, or a number derived from them. */
export const generation = bigInt({ min: [0], strict: true });

/** The newest requested boot. A worker boots again only if it last applied an older one. */
export const boot = object({
  generation,
  how: choice(['start', 'restart', 'upgrade']),
  /** Whether somebody has asked for it: a boot that follows from where the app is placed says nothing of what it did elsewhere. */
  isAsked: optional(flag()),
});
export type Boot = ValueOf<typeof boot>;

const CONNECTION = {
  dialect: optional(text({ oneOf: SERVER_DIALECTS })),
  host: optional(text({ trim: true, max: [253], check: 'INPUT_HOST' })),
  port: optional(integer({ min: [1], max: [65535], fromText: true })),
  username: optional(text({ max: [128] })),
  /** Sealed in the table and in records (protocol/secrets.ts) if a key is configured. */
  password: optional(text({ max: [1024] })),
  database: optional(text({ pattern: [SQL_IDENTIFIER, 'INPUT_IDENTIFIER'] })),
  schema: optional(text({ pattern: [SCHEMA_NAME, 'INPUT_SCHEMA'] })),
  tablePrefix: optional(text({ pattern: [TABLE_PREFIX, 'INPUT_PREFIX'], orEmpty: true })),
};

/** The server, and the location on it. */
export const appConnection = object(CONNECTION);

/**
 * The location of an app's data, fixed at creation. Absent names are derived from the app's name and the environment.
 * Host and password belong to the environment unless the kind is `new_connection`.
 */
export const appDatabase = object({
  dbConnType: choice(DB_CONN_TYPES),
  ...CONNECTION,
  /** Of an app with a database role of its own: the password that the role is being given. As long as it is here, either of the two signs in. */
  nextPassword: optional(text()),
  /** Whether the role is to get another password: an environment that knows it has the app no more. Never in a record. */
  renewsPassword: optional(flag()),
});
export type AppDatabase = ValueOf<typeof appDatabase>;

/** Where the data are, without anything by which they are reached. */
export function withoutPasswords(database: AppDatabase): AppDatabase {
  const { password: _, nextPassword: __, renewsPassword: ___, ...place } = database;
  return place;
}

/** What the app's settings say about sign-in by the main app; what is absent has the default of sso.ts. */
const sso = object({
  enabled: optional(flag()),
  mapping: optional(choice(SSO_MAPPINGS)),
  autoSignup: optional(flag()),
  /** Name of a role of the app, for accounts that are created; empty: the app's default role. */
  signupRole: optional(text({ pattern: [SIGNUP_ROLE, 'INPUT_SIGNUP_ROLE'], orEmpty: true })),
  /** Roles of the main app whose users get an account; empty: everybody who sees the app. */
  signupFor: optional(list(text({ min: [1], max: [255] }), { max: [100] })),
  passwordSignIn: optional(flag()),
  /** For the core, which names an app's own domain as its entrance only where there is an issuer; not used here. */
  issuer: optional(text({ max: [500] })),
});

/** The allowed `options` of an app, in the core's format. */
const appOptions = object({
  dbConnType: optional(choice(DB_CONN_TYPES)),
  database: optional(appConnection),
  sso: needing('security', optional(sso)),
});
export type AppOptions = ValueOf<typeof appOptions>;

/** As answered: passwords never leave the server. */
const { password: _, ...SHOWN_CONNECTION } = CONNECTION;
const shownOptions = object({
  dbConnType: choice(DB_CONN_TYPES),
  database: object(SHOWN_CONNECTION),
  sso: optional(map(anything())),
});

/** The root user of a newly installed app. */
export const initialAdmin = object({
  username: text(),
  email: orNull(text()),
  /** The hash of the password, as NocoBase stores it; sealed (protocol/secrets.ts) if a key is configured. */
  password: text(),
});
export type InitialAdmin = ValueOf<typeof initialAdmin>;

/**
 * How an app gets its database: only the first boot of a new app may create it with its ownership marker, or take over one without a
 * marker (`adopt`).
 */
const provision = choice(['none', 'create', 'adopt']);

/** That another environment has uploads of the app, from which they are copied. */
const uploads = object({
  from: environmentName,
  /** Of the record that first said so. */
  generation,
  /** Whether the app starts after they are copied, and not before. */
  wait: flag(),
  /** Of the Worker there; null if it is not known. */
  address: orNull(text()),
  /** In records: by which it gives them (protocol/transfer.ts), sealed. */
  key: optional(text()),
  /** Whether the app still runs there: it is about to move here, and nothing is done here but to copy them. */
  ahead: optional(flag()),
});

/** Why an app does not boot in the next environment; with `APP_STOPS_LOOP` it is started nowhere until somebody starts it. */
const pause = object({
  /** Where its boot failed, or where it stopped the process. */
  environment: environmentName,
  /** The newest boot that was asked for then: a newer one ends the pause. */
  boot: generation,
  cause: message(),
});

/** What is done to an app's data there beside booting it. A Worker does it if it last did an older one. */
const work = object({ generation, kind: choice(['password']) });

/** What is wanted of an app in an environment. */
const placement = object({
  /** Of the newest request that changed its settings, or what is wanted. What is published there is at least as new. */
  generation,
  want: choice(WANTS),
  /** The newest boot that was asked for there. */
  boot,
  /** The newest work on its data; absent: none. */
  work: optional(work),
});
export type Placement = ValueOf<typeof placement>;

/** Where an app was before a move, and what was wanted there. */
const previous = object({
  environments: list(environmentName),
  targetEnvironment: orNull(environmentName),
  home: orNull(environmentName),
  placements: map(placement),
});
export type Previous = ValueOf<typeof previous>;

/** What is published for one environment in addition to the app's fields: the required content of the store. */
export const PUBLISHED = {
  generation,
  boot,
  work: optional(work),
  desired: choice(DESIRED),
  provision,
  /**
   * With `removed`: what happens to the data. `drop` deletes what this app created; `release` removes the ownership
   * marker.
   */
  data: choice(DATA_ENDS),
  uploads: optional(uploads),
  /**
   * With `removed`: no request has placed the app there. Its Worker reports it, and may say so of any app. Never in a record.
   */
  stray: optional(flag()),
  /** Whether the environment was there when it was asked to boot: what may have crashed it is not done elsewhere. Never in a record. */
  sentTo: optional(choice(['online', 'away'])),
  /** Environments that may host the app by this record; absent before 0.3.0: those in which it is. */
  hosts: optional(list(environmentName)),
  /** Environments that it has left or is leaving, and that may not host it any more. */
  left: optional(list(environmentName)),
};
const published = object(PUBLISHED);
export type Published = ValueOf<typeof published>;

/** The status of one app in one environment as shown: always the result of `shownStatus()`. */
const shownStatus = object({
  status: choice(STATUSES),
  /** When the app took this status, by its worker's clock; for `unknown`, when the observer was disconnected. */
  since: bigInt(),
  /** When the worker last confirmed it, by this Supervisor's clock. */
  observedAt: orNull(bigInt()),
  /** Progress or reason. */
  message: optional(message()),
  error: optional(message()),
});
export type ShownStatus = ValueOf<typeof shownStatus>;

const domainCheck = object({
  domain: text(),
  state: choice(DOMAIN_STATES),
  since: bigInt(),
  reason: orNull(choice(DOMAIN_REASONS)),
});

/** Settings that people enter and its environments need. */
const SETTING = ['create', 'update', 'form', 'table', 'record', 'row'] as const;

/** Settings that the Supervisor alone needs. */
const FAILOVER = ['create', 'update', 'form', 'table', 'row'] as const;

export const APP = {
  name: {
    type: appName,
    in: ['create', 'form', 'table', 'record', 'index', 'row', 'sort'],
    generated: true,
    column: { primaryKey: true },
  },
  /** Identifies this incarnation of the name. */
  uid: {
    type: text({ min: [1], strict: true }),
    in: ['table', 'record', 'index', 'row', 'filter'],
    column: { unique: true },
  },
  title: {
    type: text({ trim: true, min: [1, 'INPUT_REQUIRED'], max: [200] }),
    in: [...SETTING, 'index', 'sort'],
  },
  icon: {
    type: orNull(text({ max: [48 * 1024, 'INPUT_ICON_SIZE'], pattern: [ICON, 'INPUT_ICON'], long: true })),
    in: [...SETTING, 'index'],
  },
  /** That an installation of the app has; null: the environment's. The app's administrator may change it there. */
  language: {
    type: orNull(text({ pattern: [LANGUAGE, 'INPUT_LANGUAGE'] })),
    since: '0.3.0',
    in: ['create', 'form', 'table', 'record', 'row'],
  },
  cname: {
    type: needing('securityWithSso', orNull(text({ trim: true, lower: true, pattern: [DOMAIN, 'INPUT_DOMAIN'] }))),
    in: [...SETTING, 'index', 'sort'],
    column: { unique: true },
  },
  /** The last result of checking `cname` (domain-check.ts); the leading Supervisor writes it. */
  domainCheck: { type: orNull(domainCheck), default: null, since: '0.3.0', in: ['table', 'index', 'row'] },
  pinned: { type: flag(), default: false, in: [...SETTING, 'index', 'filter'] },
  hidden: { type: flag(), default: false, in: ['create', 'update', 'form', 'table', 'index', 'row', 'filter'] },
  /** See visibility.ts. */
  visibleTo: {
    type: needing('securityWithSso', choice(VISIBLE_TO)),
    default: 'everybody',
    since: '0.3.0',
    in: ['create', 'update', 'form', 'table', 'index', 'row', 'filter'],
  },
  /** With `roles`: names of roles of the main app. */
  visibleRoles: {
    type: needing('securityWithSso', list(text({ min: [1], max: [255] }), { max: [100] })),
    default: [],
    since: '0.3.0',
    in: ['create', 'update', 'form', 'table', 'index', 'row'],
  },
  /** For people alone: a change of them is no operation, and reaches no environment. */
  labels: { type: labels, default: [], since: '0.3.0', in: ['create', 'update', 'form', 'table', 'row'] },
  sort: { type: integer(), default: 0, in: ['table', 'record', 'index', 'row', 'sort'] },
  environments: {
    type: list(environmentName, { min: [1, 'INPUT_NO_ENVIRONMENT'], unique: 'INPUT_TWICE' }),
    default: [],
    in: [...SETTING, 'index'],
  },
  targetEnvironment: {
    type: orNull(environmentName),
    in: ['create', 'update', 'form', 'table', 'row', 'filter'],
  },
  /** What happens to an app with one environment when that is down (supervisor/rollout/failover-candidates.ts). */
  failover: { type: choice(FAILOVER_MODES), default: 'manual', since: '0.3.0', in: FAILOVER },
  /** How long its environment is down before it is moved, in seconds. */
  failoverDelay: { type: integer({ min: [10], max: [86_400] }), default: 60, since: '0.3.0', in: FAILOVER },
  /** How it returns to the environment from which a failover has moved it. */
  failback: { type: choice(FAILOVER_MODES), default: 'manual', since: '0.3.0', in: FAILOVER },
  /** The environment from which a failover has moved it; null if it is where it was placed. */
  home: { type: orNull(environmentName), since: '0.3.0', in: ['table', 'row'] },
  /** The last request about the app as a whole. */
  desired: { type: choice(['running', 'stopped']), default: 'running', in: ['table', 'sort'] },
  desiredState: { type: choice(['running', 'stopped', 'onDemand']), in: ['row'] },
  startMode: { type: choice(START_MODES), default: 'onVisit', in: [...SETTING, 'index', 'sort'] },
  autoUpgrade: { type: flag(), default: true, in: [...SETTING, 'filter'] },
  /** In the table, `database` and `sso`. The default is the form's initial value. */
  options: {
    type: appOptions,
    rowType: shownOptions,
    default: { dbConnType: 'new_database', database: { dialect: 'postgres' } },
    in: ['create', 'update', 'form', 'row'],
  },
  database: { type: appDatabase, default: {}, in: ['table', 'record'] },
  /** Sealed. Null only in rows of a Supervisor before 0.1.1; then each boot generates its own. */
  jwtSecret: { type: orNull(text({ long: true })), in: ['table', 'record'], column: { hidden: true } },
  /** In a record only if there is any. */
  sso: { type: orNull(map(anything())), in: ['table', 'index'] },
  /** The newest of all requests and publications. */
  generation: { type: generation, in: ['table'] },
  /** By environment: what is wanted there (supervisor/rollout/spec.ts). */
  placements: { type: map(placement), default: {}, since: '0.3.0', in: ['table'] },
  /** Where it was before a move that is not over; null if there is none. */
  previous: { type: orNull(previous), default: null, since: '0.3.0', in: ['table'] },
  /** The leading Supervisor writes it (supervisor/rollout/plan.ts). In a record only if the app is started nowhere. */
  paused: { type: orNull(pause), default: null, since: '0.3.0', in: ['table', 'record'] },
  /** How its first boot gets its database; `none` afterwards. */
  provision: { type: provision, default: 'none', since: '0.3.0', in: ['table'] },
  /** Erased at its first run; in a record only with `create`. */
  initialAdmin: { type: orNull(initialAdmin), in: ['table'], column: { hidden: true } },
  /** By environment. */
  published: { type: map(published), default: {}, in: ['table'] },
  /**
   * By environment name, sorted. Includes environments from which the app is being removed, which `environments` does
   * not name.
   */
  statuses: { type: map(shownStatus), in: ['row'] },
  /** NocoBase version of the data, as reported by the environment that runs the app. */
  version: { type: orNull(text()), in: ['row'] },
  /** In the table, as of its newest request: the environment that has served the visit may be none of its own any more. */
  lastVisitAt: { type: orNull(bigInt()), default: null, since: '0.3.0', in: ['table', 'row'] },
  /** Names of changed settings that take effect at the next restart. */
  pendingChanges: { type: list(text()), in: ['row'] },
  /** Each says what to do. */
  warnings: { type: list(message()), in: ['row'] },
  /** The newest operation if it is not finished. */
  operation: { type: orNull(objectIn(OPERATION, 'row')), in: ['row'] },
  createdAt: { type: timestamp(), in: ['table', 'row', 'sort'] },
  updatedAt: { type: timestamp(), in: ['table', 'row', 'sort'] },
} as const satisfies Fields;

/** An app as stored in the Supervisor's database. Secrets are sealed. */
export type AppDefinition = In<typeof APP, 'table'>;
export type AppRow = In<typeof APP, 'row'>;
