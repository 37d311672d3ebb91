import type { IncomingHttpHeaders } from 'node:http';
import { isAppName } from '../../shared/names';
import { basePath, pathOf } from './url';

/** What a hostile name becomes: no app can be called so, and as a folder name it is harmless. */
export const INVALID_APP = '_invalid_';

interface Domains {
  appByDomain(host: string | undefined): string | null;
}

export interface NamingOptions {
  /** `API_BASE_PATH` and `APP_PUBLIC_PATH`. */
  apiBasePath: string;
  publicPath: string;
  domains: Domains;
  /** The one app of a process that runs it alone: every request is meant for it. */
  only?: string | null;
}

/** @returns the app's name, `main` when none is named, `INVALID_APP` for what no app can be called. Never throws. */
export type AppNaming = (req: { url?: string; headers: IncomingHttpHeaders }) => string;

/**
 * Which app a request is for, as the core's selectors and ours find it together (gateway/index.ts:206-262): header, then
 * parameter, then path of the API, then path of a file, each over the one before; the custom domain where none of them
 * names one. Done here, without the selectors, because the core sorts and composes them anew and parses the whole address
 * in every request; an integration test holds it to what the real gateway finds.
 */
export function createNaming({ apiBasePath, publicPath, domains, only = null }: NamingOptions): AppNaming {
  const apiPrefix = `${basePath(apiBasePath)}/__app/`;
  const filePrefixes = [...new Set([`${basePath(publicPath)}/files/`, '/files/'])];

  return function nameApp({ url = '/', headers }) {
    if (only) return only;
    const path = pathOf(url);
    let name: string | null = null;
    for (const prefix of filePrefixes) {
      if (!path.startsWith(prefix)) continue;
      name = decoded(segmentAt(path, prefix.length));
      break; // the first that fits, also when nothing follows it
    }
    if (name === null && path.startsWith(apiPrefix)) name = segmentAt(path, apiPrefix.length) || null;
    if (name === null && path.length !== url.length) name = nameInQuery(url, path.length);
    name ??= header(headers['x-app']) ?? appByDomain(headers, domains);
    if (name === null || name === 'main') return 'main';
    return isAppName(name) ? name : INVALID_APP;
  };
}

/** The browser names its host in `X-Hostname` on every API call, since a proxy in front may have rewritten `Host`. */
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

/** What cannot be decoded names nothing, as in the core. */
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
  // A key may be written with encoded letters; most queries have encoded values only. Each try ends where the next may begin:
  // an expression that reads on would take quadratic time for a query of nothing but `?`.
  if (!url.includes('__app', begin) && !/[?&][^?&=]*%/.test(url)) return null;
  const end = url.indexOf('#', begin);
  // With `&` before it, since a second `?` would be taken off.
  const query = new URLSearchParams(`&${end < 0 ? url.slice(begin + 1) : url.slice(begin + 1, end)}`);
  const names: string[] = [];
  for (const [key, value] of query) {
    if (key === '__appName') names.push(value);
    // Lists and objects, to the core.
    else if (key.startsWith('__appName[')) return INVALID_APP;
  }
  if (names.length > 1) return INVALID_APP;
  return names[0] || null;
}
