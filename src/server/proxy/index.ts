import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ClientEntryMode, clientPathsOf } from '../../shared/client-paths';
import { isAppName } from '../../shared/names';
import type { Clock } from '../clock';
import { BOUNDS, type Bounds } from '../config/bounds';
import type { Log } from '../log';
import type { ProxyMetrics, ProxyStats } from '../observability/metrics';
import type { Random } from '../random';
import { languageOf } from '../visitor-texts';
import { answer, refuse, send } from './answers';
import type { Context } from './context';
import { pageFor } from './error-page';
import { hasSeveralHosts } from './headers';
import { LIMITS, type Limits } from './limits';
import type { AppNaming } from './naming';
import { limitOfWebSockets, Occupancy } from './occupancy';
import { createOpening, type Opening } from './opening';
import type { Origins } from './origins';
import { Pace } from './pace';
import { peerOf, trustOf, visitorAddress } from './peer';
import { Quarantine } from './quarantine';
import { type OnTrouble, References } from './references';
import type { RoutingTable } from './table';
import { Targets } from './targets';
import type { MainSecret } from './tokens';
import { basePath, pathOf, readTarget } from './url';
import { createWeb } from './web';
import { createWs } from './ws';

export { recordBodies } from './body-arrival';
export { createDomainFront, type DomainFront } from './domains';
export { appRouteOf, environmentRouteOf } from './door-routes';
export { createGuard, type Guard, type GuardOptions, type WaitingGuard } from './gateway-guard';
export { VIA } from './headers';
export { LIMITS, type Limits } from './limits';
export { type AppNaming, createNaming, INVALID_APP } from './naming';
export { createOpeningHere, type LookHere, type Opening } from './opening';
export { createOrigins, type Origins } from './origins';
export { createPageFront, type PageFront } from './page-front';
export { peerOf, trustOf, visitorAddress } from './peer';
export { createSelector, type SelectorContext } from './selector';
export { createSsoFront, pageAsked, type SsoFront, signInPage, ssoCookie } from './sso';
export { handOver, SSO_HEADERS, ssoPage } from './sso-page';
export { hostnameOf, type RouteApp, type RouteEnvironment, RoutingTable } from './table';
export { basePath } from './url';
export { boundMessages, boundSocket, type MessageServer } from './web-sockets';

export interface ProxyConfig {
  /**
   * `API_BASE_PATH`, `WS_PATH`, `APP_PUBLIC_PATH`, `APP_MODERN_CLIENT_PREFIX`: the same on the Supervisor and on
   * workers.
   */
  apiBasePath: string;
  wsPath: string;
  publicPath: string;
  modernPrefix: string;
  clientEntryMode?: ClientEntryMode;
  /** Addresses, networks or `loopback` whose `X-Forwarded-*` headers are trusted. */
  trustedProxies: readonly string[];
  /** Needed because WebSocket requests arrive without a name. */
  appNameOf: AppNaming;
  origins: Origins;
  mainSecret: MainSecret;
  limits?: Partial<Limits>;
  bounds?: Partial<Bounds>;
}

/** `web` and `ws` never throw (invariant 7): the core does not catch, and an uncaught error ends the process. */
export interface AppProxy {
  /** @returns false for `main` only; a request for any other app has been answered or forwarded */
  web(appName: string, req: IncomingMessage, res: ServerResponse): boolean;
  /** For pages of apps: see there. */
  opening: Opening;
  /**
   * @returns false for `main` and for paths other than `wsPath`, which the core handles; otherwise the proxy owns the
   * socket. Later, if the visitor's address has opened many: then it waits for its turn.
   */
  ws(req: IncomingMessage, socket: Duplex, head: Buffer): boolean | Promise<boolean>;
  stats(): ProxyStats[];
  /** Closes all connections immediately, for a process that ends. */
  close(): void;
}

interface ProxyOptions {
  table: RoutingTable;
  config: ProxyConfig;
  clock: Clock;
  random: Random;
  log: Log;
  metrics?: ProxyMetrics;
  /** Called for each connection to an environment that could not be established. */
  onUnreachable?: (environment: string) => void;
  /** Called once for each cause that visitors are only referred to. */
  onTrouble?: OnTrouble;
}

/**
 * WebSockets that one address opens: 200 at once, then 100 a second. Each costs the Supervisor and a Worker some ms; after a restart
 * all people behind an address open theirs at the same time.
 */
const UPGRADES = { every: 10, burst: 200, longest: 30_000 };

export function createProxy(options: ProxyOptions): AppProxy {
  const { table, config } = options;
  const context = contextOf(options);
  const { limits, targets } = context;
  const web = createWeb(context);
  const ws = createWs(context);

  const { unroutable, failed } = answersOf(context);
  const upgrades = new Pace(UPGRADES.every, UPGRADES.burst, UPGRADES.longest);
  const upgrade = (name: string, req: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
    try {
      if (name === 'main') return !enterMain(context, req, socket);
      const app = table.app(name);
      if (app) ws.upgrade(app, req, socket, head);
      else refuse(socket, unroutable(name, req), limits.linger, context.clock);
    } catch (error) {
      refuse(socket, failed(name, req, error), limits.linger, context.clock);
    }
    return true;
  };

  return {
    web(appName, req, res) {
      if (appName === 'main') return false;
      try {
        const app = table.app(appName);
        if (app) web(app, req, res);
        else {
          const what = unroutable(appName, req);
          send(req, res, what, pageFor(req, pathOf(req.url ?? '/'), context.config.apiBase, what));
        }
      } catch (error) {
        send(req, res, failed(appName, req, error));
      }
      return true;
    },

    opening: createOpening(context),

    ws(req, socket, head) {
      // First, because a visitor that resets the connection now would end the process (T2).
      socket.on('error', () => socket.destroy());
      let name = '';
      try {
        const isUnderstood = readTarget(req) && !hasSeveralHosts(req);
        if (pathOf(req.url ?? '') !== context.config.wsPath) return false;
        if (refusesHead(context, isUnderstood, req, socket)) return true;
        name = config.appNameOf(req);
        const wait = turnOf(upgrades, context, name, req, socket);
        if (wait === null) return true;
        if (wait > 0) return context.clock.sleep(wait).then(() => socket.destroyed || upgrade(name, req, socket, head));
      } catch (error) {
        refuse(socket, failed(name, req, error), limits.linger, context.clock);
        return true;
      }
      return upgrade(name, req, socket, head);
    },

    stats: () => [...targets].map(({ name, inFlight, webSockets }) => ({ environment: name, inFlight, webSockets })),

    close() {
      ws.close();
      targets.close();
    },
  };
}

