import Redis from 'ioredis';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, query, waitFor } from '../../scripts/fleet';
import { bodyOf } from '../../src/server/protocol/envelope';
import type { OperationRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { bootsOf } from '../support/boots';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';
import { detour, silentServer } from '../support/tcp';

/**
 * Processes killed at each point of an operation. A kill comes only after the thing that it interrupts was seen in progress,
 * and the operation ends as if nothing had happened.
 */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('killed');
});

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
  manager = await Manager.of(fleet);
});

afterAll(() => manager.clear('killed'));

const worker = () => fleet.worker('env_b');
const LONG = 240_000;

const command = async (action: string): Promise<OperationRow> =>
  (await manager.api.post(`apps:${action}?filterByTk=killed`)).data[0];

describe('a worker killed', () => {
  it('before an installation begins, while it looks for the database, installs it when it is back', async () => {
    const server = fleet.postgresServer;
    const silent = await silentServer();
    const { port } = silent;
    const database = {
      dialect: 'postgres',
      host: server.host,
      port,
      username: server.user,
      password: server.password,
      database: 'killed',
    };
    const options = { dbConnType: 'new_connection', database };
    // Where nobody is online, no database is checked before.
    await worker().kill();
    await manager.untilEnvironment('env_b', ({ health }) => health === 'down', { what: 'is down' });
    const { operation } = await manager.begin('create', { name: 'killed', environments: ['env_b'], options });
    await worker().start();
    await manager.untilApp('killed', (app) => app.statuses.env_b?.message?.code === 'CHECKING_DATABASE', {
      what: 'looking for its database',
    });
    expect(bootsOf(fleet, 'killed')).toEqual([]);
    await worker().kill();
    silent.close();
    const way = await detour(port, server.port);
    try {
      await worker().start();
      await manager.succeeded(operation!, LONG);
      const api = await signInTo(fleet.supervisor, 'killed');
      expect((await api.get('users:list')).data).toHaveLength(1);
      await manager.clear('killed');
    } finally {
      way.close();
    }
  });

  it('in a migration upgrades again when it is back', async () => {
    await manager.create({ name: 'killed', environments: ['env_b'], startMode: 'withMain' });
    const held = await holdTable('killed', 'migrations');
    const operation = await command('upgrade');
    await held.awaited();
    expect(statusIn(await manager.app('killed'), 'env_b')).not.toBe('running');
    await worker().kill();
    await held.letGo();
    const took = stopwatch();
    await worker().start();
    await manager.succeeded(operation, LONG);
    took('Worker killed in an upgrade, from its start until the app is upgraded');
    expect(worker().logTail(10_000).join('\n')).toContain('App killed: upgrade');
    expect((await ask(worker().url, '/api/__app/killed/app:getInfo')).status).toBe(200);
  });

  it('between publish and begin begins when it is back, and the Supervisor killed with it goes on', async () => {
    const before = bootsOf(fleet, 'killed').length;
    worker().pause();
    const operation = await command('restart');
    const redis = new Redis(fleet.redis!.url);
    const published = async () => {
      const [key] = await redis.keys('*records:env_b');
      const records = (await redis.hvals(key)).map((text) => JSON.parse(bodyOf(text)!));
      return records.some(({ name, boot }) => name === 'killed' && boot.how === 'restart');
    };
    await waitFor(published, { timeout: 20_000, what: 'The record in Redis' });
    redis.disconnect();
    const { progress } = await manager.operation(operation.id);
    expect(progress).toMatchObject([{ environment: 'env_b', state: 'running' }]);
    expect(progress[0].startedAt).toBeUndefined();
    expect(bootsOf(fleet, 'killed')).toHaveLength(before);
    await Promise.all([worker().kill(), fleet.supervisor.kill()]);
    await Promise.all([worker().start(), fleet.supervisor.start()]);
    manager = await Manager.of(fleet);
    await manager.succeeded(operation, LONG);
    // By the record, or by its snapshot and then by the record.
    expect(bootsOf(fleet, 'killed').length - before).toBeLessThanOrEqual(2);
  });

  // Its record's boot was done, which the Worker has noted: one that starts with the main app is booted by that alone.
  it.each([
    ['withMain', 'running', 2],
    ['onVisit', 'dormant', 1],
  ])(
    'between done and reported says what is so when it is back, and does it no second time (%s)',
    async (startMode, status, times) => {
      await manager.update('killed', { startMode });
      await command('stop').then((operation) => manager.succeeded(operation));
      const before = bootsOf(fleet, 'killed').length;
      const held = await holdTable('killed', 'collections');
      const operation = await command('start');
      // It is under way before the way to report it is gone.
      await held.awaited();
      fleet.redis!.pause();
      await held.letGo();
      await waitFor(() => bootsOf(fleet, 'killed').at(-1)!.runningAt !== null, { timeout: LONG, what: 'Its boot' });
      await waitFor(hasNotedItsBoot, { timeout: LONG, what: 'The note in the snapshot' });
      await worker().kill();
      fleet.redis!.resume();
      await manager.untilEnvironment('env_b', ({ health }) => health === 'down', { timeout: 40_000, what: 'down' });
      expect(await manager.operation(operation.id)).toMatchObject({ state: 'running' });
      await worker().start();
      await manager.succeeded(operation, LONG);
      expect(statusIn(await manager.app('killed'), 'env_b')).toBe(status);
      // Once before the kill.
      expect(bootsOf(fleet, 'killed').length - before).toBe(times);
    },
  );
});

