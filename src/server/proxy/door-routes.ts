import { runningIn } from '../../shared/choose';
import { type AppRoute, appRoute, type EnvironmentRoute, environmentRoute } from '../../shared/routes';
import type { RouteApp, RouteEnvironment, RoutingTable } from './table';

/** What a door knows of an app, so that it sends visits where this table would. Undefined for what it cannot be told in its plain words. */
export function appRouteOf(
  app: RouteApp & { uid: string },
  table: RoutingTable,
  environmentOf: (name: string) => RouteEnvironment | undefined,
): AppRoute | undefined {
  return appRoute.safeParse({
    uid: app.uid,
    name: app.name,
    hosts: table.hostsOf(app),
    environments: runningIn(app, environmentOf),
    stopped: app.desired === 'stopped',
    signIn: Boolean(app.sso),
  }).data;
}

/** Null where nobody is sent to, or whose address a door cannot be told in its plain words: its visits are left to the Supervisor. */
export function environmentRouteOf({ name, proxyUrl, serves }: RouteEnvironment): EnvironmentRoute | null {
  return (serves && environmentRoute.safeParse({ name, url: proxyUrl.replace(/\/+$/, '') }).data) || null;
}
