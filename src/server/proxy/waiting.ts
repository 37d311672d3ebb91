import type { Status } from '../../shared/types';
import type { RouteApp } from './table';

/** Statuses in which an environment certainly does not serve an app that comes from another one. */
const NOT_THERE: ReadonlySet<Status> = new Set<Status>([
  'waiting',
  'preparing',
  'initializing',
  'not_found',
  'stopped',
]);

/** Whether the app is being moved to this environment, which does not serve it yet. */
export function isOnItsWay(app: RouteApp, environment: string): boolean {
  const status = app.statuses.get(environment);
  return status !== undefined && NOT_THERE.has(status) && app.isMoving?.() === true;
}