/** Whether the Worker's own database says that the newest boot which was asked for is done. */
async function hasNotedItsBoot(): Promise<boolean> {
  const { rows } = await query(
    fleet.postgresServer,
    worker().database,
    `SELECT record, applied FROM "appSnapshots" WHERE name = 'killed'`,
  );
  const [{ record, applied }] = rows;
  return applied?.bootGeneration === record.boot.generation && applied.unfinished === null;
}

describe('the connection that holds the lock of a real boot, cut', () => {
  it('fails the boot, which is done again and only then believed', async () => {
    // Tried again by itself: nobody visits it.
    await manager.update('killed', { startMode: 'withMain' });
    await command('stop').then((operation) => manager.succeeded(operation));
    const before = bootsOf(fleet, 'killed').length;
    const held = await holdTable('killed', 'collections');
    const operation = await command('start');
    await held.awaited();
    expect(bootsOf(fleet, 'killed').at(-1)).toMatchObject({ environment: 'env_b', runningAt: null, goneAt: null });
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nocobase lock: killed by env_b'`;
    expect((await query(fleet.postgresServer, 'postgres', cut)).rowCount).toBe(1);
    await held.letGo();
    const took = stopwatch();
    const ended = await manager.ended(operation, LONG);
    took('Lock cut in a boot, until the boot has failed for it');
    expect(ended).toMatchObject({ state: 'failed', progress: [{ error: { code: 'LOCK_LOST' } }] });
    await manager.untilApp('killed', (app) => statusIn(app, 'env_b') === 'running', {
      timeout: 60_000,
      what: 'running after all',
    });
    took('Lock cut in a boot, until the app runs after all');
    expect(bootsOf(fleet, 'killed').length - before).toBe(2);
  });
});

/** Keeps everybody else from a table of an app's database, so that what needs it is seen waiting for it. */
async function holdTable(database: string, table: string) {
  const client = new pg.Client({ ...fleet.postgresServer, database });
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${pg.escapeIdentifier(table)} IN ACCESS EXCLUSIVE MODE`);
  return {
    /** Until somebody waits for it. */
    awaited: () =>
      waitFor(
        async () => {
          const { rows } = await query(
            fleet.postgresServer,
            database,
            `SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted`,
            [`"${table}"`],
          );
          return rows.length > 0;
        },
        { timeout: LONG, what: `Somebody waiting for ${table}` },
      ),
    letGo: () => client.end(),
  };
}
