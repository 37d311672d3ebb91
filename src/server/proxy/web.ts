import http, { type ClientRequest, type IncomingMessage, type InformationEvent, type ServerResponse } from 'node:http';
import https from 'node:https';
import { choose } from '../../shared/choose';
import type { LimitName } from '../observability/metrics';
import { languageOf } from '../visitor-texts';
import { type Answer, type AnswerCode, answer, hasCause, send } from './answers';
import { awayOf } from './away';
import { type BodyRules, boundBody } from './bodies';
import type { Context } from './context';
import type { CookieRules } from './cookies';
import { pageFor } from './error-page';
import { isGone, onGone } from './gone';
import {
  hasBody,
  interimHead,
  isAmbiguous,
  isChunked,
  isLoop,
  requestHeaders,
  responseHeaders,
  VIA,
  visitorHost,
  visitorProtocol,
} from './headers';
import { lingerOverUpload } from './linger';
import { isOwnHost } from './origins';
import { type Peer, peerOf, visitorAddress } from './peer';
import { addTrailers, pump, writeHead } from './pump';
import { noteUnreachable } from './quarantine';
import { enter } from './request-places';
import { isSsoCallback } from './sso';
import { statusClass } from './status-class';
import { requestedEnvironment } from './sticky-environment';
import type { RouteApp, RouteEnvironment } from './table';
import { isConnected, type Target } from './targets';
import { hasToken, withoutTokensOfMain } from './tokens';
import { visitorLocation, workerUrl } from './upload-addresses';
import { classify, type Failure } from './upstream-failures';
import { isReadOnly, pathOf, readTarget } from './url';
import { isVisit, visit } from './visit';
import { isOnItsWay } from './waiting';

/**
 * HTTP to the workers. http-proxy, which WebSockets use (ws.ts), is not used here. Its pass (http-proxy 1.18.1,
 * lib/http-proxy/passes/web-incoming.js:97) misses visitors who leave after their request was read (Node 16 and later
 * no longer emit `aborted` then), folds `//` in paths, drops trailers, and hangs when a worker dies in the middle of an
 * answer. Its `deleteLength` pass (:32) turns the body of a chunked DELETE into the next request. It also costs a third
 * of the throughput (10.3 against 15 thousand requests a second), because it copies headers three times and checks them
 * twice.
 */
export function createWeb(context: Context): (app: RouteApp, req: IncomingMessage, res: ServerResponse) => void {
  const { config, mark } = context;

  return function web(app, req, res) {
    // Read now, because the core restores its own URL once our promise resolves.
    const isUnderstood = readTarget(req);
    const passed = withoutTokensOfMain(req.url ?? '/', context.mainSecret);
    const url = workerUrl(passed, app.name, config.publicPath);
    const peer = peerOf(req.socket, context.trusts);
    const exchange = new Exchange(context, app, req, res, url, peer);
    lingerOverUpload(req, context.limits.linger);
    if (!isUnderstood || isAmbiguous(req)) return exchange.answer('BAD_REQUEST');
    if (isLoop(req.headers[VIA], mark)) return exchange.answer('APP_PROXY_LOOP');
    if (isVisit(url, app.name, config.apiBase)) {
      return visit(
        app,
        url,
        req,
        res,
        { ...config, isOwnHost: isOwnHost(context.table, app.name, visitorHost(req, peer)) },
        visitorProtocol(req, peer) === 'https',
      );
    }
    const environment = exchange.enter();
    if (!environment) return;
    const rules: BodyRules = {
      bounds: context.occupancy.bounds,
      clock: context.clock,
      isAnonymous: () => !hasToken(req),
      gathers: false, // the worker does
      refuse: (code, limit) => exchange.giveUp(code, limit),
    };
    if (boundBody(req, rules)) exchange.send(environment);
  };
}

/** The answer for a visitor of the app, with a reference to a cause that is not for visitors. */
export function answerFor(
  { references }: Context,
  app: RouteApp,
  { headers }: IncomingMessage,
  { code, ...where }: { code: AnswerCode; environment: string; cause: string },
): Answer {
  const reference = hasCause(code) ? references.of({ app: app.name, code, ...where }) : null;
  return answer(code, app.title ?? app.name, { language: languageOf(headers), reference });
}

