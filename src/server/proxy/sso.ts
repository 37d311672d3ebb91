import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientOf, clientPath } from '../../shared/client-paths';
import { INNER_PAGE, isTopLevel, SSO_RESOURCE, type SsoRefusal } from '../../shared/sso';
import { secretBytes } from '../random';
import { languageOf } from '../visitor-texts';
import { answer, send } from './answers';
import { pageFor } from './error-page';
import { visitorHost, visitorProtocol } from './headers';
import { isOwnHost } from './origins';
import { pageBelow, pageFinder } from './pages';
import { peerOf } from './peer';
import { refuseSignIn } from './sso-page';
import { hostnameOf, type RouteApp, type RoutingTable } from './table';
import { pathOf } from './url';
import { destination, type VisitConfig } from './visit';

/**
 * The first step of a sign-in to an app by the main app (docs/app-sso.md). It is taken in front of everything, so that a
 * visitor without a session in the app does not load its pages twice, and no app has to run for it:
 * - `GET <api>/__app/<name>/appSso:start?redirect=<page>`, at the app's own host also without `__app/<name>`;
 * - the same with `first=1`, for whoever has just created the app;
 * - a page of the app that a browser opens without a session.
 *
 * The visitor gets a secret in a cookie, and goes to the main app with a hash of it: what the main app then gives him is
 * worth nothing in another browser.
 */
export interface SsoOptions extends VisitConfig {
  table: RoutingTable;
  trusts: (address: string) => boolean;
  /** `APP_SUPERVISOR_PUBLIC_URL`. */
  publicUrl: string | null;
  /** Where apps run in this process: whether this one does; starts one that waits for its first visit. */
  isReady?(app: string): boolean;
}

/** @returns whether it has answered */
export type SsoFront = (name: string, req: IncomingMessage, res: ServerResponse) => boolean;

/** How long a visitor may take to sign in to the main app, in seconds. */
const PATIENCE = 3_600;
/** In characters. A longer address of a page is not remembered: visitors then see the app's first page. */
const MAX_PAGE = 2_000;

/** The cookie of one sign-in: several tabs may begin one at the same time. */
export const ssoCookie = (state: string, app: string): string => `nb_sso_${state}_${app}`;

/** What the main app gets to know of the secret. */
export const challengeOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export const isSsoCallback = (url: string): boolean => pathOf(url).endsWith(`/${SSO_RESOURCE}:callback`);

