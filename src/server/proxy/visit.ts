import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ClientPaths, clientPath } from '../../shared/client-paths';
import { ENVIRONMENT_NAME } from '../../shared/names';
import { TARGET_PAGE } from '../../shared/sso';
import { languageOf } from '../visitor-texts';
import { answer, send } from './answers';
import { pageBelow, pageFinder } from './pages';
import { COOKIE, withPin } from './sticky-environment';
import type { RouteApp } from './table';
import { pathOf } from './url';

/**
 * `GET <api>/__app/<name>/__visit?environment=&to=`: the link behind "Visit". It pins the visitor's browser to an
 * environment of that app (or, without `environment`, unpins it) and redirects to a page of the app. The proxy answers
 * it, because the choice must be made before any environment gets a request.
 */
export interface VisitConfig extends ClientPaths {
  /** Without trailing slash. */
  apiBase: string;
}

/** Where the visitor is. */
export interface VisitPlace extends VisitConfig {
  /** The host is the app's own: a custom domain, or a label below the apps' domain. */
  isOwnHost: boolean;
}

export function isVisit(url: string, app: string, apiBase: string): boolean {
  return url.includes('/__visit') && pathOf(url) === `${apiBase}/__app/${app}/__visit`;
}

export function visit(
  app: RouteApp,
  url: string,
  req: IncomingMessage,
  res: ServerResponse,
  config: VisitPlace,
  secure: boolean,
): void {
  const query = new URL(url, 'http://any').searchParams;
  const environment = query.get('environment') || null;
  if (environment !== null && !(ENVIRONMENT_NAME.test(environment) && app.environments.includes(environment))) {
    send(req, res, answer('INVALID_INPUT', app.title ?? app.name, { language: languageOf(req.headers) }));
    return;
  }
  const pins = withPin(req.headers.cookie, app.name, environment);
  res.statusCode = 302;
  res.setHeader('Location', destination(app, query.get('to'), config));
  res.setHeader(
    'Set-Cookie',
    `${COOKIE}=${pins}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}${pins ? '' : '; Max-Age=0'}`,
  );
  res.setHeader('Cache-Control', 'no-store');
  if (environment !== null) res.setHeader('X-App-Environment', environment);
  res.setHeader('Content-Length', '0');
  res.end();
}

/**
 * The redirect target: `to` if it is a page of this app's client, otherwise the app's first page. Accepts only paths in
 * `TARGET_PAGE`, and rejects everything that a browser could read as another origin: `//host`, `/\host`, and control
 * characters, which browsers remove before they parse.
 */
export function destination(
  app: Pick<RouteApp, 'name'>,
  to: string | null,
  { isOwnHost, ...paths }: VisitPlace,
): string {
  const first = `${clientPath(paths)}${isOwnHost ? '' : `apps/${app.name}/admin/`}`;
  if (to === null || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(to) || !URL.canParse(to, 'http://any')) return first;
  const parsed = new URL(to, 'http://any'); // resolves `..`, also percent-encoded
  const path = parsed.pathname;
  if (parsed.origin !== 'http://any' || path.startsWith('//')) return first;
  const page = pageFinder(paths)(path);
  // Without a slash behind the name it is no page of the client, but a file or another app.
  const isOwn = page?.app === app.name && path.includes(`apps/${app.name}/`);
  if (!isOwnHost && !isOwn) return first;
  // The page has no app in its address at the app's own host.
  const ownPath = isOwn ? page.ownPath : path;
  if (!TARGET_PAGE.test(pageBelow(ownPath, paths) ?? 'outside')) return first;
  return (isOwnHost ? ownPath : path) + parsed.search + parsed.hash;
}
