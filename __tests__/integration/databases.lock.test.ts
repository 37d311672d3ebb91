import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../scripts/fleet';
import {
  acquireLock,
  type DatabaseConnection,
  type LockOptions,
  lockKey,
  prepareDatabase,
} from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import { hasSchemas } from '../../src/shared/dialects';
import { until } from '../support/wait';
import { type Ground, on, PLACES, sql, startGround } from './databases-places';
import { startNetwork, startPgbouncer } from './databases-servers';

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

const options: LockOptions = { app: 'one', environment: 'env_a', timeoutMs: 120_000 };
let count = 0;

async function preparedPlace(kind: (typeof PLACES)[number]): Promise<DatabaseConnection> {
  const { connection, mode } = await ground.place(kind, `lock_${++count}`);
  await prepareDatabase(connection, mode, { app: 'one', uid: 'uid-1', mayCreate: true });
  return connection;
}

describe.each(PLACES)('the lock of an app in %s', (kind) => {
  let connection: DatabaseConnection;
  beforeEach(async () => {
    connection = await preparedPlace(kind);
  });

  it('has one holder; the second waits, says so, and gets it when the first gives it back', async () => {
    const first = await acquireLock(connection, options);
    expect(await first.isHeld()).toBe(true);
    let second: Awaited<ReturnType<typeof acquireLock>> | undefined;
    const waiting = new Promise<void>((onWaiting) => {
      void acquireLock(connection, { ...options, environment: 'env_b', onWaiting }).then((lock) => {
        second = lock;
      });
    });
    await waiting;
    expect(second).toBeUndefined();
    await first.release();
    await first.release();
    expect(await first.isHeld()).toBe(false);
    await vi.waitFor(() => expect(second).toBeDefined(), 60_000);
    expect(await second?.isHeld()).toBe(true);
    await second?.release();
  });

  it('is given up in words when the time is over, at once when there is none', async () => {
    const first = await acquireLock(connection, options);
    for (const timeoutMs of [0, 500]) {
      const since = performance.now();
      await expect(acquireLock(connection, { ...options, timeoutMs })).rejects.toMatchObject({ code: 'LOCK_BUSY' });
      expect(performance.now() - since).toBeGreaterThanOrEqual(timeoutMs);
    }
    await first.release();
  });

  it('is waited for until the signal says no', async () => {
    const first = await acquireLock(connection, options);
    const abort = new AbortController();
    const reason = new Error('the app was deleted');
    const onWaiting = () => abort.abort(reason);
    await expect(acquireLock(connection, { ...options, onWaiting, signal: abort.signal })).rejects.toBe(reason);
    await first.release();
    await expect(acquireLock(connection, { ...options, signal: abort.signal })).rejects.toBe(reason);
    await (await acquireLock(connection, { ...options, timeoutMs: 0 })).release();
  });

  it('is no other lock: not that of another place, nor one for another purpose', async () => {
    const other = await preparedPlace(kind);
    const locks = await Promise.all([
      acquireLock(connection, options),
      acquireLock(other, { ...options, timeoutMs: 0 }),
      acquireLock(connection, { ...options, key: 'environment env_a', timeoutMs: 0 }),
    ]);
    await Promise.all(locks.map((lock) => lock.release()));
  });

  it('invariant 4: lets ten contenders in one at a time', async () => {
    let inside = 0;
    let most = 0;
    const contender = async () => {
      const lock = await acquireLock(connection, options);
      most = Math.max(most, ++inside);
      await lock.isHeld();
      inside--;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 10 }, contender));
    expect(most).toBe(1);
  });

  // SQLite has no connection that could be cut.
  if (kind !== 'sqlite')
    it('invariant 4: is lost when its connection is killed, and free for the next one', async () => {
      // Told at once, not found at its next beat: that never comes here.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const first = await acquireLock(connection, options).finally(() => vi.useRealTimers());
      const second = acquireLock(connection, { ...options, environment: 'env_b' });
      await kill(connection, 'nocobase lock: one by env_a');
      expect(await first.lost).toMatchObject({ code: 'LOCK_LOST', message: expect.stringContaining('"one"') });
      expect(await first.isHeld()).toBe(false);
      const lock = await second;
      expect(await lock.isHeld()).toBe(true);
      await first.release(); // of a lost lock: nothing, above all not the one of the other
      expect(await lock.isHeld()).toBe(true);
      await lock.release();
    });

  it('is not lost when it is given back', async () => {
    const lock = await acquireLock(connection, options);
    const lost = vi.fn();
    void lock.lost.then(lost);
    await lock.release();
    await (await acquireLock(connection, options)).release();
    expect(lost).not.toHaveBeenCalled();
  });
});

