import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Database } from '@nocobase/database';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureDatabase, type Postgres, query } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { collections } from '../../src/server/core/collections';
import { prepareDatabase } from '../../src/server/databases';
import { removeFolders, startPostgres } from '../setup/services';
import { appOf, operationOf, recordOf } from '../support/fixtures';
import { postgresPrograms } from '../support/postgres-programs';

/** The commands of docs/backup.md, as they stand there, on a server of the version that pg_dump is of. */

const run = promisify(execFile);
const [DUMP, RESTORE] = [
  ...fs.readFileSync(path.join(ROOT, 'docs/backup.md'), 'utf8').matchAll(/```bash\n(.+?)\n```/gs),
].map(([, command]) => command);
const SUPERVISOR = 'nocobase_supervisor';

let postgres: Postgres;
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres(postgresPrograms());
  folder = await mkdtemp(path.join(tmpdir(), 'backup-'));
});
afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
  await removeFolders();
});

async function shell(command: string): Promise<void> {
  const { host, port, user, password } = postgres.server;
  const PATH = `${postgresPrograms()}${path.delimiter}${process.env.PATH}`;
  const env = { PATH, PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password };
  await run('bash', ['-ec', command], { cwd: folder, env });
}

const place = (database: string) => {
  const { host, port, user: username, password } = postgres.server;
  return { dialect: 'postgres' as const, host, port, username, password, database };
};

/** Every row of every table of a database, as text. */
async function content(database: string): Promise<Record<string, string[]>> {
  const { rows } = await query(
    postgres.server,
    database,
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
  );
  const found: Record<string, string[]> = {};
  for (const { name } of rows) {
    const { rows: all } = await query(postgres.server, database, `SELECT t::text AS row FROM "${name}" t ORDER BY 1`);
    found[name] = all.map(({ row }) => row);
  }
  return found;
}

it('brings back every row of the Supervisor, of what Workers remember, and of an app with its mark', async () => {
  await ensureDatabase(postgres.server, SUPERVISOR);
  const db = new Database({ ...place(SUPERVISOR), logging: false } as never);
  for (const collection of collections) db.collection(collection);
  await db.sync();
  await db
    .getModel('apps')
    .create({ ...appOf({ title: "O'Brien 应用" }), published: { env_a: { generation: 10 } } } as never);
  await db.getModel('appOperations').create(operationOf(['env_a boot']) as never);
  await db.getModel('appSnapshots').create({ name: 'crm', record: recordOf(), applied: null } as never);
  await db.close();
  const owner = { app: 'crm', uid: 'uid-1' };
  await prepareDatabase(place('crm'), 'new_database', { ...owner, mayCreate: true });
  await query(postgres.server, 'crm', `CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')`);

  const databases = [SUPERVISOR, 'crm'];
  const before = await Promise.all(databases.map(content));
  expect(before[0]).toMatchObject({
    apps: [expect.stringContaining("O'Brien 应用")],
    appOperations: [expect.anything()],
  });
  const of = (command: string, database: string) => command.replaceAll(SUPERVISOR, database);
  for (const database of databases) await shell(of(DUMP, database));
  // What came after the backup goes, and what was lost since comes back.
  await query(postgres.server, SUPERVISOR, 'DELETE FROM apps; CREATE TABLE later (id int)');
  await query(postgres.server, 'postgres', 'DROP DATABASE crm');
  for (const database of databases) await shell(of(RESTORE, database));
  expect(await Promise.all(databases.map(content))).toEqual(before);
  // Its own again, by its mark.
  await expect(prepareDatabase(place('crm'), 'new_database', { ...owner, mayCreate: false })).resolves.toMatchObject({
    created: false,
    mark: { uid: 'uid-1', created: true },
  });
});
