import { z } from 'zod';
import { APP_UID, DOMAIN, ENVIRONMENT_NAME, isAppName } from './names';

/**
 * The table by which a door sends visits to Workers. The leading Supervisor publishes it, and the door believes it by the Supervisor's public
 * key. Every text has a plain alphabet: none can end a line, a word or a command of HAProxy.
 */

/** Values of CSP's `frame-ancestors`, without what would end the directive or the header. */
export const FRAME_ANCESTORS = /^(?:\*|'self'|'none'|[A-Za-z0-9:/.*[\]-]+)(?: +(?:'self'|[A-Za-z0-9:/.*[\]-]+))*$/;

/** `http(s)://host[:port][/path]`: the host is a name, an IPv4 address, or an IPv6 address in brackets. */
const WORKER_ADDRESS =
  /^https?:\/\/(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?(?:\/[\w.~-]+)*$/;

const PATH = /^\/[\w.~/-]*$/;

const uid = z.string().regex(APP_UID);
const environmentName = z.string().regex(ENVIRONMENT_NAME);

/** Where visits of one app go. */
export const appRoute = z.object({
  uid,
  name: z.string().refine(isAppName),
  /** All hosts at which the app is served, in lower case: the one below the apps' domain, and its custom domain. */
  hosts: z.array(z.string().regex(DOMAIN)).max(10),
  /**
   * Where it runs now, in the order in which visitors are sent there (`choose`). Empty: the Supervisor knows what to answer, or whom to wake.
   */
  environments: z.array(environmentName).max(1_000),
  /** By an operator: what its visitors are told while no Supervisor is there. */
  stopped: z.boolean(),
  /** Users of the main app are signed in there: the Supervisor answers inner pages of a visitor without a session. */
  signIn: z.boolean(),
});
export type AppRoute = z.infer<typeof appRoute>;

/** Where the Worker of an environment is reached. */
export const environmentRoute = z.object({
  name: environmentName,
  /** The confirmed proxy address, without trailing slash: the one that the Supervisor itself uses. */
  url: z.string().regex(WORKER_ADDRESS),
});
export type EnvironmentRoute = z.infer<typeof environmentRoute>;

const limit = z.number().int().positive();

/** What a door has to know of the Supervisor's settings, so that they are set once. */
export const routeSettings = z.object({
  /** `APP_SUPERVISOR_APPS_DOMAIN` and `APP_SUPERVISOR_PUBLIC_URL`; null: not set. */
  appsDomain: z
    .string()
    .regex(/^[\w.:/-]+$/)
    .nullable(),
  publicUrl: z
    .string()
    .regex(/^https?:\/\/[\w.:/[\]~-]+$/)
    .nullable(),
  /** `APP_SUPERVISOR_TRUSTED_PROXIES`: addresses, networks, `loopback`, `linklocal`, `private`, or `*`. */
  trustedProxies: z.array(z.string().regex(/^(?:\*|[\w.:/-]+)$/)),
  /** Empty: all pages may show it in a frame. */
  frameAncestors: z.object({
    main: z.union([z.literal(''), z.string().regex(FRAME_ANCESTORS)]),
    apps: z.union([z.literal(''), z.string().regex(FRAME_ANCESTORS)]),
  }),
  /** `API_BASE_PATH` without trailing slash, such as `/api`; empty for `/`. */
  apiBase: z.union([z.literal(''), z.string().regex(PATH)]),
  /** `APP_PUBLIC_PATH` with slashes around it. */
  publicPath: z.string().regex(PATH),
  /** `WS_PATH` without trailing slash. */
  wsPath: z.string().regex(PATH),
  /** `APP_MODERN_CLIENT_PREFIX` without slashes. */
  modernPrefix: z.string().regex(/^[\w.~-]+$/),
  /** Whether NocoBase takes an app from the address of a portal, too: since NocoBase 3. */
  portals: z.boolean(),
  /** As in config/bounds.ts. */
  bounds: z.object({
    requestsPerApp: limit,
    requestsPerEnvironment: limit,
    webSocketsPerApp: limit,
    webSocketsPerAddress: limit,
    signInsPerAddress: limit,
    headers: limit,
    anonymousBody: limit,
    anonymousUpload: limit,
    /** In ms. */
    bodySilence: limit,
  }),
});
export type RouteSettings = z.infer<typeof routeSettings>;

/** The whole table, as it was read or as it is on the disk of a door. */
export interface Routes {
  /** Of the last change: a table of a lower one is older, by the term first. */
  count: { term: number; n: number };
  settings: RouteSettings;
  /** By uid. */
  apps: ReadonlyMap<string, AppRoute>;
  /** By name. */
  environments: ReadonlyMap<string, EnvironmentRoute>;
}
