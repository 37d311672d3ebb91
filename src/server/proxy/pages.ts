import type { ClientPaths } from '../../shared/client-paths';

/**
 * The pages of an app as NocoBase's clients address them on main's host: `<client>apps/<name>/…`. Those of NocoBase 2 are
 * the classic and the modern client; NocoBase 3 adds its settings and the portals that an app defines.
 */

export interface AppPage {
  app: string;
  /** The path of the same page at the app's own host. */
  ownPath: string;
}

/** Below the public path; reserved by NocoBase 3. */
const SETTINGS = 'settings/';
export const PORTALS = 'x/';

/** @returns finds the app whose page a path is, or null. Never decodes: the clients do not, either. */
export function pageFinder({ publicPath, modernPrefix }: ClientPaths): (path: string) => AppPage | null {
  const clients = ['', `${modernPrefix}/`, SETTINGS, PORTALS].map((prefix) => ({
    path: `${publicPath}${prefix}`,
    apps: `${publicPath}${prefix}apps/`,
    // A portal is found by the app in its address, at the app's own host, too.
    keepsApp: prefix === PORTALS,
  }));
  return (path) => {
    const client = clients.find(({ apps }) => path.startsWith(apps));
    if (client === undefined) return null;
    const begin = client.apps.length;
    const slash = path.indexOf('/', begin);
    const end = slash < 0 ? path.length : slash;
    const ownPath = client.keepsApp ? path : client.path + path.slice(slash < 0 ? end : end + 1);
    return { app: path.slice(begin, end), ownPath };
  };
}

/**
 * The page below the base path of its client, or null outside of `APP_PUBLIC_PATH`.
 * @param ownPath a path at the app's own host
 */
export function pageBelow(ownPath: string, { publicPath, modernPrefix }: ClientPaths): string | null {
  if (!ownPath.startsWith(publicPath)) return null;
  const modern = `${publicPath}${modernPrefix}/`;
  return ownPath.slice((ownPath.startsWith(modern) ? modern : publicPath).length);
}
