import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock';
import type { Bounds } from '../config/bounds';
import type { LimitName, ProxyMetrics } from '../observability/metrics';
import { languageOf } from '../visitor-texts';
import { type AnswerCode, answer, send } from './answers';
import { boundBody } from './bodies';
import type { DomainFront } from './domains';
import { pageFor } from './error-page';
import { hasSeveralHosts, VIA } from './headers';
import { LIMITS } from './limits';
import { lingerOverUpload } from './linger';
import { type AppNaming, INVALID_APP } from './naming';
import { Occupancy } from './occupancy';
import type { Origins } from './origins';
import type { PageFront } from './page-front';
import { peerOf, visitorAddress } from './peer';
import { isSignIn, SignInTurns } from './request-places';
import type { SsoFront } from './sso';
import { isSignedIn, type TokenSecret } from './tokens';
import { leavesFolder, uploadIn } from './upload-addresses';
import { pathOf, readTarget } from './url';

/**
 * Runs before the core's own request handler (`Gateway.registerRequestHandler`, called at gateway/index.ts:810) in
 * every role. On the Supervisor it passes requests of apps to the proxy; the core's chain would determine the app
 * again, and later. In every role it answers requests that the core handles badly:
 * - a plugin file whose package this process does not have: the core throws, nobody catches, and the request hangs
 * forever (gateway/index.ts:519);
 * - a request with two hosts, which may be for different apps for different readers;
 * - a path that leaves a package, or hides `/server/` from the core's check with percent-encoding;
 * - a path that leaves the uploads: the core serves everything below `STORAGE_PATH` to any signed-in user, including
 * keys and logs of all apps (`legacyFileAccess`, helper.js:177);
 * - a page of an app that has an origin of its own, at another one: it is redirected;
 * - an app that does not exist: the core creates a log folder and an open logger for each requested name (T12, T13).
 */
export interface GuardOptions {
  /** Whether definitions have been loaded; until then an unknown name gets "not yet", never "unknown". */
  isLoaded(): boolean;
  isKnown(app: string): boolean;
  appNameOf: AppNaming;
  clock: Clock;
  /** Whether the core finds this package: `getPackageDirByExposeUrl` throws if not. */
  hasPackage(name: string): boolean;
  /** `PLUGIN_STATICS_PATH`, with trailing slash, as the core compares it. */
  pluginStaticsPath: string;
  /** `API_BASE_PATH`, without trailing slash. */
  apiBase: string;
  /** `APP_PUBLIC_PATH`, with trailing slash. */
  publicPath: string;
  origins: Origins;
  /** Begins sign-ins by the main app; absent where no main app is that vouches for its users. */
  sso?: SsoFront | null;
  /** Answers pages of apps that cannot be opened; absent on a Worker, whose Supervisor does. */
  pages?: PageFront | null;
  /** Proves that a custom domain leads here; absent where no apps are managed. */
  domains?: DomainFront | null;
  /** Gives uploads of apps that have moved to the Workers of their new environments; absent where no apps are hosted. */
  uploads?: Guard | null;
  bounds: Bounds;
  /** Whether the address is that of a trusted proxy. */
  trusts(address: string): boolean;
  /** Of the main app, and of each app that is hosted here, whether it runs or not. */
  secretOf(app: string): TokenSecret;
  metrics?: ProxyMetrics;
  /** The proxy on the Supervisor; null where apps are hosted. Returns true if it has answered. */
  serve: ((app: string, req: IncomingMessage, res: ServerResponse) => boolean) | null;
}

/** Returns `false` if it has not answered; then the core continues. */
export type Guard = (req: IncomingMessage, res: ServerResponse) => boolean;
/** The same, once the body of a visitor who is not signed in is here. */
export type WaitingGuard = (...args: Parameters<Guard>) => boolean | Promise<boolean>;

export function createGuard({ appNameOf, serve, clock, origins, ...options }: GuardOptions): WaitingGuard {
  const hasPackage = cached(options.hasPackage, clock);

  const refuse = (req: IncomingMessage, res: ServerResponse, code: AnswerCode, limit: LimitName, name = ''): true => {
    options.metrics?.request('', code, null);
    options.metrics?.limited(name, limit);
    return sendAnswer(req, res, code);
  };

  const admit = createAdmission(options, clock, refuse);

  /** To the core, unless it would hang. */
  const pass: Guard = (req, res) => {
    const path = pathOf(req.url ?? '/');
    const { pluginStaticsPath } = options;
    if (!path.startsWith(pluginStaticsPath) || isServable(path.slice(pluginStaticsPath.length), hasPackage))
      return false;
    return notFound(req, res);
  };

  return function guardBySupervisor(req, res) {
    lingerOverUpload(req, LIMITS.linger);
    if (req.rawHeaders.length / 2 > options.bounds.headers) return refuse(req, res, 'HEADERS_TOO_MANY', 'headers');
    // The core's `url.parse` throws on some absolute forms, and nobody catches.
    if (!readTarget(req)) return sendAnswer(req, res, 'BAD_REQUEST');
    const path = pathOf(req.url ?? '/');
    if (isMisread(path) || leavesFolder(uploadIn(path, options.publicPath) ?? '')) return notFound(req, res);
    if (!hasSeveralHosts(req) && options.domains?.(req, res)) return true;
    const name = appNameOf(req);
    const elsewhere = hasSeveralHosts(req) ? null : origins.elsewhere(name, req);
    if (elsewhere !== null) return redirect(res, elsewhere);
    if (!hasSeveralHosts(req) && options.sso?.(name, req, res)) return true;
    const isAnswered = !hasSeveralHosts(req) && (options.pages?.(name, req, res) ?? false);
    if (typeof isAnswered === 'object') return isAnswered.then((is) => is || goOn(name, path, req, res));
    return isAnswered || goOn(name, path, req, res);
  };

  /** Of what none of our own fronts has answered. */
  function goOn(name: string, path: string, req: IncomingMessage, res: ServerResponse): boolean | Promise<boolean> {
    if (name === 'main' && !hasSeveralHosts(req) && options.uploads?.(req, res)) return true;
    if (name !== INVALID_APP && serve?.(name, req, res)) return true;
    if (hasSeveralHosts(req)) return sendAnswer(req, res, 'BAD_REQUEST');
    if (name !== 'main') {
      if (name === INVALID_APP) return sendPage(req, res, path, options.apiBase, 'APP_NOT_FOUND');
      const isKnown = options.isLoaded() && options.isKnown(name);
      // The Supervisor knows the app: it is about to be here, or has just been.
      if (!isKnown && serve === null && req.headers[VIA] !== undefined)
        return sendPage(req, res, path, options.apiBase, 'APP_PREPARING', name);
      if (!options.isLoaded()) return sendAnswer(req, res, 'APP_PREPARING', name);
      if (!isKnown) return sendAnswer(req, res, 'APP_NOT_FOUND', name);
    }
    const isAdmitted = admit(name, req, res);
    if (isAdmitted === false) return true;
    const policy = origins.policy(name, req);
    if (policy !== null) res.setHeader('Content-Security-Policy', policy);
    return isAdmitted === true ? pass(req, res) : isAdmitted.then((isHere) => !isHere || pass(req, res));
  }
}

