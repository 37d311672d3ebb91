import { z } from 'zod';
import { APP_UID, ENVIRONMENT_NAME } from './names';

/**
 * What a door tells of itself every five seconds. Nobody signs it: it is believed for no more than numbers and names, of which those that
 * the Supervisor does not know are left out.
 */

/** How often a door reports, in ms. */
export const DOOR_REPORT_EVERY = 5_000;

/** No longer text is read: a report of 20,000 apps has half of it. */
export const MOST_REPORT_BYTES = 2_000_000;
/** Further doors are not read. */
export const MOST_DOORS = 16;

/** Given once, and kept on its disk: a door that was started again is the same one. */
export const DOOR_ID = /^[a-z0-9][a-z0-9-]{3,39}$/;

/** Since the door's counters began. */
const total = z.number().int().nonnegative();
const version = z.string().regex(/^[\w.+-]{1,40}$/);
const few = (most: number) => (values: object) => Object.keys(values).length <= most;

/** What is wrong with a certificate. A broken one is not used, and the former one stays. */
export const CERTIFICATE_PROBLEMS = [
  'unreadable',
  'keyMissing',
  'keyDiffers',
  'refused',
  'notYetValid',
  'expired',
] as const;

export const doorCertificate = z.object({
  /** The name of its file. */
  file: z.string().regex(/^[\w.@ +~-]{1,120}$/),
  /** Names for which it is, also such as `*.example.com`; empty if it cannot be read. */
  names: z.array(z.string().regex(/^[a-z0-9.*:-]{1,253}$/)).max(100),
  /** In ms since 1970; null if it cannot be read. */
  notAfter: z.number().int().nullable(),
  problem: z.enum(CERTIFICATE_PROBLEMS).nullable(),
  /** Whether visitors get it. Where it has a problem, they may still get the former one of this file: then names and end are of that one. */
  isServed: z.boolean(),
});
export type DoorCertificate = z.infer<typeof doorCertificate>;

export const doorReport = z.object({
  id: z.string().regex(DOOR_ID),
  /** Grows with each report: a door whose reports stay the same is silent. */
  seq: total,
  /** Another one whenever its counters begin anew. */
  start: z.string().regex(/^[\w-]{1,40}$/),
  /** Of this package, and of HAProxy; null: it does not run. */
  version,
  haproxy: version.nullable(),
  /** The table in force. Null: there is none yet. */
  table: z
    .object({
      count: z.object({ term: total, n: total }),
      /** Ms since it was last known to be the newest. */
      age: total,
    })
    .nullable(),
  /** Open WebSockets. */
  sockets: total,
  /** All requests that the door has got, and those of them that it answered with 500 to 599: also what the Supervisor has answered. */
  requests: total,
  errors: total,
  /**
   * By uid, of the requests that the door took to a Worker itself: `[requests, answers of 400 to 499, of 500 to 599 or none, bytes sent]`. What it
   * leaves to a Supervisor is counted there, and not here.
   */
  apps: z.record(z.string().regex(APP_UID), z.tuple([total, total, total, total])).refine(few(20_000)),
  /** The same requests by environment, and by the first digit of the answer from 1 to 5; the last one: without an answer. */
  environments: z
    .record(z.string().regex(ENVIRONMENT_NAME), z.tuple([total, total, total, total, total, total]))
    .refine(few(1_000)),
  /** Environments that have refused connections since the last report. */
  refused: z.array(z.string().regex(ENVIRONMENT_NAME)).max(1_000),
  /** Environments whose address the door cannot use: their apps are left to the Supervisor. */
  unusable: z.array(z.string().regex(ENVIRONMENT_NAME)).max(1_000),
  /** Whether visitors reach it by https; then these are its certificates. */
  isSecure: z.boolean(),
  certificates: z.array(doorCertificate).max(500),
});
export type DoorReport = z.infer<typeof doorReport>;
