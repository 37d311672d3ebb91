import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { freePort } from '../../scripts/fleet';
import { FeederPart, HAProxyPart } from '../../scripts/fleet/door';
import { ROOT } from '../../scripts/lib/root.mjs';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { MASTER_SOCKET } from '../../src/server/door/rules/place';
import { askMaster } from '../../src/server/door/runtime-socket';
import { fleetKeyOf, publicKeyOf } from '../../src/server/protocol/keyring';
import { RoutesWriter } from '../../src/server/protocol/published-routes';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import type { DoorReport } from '../../src/shared/door-report';
import type { AppRoute, EnvironmentRoute, Routes } from '../../src/shared/routes';
import { routesOf } from './door';
import { FLEET_SECRET, testEnvelope } from './envelope';
import { routeSettingsOf } from './fixtures';
import { recordedLog } from './log';
import { until } from './wait';

/** RFC 6455. */
export const WEB_SOCKET_ID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const BIG = Buffer.alloc(4_000_000);

/** Visits at the same time of those that come steadily. */
const MOST_UNDER_WAY = 200;

/** A real door, HAProxy and feeder, before echoing Workers. */

/**
 * Answers each request with its own name, and echoes what a WebSocket sends. What asks for `big` gets 4 MB, and for `silence` no answer.
 */
export class Echo {
  readonly sockets = new Set<Socket>();
  private readonly server: http.Server;

