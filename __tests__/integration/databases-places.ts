import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseConnection } from '../../src/server/databases';
import { placeOf } from '../../src/server/databases/connection';
import { dialects } from '../../src/server/databases/dialects';
import type { Row } from '../../src/server/databases/session';
import { inEnglish } from '../../src/server/errors';
import { hasSchemas } from '../../src/shared/dialects';
import type { MessageCode, Params } from '../../src/shared/message';
import type { DatabaseCheck } from '../../src/shared/messages';
import type { DbConnType } from '../../src/shared/types';
import { type Server, startMariadb, startPostgres } from './databases-servers';

/** Every kind of place an app can live in, on real servers. */
export const PLACES = [
  'postgres database',
  'postgres schema',
  // Kingbase speaks PostgreSQL's protocol and has its own names for the server's databases.
  'kingbase as PostgreSQL plays it',
  'mariadb',
  'mysql2 driver on MariaDB',
  'sqlite',
] as const;
export type PlaceKind = (typeof PLACES)[number];

export interface Ground {
  /** A place of its own for each test, which does not exist yet. */
  place(kind: PlaceKind, name: string): Promise<{ connection: DatabaseConnection; mode: DbConnType }>;
  postgres: Server;
  mariadb: Server;
  stop(): Promise<void>;
}

export async function startGround(): Promise<Ground> {
  const [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()]);
  const folder = mkdtempSync(join(tmpdir(), 'databases-files-'));
  for (const name of ['shared', 'kingbase']) await sql(on(postgres, 'postgres', 'postgres'), `CREATE DATABASE ${name}`);
  return {
    postgres,
    mariadb,
    async place(kind, name) {
      if (kind === 'postgres database') return { connection: on(postgres, 'postgres', name), mode: 'new_database' };
      if (kind.startsWith('kingbase')) return { connection: on(postgres, 'kingbase', name), mode: 'new_database' };
      if (kind === 'postgres schema') {
        return {
          connection: { ...on(postgres, 'postgres', 'shared'), schema: name.toLowerCase() },
          mode: 'new_schema',
        };
      }
      if (kind === 'sqlite') {
        return { connection: { dialect: 'sqlite', storage: join(folder, `${name}.sqlite`) }, mode: 'new_database' };
      }
      return { connection: on(mariadb, kind === 'mariadb' ? 'mariadb' : 'mysql', name), mode: 'new_database' };
    },
    async stop() {
      await Promise.all([postgres.stop(), mariadb.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function on(server: Server, dialect: DatabaseConnection['dialect'], database: string): DatabaseConnection {
  const { host, port, username, password } = server;
  return { dialect, host, port, username, password, database };
}

/** Runs one statement on a session of its own, in the app's database. `null` connects to the server itself. */
export async function sql(connection: DatabaseConnection, statement: string, params: unknown[] = []): Promise<Row[]> {
  const database = connection.dialect === 'sqlite' ? connection.storage : connection.database;
  const session = await dialects[connection.dialect].connect(connection, database ?? null, 'test');
  try {
    return await session.query(statement, params);
  } finally {
    await session.close();
  }
}

/** The name of a table in SQL, in the app's schema. */
export function table(connection: DatabaseConnection, name: string): string {
  return dialects[connection.dialect].table(placeOf(connection), name);
}

export async function tables(connection: DatabaseConnection): Promise<string[]> {
  const database = connection.dialect === 'sqlite' ? connection.storage : connection.database;
  const session = await dialects[connection.dialect].connect(connection, database ?? null, 'test');
  try {
    return (await dialects[connection.dialect].relations(session, placeOf(connection))).map(({ name }) => name);
  } finally {
    await session.close();
  }
}

/** What an installation of NocoBase leaves, as far as it is looked at. `version: null` is one that was killed. */
export async function install(
  connection: DatabaseConnection,
  version: string | null,
  names: { prefix?: string; underscored?: boolean } = {},
): Promise<void> {
  const { prefix = '', underscored = false } = names;
  const at = (camel: string, snake: string) => table(connection, prefix + (underscored ? snake : camel));
  const quote = dialects[connection.dialect].quote;
  const versions = at('applicationVersion', 'application_version');
  const plugins = at('applicationPlugins', 'application_plugins');
  const builtIn = quote(underscored ? 'built_in' : 'builtIn');
  const serial = hasSchemas(connection.dialect) ? 'SERIAL' : 'INTEGER';
  await sql(connection, `CREATE TABLE ${versions} (id ${serial} PRIMARY KEY, value VARCHAR(255))`);
  await sql(
    connection,
    `CREATE TABLE ${plugins} (id ${serial} PRIMARY KEY, name VARCHAR(255), version VARCHAR(255), enabled BOOLEAN, ${builtIn} BOOLEAN)`,
  );
  await sql(connection, `CREATE VIEW ${table(connection, 'someView')} AS SELECT name FROM ${plugins}`);
  const insert = `INSERT INTO ${plugins} (id, name, version, enabled, ${builtIn}) VALUES`;
  await sql(connection, `${insert} (1, 'acl', '2.2.15', true, true), (2, 'map', '2.2.14', false, false)`);
  if (version) await sql(connection, `INSERT INTO ${versions} (id, value) VALUES (1, '${version}')`);
}

/** What is answered when data are kept. */
export const kept = (code: MessageCode, params?: Params) => ({
  code: 'DATA_KEPT',
  params: { why: params ? { code, params } : { code } },
});

/** A check as an administrator reads it. */
export const inWords = ({ message, remedy, ...check }: DatabaseCheck['checks'][number]) => ({
  ...check,
  message: inEnglish(message),
  remedy: remedy && inEnglish(remedy),
});
