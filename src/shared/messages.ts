import { z } from 'zod';
import { APP, type AppDatabase, type Boot, type InitialAdmin, initialAdmin, PUBLISHED, type Published } from './app';
import { ENVIRONMENT, type Registration } from './environment';
import { anything, type In, joined, map, object, objectIn, optional } from './fields';
import { message, problem } from './message-schema';
import { APP_NAME, APP_UID } from './names';
import { schemaOf } from './schema';
import { STATUSES } from './words';

export type { AppDatabase, Boot, InitialAdmin, Registration };

/**
 * All data that crosses a process boundary. The reader parses every value; a value that does not parse is dropped and
 * counted, never used in part.
 */

const appName = schemaOf(APP.name.type);
const environmentName = schemaOf(ENVIRONMENT.name.type);
const generation = schemaOf(PUBLISHED.generation);

/** The desired state of one app in one environment. The Supervisor publishes it, and the worker converges to it. */
export type AppRecord = In<typeof APP, 'record'> &
  Published & {
    sso?: Record<string, unknown>;
    /** Only with the provision `create`, and only until that boot has ended. */
    initialAdmin?: InitialAdmin;
  };
export const appRecord: z.ZodType<AppRecord> = schemaOf(
  joined(
    objectIn(APP, 'record'),
    object({ sso: optional(map(anything())), initialAdmin: optional(initialAdmin), ...PUBLISHED }),
  ),
);

export const appDatabase = schemaOf(APP.database.type);

/** The public data of an app within the fleet: what a switcher shows. No secrets, no addresses of servers. */
export type AppIndexEntry = In<typeof APP, 'index'>;
export const appIndexEntry: z.ZodType<AppIndexEntry> = schemaOf(objectIn(APP, 'index'));

/** A plugin that an app has enabled in addition to those that every app has. */
export const appPlugin = z.object({
  name: z.string(),
  /** As stored in the app's database. */
  version: z.string(),
  /** Whether the environment has it. */
  installed: z.boolean(),
});
export type AppPlugin = z.infer<typeof appPlugin>;

/**
 * The problem of a root user's password: `default` is NocoBase's well-known one; `locked` means that no password works,
 * because the app was installed without an `initialAdmin`.
 */
export const adminPassword = z.enum(['default', 'locked']);
export type AdminPassword = z.infer<typeof adminPassword>;

/** The report of the worker that hosts an app. Valid only as long as the lease under which it was written. */
export const statusEntry = z.object({
  name: appName,
  /** An app that is adopted where it runs keeps it. */
  uid: z.string().regex(APP_UID),
  status: z.enum(STATUSES),
  /** By the worker's clock. */
  since: z.number(),
  /** Newest record generation to which this worker has converged. */
  generation,
  /** Newest boot generation applied. */
  bootGeneration: generation,
  /** Newest generation on which it has begun to work. */
  begun: generation,
  /** The action that `begun` refers to: a create, upgrade or drop that has begun is not superseded. */
  doing: z.enum(['create', 'start', 'restart', 'upgrade', 'stop', 'remove', 'drop', 'release']).nullable(),
  // A text that cannot be read must not hide the status.
  message: message.optional().catch(undefined),
  error: problem.optional().catch(undefined),
  version: z.string().nullable(),
  lastVisitAt: z.number().nullable(),
  /**
   * Settings of the running object that differ from the record. Workers before 0.1.1 call `jwtSecret`
   * `independentSecret`.
   */
  pendingChanges: z.array(z.string().transform((name) => (name === 'independentSecret' ? 'jwtSecret' : name))),
  /** Of the running object. */
  plugins: z.array(appPlugin).default([]),
  /** As of its last start; null if there is no problem, or if its worker does not report it (before 0.1.1). */
  adminPassword: adminPassword.nullable().catch(null),
  /**
   * Another environment may have uploads of the app that are not here, and why they were not copied yet; null if there are none.
   * Absent if no uploads were to be copied, and before 0.3.0.
   */
  uploads: z.object({ from: environmentName, cause: message.nullable() }).nullable().optional().catch(undefined),
  /**
   * The app did not start here, because its database names this newer generation: in it the app has left, or was started elsewhere.
   * Absent otherwise, and before 0.3.0.
   */
  newest: generation.optional().catch(undefined),
  /** The newest work on the app's data that was done here, or why it cannot be; absent if there was none. */
  work: z.object({ generation, error: problem.nullable() }).optional().catch(undefined),
});
export type StatusEntry = z.infer<typeof statusEntry>;

