import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock';
import { type AnswerCode, answer, send } from './answers';
import { type AppNaming, INVALID_APP } from './naming';
import { climbs, uploadIn } from './uploads';
import { originForm, pathOf } from './url';

/**
 * Stands before the core's own request handler (`Gateway.registerRequestHandler`, called at gateway/index.ts:810) on every
 * part. On the Supervisor it passes requests of apps to the proxy; the core's chain would work out the app anew, and later.
 * Everywhere it answers what the core would answer badly:
 *  - a plugin file whose package this process does not have: the core throws where nobody catches, and the request hangs
 *    for ever (gateway/index.ts:519);
 *  - a path that climbs out of a package, or hides `/server/` from the core's check by percent-encoding;
 *  - a path that climbs out of the uploads: the core reads anything below `STORAGE_PATH` for whoever is signed in, keys and logs of
 *    all apps among it (`legacyFileAccess`, helper.js:177);
 *  - an app that does not exist: the core makes a log folder and an open logger for each name asked for (T12, T13).
 */
export interface GuardOptions {
  /** Whether definitions have been read at all; until then a name is "not yet", never "unknown". */
  isLoaded(): boolean;
  isKnown(app: string): boolean;
  appNameOf: AppNaming;
  clock: Clock;
  /** Whether the core finds this package: `getPackageDirByExposeUrl` throws when it does not. */
  hasPackage(name: string): boolean;
  /** `PLUGIN_STATICS_PATH`, as the core compares it: with last slash. */
  pluginStaticsPath: string;
  /** `APP_PUBLIC_PATH`, with last slash. */
  publicPath: string;
  /** On the Supervisor, the proxy; null where apps are hosted. It has answered when it returns true. */
  serve: ((app: string, req: IncomingMessage, res: ServerResponse) => boolean) | null;
}

/** `false`: not answered, the core goes on. */
export type Guard = (req: IncomingMessage, res: ServerResponse) => boolean;

export function createGuard({ appNameOf, serve, clock, ...options }: GuardOptions): Guard {
  const hasPackage = remembered(options.hasPackage, clock);

  return function guardBySupervisor(req, res) {
    const url = originForm(req.url ?? '/');
    if (url !== req.url) req.url = url; // the core's `url.parse` throws on some absolute forms, where nobody catches
    const path = pathOf(url);
    if (isMisread(path) || climbs(uploadIn(path, options.publicPath) ?? '')) return notFound(req, res);
    const name = appNameOf(req);
    if (name !== 'main') {
      if (name === INVALID_APP) return answered(req, res, 'APP_NOT_FOUND');
      if (serve?.(name, req, res)) return true;
      if (!options.isLoaded()) return answered(req, res, 'APP_PREPARING', name);
      if (!options.isKnown(name)) return answered(req, res, 'APP_NOT_FOUND', name);
    }
    const { pluginStaticsPath } = options;
    if (!path.startsWith(pluginStaticsPath) || isServable(path.slice(pluginStaticsPath.length), hasPackage))
      return false;
    return notFound(req, res);
  };
}

/**
 * What `url.parse`, by which the core reads addresses, takes for something else: `\\` for `/`, and `//user@host/path` for
 * an address on another host. No address of NocoBase holds either.
 */
function isMisread(path: string): boolean {
  return path.includes('\\') || path.includes('%00') || (path.startsWith('//') && path.includes('@'));
}

const PACKAGE = /^(?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*(?=\/|$)/i;

/** @param rest the path below `PLUGIN_STATICS_PATH`, as it came */
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

/** Looking for a package reads the disk. A missing one is asked for again after a while: it may have been installed. */
function remembered(find: (name: string) => boolean, clock: Clock): (name: string) => boolean {
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
    if (missing.size >= 500) missing.clear(); // names come from anybody
    missing.set(name, clock.now().mono + 10_000);
    return false;
  };
}

function answered(req: IncomingMessage, res: ServerResponse, code: AnswerCode, app?: string): true {
  send(req, res, answer(code, app));
  return true;
}

function notFound(req: IncomingMessage, res: ServerResponse): true {
  res.statusCode = 404;
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end(req.method === 'HEAD' ? undefined : 'Not Found');
  return true;
}
