import type { IncomingHttpHeaders } from 'node:http';
import { isAppName } from '../../shared/names';
import { PORTALS } from './pages';
import { basePath, pathOf } from './url';

/** Replaces an invalid name: no app can have this name, and it is harmless as a folder name. */
export const INVALID_APP = '_invalid_';

interface Domains {
  appByDomain(host: string | undefined): string | null;
}

export interface NamingOptions {
  /** `API_BASE_PATH` and `APP_PUBLIC_PATH`. */
  apiBasePath: string;
  publicPath: string;
  domains: Domains;
  /** Whether the core takes the app from the address of a portal, too: since NocoBase 3. */
  portals?: boolean;
  /** The app of a process that runs only one app: it gets every request. */
  only?: string | null;
}

/**
 * @returns the app's name, `main` if the request names none, `INVALID_APP` for a name that no app can have. Never
 * throws.
 */
export type AppNaming = (req: { url?: string; headers: IncomingHttpHeaders }) => string;

/**
 * Determines the app of a request with the same result as the core's selectors and ours together
 * (gateway/index.ts:206-262): header, then parameter, then path of a portal, then path of the API, then path of a file,
 * where each overrides the one before; the custom domain if none of them names an app. Implemented without the selectors, because the core
 * sorts and composes them and parses the whole address for every request. An integration test compares it with the real
 * gateway.
 */
export function createNaming(options: NamingOptions): AppNaming {
  const { apiBasePath, publicPath, domains, portals = false, only = null } = options;
  const apiPrefix = `${basePath(apiBasePath)}/__app/`;
  const portalPrefix = portals ? `${basePath(publicPath)}/${PORTALS}apps/` : null;
  const filePrefixes = [...new Set([`${basePath(publicPath)}/files/`, '/files/'])];

  return function nameApp({ url = '/', headers }) {
    if (only) return only;
    const path = pathOf(url);
    let name: string | null = null;
    for (const prefix of filePrefixes) {
      if (!path.startsWith(prefix)) continue;
      name = decoded(segmentAt(path, prefix.length));
      break; // the first match wins, even if nothing follows it
    }
    if (name === null && path.startsWith(apiPrefix)) name = segmentAt(path, apiPrefix.length) || null;
    if (name === null && portalPrefix !== null && path.startsWith(portalPrefix))
      name = segmentAt(path, portalPrefix.length) || null;
    if (name === null && path.length !== url.length) name = nameInQuery(url, path.length);
    name ??= header(headers['x-app']) ?? appByDomain(headers, domains);
    if (name === null || name === 'main') return 'main';
    return isAppName(name) ? name : INVALID_APP;
  };
}

/**
 * The browser sends its host in `X-Hostname` with every API call, because a proxy in front may have rewritten `Host`.
 */
export function appByDomain(headers: IncomingHttpHeaders, domains: Domains): string | null {
  const named = headers['x-hostname'];
  return (typeof named === 'string' && domains.appByDomain(named)) || domains.appByDomain(headers.host);
}

function header(value: string | string[] | undefined): string | null {
  return value === undefined || value === '' ? null : String(value);
}

function segmentAt(path: string, begin: number): string {
  const end = path.indexOf('/', begin);
  return end < 0 ? path.slice(begin) : path.slice(begin, end);
}

/** A segment that cannot be decoded names nothing, as in the core. */
function decoded(segment: string): string | null {
  if (segment === '' || !segment.includes('%')) return segment || null;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** @param begin where the path ends: at `?` or `#` */
function nameInQuery(url: string, begin: number): string | null {
  if (url[begin] === '#') return null;
  // A key may contain percent-encoded letters, but most queries have encoded values only. The expression stops where
  // the next match may begin; one that reads on would take quadratic time for a query of many `?`.
  if (!url.includes('__app', begin) && !/[?&][^?&=]*%/.test(url)) return null;
  const end = url.indexOf('#', begin);
  // Prefixed with `&`, because `URLSearchParams` would remove a second `?`.
  const query = new URLSearchParams(`&${end < 0 ? url.slice(begin + 1) : url.slice(begin + 1, end)}`);
  const names: string[] = [];
  for (const [key, value] of query) {
    if (key === '__appName') names.push(value);
    // The core parses these keys as lists or objects.
    else if (key.startsWith('__appName[')) return INVALID_APP;
  }
  if (names.length > 1) return INVALID_APP;
  return names[0] || null;
}
