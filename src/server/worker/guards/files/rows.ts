import type { Database } from '@nocobase/database';
import type { FormerFile } from '../../files/moved-uploads';

const PAGE = 500;

/** Every row of an app that names a file of a local storage. */
export async function* localFilesOf(db: Database): AsyncGenerator<FormerFile> {
  const storages = db.getModel('storages');
  if (!storages) return;
  const local = new Map<string, unknown>();
  for (const row of (await storages.findAll({ raw: true })) as unknown as Row[]) {
    if (row.type === 'local') local.set(String(row.id), optionsOf(row.options).documentRoot);
  }
  for (const name of fileCollections(db)) {
    for await (const row of rowsOf(db, name)) {
      const storage = String(row.storageId);
      if (local.has(storage)) yield { documentRoot: local.get(storage), path: row.path, filename: row.filename };
    }
  }
}

/** Whether a row of the main app names this file. Its storages may have any folder: only the end of the path is compared. */
export async function namesFile(db: Database, filename: string): Promise<boolean> {
  for (const name of fileCollections(db)) {
    if (await db.getModel(name).count({ where: { filename } })) return true;
  }
  return false;
}

interface Row {
  id: number | string;
  [column: string]: unknown;
}

const fileCollections = (db: Database): string[] =>
  [...db.collections.values()]
    .filter(({ name, options }) => name === 'attachments' || options.template === 'file')
    .map(({ name }) => name);

async function* rowsOf(db: Database, collection: string): AsyncGenerator<Row> {
  const model = db.getModel(collection);
  for (let offset = 0; ; offset += PAGE) {
    const rows = (await model.findAll({ raw: true, order: ['id'], offset, limit: PAGE })) as unknown as Row[];
    yield* rows;
    if (rows.length < PAGE) return;
  }
}

/** A raw row has JSON as text on some databases. */
function optionsOf(options: unknown): Record<string, unknown> {
  if (typeof options !== 'string') return (options ?? {}) as Record<string, unknown>;
  try {
    return JSON.parse(options) ?? {};
  } catch {
    return {};
  }
}