export function createSsoFront({ table, trusts, publicUrl, isReady, ...paths }: SsoOptions): SsoFront {
  const { apiBase } = paths;
  const pageOf = pageFinder(paths);

  /** The app whose page is asked for, and the page below the base path of its client. */
  const pageIn = (name: string, path: string, isOwn: boolean): { app: string; page: string } | null => {
    const found = isOwn ? { app: name, ownPath: path } : pageOf(path);
    const page = found && pageBelow(found.ownPath, paths);
    return found && page !== null ? { app: found.app, page } : null;
  };

  return function enterBySso(name, req, res) {
    const url = req.url ?? '/';
    if (req.method !== 'GET' || !mayBegin(url, apiBase)) return false;
    // A sign-in of another plugin: NocoBase's clients take a session out of the address, after they have loaded.
    if (/[?&]token=/.test(url)) res.setHeader('Referrer-Policy', 'no-referrer');
    const path = pathOf(url);
    if (isSsoCallback(url)) {
      const app = table.app(name);
      return app !== undefined && isReady?.(name) === false && waitFor(app, req, res);
    }
    const peer = peerOf(req.socket, trusts);
    const host = visitorHost(req, peer);
    const isOwn = isOwnHost(table, name, host);
    const isAsked =
      path === `${apiBase}/__app/${name}/${SSO_RESOURCE}:start` ||
      (isOwn && path === `${apiBase}/${SSO_RESOURCE}:start`);
    const found = isAsked ? { app: name, page: '' } : pageIn(name, path, isOwn);
    const app = found && table.app(found.app);
    if (!app) return false;
    const protocol = visitorProtocol(req, peer);
    const query = new URLSearchParams(url.slice(path.length));
    if (!isAsked && !(app.sso && isOpened(app, req, found.page, query, protocol))) {
      // A browser that shows its copy does not ask, and its user is not signed in once his session has ended.
      if (app.sso && INNER_PAGE.test(found.page)) res.setHeader('Cache-Control', 'no-cache');
      return false;
    }
    const page = pageAsked(app, isAsked ? query.get('redirect') : url, { ...paths, isOwnHost: isOwn });
    const isByPerson = isTopLevel(req.headers, protocol);
    const mayGetCode = !isOwn || table.signInHostsOf(app).includes(hostnameOf(host ?? ''));
    const isFirst = isAsked && query.get('first') === '1';
    const refusal = refusalOf(app.sso || isFirst, isByPerson, isOwn ? publicUrl : '', mayGetCode);
    if (refusal) {
      const signIn = signInPage(page, app.name, { ...paths, isOwnHost: isOwn });
      refuseSignIn(req, res, refusal, app, languageOf(req.headers), { page, signIn });
      return true;
    }
    begin(app, page, `${isOwn ? publicUrl : ''}${apiBase}`, protocol === 'https');
    return true;

    function begin({ name: app }: RouteApp, redirect: string, api: string, secure: boolean): void {
      const [secret, state] = [secretBytes(32).toString('base64url'), secretBytes(6).toString('hex')];
      const asked = new URLSearchParams({ app, state, challenge: challengeOf(secret), redirect });
      if (isOwn) asked.set('own', hostnameOf(host ?? ''));
      if (isFirst) asked.set('first', '1');
      res.statusCode = 302;
      res.setHeader('Location', `${api}/${SSO_RESOURCE}:authorize?${asked}`);
      res.appendHeader(
        'Set-Cookie',
        `${ssoCookie(state, app)}=${secret}; Path=${apiBase}/; Max-Age=${PATIENCE}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
      );
      res.setHeader('Cache-Control', 'no-store');
      res.setHeader('Referrer-Policy', 'no-referrer');
      res.setHeader('Content-Length', '0');
      res.end();
    }
  };
}

/** Cheap, because every request passes: what is for the API is no page. */
const mayBegin = (url: string, apiBase: string): boolean =>
  !url.startsWith(`${apiBase}/`) || url.includes(`/${SSO_RESOURCE}:`);

/** The app starts: a person waits for it, and what he has brought stays valid. */
function waitFor(app: RouteApp, req: IncomingMessage, res: ServerResponse): true {
  const what = answer('APP_PREPARING', app.title ?? app.name, { language: languageOf(req.headers) });
  send(req, res, what, pageFor(req, pathOf(req.url ?? '/'), '', what, app));
  return true;
}

/** Whether a person opens a page of the app that needs a session, without one. */
function isOpened(
  app: RouteApp,
  req: IncomingMessage,
  page: string,
  query: URLSearchParams,
  protocol: string,
): boolean {
  // A token in the address is a sign-in of its own, which the page completes.
  if (!INNER_PAGE.test(page) || query.has('token') || !isTopLevel(req.headers, protocol)) return false;
  return !hasCookie(req.headers.cookie, `nb_auth_token_${app.name}`);
}

const hasCookie = (header: string | undefined, name: string): boolean =>
  header?.split(';').some((pair) => pair.trim().startsWith(`${name}=`)) ?? false;

function refusalOf(isOn: unknown, isByPerson: boolean, main: string | null, mayGetCode: boolean): SsoRefusal | null {
  if (!isOn) return 'SSO_OFF';
  if (!isByPerson) return 'SSO_NOT_TOP_LEVEL';
  if (main === null) return 'SSO_NO_ADDRESS';
  return mayGetCode ? null : 'SSO_DOMAIN_UNVERIFIED';
}

/** The page that the visitor asked for if it is one of this app, otherwise the app's first one. */
export const pageAsked = (app: Pick<RouteApp, 'name'>, page: string | null, place: VisitPlaceOf): string =>
  destination(app, page !== null && page.length <= MAX_PAGE ? page : null, place);
type VisitPlaceOf = Parameters<typeof destination>[2];

/** The app's own sign-in, in the client of the page that was asked for. */
export function signInPage(page: string, app: string, { isOwnHost, ...paths }: VisitPlaceOf): string {
  const client = clientPath(paths, clientOf(page, paths));
  return `${client}${isOwnHost ? '' : `apps/${app}/`}signin?redirect=${encodeURIComponent(page)}`;
}
