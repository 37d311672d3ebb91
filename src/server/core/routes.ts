import { domainStateOf, leadsToDomain } from '../../shared/domain-check';
import type { Message } from '../../shared/message';
import type { AppRecord } from '../../shared/messages';
import { ssoOf } from '../../shared/sso';
import type { RouteApp, RoutingTable } from '../proxy';
import { type AppDefinition, desiredOf } from '../supervisor/definitions/repository';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { WorkerPart } from '../worker/worker';

/**
 * Updates the routing table.
 * @param names of apps that may have changed; absent: all
 */
export type UpdateRoutes = (table: RoutingTable, names?: Iterable<string>) => void;

/** Routes by definitions, and by statuses as the Supervisor observes them. */
export function supervisorRoutes(supervisor: SupervisorPart): UpdateRoutes {
  // Where an app was not published yet, for example since its rollout failed before, nobody starts it for a visitor.
  const statusIn = (app: AppDefinition, environment: string) =>
    app.published[environment] ? supervisor.statusIn(app, environment)?.status : 'not_found';
  const routeOf = (app: AppDefinition): RouteApp => ({
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
