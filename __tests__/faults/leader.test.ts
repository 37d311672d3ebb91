import { Database, type Transaction } from '@nocobase/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { supervisorLeaders } from '../../src/server/lease/tables';
import { transact } from '../../src/server/nocobase/main-database';
import { leadershipSuite } from '../contracts/leadership-suite';
import { startMariadb } from '../integration/databases-servers';

describe('on MariaDB', () => {
  let server: Awaited<ReturnType<typeof startMariadb>>;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server?.stop());

  const open = (values: object = {}) => {
    const { host, port, username, password } = server;
    const options = { dialect: 'mariadb', host, port, username, password, database: 'mysql', logging: false };
    return new Database({ ...options, ...values } as never);
  };

  leadershipSuite(async () => {
    const db = open();
    db.collection(supervisorLeaders);
    await db.sync();
    return db;
  });

  it('limits no transaction but its own, and writes all of it or nothing', async () => {
    const db = open({ pool: { max: 1 } });
    const limit = async () =>
      (await db.sequelize.query('SELECT @@idle_transaction_timeout AS seconds', { plain: true }))?.seconds;
    const before = await limit();
    const within = await transact({ db }, (transaction) =>
      db.sequelize.query('SELECT @@idle_transaction_timeout AS seconds', { plain: true, transaction }),
    );
    await db.sequelize.query('CREATE TABLE written (n INTEGER) ENGINE=InnoDB');
    const write = (n: number) => (transaction: Transaction) =>
      db.sequelize.query(`INSERT INTO written VALUES (${n})`, { transaction });
    await transact({ db }, write(1));
    const failing = transact({ db }, async (transaction) => {
      await write(2)(transaction);
      throw new Error('not so');
    });
    await expect(failing).rejects.toThrow('not so');
    const [rows] = await db.sequelize.query('SELECT n FROM written');
    expect([within?.seconds, await limit(), rows]).toEqual([5, before, [{ n: 1 }]]);
    await db.close();
  });
});