it('the lock goes with the machine of its holder, which sends no goodbye', async () => {
  for (const [kind, setting, value] of [
    ['postgres database', 'SHOW tcp_keepalives_idle', '10'],
    ['mariadb', 'SELECT @@wait_timeout AS s', '300'],
    ['mysql2 driver on MariaDB', 'SELECT @@wait_timeout AS s', '300'],
  ] as const) {
    const { dialect, ...connection } = await preparedPlace(kind);
    const session = await dialects[dialect].connect({ dialect, ...connection }, String(connection.database), 'test');
    await dialects[dialect].lock.watch?.(session);
    expect(String(Object.values((await session.query(setting))[0] ?? {})[0])).toBe(value);
    await session.close();
  }
});

describe('the lock when the network is cut without a word', () => {
  it('is lost at the first beat that is not answered', async () => {
    const connection = await preparedPlace('postgres database');
    const network = await startNetwork(ground.postgres);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const lock = await acquireLock({ ...connection, port: network.port }, options);
      const lost = vi.fn();
      void lock.lost.then(lost);
      network.cut();
      await vi.advanceTimersByTimeAsync(14_900);
      expect(lost).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(200);
      expect(lost).toHaveBeenCalled();
    } finally {
      vi.useRealTimers();
      await network.stop();
    }
  });
});

describe('the lock through a pooler', () => {
  const locks = () =>
    sql(on(ground.postgres, 'postgres', 'postgres'), "SELECT pid FROM pg_locks WHERE locktype = 'advisory'");
  /** What the pooler has open to the server. */
  const lent = async (database: string) =>
    (
      await sql(
        on(ground.postgres, 'postgres', 'postgres'),
        'SELECT pid FROM pg_stat_activity WHERE datname = ? ORDER BY pid',
        [database],
      )
    ).map(({ pid }) => pid);

  // In the last one two sessions of ours look like two on the server, until the lock is looked for a second time.
  it.each([
    { size: 4, inTurn: false, seenBeforeTheLock: true },
    { size: 4, inTurn: true, seenBeforeTheLock: true },
    { size: 2, inTurn: true, seenBeforeTheLock: false },
  ])('that lends connections by the transaction is refused, and keeps no lock (%o)', async (pool) => {
    const connection = await preparedPlace('postgres database');
    const pooler = await startPgbouncer(ground.postgres, 'transaction', pool);
    const pooled = { ...connection, port: pooler.port };
    try {
      // Connections that lie ready, as in a pool that is in use.
      const before = await waitFor(
        async () => {
          await Promise.all(Array.from({ length: pool.size }, () => sql(pooled, 'SELECT pg_sleep(0.3)')));
          const ready = await lent(String(connection.database));
          return ready.length === pool.size ? ready : null;
        },
        { timeout: 90_000, what: 'A pool that is in use' },
      );
      await expect(acquireLock(pooled, options)).rejects.toMatchObject({ code: 'LOCK_POOLED' });
      // The end of a connection frees what it held when the server has noticed it.
      await until('No lock to be left', async () => (await locks()).length === 0);
      // The pooler's connections are ended only when the lock had to be taken from one of them.
      if (pool.seenBeforeTheLock) expect(await lent(String(connection.database))).toEqual(before);
      const direct = await acquireLock(connection, { ...options, timeoutMs: 0 });
      expect(await direct.isHeld()).toBe(true);
      await direct.release();
    } finally {
      await pooler.stop();
    }
  });

  it('that lends them by the session is as good as none', async () => {
    const connection = await preparedPlace('postgres database');
    const pooler = await startPgbouncer(ground.postgres, 'session');
    try {
      const lock = await acquireLock({ ...connection, port: pooler.port }, options);
      await expect(acquireLock(connection, { ...options, timeoutMs: 0 })).rejects.toMatchObject({ code: 'LOCK_BUSY' });
      await lock.release();
      await (await acquireLock(connection, options)).release();
    } finally {
      await pooler.stop();
    }
  });
});

it('the lock says what is wrong with the database', async () => {
  const nowhere = on(ground.postgres, 'postgres', 'nowhere');
  await expect(acquireLock(nowhere, options)).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
  await expect(acquireLock({ ...nowhere, password: 'x' }, options)).rejects.toMatchObject({ code: 'DATABASE_SIGN_IN' });
  await expect(acquireLock({ ...nowhere, port: 1 }, options)).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
});

/** Ends the connections of that name from the server's side. */
async function kill(connection: DatabaseConnection, label: string): Promise<void> {
  if (hasSchemas(connection.dialect)) {
    const [row] = await sql(
      connection,
      'SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE application_name = ?',
      [label],
    );
    expect(row).toEqual({ done: true });
    return;
  }
  const name = `app_supervisor:${BigInt.asUintN(64, lockKey(connection)).toString(16)}`;
  const [row] = await sql(connection, 'SELECT IS_USED_LOCK(?) AS id', [name]);
  await sql(connection, `KILL ${row?.id}`);
}