type Refuse = (req: IncomingMessage, res: ServerResponse, code: AnswerCode, limit: LimitName, name?: string) => true;

/** Whether a request of this app, which is served here, goes on; once its body is here, and it is its turn. False: it does not. */
function createAdmission(
  { bounds, trusts, secretOf }: Pick<GuardOptions, 'bounds' | 'trusts' | 'secretOf'>,
  clock: Clock,
  refuse: Refuse,
): (name: string, req: IncomingMessage, res: ServerResponse) => boolean | Promise<boolean> {
  const occupancy = new Occupancy(bounds);
  const turns = new SignInTurns();
  return (name, req, res) => {
    // A Supervisor has counted the sign-ins of an app by the addresses of its visitors, which a Worker does not know for certain.
    if (isSignIn(req.url ?? '') && (name === 'main' || req.headers[VIA] === undefined)) {
      const address = visitorAddress(req.headers['x-forwarded-for'], peerOf(req.socket, trusts), trusts);
      if (!occupancy.maySignIn(address, clock.now().mono))
        return !refuse(req, res, 'ADDRESS_BUSY', 'sign_ins_per_address', name);
    }
    const isHere = boundBody(req, {
      bounds,
      clock,
      isAnonymous: () => !isSignedIn(req, () => secretOf(name), clock.now().wall),
      gathers: true,
      refuse: (code, limit) => refuse(req, res, code, limit, name),
    });
    if (isHere === false || !turns.has(req)) return isHere;
    return Promise.resolve(isHere).then((isWhole) => isWhole && turns.take(req, res));
  };
}

/**
 * Paths that `url.parse`, which the core uses, reads differently: `\\` as `/`, and `//user@host/path` as an address on
 * another host. No address of NocoBase contains either.
 */
function isMisread(path: string): boolean {
  return path.includes('\\') || path.includes('%00') || (path.startsWith('//') && path.includes('@'));
}

const PACKAGE = /^(?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*(?=\/|$)/i;

/** @param rest the unmodified path below `PLUGIN_STATICS_PATH` */
export function isServable(rest: string, hasPackage: (name: string) => boolean): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(rest);
  } catch {
    return false;
  }
  if (decoded.includes('\\') || decoded.includes('\0')) return false;
  if (decoded.split('/').some((segment) => segment === '..' || segment === '.')) return false;
  if (decoded.includes('/server/') && !rest.includes('/server/')) return false;
  const name = PACKAGE.exec(rest)?.[0];
  return name !== undefined && hasPackage(name);
}

/**
 * Caches look-ups of packages, which read the disk. A missing package is looked up again after a while, because it may
 * have been installed.
 */
function cached(find: (name: string) => boolean, clock: Clock): (name: string) => boolean {
  const missing = new Map<string, number>();
  const found = new Set<string>();
  return (name) => {
    if (found.has(name)) return true;
    const until = missing.get(name);
    if (until !== undefined && until > clock.now().mono) return false;
    if (find(name)) {
      found.add(name);
      missing.delete(name);
      return true;
    }
    if (missing.size >= 500) missing.clear(); // anyone can send names
    missing.set(name, clock.now().mono + 10_000);
    return false;
  };
}

function sendAnswer(req: IncomingMessage, res: ServerResponse, code: AnswerCode, app?: string): true {
  send(req, res, answer(code, app, { language: languageOf(req.headers) }));
  return true;
}

/** @param name of the app; absent: the address is that of none */
function sendPage(
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
  apiBase: string,
  code: AnswerCode,
  name = '',
): true {
  const what = answer(code, name, { language: languageOf(req.headers) });
  send(req, res, what, pageFor(req, path, apiBase, what, name ? { name } : null));
  return true;
}

function redirect(res: ServerResponse, location: string): true {
  res.statusCode = 302;
  res.setHeader('Location', location);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Length', '0');
  res.end();
  return true;
}

function notFound(req: IncomingMessage, res: ServerResponse): true {
  res.statusCode = 404;
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end(req.method === 'HEAD' ? undefined : 'Not Found');
  return true;
}
