import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort, Postgres } from '../../scripts/fleet';
import { makeKeys, makeRoles } from '../support/compose';
import { postgresPrograms } from '../support/postgres-programs';
import { on, sql } from './databases-places';

/** `docker compose up` on the volume of a release whose instances were all the superuser `postgres`. */

const folder = mkdtempSync(path.join(tmpdir(), 'compose-roles-'));
let postgres: Postgres;
let password = 'postgres';
const admin = (database = 'postgres') =>
  on({ ...postgres.server, username: 'postgres', password, stop: async () => {} }, 'postgres', database);

beforeAll(async () => {
  // PostgreSQL runs as another user where the tests run as root.
  chmodSync(folder, 0o755);
  postgres = new Postgres({
    port: await freePort(),
    password,
    dataDir: path.join(folder, 'data'),
    logFile: path.join(folder, 'log'),
    durable: false,
    programs: postgresPrograms(),
  });
  await postgres.start();
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('gives the roles what the superuser had made, closes it, and lets nobody in with the known password', async () => {
  for (const database of ['nocobase_supervisor', 'nocobase_worker_a', 'nocobase_worker_b', 'crm-1'])
    await sql(admin(), `CREATE DATABASE "${database}"`);
  for (const statement of [
    'CREATE EXTENSION citext',
    "CREATE TYPE mood AS ENUM ('good')",
    'CREATE TABLE "Users" (id serial PRIMARY KEY, mood mood, name citext)',
    'CREATE VIEW people AS SELECT name FROM "Users"',
    'CREATE SCHEMA tenant CREATE TABLE t (a int)',
    'CREATE FUNCTION f(mood) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$',
    "SELECT lo_from_bytea(0, 'x')",
    `INSERT INTO "Users" (name) VALUES ('kept')`,
  ])
    for (const database of ['nocobase_supervisor', 'crm-1']) await sql(admin(database), statement);
  const { worker: workerOf } = makeKeys(folder);
  for (let time = 0; time < 2; time++) makeRoles(folder, postgres.server);

  await expect(sql(admin(), 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  password = readFileSync(path.join(folder, 'postgres/password'), 'utf8');
  const roles = await sql(
    admin(),
    "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE 'nocobase%' ORDER BY 1",
  );
  expect(roles).toEqual([
    { rolname: 'nocobase_supervisor', rolsuper: false, rolcreaterole: false, rolcreatedb: false },
    { rolname: 'nocobase_worker', rolsuper: false, rolcreaterole: true, rolcreatedb: true },
  ]);
  const owners = await sql(
    admin(),
    'SELECT datname, datdba::regrole::text AS owner FROM pg_database WHERE datdba <> 10 ORDER BY 1',
  );
  expect(owners.map(({ datname, owner }) => `${datname} ${owner}`)).toEqual([
    'crm-1 nocobase_worker',
    'nocobase_supervisor nocobase_supervisor',
    'nocobase_worker_a nocobase_worker',
    'nocobase_worker_b nocobase_worker',
  ]);
  const open =
    "SELECT datname FROM pg_database WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT')";
  expect(await sql(admin(), open)).toEqual([]);
  const worker = { ...admin('crm-1'), username: 'nocobase_worker', password: workerOf('env_a').DB_PASSWORD };
  for (const statement of [
    'ALTER TABLE "Users" ADD b int',
    'DROP VIEW people',
    'DROP FUNCTION f',
    'ALTER TABLE tenant.t ADD b int',
  ])
    await sql(worker, statement);
  expect(await sql(worker, 'SELECT name FROM "Users"')).toEqual([{ name: 'kept' }]);
  await expect(sql({ ...worker, database: 'nocobase_supervisor' }, 'SELECT 1')).rejects.toThrow(/permission denied/);
});
