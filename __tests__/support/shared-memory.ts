import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Fleet, type PostgresServer, query } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ensureSqliteDriver, SQLITE_MODULES } from '../../scripts/lib/sqlite.mjs';
import { on, sql } from '../integration/databases-places';
import { type Server, startMariadb } from '../integration/databases-servers';
import { installTestPlugin } from './test-plugin';

/** Where an app's data lie, as tests look at them. */
export interface Data {
  hasData(name: string): Promise<boolean>;
  dropData(name: string): Promise<void>;
}

/** One NocoBase in shared memory, on a database of its kind. */
export interface Alone extends Data {
  fleet: Fleet;
  stop(): Promise<void>;
}

export const postgresData = (server: PostgresServer): Data => ({
  hasData: async (name) =>
    (await query(server, 'postgres', 'SELECT 1 FROM pg_database WHERE datname = $1', [name])).rowCount === 1,
  dropData: async (name) => {
    await query(server, 'postgres', `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  },
});

const start = (name: string, postgres: PostgresServer, env: Record<string, string>): Promise<Fleet> =>
  Fleet.start({
    name,
    mode: 'local',
    port: 'free',
    reset: true,
    durable: false,
    postgres,
    instanceEnv: { nocobase: { ...installTestPlugin('task-probe'), ...env } },
  });

/** @param postgres a server for its data */
export async function aloneOnPostgres(postgres: PostgresServer): Promise<Alone> {
  const fleet = await start('alone-postgres', postgres, {});
  const data = postgresData(postgres);
  const stop = async () => {
    await fleet.stop();
    await data.dropData(fleet.supervisor.database);
  };
  return { fleet, stop, ...data };
}

export async function aloneOnSqlite(postgres: PostgresServer, env: Record<string, string>): Promise<Alone> {
  ensureSqliteDriver(console.log);
  const folder = path.join(ROOT, '.fleet/alone-sqlite/storage/nocobase/db');
  const fleet = await start('alone-sqlite', postgres, {
    ...env,
    DB_DIALECT: 'sqlite',
    DB_STORAGE: path.join(folder, 'main.sqlite'),
    NODE_PATH: [path.join(ROOT, 'node_modules'), SQLITE_MODULES].join(path.delimiter),
  });
  const fileOf = (name: string) => path.join(folder, `${name}.sqlite`);
  return {
    fleet,
    hasData: async (name) => existsSync(fileOf(name)),
    dropData: (name) => rm(fileOf(name), { force: true }),
    stop: () => fleet.stop(),
  };
}

export async function aloneOnMariadb(postgres: PostgresServer): Promise<Alone & { server: Server }> {
  const server = await startMariadb();
  const main = on(server, 'mariadb', 'mysql');
  await sql(main, 'CREATE DATABASE nocobase');
  const fleet = await start('alone-mariadb', postgres, {
    DB_DIALECT: 'mariadb',
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.username,
    DB_PASSWORD: server.password,
    DB_DATABASE: 'nocobase',
  }).catch(async (error) => {
    await server.stop();
    throw error;
  });
  return {
    fleet,
    server,
    hasData: async (name) => (await sql(main, 'SHOW DATABASES LIKE ?', [name])).length === 1,
    dropData: async (name) => {
      await sql(main, `DROP DATABASE IF EXISTS \`${name}\``);
    },
    async stop() {
      await fleet.stop();
      await server.stop();
    },
  };
}
