import http, { type IncomingMessage, type RequestListener } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { freePort } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import type { Bounds } from '../../src/server/config/bounds';
import { systemRandom } from '../../src/server/core/system';
import { createLog } from '../../src/server/log';
import {
  type AppNaming,
  type AppProxy,
  createPageFront,
  createProxy,
  type Limits,
  type RouteApp,
  RoutingTable,
  trustOf,
} from '../../src/server/proxy';
import type { OriginOptions } from '../../src/server/proxy/origins';
import { parseAppsDomain } from '../../src/shared/origins';
import type { Status } from '../../src/shared/types';
import { originsOf } from '../support/origins';

/**
 * A Supervisor's front door without the core: a server that calls the proxy as gateway/index.ts does (handlers are async
 * and nobody catches), workers that are real servers on 127.0.0.1, and visitors down to the bare socket. Every socket of
 * both sides is counted.
 */

/** Shorter where a test waits for the limit itself; here beyond what any test waits for, so that none passes by one. */
const LIMITS: Partial<Limits> = { connect: 600_000, handshake: 600_000, idle: 600_000, linger: 200 };

export const MAIN_SECRET = 'the secret of main';

export interface Listening {
  port: number;
  sockets: Set<Socket>;
  close(): Promise<void>;
}

async function listen<S extends net.Server>(server: S, port = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

type OnUpgrade = (req: IncomingMessage, socket: Socket, head: Buffer) => void;

interface WorkerOptions {
  port?: number;
  upgrade?: OnUpgrade;
  /** How long it keeps a connection without a request, in ms. */
  keepAliveTimeout?: number;
}

export function worker(handler: RequestListener, more: WorkerOptions = {}) {
  const server = http.createServer({ keepAliveTimeout: more.keepAliveTimeout }, handler);
  if (more.upgrade) server.on('upgrade', more.upgrade);
  return listen(tolerant(server), more.port);
}
export const rawWorker = (handler: (socket: Socket) => void) =>
  listen(tolerant(net.createServer({ allowHalfOpen: true }, handler)));

/** Workers put up with resets; the front has to by itself. */
function tolerant<S extends net.Server>(server: S): S {
  server.on('connection', (socket: Socket) => socket.on('error', () => {}));
  return server;
}

/** A port nobody listens on, none of other tests either. */
export const deadPort = (): Promise<number> => freePort();

export interface Front extends Listening {
  proxy: AppProxy;
  table: RoutingTable;
  /** The proxy's clock stands still unless a test turns it. */
  clock: { ahead: number };
  warnings: string[];
  /** Environments that could not be reached, once for each attempt. */
  unreachable: string[];
  results: string[];
  /** App and limit of each that a limit has refused. */
  limited: string[];
  url: string;
  /** Connections of visitors. */
  visitors(): number | Promise<number>;
  /** Requests that are under way, and WebSockets that are open. */
  underWay(): number | Promise<number>;
  webSockets(): number | Promise<number>;
  /** Lets connections to Workers go that are idle. */
  letGo(): unknown;
}

export interface FrontOptions {
  /** Port (or address) of each environment's worker, in the app's order. */
  environments: Record<string, number | string>;
  statuses?: Record<string, Status>;
  app?: Partial<RouteApp>;
  /** False: definitions have not been read yet. */
  loaded?: boolean;
  limits?: Partial<Limits>;
  trustedProxies?: string[];
  server?: http.ServerOptions;
  appNameOf?: AppNaming;
  origins?: Partial<OriginOptions>;
  bounds?: Partial<Bounds>;
}

/** The app of these options, which runs in all of their environments. */
export function appOf({ environments, statuses, app }: FrontOptions): RouteApp {
  const names = Object.keys(environments);
  return {
    name: 'app1',
    cname: 'shop.test',
    desired: 'running',
    environments: names,
    targetEnvironment: null,
    statuses: new Map(names.map((name) => [name, statuses?.[name] ?? 'running'])),
    ...app,
  };
}

/** By name, the address of each environment. */
export const addressesOf = ({ environments }: FrontOptions): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environments).map(([name, where]) => [
      name,
      typeof where === 'number' ? `http://127.0.0.1:${where}` : where,
    ]),
  );

