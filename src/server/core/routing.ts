import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import type { Gateway } from '@nocobase/server';
import type { AppRecord } from '../../shared/messages';
import type { Config } from '../config';
import type { Log } from '../log';
import { notifyUsersOnly, type Sender } from '../nocobase/visitors';
import type { ProxyMetrics, ProxyStats } from '../observability/metrics';
import {
  basePath,
  createGuard,
  createNaming,
  createProxy,
  createSelector,
  type Guard,
  type RouteApp,
  RoutingTable,
  tuneServer,
} from '../proxy';
import { type AppDefinition, desiredOf } from '../supervisor/apps/repository';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { WorkerPart } from '../worker/worker';

/** How requests find their app in this process. */
export interface Routing {
  web(app: string, req: IncomingMessage, res: ServerResponse): Promise<boolean>;
  ws(req: IncomingMessage, socket: unknown, head: Buffer): Promise<boolean>;
  /**
   * Brings the table up to what is known now.
   * @param names of apps that may have changed; absent: any
   */
  update(names?: Iterable<string>): void;
  /**
   * Hooks into the core's gateway; again after a restart of the main app changes nothing.
   * @param last gets the requests that are the main app's
   */
  install(gateway: Gateway, GatewayClass: GatewayHooks, last: Guard): void;
  /** Of the proxy, by environment. */
  stats(): ProxyStats[];
  close(): Promise<void>;
}

export interface GatewayHooks {
  registerRequestHandler(handler: never): void;
}

export function createRouting(
  config: Config,
  supervisor: SupervisorPart | null,
  worker: WorkerPart | null,
  metrics: ProxyMetrics,
  log: Log,
): Routing {
  const table = new RoutingTable();
  let installed = false;
  let proxy: ReturnType<typeof createProxy> | null = null;
  const { apiBasePath, wsPath, publicPath, modernPrefix, pluginStaticsPath, nodeModulesPath } = config.host;
  const only = config.active ? config.singleApp : null;
  const appNameOf = createNaming({ apiBasePath, publicPath, domains: table, only });
  if (config.part === 'supervisor') {
    proxy = createProxy({
      table,
      config: { apiBasePath, wsPath, publicPath, modernPrefix, trustedProxies: config.trustedProxies, appNameOf },
      now: () => performance.now(),
      log,
      metrics,
    });
  }

  const managed = (part: SupervisorPart, app: AppDefinition): RouteApp => ({
    name: app.name,
    cname: app.cname,
    desired: desiredOf(app),
    environments: app.environments,
    targetEnvironment: app.targetEnvironment,
    // Asked for the few that a request is about: statuses change far more often than they are looked at.
    statuses: { get: (environment) => part.statusIn(app, environment)?.status },
  });
  const coreApps = (record: AppRecord): RouteApp => ({
    name: record.name,
    cname: record.cname,
    desired: record.desired === 'removed' ? 'stopped' : record.desired,
    environments: record.environments,
    targetEnvironment: null,
    statuses: new Map(),
  });

  return {
    web: async (app, req, res) => proxy?.web(app, req, res) ?? false,
    ws: async (req, socket, head) => proxy?.ws(req, socket as Duplex, head) ?? false,
    update(names) {
      if (!supervisor) {
        if (worker?.controller) table.replaceApps(worker.controller.apps.records().map(coreApps));
        return;
      }
      if (!supervisor.loaded) return;
      if (table.loaded && names) {
        const changed = (name: string) => {
          const app = supervisor.app(name);
          return app && managed(supervisor, app);
        };
        table.changeApps(new Map([...names].map((name) => [name, changed(name)])));
      } else table.replaceApps(supervisor.apps().map((app) => managed(supervisor, app)));
      table.replaceEnvironments(supervisor.parts.view.routeEnvironments());
    },
    install(instance, GatewayClass, last) {
      if (instance.server) tuneServer(instance.server);
      // Deduplicated by their text, so the first ones survive a restart of the main app; so does this table.
      instance.addAppSelectorMiddleware(createSelector(() => table, only) as never, {
        tag: 'app-supervisor',
        after: 'core',
      });
      if (installed) return;
      installed = true;
      const { wsServer } = instance as unknown as { wsServer: Sender | null };
      if (wsServer) notifyUsersOnly(wsServer);
      const guard = createGuard({
        isKnown: (name) => table.app(name) !== undefined,
        isLoaded: () => table.loaded,
        appNameOf,
        hasPackage: (name) => existsSync(path.join(nodeModulesPath, name, 'package.json')),
        pluginStaticsPath,
        publicPath: `${basePath(publicPath)}/`,
        serve: proxy?.web ?? null,
      });
      GatewayClass.registerRequestHandler(guard as never);
      GatewayClass.registerRequestHandler(last as never);
    },
    stats: () => proxy?.stats() ?? [],
    close: async () => proxy?.close(),
  };
}
