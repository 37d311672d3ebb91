import type { IncomingHttpHeaders } from 'node:http';
import { isAppName } from '../../shared/names';
import { appByDomain, INVALID_APP } from './naming';

/**
 * The app selector that runs after the core's own (gateway/index.ts:206) wherever the core itself determines the app.
 * It adds custom domains and replaces harmful names: the core uses a name as a log folder (gateway/index.ts:298) and as
 * a key of plain objects before anything validates it.
 */

export interface SelectorContext {
  req: { url?: string; headers: IncomingHttpHeaders };
  resolvedAppName: string | null;
}
export type Selector = (ctx: SelectorContext, next: () => Promise<void>) => Promise<void>;

/**
 * @param only the app of a process that runs only one app: it gets every request
 * @param domains looks up a host. Called each time, because the core keeps the first closure forever (it compares
 * functions by their text, gateway/index.ts:291) and a restart of the main app creates a new table.
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
      // A selector that throws would make every app, including main, answer 503 (gateway/index.ts:459).
    }
    await next();
  };
}
