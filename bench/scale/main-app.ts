import { type CollectionOptions, Database } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { MemoryDatabase, MemoryTransaction } from '../../__tests__/support/memory-database';
import { collections } from '../../src/server/core/collections';
import { workerLeases } from '../../src/server/lease/tables';
import type { WorkersSetup } from './messages';

/** Of the core, as far as a registration reads it. */
const applicationPlugins: CollectionOptions = {
  name: 'applicationPlugins',
  autoGenId: false,
  timestamps: false,
  fields: [
    { name: 'name', type: 'string', primaryKey: true },
    { name: 'version', type: 'string' },
    { name: 'enabled', type: 'boolean' },
    { name: 'builtIn', type: 'boolean' },
  ],
};

const optionsOf = ({ postgres, database }: WorkersSetup) => ({
  dialect: 'postgres' as const,
  host: postgres.host,
  port: postgres.port,
  username: postgres.user,
  password: postgres.password,
  database,
  logging: false,
});

/** Makes the table of the leases, which all simulated Workers share: each has a row of its own. */
export async function makeLeases(setup: WorkersSetup): Promise<void> {
  const db = new Database(optionsOf(setup));
  db.collection({ ...workerLeases });
  await db.sync();
  await db.close();
}

/**
 * The main app of a simulated Worker. Its lease and its locks are on the real server; what only this Worker reads, its snapshot and the list
 * of its plugins, is in memory: elsewhere it has a server of its own.
 */
export async function mainAppOf(setup: WorkersSetup): Promise<Application> {
  const { getRepository, sequelize } = new MemoryDatabase([...collections, applicationPlugins]).connect();
  for (const plugin of setup.plugins)
    await getRepository('applicationPlugins').create({ values: { ...plugin, enabled: true, builtIn: true } });
  const db = Object.assign(new Database(optionsOf(setup)), { getRepository });
  // Of the snapshot: the lease has a connection of its own.
  const query = db.sequelize.query.bind(db.sequelize) as (sql: string, options?: object) => Promise<unknown>;
  const inMemory = sequelize.query as typeof query;
  Object.assign(db.sequelize, {
    transaction: sequelize.transaction,
    query: (sql: string, options?: { transaction?: unknown }) =>
      options?.transaction instanceof MemoryTransaction ? inMemory(sql, options) : query(sql, options),
  });
  const main: Pick<Application, 'name' | 'db' | 'getPackageVersion'> = {
    name: 'main',
    db,
    getPackageVersion: () => setup.appVersion,
  };
  return main as Application;
}
