import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { say } from '../../src/shared/message';
import type { AppRow, EnvironmentRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';
import { replicaOf } from '../support/replica';
import { SimulatedWorker } from '../support/simulated-worker';

/**
 * What happens to an environment and to what it hosts. `relay` lies in env_b, to which everything happens; `steady` in env_a,
 * to which nothing does. The tests follow one another.
 */

let fleet: Fleet;
let manager: Manager;
let worker: Instance;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  worker = fleet.worker('env_b');
  await manager.clear('relay', 'steady');
  await Promise.all([
    manager.create({ name: 'relay', environments: ['env_b'], startMode: 'withMain' }),
    manager.create({ name: 'steady', environments: ['env_a'], startMode: 'withMain' }),
  ]);
});

afterAll(() => manager.clear('relay', 'steady'));

const get = (instance: Instance, app: string) => ask(instance.url, `/api/__app/${app}/app:getInfo`);
const serves = (instance: Instance, app: string) => async () =>
  (await get(instance, app).catch(() => null))?.status === 200;
const isServed = (instance: Instance, app: string) =>
  waitFor(serves(instance, app), { timeout: 120_000, what: `${app} being served by ${instance.name}` });
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => null,
    ({ status, body }) => ({ status, ...JSON.parse(body).errors[0] }),
  );

describe('a second process of an environment', () => {
  let replica: Instance;

  beforeAll(async () => {
    replica = await replicaOf(fleet, 'env_b');
    await replica.start();
  });
  afterAll(() => replica.kill());
  const boots = () => replica.logTail(2_000).filter((line) => line.includes('App relay: start'));

  it('is a standby: it is shown, and hosts nothing', async () => {
    const { instance } = await manager.environment('env_b');
    const row = await manager.untilEnvironment('env_b', ({ standby }) => standby !== null, {
      what: 'having a standby',
    });
    expect(row).toMatchObject({ health: 'online', instance, url: worker.url });
    expect(row.instance).toContain(`:${worker.pid}:`);
    expect(row.standby).toContain(`:${replica.pid}:`);
    expect(row.warnings).toContainEqual(say('SECOND_PROCESS', { standby: row.standby! }));
    // Not even when it is visited; a boot would have begun within a beat.
    expect((await get(replica, 'relay')).status).toBe(503);
    const beaten = ({ lastHeartbeatAt }: EnvironmentRow) => lastHeartbeatAt! > row.lastHeartbeatAt!;
    await manager.untilEnvironment('env_b', beaten, { what: 'beating again' });
    expect(boots()).toEqual([]);
    expect((await get(fleet.supervisor, 'relay')).status).toBe(200);
  });

  it('takes over, with the same apps and its own address, when the holder dies', async () => {
    const { uid } = await manager.app('relay');
    const took = stopwatch();
    await worker.kill();
    const row = await manager.untilEnvironment('env_b', ({ url }) => url === replica.url, {
      what: 'at its other address',
    });
    took('Worker killed, until its standby holds the environment');
    // The address of another process is that of the Worker once somebody has confirmed it.
    expect(row).toMatchObject({ health: 'online', proxyUrl: worker.url, unconfirmedProxyUrl: replica.url });
    expect(row.warnings.map(({ code }) => code)).toContain('PROXY_ADDRESS_CHANGED');
    await manager.confirmAddress('env_b', replica.url);
    expect(await manager.environment('env_b')).toMatchObject({ proxyUrl: replica.url, unconfirmedProxyUrl: null });
    expect(row.instance).toContain(`:${replica.pid}:`);
    await isServed(fleet.supervisor, 'relay');
    took('Worker killed, until its standby serves the app');
    const app = await manager.untilApp('relay', (found) => statusIn(found, 'env_b') === 'running', { what: 'running' });
    expect(app.uid).toBe(uid);
    expect(boots()).toHaveLength(1);
  });
});

