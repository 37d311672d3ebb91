import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientPaths } from '../../shared/client-paths';
import { languageOf } from '../visitor-texts';
import { answer, send } from './answers';
import { isForPeople, pageFor } from './error-page';
import { hasBody, visitorHost } from './headers';
import type { Opening } from './opening';
import { isOwnHost } from './origins';
import { pageFinder } from './pages';
import { peerOf } from './peer';
import type { RoutingTable } from './table';
import { pathOf } from './url';

/**
 * The pages of apps, at their own hosts and below `/apps/<name>/` at main's: a person who opens one of an app that cannot be
 * opened, or that does not exist, reads that, instead of what NocoBase's client makes of it.
 */
export type PageFront = (name: string, req: IncomingMessage, res: ServerResponse) => boolean | Promise<boolean>;

export interface PageFrontOptions extends ClientPaths {
  table: RoutingTable;
  /** Without trailing slash. */
  apiBase: string;
  trusts: (address: string) => boolean;
  opening: Opening;
}

/** @returns answers requests of the app that they name, or of `main` */
export function createPageFront({ table, apiBase, trusts, opening, ...paths }: PageFrontOptions): PageFront {
  const pageOf = pageFinder(paths);

  const appAt = (name: string, path: string, req: IncomingMessage): string | null => {
    if (name === 'main') return pageOf(path)?.app || null;
    return isOwnHost(table, name, visitorHost(req, peerOf(req.socket, trusts))) ? name : null;
  };

  return (name, req, res) => {
    const path = pathOf(req.url ?? '/');
    if (path.startsWith(`${apiBase}/`) || hasBody(req)) return false;
    const asked = appAt(name, path, req);
    if (asked === null || !isForPeople(req, path, apiBase)) return false;
    const main = name === 'main' ? paths.publicPath : null;
    const app = table.app(asked);
    if (app) return opening(app, req, res, main);
    const code = table.loaded ? 'APP_NOT_FOUND' : 'APP_PREPARING';
    const what = answer(code, '', { language: languageOf(req.headers) });
    send(req, res, what, pageFor(req, path, apiBase, what, null, main));
    return true;
  };
}
