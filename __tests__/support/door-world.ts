import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { freePort } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { BOUNDS } from '../../src/server/config/bounds';
import { type DoorFiles, filesOf } from '../../src/server/door/rules';
import { createLog } from '../../src/server/log';
import {
  createDomainFront,
  createGuard,
  createNaming,
  createOrigins,
  createProxy,
  createSsoFront,
  RoutingTable,
  trustOf,
} from '../../src/server/proxy';
import { parseAppsDomain } from '../../src/shared/origins';
import type { AppRoute, RouteSettings } from '../../src/shared/routes';
import { PLACE, routesOf } from './door';
import { doorFolder, startHaproxy } from './haproxy';
import { SeededRandom } from './random';

/**
 * A door and the module, with the same apps and the same Workers behind both. Workers tell what they got, and answer as the request asks
 * them to; what the door leaves to the module is seen there as it came.
 */

export const MAIN_SECRET = 'the secret of main';
/** Visitors at the first address are strangers, those at the second one come through a trusted proxy. */
export const STRANGER = '127.0.0.2';
export const TRUSTED = '127.0.0.3';

/** What this process may need to accept a connection and to answer, in ms: more than a door and the module give a Worker. */
const STARVED = 60_000;
const patient = (files: DoorFiles): DoorFiles => ({
  ...files,
  'haproxy.cfg': files['haproxy.cfg'].replaceAll(/timeout (?:connect 2s|server 10s)/g, (limit) =>
    limit.replace(/\d+s/, `${STARVED}ms`),
  ),
});

/** What a server has got. */
export interface Got {
  by: string;
  method: string;
  url: string;
  /** Names in lower case, in order. */
  fields: Array<readonly [string, string]>;
  body: string;
}

export interface World {
  /** Ports of the two ways to the same apps. */
  door: number;
  module: number;
  settings: RouteSettings;
  apps: AppRoute[];
  /** By the request's `x-id`: what the Worker got, and what the module got of what the door has left. */
  atWorker: Map<string, Got>;
  atModule: Map<string, Got>;
  said(): string;
  /** Of the Supervisor behind the door, or of the Worker of an environment. */
  end(what: 'supervisor' | 'a' | 'b'): Promise<void>;
  stop(): Promise<void>;
}

const APPS: Array<Partial<AppRoute> & Pick<AppRoute, 'uid' | 'name'>> = [
  { uid: 'u-crm', name: 'crm', hosts: ['crm.apps.test', 'crm.test'], environments: ['a', 'b'] },
  { uid: 'u-shop', name: 'shop', hosts: ['shop.apps.test', 'shop.test'], environments: ['b'] },
  { uid: 'u-erp', name: 'erp-2', hosts: ['erp-2.apps.test'], environments: ['b', 'a'] },
  { uid: 'u-main', name: 'my_main', hosts: ['my-main.apps.test'], environments: ['a'] },
  { uid: 'u-crm_x', name: 'x_crm', hosts: ['x-crm.apps.test'], environments: ['a'] },
  { uid: 'u-big', name: 'Big', hosts: ['big.apps.test'], environments: ['a'] },
  { uid: 'u-wiki', name: 'wiki', hosts: ['wiki.apps.test', 'wiki.test'], environments: ['a'], signIn: true },
  { uid: 'u-closed', name: 'closed', hosts: ['closed.apps.test', 'closed.test'], environments: [] },
  { uid: 'u-halted', name: 'halted', hosts: ['halted.apps.test', 'halted.test'], environments: [], stopped: true },
];