describe('a worker that dies by kill -9', () => {
  it('invariant 2: is suspect and then down within 20 s, and its apps are nothing that could be untrue', async () => {
    const took = stopwatch();
    const { lastHeartbeatAt } = await manager.environment('env_b');
    const seen: EnvironmentRow[] = [];
    /** When it was asked for the last time that it was not down yet, in ms since 1970. */
    let notYet = 0;
    const isDown = async () => {
      const asked = Date.now();
      seen.push(await manager.environment('env_b'));
      if (seen.at(-1)!.health === 'down') return true;
      notYet = asked;
      return false;
    };
    await waitFor(isDown, { timeout: 60_000, what: 'env_b being down' });
    took('Worker killed, until it is shown down');
    expect([...new Set(seen.map(({ health }) => health))].filter((health) => health !== 'online')).toEqual([
      'suspect',
      'down',
    ]);
    const down = seen.at(-1)!;
    expect(down).toMatchObject({ available: false, instance: null, apps: { unknown: 1 }, memory: null });
    expect(down.lastHeartbeatAt).toBeGreaterThanOrEqual(lastHeartbeatAt!);
    expect(notYet - down.lastHeartbeatAt!).toBeLessThan(20_000);
    expect((await manager.app('relay')).statuses.env_b).toMatchObject({
      status: 'unknown',
      message: say('STATUS_DOWN', { environment: 'env_b' }),
    });
    expect((await manager.app('steady')).statuses.env_a.status).toBe('running');
  });

  it('invariant 7: leaves visitors of its apps with an answer in the core’s own shape', async () => {
    const first = await get(fleet.supervisor, 'relay');
    const next = await get(fleet.supervisor, 'relay');
    for (const { status, json, headers } of [first, next]) {
      expect(json).toEqual({
        error: { status, code: expect.any(String), message: expect.stringContaining('relay'), maintaining: true },
      });
      expect(headers['retry-after']).toBe('5');
    }
    expect(['UPSTREAM_REFUSED', 'APP_ENVIRONMENT_UNAVAILABLE']).toContain(first.code);
    expect(next).toMatchObject({ status: 503, code: 'APP_ENVIRONMENT_UNAVAILABLE' });
    expect((await get(fleet.supervisor, 'steady')).status).toBe(200);
  });

  it('says that nothing of it can be reached, when asked to check', async () => {
    const { data } = await manager.api.get('appEnvironments:check', { filterByTk: 'env_b' });
    expect(data).toMatchObject({ web: { ok: false }, ws: { ok: false } });
    expect(data.web.message).toEqual(say('REACH_FAILED', { cause: expect.stringContaining('ECONNREFUSED') }));
  });

  it('comes back by itself with the same apps, and at the address that it then says, once that is confirmed', async () => {
    const { uid } = await manager.app('relay');
    const proxyUrl = `http://localhost:${worker.port}`;
    const took = stopwatch();
    await worker.restartWith({ ENVIRONMENT_PROXY_URL: proxyUrl });
    took('Worker started again, until its main app is ready');
    await manager.confirmAddress('env_b', proxyUrl);
    await isServed(fleet.supervisor, 'relay');
    took('Worker started again, until its app is served');
    // A connection that was refused a moment ago has it checked every 2 s.
    const environment = () => manager.environment('env_b');
    await expect.poll(environment).toMatchObject({ health: 'online', url: worker.url, proxyUrl });
    const running = (app: AppRow) => statusIn(app, 'env_b') === 'running';
    expect((await manager.untilApp('relay', running, { what: 'shown as running' })).uid).toBe(uid);
    const { data } = await manager.api.get('appEnvironments:check', { filterByTk: 'env_b' });
    expect(data).toMatchObject({ web: { ok: true }, ws: { ok: true } });
  });
});