/** Why this environment takes no more of the visitor right now, or null. */
export function busyReason(
  { targets, occupancy, trusts, now, metrics }: Context,
  app: RouteApp,
  environment: RouteEnvironment,
  req: IncomingMessage,
  peer: Peer,
): AnswerCode | null {
  if (targets.of(environment).inFlight >= occupancy.bounds.requestsPerEnvironment) {
    metrics?.limited(app.name, 'requests_per_environment');
    return 'APP_BUSY';
  }
  if (app.statuses.get(environment.name) !== 'dormant') return null;
  const address = visitorAddress(req.headers['x-forwarded-for'], peer, trusts);
  if (occupancy.mayWake(app.name, address, now())) return null;
  metrics?.limited(app.name, 'wakes_per_address');
  return 'ADDRESS_BUSY';
}

/** What takes the place of a request for a page, to learn first whether the app can be opened. */
export interface Question {
  url: string;
  /** The path of the main app, where the visitor is at its host. */
  main: string | null;
  answered(incoming: IncomingMessage): void;
}

/** One request and its answer: at most two attempts, exactly one ending. */
export class Exchange {
  readonly #startedAt: number;
  #target: Target | null = null;
  #outgoing: ClientRequest | null = null;
  #tried: string | null = null;
  readonly cookies: CookieRules;
  /** Where the worker is asked. */
  readonly url: string;
  /** An answer has begun, from the worker or from the proxy, or the visitor has left. */
  #settled = false;

  constructor(
    readonly context: Context,
    readonly app: RouteApp,
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    /** As the visitor asks. */
    readonly asked: string,
    readonly peer: Peer,
    readonly question: Question | null = null,
  ) {
    this.url = question?.url ?? asked;
    this.#startedAt = context.now();
    this.cookies = context.cookiesOf(app.name);
  }

  /** Takes the places that the request needs. @returns where it goes; null: it has been answered */
  enter(): RouteEnvironment | null {
    const { context, app, req, res, peer } = this;
    if (app.desired === 'stopped') return this.#refuse('APP_STOPPED');
    const requested = requestedEnvironment(req.headers, app.name);
    const environment = choose(app, context.environmentOf, requested, context.quarantine, context.now());
    if (!environment) return this.#refuse('APP_ENVIRONMENT_UNAVAILABLE');
    const reason = busyReason(context, app, environment, req, peer);
    if (reason) return this.#refuse(reason);
    if (isOnItsWay(app, environment.name)) return this.#refuse('APP_MOVING');
    const refused = enter(context, app.name, this.url, req, res, peer);
    return refused ? this.#refuse(refused) : environment;
  }

