import http from 'node:http';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/fleet';
import {
  acquireLock,
  checkDatabase,
  type DatabaseConnection,
  dropDatabase,
  inspectDatabase,
  prepareDatabase,
  resetPartialInstall,
} from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import { say } from '../../src/shared/message';
import { silentServer } from '../support/tcp';
import { fakeTimeOf, until } from '../support/wait';
import { freeze } from './databases-frozen';
import { install, inWords, kept, on, sql, tables } from './databases-places';
import { type Server, startNetwork, startPgbouncer, startPostgres } from './databases-servers';

let server: Server;
let count = 0;
const owner = { app: 'one', uid: 'uid-1' };
const create = { ...owner, mayCreate: true };
const admin = (database = 'postgres') => on(server, 'postgres', database);
const newDatabase = () => admin(`pg_app_${++count}`);
/** A role that may sign in and no more, on a database name of its own. */
async function role(database = `pg_app_${++count}`): Promise<DatabaseConnection> {
  const username = `role_${++count}`;
  await sql(admin(), `CREATE ROLE ${username} LOGIN PASSWORD 'secret-${count}'`);
  return { ...admin(database), username, password: `secret-${count}` };
}
const failed = async (connection: DatabaseConnection, mode: 'new_database' | 'new_schema' = 'new_database') => {
  const { checks, verdict } = await checkDatabase(connection, mode);
  return { verdict, ...inWords(checks.at(-1)!), before: checks.slice(0, -1).map(({ name, ok }) => `${name} ${ok}`) };
};
/** What the error told the administrator to run: the first statement. */
const statement = (text: unknown) => String(text).split(';')[0];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

describe('what can be wrong with a PostgreSQL server', () => {
  it('wrong password', async () => {
    const connection = { ...newDatabase(), password: 'do-not-tell' };
    expect(await failed(connection)).toMatchObject({
      verdict: 'unusable',
      name: 'signIn',
      message: expect.stringMatching(
        /127\.0\.0\.1:\d+ rejected the sign-in of "postgres".*Check the user name and the password/,
      ),
      before: ['names true', 'reachable true'],
    });
    const error = await prepareDatabase(connection, 'new_database', create).catch((e) => e);
    expect(error).toMatchObject({ code: 'DATABASE_SIGN_IN' });
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('do-not-tell');
  });

  it('where a person names the server, whatever is no database there is told in one text and after one time', async () => {
    const talker = net.createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'));
    const web = http.createServer((_, res) => res.end('hello'));
    for (const each of [talker, web]) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    const silent = await silentServer();
    const portOf = (each: net.Server) => (each.address() as net.AddressInfo).port;
    const ports = [await freePort(), portOf(talker), portOf(web), silent.port];
    const places = ports.flatMap((port) =>
      (['postgres', 'mariadb'] as const).map((dialect) => ({ ...admin('x'), port, dialect, isSeparate: true })),
    );
    const told = await Promise.all(
      [...places, { ...admin('x'), host: 'nowhere.invalid', isSeparate: true }].map(async (connection) => {
        const begin = performance.now();
        const { message } = await failed(connection, 'new_database');
        const took = performance.now() - begin;
        const preparing = prepareDatabase(connection, 'new_database', create).catch((error) => error.message);
        return { message, took, prepared: connection.port === silent.port ? null : await preparing };
      }),
    );
    const server = /The database server [^ ]+ did not answer: /;
    const rest =
      'no database of this kind answers there. Check host, port and network from the environment that runs the app.';
    for (const { message, took, prepared } of told) {
      expect(message.replace(server, '')).toBe(rest);
      if (prepared !== null) expect(prepared.replace(server, '')).toBe(rest);
      expect(took).toBeGreaterThan(4_300);
    }
    silent.close();
    for (const each of [talker, web]) each.close();
    // A database says what is wrong.
    const wrong = { ...newDatabase(), password: 'wrong', isSeparate: true };
    expect(await failed(wrong)).toMatchObject({
      name: 'signIn',
      message: expect.stringMatching(/rejected the sign-in/),
    });
  });

  it('a port where nobody listens, a host that is not there', async () => {
    for (const wrong of [{ port: await freePort() }, { host: 'nowhere.invalid' }]) {
      const connection = { ...newDatabase(), ...wrong };
      expect(await failed(connection)).toMatchObject({
        verdict: 'unusable',
        name: 'reachable',
        before: ['names true'],
      });
      await expect(prepareDatabase(connection, 'new_database', create)).rejects.toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        message: expect.stringMatching(/ECONNREFUSED|ENOTFOUND|EAI_AGAIN/),
      });
    }
  });

  it('a server that takes the connection and says nothing: 5 s to check, 15 s to give up', async () => {
    const silent = await silentServer();
    const connection = { ...newDatabase(), port: silent.port };
    const timed = (begin: () => Promise<unknown>) => {
      const before = silent.connections();
      return fakeTimeOf(() => ({ work: begin(), ready: () => silent.connections() > before }), 20_000);
    };
    const check = await timed(() => failed(connection));
    expect(check.result).toMatchObject({ verdict: 'unusable', name: 'reachable' });
    expect(check.ms).toBeLessThan(5_000);
    const preparing = await timed(() => prepareDatabase(connection, 'new_database', create));
    expect(preparing.result).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(preparing.ms).toBeLessThan(15_000);
    silent.close();
  });

  it('a network that is cut after the sign-in', async () => {
    const network = await startNetwork(server, /SELECT/);
    const check = await fakeTimeOf(
      () => ({ work: failed({ ...newDatabase(), port: network.port }), ready: network.isCut }),
      20_000,
    );
    expect(check.result).toMatchObject({ verdict: 'unusable', name: 'reachable' });
    expect(check.ms).toBeLessThan(5_000);
    await network.stop();
  });

  it('a server without TLS when TLS is asked for', async () => {
    const connection = { ...newDatabase(), dialectOptions: { ssl: { rejectUnauthorized: false } } };
    await expect(prepareDatabase(connection, 'new_database', create)).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
      message: expect.stringContaining('does not support SSL'),
    });
  });
});

