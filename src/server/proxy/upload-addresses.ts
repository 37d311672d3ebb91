import { pathOf } from './url';

/**
 * How visitors read an app's uploads through the Supervisor. The core answers `/files/<app>/…` with a redirect to
 * `/storage/uploads/…?__appName=<app>`. The nginx of NocoBase's own image serves that address itself, from the local
 * disk; on the Supervisor no file of an app is stored there. It forwards addresses below `/files/`. So the proxy
 * redirects the visitor to `/files/<app>/~uploads/…` instead, and requests the original address from the worker.
 */

/** No data source, whose name follows the app's in the address of a file, can have this name. */
const UPLOADS = '~uploads/';

/** A path that leaves its folder, or may do so for a reader that decodes it. */
const DOTS = /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?=\/|\\|%2f|%5c|$)/i;
export const leavesFolder = (path: string): boolean => DOTS.test(path);

const uploadsBelow = (publicPath: string): string => `${publicPath}storage/uploads/`;

/**
 * The rest of a path below `storage/uploads/`, or null.
 * @param publicPath with trailing slash
 */
export function uploadIn(path: string, publicPath: string): string | null {
  const folder = uploadsBelow(publicPath);
  return path.startsWith(folder) ? path.slice(folder.length) : null;
}

/**
 * Rewrites a redirect in an app's answer for its visitor.
 * @param host of the visitor's address: other hosts have uploads of their own
 */
export function visitorLocation(location: string, app: string, publicPath: string, host: string): string {
  const [, named, target] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(location) ?? [null, host, location];
  const upload = uploadIn(target, publicPath);
  if (upload === null || leavesFolder(pathOf(upload)) || named.toLowerCase() !== host.toLowerCase()) return location;
  return `${publicPath}files/${app}/${UPLOADS}${upload}`;
}

/** Converts an address of a visitor into the address that the worker knows. */
export function workerUrl(url: string, app: string, publicPath: string): string {
  const files = `${publicPath}files/`;
  if (!url.startsWith(files)) return url;
  const path = pathOf(url);
  const begin = path.indexOf('/', files.length) + 1;
  if (begin === 0 || !path.startsWith(UPLOADS, begin)) return url;
  const upload = path.slice(begin + UPLOADS.length);
  return leavesFolder(upload) ? url : uploadsBelow(publicPath) + upload + queryFor(app, url.slice(path.length));
}

/**
 * The path has named the app; here the query names it, also for a proxy in front of the worker, and must name no other
 * app.
 */
function queryFor(app: string, query: string): string {
  const [before] = query.split('#', 1);
  const others = before.slice(1).split('&');
  const kept = others.filter((one) => one && ![...new URLSearchParams(one).keys()].some((key) => key.startsWith(NAME)));
  return `?${[`${NAME}=${app}`, ...kept].join('&')}`;
}
const NAME = '__appName';
