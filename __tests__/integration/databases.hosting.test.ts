import { Database } from '@nocobase/database';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  acquireLock,
  type DatabaseConnection,
  type DatabaseLock,
  type HostPlace,
  type HostRow,
  inspectDatabase,
  markOf,
  prepareDatabase,
  releaseDatabase,
  withHostPlace,
} from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import { claimHosting, endBootInTheWay, leaveHosting } from '../../src/server/worker/hosting/claim';
import { guardPool } from '../../src/server/worker/hosting/guarded-pool';
import type { AppRecord } from '../../src/shared/messages';
import { appDatabaseSuite } from '../contracts/app-database-suite';
import { recordOf } from '../support/fixtures';
import { until } from '../support/wait';
import { authorityOf } from '../support/worker-boots';
import { type Ground, on, PLACES, type PlaceKind, sql, startGround, table, tables } from './databases-places';
import { startPgbouncer } from './databases-servers';

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

describe('PostgreSQL', () =>
  appDatabaseSuite(() => ({
    connectionOf: (database) => on(ground.postgres, 'postgres', database),
    async openPooled({ host, port, username: user, password, database }) {
      const client = new Client({ host, port: Number(port), user, password, database });
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
  })));

let count = 0;
let connection: DatabaseConnection;
let mode: Awaited<ReturnType<Ground['place']>>['mode'];
const owner = { app: 'crm', uid: 'uid-1' };

async function prepare(kind: PlaceKind): Promise<void> {
  ({ connection, mode } = await ground.place(kind, `hosting_${++count}`));
  await prepareDatabase(connection, mode, { ...owner, mayCreate: true });
}

const row = (values: Partial<HostRow> = {}): HostRow => ({
  environment: 'env_a',
  uid: 'uid-1',
  term: 1,
  holder: 'one',
  generation: 4,
  gone: false,
  ...values,
});
const inPlace = <T>(work: (place: HostPlace) => Promise<T>, lock?: DatabaseLock) =>
  withHostPlace(connection, mode, owner, work, lock);
const write = (...values: Partial<HostRow>[]) =>
  inPlace((place) => place.change(() => ({ write: values.length ? values.map(row) : [row()] })));
const all = () => inPlace(async (place) => (await place.change((rows) => ({ rows }))).rows);
/** A process claims the app, as Workers do it. */
const claim = (holder: string, term: number, values: Partial<AppRecord> = {}, lock?: DatabaseLock) => {
  const record = recordOf({ uid: 'uid-1', generation: 5, environments: ['env_a'], hosts: ['env_a'], ...values });
  const authority = authorityOf({ holder, term: () => term, environment: record.environments[0] });
  return inPlace((place) => claimHosting(place, record, authority), lock);
};
const leave = (environment: string, generation = 9) =>
  inPlace((place) =>
    leaveHosting(place, { name: 'crm', uid: 'uid-1', generation }, authorityOf({ environment, holder: 'two' })),
  );

describe.each(PLACES)('the rows of an app in %s', (kind) => {
  beforeEach(() => prepare(kind));

  it('are one for each environment, and are replaced and removed', async () => {
    await write({}, { environment: 'env_b', holder: 'b', term: 2_000_000_000_000, gone: true });
    await inPlace((place) => place.change(() => ({ write: [row({ holder: 'two', term: 5 })], remove: ['env_c'] })));
    expect(await all()).toEqual([
      row({ holder: 'two', term: 5 }),
      row({ environment: 'env_b', holder: 'b', term: 2_000_000_000_000, gone: true }),
    ]);
    await inPlace((place) => place.change(() => ({ remove: ['env_b'] })));
    expect(await all()).toEqual([row({ holder: 'two', term: 5 })]);
  });

  it('stay as they are if a change fails, and where the place belongs to another app', async () => {
    await write();
    const fails = inPlace((place) =>
      place.change(() => {
        throw new Error('It is refused.');
      }),
    );
    await expect(fails).rejects.toThrow('It is refused.');
    const other = withHostPlace(connection, mode, { app: 'shop', uid: 'uid-2' }, (place) =>
      place.change(() => ({ remove: ['env_a'] })),
    );
    await expect(other).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
    expect(await all()).toEqual([row()]);
  });

  it('are no installation, and go when the app lets go of its database', async () => {
    await write();
    expect(await inspectDatabase(connection, mode, owner)).toMatchObject({ installed: 'none' });
    await releaseDatabase(connection, mode, owner);
    expect(await tables(connection)).toEqual([]);
    await expect(claim('one', 1)).rejects.toMatchObject({ code: 'DATABASE_UNMARKED' });
  });
});

const isPostgres = () => connection.dialect === 'postgres';
const openSession = (to: DatabaseConnection) => dialects[to.dialect].connect(to, String(to.database), 'test');
/** The server's id of a session. */
const idSql = () => `SELECT ${isPostgres() ? 'pg_backend_pid()' : 'CONNECTION_ID()'} AS id`;
const isOpen = async (id: string) => {
  const list = isPostgres()
    ? 'SELECT pid AS id FROM pg_stat_activity'
    : 'SELECT id FROM information_schema.processlist';
  return (await sql(connection, list)).some((row) => String(row.id) === id);
};
/** Whether a session waits for a row that another one has locked. */
const isWaiting = async () => {
  const waiting = isPostgres()
    ? 'SELECT 1 FROM pg_locks WHERE NOT granted'
    : "SELECT 1 FROM information_schema.processlist WHERE command = 'Query' AND info LIKE '%FOR UPDATE%' AND id <> CONNECTION_ID()";
  return (await sql(connection, waiting)).length > 0;
};

const SERVERS = PLACES.filter((kind) => kind !== 'sqlite' && !kind.startsWith('kingbase'));

describe.each(SERVERS)('the pool of an app in %s', (kind) => {
  const pools: Database[] = [];
  let told: string[];
  beforeEach(() => prepare(kind));
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
  });

  /** Of a process, as NocoBase makes it. */
  function poolOf(holder: string, term = 1, environment = 'env_a'): Database {
    told = [];
    const authority = authorityOf({ environment, holder, term: () => term });
    const guarded = guardPool(connection as never, 'uid-1', authority, (found) => told.push(`${holder} ${found}`));
    const pool = new Database({ ...guarded, logging: false, pool: { max: 1 } } as never);
    pools.push(pool);
    return pool;
  }
  const ask = (pool: Database) => pool.sequelize.query('SELECT 1 AS one');

  it('invariant 4: opens a connection only while the row is its own', async () => {
    await write();
    const [one, two] = [poolOf('one'), poolOf('two')];
    await ask(one);
    await expect(ask(two)).rejects.toMatchObject({ code: 'HOSTING_LOST' });
    expect(told).toEqual(['two refused']);
  });

  it('invariant 4: loses its sessions and gets no more when a successor claims the app: none is left when the claim ends', async () => {
    await claim('one', 1);
    const one = poolOf('one');
    await ask(one);
    const idle = await one.sequelize.query(idSql(), { plain: true });
    await claim('two', 2);
    expect(await isOpen(String(idle?.id))).toBe(false);
    const two = poolOf('two', 2);
    await ask(two);
    await until('The refusal', async () => (await ask(one).catch((failure) => failure))?.code === 'HOSTING_LOST');
    await ask(two);
  });

  it('invariant 4: loses its sessions when the app leaves its environment, and those of another environment stay', async () => {
    await write({}, { environment: 'env_b', holder: 'b' });
    const [one, other] = [poolOf('one'), poolOf('b', 1, 'env_b')];
    await ask(one);
    await ask(other);
    await leave('env_a');
    await until('The refusal', async () => (await ask(one).catch((error) => error))?.code === 'HOSTING_LOST');
    expect(told).not.toContain('b refused');
    await ask(other);
  });

  it('loses its sessions although its row was replaced meanwhile, as a restored backup does it', async () => {
    await write();
    const one = poolOf('one');
    await ask(one);
    await sql(connection, `DROP TABLE ${table(connection, 'app_supervisor_hosts')}`);
    await claim('two', 2);
    await until('The refusal', async () => (await ask(one).catch((error) => error))?.code === 'HOSTING_LOST');
  });

  if (kind === 'postgres database')
    it('had a session that a pooler has given to somebody else: that one stays', async () => {
      const pooler = await startPgbouncer(ground.postgres, 'session', { size: 1 });
      const direct = connection;
      const idOf = async (pool: Database) =>
        (await pool.sequelize.query('SELECT pg_backend_pid() AS id', { plain: true }))?.id;
      try {
        connection = { ...direct, host: pooler.host, port: pooler.port };
        await write();
        const one = poolOf('one');
        const id = await idOf(one);
        await one.close();
        const next = new Database({ ...connection, logging: false, pool: { max: 1, idle: 60_000 } } as never);
        pools.push(next);
        expect(await idOf(next)).toBe(id);
        connection = direct;
        await claim('two', 2);
        expect(await idOf(next)).toBe(id);
      } finally {
        for (const pool of pools.splice(0)) await pool.close();
        await pooler.stop();
      }
    });

  if (kind.startsWith('postgres'))
    it('reads on while the database is read-only', async () => {
      await write();
      // A statement that sets it is refused by what it has set before.
      const readOnly = (value: string) =>
        sql(on(ground.postgres, 'postgres', 'postgres'), `ALTER DATABASE ${connection.database} ${value}`);
      await readOnly('SET default_transaction_read_only = on');
      const [one, two] = [poolOf('one'), poolOf('two')];
      await ask(one);
      await expect(ask(two)).rejects.toMatchObject({ code: 'HOSTING_LOST' });
      await readOnly('RESET ALL');
    });

  it('opens connections without the table or its row, as after a restore, and says that they are lost', async () => {
    await write({ environment: 'env_b' });
    await ask(poolOf('one'));
    expect(new Set(told)).toEqual(new Set(['one lost']));
    await write({ uid: 'uid-2', holder: 'zero', term: 9 });
    await ask(poolOf('one'));
    await write({ holder: 'zero', term: 1 });
    await ask(poolOf('one', 2));
    expect(new Set(told)).toEqual(new Set(['one lost']));
    await write({ holder: 'zero', term: 9 });
    await expect(ask(poolOf('one'))).rejects.toMatchObject({ code: 'HOSTING_LOST' });
    await sql(connection, `DROP TABLE ${table(connection, 'app_supervisor_hosts')}`);
    await ask(poolOf('one'));
    expect(new Set(told)).toEqual(new Set(['one lost']));
  });
});

