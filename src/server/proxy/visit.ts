import type { IncomingMessage, ServerResponse } from 'node:http';
import { ENVIRONMENT_NAME } from '../../shared/names';
import { languageOf } from '../visitor-texts';
import { answer, send } from './answers';
import { COOKIE, withPin } from './sticky-environment';
import type { RouteApp } from './table';
import { pathOf } from './url';

/**
 * `GET <api>/__app/<name>/__visit?environment=&to=`: the link behind "Visit". It pins the visitor's browser to an
 * environment of that app (or, without `environment`, unpins it) and redirects to a page of the app. The proxy answers
 * it, because the choice must be made before any environment gets a request.
 */
export interface VisitConfig {
  /** Without trailing slash. */
  apiBase: string;
  /** `APP_PUBLIC_PATH`, with trailing slash. */
  publicPath: string;
  modernPrefix: string;
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
 * The redirect target: `to` if it is a page of this app and nothing else, otherwise the app's first page. Rejects
 * everything that a browser could read as another origin: `//host`, `/\host`, and control characters, which browsers
 * remove before they parse.
 */
export function destination(
  app: Pick<RouteApp, 'name'>,
  to: string | null,
  { publicPath, modernPrefix, isOwnHost }: VisitPlace,
): string {
  const home = `apps/${app.name}/`;
  const first = isOwnHost ? publicPath : `${publicPath}${home}admin/`;
  if (to === null || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(to) || !URL.canParse(to, 'http://any')) return first;
  const parsed = new URL(to, 'http://any'); // resolves `..`, also percent-encoded
  const path = parsed.pathname;
  if (parsed.origin !== 'http://any' || path.startsWith('//')) return first;
  const client = [publicPath, `${publicPath}${modernPrefix}/`].find((each) => path.startsWith(each + home));
  if (!isOwnHost) return client === undefined ? first : path + parsed.search + parsed.hash;
  // The page has no app in its address here.
  const here = client === undefined ? path : client + path.slice(client.length + home.length);
  return here.startsWith('//') ? first : here + parsed.search + parsed.hash;
}
