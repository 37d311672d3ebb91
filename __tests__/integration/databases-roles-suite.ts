import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkDatabase,
  type DatabaseConnection,
  databaseSize,
  dropDatabase,
  inspectDatabase,
  inspectServer,
  moveToRole,
  prepareDatabase,
  type RoleRepairer,
  releaseDatabase,
  roleMakerOf,
  roleNameOf,
} from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import type { Session } from '../../src/server/databases/session';
import { inEnglish } from '../../src/server/errors';
import { say } from '../../src/shared/message';
import { dropByHand, freeze } from './databases-frozen';
import { install, inWords, on, sql, tables } from './databases-places';
import { type Server, startMariadb, startPostgres } from './databases-servers';

/** The database roles of apps: what the Worker makes for them, and what an app can try with its own. */

interface TestApp {
  app: string;
  uid: string;
  connection: DatabaseConnection;
  worker: DatabaseConnection;
  maker: RoleRepairer;
}

/** @param database absent: the app's name */
function appOf(worker: DatabaseConnection, app: string, database = app, schema?: string): TestApp {
  const uid = `uid-${app}`;
  const place = { ...worker, database, ...(schema ? { schema } : {}) };
  const connection = { ...place, username: roleNameOf({ name: app, uid }), password: `secret-of-${app}` };
  const maker = { ...roleMakerOf({ name: app, uid }, connection, place)!, maySet: () => true };
  return { app, uid, connection, worker: place, maker };
}

const create = ({ app, uid, connection, maker }: TestApp, mode: 'new_database' | 'new_schema' = 'new_database') =>
  prepareDatabase(connection, mode, { app, uid, mayCreate: true, maker, protect: { database: 'head' } });
const boot = ({ app, uid, connection, maker }: TestApp, mode: 'new_database' | 'new_schema' = 'new_database') =>
  prepareDatabase(connection, mode, { app, uid, mayCreate: false, maker, protect: { database: 'head' } });
const adopt = ({ app, uid, connection, maker }: TestApp, mode: 'new_database' | 'new_schema' = 'new_database') =>
  prepareDatabase(connection, mode, {
    app,
    uid,
    mayCreate: false,
    adopt: true,
    maker,
    protect: { database: 'head' },
  });
const drop = ({ uid, connection, maker }: TestApp, mode: 'new_database' | 'new_schema' = 'new_database') =>
  dropDatabase(connection, mode, { uid, maker, protect: { database: 'head' } });

/** A drop that freezes before its last statement: the app is made again after somebody has dropped its database by hand. */
async function expectFrozenDropEnded(app: TestApp): Promise<void> {
  await create(app);
  const { dialect } = app.worker;
  const process = await freeze(
    dialect,
    (step) => step.startsWith('DROP DATABASE'),
    () => drop(app),
  );
  await dropByHand(app.worker);
  // Another app: with nothing of the first one's.
  const password = 'secret-of-again';
  const [connection, maker] = [app.connection, app.maker].map((of) => ({ ...of, password })) as [
    TestApp['connection'],
    TestApp['maker'],
  ];
  const again = { ...app, uid: 'uid-again', connection, maker };
  await create(again);
  expect(await process.wake()).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  expect(await inspectDatabase(connection, 'new_database', again)).toMatchObject({ mark: { uid: 'uid-again' } });
  await drop(again);
}

/** What the server answers to one statement of an app. */
const answer = (connection: DatabaseConnection, statement: string) =>
  sql(connection, statement).then(
    () => 'done',
    (error) => String(error.sqlMessage ?? error.message),
  );

