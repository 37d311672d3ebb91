import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { pathOf } from './url';

/** The secret of main's JWT, or null while main has not started. */
export type MainSecret = () => string | Buffer | null;

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

/** Headers in which NocoBase's clients send a token. */
export const isTokenHeader = (name: string): boolean => name === 'authorization' || name === 'token';

/** Whether the request has a token of main. It may have expired: then main refuses it. */
export function isSignedIn(
  { headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>,
  mainSecret: MainSecret,
): boolean {
  const { authorization } = headers;
  if (authorization !== undefined) return isTokenOfMain(authorization, mainSecret);
  return withoutTokensOfMain(url, mainSecret) !== url;
}

/** A URL without the parameters whose values are tokens of main; otherwise unchanged. */
export function withoutTokensOfMain(url: string, mainSecret: MainSecret): string {
  if (!url.includes('eyJ')) return url;
  const path = pathOf(url);
  if (url[path.length] !== '?') return url;
  const pairs = url.slice(path.length + 1).split('&');
  const kept = pairs.filter((pair) => !isTokenOfMain(pair.slice(pair.indexOf('=') + 1), mainSecret));
  if (kept.length === pairs.length) return url;
  return kept.length ? `${path}?${kept.join('&')}` : path;
}
