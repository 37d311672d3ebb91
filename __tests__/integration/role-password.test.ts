import { EventEmitter } from 'node:events';
import { Database } from '@nocobase/database';
import type { AppSupervisor } from '@nocobase/server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DatabaseConnection, prepareDatabase, roleNameOf } from '../../src/server/databases';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { AppDatabases } from '../../src/server/worker/hosting/app-databases';
import { AppHost } from '../../src/server/worker/hosting/host';
import { HostedDatabases } from '../../src/server/worker/hosting/hosted-databases';
import { watchRestores } from '../../src/server/worker/hosting/restores';
import type { AppRecord } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { secretsOf } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';
import { authorityOf } from '../support/worker-boots';
import { type Ground, on, sql, startGround } from './databases-places';

/** Another password for the database role of an app that runs in two environments, as their Workers give it. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

let count = 0;

describe.each(['postgres', 'mariadb', 'mysql'] as const)('on %s', (dialect) => {
  const pools: Database[] = [];
  let worker: DatabaseConnection;
  let databases: AppDatabases;
  let record: AppRecord;

  const told = (values: Partial<AppRecord['database']>) => ({ ...record, database: { ...record.database, ...values } });
  const main = () => on(dialect === 'postgres' ? ground.postgres : ground.mariadb, dialect, worker.database ?? '');
  const signsIn = (password: string) =>
    sql({ ...main(), username: record.database.username, password }, 'SELECT 1 AS one').then(
      () => true,
      () => false,
    );

  /** Each query opens a connection of its own. */
  async function poolIn(environment: string): Promise<Database> {
    const hosted = new HostedDatabases(databases, recordedLog());
    const authority = authorityOf({ environment, holder: environment });
    await hosted.claim(record, authority);
    const connection = await databases.signedIn(record);
    const guarded = hosted.guarded(connection, authority, record);
    return poolOf(
      databases.following(
        guarded,
        record.uid,
        () => record,
        () => undefined,
      ),
    );
  }
  function poolOf(options: object): Database {
    const pool = new Database({ ...options, logging: false, pool: { max: 1, maxUses: 1 } } as never);
    pools.push(pool);
    return pool;
  }
  /** What there is of an app beside the process that hosts it, as for a task of it. */
  async function openBeside() {
    const core = {
      emit: () => true,
      registerApp: ({ appModel }: { appModel: { options: { database: object } } }) => {
        const database = { ...appModel.options.database };
        const authManager = { jwt: { sign: () => '' } };
        const app = Object.assign(new EventEmitter(), { options: { database }, db: poolOf(database), authManager });
        return coreApps.addApp(Object.assign(app, { name: record.name, setMaintainingMessage() {} }) as never);
      },
    } as unknown as AppSupervisor;
    const coreApps = new CoreAppRegistry(core);
    coreApps.apps.main = Object.assign(new EventEmitter(), { name: 'main', db: { options: worker } }) as never;
    const settings = { logPath: '/nowhere', storagePath: '/nowhere', databaseHosts: [] };
    const none = async () => [];
    const log = recordedLog();
    const host = new AppHost(core, coreApps, secretsOf(null), 'env_a', settings, new FakeClock(), log, none);
    await host.openBeside(async () => record, false);
    const { db, options } = coreApps.apps[record.name];
    const passwords = () => [db.options.password, (options.database as { password?: string }).password];
    return { host, db, passwords };
  }
  const ask = (pool: Database) => pool.sequelize.query('SELECT 1 AS one');

  beforeEach(async () => {
    const name = `password_${dialect}_${++count}`;
    worker = on(dialect === 'postgres' ? ground.postgres : ground.mariadb, dialect, name);
    const uid = `uid-${name}`;
    const database = { dbConnType: 'new_database' as const, database: name, username: roleNameOf({ name, uid }) };
    const environments = ['env_a', 'env_b'];
    record = recordOf({ name, uid, environments, hosts: environments, database: { ...database, password: 'first' } });
    databases = new AppDatabases(
      () => worker as never,
      (password) => password,
      false,
      [],
    );
    await prepareDatabase(databases.connectionOf(record), 'new_database', {
      app: name,
      uid,
      mayCreate: true,
      maker: { ...databases.makerOf(record)!, maySet: () => true },
    });
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
  });

  it('leaves both with the database before, while and after it is given, and nobody with the former one', async () => {
    const [one, other] = [await poolIn('env_a'), await poolIn('env_b')];
    await ask(one);
    record = told({ nextPassword: 'second' });
    await Promise.all([ask(one), ask(other)]);
    expect([await signsIn('first'), await signsIn('second')]).toEqual([true, false]);
    await databases.setPassword(record);
    expect([await signsIn('first'), await signsIn('second')]).toEqual([false, true]);
    await Promise.all([ask(one), ask(other)]);
    record = told({ password: 'second', nextPassword: undefined });
    await Promise.all([ask(one), ask(other)]);
  });

  it('is known to what an app does beside its pool: its backups sign in by its options', async () => {
    const { host, db, passwords } = await openBeside();
    const other = await openBeside();
    await ask(db);
    record = told({ nextPassword: 'second' });
    await ask(other.db);
    expect(other.passwords()).toEqual(['first', 'first']);
    await host.setPassword(record);
    expect([passwords(), other.passwords()]).toEqual([
      ['second', 'second'],
      ['first', 'first'],
    ]);
    await Promise.all([ask(db), ask(other.db)]);
    expect(other.passwords()).toEqual(['second', 'second']);
  });

  it('is used when the app starts by itself, after its data were restored', async () => {
    const { name: app, uid } = record;
    const connection = await databases.signedIn(record);
    const started = new EventEmitter();
    const now = () => databases.refreshed(connection, record);
    const onStart = vi.fn();
    watchRestores(started as never, now, { app, uid }, true, onStart, recordedLog());
    record = told({ nextPassword: 'second' });
    await databases.setPassword(record);
    started.emit('__started');
    await until('The start', () => onStart.mock.calls.length === 1);
  });

  it('is given once, whoever begins it anew, and the app starts by either record', async () => {
    const former = record;
    record = told({ nextPassword: 'second' });
    expect((await databases.signedIn(record)).password).toBe('first');
    await databases.setPassword(record);
    const session = await poolIn('env_a');
    await databases.setPassword(record);
    await ask(session);
    expect((await databases.signedIn(record)).password).toBe('second');
    expect((await databases.signedIn(former)).password).toBe('second');
    await prepareDatabase(await databases.signedIn(record), 'new_database', {
      app: record.name,
      uid: record.uid,
      mayCreate: false,
      maker: { ...databases.makerOf(record, await databases.signedIn(record))!, maySet: () => true },
    });
    expect([await signsIn('first'), await signsIn('second')]).toEqual([false, true]);
  });

  it('is not taken back by a start by the cache of an environment that was forgotten', async () => {
    const former = record;
    await databases.setPassword(told({ nextPassword: 'second' }));
    const { name: app, uid } = record;
    const maker = { ...databases.makerOf(former)!, maySet: () => false };
    const starts = prepareDatabase(databases.connectionOf(former), 'new_database', {
      app,
      uid,
      mayCreate: false,
      maker,
    });
    await expect(starts).rejects.toMatchObject({ code: 'DATABASE_SIGN_IN' });
    expect([await signsIn('first'), await signsIn('second')]).toEqual([false, true]);
  });

  it('stays with the app that runs when an older copy of the Supervisor’s database says another one', async () => {
    const former = record;
    record = told({ nextPassword: 'second' });
    await databases.setPassword(record);
    const pool = await poolIn('env_a');
    record = former;
    await ask(pool);
  });

  it('is replaced, or left, where it was given, also if no Supervisor knows it any more', async () => {
    const { host, db } = await openBeside();
    const authority = authorityOf({ environment: 'env_a', holder: 'env_a' });
    await host.setPassword(told({ nextPassword: 'second' }));
    record = told({ nextPassword: 'third' });
    await host.hosted.claim(record, authority);
    await host.setPassword(record);
    expect([await signsIn('second'), await signsIn('third')]).toEqual([false, true]);
    await ask(db);
    record = told({});
    await host.hosted.leave(record, authority);
  });

  it('is no obstacle to a drop by a record of before', async () => {
    await databases.setPassword(told({ nextPassword: 'second' }));
    worker = { ...worker, database: dialect === 'postgres' ? 'postgres' : 'mysql' };
    expect(await databases.end({ ...record, data: 'drop' })).toMatchObject({ code: 'DATA_DROPPED' });
  });

  it('is replaced where the app was started with it, and the Supervisor was restored from before', async () => {
    await databases.setPassword(told({ nextPassword: 'second' }));
    const former = record;
    record = told({ password: 'second' });
    const { host } = await openBeside();
    record = { ...former, database: { ...former.database, nextPassword: 'third' } };
    await host.hosted.claim(record, authorityOf({ environment: 'env_a', holder: 'env_a' }));
    await host.setPassword(record);
    expect(await signsIn('third')).toBe(true);
  });

  it('is not taken for given where the app has no role of its own', async () => {
    record = told({ nextPassword: 'second', username: 'another' });
    await expect(databases.setPassword(record)).rejects.toThrow('no database role of its own');
  });

  it('is not given by a Worker that may not, which says what an administrator can run', async () => {
    const { database, username, password } = { ...worker, username: `weak_${count}`, password: 'weak' };
    const create = {
      postgres: [
        `CREATE ROLE ${username} LOGIN PASSWORD 'weak'`,
        `GRANT CONNECT ON DATABASE ${database} TO ${username}`,
      ],
      mariadb: [
        `CREATE USER ${username}@'%' IDENTIFIED BY 'weak'`,
        `GRANT SELECT ON \`${database}\`.* TO ${username}@'%'`,
      ],
      mysql: [
        `CREATE USER ${username}@'%' IDENTIFIED BY 'weak'`,
        `GRANT SELECT ON \`${database}\`.* TO ${username}@'%'`,
      ],
    }[dialect];
    for (const statement of create) await sql(main(), statement);
    worker = { ...worker, username, password };
    record = told({ nextPassword: 'second' });
    await expect(databases.setPassword(record)).rejects.toMatchObject({ code: 'DATABASE_ROLE_DENIED' });
    expect((await databases.signedIn(record)).password).toBe('first');
  });
});