/** @param programs folder of the server's; absent: PostgreSQL of npm (18) */
export const rolesOnPostgres = (version: string, programs?: string) =>
  describe(version, () => {
    let server: Server;
    let worker: DatabaseConnection;
    let crm: TestApp;
    let shop: TestApp;
    const admin = (database = 'postgres') => on(server, 'postgres', database);

    beforeAll(async () => {
      server = await startPostgres(programs);
      await sql(admin(), "CREATE ROLE worker LOGIN CREATEDB CREATEROLE PASSWORD 'of-the-worker'");
      await sql(admin(), 'CREATE DATABASE head OWNER worker');
      worker = { ...admin('head'), username: 'worker', password: 'of-the-worker' };
      [crm, shop] = [appOf(worker, 'crm'), appOf(worker, 'shop')];
      for (const each of [crm, shop]) expect(await create(each)).toMatchObject({ created: true });
      await install(crm.connection, '2.2.15');
    });
    afterAll(() => server?.stop());

    it('invariant 12: gives an app a role that owns what is in its database, and nothing else', async () => {
      const { username } = crm.connection;
      const [role] = await sql(admin(), 'SELECT * FROM pg_roles WHERE rolname = ?', [username]);
      expect(role).toMatchObject({ rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false });
      const groups = await sql(
        admin(),
        'SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE rolname = ?',
        [username],
      );
      expect(groups).toEqual([]);
      const databases = await sql(
        admin(),
        "SELECT datname, datdba::regrole::text AS owner FROM pg_database WHERE datname IN ('crm', 'shop')",
      );
      expect(databases.map(({ owner }) => owner)).toEqual(['worker', 'worker']);
      const owners = await sql(admin('crm'), "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'");
      expect(owners).toEqual([{ tableowner: username }]);
    });

    it('changes nothing when it is made again', async () => {
      expect(await create(crm)).toMatchObject({ created: false, installed: 'complete', mark: { created: true } });
      expect(await boot(crm)).toMatchObject({ installed: 'complete' });
    });

    it('invariant 12: makes no app in the database of another one, which stays as it is', async () => {
      const rights = () =>
        sql(
          admin('crm'),
          `SELECT datacl::text AS "ofDatabase", nspowner::regrole::text AS "ofSchema" FROM pg_database, pg_namespace
           WHERE datname = current_database() AND nspname = 'public'`,
        );
      const before = await rights();
      const thief = appOf(worker, 'thief', 'crm');
      await expect(create(thief)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
      expect(await rights()).toEqual(before);
      expect(await sql(admin(), 'SELECT 1 FROM pg_roles WHERE rolname = ?', [thief.maker.role])).toEqual([]);
    });

    it('makes no app in a database with tables of somebody else', async () => {
      await sql(admin(), 'CREATE DATABASE others');
      await sql(admin('others'), 'CREATE TABLE app_supervisor_mark (id int)');
      await expect(create(appOf(worker, 'others'))).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
      await sql(admin(), 'DROP DATABASE others');
    });

    it.each(['app_supervisor_mark', 'app_supervisor_hosts'])(
      'makes no app in a database with a view %s',
      async (view) => {
        await sql(admin(), `CREATE DATABASE viewed_${view} OWNER worker`);
        await sql(admin(`viewed_${view}`), `CREATE VIEW ${view} AS SELECT 1 AS id`);
        await expect(create(appOf(worker, `viewed_${view}`))).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
        await sql(admin(), `DROP DATABASE viewed_${view}`);
      },
    );

    it('makes no app in a database that somebody else makes in the same moment', async () => {
      const { create: createNow } = dialects.postgres;
      dialects.postgres.create = async (...args) => {
        await sql(admin(), 'CREATE DATABASE meanwhile OWNER worker');
        await sql(admin('meanwhile'), 'CREATE TABLE posts (id int)');
        await createNow(...args);
      };
      try {
        await expect(create(appOf(worker, 'meanwhile'))).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
      } finally {
        dialects.postgres.create = createNow;
      }
      const [owner] = await sql(
        admin('meanwhile'),
        "SELECT nspowner::regrole::text AS name FROM pg_namespace WHERE nspname = 'public'",
      );
      expect(owner.name).toBe('pg_database_owner');
      await sql(admin(), 'DROP DATABASE meanwhile');
    });

    it('stores the password as a hash that the server did not have to see', async () => {
      const [row] = await sql(admin(), 'SELECT rolpassword FROM pg_authid WHERE rolname = ?', [
        crm.connection.username,
      ]);
      expect(row.rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
    });

    describe('an app', () => {
      it('closes the main database at the Worker’s start, and names what an administrator has to close', async () => {
        const before = await inspectServer(worker, false);
        expect(before).toMatchObject({ mode: 'made', user: 'worker' });
        expect(before.warnings.map(inEnglish)).toEqual([
          expect.stringMatching(/postgres, template1.*REVOKE CONNECT, TEMPORARY ON DATABASE "postgres", "template1"/),
        ]);
        await sql(admin(), dialects.postgres.roles!.closeSql(['postgres', 'template1']));
        await sql(admin(), 'GRANT CONNECT ON DATABASE postgres TO worker');
        expect((await inspectServer(worker, false)).warnings).toEqual([]);
      });

      it.each(['head', 'shop', 'postgres', 'template1'])('does not connect to %s', async (database) => {
        expect(await answer({ ...crm.connection, database }, 'SELECT 1')).toContain('permission denied for database');
      });

      it.each([
        ["COPY (SELECT 1) TO PROGRAM 'id'", /permission denied to COPY|must be superuser/],
        ["CREATE TABLE t1 (a text); COPY t1 FROM PROGRAM 'id'", /permission denied to COPY|must be superuser/],
        ["COPY (SELECT 1) TO '/tmp/x'", /permission denied to COPY|must be superuser/],
        ["SELECT pg_read_file('/etc/passwd')", /permission denied for function/],
        ["SELECT pg_read_binary_file('/etc/passwd')", /permission denied for function/],
        ["SELECT pg_ls_dir('.')", /permission denied for function/],
        ["SELECT lo_import('/etc/passwd')", /permission denied for function/],
        ["LOAD 'auto_explain'", /not allowed/],
        ['CREATE EXTENSION dblink', /permission denied to create extension|not available/],
        ['CREATE EXTENSION postgres_fdw', /permission denied to create extension|not available/],
        ['CREATE EXTENSION file_fdw', /permission denied to create extension|not available/],
        ['CREATE FOREIGN DATA WRAPPER w', /permission denied/],
        [
          'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION nothing()',
          /permission denied|must be superuser|does not exist/,
        ],
        ["CREATE TABLESPACE t LOCATION '/tmp'", /permission denied/],
        ['CREATE PUBLICATION p FOR ALL TABLES', /must be superuser/],
        ["SELECT pg_create_physical_replication_slot('s')", /permission denied|must be superuser/],
        ['SELECT * FROM pg_authid', /permission denied/],
        ['SELECT * FROM pg_shadow', /permission denied/],
        ['CREATE ROLE friend', /permission denied/],
        ['CREATE DATABASE friend', /permission denied/],
        ['ALTER ROLE CURRENT_USER CREATEDB', /permission denied|must have/],
        ['ALTER ROLE CURRENT_USER SUPERUSER', /permission denied|must be superuser/],
        ['ALTER ROLE CURRENT_USER CONNECTION LIMIT 500', /permission denied|must have/],
        ['SET ROLE worker', /permission denied/],
        ['GRANT worker TO CURRENT_USER', /permission denied|must have|admin option/i],
        ['GRANT pg_execute_server_program TO CURRENT_USER', /permission denied|must have|admin option/i],
        ['ALTER DATABASE crm OWNER TO CURRENT_USER', /must be owner/],
        ['ALTER DATABASE crm CONNECTION LIMIT 1', /must be owner/],
        ['ALTER DATABASE crm RENAME TO mine', /must be owner/],
        ['DROP DATABASE shop', /must be owner/],
        ['ALTER SYSTEM SET log_statement = none', /permission denied|must be superuser/],
        [
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'",
          /permission denied|must be/,
        ],
        ["SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'", /permission denied|must be/],
        ['ALTER DEFAULT PRIVILEGES FOR ROLE worker GRANT ALL ON TABLES TO PUBLIC', /permission denied|must be/],
      ])('is refused %s', async (statement, refusal) => {
        const other = await dialects.postgres.connect(worker, 'head', 'a session of the Worker');
        const statements = statement.split('; ');
        for (const before of statements.slice(0, -1)) await sql(crm.connection, before);
        expect(await answer(crm.connection, statements.at(-1)!)).toMatch(refusal);
        await other.close();
      });

      it('opens its database to nobody, although it can ask for it', async () => {
        await answer(crm.connection, 'GRANT CONNECT ON DATABASE crm TO PUBLIC');
        expect(await answer({ ...shop.connection, database: 'crm' }, 'SELECT 1')).toContain('permission denied');
      });

      it('holds no lock of the main database: each database has its own', async () => {
        const [main, own] = [
          await dialects.postgres.connect(worker, 'head', 'hosting'),
          await dialects.postgres.connect(crm.connection, 'crm', 'app'),
        ];
        await own.query('SELECT pg_advisory_lock(4711)');
        expect(await dialects.postgres.lock.tryTake(main, 4711n)).toBe(true);
        await Promise.all([main.close(), own.close()]);
      });

      it('sees no query of another session', async () => {
        const other = await dialects.postgres.connect(worker, 'head', 'the Worker');
        await other.query("SELECT 'a secret of the Worker'");
        const seen = await sql(crm.connection, "SELECT query FROM pg_stat_activity WHERE usename = 'worker'");
        expect(seen.length).toBeGreaterThan(0);
        for (const { query } of seen) expect(query).not.toContain('secret');
        await other.close();
      });

      it('blocks no new database with a session in template1, where an administrator has not closed it', async () => {
        await sql(admin(), 'GRANT CONNECT ON DATABASE template1 TO PUBLIC');
        const blocker = await dialects.postgres.connect(crm.connection, 'template1', 'blocker');
        const blog = appOf(worker, 'blog');
        expect(await create(blog)).toMatchObject({ created: true });
        await blocker.close();
        await sql(admin(), dialects.postgres.roles!.closeSql(['template1']));
        expect(await drop(blog)).toEqual(say('DATA_DROPPED'));
      });
    });

    describe('code that an app has left in its database', () => {
      /** Whoever runs it is noted, and with the rights of the Worker it would make itself a role. */
      const trap = async (name: string, args: string, returns: string, value: string) =>
        sql(
          crm.connection,
          `CREATE OR REPLACE FUNCTION public.${name}(${args}) RETURNS ${returns} LANGUAGE plpgsql AS $f$ BEGIN
             INSERT INTO public.caught VALUES (current_user, '${name}'); RETURN ${value}; END $f$`,
        );
      const caught = async () =>
        (await sql(admin('crm'), 'SELECT DISTINCT who FROM public.caught ORDER BY who')).map(({ who }) => who);

      it('runs as nobody but the app: triggers, functions before those of the server, a schema of the Worker’s name', async () => {
        await sql(crm.connection, 'CREATE TABLE public.caught (who text, what text)');
        await sql(crm.connection, 'GRANT ALL ON public.caught TO PUBLIC; GRANT ALL ON SCHEMA public TO PUBLIC');
        await trap('has_database_privilege', 'text, name, text', 'boolean', 'true');
        await trap('pg_identify_object', 'regclass, oid, integer', 'text', "''");
        await trap('to_regnamespace', 'varchar', 'regnamespace', 'NULL');
        await trap('noted', '', 'trigger', 'NEW');
        await sql(crm.connection, 'CREATE SCHEMA worker; CREATE TABLE worker.app_supervisor_mark (uid text)');
        await sql(
          crm.connection,
          'CREATE TRIGGER noted BEFORE INSERT OR UPDATE ON public.app_supervisor_mark FOR EACH ROW EXECUTE FUNCTION noted()',
        );
        await sql(crm.connection, 'CREATE VIEW public.peeked AS SELECT 1');
        await sql(
          admin('crm'),
          'CREATE TABLE public.left_by_worker (a int); ALTER TABLE public.left_by_worker OWNER TO worker',
        );
        await create(crm);
        await boot(crm);
        await sql(crm.connection, 'UPDATE app_supervisor_mark SET installed = 1');
        expect(await caught()).toEqual([crm.connection.username]);
      });
    });

    describe('a Worker', () => {
      it('invariant 9: ends its own frozen drop before it makes an app anew', async () => {
        await expectFrozenDropEnded(appOf(worker, 'once'));
      });

      it('is held up by no session of an app that calls itself a drop', async () => {
        const own = await dialects.postgres.connect(crm.connection, 'crm', 'liar');
        await dialects.postgres.drops?.mark(own, 'x');
        const session = await dialects.postgres.connect(worker, 'head', 'worker');
        expect(await dialects.postgres.drops?.endOthers(session, 'x')).toBe(false);
        await session.close();
        expect(await own.query('SELECT 1 AS yes')).toHaveLength(1);
        await own.close();
      });

      it('sets the password again that an app has changed', async () => {
        await sql(crm.connection, "ALTER ROLE CURRENT_USER PASSWORD 'mine'");
        expect(await answer(crm.connection, 'SELECT 1')).toContain('password authentication failed');
        expect(await boot(crm)).toMatchObject({ installed: 'complete' });
        expect(await answer(crm.connection, 'SELECT 1')).toBe('done');
      });

      it.each([
        ['', 'boots', () => boot(crm)],
        ['IN DATABASE crm ', 'boots', () => boot(crm)],
        ['', 'is made', () => create(crm)],
      ])('takes back settings with which no session of the app begins (%s) when it %s', async (where, _, work) => {
        await sql(crm.connection, `ALTER ROLE CURRENT_USER ${where}SET local_preload_libraries = 'nothing'`);
        expect(await answer(crm.connection, 'SELECT 1')).toContain('nothing');
        expect(await work()).toMatchObject({ installed: 'complete' });
        expect(await answer(crm.connection, 'SELECT 1')).toBe('done');
      });

      it('says that the database is gone where the role went with it', async () => {
        const gone = appOf(crm.worker, 'gone');
        await create(gone);
        await drop(gone);
        await expect(boot(gone)).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
      });

      it.each(["PASSWORD 'other'", "SET statement_timeout = '60s'"])(
        'is not blocked by an app that changes its role in an open transaction (%s)',
        async (change) => {
          const own = await dialects.postgres.connect(crm.connection, 'crm', 'blocker');
          await own.query("ALTER ROLE CURRENT_USER PASSWORD 'mine'");
          await own.query("ALTER ROLE CURRENT_USER SET statement_timeout = '50s'");
          await own.query('BEGIN');
          await own.query(`ALTER ROLE CURRENT_USER ${change}`);
          await create(crm);
          await own.close();
          expect(await answer(crm.connection, 'SELECT 1')).toBe('done');
        },
      );

      it('gives the role what it has itself left in the database, such as a restored table', async () => {
        await sql(admin('crm'), 'CREATE TABLE public.restored (a int); ALTER TABLE public.restored OWNER TO worker');
        await boot(crm);
        expect(await answer(crm.connection, 'ALTER TABLE restored ADD b int')).toBe('done');
      });

      it('names what somebody else owns there, and takes nothing of another app', async () => {
        await sql(admin('crm'), 'CREATE TABLE public.theirs (a int)');
        await expect(boot(crm)).rejects.toMatchObject({
          code: 'DATABASE_NOT_OWNED',
          message: expect.stringContaining('theirs'),
        });
        await sql(admin('crm'), 'DROP TABLE theirs');
        const thief = appOf(worker, 'thief', 'shop');
        await expect(boot(thief)).rejects.toMatchObject({ code: 'DATABASE_NOT_OWNED' });
        expect(
          (await sql(admin('shop'), 'SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = ?', ['public']))[0],
        ).toEqual({
          tableowner: shop.connection.username,
        });
      });

      it('gives away nothing of the main database of another process that has the same user', async () => {
        await sql(admin(), 'CREATE DATABASE other_head OWNER worker');
        const main = { ...worker, database: 'other_head' };
        await sql(main, 'CREATE TABLE "appSupervisorLeaders" (id INTEGER)');
        const thief = appOf(worker, 'thief', 'other_head');
        for (const attempt of [create, boot]) {
          await expect(attempt(thief)).rejects.toMatchObject({ code: 'DATABASE_RESERVED' });
        }
        const owners = await sql(main, "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'");
        expect(owners).toEqual([{ tableowner: 'worker' }]);
      });

      it('that may not make roles says what an administrator can run', async () => {
        await sql(admin(), "CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'");
        const plain = { ...worker, username: 'plain', password: 'plain', database: 'head' };
        await sql(admin(), 'GRANT CONNECT ON DATABASE head TO plain');
        const denied = await inspectServer(plain, false);
        expect(denied).toMatchObject({ mode: 'denied', sql: 'ALTER ROLE "plain" CREATEROLE;' });
        expect(inEnglish(denied.warnings[0])).toContain('ALTER ROLE "plain" CREATEROLE;');
        expect(await inspectServer(plain, true)).toMatchObject({ mode: 'shared', warnings: [{ code: 'ROLE_SHARED' }] });
        const checked = await checkDatabase({ ...plain, database: 'new' }, 'new_database', {
          roles: async () => denied.mode,
          protect: { database: 'head' },
        });
        expect(checked).toMatchObject({ verdict: 'unusable' });
        expect(inWords(checked.checks.at(-1)!)).toMatchObject({ name: 'create', ok: false, remedy: denied.sql });
        await expect(create(appOf(plain, 'new'))).rejects.toMatchObject({ code: 'DATABASE_ROLE_DENIED' });
        await sql(admin(), denied.sql);
        expect(await inspectServer(plain, false)).toMatchObject({ mode: 'made' });
        expect(await create(appOf(plain, 'new'))).toMatchObject({ created: true });
        expect(await drop(appOf(plain, 'new'))).toEqual(say('DATA_DROPPED'));
      });

      it('that is a superuser works, with a warning', async () => {
        const found = await inspectServer(admin('head'), false);
        expect(found).toMatchObject({ mode: 'made' });
        expect(found.warnings.map(({ code }) => code)).toContain('WORKER_SUPERUSER');
        const sudo = appOf(admin('head'), 'sudo');
        expect(await create(sudo)).toMatchObject({ created: true });
        expect(await answer(sudo.connection, 'CREATE TABLE t (a int)')).toBe('done');
        expect(await drop(sudo)).toEqual(say('DATA_DROPPED'));
      });

      it('takes an empty database that was made for it, and says how to if it is somebody else’s', async () => {
        await sql(admin(), 'CREATE DATABASE given');
        await expect(create(appOf(worker, 'given'))).rejects.toMatchObject({
          code: 'DATABASE_CREATE_DENIED',
          message: expect.stringContaining('ALTER DATABASE "given" OWNER TO "worker"'),
        });
        await sql(admin(), 'ALTER DATABASE given OWNER TO worker');
        expect(await create(appOf(worker, 'given'))).toMatchObject({ created: false });
        expect(await answer({ ...shop.connection, database: 'given' }, 'SELECT 1')).toContain('permission denied');
      });
    });

    describe('apps that share a database, each with a schema', () => {
      let one: TestApp;
      let two: TestApp;
      beforeAll(async () => {
        [one, two] = [appOf(worker, 'one', 'head_apps', 'one'), appOf(worker, 'two', 'head_apps', 'two')];
        for (const each of [one, two]) expect(await create(each, 'new_schema')).toMatchObject({ created: true });
      });

      it('own their schema, and neither read nor drop the other’s', async () => {
        expect(await tables(one.connection)).toEqual(['app_supervisor_mark']);
        // As NocoBase does at each start.
        expect(await answer(one.connection, 'CREATE SCHEMA IF NOT EXISTS "one"')).toBe('done');
        expect(await answer(one.connection, 'SELECT * FROM two.app_supervisor_mark')).toContain('permission denied');
        expect(await answer(one.connection, 'DROP SCHEMA two CASCADE')).toContain('must be owner');
        expect(await answer(one.connection, 'CREATE TABLE public.t (a int)')).toContain('permission denied');
        expect(await answer({ ...one.connection, database: 'head' }, 'SELECT 1')).toContain('permission denied');
      });

      it('are dropped with their role, and not with the database', async () => {
        expect(await drop(one, 'new_schema')).toEqual(say('DATA_DROPPED'));
        expect(await drop(one, 'new_schema')).toEqual(say('DATA_DROPPED'));
        expect(await boot(two, 'new_schema')).toMatchObject({ created: false });
        expect(await sql(admin(), 'SELECT 1 FROM pg_roles WHERE rolname = ?', [one.connection.username])).toEqual([]);
      });
    });

    describe('an app that was made without a role', () => {
      const old = () => appOf(worker, 'old');
      const move = (password = 'secret-of-old') =>
        moveToRole(
          admin('old'),
          'new_database',
          { app: 'old', uid: 'uid-old' },
          {
            role: old().connection.username!,
            password,
            workers: ['worker'],
          },
        );
      const shared = () => ({ ...worker, database: 'old' });

      it('is moved with all that is in it, whoever made it, and while it runs', async () => {
        await prepareDatabase(shared(), 'new_database', { app: 'old', uid: 'uid-old', mayCreate: true });
        await install(shared(), '2.2.15');
        for (const statement of [
          "CREATE TYPE mood AS ENUM ('good')",
          'CREATE SCHEMA extra CREATE TABLE t (a int)',
          'CREATE SEQUENCE alone',
          'CREATE FUNCTION f(mood) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$',
          'CREATE MATERIALIZED VIEW m AS SELECT 1 AS one',
          'CREATE TABLE parts (id integer) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts DEFAULT',
          "SELECT lo_from_bytea(0, 'x')",
          'CREATE EXTENSION IF NOT EXISTS citext',
        ])
          await sql(shared(), statement);
        await sql(admin('old'), 'CREATE TABLE restored (a int); INSERT INTO restored VALUES (7)');
        const running = await dialects.postgres.connect(shared(), 'old', 'the running app');
        await running.query('BEGIN');
        await running.query('SELECT * FROM extra.t');
        const moving = move();
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        await running.query('COMMIT');
        await moving;
        await running.query('CREATE TABLE made_meanwhile (a int)');
        await running.close();

        expect(await boot(old())).toMatchObject({ installed: 'complete', mark: { created: true } });
        for (const statement of [
          'ALTER TABLE restored ADD b int',
          'ALTER TABLE made_meanwhile ADD b int',
          'DROP MATERIALIZED VIEW m',
          'DROP FUNCTION f',
          'DROP SCHEMA extra CASCADE',
          'DROP TABLE parts',
          "ALTER TYPE mood ADD VALUE 'bad'",
        ])
          expect(await answer(old().connection, statement), statement).toBe('done');
        expect(await sql(old().connection, 'SELECT a FROM restored')).toEqual([{ a: 7 }]);
        expect(await answer({ ...shop.connection, database: 'old' }, 'SELECT 1')).toContain('permission denied');
        expect(await answer(old().connection, 'ALTER DATABASE old RENAME TO mine')).toContain('must be owner');
      });

      it('is moved again, with another password', async () => {
        await move('another');
        expect(await answer({ ...old().connection, password: 'another' }, 'SELECT 1')).toBe('done');
        expect(
          await drop({
            ...old(),
            connection: { ...old().connection, password: 'another' },
            maker: { ...old().maker, password: 'another' },
          }),
        ).toEqual(say('DATA_DROPPED'));
      });

      it('and that a superuser made, or is another app’s: the administrator moves the one, and not the other', async () => {
        await prepareDatabase(admin('old'), 'new_database', { app: 'old', uid: 'uid-old', mayCreate: true });
        await install(admin('old'), '2.2.15');
        await move();
        expect(await boot(old())).toMatchObject({ installed: 'complete' });
        await sql(old().connection, "UPDATE app_supervisor_mark SET uid = 'other'");
        await expect(move()).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
        // What runs code when it is read is not read.
        await sql(
          old().connection,
          "ALTER TABLE app_supervisor_mark RENAME TO m; CREATE VIEW app_supervisor_mark AS SELECT 1 AS id, 'uid-old' AS uid",
        );
        await expect(move()).rejects.toMatchObject({ code: 'DATABASE_UNMARKED' });
      });

      it('and is a schema of a main database is moved there', async () => {
        const here = appOf(worker, 'tenant', 'head', 'tenant');
        await prepareDatabase(here.worker, 'new_schema', { app: 'tenant', uid: here.uid, mayCreate: true });
        await sql(worker, 'CREATE TABLE public.of_main (a int)');
        await moveToRole(
          { ...admin('head'), schema: 'tenant' },
          'new_schema',
          { app: 'tenant', uid: here.uid },
          { role: here.maker.role, password: here.maker.password, workers: ['worker'] },
        );
        expect(await boot(here, 'new_schema')).toMatchObject({ mark: { created: true } });
        expect(await answer(here.connection, 'CREATE TABLE tenant.t (a int)')).toBe('done');
        expect(await answer(here.connection, 'SELECT * FROM public.of_main')).toContain('permission denied');
        expect(await drop(here, 'new_schema')).toEqual(say('DATA_DROPPED'));
        expect(await answer(worker, 'SELECT * FROM public.of_main')).toBe('done');
      });
    });

    describe('a database that an app adopts', () => {
      /** A new one for each test, with an app in it that the Worker's role made. */
      const found = async (name: string) => {
        const app = appOf(worker, name);
        await sql(worker, `CREATE DATABASE ${name} TEMPLATE template0`);
        await install(app.worker, '2.1.0');
        return app;
      };
      /** Who owns tables and views there. */
      const owners = async (name: string) =>
        (
          await sql(
            admin(name),
            "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')",
          )
        ).map(({ owner }) => owner);

      it('is its role’s from then on, with all that is in it, and nobody else’s', async () => {
        const app = await found('found');
        await sql(app.worker, 'CREATE SCHEMA extra CREATE TABLE t (a int)');
        for (let time = 0; time < 2; time++)
          expect(await adopt(app)).toMatchObject({ version: '2.1.0', mark: { uid: app.uid, created: false } });
        expect(await owners('found')).toEqual([app.maker.role]);
        expect(await answer(app.connection, 'ALTER TABLE extra.t ADD b int')).toBe('done');
        expect(await answer({ ...app.connection, database: 'crm' }, 'SELECT 1')).toContain('permission denied');
        expect(await answer({ ...crm.connection, database: 'found' }, 'SELECT 1')).toContain('permission denied');
        expect(await answer(app.connection, 'DROP DATABASE crm')).toContain('must be owner');
      });

      it('and that was another app’s before belongs to the new one', async () => {
        const former = appOf(worker, 'former');
        await create(former);
        await install(former.connection, '2.2.15');
        await releaseDatabase(former.connection, 'new_database', former);
        const next = appOf(worker, 'next', 'former');
        expect(await adopt(next)).toMatchObject({ mark: { uid: 'uid-next', created: false } });
        expect(await owners('former')).toEqual([next.maker.role]);
        expect(await answer(former.connection, 'SELECT 1')).toContain('permission denied for database');
      });

      it('invariant 9: is not dropped by a drop that is frozen, from the beginning of the adoption', async () => {
        const former = appOf(worker, 'frozen');
        await create(former);
        await install(former.connection, '2.2.15');
        const process = await freeze(
          'postgres',
          (step) => step.startsWith('DROP DATABASE'),
          () => drop(former),
        );
        await releaseDatabase(former.connection, 'new_database', former);
        await sql(admin('frozen'), 'CREATE TABLE of_postgres (a int)');
        const next = appOf(worker, 'thawed', 'frozen');
        await expect(adopt(next)).rejects.toMatchObject({ code: 'DATABASE_NOT_OURS' });
        expect(await process.wake()).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
        await sql(admin('frozen'), 'DROP TABLE of_postgres');
        expect(await adopt(next)).toMatchObject({ version: '2.2.15', mark: { uid: next.uid } });
      });

      it('is refused, and stays as it is, while it belongs to another app', async () => {
        const thief = appOf(worker, 'burglar', 'crm');
        await expect(adopt(thief)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
        expect(await owners('crm')).toEqual([crm.maker.role]);
        expect(await sql(admin(), 'SELECT 1 FROM pg_roles WHERE rolname = ?', [thief.maker.role])).toEqual([]);
      });

      it('is refused, and stays as it is, with something of somebody else in it', async () => {
        const app = await found('restored');
        await sql(admin('restored'), 'CREATE TABLE of_postgres (a int)');
        await expect(adopt(app)).rejects.toMatchObject({
          code: 'DATABASE_NOT_OURS',
          message: expect.stringContaining('table public.of_postgres'),
        });
        expect((await owners('restored')).sort()).toEqual(['postgres', 'worker']);
        await sql(admin('restored'), 'ALTER TABLE of_postgres OWNER TO worker');
        expect(await adopt(app)).toMatchObject({ version: '2.1.0' });
      });

      it('is refused if there is no app in it', async () => {
        await sql(worker, 'CREATE DATABASE nothing TEMPLATE template0');
        const app = appOf(worker, 'nothing');
        await expect(adopt(app)).rejects.toMatchObject({ code: 'DATABASE_UNMARKED' });
        await sql(app.worker, 'CREATE TABLE t (a int)');
        await expect(adopt(app)).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
        expect(await owners('nothing')).toEqual(['worker']);
        await expect(adopt(appOf(worker, 'nowhere'))).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
      });

      it('runs none of its code as the Worker', async () => {
        const former = appOf(worker, 'trap');
        await create(former);
        await install(former.connection, '2.2.15');
        await releaseDatabase(former.connection, 'new_database', former);
        await sql(
          former.connection,
          `CREATE FUNCTION spring() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
             IF current_user = 'worker' THEN EXECUTE 'CREATE ROLE sprung'; END IF; RETURN true; END $$`,
        );
        // Preferred to those of the server where two types are compared, and evaluated first.
        for (const [sign, left, right] of [
          ['=', 'oid', 'regclass'],
          ['<>', 'oid', 'regrole'],
          ['<>', 'oid', 'integer'],
          ['>=', 'oid', 'integer'],
        ]) {
          const name = `spring_${left}_${right}_${sign.length}`;
          await sql(
            former.connection,
            `CREATE OR REPLACE FUNCTION ${name}(${left}, ${right}) RETURNS boolean LANGUAGE sql COST 0.0001 AS 'SELECT spring()';
             CREATE OPERATOR public.${sign} (LEFTARG = ${left}, RIGHTARG = ${right}, FUNCTION = ${name})`,
          );
        }
        for (const statement of [
          'ALTER TABLE "applicationVersion" ENABLE ROW LEVEL SECURITY; ALTER TABLE "applicationVersion" FORCE ROW LEVEL SECURITY; CREATE POLICY p ON "applicationVersion" USING (spring())',
          'ALTER TABLE "applicationVersion" RENAME TO v; CREATE VIEW "applicationVersion" AS SELECT * FROM v WHERE spring()',
        ]) {
          await sql(former.connection, statement);
          await expect(adopt(appOf(worker, 'heir', 'trap'))).rejects.toMatchObject({
            code: expect.stringMatching(/DATABASE_(FAILED|FOREIGN)/),
          });
          await checkDatabase(former.worker, 'new_database', { roles: async () => 'made' });
          await databaseSize(former.worker, 'new_database');
        }
        await sql(
          former.connection,
          'DROP VIEW "applicationVersion"; ALTER TABLE v RENAME TO "applicationVersion"; ALTER TABLE "applicationVersion" DISABLE ROW LEVEL SECURITY',
        );
        expect(await adopt(appOf(worker, 'heir', 'trap'))).toMatchObject({ version: '2.2.15' });
        expect(await sql(admin(), "SELECT 1 FROM pg_roles WHERE rolname = 'sprung'")).toEqual([]);
      });
    });

    it('drops an app with its role, under its open connections, and a second time', async () => {
      const forgotten: Session = await dialects.postgres.connect(shop.connection, 'shop', 'forgotten');
      const lost = new Promise((resolve) => forgotten.onLost(resolve));
      expect(await drop(shop)).toEqual(say('DATA_DROPPED'));
      await lost;
      expect(await drop(shop)).toEqual(say('DATA_DROPPED'));
      expect(await sql(admin(), "SELECT 1 FROM pg_roles WHERE rolname LIKE 'app_shop%'")).toEqual([]);
      expect(await sql(admin(), "SELECT 1 FROM pg_database WHERE datname = 'shop'")).toEqual([]);
    });

    it('drops nothing of another app, whatever schemas an app adds to keep its data', async () => {
      const other = { ...crm, uid: 'uid-other' };
      expect(await drop(other)).toMatchObject({ code: 'DATA_KEPT', params: { why: { code: 'KEPT_OTHER_APP' } } });
      await sql(crm.connection, 'CREATE SCHEMA extra; CREATE TABLE extra.t (a int)');
      await sql(crm.connection, "ALTER ROLE CURRENT_USER PASSWORD 'mine'");
      expect(await drop(crm)).toEqual(say('DATA_DROPPED'));
    });
  });

export const rolesOnMariadb = (dialect: 'mariadb' | 'mysql') =>
  describe(`MariaDB with the driver of ${dialect}`, () => {
    let server: Server;
    let worker: DatabaseConnection;
    let crm: TestApp;
    let shop: TestApp;
    const admin = (database = 'mysql') => on(server, dialect, database);

    beforeAll(async () => {
      server = await startMariadb();
      await sql(admin(), "CREATE USER worker@'%' IDENTIFIED BY 'of-the-worker'");
      for (const statement of dialects[dialect]
        .roles!.adminSql('worker')
        .split(';')
        .filter((part) => part.trim()))
        await sql(admin(), statement);
      await sql(admin(), 'CREATE DATABASE head');
      worker = { ...admin('head'), username: 'worker', password: 'of-the-worker' };
      [crm, shop] = [appOf(worker, 'crm', 'c_m'), appOf(worker, 'shop')];
      for (const each of [crm, shop]) expect(await create(each)).toMatchObject({ created: true });
      await install(crm.connection, '2.2.15');
    });
    afterAll(() => server?.stop());

    it('invariant 9: a Worker ends its own frozen drop before it makes an app anew', async () => {
      await expectFrozenDropEnded(appOf(worker, 'once'));
    });

    it('knows what the Worker may do', async () => {
      expect(await inspectServer(worker, false)).toMatchObject({ mode: 'made', warnings: [] });
      expect(await inspectServer(admin('head'), false)).toMatchObject({
        mode: 'made',
        warnings: [{ code: 'WORKER_SUPERUSER' }],
      });
      await sql(admin(), "CREATE USER plain@'%' IDENTIFIED BY 'plain'");
      await sql(admin(), "GRANT ALL ON head.* TO plain@'%'");
      const plain = { ...worker, username: 'plain', password: 'plain' };
      expect(await inspectServer(plain, false)).toMatchObject({ mode: 'denied' });
      await expect(create(appOf(plain, 'new'))).rejects.toMatchObject({ code: 'DATABASE_ROLE_DENIED' });
    });

    it('invariant 12: grants one database, whose name is no pattern, and no other right', async () => {
      const grants = (await sql(admin(), `SHOW GRANTS FOR '${crm.connection.username}'@'%'`)).map((row) =>
        String(Object.values(row)[0]),
      );
      expect(grants).toHaveLength(2);
      expect(grants[0]).toMatch(/^GRANT USAGE ON \*\.\*/);
      expect(grants[1]).toMatch(/^GRANT ALL PRIVILEGES ON `c\\_m`\.\* TO/);
      await sql(admin(), 'CREATE DATABASE cxm');
      expect(await answer({ ...crm.connection, database: 'cxm' }, 'SELECT 1')).toContain('Access denied');
    });

    it.each(['head', 'shop', 'mysql'])('an app does not enter %s', async (database) => {
      expect(await answer({ ...crm.connection, database }, 'SELECT 1')).toContain('Access denied');
    });

    it.each([
      ["SELECT 1 INTO OUTFILE '/tmp/x'", /denied/],
      ["LOAD DATA INFILE '/etc/passwd' INTO TABLE app_supervisor_mark", /denied/],
      ['SHOW GRANTS FOR worker', /denied/],
      ["CREATE USER friend IDENTIFIED BY 'x'", /denied/],
      ['CREATE DATABASE friend', /denied/],
      ['GRANT ALL ON c_m.* TO worker', /denied/],
      ['SET GLOBAL max_connections = 1', /denied/],
      ["CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')", /denied/],
      ['FLUSH TABLES', /denied/],
      ['CREATE DEFINER = worker VIEW v AS SELECT 1', /denied/],
      ['SET SESSION sql_log_bin = 0', /denied/],
      ["INSTALL SONAME 'ha_connect'", /denied/],
    ])('an app is refused %s', async (statement, refusal) => {
      expect(await answer(crm.connection, statement)).toMatch(refusal);
    });

    it('an app reads no file and sees no other session', async () => {
      expect((await sql(crm.connection, "SELECT LOAD_FILE('/etc/passwd') AS file"))[0]).toEqual({ file: null });
      const other = await dialects[dialect].connect(worker, 'head', 'the Worker');
      const seen = await sql(crm.connection, 'SELECT DISTINCT user FROM information_schema.processlist');
      expect(seen.map(({ user }) => user)).toEqual([crm.connection.username]);
      const [{ id }] = await other.query('SELECT CONNECTION_ID() AS id');
      expect(await answer(crm.connection, `KILL ${id}`)).toMatch(/not owner/i);
      await other.close();
    });

    it('the Worker sets the password again that an app has changed', async () => {
      await sql(crm.connection, "SET PASSWORD = PASSWORD('mine')");
      expect(await answer(crm.connection, 'SELECT 1')).toContain('Access denied');
      expect(await boot(crm)).toMatchObject({ installed: 'complete' });
    });

    it('no app is made in the database of another one, which stays as it is', async () => {
      const thief = appOf(worker, 'thief', 'c_m');
      await expect(create(thief)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
      expect(await answer(thief.connection, 'SELECT 1')).toContain('Access denied');
    });

    it('an app that was made without a user is moved, unless something in it runs with the rights of another one', async () => {
      const old = appOf(worker, 'old');
      await prepareDatabase(old.worker, 'new_database', { app: 'old', uid: old.uid, mayCreate: true });
      await install(old.worker, '2.2.15');
      const move = () =>
        moveToRole(admin('old'), 'new_database', old, {
          role: old.maker.role,
          password: 'secret-of-old',
          workers: ['worker'],
        });
      // `install` makes a view, as the Worker.
      await expect(move()).rejects.toMatchObject({
        code: 'DATABASE_NOT_OWNED',
        message: expect.stringContaining('someView (worker@%)'),
      });
      expect(await answer(old.connection, 'SELECT 1')).toContain('Access denied');
      await sql(admin('old'), 'DROP VIEW someView');
      await move();
      expect(await boot(old)).toMatchObject({ installed: 'complete', mark: { created: true } });
      expect(await drop(old)).toEqual(say('DATA_DROPPED'));
    });

    it('a database that an app adopts is its user’s, unless something in it runs with the rights of another one', async () => {
      const found = appOf(worker, 'found');
      await sql(worker, 'CREATE DATABASE found');
      await install(found.worker, '2.1.0');
      await expect(adopt(found)).rejects.toMatchObject({
        code: 'DATABASE_NOT_OURS',
        message: expect.stringContaining('someView (worker@%)'),
      });
      expect(await answer(found.connection, 'SELECT 1')).toContain('Access denied');
      await sql(found.worker, 'DROP VIEW someView');
      expect(await adopt(found)).toMatchObject({ version: '2.1.0', mark: { uid: found.uid, created: false } });
      expect(await answer({ ...found.connection, database: 'shop' }, 'SELECT 1')).toContain('Access denied');
      await expect(adopt(appOf(worker, 'thief', 'c_m'))).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
      // Its former user does not get at what the next app writes.
      const next = appOf(worker, 'next', 'found');
      await releaseDatabase(found.connection, 'new_database', found);
      expect(await adopt(next)).toMatchObject({ mark: { uid: next.uid } });
      expect(await answer(next.connection, 'SELECT 1')).toBe('done');
      expect(await answer(found.connection, 'SELECT 1')).toContain('Access denied');
    });

    it('an app is dropped with its user, and a second time', async () => {
      expect(await drop({ ...crm, uid: 'other' })).toMatchObject({ code: 'DATA_KEPT' });
      for (let time = 0; time < 2; time++) expect(await drop(crm)).toEqual(say('DATA_DROPPED'));
      expect(await sql(admin(), "SELECT user FROM mysql.user WHERE user LIKE 'app\\_crm%'")).toHaveLength(0);
      expect(await inspectDatabase(shop.connection, 'new_database', shop)).toMatchObject({ installed: 'none' });
    });
  });