describe.each(SERVERS)('invariant 4: a claim in %s', (kind) => {
  beforeEach(() => prepare(kind));
  const lockOf = (holder: string, environment = 'env_a') =>
    acquireLock(connection, { app: 'crm', environment, timeoutMs: 0, mark: markOf('uid-1', { environment, holder }) });

  it('is one transaction: another one waits until it has ended', async () => {
    await write();
    const begun = await openSession(connection);
    await begun.query(kind.startsWith('postgres') ? 'BEGIN' : 'START TRANSACTION');
    await begun.query(`SELECT uid FROM ${table(connection, 'app_supervisor_mark')} FOR UPDATE`);
    let ended = false;
    const claiming = claim('two', 2).finally(() => (ended = true));
    claiming.catch(() => undefined);
    await until('The wait', () => isWaiting());
    expect(ended).toBe(false);
    await begun.query(`UPDATE ${table(connection, 'app_supervisor_hosts')} SET generation = 900, gone = 1`);
    await begun.query('COMMIT');
    await begun.close();
    await expect(claiming).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: 900 });
  });

  it('is made in the session that has the boot lock, or not at all', async () => {
    const lock = await lockOf('one');
    await claim('one', 1, {}, lock);
    expect(await all()).toEqual([row({ generation: 5 })]);
    // A successor that finds the lock held ends the session that has it.
    const end = (holder: string, environments = ['env_a']) => inPlace((place) => place.endBoot(environments, holder));
    expect([await end('one'), await end('two', ['env_b']), await lock.isHeld()]).toEqual([false, false, true]);
    expect(await end('two')).toBe(true);
    expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
    await expect(claim('one', 1, { generation: 700 }, lock)).rejects.toMatchObject({ code: 'LOCK_LOST' });
    expect(await all()).toEqual([row({ generation: 5 })]);
    const next = await lockOf('two');
    await next.release();
  });

  it('ends a boot that is frozen in its own claim, and waits for none of its rows', async () => {
    await write();
    const lock = await lockOf('one');
    let isFrozen = false;
    const frozen = lock.use(async (session) => {
      await session.query(dialects[connection.dialect].transaction.begin);
      for (const name of ['app_supervisor_mark', 'app_supervisor_hosts'])
        await session.query(`SELECT * FROM ${table(connection, name)} FOR UPDATE`);
      isFrozen = true;
      await new Promise(() => undefined);
    }, 60_000);
    frozen.catch(() => undefined);
    await until('The freeze', async () => isFrozen);
    const record = recordOf({ uid: 'uid-1', generation: 5, environments: ['env_a'], hosts: ['env_a'] });
    const successor = authorityOf({ holder: 'two', term: () => 2 });
    expect(await inPlace((place) => endBootInTheWay(place, record, successor))).toBe(true);
    expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
    await claim('two', 2);
  });
});

