import { z } from 'zod';
import { message, problem } from './message-schema';
import { APP_NAME, ENVIRONMENT_NAME } from './names';
import { ACTIONS, STATUSES } from './types';

/**
 * What crosses a process boundary, and nothing else does. Each is parsed by its reader; what does not parse is
 * dropped and counted, never half-believed.
 */

const appName = z.string().regex(APP_NAME);
const environmentName = z.string().regex(ENVIRONMENT_NAME);
/** Milliseconds since 1970 or a number that grew from them. */
const generation = z.number().int().nonnegative();

/** A newest wish for a fresh boot; a worker boots anew only when what it last applied is older. */
export const boot = z.object({ generation, how: z.enum(['start', 'restart', 'upgrade']) });
export type Boot = z.infer<typeof boot>;

/** Where an app's data lies; fixed at creation. Host and password belong to the environment unless `connection` is set. */
export const appDatabase = z.object({
  dbConnType: z.enum(['new_database', 'new_connection', 'new_schema']),
  /** Fixed names; absent ones follow from the app's name and the environment. */
  database: z.string().optional(),
  schema: z.string().optional(),
  tablePrefix: z.string().optional(),
  /** `new_connection` only. */
  dialect: z.string().optional(),
  host: z.string().optional(),
  port: z.number().int().optional(),
  username: z.string().optional(),
  /** Sealed (protocol/secrets.ts) when a key is configured. */
  password: z.string().optional(),
});
export type AppDatabase = z.infer<typeof appDatabase>;

/** Who becomes the root user when an app is installed. */
export const initialAdmin = z.object({
  username: z.string(),
  email: z.string().nullable(),
  /** Its hash, as NocoBase stores it; sealed (protocol/secrets.ts) when a key is configured. */
  password: z.string(),
});
export type InitialAdmin = z.infer<typeof initialAdmin>;

/** What one environment is to do with one app. Published by the supervisor, converged to by the worker. */
export const appRecord = z.object({
  name: appName,
  uid: z.string().min(1),
  generation,
  boot,
  desired: z.enum(['running', 'onDemand', 'stopped', 'removed']),
  title: z.string(),
  icon: z.string().nullable(),
  cname: z.string().nullable(),
  pinned: z.boolean(),
  sort: z.number(),
  environments: z.array(environmentName),
  startMode: z.enum(['onVisit', 'withMain']),
  autoUpgrade: z.boolean(),
  database: appDatabase,
  /** Sealed JWT secret of the app. Null only from a Supervisor before 0.1.1; then each boot makes up its own. */
  jwtSecret: z.string().nullable(),
  sso: z.record(z.string(), z.unknown()).optional(),
  /** Only the first step of a create may make the database and its mark, or take over one that has none (`adopt`). */
  claim: z.enum(['none', 'create', 'adopt']),
  /** With `removed`: what becomes of the data. `drop` what this app created; `release` takes the mark away. */
  data: z.enum(['keep', 'drop', 'release']),
  /** Only with the claim `create`, and only until that boot has ended. */
  initialAdmin: initialAdmin.optional(),
});
export type AppRecord = z.infer<typeof appRecord>;

/** A plugin that an app has enabled beyond those that every app has. */
export const appPlugin = z.object({
  name: z.string(),
  /** By the app's database. */
  version: z.string(),
  /** Whether the environment has it. */
  installed: z.boolean(),
});
export type AppPlugin = z.infer<typeof appPlugin>;

/**
 * What is wrong with the password of a root user: `default` is NocoBase's well-known one, `locked` is none at all, since the
 * app was installed without an `initialAdmin`.
 */
export const adminPassword = z.enum(['default', 'locked']);
export type AdminPassword = z.infer<typeof adminPassword>;

