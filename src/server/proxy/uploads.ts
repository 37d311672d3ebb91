import { pathOf } from './url';

/**
 * Where an app's uploads are read through the Supervisor. The core answers `/files/<app>/…` with a redirect to
 * `/storage/uploads/…?__appName=<app>`, an address that the nginx of NocoBase's own image answers itself, from the disk beside
 * it: on the Supervisor, where no file of an app lies. What is below `/files/` that nginx passes on. So the visitor is sent to
 * `/files/<app>/~uploads/…` instead, and the worker is asked for the address that it meant.
 */

/** No data source, whose name follows the app's in an address of a file, can be called so. */
const UPLOADS = '~uploads/';

/** A path that leaves the folder it begins in, or may to a reader that decodes it. */
const DOTS = /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?=\/|\\|%2f|%5c|$)/i;
export const climbs = (path: string): boolean => DOTS.test(path);

const uploadsBelow = (publicPath: string): string => `${publicPath}storage/uploads/`;

/** The rest of a path below `storage/uploads/`, or null. @param publicPath with last slash */
export function uploadIn(path: string, publicPath: string): string | null {
  const folder = uploadsBelow(publicPath);
  return path.startsWith(folder) ? path.slice(folder.length) : null;
}

/**
 * A redirect of an app's answer as its visitor gets it.
 * @param host of the visitor's address: other hosts have uploads of their own
 */
export function visitorLocation(location: string, app: string, publicPath: string, host: string): string {
  const [, named, target] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(location) ?? [null, host, location];
  const upload = uploadIn(target, publicPath);
  if (upload === null || climbs(pathOf(upload)) || named.toLowerCase() !== host.toLowerCase()) return location;
  return `${publicPath}files/${app}/${UPLOADS}${upload}`;
}

/** The address that a worker knows for what a visitor asks for. */
export function workerUrl(url: string, app: string, publicPath: string): string {
  const files = `${publicPath}files/`;
  if (!url.startsWith(files)) return url;
  const path = pathOf(url);
  const begin = path.indexOf('/', files.length) + 1;
  if (begin === 0 || !path.startsWith(UPLOADS, begin)) return url;
  const upload = path.slice(begin + UPLOADS.length);
  return climbs(upload) ? url : uploadsBelow(publicPath) + upload + queryFor(app, url.slice(path.length));
}

/** The app is what the path has named. Here the query does, for whatever stands before the worker too, and no other may. */
function queryFor(app: string, query: string): string {
  const [before] = query.split('#', 1);
  const others = before.slice(1).split('&');
  const kept = others.filter((one) => one && ![...new URLSearchParams(one).keys()].some((key) => key.startsWith(NAME)));
  return `?${[`${NAME}=${app}`, ...kept].join('&')}`;
}
const NAME = '__appName';
