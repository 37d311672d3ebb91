import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isAppName } from '../../shared/names';
import { answer, send } from './answers';
import { basePath, originForm, pathOf } from './url';

/**
 * Stands before the core's own request handler (`Gateway.registerRequestHandler`, called at gateway/index.ts:810) on every
 * part, and answers what the core would answer badly:
 *  - a plugin file whose package this process does not have: the core throws where nobody catches, and the request hangs
 *    for ever (gateway/index.ts:519);
 *  - a path that climbs out of a package, or hides `/server/` from the core's check by percent-encoding;
 *  - an app that does not exist: the core makes a log folder and an open logger for each name asked for (T12, T13).
 */
export interface GuardOptions {
  /** Whether definitions have been read at all; until then a name is "not yet", never "unknown". */
  isLoaded(): boolean;
  isKnown(app: string): boolean;
  /** The custom domain's app, as the selector sees it. */
  appByDomain(host: string | undefined): string | null;
  /** `Gateway.getInstance().getRequestHandleAppName`, called with a copy: the core's selector rewrites `url`. */
  appNameOf(req: { url: string; headers: IncomingHttpHeaders }): Promise<string>;
  /** Whether the core finds this package: `getPackageDirByExposeUrl` throws when it does not. */
  hasPackage(name: string): boolean;
  /** `APP_PUBLIC_PATH`. */
  publicPath: string;
  /** `PLUGIN_STATICS_PATH`, as the core compares it: with last slash. */
  pluginStaticsPath: string;
  /** On the Supervisor, `proxy.web`: the name is known already, so the core need not work it out a second time. */
  serve?(app: string, req: IncomingMessage, res: ServerResponse): Promise<boolean>;
}

/** `false`: not answered, the core goes on. */
export type Guard = (req: IncomingMessage, res: ServerResponse) => false | Promise<false | undefined>;

export function createGuard(options: GuardOptions): Guard {
  const hasPackage = remembered(options.hasPackage);
  const filesPath = `${basePath(options.publicPath)}/files/`;
  const refusesFile = (path: string) =>
    path.startsWith(options.pluginStaticsPath) && !isServable(path.slice(options.pluginStaticsPath.length), hasPackage);

  const named = async (req: IncomingMessage, res: ServerResponse): Promise<false | undefined> => {
    try {
      const name: unknown = await options.appNameOf({ url: req.url ?? '/', headers: req.headers });
      if (name !== 'main') {
        if (!isAppName(name)) return void send(req, res, answer('APP_NOT_FOUND'));
        if (options.serve && (await options.serve(name, req, res))) return undefined;
        if (!options.isLoaded()) return void send(req, res, answer('APP_PREPARING', name));
        if (!options.isKnown(name)) return void send(req, res, answer('APP_NOT_FOUND', name));
      }
      if (refusesFile(pathOf(req.url ?? '/'))) return void notFound(req, res);
    } catch {
      // Somebody else's selector failed: the core answers that itself.
    }
    return false;
  };

  return function guardBySupervisor(req, res) {
    const url = originForm(req.url ?? '/');
    if (url !== req.url) req.url = url; // the core's `url.parse` throws on some absolute forms, where nobody catches
    const path = pathOf(url);
    // `url.parse` reads `\` as `/`; no address of NocoBase holds either.
    if (path.includes('\\') || path.includes('%00')) {
      notFound(req, res);
      return Promise.resolve(undefined);
    }
    if (mayNameApp(url, path, req.headers, filesPath, options.appByDomain)) return named(req, res);
    if (refusesFile(path)) {
      notFound(req, res);
      return Promise.resolve(undefined);
    }
    return false;
  };
}

/**
 * Whether the selectors could find an app in this request (gateway/index.ts:206-262 and our own). Most of a page's files
 * name none, and sorting and running all selectors twice for each would be felt.
 */
function mayNameApp(
  url: string,
  path: string,
  headers: IncomingHttpHeaders,
  filesPath: string,
  appByDomain: GuardOptions['appByDomain'],
): boolean {
  if (headers['x-app'] !== undefined || url.includes('__app')) return true;
  if (path.startsWith('/files/') || path.startsWith(filesPath)) return true;
  if (path.length !== url.length && /[?&][^=&]*%/.test(url)) return true; // `__appName` with an encoded letter
  const hostname = headers['x-hostname'];
  if (typeof hostname === 'string' && appByDomain(hostname) !== null) return true;
  return appByDomain(headers.host) !== null;
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
function remembered(find: (name: string) => boolean, now = () => performance.now()): (name: string) => boolean {
  const missing = new Map<string, number>();
  const found = new Set<string>();
  return (name) => {
    if (found.has(name)) return true;
    const until = missing.get(name);
    if (until !== undefined && until > now()) return false;
    if (find(name)) {
      found.add(name);
      missing.delete(name);
      return true;
    }
    if (missing.size >= 500) missing.clear(); // names come from anybody
    missing.set(name, now() + 10_000);
    return false;
  };
}

function notFound(req: IncomingMessage, res: ServerResponse): void {
  res.statusCode = 404;
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.end(req.method === 'HEAD' ? undefined : 'Not Found');
}
