import { Database } from '@nocobase/database';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  acquireLock,
  type DatabaseConnection,
  endDisplacedBoot,
  endLockHolder,
  type HostingRow,
  inspectDatabase,
  prepareDatabase,
  releaseDatabase,
  withHostingRows,
} from '../../src/server/databases';
import { guardPool } from '../../src/server/worker/hosting/guarded-pool';
import { authorityOf } from '../support/boot-turn';
import { until } from '../support/wait';
import { type Ground, on, PLACES, type PlaceKind, sql, startGround, table, tables } from './databases-places';
import { startPgbouncer } from './databases-servers';

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

let count = 0;
let connection: DatabaseConnection;
let mode: Awaited<ReturnType<Ground['place']>>['mode'];
const owner = { app: 'crm', uid: 'uid-1' };

async function prepare(kind: PlaceKind): Promise<void> {
  ({ connection, mode } = await ground.place(kind, `hosting_${++count}`));
  await prepareDatabase(connection, mode, { ...owner, mayCreate: true });
}

const row = (values: Partial<HostingRow> = {}): HostingRow => ({
  environment: 'env_a',
  uid: 'uid-1',
  generation: 4,
  instance: 'one',
  epoch: 1,
  taken: 0,
  boot: '7',
  installation: 'here',
  ...values,
});
const write = (values: Partial<HostingRow> = {}) =>
  withHostingRows(connection, mode, 'crm', (rows) => rows.write(row(values)));
const all = () => withHostingRows(connection, mode, 'crm', (rows) => rows.all());
const take = (environment: string, generation: number, uid = 'uid-1') =>
  withHostingRows(connection, mode, 'crm', (rows) => rows.take({ environment, uid }, generation));

describe.each(PLACES)('the hosting rows of an app in %s', (kind) => {
  beforeEach(() => prepare(kind));

  it('are one for each environment, and are replaced', async () => {
    await write();
    await write({ environment: 'env_b', instance: 'b', epoch: 2_000_000_000_000 });
    await write({ instance: 'two', epoch: 5, boot: '8' });
    await take('env_b', 7);
    await take('env_b', 6);
    await take('env_c', 6);
    // Another app had the database before.
    await take('env_a', 9, 'uid-0');
    expect(await all()).toEqual([
      row({ instance: 'two', epoch: 5, boot: '8' }),
      row({ environment: 'env_b', instance: 'b', epoch: 2_000_000_000_000, taken: 7 }),
    ]);
  });

  it('are no installation, and go when the app lets go of its database', async () => {
    await write();
    expect(await inspectDatabase(connection, mode, owner)).toMatchObject({ installed: 'none' });
    await releaseDatabase(connection, mode, owner);
    expect(await tables(connection)).toEqual([]);
  });
});

const SERVERS = PLACES.filter((kind) => kind !== 'sqlite' && !kind.startsWith('kingbase'));

describe.each(SERVERS)('the pool of an app in %s', (kind) => {
  const pools: Database[] = [];
  let refused: string[];
  beforeEach(() => prepare(kind));
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
  });

  /** Of a process, as NocoBase makes it. */
  function poolOf(instance: string, epoch = 1, environment = 'env_a'): Database {
    refused = [];
    const authority = authorityOf({ environment, instance, epoch: () => epoch });
    const guarded = guardPool(connection as never, 'uid-1', authority, () => refused.push(instance));
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
    expect(refused).toEqual(['two']);
  });

  it('invariant 4: loses its sessions and gets no more when a successor writes its row', async () => {
    await write();
    const one = poolOf('one');
    await ask(one);
    await write({ instance: 'two', epoch: 2 });
    const two = poolOf('two', 2);
    await ask(two);
    await until('The end of its sessions', async () => {
      const error = await ask(one).catch((failure) => failure);
      return error?.code === 'HOSTING_LOST';
    });
    await ask(two);
  });

  it('invariant 4: loses its sessions when the app is taken from its environment, and those of another environment stay', async () => {
    await write();
    await write({ environment: 'env_b', instance: 'b' });
    const [one, other] = [poolOf('one'), poolOf('b', 1, 'env_b')];
    await ask(one);
    await ask(other);
    await take('env_a', 9, 'uid-0');
    await ask(one);
    await take('env_a', 9);
    await until(
      'The end of its sessions',
      async () => (await ask(one).catch((error) => error))?.code === 'HOSTING_LOST',
    );
    expect(refused).not.toContain('b');
    await ask(other);
  });

  it('loses its sessions although its row was replaced meanwhile, as a restored backup does it', async () => {
    await write();
    const one = poolOf('one');
    await ask(one);
    await sql(connection, `DROP TABLE ${table(connection, 'app_supervisor_hosting')}`);
    await write({ instance: 'zero', epoch: 0 });
    await write({ instance: 'two', epoch: 2 });
    await until(
      'The end of its sessions',
      async () => (await ask(one).catch((error) => error))?.code === 'HOSTING_LOST',
    );
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
        await write({ instance: 'two', epoch: 2 });
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

  it('opens connections without the table, which a restored backup may lack', async () => {
    await write();
    await sql(connection, `DROP TABLE ${table(connection, 'app_supervisor_hosting')}`);
    await ask(poolOf('one'));
  });

  it('opens connections while it has no row there: a backup of another environment or app was restored', async () => {
    await write({ environment: 'env_b' });
    await ask(poolOf('one'));
    await write({ uid: 'uid-2', instance: 'zero', epoch: 9 });
    await ask(poolOf('one'));
    await write({ instance: 'zero', epoch: 9 });
    await expect(ask(poolOf('one'))).rejects.toMatchObject({ code: 'HOSTING_LOST' });
  });

  it('takes the row of an earlier epoch for its own again: a backup was restored', async () => {
    await write({ instance: 'zero', epoch: 1 });
    await ask(poolOf('one', 2));
    expect(await all()).toEqual([row({ instance: 'one', epoch: 2 })]);
  });
});

describe.each(SERVERS)('a process that was displaced, in %s', (kind) => {
  beforeEach(() => prepare(kind));
  const boot = { app: 'crm', environment: 'env_a', timeoutMs: 0 };

  it('invariant 4: loses the lock of its boot to its successor, and nobody else does', async () => {
    const lock = await acquireLock(connection, boot);
    const end = (environment = 'env_a') =>
      endDisplacedBoot(connection, mode, 'crm', (rows) => rows.filter((row) => row.environment === environment));
    expect(await end()).toBe(false);
    await write({ boot: lock.backend });
    expect(await end('env_b')).toBe(false);
    expect(await lock.isHeld()).toBe(true);
    expect(await end()).toBe(true);
    expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
    const next = await acquireLock(connection, boot);
    // Its row names another session.
    expect(await end()).toBe(false);
    await next.release();
  });

  it('loses its lock on a main database', async () => {
    const lock = await acquireLock(connection, { ...boot, key: 'environment env_a' });
    await endLockHolder(connection, 'environment env_b');
    expect(await lock.isHeld()).toBe(true);
    await endLockHolder(connection, 'environment env_a');
    expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
  });
});
