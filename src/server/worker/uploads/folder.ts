import { constants, type Dirent } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { UploadsSize } from '../../../shared/messages';
import { type ListedFile, PATH_LENGTH } from '../../protocol/transfer';
import { uploadsOf } from '../files/file-addresses';

/** Folders below one another that are looked into. */
const DEPTH = 32;

/**
 * The parts of a path below a folder of uploads, as another Worker names it.
 * @returns null for one that names no file below it
 */
export function partsOf(file: string): string[] | null {
  const parts = file.split('/');
  const isSafe = (part: string) => part !== '' && part !== '.' && part !== '..' && !/[\\\0]/.test(part);
  return file.length <= PATH_LENGTH && parts.length <= DEPTH && parts.every(isSafe) ? parts : null;
}

/** More files are not counted: a number is good enough to know that it takes long. */
const MOST_COUNTED = 20_000;

/** How much is in an app's folder of uploads. */
export async function uploadsSizeOf(storagePath: string, app: string): Promise<UploadsSize> {
  const found = { files: 0, bytes: 0, isAll: true };
  for await (const { size } of filesIn(uploadsOf(storagePath, app))) {
    if (found.files === MOST_COUNTED) return { ...found, isAll: false };
    found.files++;
    found.bytes += size;
  }
  return found;
}

/** All files below a folder; none if there is no folder. Links are not followed, and what is no file is left out. */
export async function* filesIn(folder: string, below: string[] = []): AsyncGenerator<ListedFile> {
  // The folder itself may be a link: an operator may have mounted it elsewhere.
  const root = below.length ? folder : await realpath(folder).catch(() => null);
  const entries = root === null ? null : await opendir(path.join(root, ...below)).catch(unless('ENOENT'));
  if (root === null || !entries) return;
  for await (const entry of entries as AsyncIterable<Dirent>) {
    const parts = [...below, entry.name];
    if (!partsOf(parts.join('/'))) continue;
    if (entry.isDirectory()) yield* filesIn(root, parts);
    else if (entry.isFile()) {
      const found = await lstat(path.join(root, ...parts)).catch(unless('ENOENT'));
      if (found?.isFile()) yield { path: parts.join('/'), ...timesOf(found) };
    }
  }
}

const timesOf = (found: { size: number; mtimeMs: number; ctimeMs: number }) => ({
  size: found.size,
  mtime: Math.floor(found.mtimeMs),
  changed: Math.floor(found.ctimeMs),
});

/**
 * Opens a file below a folder for reading.
 * @returns null if there is none, or only over a link
 */
export async function openIn(
  folder: string,
  file: string,
): Promise<(Pick<ListedFile, 'size' | 'mtime'> & { handle: FileHandle }) | null> {
  const parts = partsOf(file);
  const root = parts && (await realpath(folder).catch(() => null));
  if (!parts || root === null) return null;
  const target = path.join(root, ...parts);
  // Neither the file nor a folder above it may be a link.
  if ((await realpath(target).catch(() => null)) !== target) return null;
  const handle = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null);
  const found = await handle?.stat();
  if (handle && found?.isFile()) return { handle, ...timesOf(found) };
  await handle?.close();
  return null;
}

/**
 * The place of a file below a folder, whose own folder is made.
 * @throws an error if a link is in the way, and errors of the file system
 */
export async function placeIn(folder: string, file: string): Promise<string> {
  const parts = partsOf(file);
  if (!parts) throw new Error(`"${file}" is no path below the folder of uploads.`);
  await mkdir(folder, { recursive: true });
  const root = await realpath(folder);
  const target = path.join(root, ...parts);
  await mkdir(path.dirname(target), { recursive: true });
  if ((await realpath(path.dirname(target))) !== path.dirname(target))
    throw new Error(`"${file}" is below a link, which is not followed.`);
  return target;
}

const unless = (code: string) => (error: NodeJS.ErrnoException) => {
  if (error.code !== code) throw error;
  return null;
};
