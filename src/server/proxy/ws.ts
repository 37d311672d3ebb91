import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { choose } from '../../shared/choose';
import type { Timer } from '../clock';
import { type AnswerCode, closeGracefully, refuse } from './answers';
import { awayOf } from './away';
import type { Context } from './context';
import { passedSetCookie } from './cookies';
import { isLoop, switchingHeaders, upgradeHeaders, VIA } from './headers';
import { limitOfWebSockets } from './occupancy';
import { peerOf, visitorAddress } from './peer';
import { noteUnreachable } from './quarantine';
import { statusClass } from './status-class';
import { requestedEnvironment } from './sticky-environment';
import type { RouteApp, RouteEnvironment } from './table';
import { isConnected, type Target } from './targets';
import { withoutTokensOfMain } from './tokens';
import { classify, type Failure } from './upstream-failures';
import { isOnItsWay } from './waiting';
import { answerFor, busyReason } from './web';

/**
 * WebSockets through http-proxy's own pass (http-proxy 1.18.1, lib/http-proxy/passes/ws-incoming.js:78), with additions
 * around it: unmodified, it crashes the process when a visitor resets the connection before a late 404, never gives up
 * on a worker that does not answer, and keeps the worker's connection when the visitor's is gone (peers-and-demand
 * 3.3).
 */
export function createWs(context: Context): WsProxy {
  const proxy = httpProxy.createProxyServer({});
  // Errors go to the callbacks; without any listener http-proxy throws (lib/http-proxy/index.js:112).
  proxy.on('error', (error) =>
    context.log.error('http-proxy reported an error nobody asked for', { error: String(error) }),
  );
  const open = new Set<Upgrade>();
  const { linger } = context.limits;
  const reject = (code: AnswerCode, app: RouteApp, req: IncomingMessage, socket: Duplex) => {
    context.metrics?.request('', code, null, app.name);
    refuse(socket, answerFor(context, app, req, { code, environment: '', cause: '' }), linger, context.clock);
  };
  // Emitted before http-proxy adds its listeners to `outgoing`, so ours come first.
  proxy.on('proxyReqWs', (outgoing, _req, _socket, options) => {
    const { upgrade, fields } = options as unknown as Options;
    upgrade.started(outgoing, fields);
  });

  context.table.changes.listen((names) => {
    for (const upgrade of open) if (names === null || names.has(upgrade.app.name)) upgrade.leaveFormer();
  });

  return {
    upgrade(app, req, socket, head) {
      const reason = refusal(app, req, context.mark);
      if (reason) return reject(reason, app, req, socket);
      const environment = choose(
        app,
        context.environmentOf,
        requestedEnvironment(req.headers, app.name),
        context.quarantine,
        context.now(),
      );
      if (!environment) return reject('APP_ENVIRONMENT_UNAVAILABLE', app, req, socket);
      const target = context.targets.of(environment);
      const peer = peerOf(socket as Socket, context.trusts);
      const busy = busyReason(context, app, environment, req, peer);
      if (busy) return reject(busy, app, req, socket);
      if (isOnItsWay(app, environment.name)) return reject('APP_MOVING', app, req, socket);
      const address = visitorAddress(req.headers['x-forwarded-for'], peer, context.trusts);
      const leave = context.occupancy.webSocket(app.name, address);
      if (typeof leave === 'string') {
        context.metrics?.limited(app.name, limitOfWebSockets(leave));
        return reject(leave, app, req, socket);
      }
      socket.once('close', leave);
      const fields = upgradeHeaders(req, {
        app: app.name,
        peer,
        mark: context.mark,
        host: target.host,
        cookies: context.cookiesOf(app.name),
        mainSecret: context.mainSecret,
      });
      const upgrade = new Upgrade(context, app, req, environment, target, socket as Socket, open);
      const options: Options = { target: target.address, agent: target.oneShot, toProxy: true, upgrade, fields };
      req.url = target.prefix + withoutTokensOfMain(req.url ?? '', context.mainSecret);
      proxy.ws(plain(req), socket, head, options as unknown as httpProxy.ServerOptions, (error) =>
        upgrade.failed(error),
      );
      upgrade.takeResponse();
    },
    close() {
      for (const upgrade of open) upgrade.destroy();
      proxy.removeAllListeners('proxyReqWs');
    },
  };
}

