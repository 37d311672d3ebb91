import { z } from 'zod';
import { APP, type AppDatabase, type Boot, type InitialAdmin, initialAdmin, PUBLISHED, type Published } from './app';
import { ENVIRONMENT, type Registration } from './environment';
import { anything, type In, joined, map, object, objectIn, optional } from './fields';
import { message, problem } from './message-schema';
import { schemaOf } from './schema';
import { ACTIONS, STATUSES } from './words';

export type { AppDatabase, Boot, InitialAdmin, Registration };

/**
 * What crosses a process boundary, and nothing else does. Each is parsed by its reader; what does not parse is
 * dropped and counted, never half-believed.
 */

const appName = schemaOf(APP.name.type);
const generation = schemaOf(PUBLISHED.generation);

/** What one environment is to do with one app. Published by the supervisor, converged to by the worker. */
export type AppRecord = In<typeof APP, 'record'> &
  Published & {
    sso?: Record<string, unknown>;
    /** Only with the claim `create`, and only until that boot has ended. */
    initialAdmin?: InitialAdmin;
  };
export const appRecord: z.ZodType<AppRecord> = schemaOf(
  joined(
    objectIn(APP, 'record'),
    object({ sso: optional(map(anything())), initialAdmin: optional(initialAdmin), ...PUBLISHED }),
  ),
);

export const appDatabase = schemaOf(APP.database.type);

/** What everybody in the fleet may know of an app: what a switcher shows. No secrets, no addresses of servers. */
export type AppIndexEntry = In<typeof APP, 'index'>;
export const appIndexEntry: z.ZodType<AppIndexEntry> = schemaOf(objectIn(APP, 'index'));

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
export const registration = schemaOf(objectIn(ENVIRONMENT, 'registration'));

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
export const notification = z.object({
  names: z.array(appName),
  /** The process that sent it; absent before 0.2.0. */
  from: z.string().max(200).optional(),
});

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