  #refuse(code: AnswerCode): null {
    this.answer(code);
    return null;
  }

  send(environment: RouteEnvironment): void {
    if (this.#tried === null) {
      if (isGone(this.req, this.res)) {
        this.#closed();
        return;
      }
      // Not `req.on('aborted')`, which is not emitted once the request has been read completely.
      onGone(this.req, this.res, () => this.#closed());
      this.res.on('error', ignore); // a chunk may arrive after the visitor has left (ERR_STREAM_DESTROYED)
    }
    try {
      this.#start(environment);
    } catch (error) {
      // On the second attempt no caller catches.
      const isOurs = !UNSENDABLE.has(String((error as NodeJS.ErrnoException).code));
      if (isOurs) this.context.log.error('A request failed', { app: this.app.name, error: String(error) });
      this.answer(isOurs ? 'APP_PROXY_FAILED' : 'BAD_REQUEST', String(error));
    }
  }

  #start(environment: RouteEnvironment): void {
    const { req, context, app, peer } = this;
    const target = context.targets.of(environment);
    context.log.rooms.proxy?.('Sends a request', {
      app: app.name,
      environment: environment.name,
      method: req.method,
      url: pathOf(this.url),
    });
    const chunked = isChunked(req);
    this.#acquire(target);
    const outgoing = (target.secure ? https : http).request({
      host: target.address.host,
      port: target.address.port,
      method: this.question ? 'GET' : req.method,
      path: target.prefix + this.url,
      headers: requestHeaders(req, {
        app: app.name,
        peer,
        mark: context.mark,
        host: target.host,
        cookies: this.cookies,
        mainSecret: context.mainSecret,
      }),
      agent: chunked ? target.oneShot : target.agent,
    });
    this.#outgoing = outgoing;
    outgoing.on('error', (error) => this.#broken(error, environment, outgoing));
    outgoing.on('response', (incoming) => {
      const failure = awayOf(incoming);
      if (!failure) return this.#answered(incoming, target, outgoing);
      incoming.resume();
      this.#failed(failure, environment, outgoing);
      if (!outgoing.writableFinished) outgoing.destroy();
    });
    outgoing.on('information', (information) => this.#informed(information, outgoing));
    // The only event of a worker that switches protocols without being requested (lib/_http_client.js,
    // socketCloseListener).
    outgoing.on('close', () => this.#settled || this.#broken(new Error('closed'), environment, outgoing));
    if (!hasBody(req)) {
      outgoing.end();
    } else {
      if (chunked) req.on('end', () => addTrailers(outgoing, req)); // before `pipe` ends the request
      req.pipe(outgoing);
    }
  }

  /** The rest of the body does not come, or is not wanted. */
  giveUp(code: AnswerCode, limit: LimitName): void {
    this.context.metrics?.limited(this.app.name, limit);
    if (this.#settled) {
      this.res.destroy();
      return;
    }
    this.answer(code);
    this.#outgoing?.destroy();
  }

  /** @param cause for operators, as far as the code does not say it */
  answer(code: AnswerCode, cause = '', more: Partial<Answer> = {}): void {
    const { context, app, req, res } = this;
    const environment = this.#target?.name ?? '';
    this.#settled = true;
    const queuedBehind = this.#target ? (app.queuedBehind?.(environment) ?? 0) : 0;
    const what = { ...answerFor(context, app, req, { code, environment, cause }), queuedBehind, ...more };
    context.log.rooms.proxy?.('Answers by itself', { app: app.name, environment, code });
    context.metrics?.request(environment, code, null, app.name);
    send(req, res, what, pageFor(req, pathOf(this.asked), context.config.apiBase, what, app, this.question?.main));
  }

  /** What the visitor asks for follows. @param isAnswered whether the question is */
  settle(isAnswered: boolean): void {
    this.#settled = true;
    this.#release();
    if (!isAnswered) this.#outgoing?.destroy();
  }

  /**
   * Passes on an interim answer (103 Early Hints), except 100, which Node has already sent to a visitor who waits for it.
   * One that cannot be written now is dropped: the answer repeats what matters.
   */
  #informed(information: InformationEvent, outgoing: ClientRequest): void {
    const { req, res } = this;
    if (this.#settled || outgoing !== this.#outgoing || information.statusCode === 100) return;
    // A visitor with several requests on one connection may still be getting an earlier answer: no socket yet.
    if (req.httpVersionMinor === 0 || !res.socket?.writable || res.socket.writableNeedDrain) return;
    res.socket.write(interimHead(information, this.cookies), 'latin1');
  }

  #answered(incoming: IncomingMessage, target: Target, outgoing: ClientRequest): void {
    const { req, res } = this;
    if (this.#settled || outgoing !== this.#outgoing) {
      incoming.destroy();
      return;
    }
    if (this.question) {
      this.#settled = true;
      this.question.answered(incoming);
      return;
    }
    const status = incoming.statusCode ?? 502;
    if (status === 503 && isSsoCallback(this.url) && !isPage(incoming)) {
      // The app starts: a person waits for it, and what he has brought stays valid. A page is the app's own answer to it.
      incoming.destroy();
      this.answer('APP_PREPARING');
      return;
    }
    const trailers =
      isChunked(incoming) && req.httpVersionMinor > 0 && req.method !== 'HEAD' && status !== 204 && status !== 304;
    try {
      const headers = responseHeaders(incoming, target.name, trailers, this.cookies, this.#locationIn(incoming));
      const policy = this.context.origins.policy(this.app.name, req);
      if (policy !== null) headers.push('Content-Security-Policy', policy);
      writeHead(res, status, incoming.statusMessage ?? '', headers);
    } catch (error) {
      this.context.log.warn('An answer could not be passed on', { app: this.app.name, error: String(error) });
      incoming.destroy();
      this.answer('UPSTREAM_RESET', String(error));
      return;
    }
    this.#settled = true;
    const took = this.context.now() - this.#startedAt;
    this.context.metrics?.request(target.name, statusClass(status), took, this.app.name);
    pump(incoming, res);
  }

  /** The redirect target for the visitor; null for every other answer. */
  #locationIn({ statusCode = 0, headers: { location } }: IncomingMessage): string | null {
    if (location === undefined || statusCode < 300 || statusCode > 399) return null;
    const { app, req, peer, context } = this;
    return visitorLocation(location, app.name, context.config.publicPath, visitorHost(req, peer));
  }

  #broken(error: Error, environment: RouteEnvironment, outgoing: ClientRequest): void {
    this.#failed(classify(error, isConnected(outgoing.socket)), environment, outgoing);
  }

  #failed(failure: Failure, environment: RouteEnvironment, outgoing: ClientRequest): void {
    const { context, req } = this;
    // After the answer has begun, its own `close` event reports the end. The rest of a body that the worker did not
    // want is read and dropped.
    if (this.#settled || outgoing !== this.#outgoing) {
      stopSending(req, outgoing);
      return;
    }
    context.log.rooms.proxy?.('A request failed', { app: this.app.name, environment: environment.name, ...failure });
    if (failure.unreachable) noteUnreachable(context, environment, this.app.name, failure);
    const again = this.#retryTarget(environment, outgoing);
    if (again) {
      this.#release();
      this.#tried = environment.name;
      this.send(again);
      return;
    }
    stopSending(req, outgoing);
    this.answer(failure.code, failure.cause);
  }

  /** The environment for the second attempt: another one, or the same one if only a kept connection was stale. */
  #retryTarget(failed: RouteEnvironment, outgoing: ClientRequest): RouteEnvironment | null {
    const { app, context, req } = this;
    if (this.#tried !== null || !isReadOnly(req.method, this.asked, hasBody(req), context.config.apiBase)) return null;
    // The app may have changed since the first choice.
    const current = context.table.app(app.name);
    if (!current) return null;
    const requested = requestedEnvironment(req.headers, app.name);
    const other = choose(current, context.environmentOf, requested, context.quarantine, context.now(), failed.name);
    return other ?? (outgoing.reusedSocket ? failed : null);
  }

  #acquire(target: Target): void {
    this.#target = target;
    target.inFlight++;
  }

  #release(): void {
    if (!this.#target) return;
    this.#target.inFlight--;
    this.#target = null;
  }

  /** The visitor has the whole answer, or has left: end the worker's request. */
  #closed(): void {
    if (!this.#settled) this.context.metrics?.request(this.#target?.name ?? '', 'ABORTED', null, this.app.name);
    this.#settled = true;
    this.#release();
    // A worker that answered before it read the whole body does not want the rest.
    if (this.#outgoing && !(this.res.writableFinished && this.req.complete)) {
      this.#outgoing.destroy();
      stopSending(this.req, this.#outgoing);
    }
  }
}

const isPage = ({ headers }: IncomingMessage): boolean => /^text\/html\b/i.test(headers['content-type'] ?? '');

/**
 * Reads and drops the rest of the visitor's request, so that the visitor gets its answer instead of a reset connection.
 */
function stopSending(req: IncomingMessage, outgoing: ClientRequest): void {
  req.unpipe(outgoing);
  req.resume();
}

/** Node's errors for a request that a lenient parser accepted and that Node does not send. */
const UNSENDABLE = new Set(['ERR_INVALID_CHAR', 'ERR_INVALID_HTTP_TOKEN', 'ERR_UNESCAPED_CHARACTERS']);

function ignore(): void {}
