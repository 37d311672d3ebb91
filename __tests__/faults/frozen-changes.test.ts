import { Database } from '@nocobase/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transact } from '../../src/server/nocobase/main-database';
import { retryUndone } from '../../src/server/nocobase/undone';
import { startMariadb, startPostgres } from '../integration/databases-servers';

/** Longer than a database waits for a process within a transaction, in ms. */
const FROZEN = 7_000;

/** As a process that is stopped: not even what has arrived is read. */
const freeze = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FROZEN);
const waitIdle = () => new Promise((resolve) => setTimeout(resolve, FROZEN));

describe.each([
  { dialect: 'postgres', database: 'postgres', start: () => startPostgres() },
  { dialect: 'mariadb', database: 'mysql', start: startMariadb },
])('a change whose Supervisor is frozen, on $dialect', ({ dialect, database, start }) => {
  let server: Awaited<ReturnType<typeof start>>;
  let db: Database;
  beforeAll(async () => {
    server = await start();
    const { host, port, username, password } = server;
    db = new Database({ dialect, host, port, username, password, database, logging: false } as never);
    await db.sequelize.query('CREATE TABLE changes (n INTEGER)');
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  it.each([
    { n: 1, when: 'between two statements', pausing: freeze },
    { n: 2, when: 'between two statements, and hears of its connection first', pausing: waitIdle },
    { n: 3, when: 'before it commits', pausing: freeze, last: true },
  ])('$when is made once, when it goes on', async ({ n, pausing, last = false }) => {
    let tries = 0;
    await retryUndone(() =>
      transact({ db }, async (transaction) => {
        const write = () => db.sequelize.query(`INSERT INTO changes VALUES (${n})`, { transaction });
        if (last) await write();
        else await db.sequelize.query('SELECT 1', { transaction });
        if (++tries === 1) await pausing();
        if (!last) await write();
      }),
    );
    const [rows] = await db.sequelize.query(`SELECT n FROM changes WHERE n = ${n}`);
    expect([tries, rows]).toEqual([2, [{ n }]]);
  });

  it.runIf(dialect === 'mariadb')('is made once, if its connection is lost after it was committed', async () => {
    let tries = 0;
    await retryUndone(() =>
      transact({ db }, async (transaction) => {
        await db.sequelize.query('INSERT INTO changes VALUES (4)', { transaction });
        tries++;
        const { connection } = transaction as unknown as {
          connection: { threadId: number; query(sql: unknown, ...more: unknown[]): Promise<unknown> };
        };
        const query = connection.query.bind(connection);
        connection.query = async (sql, ...more) => {
          // Of the limit, which is taken back after the change was committed.
          if (String(sql).includes('DEFAULT')) await db.sequelize.query(`KILL CONNECTION ${connection.threadId}`);
          return query(sql, ...more);
        };
      }),
    );
    const [rows] = await db.sequelize.query('SELECT n FROM changes WHERE n = 4');
    expect([tries, rows]).toEqual([1, [{ n: 4 }]]);
  });
});
