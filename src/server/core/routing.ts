import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Gateway } from '@nocobase/server';
import { clientPathsOf } from '../../shared/client-paths';
import { namesPortals } from '../../shared/nocobase-releases';
import { parseAppsDomain } from '../../shared/origins';
import type { Clock } from '../clock';
import type { ActiveConfig } from '../config';
import { nocobaseVersion } from '../nocobase/version';
import { type Answerer, answerForFailed, type FailureOf, notifyUsersOnly, type Sender } from '../nocobase/visitors';
import type { ProveDomain } from '../protocol/domain-proof';
import {
  type AppNaming,
  type AppProxy,
  basePath,
  boundMessages,
  boundSocket,
  createDomainFront,
  createGuard,
  createNaming,
  createOrigins,
  createPageFront,
  createSelector,
  type DomainFront,
  type Guard,
  type GuardOptions,
  type MessageServer,
  type Opening,
  type Origins,
  RoutingTable,
  recordBodies,
  type SsoFront,
  trustOf,
  tuneServer,
  type WaitingGuard,
} from '../proxy';
import type { UpdateRoutes } from './routes';

export interface GatewayHooks {
  registerRequestHandler(handler: never): void;
}

export type RoutingConfig = Pick<
  ActiveConfig,
  'host' | 'appsDomain' | 'publicUrl' | 'trustedProxies' | 'frameAncestors' | 'bounds'
>;

/** What of this process the guard and the core's gateway need. */
export type RoutingParts = Pick<GuardOptions, 'secretOf' | 'metrics'> & { failureOf: FailureOf };

/** What a role adds to the hooks that every role has. */
export interface PartHooks {
  /** Forwards requests of apps; if absent, the core serves them here. */
  serve?: AppProxy['web'];
  /** Gets the requests of the main app. */
  last?: Guard;
  /** Begins sign-ins by the main app. */
  sso?: SsoFront;
  /** Whether an app can be opened, where pages of apps are answered; absent on a Worker. */
  opening?: Opening;
  /** Proves that custom domains lead here. */
  domains?: DomainFront;
  /** Gives uploads to other Workers. */
  uploads?: GuardOptions['uploads'];
}

/** Determines the app of each request in this process. */
export class Routing {
  readonly table: RoutingTable;
  readonly appNameOf: AppNaming;
  readonly origins: Origins;
  private installed = false;

  constructor(
    private readonly config: RoutingConfig,
    /** The only app that this process runs; null if it runs all. */
    private readonly only: string | null,
    private readonly clock: Clock,
    private readonly updateRoutes: UpdateRoutes,
    private readonly own: RoutingParts,
  ) {
    const { appsDomain, publicUrl, trustedProxies, frameAncestors } = config;
    const { apiBasePath, publicPath } = config.host;
    this.table = new RoutingTable(appsDomain === null ? null : parseAppsDomain(appsDomain));
    this.appNameOf = createNaming({
      apiBasePath,
      publicPath,
      domains: this.table,
      portals: namesPortals(nocobaseVersion),
      only,
    });
    this.origins = createOrigins({
      table: this.table,
      addresses: { publicUrl, appsDomain },
      ...clientPathsOf(config.host),
      trusts: trustOf(trustedProxies, () => undefined), // the proxy names what it does not know
      frameAncestors,
    });
  }

  /**
   * Updates the table.
   * @param names of apps that may have changed; absent: all
   */
  update(names?: Iterable<string>): void {
    this.updateRoutes(this.table, names);
  }

  /** Proves to the Supervisors of this fleet that custom domains lead here. */
  domainFront(prove: ProveDomain): DomainFront {
    const { trustedProxies, host } = this.config;
    const trusts = trustOf(trustedProxies, () => undefined);
    return createDomainFront({ table: this.table, trusts, prove, publicPath: `${basePath(host.publicPath)}/` });
  }

  /** Hooks into the core's gateway; a repeated call after a restart of the main app changes nothing. */
  install(gateway: Gateway, GatewayClass: GatewayHooks, { serve, last, ...fronts }: PartHooks = {}): void {
    if (gateway.server) tuneServer(gateway.server);
    // The core deduplicates middleware by text, so the first one survives a restart of the main app, and so does this
    // table.
    gateway.addAppSelectorMiddleware(createSelector(() => this.table, this.only) as never, {
      tag: 'app-supervisor',
      after: 'core',
    });
    if (this.installed) return;
    this.installed = true;
    const { wsServer } = gateway as unknown as { wsServer: (Sender & { wss: MessageServer }) | null };
    if (wsServer) notifyUsersOnly(wsServer, this.own.failureOf);
    if (gateway.server) recordBodies(gateway.server);
    this.boundWebSockets(gateway, wsServer);
    answerForFailed(gateway as unknown as Answerer, this.own.failureOf);
    GatewayClass.registerRequestHandler(this.guard(serve ?? null, fronts) as never);
    if (last) GatewayClass.registerRequestHandler(last as never);
  }

  /** Those that the core serves here, and on the Supervisor those that the proxy passes on. */
  private boundWebSockets({ server }: Gateway, wsServer: { wss: MessageServer } | null): void {
    const { config, clock } = this;
    const { metrics } = this.own;
    server?.on('upgrade', (_, socket) =>
      boundSocket(socket, config.bounds, clock, () => metrics?.limited('', 'websocket_message')),
    );
    if (wsServer) boundMessages(wsServer.wss, config.bounds, clock, () => metrics?.limited('', 'websocket_messages'));
  }

  private guard(
    serve: AppProxy['web'] | null,
    { opening, ...fronts }: Pick<PartHooks, 'sso' | 'opening' | 'domains' | 'uploads'>,
  ): WaitingGuard {
    const { table, appNameOf, origins, clock } = this;
    const { host } = this.config;
    const trusts = trustOf(this.config.trustedProxies, () => undefined);
    const apiBase = basePath(host.apiBasePath);
    const pages = opening ? createPageFront({ table, trusts, apiBase, opening, ...clientPathsOf(host) }) : null;
    return createGuard({
      isKnown: (name) => table.app(name) !== undefined,
      isLoaded: () => table.loaded,
      appNameOf,
      origins,
      ...fronts,
      pages,
      bounds: this.config.bounds,
      trusts,
      secretOf: this.own.secretOf,
      metrics: this.own.metrics,
      clock,
      hasPackage: (name) => existsSync(path.join(host.nodeModulesPath, name, 'package.json')),
      apiBase,
      pluginStaticsPath: host.pluginStaticsPath,
      publicPath: `${basePath(host.publicPath)}/`,
      serve,
    });
  }
}