/** @param change of the files before they are read, for a rule that is taken out */
export async function startWorld(
  settings: Partial<RouteSettings> = {},
  change: (files: DoorFiles) => DoorFiles = (files) => files,
): Promise<World> {
  const atWorker = new Map<string, Got>();
  const atModule = new Map<string, Got>();
  const publicPath = settings.publicPath ?? '/';
  const [a, b] = ['a', 'b'].map((name) => worker(name, atWorker, publicPath));
  const workers = { a: await serve(a), b: await serve(b) };
  const addresses = { a: `http://127.0.0.1:${workers.a.port}`, b: `http://127.0.0.1:${workers.b.port}` };
  const isBelow = (host: string) => host.endsWith('.apps.test');
  const known = APPS.map((app) => ({
    ...app,
    hosts: app.hosts?.filter((host) => settings.appsDomain || !isBelow(host)),
  }));
  const routes = routesOf(known, addresses, {
    trustedProxies: ['127.0.0.1', TRUSTED],
    publicUrl: 'http://main.test',
    ...settings,
  });
  const apps = [...routes.apps.values()];
  const handler = moduleOf(apps, addresses, routes.settings);
  const direct = await serve(handler);
  const behind = await serve(watched(handler, atModule));
  const folder = doorFolder();
  const port = await freePort();
  const listeners = [{ address: `127.0.0.1:${port}`, certificates: null, proxyProtocol: false, redirects: false }];
  const place = { ...PLACE, folder, listeners, supervisors: [`http://127.0.0.1:${behind.port}`] };
  const haproxy = await startHaproxy(folder, change(patient(filesOf(place, routes))), port);
  return {
    door: port,
    module: direct.port,
    settings: routes.settings,
    apps,
    atWorker,
    atModule,
    said: haproxy.said,
    end: (what) => (what === 'supervisor' ? behind : workers[what]).close(),
    async stop() {
      await haproxy.stop();
      for (const server of [workers.a, workers.b, direct, behind]) await server.close();
      handler.close();
    },
  };
}

interface Handler {
  web(req: IncomingMessage, res: ServerResponse): void;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void;
}

async function serve(handler: Handler): Promise<{ port: number; close(): Promise<void> }> {
  const server = http.createServer({ keepAliveTimeout: 600_000 }, handler.web);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', handler.upgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

const fieldsOf = ({ rawHeaders }: IncomingMessage): Got['fields'] =>
  Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i].toLowerCase(), rawHeaders[2 * i + 1]]);

const idOf = ({ headers }: IncomingMessage): string => String(headers['x-id']);

const acceptOf = ({ headers }: IncomingMessage): string =>
  createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** What a Worker answers if the request asks for it: cookies, places, fields of the connection. After the last one the module asks it no more for a while. */
export const ANSWERS: Array<[status: number, fields: Array<[string, string]>]> = [
  [
    200,
    [
      ['Content-Type', 'application/json'],
      ['Keep-Alive', 'timeout=5'],
    ],
  ],
  [
    200,
    [
      ['Set-Cookie', 'nb_auth_token_main=stolen; Path=/'],
      ['Set-Cookie', 'a=b; Path=/'],
    ],
  ],
  [
    200,
    [
      ['Set-Cookie', 'nb_auth_token_crm=1; Path=/'],
      ['Set-Cookie', 'x=1; Domain=apps.test; Path=/'],
    ],
  ],
  [200, [['Set-Cookie', 'app_environment=crm.b; Path=/']]],
  [
    200,
    [
      ['Set-Cookie', '=nb_role_main=x'],
      ['Set-Cookie', 'nb_plugin_shop=1'],
      ['Set-Cookie', 'nb_plugin_x_crm=1'],
    ],
  ],
  [302, [['Location', '/storage/uploads/a.png?x=1']]],
  [302, [['Location', '/storage/uploads/../../secret']]],
  [302, [['Location', 'http://crm.test/storage/uploads/b.png']]],
  [302, [['Location', 'https://elsewhere.test/storage/uploads/b.png']]],
  [301, [['Location', '/admin/']]],
  [
    200,
    [
      ['Connection', 'close, X-Secret'],
      ['X-Secret', '1'],
      ['X-Other', '2'],
    ],
  ],
  [
    200,
    [
      ['X-App-Environment', 'other'],
      ['Content-Security-Policy', "default-src 'self'"],
      ['TE', 'x'],
      ['Proxy-Authenticate', 'Basic'],
    ],
  ],
  [404, [['Content-Type', 'text/plain']]],
  [500, [['X-Power', 'ü']]],
  [304, [['ETag', '"1"']]],
  [204, []],
  [503, [['Content-Type', 'text/html']]],
  [200, [['Content-Type', 'text/html; charset=utf-8']]],
  [502, [['X-App-Supervisor-Away', 'refused']]],
];

