import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../scripts/fleet';
import { FeederPart, HAProxyPart } from '../../scripts/fleet/haproxy';
import { ROOT } from '../../scripts/lib/root.mjs';
import type { Routes } from '../../src/shared/routes';
import { routesOf } from './door';

/** RFC 6455. */
const WEB_SOCKET_ID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A real door, HAProxy and feeder, before echoing Workers. */

/** Answers each request with its own name, and echoes what a WebSocket sends. */
export class Echo {
  readonly sockets = new Set<Socket>();
  private readonly server: http.Server;

  constructor(readonly name: string) {
    this.server = http.createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ by: name, url: request.url, app: request.headers['x-app'] ?? null }));
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
    await new Promise<void>((resolve, reject) =>
      this.server.once('error', reject).listen(port, '127.0.0.1', () => resolve()),
    );
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends as a process does. */
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

export const NO_KEY = 'A'.repeat(43);

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
      APP_SUPERVISOR_PUBLIC_KEY: NO_KEY,
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

  static open(port: number, app: string): Promise<TestSocket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
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
