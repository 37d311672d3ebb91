import type { IncomingMessage } from 'node:http';
import type { ClientPaths } from '../../shared/client-paths';
import { type Addresses, addressOf } from '../../shared/origins';
import { visitorHost, visitorProtocol } from './headers';
import { type AppPage, pageFinder } from './pages';
import { peerOf } from './peer';
import { hostnameOf, type RoutingTable } from './table';
import { pathOf } from './url';

/**
 * Keeps what an app shows in an origin of its own. A browser lets a page read everything of its origin, so a page of one
 * app must not show at the address of main or of another app.
 */
export interface Origins {
  /**
   * Where the visitor has to go instead, or null:
   * - from a page of the app below `/apps/<name>/`, which NocoBase's client shows with main's own files;
   * - from anything else of the app that a browser would show as a page at a host that is not the app's.
   * @param name the app that the request names, or `main`
   */
  elsewhere(name: string, req: IncomingMessage): string | null;
  /** `Content-Security-Policy` for the answer of the app or of main, or null. */
  policy(name: string, req: IncomingMessage): string | null;
}

export interface OriginOptions extends ClientPaths {
  table: RoutingTable;
  addresses: Addresses;
  trusts: (address: string) => boolean;
  /** Sources that may show main, and apps, in a frame; empty: all. */
  frameAncestors: { main: string; apps: string };
}

export function createOrigins({ table, addresses, trusts, frameAncestors, ...paths }: OriginOptions): Origins {
  const pageOf = pageFinder(paths);
  const peer = (req: IncomingMessage) => peerOf(req.socket, trusts);
  const hostIn = (req: IncomingMessage) => visitorHost(req, peer(req));

  /** The app's host, where the request came to another one; null where it came to the right one, or apps have none. */
  const missedHost = (name: string, req: IncomingMessage): string | null => {
    const app = table.app(name);
    const own = app ? table.ownHost(app) : null;
    return own === null || table.appByDomain(hostIn(req)) === name ? null : own;
  };
  const addressAt = (host: string, req: IncomingMessage): string => {
    const address = addressOf(host, addresses);
    return address.startsWith('//') ? completed(address, visitorProtocol(req, peer(req)), hostIn(req)) : address;
  };

  return {
    elsewhere(name, req) {
      if (table.appsDomain === null) return null;
      const url = req.url ?? '/';
      const path = pathOf(url);
      const page = pageOf(path);
      const app = page && table.app(page.app);
      const own = app ? table.ownHost(app) : null;
      if (page && own !== null) return addressAt(own, req) + page.ownPath + url.slice(path.length);
      if (name === 'main' || !isNavigation(req)) return null;
      const host = missedHost(name, req);
      return host === null ? null : addressAt(host, req) + url;
    },

    policy(name, req) {
      const isOfApp = name !== 'main' || isKnownPage(pageOf(pathOf(req.url ?? '/')), table);
      const ancestors = isOfApp ? frameAncestors.apps : frameAncestors.main;
      const isMissed = name !== 'main' && table.appsDomain !== null && missedHost(name, req) !== null;
      const directives = [...(ancestors ? [`frame-ancestors ${ancestors}`] : []), ...(isMissed ? ['sandbox'] : [])];
      return directives.length ? directives.join('; ') : null;
    },
  };
}

const isKnownPage = (page: AppPage | null, table: RoutingTable): boolean =>
  page !== null && table.app(page.app) !== undefined;

/** Whether a browser shows the answer as a page, in a tab or a frame. A form sent by POST keeps its method, and stays. */
function isNavigation({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const mode = headers['sec-fetch-mode'];
  return mode === undefined ? (headers.accept?.includes('text/html') ?? false) : mode === 'navigate';
}

/** @param address such as `//crm.example.com`; a missing port is that of the visitor's page, as in its links */
function completed(address: string, protocol: string, visited: string): string {
  const host = address.slice(2);
  const port = host.includes(':') ? '' : (/:\d{1,5}$/.exec(visited)?.[0] ?? '');
  return `${protocol}://${host}${port}`;
}

/** The hosts of an app's own origin, for a redirect within the app. */
export const isOwnHost = (table: RoutingTable, app: string, host: string | undefined): boolean =>
  host !== undefined && hostnameOf(host) !== '' && table.appByDomain(host) === app;
