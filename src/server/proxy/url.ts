import type { IncomingMessage } from 'node:http';

/**
 * Whether a request is read-only, so that sending it twice does no harm: `GET` or `HEAD`, without a body, of a file
 * (for the gateway, everything outside the API is a file, server/src/gateway/index.ts:491-580) or of the actions `list`
 * and `get`. Other actions may change anything, even with `GET`.
 *
 * @param apiBase `API_BASE_PATH` without trailing slash
 */
export function isReadOnly(method: string | undefined, url: string, hasBody: boolean, apiBase: string): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || hasBody) return false;
  const path = pathOf(url);
  if (!path.startsWith(`${apiBase}/`)) return true;
  return /^[^:]*:(?:list|get)(?:\/[^:]*)?$/.test(path);
}

/** The path of a request target, without query; the core's `url.parse` also cuts at `#`. */
export function pathOf(url: string): string {
  for (let i = 0; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code === 63 || code === 35) return url.slice(0, i);
  }
  return url;
}

/** `/api/` and `/api` become `/api`; `/` becomes the empty string. */
export function basePath(path: string): string {
  const trimmed = path.replace(/\/+/g, '/').replace(/\/$/, '');
  return trimmed === '' || trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
}

/**
 * Converts an absolute request target in place: its path becomes the URL, and its host replaces `Host` (RFC 9112 3.2.2).
 * @returns false if its host cannot be understood
 */
export function readTarget(req: Pick<IncomingMessage, 'url' | 'headers'>): boolean {
  const url = req.url ?? '/';
  if (url.startsWith('/')) return true;
  req.url = originForm(url);
  const host = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  if (host === undefined) return true;
  if (host === '' || host.includes('@')) return false;
  req.headers.host = host;
  return true;
}

/** Converts `GET http://host/path` (RFC 9112 3.2.2) into its path. */
export function originForm(url: string): string {
  if (url.startsWith('/')) return url;
  const rest = /^https?:\/\/[^/?#]*(.*)$/is.exec(url)?.[1];
  if (rest === undefined) return url === '*' ? url : `/${url}`;
  return rest.startsWith('/') ? rest : `/${rest}`;
}
