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
  objectIn,
  optional,
  orNull,
  text,
  timestamp,
  type ValueOf,
} from './fields';
import { APP_NAME, DOMAIN, ENVIRONMENT_NAME, ICON, SCHEMA_NAME, SQL_IDENTIFIER, TABLE_PREFIX } from './names';
import { OPERATION } from './operation';
import { DB_CONN_TYPES, DESIRED, START_MODES, STATUSES } from './words';

/**
 * An app: every field of it is declared here, and nowhere else. Input, table, record, entry of the app index, row, API
 * documentation and the form's values follow (fields.ts says how). A new field needs this file, an element of the form
 * (ui/apps/AppFields.tsx) and the texts of that (src/locale).
 */

export const appName = text({ pattern: [APP_NAME, 'INPUT_NAME'], check: 'INPUT_NAME_RESERVED', strict: true });
export const environmentName = text({ pattern: [ENVIRONMENT_NAME, 'INPUT_ENVIRONMENT'], strict: true });
/** Milliseconds since 1970 or a number that grew from them. */
export const generation = bigInt({ min: [0], strict: true });

/** A newest wish for a fresh boot; a worker boots anew only when what it last applied is older. */
export const boot = object({ generation, how: choice(['start', 'restart', 'upgrade']) });
export type Boot = ValueOf<typeof boot>;

const CONNECTION = {
  dialect: optional(text({ oneOf: ['postgres', 'mysql', 'mariadb', 'kingbase'] })),
  host: optional(text({ trim: true, max: [253], check: 'INPUT_HOST' })),
  port: optional(integer({ min: [1], max: [65535], fromText: true })),
  username: optional(text({ max: [128] })),
  /** In the table and in records sealed (protocol/secrets.ts) when a key is configured. */
  password: optional(text({ max: [1024] })),
  database: optional(text({ pattern: [SQL_IDENTIFIER, 'INPUT_IDENTIFIER'] })),
  schema: optional(text({ pattern: [SCHEMA_NAME, 'INPUT_SCHEMA'] })),
  tablePrefix: optional(text({ pattern: [TABLE_PREFIX, 'INPUT_PREFIX'], orEmpty: true })),
};

/** Which server, and where on it. */
export const appConnection = object(CONNECTION);

/**
 * Where an app's data lies; fixed at creation. Absent names follow from the app's name and the environment. Host and password
 * belong to the environment unless the kind is `new_connection`.
 */
export const appDatabase = object({ dbConnType: choice(DB_CONN_TYPES), ...CONNECTION });
export type AppDatabase = ValueOf<typeof appDatabase>;

const sso = object({ enabled: optional(flag()), autoSignup: optional(flag()), issuer: optional(text({ max: [500] })) });

/** The white list of an app's `options`, in the core's shapes. */
const appOptions = object({
  dbConnType: optional(choice(DB_CONN_TYPES)),
  database: optional(appConnection),
  sso: optional(sso),
});
export type AppOptions = ValueOf<typeof appOptions>;

/** As answered: passwords never leave the server. */
const { password: _, ...SHOWN_CONNECTION } = CONNECTION;
const shownOptions = object({
  dbConnType: choice(DB_CONN_TYPES),
  database: object(SHOWN_CONNECTION),
  sso: optional(map(anything())),
});

/** Who becomes the root user when an app is installed. */
export const initialAdmin = object({
  username: text(),
  email: orNull(text()),
  /** Its hash, as NocoBase stores it; sealed (protocol/secrets.ts) when a key is configured. */
  password: text(),
});
export type InitialAdmin = ValueOf<typeof initialAdmin>;

/** Only the first step of a create may make the database and its mark, or take over one that has none (`adopt`). */
const claim = choice(['none', 'create', 'adopt']);

/** What is published for one environment beside the app's fields: what the store must hold, whatever happens to it. */
export const PUBLISHED = {
  generation,
  boot,
  desired: choice(DESIRED),
  claim,
  /** With `removed`: what becomes of the data. `drop` what this app created; `release` takes the mark away. */
  data: choice(['keep', 'drop', 'release']),
};
const published = object(PUBLISHED);
export type Published = ValueOf<typeof published>;

