import { Database, DataTypes } from '@nocobase/database';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import { upgradeRows } from '../../src/server/supervisor/definitions/former-rows';
import { OperationStore } from '../../src/server/supervisor/definitions/operation-store';
import { AppRepository } from '../../src/server/supervisor/definitions/repository';
import { appOf, operationOf } from '../support/fixtures';

function connect(options: object): Database {
  const db = new Database({ logging: false, ...options } as never);
  for (const collection of collections) db.collection(collection);
  return db;
}

/** Tables of a release before 0.3.0, as NocoBase makes them today's: it adds columns, and removes none. */
async function open(options: object): Promise<Database> {
  const db = connect(options);
  await db.sync({ force: true });
  const queries = db.sequelize.getQueryInterface();
  const table = (name: string) => db.getModel(name).getTableName() as string;
  await queries.addColumn(table('apps'), 'boot', DataTypes.JSON);
  await queries.addColumn(table('apps'), 'claim', { type: DataTypes.STRING, defaultValue: 'none' });
  await queries.addColumn(table('appOperations'), 'steps', { type: DataTypes.JSON, defaultValue: [] });
  return db;
}

const postgres = async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'former_rows');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'former_rows' };
  // Two Supervisors may start at the same time.
  return [await open(options), connect(options)];
};

describe.each([
  ['PostgreSQL', postgres],
  ['SQLite', async () => [await open({ dialect: 'sqlite', storage: ':memory:' })]],
])('rows of a former release in %s', (_, make) => {
  let supervisors: Database[] = [];
  let db: Database;
  beforeAll(async () => {
    supervisors = await make();
    [db] = supervisors;
  });
  afterAll(() => Promise.all(supervisors.map((main) => main.close())));

  const write = (name: string, columns: Record<string, unknown>, where: Record<string, string>) => {
    const values = Object.entries(columns).map(([column, value]) => [
      column,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    const table = db.getModel(name).getTableName() as never;
    return db.sequelize.getQueryInterface().bulkUpdate(table, Object.fromEntries(values), where);
  };
  const boot = { generation: 10, how: 'start' };
  const former = { generation: 10, boot, desired: 'running', claim: 'none', data: 'keep' };

  it('are written as today, once, and a newer one is left as it is', async () => {
    const apps = new AppRepository({ db });
    const operations = new OperationStore({ db });
    const published = { env_a: former } as never;
    const { createdAt: _created, updatedAt: _updated, sort: _sort, ...app } = appOf({ placements: {}, published });
    await apps.create({ ...app, jwtSecret: 'plain:x' });
    await write('apps', { boot, claim: 'create' }, { name: 'crm' });
    await apps.create({ ...app, name: 'old', uid: 'uid-2', jwtSecret: null });
    await write('apps', { boot, claim: 'none' }, { name: 'old' });
    await operations.create(operationOf([], { generation: 10 }));
    const steps = [{ environment: 'env_b', kind: 'boot', state: 'queued' }];
    await write('appOperations', { steps }, { id: 'op-1' });
    const definition = { ...appOf({ uid: 'uid-3', name: 'gone' }), published, boot, claim: 'none' };
    await apps.bury({
      uid: 'uid-3',
      name: 'gone',
      definition: definition as never,
      environments: ['env_a'],
      data: 'keep',
    });
    const destroyed = { id: 'op-2', appUid: 'uid-3', appName: 'gone', action: 'destroy' } as const;
    await operations.create(operationOf([], destroyed));
    await write('appOperations', { steps: [{ environment: 'env_a', kind: 'drop', state: 'queued' }] }, { id: 'op-2' });

    await Promise.all(supervisors.map((main) => upgradeRows({ db: main }, null, 100)));
    const [crm, old] = [await apps.find('crm'), await apps.find('old')];
    expect(crm).toMatchObject({
      generation: 10,
      provision: 'create',
      placements: {
        env_a: { generation: 10, want: 'running', boot },
        env_b: { generation: 10, want: 'running', boot },
      },
      published: { env_a: { generation: 10, boot, provision: 'none', data: 'keep' } },
      jwtSecret: 'plain:x',
    });
    expect(crm?.published.env_a).not.toHaveProperty('claim');
    expect(old).toMatchObject({ generation: 100, placements: { env_a: { generation: 100, boot } } });
    expect(old?.jwtSecret).toMatch(/^plain:|^[\w-]{40,}$/);
    expect(await operations.active()).toMatchObject([
      { id: 'op-1', data: null, progress: [{ environment: 'env_b', of: 'boot', state: 'queued' }] },
      { id: 'op-2', data: 'drop', progress: [{ environment: 'env_a', of: 'data', state: 'queued' }] },
    ]);
    expect(await apps.allTombstones()).toMatchObject([
      { data: 'drop', definition: { environments: [], placements: {}, published: { env_a: { provision: 'none' } } } },
    ]);

    // What has changed since is of this release.
    await apps.update('crm', { placements: {}, provision: 'none' });
    await operations.create(operationOf(['env_a boot'], { id: 'op-4', generation: 20 }));
    await apps.create({ ...app, name: 'new', uid: 'uid-4', jwtSecret: 'plain:y', published: {} });
    const before = [await apps.all(), await operations.active(), await apps.allTombstones()];
    await upgradeRows({ db }, null, 200);
    expect([await apps.all(), await operations.active(), await apps.allTombstones()]).toEqual(before);
  });
});
