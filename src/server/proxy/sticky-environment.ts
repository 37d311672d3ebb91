import type { IncomingHttpHeaders } from 'node:http';
import { ENVIRONMENT_NAME, isAppName } from '../../shared/names';

/**
 * How a visitor requests an environment: with the header `X-App-Environment`, or with one cookie for all apps (browsers
 * cannot set headers on navigations and WebSockets): `app_environment=<app>.<env>~<app>.<env>`, newest first and
 * limited in size, so that visits to a hundred apps do not grow the `Cookie` header until workers answer 431.
 */

export const COOKIE = 'app_environment';
export const ENVIRONMENT_HEADER = 'x-app-environment';
const MOST_PINS = 16;
const PREFIX = `${COOKIE}=`;

export function requestedEnvironment(headers: IncomingHttpHeaders, app: string): string | null {
  const named = headers[ENVIRONMENT_HEADER];
  if (typeof named === 'string' && ENVIRONMENT_NAME.test(named)) return named;
  return headers.cookie === undefined ? null : pinnedEnvironment(headers.cookie, app);
}

export function pinnedEnvironment(cookie: string, app: string): string | null {
  const value = cookieValue(cookie);
  if (!value) return null;
  return parsePins(value).find((pin) => pin.app === app)?.environment ?? null;
}

/** The cookie's new value after `app` was pinned (or, with null, unpinned); empty if nothing is left. */
export function withPin(cookie: string | undefined, app: string, environment: string | null): string {
  const others = parsePins(cookieValue(cookie ?? '')).filter((pin) => pin.app !== app);
  const pins = environment === null ? others : [{ app, environment }, ...others];
  return pins
    .slice(0, MOST_PINS)
    .map((pin) => `${pin.app}.${pin.environment}`)
    .join('~');
}

function cookieValue(cookie: string): string {
  // Not a regular expression, because this runs for every request with a cookie.
  for (let at = cookie.indexOf(PREFIX); at >= 0; at = cookie.indexOf(PREFIX, at + 1)) {
    const before = at === 0 ? ';' : cookie[at - 1];
    if (before !== ';' && before !== ' ') continue;
    const end = cookie.indexOf(';', at);
    return cookie.slice(at + PREFIX.length, end < 0 ? undefined : end).trim();
  }
  return '';
}

/** Drops entries that do not parse: visitors can write anything into the cookie. */
function parsePins(value: string): Array<{ app: string; environment: string }> {
  const pins: Array<{ app: string; environment: string }> = [];
  if (!value) return pins;
  for (const part of value.split('~', MOST_PINS)) {
    const dot = part.indexOf('.'); // app names contain no dot
    const app = part.slice(0, dot);
    const environment = part.slice(dot + 1);
    if (dot > 0 && isAppName(app) && ENVIRONMENT_NAME.test(environment)) pins.push({ app, environment });
  }
  return pins;
}