// MariaDB shows a user no sessions of others, and Workers sign in to an app's database as one user.
describe('a claim in PostgreSQL', () => {
  beforeEach(() => prepare('postgres database'));

  it('fails where a session of a process that may not host the app cannot be ended, and names it', async () => {
    await write();
    const strange = await openSession(connection);
    const dialect = dialects[connection.dialect];
    await loseRights();
    expect(await dialect.mark(strange.query, markOf('uid-1', { environment: 'env_a', holder: 'one' }))).toBe(true);
    const id = String((await strange.query(idSql()))[0]?.id);
    await expect(claim('two', 2)).rejects.toMatchObject({ code: 'HOSTING_HELD', params: { sessions: id } });
    await strange.close();
    await claim('two', 2);
  });

  /** From now on the app signs in as a user who may end no session of another one. */
  async function loseRights(): Promise<void> {
    const user = `claimer_${count}`;
    const { schema = 'public' } = connection;
    const statements = [
      `CREATE ROLE ${user} LOGIN PASSWORD 'secret'`,
      `GRANT CONNECT ON DATABASE ${connection.database} TO ${user}`,
      `GRANT ALL ON SCHEMA ${schema} TO ${user}`,
      `GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${user}`,
    ];
    for (const statement of statements) await sql(connection, statement);
    connection = { ...connection, username: user, password: 'secret' };
  }
});