describe('a worker that is stopped', () => {
  it('is down by its goodbye, before its silence would tell (#8517)', async () => {
    const took = stopwatch();
    const stopping = worker.stop();
    const down = await manager.untilEnvironment('env_b', ({ health }) => health === 'down', { what: 'down' });
    took('Worker stopped, until it is shown down');
    // Three beats of 5 s.
    expect(down.since - down.lastHeartbeatAt!).toBeLessThan(15_000);
    await stopping;
  });

  it('has given its lease back: its successor waits for nothing', async () => {
    const text = 'SELECT holder FROM "appWorkerLeases" WHERE environment = \'env_b\'';
    const { rows } = await query(fleet.postgresServer, worker.database, text);
    expect(rows).toEqual([{ holder: null }]);
  });
});

describe('a worker with another key', () => {
  const OTHER_KEY = 'f'.repeat(64);
  let key: string;

  beforeAll(async () => {
    key = worker.env.APP_SUPERVISOR_ENVIRONMENT_KEY!;
    await worker.restartWith({ APP_SUPERVISOR_ENVIRONMENT_KEY: OTHER_KEY, ENVIRONMENT_PROXY_URL: '' });
    const isRefused = ({ warnings }: EnvironmentRow) => warnings.some(({ code }) => code === 'KEY_DIFFERS');
    await manager.untilEnvironment('env_b', isRefused, { what: 'refused' });
  });

  afterAll(async () => {
    await worker.stop();
    // Started by the test below.
    worker.saveEnv({ APP_SUPERVISOR_ENVIRONMENT_KEY: key });
  });

  it('is shown with a warning that says so, and shows nobody either key', async () => {
    const { warnings } = await manager.environment('env_b');
    const params = { environment: 'env_b', variable: 'APP_SUPERVISOR_AES_SECRET_KEY' };
    expect(warnings).toContainEqual({ code: 'KEY_DIFFERS', params });
    expect(JSON.stringify(warnings)).not.toContain(OTHER_KEY);
    expect(JSON.stringify(warnings)).not.toContain(key);
  });

  it('gets no app, neither a new one nor one from elsewhere', async () => {
    const refused = { status: 409, code: 'KEY_DIFFERS', field: 'environments' };
    expect(await refusal(manager.begin('create', { name: 'other', environments: ['env_b'] }))).toMatchObject(refused);
    expect(await refusal(manager.update('steady', { environments: ['env_a', 'env_b'] }))).toMatchObject(refused);
    expect((await manager.app('steady')).environments).toEqual(['env_a']);
  });
});

describe('without Redis', () => {
  beforeAll(() => fleet.redis!.kill());
  afterAll(() => fleet.redis!.heal());

  it('invariant 6: a worker starts what it hosted from its own database', async () => {
    await worker.start();
    await isServed(worker, 'relay');
  });

  it('invariant 2: the Supervisor says that it cannot see, and calls nobody down', async () => {
    const rows = await waitFor(
      async () => {
        const found = await manager.environments();
        return found.every(({ health }) => health === 'unknown') ? found : null;
      },
      { timeout: 60_000, what: 'Not seeing any environment' },
    );
    expect(rows.map(({ available }) => available)).toEqual([false, false]);
    expect(statusIn(await manager.app('steady'), 'env_a')).toBe('unknown');
  });

  it('invariant 6: running apps are served through the Supervisor', async () => {
    expect((await get(fleet.supervisor, 'steady')).status).toBe(200);
  });

  it('invariant 1: what is asked for meanwhile is kept, and done when Redis is back', async () => {
    const stop = (await manager.api.post('apps:stop?filterByTk=relay')).data[0];
    const destroy = (await manager.api.post('apps:destroy?filterByTk=steady', { database: 'drop' })).data[0];
    const says = async () => (await manager.operation(stop.id)).waitingFor?.code === 'WAITS_FOR_CONNECTION';
    await waitFor(says, { timeout: 60_000, what: 'Saying what is waited for' });
    expect((await get(worker, 'relay')).status).toBe(200);
    expect((await get(fleet.worker('env_a'), 'steady')).status).toBe(200);

    await fleet.redis!.start();
    for (const operation of [stop, destroy]) await manager.succeeded(operation);
    expect(await get(worker, 'relay')).toMatchObject({ status: 503, code: 'APP_STOPPED' });
    expect(await get(fleet.worker('env_a'), 'steady')).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
    await expect
      .poll(() => manager.environments())
      .toMatchObject([
        { health: 'online', apps: {} },
        { health: 'online', apps: { stopped: 1 } },
      ]);
  });
});

