import { constants } from 'node:fs';
import { copyFile, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import { isBelow, subfolderOf, uploadsOf } from './file-addresses';

/** NocoBase's own logo, in the package that an app's installation copies it from. */
const LOGO = '@nocobase/plugin-system-settings/dist/server/logo.png';

/** As an installation writes it. Whoever uploads another logo writes another row. */
const logoRow = z.object({
  title: z.literal('nocobase-logo'),
  filename: z.string().min(1),
  path: z.string().nullish(),
  size: z.number(),
  storage: z.object({ type: z.literal('local'), options: z.object({ documentRoot: z.string().optional() }).nullish() }),
});

interface Places {
  storagePath: string;
  nodeModulesPath: string;
}

/**
 * Gives an app NocoBase's logo where it has it by its database alone: its installation has written the file to the disk of one
 * environment, and another one may share no storage with that.
 *
 * @returns the file that it has written; null: the app has another logo, or the file is there
 * @throws errors of the database and the file system
 */
export async function bringLogo(
  { name, db }: Pick<Application, 'name' | 'db'>,
  { storagePath, nodeModulesPath }: Places,
): Promise<string | null> {
  if (!db.hasCollection('systemSettings')) return null;
  const found = await db.getRepository('systemSettings').findOne({ filterByTk: 1, appends: ['logo', 'logo.storage'] });
  const row = logoRow.safeParse(found?.toJSON().logo).data;
  if (!row) return null;
  const uploads = uploadsOf(storagePath, name);
  const folder = path.join(uploads, subfolderOf(row.storage.options?.documentRoot, storagePath), row.path ?? '');
  const file = path.join(folder, row.filename);
  const own = path.join(nodeModulesPath, LOGO);
  // Its app writes the row, and may name any file there.
  if (!isBelow(uploads, file) || (await sizeOf(file)) !== null || (await sizeOf(own)) !== row.size) return null;
  await mkdir(folder, { recursive: true });
  await copyFile(own, file, constants.COPYFILE_EXCL);
  return file;
}

const sizeOf = (file: string): Promise<number | null> =>
  stat(file).then(
    ({ size }) => size,
    () => null,
  );
