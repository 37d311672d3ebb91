import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Clock } from '../clock';
import type { Limits } from './limits';
import type { RouteEnvironment } from './table';
import { CONNECT_TIMEOUT, IDLE_TIMEOUT, timeout } from './upstream-failures';

/** Maximum number of idle connections to one worker; further ones are closed when they become idle. */
const MAX_IDLE = 256;
/**
 * How long an idle connection is kept to a worker that does not say how long it keeps it, in ms: less than the 75 s of
 * nginx, so that a POST does not meet a connection that is being closed.
 */
const KEPT = 60_000;

/** A worker as the proxy reaches it: parsed and connected once, not for each request. */
export interface Target {
  readonly name: string;
  readonly proxyUrl: string;
  readonly secure: boolean;
  /** In the format of http-proxy. `path` stays null, because its path joining would fold `//`. */
  readonly address: { protocol: string; host: string; hostname: string; port: number; path: null };
  /** Path of `proxyUrl` without trailing slash; usually empty. */
  readonly prefix: string;
  /** Value of `Host` for a request that has none. */
  readonly host: string;
  /** Keep-alive: this, and not the library, makes the proxy three times as fast as unmodified http-proxy. */
  readonly agent: http.Agent;
  /**
   * One connection for each request: for upgrades, which would take a pooled connection away (httpxy#129), and for
   * chunked requests, so that bytes that the two ends frame differently meet a closed connection and not the next
   * visitor (GHSA-ggv3-7p47-pfv8).
   */
  readonly oneShot: http.Agent;
  inFlight: number;
  webSockets: number;
}

export class Targets {
  #byName = new Map<string, Target>();

  /** @param known whether an environment is still in the table; the others are removed when a new one is added */
  constructor(
    private readonly limits: Limits,
    private readonly clock: Clock,
    private readonly known: (name: string) => boolean,
  ) {}

  of(environment: RouteEnvironment): Target {
    const prepared = this.#byName.get(environment.name);
    if (prepared?.proxyUrl === environment.proxyUrl) return prepared;
    if (prepared) retire(prepared);
    this.#forget();
    const target = prepare(environment.name, environment.proxyUrl, this.limits, this.clock);
    this.#byName.set(environment.name, target);
    return target;
  }

  [Symbol.iterator](): Iterator<Target> {
    return this.#byName.values();
  }

  close(): void {
    for (const target of this) {
      target.agent.destroy();
      target.oneShot.destroy();
    }
    this.#byName.clear();
  }

  #forget(): void {
    for (const [name, target] of this.#byName) {
      if (this.known(name)) continue;
      retire(target);
      this.#byName.delete(name);
    }
  }
}

function prepare(name: string, proxyUrl: string, limits: Limits, clock: Clock): Target {
  const url = new URL(proxyUrl);
  const secure = url.protocol === 'https:';
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const create = (options: http.AgentOptions) => {
    // The certificate is verified against the worker's own name, not against the visitor's `Host`.
    const agent = secure
      ? new https.Agent({ ...options, servername: isIP(hostname) ? '' : hostname })
      : new http.Agent(options);
    return guard(agent, secure, limits, clock, name);
  };
  return {
    name,
    proxyUrl,
    secure,
    address: {
      protocol: url.protocol,
      host: hostname,
      hostname,
      port: Number(url.port) || (secure ? 443 : 80),
      path: null,
    },
    prefix: url.pathname.replace(/\/+$/, ''),
    host: url.host,
    // `timeout` is that of an idle connection; for one that the worker announces (`Keep-Alive`), Node takes that less a
    // second.
    agent: create({
      keepAlive: true,
      timeout: Math.min(KEPT, limits.idle),
      maxFreeSockets: MAX_IDLE,
      scheduling: 'lifo',
    }),
    oneShot: create({ keepAlive: false, timeout: limits.idle }),
    inFlight: 0,
    webSockets: 0,
  };
}

interface Connecting {
  createConnection(options: object, done: (error: Error | null, socket: Socket) => void): Socket | undefined;
  getName(options?: object): string;
  reuseSocket(socket: Socket, req: http.ClientRequest): void;
}

const CONNECTED = Symbol('app-supervisor.connected');
type Marked = Socket & { [CONNECTED]?: true };

export function isConnected(socket: Socket | null): boolean {
  return socket !== null && (socket as Marked)[CONNECTED] === true;
}

/**
 * Sets time limits for each new connection, and for each further request the one that holds while it lasts: Node leaves an
 * idle connection's limit on it, and a worker that thinks for longer would lose the connection under its answer.
 */
function guard<A extends http.Agent>(agent: A, secure: boolean, limits: Limits, clock: Clock, name: string): A {
  const connecting = agent as unknown as Connecting;
  const { createConnection: create, reuseSocket: reuse } = connecting;
  connecting.getName = () => name; // one agent, one address: no key to build for each request
  connecting.createConnection = function createConnection(options, done) {
    const socket = create.call(this, options, done);
    if (socket) watch(socket, secure, limits, clock);
    return socket;
  };
  connecting.reuseSocket = function reuseSocket(socket, req) {
    reuse.call(this, socket, req);
    socket.setTimeout(limits.idle);
  };
  return agent;
}

function watch(socket: Socket, secure: boolean, limits: Limits, clock: Clock): void {
  const timer = clock.timeout(limits.connect, () => socket.destroy(timeout(CONNECT_TIMEOUT)));
  socket.once('close', () => timer.cancel());
  socket.once(secure ? 'secureConnect' : 'connect', () => {
    timer.cancel();
    (socket as Marked)[CONNECTED] = true;
  });
  socket.setTimeout(limits.idle);
  socket.setNoDelay(true);
  readOnAfterFailedWrite(socket);
  socket.on('timeout', () => {
    if (isConnected(socket)) socket.destroy(timeout(IDLE_TIMEOUT));
  });
}

/**
 * A worker that answers and closes before it has read a whole upload makes our next write fail, and Node then closes the
 * socket although the answer waits in it. The reading side learns of the end, too, but only after the answer.
 */
function readOnAfterFailedWrite(socket: Socket): void {
  const { _write, _writev } = socket;
  const unlessClosed =
    (done: (error?: Error | null) => void) =>
    (error?: NodeJS.ErrnoException | null): void =>
      done(error?.code === 'EPIPE' || error?.code === 'ECONNRESET' ? null : error);
  socket._write = (chunk, encoding, done) => _write.call(socket, chunk, encoding, unlessClosed(done));
  socket._writev = _writev && ((chunks, done) => _writev.call(socket, chunks, unlessClosed(done)));
}

/** Closes idle connections only: requests in progress end by themselves. */
function retire(target: Target): void {
  for (const agent of [target.agent, target.oneShot]) {
    agent.maxFreeSockets = 0;
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
}
