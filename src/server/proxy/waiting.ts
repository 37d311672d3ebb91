import type { Status } from '../../shared/types';
import type { AnswerCode } from './answers';
import type { RouteApp } from './table';

/** Statuses in which an environment certainly does not serve the app yet. */
const STARTING: ReadonlySet<Status> = new Set<Status>(['waiting', 'preparing', 'initializing']);
/** The same of an app that comes from another environment. */
const NOT_THERE: ReadonlySet<Status> = new Set<Status>([...STARTING, 'not_found', 'stopped']);

/**
 * What a visitor waits for, instead of being sent to an environment that does not serve the app yet; null if it may.
 * @param isPage the browser shows the answer as a page, at the app's own host: programs, and the pages of NocoBase's clients,
 * follow a start by what the environment says. Asked only if it matters
 */
export function waitsFor(app: RouteApp, environment: string, isPage: () => boolean): AnswerCode | null {
  const status = app.statuses.get(environment);
  if (status === undefined) return null;
  if (NOT_THERE.has(status) && app.isMoving?.()) return 'APP_MOVING';
  return STARTING.has(status) && isPage() ? 'APP_PREPARING' : null;
}
