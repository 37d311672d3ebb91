import { Database } from '@nocobase/database';
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

  it('limits no transaction but its own: the session is as it was after one', async () => {
    const db = open({ pool: { max: 1 } });
    const limit = async () =>
      (await db.sequelize.query('SELECT @@idle_transaction_timeout AS seconds', { plain: true }))?.seconds;
    const before = await limit();
    const within = await transact({ db }, (transaction) =>
      db.sequelize.query('SELECT @@idle_transaction_timeout AS seconds', { plain: true, transaction }),
    );
    await transact({ db }, async () => Promise.reject(new Error('not so'))).catch(() => undefined);
    expect([within?.seconds, await limit()]).toEqual([5, before]);
    await db.close();
  });
});
