import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { pathOf } from './url';

/** The secret of an app's JWT; null if it is not known here. */
export type TokenSecret = string | Buffer | null;
/** That of main, which is not known while main has not started. */
export type MainSecret = () => TokenSecret;

/** More characters than NocoBase's tokens have; a longer one is not verified, and no token of main. */
const MAX_LENGTH = 4_000;

/** Whether the value is a token that main has signed, with or without `Bearer`. Expired ones count, too. */
export function isTokenOfMain(value: string, mainSecret: MainSecret): boolean {
  if (value.length > MAX_LENGTH) return false;
  const token = value.trim().replace(/^Bearer\s+/i, '');
  const end = token.lastIndexOf('.');
  if (end < 0 || !token.startsWith('eyJ')) return false;
  const secret = mainSecret();
  if (secret === null || secret.length === 0) return false;
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  const expected = createHmac('sha256', secret).update(token.slice(0, end)).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

/** What may be a token: it has three parts, and the last one is a signature by HMAC-SHA256. */
const WORDS = /[\w.-]+/g;
const TOKEN = /^eyJ[\w-]*\.[\w-]*\.[\w-]{43}$/;

/** Whether a token that main has signed is somewhere in the value: readers differ in which part of a list they take. */
export function holdsTokenOfMain(value: string, mainSecret: MainSecret): boolean {
  if (!value.includes('eyJ')) return false;
  return (value.match(WORDS) ?? []).some((word) => TOKEN.test(word) && isTokenOfMain(word, mainSecret));
}

/**
 * How long after its end a token may still be renewed, in s: as long as NocoBase lets a session last. Those of an
 * operator who lets sessions last longer count as signed in again once they are renewed by a request without a body.
 */
const RENEWED_WITHIN = 7 * 86_400;
/** Of a session or an API key. What visitors without an account get, such as the token of a public form, names no user. */
const session = z.object({ userId: z.union([z.number(), z.string().min(1)]), exp: z.number().optional() });

/**
 * Whether the request has a session of the app with this secret, as far as the token alone tells: whoever has signed out, or is
 * deleted, is refused by the app.
 * @param now wall-clock time, in ms
 */
export function isSignedIn(
  { headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>,
  secret: () => TokenSecret,
  now: number,
): boolean {
  const { authorization } = headers;
  const given = authorization !== undefined ? [authorization] : valuesIn(url);
  return given.some((value) => isTokenOfMain(value, secret) && isSession(value, now));
}

function isSession(token: string, now: number): boolean {
  const [, payload = ''] = token.split('.');
  try {
    const { exp = Number.POSITIVE_INFINITY } = session.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return now / 1_000 < exp + RENEWED_WITHIN;
  } catch {
    return false;
  }
}

/** Whether the request has what may be a token, of whatever app. */
export const hasToken = ({ headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>): boolean =>
  (headers.authorization ?? url).includes('eyJ');

/** Values of a URL's parameters, if one may be a token. */
function valuesIn(url: string): string[] {
  if (!url.includes('eyJ')) return [];
  const pairs = url.slice(pathOf(url).length + 1).split('&');
  return pairs.map((pair) => pair.slice(pair.indexOf('=') + 1));
}

/** Whether the address may have a token, also with its first letters encoded. */
const MAY_HAVE_TOKEN = /eyJ|%(?:65|79|4a)/i;

/** A URL without the parameters whose values hold tokens of main; otherwise unchanged. */
export function withoutTokensOfMain(url: string, mainSecret: MainSecret): string {
  if (!MAY_HAVE_TOKEN.test(url)) return url;
  const path = pathOf(url);
  if (url[path.length] !== '?') return url;
  const pairs = url.slice(path.length + 1).split('&');
  const kept = pairs.filter((pair) => !holdsTokenOfMain(decoded(pair.slice(pair.indexOf('=') + 1)), mainSecret));
  if (kept.length === pairs.length) return url;
  return kept.length ? `${path}?${kept.join('&')}` : path;
}

/** As readers decode a parameter; what cannot be decoded stays. */
const decoded = (value: string): string =>
  value.replace(/%([0-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
