import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import Redis from 'ioredis';
import { expect } from 'vitest';
import { Fleet, type FleetOptions, type Instance, type PostgresServer, query } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ensureSqliteDriver, SQLITE_MODULES } from '../../scripts/lib/sqlite.mjs';
import { on, sql } from '../integration/databases-places';
import { type Server, startMariadb } from '../integration/databases-servers';
import { Manager } from './manager';
import { installTestPlugin } from './test-plugin';

/** Where an app's data lie, as tests look at them. */
export interface Data {
  hasData(name: string): Promise<boolean>;
  dropData(name: string): Promise<void>;
}

/** A fleet or one NocoBase, with all its data on a database of its kind. */
export interface TestTarget extends Data {
  fleet: Fleet;
  manager: Manager;
  /** Where apps are managed and entered. */
  entry: Instance;
  /** The process that hosts the apps: the same one in shared memory. */
  host: Instance;
  /** `FLUSHALL`, where there is a Redis. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

async function targetOf(fleet: Fleet, data: Data, stop = () => fleet.stop()): Promise<TestTarget> {
  const host = fleet.workers[0] ?? fleet.supervisor;
  const flush = async () => {
    if (!fleet.redisUrl) return;
    const redis = new Redis(fleet.redisUrl);
    await redis.flushall().finally(() => redis.disconnect());
  };
  return { fleet, manager: await Manager.of(fleet), entry: fleet.supervisor, host, flush, stop, ...data };
}

export const postgresData = (server: PostgresServer): Data => ({
  hasData: async (name) =>
    (await query(server, 'postgres', 'SELECT 1 FROM pg_database WHERE datname = $1', [name])).rowCount === 1,
  dropData: async (name) => {
    await query(server, 'postgres', `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  },
});

/** The tests' own fleet, whose first worker is the host. */
export const sharedTarget = (fleet: Fleet): Promise<TestTarget> =>
  targetOf(fleet, postgresData(fleet.postgresServer), async () => undefined);

const start = (name: string, options: FleetOptions): Promise<Fleet> =>
  Fleet.start({ mode: 'local', port: 'free', reset: true, durable: false, ...options, name });

const alone = (name: string, postgres: PostgresServer, env: Record<string, string> = {}): Promise<Fleet> =>
  start(name, { postgres, env: { ...installTestPlugin('core-probe'), ...env } });

/** @param postgres a server for its data */
export async function aloneOnPostgres(postgres: PostgresServer): Promise<TestTarget> {
  const fleet = await alone('alone-postgres', postgres);
  const data = postgresData(postgres);
  return targetOf(fleet, data, async () => {
    await fleet.stop();
    await data.dropData(fleet.supervisor.database);
  });
}

/** Without any key, too. @param env more variables of the process */
export async function aloneOnSqlite(postgres: PostgresServer, env?: Record<string, string>): Promise<TestTarget> {
  ensureSqliteDriver(console.log);
  const folder = path.join(ROOT, '.fleet/alone-sqlite/storage/nocobase/db');
  const fleet = await alone('alone-sqlite', postgres, {
    APP_KEY: '',
    APP_SUPERVISOR_AES_SECRET_KEY: '',
    DB_DIALECT: 'sqlite',
    DB_STORAGE: path.join(folder, 'main.sqlite'),
    NODE_PATH: [path.join(ROOT, 'node_modules'), SQLITE_MODULES].join(path.delimiter),
    ...env,
  });
  const fileOf = (name: string) => path.join(folder, `${name}.sqlite`);
  return targetOf(fleet, {
    hasData: async (name) => existsSync(fileOf(name)),
    dropData: (name) => rm(fileOf(name), { force: true }),
  });
}

export interface MariadbTarget extends TestTarget {
  server: Server;
}

/** @param more variables of the process */
export const aloneOnMariadb = (postgres: PostgresServer, more?: Record<string, string>): Promise<MariadbTarget> =>
  onMariadb((env) => alone('alone-mariadb', postgres, { ...env, DB_DATABASE: 'nocobase', ...more }), ['nocobase']);

/** A Supervisor and one Worker, with Redis. Both have the same keys, as in the compose file of NocoBase's documentation. */
export function fleetOnMariadb(postgres: PostgresServer): Promise<MariadbTarget> {
  const instances = { supervisor: 'nocobase_supervisor', env_a: 'nocobase_worker_a' };
  const instanceEnv = Object.fromEntries(
    Object.entries(instances).map(([name, database]) => [name, { DB_DATABASE: database }]),
  );
  return onMariadb(
    (env) =>
      start('fleet-mariadb', {
        mode: 'remote',
        workers: 1,
        postgres,
        sharedKeys: true,
        env: { ...installTestPlugin('core-probe'), ...env },
        instanceEnv,
      }),
    Object.values(instances),
  );
}

/** @param databases of main apps, which have to be there before */
async function onMariadb(
  startOn: (env: Record<string, string>) => Promise<Fleet>,
  databases: string[],
): Promise<MariadbTarget> {
  const server = await startMariadb();
  const main = on(server, 'mariadb', 'mysql');
  let fleet: Fleet | undefined;
  const stop = async () => {
    await fleet?.stop();
    await server.stop();
  };
  try {
    for (const database of databases) await sql(main, `CREATE DATABASE ${database}`);
    fleet = await startOn({
      DB_DIALECT: 'mariadb',
      DB_HOST: server.host,
      DB_PORT: String(server.port),
      DB_USER: server.username,
      DB_PASSWORD: server.password,
    });
    const data: Data = {
      hasData: async (name) => (await sql(main, 'SHOW DATABASES LIKE ?', [name])).length === 1,
      dropData: async (name) => {
        await sql(main, `DROP DATABASE IF EXISTS \`${name}\``);
      },
    };
    return { ...(await targetOf(fleet, data, stop)), server };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** That shared memory is one environment in one process, without Redis. */
export async function isOneProcess({ manager, entry }: TestTarget): Promise<void> {
  expect((await manager.api.get('appSupervisor:info')).data).toMatchObject({ part: 'local', environment: 'local' });
  expect(await manager.environments()).toMatchObject([{ name: 'local', health: 'online', appVersion: '2.2.15' }]);
  expect(entry.env.APP_SUPERVISOR_REDIS_URL).toBeUndefined();
}