/** What is shown of one app in one environment: always the result of `shownStatus()`. */
const shownStatus = object({
  status: choice(STATUSES),
  /** When the app took this status, by its worker's clock; for `unknown`, when sight of it was lost. */
  since: bigInt(),
  /** When the worker last proved it, by this supervisor's clock. */
  observedAt: orNull(bigInt()),
  /** Progress or reason. */
  message: optional(message()),
  error: optional(message()),
});
export type ShownStatus = ValueOf<typeof shownStatus>;

/** What people set, and its environments need to know. */
const SETTING = ['create', 'update', 'form', 'table', 'record', 'row'] as const;

export const APP = {
  name: {
    type: appName,
    in: ['create', 'form', 'table', 'record', 'index', 'row', 'sort'],
    generated: true,
    column: { primaryKey: true },
  },
  /** Of this incarnation of the name. */
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
  cname: {
    type: orNull(text({ trim: true, lower: true, pattern: [DOMAIN, 'INPUT_DOMAIN'] })),
    in: [...SETTING, 'index', 'sort'],
    column: { unique: true },
  },
  pinned: { type: flag(), default: false, in: [...SETTING, 'index', 'filter'] },
  hidden: { type: flag(), default: false, in: ['create', 'update', 'form', 'table', 'index', 'row', 'filter'] },
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
  /** What was last asked for; how each environment is to hold it follows from `startMode`. */
  desired: { type: choice(['running', 'stopped']), default: 'running', in: ['table', 'sort'] },
  desiredState: { type: choice(['running', 'stopped', 'onDemand']), in: ['row'] },
  startMode: { type: choice(START_MODES), default: 'onVisit', in: [...SETTING, 'index', 'sort'] },
  autoUpgrade: { type: flag(), default: true, in: [...SETTING, 'filter'] },
  /** In the table, `database` and `sso`. The default is what the form begins with. */
  options: {
    type: appOptions,
    rowType: shownOptions,
    default: { dbConnType: 'new_database', database: { dialect: 'postgres' } },
    in: ['create', 'update', 'form', 'row'],
  },
  database: { type: appDatabase, default: {}, in: ['table', 'record'] },
  /** Sealed. Null only in what a Supervisor before 0.1.1 wrote; then each boot makes up its own. */
  jwtSecret: { type: orNull(text({ long: true })), in: ['table', 'record'], column: { hidden: true } },
  /** In a record only if there is any. */
  sso: { type: orNull(map(anything())), in: ['table', 'index'] },
  generation: { type: generation, in: ['table'] },
  boot: { type: boot, in: ['table'] },
  /** How its first boot comes by its database; `none` once it has. */
  claim: { type: claim, default: 'none', in: ['table'] },
  /** Erased together with the claim; in a record only with the claim `create`. */
  initialAdmin: { type: orNull(initialAdmin), in: ['table'], column: { hidden: true } },
  /** By environment. */
  published: { type: map(published), default: {}, in: ['table'] },
  /** By environment name, sorted; also of those that it was taken from and has not left yet, which `environments` does not name. */
  statuses: { type: map(shownStatus), in: ['row'] },
  /** NocoBase version of the data, as the environment that runs it reported. */
  version: { type: orNull(text()), in: ['row'] },
  lastVisitAt: { type: orNull(bigInt()), in: ['row'] },
  /** Names of changed settings that take effect at the next restart. */
  pendingChanges: { type: list(text()), in: ['row'] },
  /** Each says what to do. */
  warnings: { type: list(message()), in: ['row'] },
  /** The newest operation, if it is not over. */
  operation: { type: orNull(objectIn(OPERATION, 'row')), in: ['row'] },
  createdAt: { type: timestamp(), in: ['table', 'row', 'sort'] },
  updatedAt: { type: timestamp(), in: ['table', 'row', 'sort'] },
} as const satisfies Fields;

/** An app as the supervisor's database has it. Secrets are sealed. */
export type AppDefinition = In<typeof APP, 'table'>;
export type AppRow = In<typeof APP, 'row'>;