/** The description of an environment; written when its worker takes the lease and when it changes. */
export const registration = schemaOf(objectIn(ENVIRONMENT, 'registration'));

/** How much is used of what there is at most, in bytes. */
const pressure = z.object({
  of: z.enum(['heap', 'container', 'machine', 'disk']),
  used: z.number().nonnegative(),
  limit: z.number().nonnegative(),
});
export type Pressure = z.infer<typeof pressure>;

/** Null if it is not known (yet). */
const pressures = z.object({ memory: pressure.nullable(), disk: pressure.nullable() });
export type Pressures = z.infer<typeof pressures>;

const share = z.object({ used: z.number().nonnegative(), limit: z.number().nonnegative() });

/** What a process uses of each limit that holds for it: memory in bytes, of the container null where it has no limit; processors since the previous beat. */
const usage = z.object({ heap: share, container: share.nullable(), machine: share, cpu: share });
export type Usage = z.infer<typeof usage>;

/** A held environment, as its holder last announced it. */
export const lease = z.object({
  instance: z.string(),
  epoch: z.number().int().nonnegative(),
  /** Increases with every renewal: a reader restarts its timer when it sees another value. */
  beat: z.number().int().nonnegative(),
  /** The holder's renewal interval, in ms; readers use it to determine the health. */
  interval: z.number().int().positive(),
  state: z.enum(['serving', 'stopping']),
  /** Another number for each registration within a tenure: the same epoch and number mean nothing to fetch. */
  registered: z.number().int().nonnegative(),
  memory: z.number(),
  eventLoopDelay: z.number(),
  /** Absent before 0.3.0. */
  pressures: pressures.optional().catch(undefined),
  /** Absent before 0.3.0. */
  usage: usage.optional().catch(undefined),
  /** Of its installation: the same in all processes that share its main database. Absent in shared memory. */
  place: z.string().optional(),
});
export type Lease = z.infer<typeof lease>;

/** One item of an app's manifest (app-supervisor/index.ts:543-602), as it was last set or removed. */
export const manifestItem = z.object({
  app: z.string(),
  /** The incarnation of the app that it belongs to. */
  uid: z.string(),
  namespace: z.string(),
  key: z.string(),
  /** In ms since 1970, and later than the item it replaced. */
  at: z.number().int().nonnegative(),
  /** JSON; absent once the item was removed. */
  value: z.unknown().optional(),
});
export type ManifestItem = z.infer<typeof manifestItem>;

/** Whom the main app vouches for, as an app may learn it: its user now. */
export const ssoUser = z.object({
  /** `<fleet>:<id in the main app>`: an app's database may come from another fleet, whose users have the same ids. */
  id: z
    .string()
    .max(128)
    .regex(/^[^:]+:.+$/),
  /** When the user was created, in s since 1970: a restored main app gives ids again. 0: not known. */
  since: z.number().int().nonnegative(),
  username: z.string().nullable(),
  email: z.string().nullable(),
  nickname: z.string().nullable(),
  /** Has every permission in the main app. */
  isRoot: z.boolean(),
  /** Whether the app's settings let him have a new account. */
  maySignUp: z.boolean(),
});
export type SsoUser = z.infer<typeof ssoUser>;

