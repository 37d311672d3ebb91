import { COOKIE } from './sticky-environment';

/**
 * Which cookies pass between a visitor and an app. Apps below one address share the browser's cookies: those that
 * NocoBase sets for main or for another app (`nb_auth_token_main`), and our own, pass in neither direction.
 */

export interface CookieRules {
  app: string;
  /** Whether the fleet has an app of this name. */
  isApp(name: string): boolean;
}

/** NocoBase's own kinds (utils/src/auth-cookie-name.ts). What follows is the name of the app, whatever it is. */
const KINDS = ['nb_auth_token_', 'nb_authenticator_', 'nb_role_', 'nb_csrf_token_'];
/** In characters: an app's name has 50. */
const MAX_APP_NAME = 50;

/** Whether a cookie of this name passes. Names that NocoBase does not use pass. */
export function passes(name: string, { app, isApp }: CookieRules): boolean {
  if (name === COOKIE) return false;
  if (!name.startsWith('nb_')) return true;
  const kind = KINDS.find((each) => name.startsWith(each));
  if (kind !== undefined) return name.slice(kind.length) === app;
  // A cookie of a plugin, `nb_*_<app>`: the longest ending that is an app names its owner.
  const first = Math.max(2, name.length - MAX_APP_NAME - 1);
  for (let at = name.indexOf('_', first); at >= 0; at = name.indexOf('_', at + 1)) {
    const owner = name.slice(at + 1);
    if (owner === app) return true;
    if (owner === 'main' || isApp(owner)) return false;
  }
  return true;
}

const mayHaveToGo = (cookies: string): boolean => cookies.includes('nb_') || cookies.includes(COOKIE);

/** A `Cookie` header without what does not pass; null if nothing is left. What passes is unchanged. */
export function passedCookies(header: string, rules: CookieRules): string | null {
  if (!mayHaveToGo(header)) return header;
  const all = header.split(';');
  const passed = all.filter((pair) => passes(nameOf(pair), rules));
  if (passed.length === all.length) return header;
  return passed.join(';').trim() || null;
}

/** A `Set-Cookie` header without `Domain`, so that the cookie stays at this host; null if it does not pass. */
export function passedSetCookie(header: string, rules: CookieRules): string | null {
  if (mayHaveToGo(header) && !passes(nameOf(header), rules)) return null;
  if (!/domain/i.test(header)) return header;
  const [pair, ...attributes] = header.split(';');
  const kept = attributes.filter((attribute) => nameOf(attribute).toLowerCase() !== 'domain');
  return [pair, ...kept].join(';');
}

/** A cookie without a name (`=nb_role_main=x`) is sent back as its value, in which the next reader finds a name. */
function nameOf(pair: string): string {
  let begin = 0;
  while (begin < pair.length && SKIPPED.has(pair[begin])) begin++;
  const end = pair.indexOf('=', begin);
  const semicolon = pair.indexOf(';', begin);
  const stop = end < 0 ? pair.length : end;
  return pair.slice(begin, semicolon >= 0 && semicolon < stop ? semicolon : stop).trim();
}
const SKIPPED = new Set([' ', '\t', '=']);