describe('what a role may not', () => {
  it('create a database: the SQL of the message mends it (#5154)', async () => {
    const connection = await role();
    const check = await failed(connection);
    expect(check).toMatchObject({
      verdict: 'unusable',
      name: 'create',
      before: ['names true', 'reachable true', 'signIn true'],
    });
    const error = await prepareDatabase(connection, 'new_database', create).catch((e) => e);
    expect(error).toMatchObject({
      code: 'DATABASE_CREATE_DENIED',
      message: expect.stringContaining(String(check.remedy)),
    });
    await sql(admin(), statement(check.remedy));
    expect(await failed(connection)).toMatchObject({ verdict: 'free' });
    expect(await prepareDatabase(connection, 'new_database', create)).toMatchObject({
      created: false,
      mark: { created: false },
    });
  });

  it('create a schema: the SQL of the message mends it', async () => {
    await sql(admin(), 'CREATE DATABASE pg_shared');
    const connection = { ...(await role('pg_shared')), schema: 'tenant' };
    const check = await failed(connection, 'new_schema');
    expect(check).toMatchObject({
      verdict: 'unusable',
      name: 'create',
      message: expect.stringContaining('schema "tenant"'),
    });
    await expect(prepareDatabase(connection, 'new_schema', create)).rejects.toMatchObject({
      code: 'DATABASE_CREATE_DENIED',
    });
    await sql(admin('pg_shared'), statement(check.remedy));
    expect(await prepareDatabase(connection, 'new_schema', create)).toMatchObject({ mark: { uid: 'uid-1' } });
  });

  it('create tables in an empty database of somebody else: the SQL of the message mends it', async () => {
    const connection = await role();
    await sql(admin(), `CREATE DATABASE ${connection.database}`);
    const check = await failed(connection);
    expect(check).toMatchObject({
      verdict: 'unusable',
      name: 'create',
      message: expect.stringContaining('tables in database'),
    });
    const error = await prepareDatabase(connection, 'new_database', create).catch((e) => e);
    expect(error).toMatchObject({
      code: 'DATABASE_CREATE_DENIED',
      message: expect.stringContaining(String(check.remedy)),
    });
    await sql(admin(connection.database), statement(check.remedy));
    expect(await failed(connection)).toMatchObject({ verdict: 'free' });
    await prepareDatabase(connection, 'new_database', create);
  });

  it('enter the database', async () => {
    const connection = await role();
    await sql(admin(), `CREATE DATABASE ${connection.database}`);
    await sql(admin(), `REVOKE CONNECT ON DATABASE ${connection.database} FROM PUBLIC`);
    expect(await failed(connection)).toMatchObject({
      name: 'signIn',
      message: expect.stringContaining('permission denied'),
    });
  });

  it("enter the server's own database: the environment's main one serves", async () => {
    const connection = await role();
    await sql(admin(), `ALTER ROLE ${connection.username} CREATEDB`);
    await sql(admin(), 'CREATE DATABASE pg_main');
    await sql(admin(), 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
    try {
      await expect(prepareDatabase(connection, 'new_database', create)).rejects.toMatchObject({
        code: 'DATABASE_SIGN_IN',
      });
      const protect = { database: 'pg_main' };
      expect((await checkDatabase(connection, 'new_database', { protect })).verdict).toBe('free');
      expect(await prepareDatabase(connection, 'new_database', { ...create, protect })).toMatchObject({
        created: true,
      });
      expect(await dropDatabase(connection, 'new_database', { uid: 'uid-1', protect })).toEqual(say('DATA_DROPPED'));
    } finally {
      await sql(admin(), 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
    }
  });
});

describe('schemas', () => {
  it('need a database that is there', async () => {
    const connection = { ...newDatabase(), schema: 'tenant' };
    expect(await failed(connection, 'new_schema')).toMatchObject({ verdict: 'unusable', name: 'create' });
    await expect(prepareDatabase(connection, 'new_schema', create)).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
  });

  it('are made in a database of its own too, when the environment has a schema', async () => {
    const connection = { ...newDatabase(), schema: 'head' };
    expect(await prepareDatabase(connection, 'new_database', create)).toMatchObject({ created: true });
    expect(await tables(connection)).toEqual(['app_supervisor_mark']);
    expect(await tables({ ...connection, schema: undefined })).toEqual([]);
  });

  it('of one database do not see each other', async () => {
    const database = newDatabase();
    await sql(admin(), `CREATE DATABASE ${database.database}`);
    const [a, b] = ['a', 'b'].map((schema) => ({ ...database, schema }));
    await prepareDatabase(a, 'new_schema', create);
    await prepareDatabase(b, 'new_schema', { app: 'two', uid: 'uid-2', mayCreate: true });
    await install(a, '2.2.15');
    expect(await inspectDatabase(b, 'new_schema', { app: 'two', uid: 'uid-2' })).toMatchObject({ installed: 'none' });
    expect(await dropDatabase(a, 'new_schema', { uid: 'uid-1' })).toEqual(say('DATA_DROPPED'));
    expect(await tables(b)).toEqual(['app_supervisor_mark']);
  });

  it('keep their database from being dropped by the app that created it', async () => {
    const database = newDatabase();
    await prepareDatabase(database, 'new_database', create);
    await prepareDatabase({ ...database, schema: 'b' }, 'new_schema', { app: 'two', uid: 'uid-2', mayCreate: true });
    expect(await dropDatabase(database, 'new_database', { uid: 'uid-1' })).toMatchObject(
      kept('KEPT_TENANT', { schema: 'b' }),
    );
    expect(await dropDatabase({ ...database, schema: 'b' }, 'new_schema', { uid: 'uid-2' })).toEqual(
      say('DATA_DROPPED'),
    );
    expect(await dropDatabase(database, 'new_database', { uid: 'uid-1' })).toEqual(say('DATA_DROPPED'));
  });

  it('are never the one that everybody shares', async () => {
    const connection = { ...admin('postgres'), schema: 'public' };
    await expect(prepareDatabase(connection, 'new_schema', create)).rejects.toMatchObject({
      code: 'DATABASE_RESERVED',
    });
  });
});

it("the server's own database is never an app's", async () => {
  await expect(prepareDatabase(admin(), 'new_database', { ...create, adopt: true })).rejects.toMatchObject({
    code: 'DATABASE_RESERVED',
  });
  expect(await dropDatabase(admin(), 'new_database', { uid: 'uid-1' })).toMatchObject(
    kept('KEPT_RESERVED', { owner: say('OWNER_SERVER') }),
  );
  expect(await failed(admin())).toMatchObject({ verdict: 'taken' });
});

it('a database is dropped under the connections that somebody forgot', async () => {
  const connection = newDatabase();
  await prepareDatabase(connection, 'new_database', create);
  const forgotten = await dialects.postgres.connect(connection, String(connection.database), 'forgotten');
  const lost = new Promise<Error>((resolve) => forgotten.onLost(resolve));
  expect(await dropDatabase(connection, 'new_database', { uid: 'uid-1' })).toEqual(say('DATA_DROPPED'));
  await lost;
});

it('emptying takes sequences, functions, types and views along, and nothing of an extension', async () => {
  const connection = newDatabase();
  await prepareDatabase(connection, 'new_database', create);
  for (const made of [
    'CREATE EXTENSION pg_stat_statements',
    "CREATE TYPE mood AS ENUM ('good')",
    'CREATE DOMAIN age AS integer',
    'CREATE TYPE pair AS (a integer, b integer)',
    'CREATE SEQUENCE counter',
    'CREATE FUNCTION f(mood) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE PROCEDURE p() LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE TABLE "Users" (id serial PRIMARY KEY, mood mood)',
    'CREATE TABLE posts (id serial PRIMARY KEY, "userId" integer REFERENCES "Users")',
    'CREATE MATERIALIZED VIEW m AS SELECT * FROM posts',
    'CREATE TABLE parts (id integer) PARTITION BY RANGE (id)',
    'CREATE TABLE part PARTITION OF parts DEFAULT',
  ]) {
    await sql(connection, made);
  }
  const lock = await acquireLock(connection, { app: owner.app, environment: 'env_a', timeoutMs: 0 });
  await resetPartialInstall(connection, owner, lock);
  await lock.release();
  const left = await sql(
    connection,
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 't')
     UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype <> 'b' ORDER BY name`,
  );
  const names = left.map(({ name }) => String(name)).filter((name) => !name.startsWith('pg_stat_statements'));
  expect(names).toEqual(['app_supervisor_mark', 'app_supervisor_mark']); // the table and its row type
  await sql(connection, 'SELECT count(*) FROM pg_stat_statements_info').catch((error) => {
    expect(String(error)).toContain('shared_preload_libraries'); // it is still there, though not loaded by this server
  });
  expect(await inspectDatabase(connection, 'new_database', owner)).toMatchObject({ installed: 'none' });
});

describe('a pooler in front', () => {
  it('is refused by the check when it lends connections by the transaction, and let be by the session', async () => {
    const connection = newDatabase();
    for (const [mode, verdict] of [
      ['transaction', 'unusable'],
      ['session', 'free'],
    ] as const) {
      const pooler = await startPgbouncer(server, mode);
      try {
        const pooled = { ...connection, port: pooler.port };
        expect(await failed(pooled)).toMatchObject({ verdict, name: 'session', ok: verdict === 'free' });
      } finally {
        await pooler.stop();
      }
    }
  });

  it('invariant 9: lets nothing be dropped when it lends connections by the transaction; by the session, what is frozen can be ended', async () => {
    for (const [mode, outcome] of [
      ['transaction', kept('KEPT_POOLED', { server: expect.any(String) as never })],
      ['session', say('DATA_DROPPED')],
    ] as const) {
      const pooler = await startPgbouncer(server, mode);
      try {
        const direct = newDatabase();
        const drop = () => dropDatabase({ ...direct, port: pooler.port }, 'new_database', { uid: owner.uid });
        await prepareDatabase(direct, 'new_database', create);
        const process = await freeze('postgres', (step) => step.startsWith('DROP DATABASE'), drop);
        expect(process.isFrozen).toBe(mode === 'session');
        // PgBouncer may lend the connection whose session has just been ended; a Worker tries again, too.
        expect(await drop().catch(drop)).toEqual(outcome);
        expect(await process.wake()).toMatchObject(process.isFrozen ? { code: 'DATABASE_UNREACHABLE' } : outcome);
      } finally {
        await pooler.stop();
      }
    }
  });
});

it('leaves no connection behind', async () => {
  const label = 'nocobase app-supervisor';
  await until('Nobody to be left', async () => {
    const rows = await sql(admin(), 'SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = ?', [
      label,
    ]);
    return rows[0]?.n === 0;
  });
});
