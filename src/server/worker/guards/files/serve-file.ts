import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { HostConfig } from '../../../config/core-settings';
import { fileOf, isInside, uploadsOf } from '../../files/file-addresses';

/** The parts of a request for a file that are read, and its answer. */
interface FileContext {
  method: string;
  path: string;
  query: Record<string, unknown>;
  status: number;
  body: unknown;
  type: string;
  length: number;
  withoutDataWrapping?: boolean;
  get(header: string): string;
  set(header: string, value: string): void;
}

/** What a browser would run as part of the page that it is on: downloaded, as NocoBase does (static-file-security.js). */
const ACTIVE = new Set(['.htm', '.html', '.pdf', '.svg', '.svgz', '.xht', '.xhtml', '.xml', '.xsl', '.xslt']);

/**
 * The part of a file that a request asks for. Several parts, and what cannot be read, get the whole file, as HTTP allows.
 *
 * @returns first and last byte; `'outside'` if the file has none of them
 */
export function rangeOf(header: string, size: number): [first: number, last: number] | 'outside' | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (!first && !last) return null;
  const begin = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(Number(last), size - 1) : size - 1;
  if (first && last && Number(last) < Number(first)) return null;
  return begin > end ? 'outside' : [begin, end];
}

/**
 * Serves an app's uploads to the app's own users. NocoBase serves the folder that all apps share, to the users of any;
 * who may read at all is still its own decision.
 */
export function serveFiles(app: string, { storagePath, publicPath, apiBasePath }: HostConfig) {
  const folder = uploadsOf(storagePath, app);
  const check = `${apiBasePath.replace(/\/$/, '')}/auth:checkLegacyFileAccess`;

  return async function serveOwnFiles(ctx: FileContext, next: () => Promise<unknown>): Promise<void> {
    const file = fileOf(publicPath, app, ctx.path);
    if (file === null) return void (await next());
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return answer(ctx, 405);
    const address = ctx.path;
    ctx.path = check;
    try {
      // Throws if the user may not read files.
      await next();
    } finally {
      ctx.path = address;
    }
    const found = file === undefined ? null : path.join(folder, file);
    const size = found && isInside(folder, found) ? await sizeOf(found) : null;
    if (found === null || size === null) return answer(ctx, 404);
    send(ctx, found, size);
  };
}

async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ? found.size : null;
}

function send(ctx: FileContext, file: string, size: number): void {
  const isDownload = ACTIVE.has(path.extname(file).toLowerCase()) || ctx.query.download === '1';
  ctx.set('Cache-Control', 'private, no-store');
  ctx.set('Content-Security-Policy', 'sandbox');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('Content-Disposition', isDownload ? 'attachment' : 'inline');
  ctx.set('Accept-Ranges', 'bytes');
  const range = rangeOf(ctx.get('Range'), size);
  if (range === 'outside') {
    ctx.set('Content-Range', `bytes */${size}`);
    answer(ctx, 416);
    return;
  }
  const [start, end] = range ?? [0, size - 1];
  if (range) ctx.set('Content-Range', `bytes ${start}-${end}/${size}`);
  ctx.status = range ? 206 : 200;
  ctx.body = size ? createReadStream(file, { start, end }) : Buffer.alloc(0);
  ctx.type = path.extname(file) || 'application/octet-stream';
  ctx.length = end - start + 1;
}

function answer(ctx: FileContext, status: 404 | 405 | 416): void {
  ctx.withoutDataWrapping = true;
  ctx.status = status;
  ctx.body = { 404: 'Not Found', 405: 'Method Not Allowed', 416: 'Range Not Satisfiable' }[status];
}
