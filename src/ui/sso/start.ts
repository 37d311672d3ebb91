import type { HostApp } from '@nocobase/flow-engine';
import {
  INNER_PAGE,
  type NoSession,
  SSO_AUTHENTICATOR,
  SSO_HEADER,
  SSO_PAGE,
  SSO_RESOURCE,
  sessionKey,
} from '../../shared/sso';

/** The page that the browser shows, or the one that its sign-in page leads to, as an absolute path. */
function pageOf(): string {
  const { pathname, search, hash } = window.location;
  if (!/\/signin\/?$/.test(pathname)) return pathname + search + hash;
  const redirect = new URLSearchParams(search).get('redirect');
  if (!redirect?.startsWith('/')) return '';
  // The classic client names pages below its base path, the modern one with it.
  const base = pathname.replace(/signin\/?$/, '');
  return redirect.startsWith(base) ? redirect : base + redirect.slice(1);
}

/** Goes to the main app, to come back signed in. */
export function startSso(app: HostApp): void {
  // At its own host the client takes the app for the main one, and the server knows better.
  const place = app.name === 'main' ? '' : `__app/${app.name}/`;
  const query = new URLSearchParams({ redirect: pageOf() });
  window.location.assign(app.getApiUrl(`${place}${SSO_RESOURCE}:start?${query}`));
}

/**
 * Takes over the session that a sign-in by the main app has left for this client (`handOver` of the server), once, and before
 * anything on the page asks the server.
 */
export function takeSession(app: HostApp): void {
  const key = sessionKey(app.name);
  const token = globalThis.sessionStorage?.getItem(key);
  if (!token) return;
  sessionStorage.removeItem(key);
  app.apiClient.auth.setToken(token);
  app.apiClient.auth.setAuthenticator(SSO_AUTHENTICATOR);
}

/** In ms: a session that ends again at once would send its user to and fro for ever. */
const REST = 30_000;
const LAST = 'appSsoResumedAt';

/** Whether the browser shows a page of the app that needs a session, and not in a frame, where nobody is signed in. */
function isInnerPage(app: HostApp): boolean {
  const base = app.router.basename.replace(/\/?$/, '/');
  const { pathname } = window.location;
  return window.self === window.top && pathname.startsWith(base) && INNER_PAGE.test(pathname.slice(base.length));
}

/**
 * Without a session the main app is asked for one, instead of a password. Who has had none may want to stay: signing out of the app
 * ends at its sign-in page.
 */
export function resumeBySso(app: HostApp): void {
  let isLeaving = false;
  app.apiClient.axios.interceptors.response.use(
    undefined,
    (error: { response?: { headers?: Record<string, string> } }) => {
      const isSoon = Date.now() - Number(sessionStorage.getItem(LAST)) < REST;
      const why = error.response?.headers?.[SSO_HEADER] as NoSession | undefined;
      const isWanted = why === 'ended' || (why === 'none' && isInnerPage(app));
      if (isWanted && !isLeaving && !isSoon) {
        isLeaving = true;
        sessionStorage.setItem(LAST, String(Date.now()));
        startSso(app);
      }
      throw error;
    },
  );
}

/**
 * The app that a sign-in at the main app leads to, by the page that the browser shows; null: it is none of those.
 * @param path with or without the base path of the client
 */
export function appAskedAt(path: string, search: string): string | null {
  if (!/\/sign(?:in|up)\/?$/.test(path)) return null;
  const redirect = new URLSearchParams(search).get('redirect') ?? '';
  if (!URL.canParse(redirect, 'http://any')) return null;
  const { pathname, searchParams } = new URL(redirect, 'http://any');
  return pathname.endsWith(SSO_PAGE) ? searchParams.get('app') : null;
}

/**
 * Whoever has come to sign in knows that he is not signed in: what other plugins ask before is no error of his. A sign-in that is
 * refused is told as ever.
 */
export function quietBeforeSignIn(app: HostApp): void {
  app.apiClient.axios.interceptors.request.use((config) => {
    const { pathname, search } = window.location;
    const isAwaited = pathname.endsWith(SSO_PAGE) || appAskedAt(pathname, search) !== null;
    if (isAwaited && config.skipNotify === undefined && !config.url?.includes('auth:sign'))
      config.skipNotify = (error) => error.response?.status === 401;
    return config;
  });
}