function worker(by: string, atWorker: Map<string, Got>, publicPath: string): Handler {
  const placed = (value: string) => value.replace('/storage/', `${publicPath}storage/`);
  const note = (req: IncomingMessage, body: string) => {
    atWorker.set(idOf(req), { by, method: req.method ?? '', url: req.url ?? '', fields: fieldsOf(req), body });
  };
  return {
    web(req, res) {
      const chunks: Buffer[] = [];
      req.on('data', (chunk) => chunks.push(chunk));
      req.on('end', () => {
        const body = Buffer.concat(chunks).toString('latin1');
        note(req, body);
        const [status, fields] = ANSWERS[Number(req.headers['x-answer'] ?? 0)] ?? ANSWERS[0];
        res.writeHead(status, fields.flat().map(placed));
        res.end(`${by} ${req.method} ${req.url} ${body.length}`);
      });
    },
    upgrade(req, socket) {
      note(req, '');
      const [, fields] = ANSWERS[Number(req.headers['x-answer'] ?? 0)] ?? ANSWERS[0];
      const cookies = fields.filter(([name]) => name === 'Set-Cookie').map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(req)}\r\nX-By: ${by}\r\n${cookies.join('')}\r\n`,
        'latin1',
      );
      socket.pipe(socket);
    },
  };
}

/** The Supervisor's front without the core: what is main's is answered with its name. */
function moduleOf(
  apps: AppRoute[],
  addresses: Record<string, string>,
  settings: RouteSettings,
): Handler & { close(): void } {
  const { appsDomain, publicUrl, apiBase, publicPath, modernPrefix, wsPath, frameAncestors } = settings;
  const table = new RoutingTable(appsDomain === null ? null : parseAppsDomain(appsDomain));
  table.replaceApps(
    apps.map((app) => ({
      name: app.name,
      cname: app.hosts.find((host) => !host.endsWith('.apps.test')) ?? null,
      desired: app.environments.length ? ('running' as const) : ('stopped' as const),
      environments: app.environments.length ? app.environments : ['a'],
      targetEnvironment: null,
      isDomainVerified: true,
      sso: app.signIn ? { passwordSignIn: true } : null,
      statuses: new Map(app.environments.map((name) => [name, 'running' as const])),
    })),
  );
  table.replaceEnvironments(
    Object.entries(addresses).map(([name, proxyUrl]) => ({ name, proxyUrl, serves: true, health: 'online' as const })),
  );
  const trusts = trustOf(settings.trustedProxies, () => {});
  const appNameOf = createNaming({ apiBasePath: apiBase, publicPath, domains: table });
  const origins = createOrigins({
    table,
    addresses: { publicUrl, appsDomain },
    publicPath,
    modernPrefix,
    trusts,
    frameAncestors,
  });
  const log = createLog({ debug() {}, info() {}, warn() {}, error() {} });
  const proxy = createProxy({
    table,
    config: {
      apiBasePath: apiBase,
      wsPath,
      publicPath,
      modernPrefix,
      trustedProxies: settings.trustedProxies,
      appNameOf,
      origins,
      mainSecret: () => MAIN_SECRET,
      limits: { connect: STARVED, handshake: STARVED },
    },
    clock: systemClock,
    random: new SeededRandom(),
    log,
  });
  const guard = createGuard({
    isKnown: (name) => table.app(name) !== undefined,
    isLoaded: () => true,
    appNameOf,
    clock: systemClock,
    hasPackage: () => true,
    apiBase,
    pluginStaticsPath: `${publicPath}static/plugins/`,
    publicPath,
    origins,
    sso: createSsoFront({ table, trusts, publicUrl, apiBase, publicPath, modernPrefix }),
    domains: createDomainFront({ table, trusts, prove: (domain) => `proof of ${domain}`, publicPath }),
    bounds: BOUNDS,
    trusts,
    secretOf: () => MAIN_SECRET,
    serve: proxy.web,
  });
  return {
    web(req, res) {
      void Promise.resolve(guard(req, res)).then((isAnswered) => {
        if (isAnswered) return;
        req.resume().on('end', () => res.end('main'));
      });
    },
    upgrade(req, socket, head) {
      void Promise.resolve(proxy.ws(req, socket, head)).then((isAnswered) => {
        if (!isAnswered)
          socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nX-Main: 1\r\nConnection: close\r\n\r\nmain');
      });
    },
    close: () => proxy.close(),
  };
}

/** Notes what comes, without reading it. */
function watched({ web, upgrade }: Handler, got: Map<string, Got>): Handler {
  const note = (req: IncomingMessage) =>
    void got.set(idOf(req), {
      by: 'module',
      method: req.method ?? '',
      url: req.url ?? '',
      fields: fieldsOf(req),
      body: '',
    });
  return {
    web(req, res) {
      note(req);
      web(req, res);
    },
    upgrade(req, socket, head) {
      note(req);
      upgrade(req, socket, head);
    },
  };
}
