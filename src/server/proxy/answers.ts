import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock';
import { titled, type VisitorLanguage, withReference } from '../visitor-texts';

/**
 * Answers of the proxy itself, in the core's own error format (server/src/gateway/errors.ts:13 and
 * gateway/index.ts:316), so that both clients handle them like a worker's own `maintaining` errors. The texts are for
 * visitors: they name the app, and nothing of the fleet behind it. Operators have metrics and the log.
 */
export interface Answer {
  status: number;
  code: AnswerCode;
  message: string;
  reference?: string;
  /** Seconds; present if waiting helps. */
  retryAfter?: number;
  /** How many apps start before it; absent: not known, or none. */
  queuedBehind?: number;
}

/** Status, seconds after which waiting may help, and the text in each language. */
type Entry = readonly [status: number, retryAfter: number | null, en: string, zh: string];

const UNAVAILABLE = ['%app is unavailable right now', '%app暂时不可用'] as const;

export const ANSWERS = {
  APP_NOT_FOUND: [404, null, 'application %app not found', '找不到应用%app'],
  APP_STOPPED: [503, null, '%app is stopped', '%app已停止'],
  APP_ERROR: [503, null, '%app is unavailable', '%app不可用'],
  APP_PREPARING: [503, 3, '%app is starting, please wait', '%app正在启动，请稍候'],
  APP_MOVING: [503, 3, '%app is being moved, please wait', '%app正在迁移，请稍候'],
  APP_ENVIRONMENT_UNAVAILABLE: [503, 5, ...UNAVAILABLE],
  UPSTREAM_REFUSED: [502, 5, ...UNAVAILABLE],
  UPSTREAM_RESET: [502, 5, ...UNAVAILABLE],
  UPSTREAM_TIMEOUT: [504, 5, ...UNAVAILABLE],
  APP_PROXY_LOOP: [508, null, ...UNAVAILABLE],
  APP_PROXY_FAILED: [500, null, ...UNAVAILABLE],
  APP_BUSY: [503, 5, '%app has too many visitors right now', '%app当前访问人数过多'],
  ADDRESS_BUSY: [429, 30, 'too many requests from where you are, please wait', '您所在网络的请求过多，请稍候'],
  BODY_TOO_LARGE: [413, null, 'the body of the request is too large', '请求体过大'],
  BODY_ENCODED: [415, null, 'the body of the request must not be compressed', '请求体不能压缩'],
  BODY_TOO_SLOW: [408, null, 'the body of the request did not arrive', '未收到完整的请求体'],
  HEADERS_TOO_MANY: [431, null, 'the request has too many headers', '请求头过多'],
  BAD_REQUEST: [400, null, 'the request cannot be understood', '无法理解该请求'],
  INVALID_INPUT: [400, null, '%app has no environment of this name', '%app没有这个名称的环境'],
} as const satisfies Record<string, Entry>;
export type AnswerCode = keyof typeof ANSWERS;

/** Answers whose cause visitors must not see, and operators find by its reference. */
export const hasCause = (code: AnswerCode): boolean => (ANSWERS[code] as Entry)[2] === UNAVAILABLE[0];

/**
 * @param title of the app; empty for one that is not known
 * @param reference to the cause
 */
export function answer(
  code: AnswerCode,
  title = '',
  { language = 'en', reference = null }: { language?: VisitorLanguage; reference?: string | null } = {},
): Answer {
  const [status, retryAfter, en, zh] = ANSWERS[code];
  const text = (language === 'zh' ? zh : en).replace('%app', () => titled(title, language));
  return {
    status,
    code,
    message: withReference(text, reference, language),
    ...(reference === null ? {} : { reference }),
    ...(retryAfter === null ? {} : { retryAfter }),
  };
}

/** What follows on the connection may be misread, too, or is the rest of a body that nobody wants. */
const CLOSING = new Set<AnswerCode>([
  'BAD_REQUEST',
  'BODY_TOO_LARGE',
  'BODY_ENCODED',
  'BODY_TOO_SLOW',
  'HEADERS_TOO_MANY',
]);

/** The page contains everything that it needs; this holds for whatever a title may smuggle into it. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

export function bodyOf({ status, message, code }: Answer): string {
  return JSON.stringify({ error: { status, message, maintaining: true, code } });
}

/** Sends an HTTP answer. If an answer has already begun, closes the connection instead. Never throws. */
export function send(req: IncomingMessage, res: ServerResponse, what: Answer, page: string | null = null): void {
  if (res.headersSent || res.destroyed || res.writableEnded) {
    res.destroy();
    return;
  }
  const text = page ?? bodyOf(what);
  if (CLOSING.has(what.code)) res.shouldKeepAlive = false;
  res.statusCode = what.status;
  res.setHeader('Content-Type', page === null ? 'application/json' : 'text/html; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.setHeader('Cache-Control', 'no-store');
  if (page !== null) {
    res.setHeader('Content-Security-Policy', PAGE_POLICY);
    // The address may have a code in it.
    res.setHeader('Referrer-Policy', 'no-referrer');
  }
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
  const text = bodyOf(what);
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
