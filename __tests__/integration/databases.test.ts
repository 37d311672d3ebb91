import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  acquireLock,
  checkDatabase,
  type DatabaseConnection,
  databaseSize,
  dropDatabase,
  inspectDatabase,
  keepMark,
  prepareDatabase,
  releaseDatabase,
  resetPartialInstall,
} from '../../src/server/databases';
import { say } from '../../src/shared/message';
import type { DbConnType } from '../../src/shared/types';
import { dropByHand, freeze } from './databases-frozen';
import { type Ground, install, kept, PLACES, sql, startGround, table, tables } from './databases-places';

/** What holds in every kind of place. The rest is in databases.postgres and databases.mariadb. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

const MARK = 'app_supervisor_mark';
const one = { app: 'one', uid: 'uid-1' };
const two = { app: 'two', uid: 'uid-2' };
let count = 0;

describe.each(PLACES)('an app in %s', (kind) => {
  let connection: DatabaseConnection;
  let mode: DbConnType;
  const create = () => prepareDatabase(connection, mode, { ...one, mayCreate: true });
  const verdict = async (uid?: string) => (await checkDatabase(connection, mode, { uid })).verdict;
  const reset = async (owner: typeof one) => {
    const lock = await acquireLock(connection, { app: owner.app, environment: 'env_a', timeoutMs: 0 });
    await resetPartialInstall(connection, owner, lock).finally(() => lock.release());
  };
  /** A place that somebody else made, without our mark. */
  const foreignPlace = async () => {
    await create();
    await sql(connection, `DROP TABLE ${table(connection, MARK)}`);
  };

  beforeEach(async () => {
    ({ connection, mode } = await ground.place(kind, `app_${++count}`));
  });

  it('is made once, marked, and found again', async () => {
    expect(await verdict()).toBe('free');
    const first = await create();
    expect(first).toEqual({
      created: true,
      mark: { uid: 'uid-1', created: true, upgrading: false },
      installed: 'none',
      version: null,
      plugins: [],
      underscored: null,
    });
    expect(await create()).toEqual({ ...first, created: false });
    expect(await inspectDatabase(connection, mode, one)).toEqual({ ...first, created: false });
    expect(await tables(connection)).toEqual([MARK]);
    expect(await verdict('uid-1')).toBe('free');
    expect(await verdict()).toBe('taken');
  });

  it('has a size, which grows with its data', async () => {
    expect(await databaseSize(connection, mode)).toBeNull();
    await create();
    const empty = await databaseSize(connection, mode);
    expect(empty).toBeGreaterThan(0);
    await install(connection, '2.2.15');
    const text = 'x'.repeat(500);
    const big = table(connection, 'big');
    await sql(connection, `CREATE TABLE ${big} (data TEXT)`);
    for (let row = 0; row < 40; row++) await sql(connection, `INSERT INTO ${big} VALUES ('${text.repeat(50)}')`);
    // MariaDB counts anew when it is told to.
    if (connection.dialect === 'mariadb') await sql(connection, `ANALYZE TABLE ${big}`);
    expect(await databaseSize(connection, mode)).toBeGreaterThan(empty!);
  });

  it('is made by the first boot of a new app only', async () => {
    await expect(prepareDatabase(connection, mode, { ...one, mayCreate: false })).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
    });
    await expect(prepareDatabase(connection, mode, { ...one, mayCreate: false, adopt: true })).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
    });
    expect(await verdict()).toBe('free');
  });

  it('refuses a place without its mark, which another server with the same names would be', async () => {
    await foreignPlace();
    await expect(inspectDatabase(connection, mode, one)).rejects.toMatchObject({ code: 'DATABASE_UNMARKED' });
    expect(await tables(connection)).toEqual([]);
    await install(connection, '2.2.15');
    await expect(inspectDatabase(connection, mode, one)).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
  });

  it('takes an empty place that is there, and does not call it its own making', async () => {
    await foreignPlace();
    expect(await verdict()).toBe('free');
    expect(await create()).toMatchObject({ created: false, mark: { uid: 'uid-1', created: false } });
  });

  it('may be made by another plugin, and is then not called its own making', async () => {
    let calls = 0;
    const prepare = (mayCreate: boolean) => {
      const createByOther = async () => {
        calls++;
        await foreignPlace();
      };
      return prepareDatabase(connection, mode, { ...one, mayCreate, createByOther });
    };
    await expect(prepare(false)).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
    expect(calls).toBe(0);
    for (const _ of [1, 2]) expect(await prepare(true)).toMatchObject({ created: false, mark: { created: false } });
    expect(calls).toBe(1);
  });

  it('reads version and plugins', async () => {
    await create();
    await install(connection, '2.2.15');
    expect(await inspectDatabase(connection, mode, one)).toMatchObject({
      installed: 'complete',
      version: '2.2.15',
      underscored: false,
      plugins: [
        { name: 'acl', version: '2.2.15', enabled: true, builtIn: true },
        { name: 'map', version: '2.2.14', enabled: false, builtIn: false },
      ],
    });
  });

  it('reads them under a prefix and with underscored names', async () => {
    const prefixed = { ...connection, tablePrefix: 'p_' };
    await create();
    await install(connection, '2.2.15', { prefix: 'p_', underscored: true });
    expect(await inspectDatabase(prefixed, mode, one)).toMatchObject({
      installed: 'complete',
      version: '2.2.15',
      underscored: true,
      plugins: [{ name: 'acl', builtIn: true }, { name: 'map' }],
    });
  });

  it('refuses what belongs to another app, naming it', async () => {
    await create();
    const refused = prepareDatabase(connection, mode, { ...two, mayCreate: true, adopt: true });
    await expect(refused).rejects.toMatchObject({
      code: 'DATABASE_OTHER_APP',
      message: expect.stringContaining('"one" (uid uid-1)'),
    });
    await expect(reset(two)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
    const { checks } = await checkDatabase(connection, mode, { uid: 'uid-2' });
    const owner = { app: 'one', uid: 'uid-1' };
    const message = { code: 'CHECK_OTHER_APP', params: owner };
    expect(checks.at(-1)).toMatchObject({ name: 'content', ok: false, message });
    expect(await dropDatabase(connection, mode, two)).toMatchObject(kept('KEPT_OTHER_APP', owner));
    expect(await tables(connection)).toEqual([MARK]);
  });

  it.each([
    ['appSupervisorLeaders', ''],
    ['p_app_supervisor_leaders', 'p_'],
  ])('refuses the main database of a Supervisor or a Worker, by its table %s', async (name, prefix) => {
    await foreignPlace();
    await install(connection, '2.2.15', { prefix, underscored: prefix !== '' });
    await sql(connection, `CREATE TABLE ${table(connection, name)} (id INTEGER)`);
    for (const adopt of [false, true]) {
      const preparing = prepareDatabase({ ...connection, tablePrefix: prefix }, mode, {
        ...one,
        mayCreate: true,
        adopt,
      });
      await expect(preparing).rejects.toMatchObject({
        code: 'DATABASE_RESERVED',
        message: expect.stringContaining('the main database of a Supervisor, a Worker'),
      });
    }
    expect(await verdict()).toBe('taken');
    expect(await tables(connection)).not.toContain(MARK);
    // An administrator of an app makes nothing but an odd table with it.
    await sql(connection, `DROP TABLE ${table(connection, name)}`);
    await prepareDatabase({ ...connection, tablePrefix: prefix }, mode, { ...one, mayCreate: true, adopt: true });
    await sql(connection, `CREATE TABLE ${table(connection, name)} (id INTEGER)`);
    expect(await create()).toMatchObject({ mark: { uid: 'uid-1' } });
  });

  it('refuses what is something else', async () => {
    await foreignPlace();
    await sql(connection, `CREATE TABLE ${table(connection, 'wordpress')} (id INTEGER)`);
    expect(await verdict()).toBe('taken');
    for (const adopt of [false, true]) {
      const preparing = prepareDatabase(connection, mode, { ...one, mayCreate: true, adopt });
      await expect(preparing).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
    }
    expect(await tables(connection)).toEqual(['wordpress']);
  });

  it('adopts a NocoBase app without a mark when told to, and never drops it', async () => {
    await foreignPlace();
    await install(connection, '2.1.0');
    expect(await verdict()).toBe('adoptable');
    await expect(create()).rejects.toMatchObject({ code: 'DATABASE_FOREIGN' });
    const adopted = await prepareDatabase(connection, mode, { ...one, mayCreate: false, adopt: true });
    expect(adopted).toMatchObject({ installed: 'complete', version: '2.1.0', mark: { uid: 'uid-1', created: false } });
    expect(await dropDatabase(connection, mode, one)).toMatchObject(kept('KEPT_NOT_CREATED'));
    expect(await tables(connection)).toContain('applicationVersion');
  });

  it('empties what a killed install left, keeping the mark (#5127)', async () => {
    await create();
    await install(connection, null);
    expect(await inspectDatabase(connection, mode, one)).toMatchObject({ installed: 'partial', version: null });
    await reset(one);
    expect(await tables(connection)).toEqual([MARK]);
    expect(await inspectDatabase(connection, mode, one)).toMatchObject({ installed: 'none', mark: { created: true } });
    await install(connection, '2.2.15'); // nothing is left in the way
  });

  it('never empties an app that was whole once, even when an upgrade was killed while it rewrote the version', async () => {
    await create();
    await install(connection, '2.2.15');
    await inspectDatabase(connection, mode, one);
    await sql(connection, `DELETE FROM ${table(connection, 'applicationVersion')}`);
    expect(await inspectDatabase(connection, mode, one)).toMatchObject({ installed: 'complete', version: null });
    await expect(reset(one)).rejects.toMatchObject({ code: 'DATABASE_NOT_EMPTIED' });
    expect(await tables(connection)).toContain('applicationPlugins');
  });

  it('never empties an app with a version', async () => {
    await create();
    await install(connection, '2.2.15');
    await expect(reset(one)).rejects.toMatchObject({ code: 'DATABASE_NOT_EMPTIED' });
  });

  it('never empties a place that was there before the app', async () => {
    await foreignPlace();
    await create();
    await install(connection, null);
    await expect(reset(one)).rejects.toMatchObject({
      code: 'DATABASE_NOT_EMPTIED',
      params: { why: say('INSTALL_WAS_THERE', { table: MARK }) },
    });
    expect(await tables(connection)).toContain('applicationPlugins');
  });

  it('drops what it created, twice alike', async () => {
    await create();
    await install(connection, '2.2.15');
    expect(await dropDatabase(connection, mode, one)).toEqual(say('DATA_DROPPED'));
    expect(await verdict()).toBe('free');
    expect(await dropDatabase(connection, mode, one)).toEqual(say('DATA_DROPPED'));
    expect(await create()).toMatchObject({ created: true, installed: 'none' });
  });

  // SQLite's file belongs to one process.
  if (kind !== 'sqlite')
    it('invariant 9: a frozen drop has no session any more once another one or a new app begins there', async () => {
      const drop = () => dropDatabase(connection, mode, { uid: 'uid-1' });
      const frozen = () => freeze(connection.dialect, (step) => /^DROP (DATABASE|SCHEMA)/.test(step), drop);
      await create();
      let process = await frozen();
      expect(await drop()).toEqual(say('DATA_DROPPED'));
      expect(await process.wake()).toMatchObject({ code: 'DATABASE_UNREACHABLE' });

      await create();
      process = await frozen();
      // By hand: nobody but the one who creates ends the other.
      await dropByHand(connection);
      await prepareDatabase(connection, mode, { ...two, mayCreate: true });
      expect(await process.wake()).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
      expect(await inspectDatabase(connection, mode, two)).toMatchObject({ mark: { uid: 'uid-2', created: true } });
    });

  it('keeps what carries no mark', async () => {
    await foreignPlace();
    expect(await dropDatabase(connection, mode, one)).toMatchObject(kept('KEPT_UNMARKED'));
    expect(await verdict()).toBe('free');
  });

  it("neither takes nor drops the environment's own main database", async () => {
    await create();
    const protect = connection;
    expect(await dropDatabase(connection, mode, { ...one, protect })).toMatchObject(
      kept('KEPT_RESERVED', { owner: say('OWNER_MAIN') }),
    );
    await expect(prepareDatabase(connection, mode, { ...one, mayCreate: true, protect })).rejects.toMatchObject({
      code: 'DATABASE_RESERVED',
    });
    expect((await checkDatabase(connection, mode, { uid: 'uid-1', protect })).verdict).toBe('taken');
    expect(await tables(connection)).toEqual([MARK]);
  });

  it('can be adopted by another app once it was released', async () => {
    await create();
    await install(connection, '2.2.15');
    await expect(releaseDatabase(connection, mode, two)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
    await releaseDatabase(connection, mode, one);
    expect(await prepareDatabase(connection, mode, { ...two, mayCreate: false, adopt: true })).toMatchObject({
      mark: { uid: 'uid-2', created: false },
    });
  });

  it('is its own again after the data of another app were restored into it, or such without a mark', async () => {
    await create();
    await install(connection, '2.2.15');
    expect(await keepMark(connection, one, true)).toBe(false);
    await sql(connection, `UPDATE ${table(connection, MARK)} SET uid = 'uid-2', app = 'two', created = 0`);
    await expect(inspectDatabase(connection, mode, one)).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
    expect(await keepMark(connection, one, true)).toBe(true);
    const own = { mark: { uid: 'uid-1', created: true, upgrading: false }, installed: 'complete' };
    expect(await inspectDatabase(connection, mode, one)).toMatchObject(own);
    await sql(connection, `DROP TABLE ${table(connection, MARK)}`);
    expect(await keepMark(connection, one, true)).toBe(true);
    expect(await inspectDatabase(connection, mode, one)).toMatchObject(own);
  });

  it('is marked once when two create it at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      ({ connection, mode } = await ground.place(kind, `app_${++count}`));
      const both = await Promise.allSettled(
        [one, two].map((owner) => prepareDatabase(connection, mode, { ...owner, mayCreate: true })),
      );
      expect(both.map((result) => (result.status === 'rejected' ? result.reason.code : 'fine')).sort()).toEqual([
        'DATABASE_OTHER_APP',
        'fine',
      ]);
    }
  });
});

it('a Kingbase is entered by its own database, which is no app’s, and a new one is made from there (v2.1.42, c8ef199)', async () => {
  const { connection, mode } = await ground.place('kingbase as PostgreSQL plays it', `app_${++count}`);
  const wanted = { ...one, mayCreate: true };
  await expect(prepareDatabase({ ...connection, database: 'Kingbase' }, mode, wanted)).rejects.toMatchObject({
    code: 'DATABASE_RESERVED',
  });
  expect(await prepareDatabase(connection, mode, wanted)).toMatchObject({ created: true });
  // A letter comes first in every name that Kingbase takes unquoted.
  await expect(prepareDatabase({ ...connection, database: '1st' }, mode, wanted)).rejects.toMatchObject({
    code: 'DATABASE_NAME_INVALID',
  });
  const inSchema = { ...connection, schema: 'books' };
  expect(await prepareDatabase(inSchema, 'new_schema', { ...two, mayCreate: true })).toMatchObject({ created: true });
});
