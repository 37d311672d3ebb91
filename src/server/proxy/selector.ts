import type { IncomingHttpHeaders } from 'node:http';
import { isAppName } from '../../shared/names';

/**
 * The app selector that runs after the core's own (gateway/index.ts:206) on every request and file: it adds custom domains
 * and takes the harm out of names. The core turns a name into a log folder (gateway/index.ts:298) and a key of plain
 * objects before anybody has looked at it.
 */

/** What a hostile name becomes: no app can be called so, and as a folder name it is harmless. */
export const INVALID_APP = '_invalid_';

export interface SelectorContext {
  req: { url?: string; headers: IncomingHttpHeaders };
  resolvedAppName: string | null;
}
export type Selector = (ctx: SelectorContext, next: () => Promise<void>) => Promise<void>;

/**
 * @param only the one app of a process that runs it alone: every request is meant for it.
 * @param domains where to look up a host: asked anew each time, since the core keeps the first closure it is given for ever
 *   (it compares functions by their text, gateway/index.ts:291) and a restart of the main app brings a new table.
 */
export function createSelector(
  domains: () => { appByDomain(host: string | undefined): string | null } | null,
  only: string | null = null,
): Selector {
  return async function selectAppBySupervisor(ctx, next) {
    try {
      const name: unknown = ctx.resolvedAppName;
      if (only) ctx.resolvedAppName = only;
      else if (!name) ctx.resolvedAppName = byDomain(ctx.req.headers, domains());
      else if (name !== 'main' && !isAppName(name)) ctx.resolvedAppName = INVALID_APP;
    } catch {
      // A selector that throws would make every app, main included, answer 503 (gateway/index.ts:459).
    }
    await next();
  };
}

/** The browser names its host in `X-Hostname` on every API call, since a proxy in front may have rewritten `Host`. */
function byDomain(
  headers: IncomingHttpHeaders,
  domains: { appByDomain(host: string | undefined): string | null } | null,
): string | null {
  if (!domains) return null;
  const named = headers['x-hostname'];
  return (typeof named === 'string' && domains.appByDomain(named)) || domains.appByDomain(headers.host);
}
