import { realpathSync } from 'node:fs';
import path from 'node:path';

/** In the address of a file of an app: no data source, whose name follows the app's there, can have this name. */
const FOLDER = '~storage/';

/** The folder of an app's uploads: next to its keys, and outside of `storage/uploads`, which the image's nginx serves. */
export const uploadsOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app, 'uploads');

/** The folder that all apps shared before each had its own, and that the main app still uses. */
export const sharedUploads = (storagePath: string): string => path.join(storagePath, 'uploads');

/** Whether a path names the folder or something below it. Looks at the names only. */
export const isBelow = (folder: string, file: string): boolean => {
  const relative = path.relative(folder, file);
  return relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative);
};

/** Whether a file is in a folder, with all links resolved. False if that cannot be determined. */
export function isInside(folder: string, file: string): boolean {
  try {
    const [root, target] = [realpathSync(folder), realpathSync(file)];
    return root !== target && isBelow(root, target);
  } catch {
    return false;
  }
}

/**
 * The part of the storage's folder below `storage/uploads`, so that two storages of an app stay apart. Empty for every
 * other folder: an app's files are in its own.
 *
 * @param documentRoot as the storage's row has it, which SQL can write
 */
export function subfolderOf(documentRoot: unknown, storagePath: string): string {
  if (typeof documentRoot !== 'string' || documentRoot.includes('\0')) return '';
  const shared = sharedUploads(storagePath);
  const folder = rootOf(documentRoot, storagePath);
  return isBelow(shared, folder) ? path.relative(shared, folder) : '';
}

/** The folder that NocoBase reads a storage's `documentRoot` as. */
export function rootOf(documentRoot: string, storagePath: string): string {
  const relative = /^\.?\/?storage(?:\/|$)(.*)$/.exec(documentRoot.replaceAll('\\', '/'));
  const isOfStorage = relative !== null && !path.isAbsolute(documentRoot);
  return isOfStorage ? path.join(storagePath, relative[1]) : path.resolve(documentRoot);
}

/** @param file its path below the app's folder */
export const addressOf = (publicPath: string, app: string, file: string): string =>
  `${publicPath}files/${app}/${FOLDER}${file.split(path.sep).map(encodeURIComponent).join('/')}`;

/**
 * The path below the app's folder that an address names; null for all other addresses, `undefined` for one that names no
 * file. Addresses of before the app had its folder are still in texts.
 *
 * @param url the unmodified path of the request
 */
export function fileOf(publicPath: string, app: string, url: string): string | null | undefined {
  const below = [`${publicPath}files/${app}/${FOLDER}`, `/files/${app}/${FOLDER}`, `${publicPath}storage/uploads/`];
  const prefix = below.find((start) => url.startsWith(start));
  if (prefix === undefined) return null;
  try {
    const file = decodeURIComponent(url.slice(prefix.length));
    const leaves = file.includes('\0') || file.includes('\\') || file.split('/').includes('..');
    return leaves || file === '' ? undefined : file;
  } catch {
    return undefined;
  }
}