/** What a code stands for: that a user of the main app may be signed in to one app, in one browser. */
export const ssoCode = z.object({
  /** The uid of the app. */
  app: z.string(),
  /** SHA-256 of a secret that the browser alone has, as base64url. */
  challenge: z.string(),
  user: ssoUser,
  /** The user has just created the app, and enters it as its first administrator, whatever its settings are. */
  isFirst: z.boolean().optional(),
  /** When it was issued, in ms since 1970, by the Supervisor's clock. */
  at: z.number().int().nonnegative(),
  /** When the user's sign-ins last ended; 0: never. */
  endedAt: z.number().int().nonnegative(),
});
export type SsoCode = z.infer<typeof ssoCode>;

/** All sign-ins to apps by this user of the main app until then have ended. */
export const ssoEnd = z.object({
  /** `<fleet>:<id in the main app>`. */
  user: z.string(),
  /** In ms since 1970, by the Supervisor's clock, and later than any before. */
  at: z.number().int().nonnegative(),
});
export type SsoEnd = z.infer<typeof ssoEnd>;

/** Notifications: they only make the 30 s comparison happen sooner. */
export const notification = z.object({
  /** Of apps, which an environment is told of by their uids, or of environments that are doubted. */
  names: z.array(z.union([appName, environmentName])),
  /** The process that sent it; absent before 0.2.0. */
  from: z.string().max(200).optional(),
});

/** Request/reply for data that is not state: database checks, logs, app events. */
export const request = z.object({
  id: z.string(),
  replyTo: z.string(),
  method: z.string(),
  payload: z.unknown(),
  /** When it was sent, in ms since 1970: an old one is not answered again. */
  at: z.number(),
});
export const reply = z.object({
  id: z.string(),
  ok: z.boolean(),
  payload: z.unknown().optional(),
  error: problem.optional(),
});

/** A command that another plugin dispatches through the core (app-supervisor/types.ts, `ProcessCommand`). */
export const appCommand = z.object({
  requestId: z.string().max(200).default(''),
  appName: z.string().regex(APP_NAME),
  action: z.string().min(1).max(40),
  /** Where; empty: wherever the app is. */
  environments: z.array(environmentName).max(1_000).default([]),
  payload: z.record(z.string(), z.unknown()).optional(),
});
export type AppCommand = z.infer<typeof appCommand>;

/** A worker's answer to `checkDatabase`. */
export const databaseCheck = z.object({
  checks: z.array(
    z.object({
      name: z.enum(['names', 'reachable', 'signIn', 'create', 'content', 'session']),
      ok: z.boolean(),
      message,
      /** SQL or a setting that fixes it. */
      remedy: message.optional(),
    }),
  ),
  /** `adoptable`: a NocoBase app without an owner. `taken`: it has an owner. `unusable`: see the failed check. */
  verdict: z.enum(['free', 'adoptable', 'taken', 'unusable']),
});
export type DatabaseCheck = z.infer<typeof databaseCheck>;

/** The request `resetAdmin`. */
export const resetRequest = z.object({
  /** `main` for the Worker's main app. */
  name: z.string().regex(APP_NAME),
  /** Of the app; for `main` the environment's name. */
  uid: z.string(),
  /** Of the new password, as NocoBase stores it. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A worker's answer to `resetAdmin`: whose password it is. */
export const resetAdministrator = z.object({ username: z.string(), email: z.string().nullable() });
export type ResetAdministrator = z.infer<typeof resetAdministrator>;

/** A worker's answer to `databaseSize`: null if there is no database, or the app is not there. */
export const databaseSize = z.object({ bytes: z.number().nonnegative().nullable() });

/** A worker's answer to `uploadsSize`: what is in an app's folder of uploads, or as much of it as was counted. */
export const uploadsSize = z.object({
  files: z.number().int().nonnegative(),
  bytes: z.number().nonnegative(),
  isAll: z.boolean(),
});
export type UploadsSize = z.infer<typeof uploadsSize>;

/** A worker's answer to `reachUploads`: why it cannot copy uploads from another; null if it can. */
export const uploadsReach = z.object({ cause: message.nullable() });

/** A worker's answer to `logs`: the last lines. */
export const logLines = z.array(z.string());