/** The Supervisor alone. */
export async function front(options: FrontOptions): Promise<Front> {
  const { appsDomain = null } = options.origins?.addresses ?? {};
  const table = new RoutingTable(appsDomain === null ? null : parseAppsDomain(appsDomain));
  if (options.loaded !== false) table.replaceApps([appOf(options)]);
  table.replaceEnvironments(
    Object.entries(addressesOf(options)).map(([name, proxyUrl]) => ({
      name,
      proxyUrl,
      serves: true,
      health: 'online',
    })),
  );
  const clock = { ahead: 0 };
  const warnings: string[] = [];
  const unreachable: string[] = [];
  const results: string[] = [];
  const limited: string[] = [];
  const log = (message: string) => warnings.push(message);
  const appNameOf =
    options.appNameOf ??
    ((req: Parameters<AppNaming>[0]) => String(req.headers['x-app'] ?? nameInQuery(req) ?? 'app1'));
  const proxy = createProxy({
    table,
    onUnreachable: (environment) => unreachable.push(environment),
    config: {
      apiBasePath: '/api/',
      wsPath: '/ws',
      publicPath: '/',
      modernPrefix: 'v',
      trustedProxies: options.trustedProxies ?? ['loopback'],
      appNameOf,
      origins: originsOf(table, options.origins),
      mainSecret: () => MAIN_SECRET,
      // Nobody has a token here.
      bounds: { anonymousBody: 1_000_000_000, ...options.bounds },
      limits: { ...LIMITS, ...options.limits },
    },
    clock: { ...systemClock, now: () => ({ ...systemClock.now(), mono: 1_000_000 + clock.ahead }) },
    random: systemRandom,
    log: createLog({ debug: () => {}, info: log, warn: log, error: log }),
    metrics: {
      request: (environment, result) => results.push(`${environment} ${result}`),
      limited: (app, limit) => limited.push(`${app} ${limit}`),
    },
  });
  const trusts = trustOf(options.trustedProxies ?? ['loopback'], () => undefined);
  const { opening } = proxy;
  const pages = createPageFront({ table, apiBase: '/api', publicPath: '/', modernPrefix: 'v', trusts, opening });
  const server = http.createServer(options.server ?? {}, (req, res) => {
    // A door asks for it.
    if (req.url === '/api/__ready') return res.end('ready');
    const name = appNameOf(req);
    const goOn = (isAnswered: boolean) => {
      if (!isAnswered && !proxy.web(name, req, res)) res.end('main');
    };
    const isAnswered = pages(name, req, res);
    if (typeof isAnswered === 'object') void isAnswered.then(goOn);
    else goOn(isAnswered);
  });
  server.on('upgrade', async (req, socket, head) => {
    if (!(await proxy.ws(req, socket, head))) socket.destroy();
  });
  const listening = await listen(server);
  return {
    ...listening,
    proxy,
    table,
    clock,
    warnings,
    unreachable,
    results,
    limited,
    url: `http://127.0.0.1:${listening.port}`,
    visitors: () => listening.sockets.size,
    underWay: () => sum(proxy.stats().map(({ inFlight }) => inFlight)),
    webSockets: () => sum(proxy.stats().map(({ webSockets }) => webSockets)),
    letGo: () => proxy.close(),
    async close() {
      proxy.close();
      await listening.close();
    },
  };
}

const sum = (numbers: number[]): number => numbers.reduce((one, other) => one + other, 0);

function nameInQuery(req: { url?: string }): string | null {
  return new URL(req.url ?? '/', 'http://any').searchParams.get('__appName');
}

/** Waits for a condition; a test never sleeps for luck. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 60_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
  trailers: NodeJS.Dict<string>;
  /** `error.code` of the core's error shape. */
  code: string | undefined;
}

export interface Ask {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer;
  agent?: http.Agent;
}

/** One request on a connection of its own, read to the end; rejects if the answer breaks off. */
export function ask(port: number, path: string, { method = 'GET', headers, body, agent }: Ask = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = http.request({ host: '127.0.0.1', port, path, method, headers, agent: agent ?? false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        let code: string | undefined;
        try {
          code = JSON.parse(text).error?.code;
        } catch {}
        const { statusCode = 0, headers, rawHeaders, trailers } = res;
        resolve({ status: statusCode, headers, rawHeaders, body: text, trailers, code });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** A bare connection that gathers what comes back; with `keepsOpen` it does not answer a goodbye. */
export async function bare(
  port: number,
  keepsOpen = false,
): Promise<Socket & { text: () => string; ended: () => boolean }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: keepsOpen });
  let text = '';
  let ended = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('end', () => {
    ended = true;
  });
  socket.on('close', () => {
    ended = true;
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return Object.assign(socket, { text: () => text, ended: () => ended });
}

/** Faults that Node reports for the whole process; vitest would report them too, but not say which test. */
export function watchProcess(): string[] {
  const faults: string[] = [];
  process.on('unhandledRejection', (reason) => faults.push(`unhandled rejection: ${String(reason)}`));
  process.on('uncaughtException', (error) => faults.push(`uncaught exception: ${String(error)}`));
  return faults;
}
