import { copyFile, link, lstat, mkdir, realpath, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isBelow, rootOf, sharedUploads, subfolderOf, uploadsOf } from './file-addresses';

/** A file as a row of an app names it. */
export interface FormerFile {
  /** Of its storage; SQL can write it. */
  documentRoot: unknown;
  path: unknown;
  filename: unknown;
}

export interface MoveOptions {
  storagePath: string;
  /** Folders beside `storage/uploads` that the operator allowed. */
  storageRoots: string[];
  /** Whether the main app has a file at this path below `storage/uploads`: its files stay where they are. */
  isOfMain(file: string): Promise<boolean>;
}

/**
 * Written when an app's files have been moved. From then on no row of the app names a file outside its folder: rows can
 * be written by SQL. On the disk of the instance, because the app's database may not say so either.
 */
const marker = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app, 'uploads.moved');

/** Where files that have an app go from the shared folder: another app that was copied from it may have rows of them, too. */
const movedFiles = (storagePath: string): string => path.join(storagePath, 'apps', '.moved-uploads');

export const isMoved = async (storagePath: string, app: string): Promise<boolean> =>
  (await lstat(marker(storagePath, app)).catch(() => null)) !== null;

/** The files of the app were moved where it ran before, and copied from there. */
export const markMoved = async (storagePath: string, app: string): Promise<void> =>
  writeFile(marker(storagePath, app), '');

/**
 * Moves the files of an app out of the folder that all apps shared. An interrupted move is continued by the next start.
 *
 * @param files of all file collections of the app
 * @returns how many were found
 * @throws errors of the file system, such as a full disk
 */
export async function moveFormerUploads(
  app: string,
  files: AsyncIterable<FormerFile>,
  options: MoveOptions,
): Promise<number> {
  const { storagePath } = options;
  const folder = uploadsOf(storagePath, app);
  await mkdir(folder, { recursive: true });
  let found = 0;
  for await (const file of files) if (await moveFile(folder, file, options)) found++;
  await markMoved(storagePath, app);
  return found;
}

async function moveFile(folder: string, file: FormerFile, options: MoveOptions): Promise<boolean> {
  const { storagePath, storageRoots, isOfMain } = options;
  const [below, name] = [file.path ?? '', file.filename];
  if (typeof below !== 'string' || typeof name !== 'string' || !name) return false;
  const root = rootOf(typeof file.documentRoot === 'string' ? file.documentRoot : 'storage/uploads', storagePath);
  const shared = sharedUploads(storagePath);
  const roots = [shared, ...storageRoots.map((one) => rootOf(one, storagePath))];
  const source = path.join(root, below, name);
  const allowed = roots.find((one) => isBelow(one, root) && isBelow(one, source));
  const target = path.join(folder, subfolderOf(file.documentRoot, storagePath), below, name);
  if (!allowed || !isBelow(folder, target)) return false;
  const relative = path.relative(shared, source);
  const isShared = isBelow(shared, source);
  const from =
    (await realFile(allowed, source)) ??
    (isShared ? await realFile(movedFiles(storagePath), path.join(movedFiles(storagePath), relative)) : null);
  if (from === null) return false;
  await mkdir(path.dirname(target), { recursive: true });
  await linkOrCopy(from, target);
  if (from === source && isShared && !(await isOfMain(relative))) {
    const moved = path.join(movedFiles(storagePath), relative);
    await mkdir(path.dirname(moved), { recursive: true });
    await rename(source, moved).catch(unless('ENOENT'));
  }
  return true;
}

/** Null for what is no file, or a link to somewhere else. */
async function realFile(root: string, file: string): Promise<string | null> {
  try {
    const [top, found] = await Promise.all([realpath(root), realpath(file)]);
    return isBelow(top, found) && (await lstat(file)).isFile() ? file : null;
  } catch {
    return null;
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    // Another volume, or a file system without hard links.
    await copyFile(from, to);
  }
}

const unless = (expected: string) => (error: NodeJS.ErrnoException) => {
  if (error.code !== expected) throw error;
};
