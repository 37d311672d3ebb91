import type { IncomingMessage, InformationEvent } from 'node:http';
import { type CookieRules, passedCookies, passedSetCookie } from './cookies';
import type { Peer } from './peer';
import { holdsTokenOfMain, type MainSecret } from './tokens';

/**
 * Which headers of a message the proxy forwards. It works on `rawHeaders` (alternating names and values), so order,
 * case and repeated fields stay unchanged, and Node does not process every field again.
 */

/** The Supervisors that a request has passed. A Supervisor that finds its own mark has detected a loop. */
export const VIA = 'x-app-supervisor-via';
/** More Supervisors in a row than any installation has. */
const MAX_HOPS = 5;

/**
 * Headers of one connection (RFC 9110 7.6.1), not of the message. `expect` is one of them because Node has already
 * answered it with 100; `transfer-encoding` and `trailer`, because the sender of the body writes them again.
 */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Headers that this proxy writes. */
const PROXY_HEADERS = new Set(['x-app', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', VIA]);
/** Headers that `Connection` must not remove, because they frame or route the message. */
const PROTECTED_HEADERS = new Set(['content-length', 'content-type', 'cookie', 'host', 'authorization']);

export interface Outgoing {
  app: string;
  peer: Peer;
  /** The mark of this Supervisor. */
  mark: string;
  /** Used if the request (HTTP/1.0) names no host. */
  host: string;
  cookies: CookieRules;
  mainSecret: MainSecret;
}

type AnswerHeaders = Pick<IncomingMessage, 'rawHeaders' | 'headers'>;

/**
 * Headers of the request to a worker, for `http.request`, which adds `Connection`. `Host` is the request's own
 * (`readTarget` has replaced it where the target names another one), at its own place.
 */
export function requestHeaders(req: IncomingMessage, to: Outgoing): string[] {
  const { headers } = req;
  const out = passedHeaders(req, to);
  if (isChunked(req)) {
    out.push('Transfer-Encoding', 'chunked');
    if (headers.trailer) out.push('Trailer', headers.trailer);
  } else if (headers['content-length'] === undefined && !MAY_LACK_BODY.has(req.method ?? '')) {
    out.push('Content-Length', '0'); // otherwise Node would announce a chunked body although there is none
  }
  return out;
}

/** The same for an upgrade to WebSocket. */
export function upgradeHeaders(req: IncomingMessage, to: Outgoing): string[] {
  return [...passedHeaders(req, to), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
}

function passedHeaders(req: IncomingMessage, { app, peer, mark, host, ...own }: Outgoing): string[] {
  const { rawHeaders, headers } = req;
  const named = namedInConnection(headers.connection);
  const out: string[] = [];
  let hasHost = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (name === 'host') {
      out.push(rawHeaders[i], headers.host || host);
      hasHost = true;
      continue;
    }
    if (HOP_BY_HOP.has(name) || PROXY_HEADERS.has(name)) continue;
    if (!peer.trusted && isForwarded(name)) continue;
    if (named?.has(name)) continue;
    const value = passedValue(name, rawHeaders[i + 1], own);
    if (value !== null) out.push(rawHeaders[i], value);
  }
  if (!hasHost) out.unshift('Host', headers.host || host);
  const forwarded = forwardedOf(req, peer);
  out.push('X-App', app);
  out.push('X-Forwarded-For', forwarded.for);
  out.push('X-Forwarded-Proto', forwarded.proto);
  out.push('X-Forwarded-Host', forwarded.host);
  out.push('X-App-Supervisor-Via', viaOf(headers[VIA], mark));
  return out;
}

/** What of a header an app may see: no cookie and no token of main, and no cookie of another app. */
function passedValue(
  name: string,
  value: string,
  { cookies, mainSecret }: Pick<Outgoing, 'cookies' | 'mainSecret'>,
): string | null {
  if (name === 'cookie') return passedCookies(value, cookies);
  return holdsTokenOfMain(value, mainSecret) ? null : value;
}

/**
 * Headers of the worker's answer, for `res.writeHead`; Node frames the body and writes `Connection` itself.
 * @param location replaces the worker's own; null keeps it
 */
export function responseHeaders(
  incoming: IncomingMessage,
  environment: string,
  trailers: boolean,
  cookies: CookieRules,
  location: string | null = null,
): string[] {
  const { headers } = incoming;
  const out = endToEndHeaders(incoming, cookies, location);
  if (trailers && headers.trailer) out.push('Trailer', headers.trailer, 'Transfer-Encoding', 'chunked');
  out.push('X-App-Environment', environment);
  return out;
}

/** The whole head of an interim answer (1xx) for the visitor, to be written as latin1, as Node has read it. */
export function interimHead(information: InformationEvent, cookies: CookieRules): string {
  const lines = [`HTTP/1.1 ${information.statusCode} ${information.statusMessage}`];
  const passed = endToEndHeaders(information, cookies, null);
  for (let i = 0; i < passed.length; i += 2) lines.push(`${passed[i]}: ${passed[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Headers of a worker's answer 101 for http-proxy, which writes each value of a list on its own line. The names keep
 * their case.
 */
export function switchingHeaders(
  { rawHeaders }: IncomingMessage,
  environment: string,
  cookies: CookieRules,
): Record<string, string[]> {
  const out: Record<string, string[]> = Object.create(null);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    const value = name === 'set-cookie' ? passedSetCookie(rawHeaders[i + 1], cookies) : rawHeaders[i + 1];
    if (name === 'x-app-environment' || value === null) continue;
    out[rawHeaders[i]] = [...(out[rawHeaders[i]] ?? []), value];
  }
  out['X-App-Environment'] = [environment];
  return out;
}

function endToEndHeaders(
  { rawHeaders, headers }: AnswerHeaders,
  cookies: CookieRules,
  location: string | null,
): string[] {
  const named = namedInConnection(headers.connection);
  const out: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (HOP_BY_HOP.has(name) || name === 'x-app-environment') continue;
    if (named?.has(name)) continue;
    const value = name === 'set-cookie' ? passedSetCookie(rawHeaders[i + 1], cookies) : rawHeaders[i + 1];
    if (value !== null) out.push(rawHeaders[i], name === 'location' && location !== null ? location : value);
  }
  return out;
}

export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers['content-length'];
  return (length !== undefined && length !== '0') || isChunked(req);
}

export function isChunked(message: IncomingMessage): boolean {
  return message.headers['transfer-encoding'] !== undefined;
}

/**
 * A request whose end is ambiguous can turn one visitor's bytes into another's request. Node's parser rejects most of
 * them; this rejects what an `insecureHTTPParser` or a later change would accept. A request with two hosts may be for
 * another app for each reader (RFC 9112 3.2); Node takes the first one.
 */
export function isAmbiguous(req: IncomingMessage): boolean {
  if (hasSeveralHosts(req)) return true;
  const coding = req.headers['transfer-encoding'];
  if (coding === undefined) return false;
  return req.headers['content-length'] !== undefined || coding.trim().toLowerCase() !== 'chunked';
}

export function hasSeveralHosts({ rawHeaders }: { rawHeaders: string[] }): boolean {
  let found = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (found) return true;
    found = true;
  }
  return false;
}

export function isLoop(via: string | string[] | undefined, mark: string): boolean {
  if (via === undefined) return false;
  const marks = String(via).split(',');
  return marks.length > MAX_HOPS || marks.some((one) => one.trim() === mark);
}

/** Methods for which Node adds no `Transfer-Encoding` (lib/_http_client.js). */
const MAY_LACK_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/**
 * The `X-Forwarded-*` headers for the worker. Those of a trusted peer are extended and keep their first protocol and
 * host (the core reads the first value, utils/src/cors.ts:16); those of any other peer are replaced.
 */
function forwardedOf(req: IncomingMessage, peer: Peer): { for: string; proto: string; host: string } {
  const { headers } = req;
  if (!peer.trusted) return { for: peer.address, proto: peer.protocol, host: headers.host ?? '' };
  const before = headers['x-forwarded-for'];
  const proto = firstOf(headers['x-forwarded-proto']).toLowerCase();
  return {
    for: before ? `${before}, ${peer.address}` : peer.address,
    proto: proto === 'https' || proto === 'http' ? proto : peer.protocol,
    host: firstOf(headers['x-forwarded-host']) || (headers.host ?? ''),
  };
}

/** The protocol of the visitor's browser, as far as the peer is trusted. */
export function visitorProtocol(req: IncomingMessage, peer: Peer): string {
  return forwardedOf(req, peer).proto;
}

/** The host in the visitor's address bar, as far as the peer is trusted. */
export function visitorHost(req: IncomingMessage, peer: Peer): string {
  return forwardedOf(req, peer).host;
}

function firstOf(value: string | string[] | undefined): string {
  if (value === undefined) return '';
  const first = typeof value === 'string' ? value : (value[0] ?? '');
  const comma = first.indexOf(',');
  return (comma < 0 ? first : first.slice(0, comma)).trim();
}

function isForwarded(name: string): boolean {
  return name === 'forwarded' || name === 'x-real-ip' || name.startsWith('x-forwarded-');
}

function viaOf(before: string | string[] | undefined, mark: string): string {
  return before ? `${before},${mark}` : mark;
}

function namedInConnection(connection: string | undefined): Set<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  const named = new Set<string>();
  for (const part of connection.toLowerCase().split(',')) {
    const name = part.trim();
    if (name && !PROTECTED_HEADERS.has(name)) named.add(name);
  }
  return named;
}