  constructor(readonly name: string) {
    this.server = http.createServer((request, response) => {
      if (request.url?.includes('silence')) return;
      if (request.url?.includes('big')) return response.end(BIG);
      response.setHeader('content-type', 'application/json');
      const { 'x-app': app = null, 'x-forwarded-proto': proto = null } = request.headers;
      response.end(JSON.stringify({ by: name, url: request.url, app, proto }));
    });
    this.server.keepAliveTimeout = 600_000;
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
    this.server.on('upgrade', ({ headers }, socket) => {
      socket.on('error', () => undefined);
      // HAProxy asks for the right one.
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${WEB_SOCKET_ID}`).digest('base64');
      const fields = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
      socket.pipe(socket);
    });
  }

  /** @param port where it was before, if it comes back */
  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(port, '127.0.0.1', () => {
        this.server.off('error', reject);
        resolve();
      });
    });
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Answers what it has begun, and takes nothing more. */
  async leave(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeIdleConnections();
    await closed;
  }

  /** Ends as a process does that is killed. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

export const routeOf = (name: string, environments: string[]) => ({ uid: `uid-${name}`, name, environments });

/** @param addresses of Workers, by environment */
export const tableOf = (apps: Parameters<typeof routesOf>[0], addresses: Record<string, string>): Routes => ({
  count: { term: 1, n: 1 },
  ...routesOf(apps, addresses),
});

/** What the leading Supervisor of a fleet publishes for doors, without a Supervisor. */
export class TestRoutes {
  private readonly stores: RedisStores;
  private readonly writer: RoutesWriter;
  private readonly apps = new Map<string, AppRoute>();
  private places: EnvironmentRoute[] = [];

  constructor(url: string, prefix: string) {
    const log = recordedLog();
    this.stores = new RedisStores(url, new Keys(prefix), testEnvelope(log), log, systemRandom, systemClock);
    this.stores.open();
    this.writer = new RoutesWriter(this.stores.routes, routeSettingsOf(), systemClock);
  }

  /**
   * @param addresses of Workers, by environment
   * @param term of the Supervisor that leads
   */
  async publish(
    apps: Array<{ name: string; environments: string[] }>,
    addresses: Record<string, string>,
    term = 1,
  ): Promise<void> {
    this.apps.clear();
    for (const { name, environments } of apps)
      this.apps.set(name, { ...routeOf(name, environments), hosts: [], stopped: false, signIn: false });
    this.places = Object.entries(addresses).map(([name, url]) => ({ name, url }));
    this.writer.note(null);
    const source = {
      keys: () => this.apps.keys(),
      get: (name: string) => this.apps.get(name),
      environments: () => this.places,
    };
    await until('The routes are written', () =>
      this.writer.publish(source, term).then(
        () => true,
        () => false,
      ),
    );
  }

  reports(): Promise<DoorReport[]> {
    return this.stores.doors.read();
  }

  close(): void {
    this.stores.shared.close();
  }
}

export const PUBLIC_KEY = publicKeyOf(fleetKeyOf(FLEET_SECRET));

/** Visitors on connections that stay open, as browsers have them, who ask one after the other, or as often in a second as they should. */
export class Visitors {
  readonly failures: string[] = [];
  /** The longest answer, in ms. */
  slowest = 0;
  done = 0;
  /** Requests that were sent again, because the connection was closed on which they followed another one. */
  again = 0;
  private isOver = false;
  private readonly agent = new http.Agent({ keepAlive: true });
  private readonly all: Promise<unknown>;

  /** @param accepts whether an answer is right, by who gave it */
  constructor(
    private readonly url: string,
    private readonly accepts: (by: string) => boolean,
    { count = 8, perSecond = null as number | null } = {},
  ) {
    const visit = async () => {
      while (!this.isOver) await this.visit();
    };
    this.all = perSecond ? this.steadily(perSecond) : Promise.all(Array.from({ length: count }, visit));
  }

  /**
   * Whether others have been answered or not. Those that are due since this process was starved come late, not all at once: a server takes 511
   * connections that it has not accepted yet.
   */
  private async steadily(perSecond: number): Promise<void> {
    const began = performance.now();
    const underWay = new Set<Promise<void>>();
    let visits = 0;
    while (!this.isOver) {
      const due = ((performance.now() - began) / 1_000) * perSecond;
      while (visits < due && underWay.size < MOST_UNDER_WAY) {
        visits++;
        const visit = this.visit().finally(() => underWay.delete(visit));
        underWay.add(visit);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await Promise.all(underWay);
  }

  private ask(): ReturnType<typeof get> {
    return get(this.url, this.agent).catch((error) => {
      if (!(error instanceof ClosedBefore)) throw error;
      this.again++;
      // Others that were kept for as long are closed, too.
      return get(this.url, false);
    });
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.all;
    this.agent.destroy();
  }

  private async visit(): Promise<void> {
    const began = performance.now();
    const { status, text } = await this.ask().catch((error) => ({ status: 0, text: String(error) }));
    this.slowest = Math.max(this.slowest, performance.now() - began);
    this.done++;
    if (status !== 200 || !this.accepts(JSON.parse(text).by)) this.failures.push(`${status} ${text}`);
  }
}

/** What browsers send again. */
class ClosedBefore extends Error {}

function get(url: string, agent: http.Agent | false): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = http
      .get(url, { agent }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      })
      .on('error', (error) => reject(request.reusedSocket ? new ClosedBefore(error.message) : error));
  });
}

export interface TestDoorOptions {
  supervisors: string[];
  env?: Record<string, string>;
}

export class TestDoor {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'door-'));
  readonly haproxy: HAProxyPart;
  readonly feeder: FeederPart;

  private constructor(
    readonly port: number,
    readonly env: Record<string, string>,
  ) {
    const logs = path.join(this.folder, 'logs');
    mkdirSync(logs, { recursive: true });
    this.haproxy = new HAProxyPart({ folder: this.folder, port, logFile: path.join(logs, 'haproxy.log') });
    this.feeder = new FeederPart({
      folder: this.folder,
      logFile: path.join(logs, 'feeder.log'),
      args: [
        ...['--require', path.join(ROOT, 'bench/scale/lua-as-text.cjs'), '--import', 'tsx'],
        path.join(ROOT, 'src/server/nocobase-door.ts'),
      ],
      env: () => ({ PATH: process.env.PATH, APP_SUPERVISOR_DOOR_FOLDER: this.folder, ...this.env }),
    });
  }

  static async make({ supervisors, env = {} }: TestDoorOptions): Promise<TestDoor> {
    const port = await freePort();
    return new TestDoor(port, {
      APP_SUPERVISOR_DOOR_HTTP: `127.0.0.1:${port}`,
      APP_SUPERVISOR_DOOR_SUPERVISORS: supervisors.join(),
      // Nobody listens there.
      APP_SUPERVISOR_REDIS_URL: 'redis://127.0.0.1:9',
      APP_SUPERVISOR_PUBLIC_KEY: PUBLIC_KEY,
      ...env,
    });
  }

  /** As a door leaves it on its disk. */
  put(routes: Routes): void {
    const { apps, environments } = routes;
    const table = { ...routes, apps: [...apps.values()], environments: [...environments.values()] };
    writeFileSync(path.join(this.folder, 'table.json'), JSON.stringify(table));
  }

  async start(): Promise<this> {
    await this.feeder.start();
    await this.haproxy.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.feeder.stop();
    await this.haproxy.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As an operator does by hand. A master that is executed anew, as right after its start, loses the signal. */
  async reload(): Promise<void> {
    const master = path.join(this.folder, MASTER_SOCKET);
    await until('The master answers', () => askMaster(master, 'show version\nquit').catch(() => null));
    process.kill(this.haproxy.pid!, 'SIGUSR2');
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Who has answered. */
  async by(pathAndQuery: string): Promise<string> {
    const response = await fetch(`${this.url}${pathAndQuery}`, { headers: { connection: 'close' } });
    return ((await response.json()) as { by: string }).by;
  }
}

/** A WebSocket as far as a door is concerned: what it sends comes back, until somebody closes it. */
export class TestSocket {
  isClosed = false;
  private text = '';

  private constructor(private readonly socket: Socket) {
    socket.on('data', (data) => {
      this.text += data;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /**
   * @param servername of HTTPS; absent: HTTP
   * @param from address of the visitor: what one address opens too fast is left to the Supervisor
   */
  static open(port: number, app: string, servername?: string, from = '127.0.0.1'): Promise<TestSocket> {
    return new Promise((resolve, reject) => {
      const to = { port, host: '127.0.0.1', localAddress: from };
      const socket = servername ? tls.connect({ ...to, servername, rejectUnauthorized: false }) : net.connect(to);
      const fields = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
      socket.write(`GET /ws?__appName=${app} HTTP/1.1\r\n${[...fields, key].join('\r\n')}\r\n\r\n`);
      socket.once('error', reject);
      socket.once('data', (data) => {
        if (!String(data).startsWith('HTTP/1.1 101')) reject(new Error(String(data)));
        socket.off('error', reject);
        resolve(new TestSocket(socket));
      });
    });
  }

  /** As many, from addresses that have a hundred each. */
  static async openMany(port: number, app: string, count: number): Promise<TestSocket[]> {
    const opened: TestSocket[] = [];
    for (let address = 2; opened.length < count; address++) {
      const open = () => TestSocket.open(port, app, undefined, `127.0.0.${address}`);
      opened.push(...(await Promise.all(Array.from({ length: Math.min(100, count - opened.length) }, open))));
    }
    return opened;
  }

  /** Whether what is sent comes back. */
  async echoes(): Promise<boolean> {
    if (this.isClosed) return false;
    this.text = '';
    const came = new Promise<boolean>((resolve) => {
      this.socket.once('close', () => resolve(false));
      this.socket.on('data', () => this.text.includes('hello') && resolve(true));
    });
    this.socket.write('hello');
    return came;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** What a visitor gets who asks for this name by HTTPS. @param protocols that he offers */
export async function tlsAnswer(port: number, servername: string, protocols: string[] = []) {
  const options = { port, host: '127.0.0.1', servername, ALPNProtocols: protocols, rejectUnauthorized: false };
  const socket = await new Promise<tls.TLSSocket>((resolve, reject) => {
    const begun = tls.connect(options, () => resolve(begun)).once('error', reject);
  });
  const { subject, serialNumber } = socket.getPeerCertificate();
  const { alpnProtocol } = socket;
  socket.destroy();
  return { subject: subject.CN, serialNumber, alpnProtocol };
}