export interface WsProxy {
  upgrade(app: RouteApp, req: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

/**
 * The request without the visitor's headers, which `started` writes. http-proxy would give them to Node, which sends some at once, before
 * anything can take out what is not for the app: with `Expect`, for example.
 */
const plain = (req: IncomingMessage): IncomingMessage =>
  Object.create(req, { headers: { value: { upgrade: 'websocket', connection: 'Upgrade' } } });

interface Options {
  target: Target['address'];
  agent: Target['oneShot'];
  toProxy: true;
  upgrade: Upgrade;
  /** Alternating names and values; http-proxy knows no option of this name. */
  fields: string[];
}

function refusal(app: RouteApp, req: IncomingMessage, mark: string): AnswerCode | null {
  const { headers } = req;
  // A body on an upgrade request has no defined end for the next reader of the connection.
  const length = headers['content-length'];
  const body = (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined;
  if (req.method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket' || body) return 'BAD_REQUEST';
  if (isLoop(headers[VIA], mark)) return 'APP_PROXY_LOOP';
  return app.desired === 'stopped' ? 'APP_STOPPED' : null;
}

/** One upgrade and its pair of sockets: if one end closes, the other follows. */
class Upgrade {
  #outgoing: ClientRequest | null = null;
  #upstream: Socket | null = null;
  #answered = false;
  #timer: Timer;

  constructor(
    private readonly context: Context,
    readonly app: RouteApp,
    private readonly req: IncomingMessage,
    private readonly environment: RouteEnvironment,
    private readonly target: Target,
    private readonly socket: Socket,
    private readonly open: Set<Upgrade>,
  ) {
    open.add(this);
    this.#timer = context.clock.timeout(context.limits.handshake, () => this.#timedOut());
    socket.once('close', () => this.#clientClosed());
  }

  /**
   * Called by http-proxy before it adds its own listeners and sends the head. Its copy of `req.headers` has neither the
   * case of the names nor repeated fields.
   */
  started(outgoing: ClientRequest, fields: string[]): void {
    this.#outgoing = outgoing;
    try {
      for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
      for (let i = 0; i < fields.length; i += 2) outgoing.appendHeader(fields[i], fields[i + 1]);
    } catch (error) {
      // A field that Node does not send. Nobody listens to this request yet, and an error of it would end the process.
      outgoing.on('error', () => undefined).destroy();
      throw error;
    }
    outgoing.once('upgrade', (incoming, upstream) => this.#accepted(incoming, upstream));
    if (this.socket.destroyed) outgoing.destroy();
  }

  /**
   * Called after http-proxy has added its listeners. For a worker that answers with an ordinary response, http-proxy
   * would repeat all headers, including `chunked`, over a body that is no longer chunked, on a connection announced as
   * kept (ws-incoming.js:106).
   */
  takeResponse(): void {
    this.#outgoing?.removeAllListeners('response').once('response', (incoming) => this.#declined(incoming));
  }

  /**
   * Called by http-proxy for an error of the request or of the worker's socket; http-proxy closes the visitor's socket
   * afterwards.
   */
  failed(error: Error): void {
    if (this.#upstream) {
      this.destroy();
      return;
    }
    if (this.#answered || this.socket.destroyed) return; // we closed it ourselves; the answer is on its way
    this.#unanswered(classify(error, isConnected(this.#outgoing?.socket ?? null)));
  }

  #unanswered(failure: Failure): void {
    if (failure.unreachable) noteUnreachable(this.context, this.environment, this.app.name, failure);
    this.#answer(failure.code, failure.cause);
  }

  /**
   * Ends if its app has left the environment: the page connects again, to where the app is now. Otherwise it would say for ever
   * that the app has stopped, which is true of the former environment alone.
   */
  leaveFormer(): void {
    const app = this.context.table.app(this.app.name);
    if (app && !app.environments.includes(this.environment.name)) this.destroy();
  }

  destroy(): void {
    this.socket.destroy();
    this.#upstream?.destroy();
    this.#outgoing?.destroy();
  }

  #answer(code: AnswerCode, cause = ''): void {
    const { context, app, req, target } = this;
    this.#answered = true;
    context.metrics?.request(target.name, code, null, app.name);
    const what = answerFor(context, app, req, { code, environment: target.name, cause });
    refuse(this.socket, what, context.limits.linger, context.clock);
    this.#outgoing?.destroy();
  }

  #timedOut(): void {
    if (this.#answered) this.destroy();
    else this.#answer('UPSTREAM_TIMEOUT');
  }

  /**
   * The handshake timer keeps running: it also limits the body, which could otherwise keep both sockets forever
   * (CHP#557).
   */
  #declined(incoming: IncomingMessage): void {
    const { socket } = this;
    if (this.#answered || socket.destroyed) {
      incoming.destroy();
      return;
    }
    const failure = awayOf(incoming);
    if (failure) {
      this.#unanswered(failure);
      return;
    }
    this.#answered = true;
    const result = statusClass(incoming.statusCode ?? 502);
    this.context.metrics?.request(this.target.name, result, null, this.app.name);
    const lines = [`HTTP/1.1 ${incoming.statusCode} ${incoming.statusMessage ?? ''}`];
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      const name = incoming.rawHeaders[i];
      if (/^(?:connection|keep-alive|transfer-encoding|trailer|upgrade)$/i.test(name)) continue;
      const value = incoming.rawHeaders[i + 1];
      const passed = /^set-cookie$/i.test(name) ? passedSetCookie(value, this.context.cookiesOf(this.app.name)) : value;
      if (passed !== null) lines.push(`${name}: ${passed}`);
    }
    lines.push(`X-App-Environment: ${this.target.name}`, 'Connection: close', '', '');
    socket.write(lines.join('\r\n'), 'latin1');
    incoming.once('close', () =>
      incoming.complete ? closeGracefully(socket, this.context.limits.linger, this.context.clock) : socket.destroy(),
    );
    incoming.pipe(socket);
  }

  #accepted(incoming: IncomingMessage, upstream: Socket): void {
    const { socket, target, context } = this;
    this.#timer.cancel();
    this.#upstream = upstream;
    upstream.on('error', () => this.destroy());
    if (this.#answered || socket.destroyed) {
      upstream.destroy(); // http-proxy's further work on it is harmless: both sockets have an error listener
      return;
    }
    this.#answered = true;
    this.#outgoing = null; // frees its headers; only the sockets are needed now
    // http-proxy writes the 101 from these, next.
    (incoming as { headers: object }).headers = switchingHeaders(
      incoming,
      target.name,
      context.cookiesOf(this.app.name),
    );
    socket.setDefaultEncoding('latin1');
    target.webSockets++;
    context.metrics?.request(target.name, '1xx', null, this.app.name);
    const linger = () => this.#linger();
    socket.once('end', linger);
    upstream.once('end', linger);
    upstream.once('close', (broken) => {
      target.webSockets--;
      if (broken) socket.destroy();
      this.#closeOther(socket);
    });
    // After http-proxy is done with the sockets: it removes all limits (common.js:129).
    process.nextTick(() => {
      this.#watch(socket);
      this.#watch(upstream);
    });
  }

  /**
   * An open WebSocket may be silent forever, but pending data must be delivered: a peer that reads nothing would hold
   * both sides even after a close. Keep-alive finds dead peers within minutes, not after the two hours that http-proxy
   * leaves.
   */
  #watch(socket: Socket): void {
    const { idle } = this.context.limits;
    socket.setKeepAlive(true, 30_000);
    socket.removeAllListeners('timeout'); // for the worker's socket: the limit of requests (targets.ts)
    socket.on('timeout', () => {
      if (socket.writableLength > 0) this.destroy();
      else socket.setTimeout(idle);
    });
    socket.setTimeout(idle);
  }

  #clientClosed(): void {
    this.open.delete(this);
    this.#outgoing?.destroy();
    this.#closeOther(this.#upstream);
  }

  /**
   * The other side is gone: close this one as soon as it has taken the last frame, or when it does not take it in time.
   */
  #closeOther(other: Socket | null): void {
    this.#timer.cancel();
    if (!other || other.destroyed) return;
    other.destroySoon();
    this.#linger();
  }

  /** One side has closed, and `pipe` forwarded that; do not wait for a peer that does not answer. */
  #linger(): void {
    this.#timer.cancel();
    this.#timer = this.context.clock.timeout(this.context.limits.linger, () => this.destroy());
  }
}
