import { existsSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import type { Gateway } from '@nocobase/server';
import { desiredOf } from '../apps/definitions';
import type { Config } from '../config';
import type { Log } from '../log';
import {
  createGuard,
  createProxy,
  createSelector,
  type ProxyMetrics,
  type ProxyStats,
  type RouteApp,
  RoutingTable,
  tuneServer,
} from '../proxy';
import type { SupervisorPart } from './supervisor';
import type { WorkerPart } from './worker';

/** How requests find their app in this process. */
export interface Routing {
  web(app: string, req: IncomingMessage, res: ServerResponse): Promise<boolean>;
  ws(req: IncomingMessage, socket: unknown, head: Buffer): Promise<boolean>;
  /** Brings the table up to what is known now. */
  update(): void;
  /** Hooks into the core's gateway; again after a restart of the main app changes nothing. */
  install(gateway: Gateway, GatewayClass: GatewayHooks): void;
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
  let gateway: Gateway | null = null;
  let installed = false;
  let proxy: ReturnType<typeof createProxy> | null = null;
  const appNameOf = async (req: { url?: string; headers: IncomingHttpHeaders }) =>
    (await gateway?.getRequestHandleAppName(req as never)) ?? 'main';
  if (config.part === 'supervisor') {
    const { apiBasePath, wsPath, publicPath, modernPrefix } = config.host;
    proxy = createProxy({
      table,
      config: { apiBasePath, wsPath, publicPath, modernPrefix, trustedProxies: config.trustedProxies, appNameOf },
      now: () => performance.now(),
      log,
      metrics,
    });
  }

  const appsOf = (): RouteApp[] => {
    if (supervisor) {
      return supervisor.apps().map((app) => ({
        name: app.name,
        cname: app.cname,
        desired: desiredOf(app),
        environments: app.environments,
        targetEnvironment: app.targetEnvironment,
        statuses: new Map(Object.entries(supervisor.statusesOf(app)).map(([name, { status }]) => [name, status])),
      }));
    }
    return (worker?.converger?.records() ?? []).map((record) => ({
      name: record.name,
      cname: record.cname,
      desired: record.desired === 'removed' ? 'stopped' : record.desired,
      environments: record.environments,
      targetEnvironment: null,
      statuses: new Map(),
    }));
  };

  return {
    web: async (app, req, res) => proxy?.web(app, req, res) ?? false,
    ws: async (req, socket, head) => proxy?.ws(req, socket as Duplex, head) ?? false,
    update() {
      if (supervisor ? !supervisor.loaded : !worker?.converger) return;
      table.replaceApps(appsOf());
      if (!supervisor) return;
      table.replaceEnvironments(
        supervisor.environmentRows().map(({ name, proxyUrl, serves, health }) => ({
          name,
          proxyUrl,
          serves,
          health,
          epoch: supervisor.epochOf(name),
        })),
      );
    },
    install(instance, GatewayClass) {
      gateway = instance;
      if (instance.server) tuneServer(instance.server);
      // Deduplicated by their text, so the first ones survive a restart of the main app; so does this table.
      instance.addAppSelectorMiddleware(createSelector(() => table, config.active ? config.singleApp : null) as never, {
        tag: 'app-supervisor',
        after: 'core',
      });
      if (installed) return;
      installed = true;
      const { publicPath, pluginStaticsPath, nodeModulesPath } = config.host;
      const guard = createGuard({
        isKnown: (name) => table.app(name) !== undefined,
        isLoaded: () => table.loaded,
        appByDomain: (host) => table.appByDomain(host),
        appNameOf,
        hasPackage: (name) => existsSync(path.join(nodeModulesPath, name, 'package.json')),
        publicPath,
        pluginStaticsPath,
        ...(proxy ? { serve: proxy.web } : {}),
      });
      GatewayClass.registerRequestHandler(guard as never);
    },
    stats: () => proxy?.stats() ?? [],
    close: async () => proxy?.close(),
  };
}
