import type { IncomingHttpHeaders } from 'node:http';
import { isAppName } from '../../shared/names';
import { appByDomain, INVALID_APP } from './naming';

/**
 * The app selector that runs after the core's own (gateway/index.ts:206) wherever the core itself looks for the app: it
 * adds custom domains and takes the harm out of names. The core turns a name into a log folder (gateway/index.ts:298) and
 * a key of plain objects before anybody has looked at it.
 */

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
      if (only) {
        ctx.resolvedAppName = only;
      } else if (!name) {
        const known = domains();
        ctx.resolvedAppName = known && appByDomain(ctx.req.headers, known);
      } else if (name !== 'main' && !isAppName(name)) {
        ctx.resolvedAppName = INVALID_APP;
      }
    } catch {
      // A selector that throws would make every app, main included, answer 503 (gateway/index.ts:459).
    }
    await next();
  };
}
