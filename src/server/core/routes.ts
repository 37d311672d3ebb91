import { clientPathsOf } from '../../shared/client-paths';
import { domainStateOf, leadsToDomain } from '../../shared/domain-check';
import type { Message } from '../../shared/message';
import type { AppRecord } from '../../shared/messages';
import { namesPortals } from '../../shared/nocobase-releases';
import { type RouteSettings, routeSettings } from '../../shared/routes';
import { ssoOf } from '../../shared/sso';
import type { SupervisorConfig } from '../config';
import { nocobaseVersion } from '../nocobase/version';
import { appRouteOf, basePath, environmentRouteOf, type RouteApp, type RoutingTable } from '../proxy';
import type { RouteTable } from '../supervisor/control/route-publisher';
import { type AppDefinition, desiredOf } from '../supervisor/definitions/repository';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { WorkerPart } from '../worker/worker';

/**
 * Updates the routing table.
 * @param names of apps that may have changed; absent: all
 */
export type UpdateRoutes = (table: RoutingTable, names?: Iterable<string>) => void;

/** How the Supervisor's table has an app: its definition, and its statuses as they are observed. */
function supervisorRouteOf(supervisor: SupervisorPart): (app: AppDefinition) => RouteApp & { uid: string } {
  // Where an app was not published yet, for example since its rollout failed before, nobody starts it for a visitor.
  const statusIn = (app: AppDefinition, environment: string) =>
    app.published[environment] ? supervisor.statusIn(app, environment)?.status : 'not_found';
  return (app) => ({
    uid: app.uid,
    name: app.name,
    title: app.title,
    icon: app.icon,
    sso: ssoOf(app.sso).enabled ? ssoOf(app.sso) : null,
    cname: app.cname,
    leadsToDomain: leadsToDomain(app),
    isDomainVerified: domainStateOf(app)?.state === 'verified',
    desired: desiredOf(app),
    environments: app.environments,
    targetEnvironment: app.targetEnvironment,
    // Looked up only for the apps that are requested: statuses change far more often than requests arrive.
    statuses: { get: (environment) => statusIn(app, environment) },
    isMoving: () => supervisor.isMoving(app),
    queuedBehind: (environment) => queuedBehind(supervisor.statusIn(app, environment)?.message),
  });
}

/** Routes by definitions, and by statuses as the Supervisor observes them. */
export function supervisorRoutes(supervisor: SupervisorPart): UpdateRoutes {
  const routeOf = supervisorRouteOf(supervisor);
  return (table, names) => {
    if (!supervisor.loaded) return;
    if (table.loaded && names) {
      const changed = (name: string) => {
        const app = supervisor.app(name);
        return app && routeOf(app);
      };
      table.changeApps(new Map([...names].map((name) => [name, changed(name)])));
    } else table.replaceApps(supervisor.apps().map(routeOf));
    table.replaceEnvironments(supervisor.parts.view.routeEnvironments());
  };
}

/** What doors have to know of the Supervisor's settings; null if it cannot be said in their plain words, such as a path with a space. */
export function routeSettingsOf(config: SupervisorConfig): RouteSettings | null {
  const { host, appsDomain, publicUrl, trustedProxies, frameAncestors, bounds } = config;
  const { publicPath, modernPrefix } = clientPathsOf(host);
  const settings = {
    ...{ appsDomain, publicUrl, trustedProxies, frameAncestors, bounds, publicPath, modernPrefix },
    apiBase: basePath(host.apiBasePath),
    wsPath: host.wsPath.replace(/\/$/, ''),
    portals: namesPortals(nocobaseVersion),
  };
  return routeSettings.safeParse(settings).data ?? null;
}

/** The Supervisor's routing table, as doors are told of it. @param parts of a process that is being assembled */
export function routeTableOf(
  settings: RouteSettings,
  parts: () => { supervisor: SupervisorPart; routing: { table: RoutingTable; update(names: Iterable<string>): void } },
): RouteTable {
  return {
    settings,
    update(names) {
      const { table } = parts().routing;
      // Also before: what is gone has made room for another one.
      const before = table.withSameLabel(names);
      parts().routing.update(names);
      return table.withSameLabel(before);
    },
    source() {
      const { supervisor, routing } = parts();
      const routeOf = supervisorRouteOf(supervisor);
      const environments = supervisor.parts.view.routeEnvironments();
      const byName = new Map(environments.map((environment) => [environment.name, environment]));
      return {
        keys: () => supervisor.apps().map(({ name }) => name),
        get(name) {
          const app = supervisor.app(name);
          return app ? appRouteOf(routeOf(app), routing.table, (environment) => byName.get(environment)) : undefined;
        },
        environments: () => environments.flatMap((environment) => environmentRouteOf(environment) ?? []),
      };
    },
  };
}

/** Of an app that is first in the queue, the next one starts: none is before it. */
const queuedBehind = (message: Message | undefined): number | null =>
  message?.code === 'IN_BOOT_QUEUE' ? Number(message.params?.place ?? 1) - 1 : null;

/** Routes by the records of the Worker's own environment: this process forwards nothing. */
export function workerRoutes(worker: WorkerPart): UpdateRoutes {
  const routeOf = (record: AppRecord): RouteApp => ({
    name: record.name,
    title: record.title,
    cname: record.cname,
    desired: record.desired === 'removed' ? 'stopped' : record.desired,
    environments: record.environments,
    targetEnvironment: null,
    statuses: new Map(),
  });
  return (table) => {
    if (worker.known) table.replaceApps(worker.known.map(routeOf));
  };
}