/** What is answered where there is no app to ask. */
function answersOf(context: Context) {
  const { table, log } = context;
  const unroutable = (name: string, { headers }: IncomingMessage) => {
    const code = table.loaded || !isAppName(name) ? 'APP_NOT_FOUND' : 'APP_PREPARING';
    context.metrics?.request('', code, null);
    return answer(code, isAppName(name) ? name : '', { language: languageOf(headers) });
  };
  /** A bug of ours. */
  const failed = (name: string, { headers }: IncomingMessage, error: unknown) => {
    log.error('The proxy failed', { app: name, error: stackOf(error) });
    const app = table.app(name);
    const trouble = { app: app?.name ?? '', environment: '', code: 'APP_PROXY_FAILED', cause: String(error) } as const;
    const reference = context.references.of(trouble);
    return answer('APP_PROXY_FAILED', app?.title ?? app?.name, { language: languageOf(headers), reference });
  };
  return { unroutable, failed };
}

/** @returns whether the head of an upgrade has been answered, because nobody reads on */
function refusesHead(
  { occupancy, metrics, limits, clock }: Context,
  isUnderstood: boolean,
  req: IncomingMessage,
  socket: Duplex,
): boolean {
  const isLong = req.rawHeaders.length / 2 > occupancy.bounds.headers;
  if (isUnderstood && !isLong) return false;
  const code = isLong ? 'HEADERS_TOO_MANY' : 'BAD_REQUEST';
  metrics?.request('', code, null);
  if (isLong) metrics?.limited('', 'headers');
  refuse(socket, answer(code), limits.linger, clock);
  return true;
}

/** @returns how long the visitor waits for his WebSocket, in ms; null if that would be too long, which has been answered */
function turnOf(
  upgrades: Pace,
  { trusts, now, metrics, limits, clock }: Context,
  name: string,
  req: IncomingMessage,
  socket: Duplex,
): number | null {
  const wait = upgrades.turn(addressOf(req, socket, trusts), now());
  if (wait !== null) return wait;
  metrics?.request('', 'ADDRESS_BUSY', null);
  metrics?.limited(name, 'websockets_per_address');
  refuse(socket, answer('ADDRESS_BUSY', '', { language: languageOf(req.headers) }), limits.linger, clock);
  return null;
}

const addressOf = ({ headers }: IncomingMessage, socket: Duplex, trusts: Context['trusts']): string | null =>
  visitorAddress(headers['x-forwarded-for'], peerOf(socket as Socket, trusts), trusts);

/**
 * The WebSockets of main are the core's, but their places are counted as those of an app.
 * @returns false if there is none: then it has been answered
 */
function enterMain(
  { occupancy, trusts, metrics, limits, clock }: Context,
  req: IncomingMessage,
  socket: Duplex,
): boolean {
  const leave = occupancy.webSocket('main', addressOf(req, socket, trusts));
  if (typeof leave !== 'string') {
    socket.once('close', leave);
    return true;
  }
  metrics?.request('', leave, null);
  metrics?.limited('main', limitOfWebSockets(leave));
  refuse(socket, answer(leave, '', { language: languageOf(req.headers) }), limits.linger, clock);
  return false;
}

/** What the parts of one proxy share. */
function contextOf({ table, config, clock, random, log, metrics, ...events }: ProxyOptions): Context {
  const limits = { ...LIMITS, ...config.limits };
  const environmentOf = (name: string) => table.environment(name);
  return {
    table,
    environmentOf,
    origins: config.origins,
    cookiesOf: (app) => ({ app, isApp: (name) => table.app(name) !== undefined }),
    mainSecret: config.mainSecret,
    targets: new Targets(limits, clock, (name) => environmentOf(name) !== undefined),
    limits,
    references: new References(clock, log, events.onTrouble ?? (() => undefined)),
    occupancy: new Occupancy({ ...BOUNDS, ...config.bounds }),
    log,
    quarantine: new Quarantine(limits.quarantine),
    onUnreachable: events.onUnreachable ?? (() => undefined),
    config: {
      apiBase: basePath(config.apiBasePath),
      ...clientPathsOf(config),
      wsPath: config.wsPath.replace(/\/$/, ''),
    },
    trusts: trustOf(config.trustedProxies, (entry) =>
      log.warn(`"${entry}" is no address, network or name of a proxy: ignored`),
    ),
    mark: random.hex(6),
    clock,
    now: () => clock.now().mono,
    metrics,
  };
}

/**
 * Node ends a request that is not complete after five minutes, and a connection that is idle for five seconds. The
 * first limit breaks large uploads; the second races with the next request of a proxy in front. For
 * `Gateway.getInstance().server`, in every role. The limit for headers (one minute) stays.
 */
export function tuneServer(server: Server): void {
  server.requestTimeout = 0;
  server.keepAliveTimeout = 65_000;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