describe('taking an environment out of service', () => {
  const act = (action: string, name: string) => manager.api.post(`appEnvironments:${action}?filterByTk=${name}`);

  beforeAll(() => manager.command('start', 'relay'));

  it('cordoned, takes no new app and keeps those it has', async () => {
    expect((await act('cordon', 'env_b')).data).toMatchObject({ name: 'env_b', cordoned: true });
    expect(await refusal(manager.begin('create', { name: 'other', environments: ['env_b'] }))).toMatchObject({
      status: 409,
      code: 'ENVIRONMENT_CORDONED',
    });
    expect((await get(fleet.supervisor, 'relay')).status).toBe(200);
    expect((await act('uncordon', 'env_b')).data).toMatchObject({ cordoned: false });
  });

  it('drained, loses its apps to another one, and has them back when it is uncordoned', async () => {
    const act = (action: string, values: object) =>
      manager.api.post(`appEnvironments:${action}?filterByTk=env_b`, values);
    const { data, meta } = await act('drain', {});
    expect([data.cordoned, meta.left]).toEqual([true, []]);
    expect(meta.operations).toMatchObject([{ appName: 'relay', action: 'move' }]);
    await manager.succeeded(meta.operations[0]);
    expect(await manager.app('relay')).toMatchObject({ environments: ['env_a'] });
    expect((await get(fleet.supervisor, 'relay')).status).toBe(200);
    expect(await manager.environment('env_b')).toMatchObject({ away: [{ app: 'relay', title: 'relay', to: 'env_a' }] });
    const back = await act('uncordon', { bringHome: true });
    expect(back.meta.refused).toEqual([]);
    await manager.succeeded(back.meta.operations[0]);
    expect(await manager.app('relay')).toMatchObject({
      environments: ['env_b'],
      statuses: { env_b: { status: 'running' } },
    });
    expect((await get(fleet.supervisor, 'relay')).status).toBe(200);
  });

  it('forgotten, is waited for no more', async () => {
    const { url, appVersion } = await manager.environment('env_a');
    const worker = SimulatedWorker.of(fleet, 'env_simulated');
    for (const version of ['2.2.0', appVersion]) {
      await worker.appear({ url, appVersion: version });
      const listed = (row?: EnvironmentRow) => row?.appVersion === version;
      await manager.untilEnvironment('env_simulated', listed, { what: `listed with version ${version}` });
    }
    expect(await refusal(act('forget', 'env_simulated'))).toMatchObject({ status: 409, code: 'ENVIRONMENT_ALIVE' });

    await manager.confirmAddress('env_simulated', 'http://env_simulated:15000');
    const { operation } = await manager.begin('create', { name: 'simulated', environments: ['env_simulated'] });
    await worker.leave();
    await manager.untilEnvironment('env_simulated', ({ health }) => health === 'down', { what: 'down' });
    await act('forget', 'env_simulated');
    expect(await manager.ended(operation!)).toMatchObject({
      state: 'cancelled',
      progress: [{ state: 'cancelled', message: say('STEP_FORGOTTEN') }],
    });
    expect((await manager.environments()).map(({ name }) => name)).toEqual(['env_a', 'env_b']);
    expect(await manager.app('simulated')).toMatchObject({ environments: [], targetEnvironment: null });
    expect(await refusal(act('forget', 'env_simulated'))).toMatchObject({ status: 404, code: 'UNKNOWN_ENVIRONMENT' });
    await manager.destroy('simulated', 'drop');
    await worker.close();
  });
});