/** What the worker that hosts an app says of it. Worth no more than the lease it was written under. */
export const statusEntry = z.object({
  name: appName,
  uid: z.string(),
  status: z.enum(STATUSES),
  /** By the worker's clock. */
  since: z.number(),
  /** Newest record generation this worker has converged to. */
  generation,
  /** Newest boot generation applied. */
  bootGeneration: generation,
  /** Newest generation it has begun to work on. */
  begun: generation,
  /** Action that `begun` means, for the rule that a begun create, upgrade or drop is not superseded. */
  doing: z.enum(['create', 'start', 'restart', 'upgrade', 'stop', 'remove', 'drop', 'release']).nullable(),
  // One text that cannot be read must not hide the status.
  message: message.optional().catch(undefined),
  error: problem.optional().catch(undefined),
  version: z.string().nullable(),
  lastVisitAt: z.number().nullable(),
  /** Settings of the running object that differ from the record. Workers before 0.1.1 call `jwtSecret` `independentSecret`. */
  pendingChanges: z.array(z.string().transform((name) => (name === 'independentSecret' ? 'jwtSecret' : name))),
  /** Of the running object. */
  plugins: z.array(appPlugin).default([]),
  /** As of its last start; null when nothing is wrong, or its worker does not tell (before 0.1.1). */
  adminPassword: adminPassword.nullable().catch(null),
});
export type StatusEntry = z.infer<typeof statusEntry>;

/** What an environment is; written when its worker takes the lease and when it changes. */
export const registration = z.object({
  name: environmentName,
  url: z.string(),
  proxyUrl: z.string(),
  appVersion: z.string(),
  /** `<name>@<version>` of each plugin that all of its apps have. */
  plugins: z.array(z.string()),
  serves: z.boolean(),
  /** First 12 hex digits of a keyed hash, so that equal secrets can be told without showing them. */
  fingerprints: z.object({ appKey: z.string(), aesKey: z.string().nullable() }),
  warnings: z.array(message),
  /** Whether it gives a new app its `initialAdmin`; before 0.1.1 every new app got NocoBase's well-known password. */
  setsInitialAdmin: z.boolean().default(false),
});
export type Registration = z.infer<typeof registration>;

/** A held lease as its holder last renewed it. */
export const lease = z.object({
  instance: z.string(),
  epoch: z.number().int().nonnegative(),
  /** Grows with every renewal: a reader's monotonic clock starts anew when it sees another value. */
  beat: z.number().int().nonnegative(),
  /** What the holder renews by, in ms; readers judge by this. */
  interval: z.number().int().positive(),
  state: z.enum(['serving', 'stopping']),
  /** Changes with every registration written: unchanged means nothing to fetch. 0: its holder has written none yet. */
  registered: z.number().int().nonnegative(),
  memory: z.number(),
  eventLoopDelay: z.number(),
  /** See `LeaseClaim.provenBy`. */
  provenBy: z.string().optional(),
});
export type Lease = z.infer<typeof lease>;

/** One item of an app's manifest (app-supervisor/index.ts:543-602), as it was last set or removed. */
export const manifestItem = z.object({
  app: z.string(),
  /** Of the app's incarnation that it is about. */
  uid: z.string(),
  namespace: z.string(),
  key: z.string(),
  /** When, in ms since 1970, and later than what it took the place of. */
  at: z.number().int().nonnegative(),
  /** JSON; absent once the item was removed. */
  value: z.unknown().optional(),
});
export type ManifestItem = z.infer<typeof manifestItem>;

/** Wake-ups: they only make sooner what the 30 s round would do. */
export const notification = z.object({ names: z.array(appName) });

/** Request/reply for what is not state: database checks, logs, app events. */
export const request = z.object({ id: z.string(), replyTo: z.string(), method: z.string(), payload: z.unknown() });
export const reply = z.object({
  id: z.string(),
  ok: z.boolean(),
  payload: z.unknown().optional(),
  error: problem.optional(),
});

/** What a worker answers to `checkDatabase`. */
export const databaseCheck = z.object({
  checks: z.array(
    z.object({
      name: z.enum(['names', 'reachable', 'signIn', 'create', 'content', 'session']),
      ok: z.boolean(),
      message,
      /** SQL or setting that mends it. */
      remedy: message.optional(),
    }),
  ),
  /** `adoptable`: a NocoBase app that is nobody's. `taken`: someone's. `unusable`: see the failed check. */
  verdict: z.enum(['free', 'adoptable', 'taken', 'unusable']),
});
export type DatabaseCheck = z.infer<typeof databaseCheck>;

/** What a worker answers to `logs`: the last lines. */
export const logLines = z.array(z.string());

export const operationAction = z.enum(ACTIONS);
