import { Database } from '@nocobase/database';
import { inject } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { supervisorLeaders } from '../../src/server/lease/tables';
import { leadershipSuite } from '../contracts/leadership-suite';

leadershipSuite(async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'leader');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'leader', logging: false };
  const db = new Database(options as never);
  db.collection(supervisorLeaders);
  await db.sync();
  return db;
});
