import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock';

/**
 * Answers of the proxy itself, in the core's own error format (server/src/gateway/errors.ts:13 and
 * gateway/index.ts:316), so that both clients handle them like a worker's own `maintaining` errors. The texts are for
 * visitors: they name the app, and nothing of the fleet behind it. Operators have metrics and the log.
 */
export interface Answer {
  status: number;
  code: string;
  message: string;
  /** Seconds; present if waiting helps. */
  retryAfter?: number;
}

export const ANSWERS = {
  APP_NOT_FOUND: [404, 'application %app not found', null],
  APP_STOPPED: [503, 'application %app is stopped', null],
  APP_PREPARING: [503, 'application %app is preparing, please wait patiently', 3],
  APP_ENVIRONMENT_UNAVAILABLE: [503, 'application %app is unavailable right now', 5],
  UPSTREAM_REFUSED: [502, 'application %app cannot be reached right now', 5],
  UPSTREAM_RESET: [502, 'application %app broke off before it answered', 5],
  UPSTREAM_TIMEOUT: [504, 'application %app did not answer in time', 5],
  APP_PROXY_LOOP: [508, 'application %app is not set up to be reached here', null],
  APP_BUSY: [503, 'application %app has too many visitors right now', 5],
  ADDRESS_BUSY: [429, 'too many requests from where you are, please wait', 30],
  BODY_TOO_LARGE: [413, 'the body of the request is too large', null],
  BODY_TOO_SLOW: [408, 'the body of the request did not arrive', null],
  HEADERS_TOO_MANY: [431, 'the request has too many headers', null],
  BAD_REQUEST: [400, 'the request cannot be understood', null],
  INVALID_INPUT: [400, 'application %app has no environment of this name', null],
  APP_PROXY_FAILED: [500, 'the request for application %app failed', null],
} as const satisfies Record<string, readonly [number, string, number | null]>;
export type AnswerCode = keyof typeof ANSWERS;

export function answer(code: AnswerCode, app = ''): Answer {
  const [status, text, retryAfter] = ANSWERS[code];
  const message = text.replace(' %app', () => app && ` ${app}`);
  return retryAfter === null ? { status, code, message } : { status, code, message, retryAfter };
}

/** What follows on the connection may be misread, too, or is the rest of a body that nobody wants. */
const CLOSING = new Set<string>(['BAD_REQUEST', 'BODY_TOO_LARGE', 'BODY_TOO_SLOW', 'HEADERS_TOO_MANY']);

function body({ status, message, code }: Answer): string {
  return JSON.stringify({ error: { status, message, maintaining: true, code } });
}

/** Sends an HTTP answer. If an answer has already begun, closes the connection instead. Never throws. */
export function send(req: IncomingMessage, res: ServerResponse, what: Answer, page: string | null = null): void {
  if (res.headersSent || res.destroyed || res.writableEnded) {
    res.destroy();
    return;
  }
  const text = page ?? body(what);
  if (CLOSING.has(what.code)) res.shouldKeepAlive = false;
  res.statusCode = what.status;
  res.setHeader('Content-Type', page === null ? 'application/json' : 'text/html; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.setHeader('Cache-Control', 'no-store');
  if (what.retryAfter !== undefined) res.setHeader('Retry-After', what.retryAfter);
  res.on('error', ignore); // the visitor may leave during the write
  res.end(req.method === 'HEAD' ? undefined : text);
}

/** Answers an upgrade request on its raw socket and closes the socket. */
export function refuse(socket: Duplex, what: Answer, linger: number, clock: Clock): void {
  if (socket.destroyed || socket.writableEnded) {
    socket.destroy();
    return;
  }
  const text = body(what);
  socket.end(
    [
      `HTTP/1.1 ${what.status} ${STATUS_CODES[what.status] ?? 'Error'}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Cache-Control: no-store',
      ...(what.retryAfter === undefined ? [] : [`Retry-After: ${what.retryAfter}`]),
      'Connection: close',
      '',
      text,
    ].join('\r\n'),
  );
  closeGracefully(socket, linger, clock);
}

/** After the last byte was written: waits for the peer to close, for at most `linger` ms. */
export function closeGracefully(socket: Duplex, linger: number, clock: Clock): void {
  const timer = clock.timeout(linger, () => socket.destroy());
  socket.once('close', () => timer.cancel());
  socket.resume();
}

function ignore(): void {}
