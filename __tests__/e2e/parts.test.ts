import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet, freePorts, query } from '../../scripts/fleet';
import type { AppRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { commandLine, type Run } from '../support/command-line';
import { type Answer, ask, Tab } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';

/** The parts other than Supervisor and worker, and what takes no part at all. */

let fleet: Fleet;

beforeAll(async () => {
  fleet = await sharedFleet();
});

describe('invariant 10: a command-line run in a worker’s environment', () => {
  it('ends by itself and is nobody in the fleet', async () => {
    const manager = await Manager.of(fleet);
    const worker = fleet.worker('env_b');
    const before = await manager.environment('env_b');
    const seen = new Set<string>();
    const watch = setInterval(async () => {
      const { instance, standby, health } = await manager.environment('env_b');
      seen.add(JSON.stringify({ instance, standby, health }));
    }, 500);
    const { code, output } = await commandLine(['db:auth'], worker.env).finally(() => clearInterval(watch));
    expect([code, output.slice(-2_000)]).toEqual([0, expect.any(String)]);
    const { instance } = before;
    expect([...seen]).toEqual([JSON.stringify({ instance, standby: null, health: 'online' })]);
  });
});

describe('a wrong combination of variables', () => {
  const WRONG: Array<[what: string, variables: Record<string, string>, said: string]> = [
    [
      'adapters of two parts',
      { APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'local' },
      'APP_DISCOVERY_ADAPTER is "local"; for the part "supervisor" it must be "remote".',
    ],
    ['a slip of the pen', { APP_COMMAND_ADAPTER: 'reddis' }, 'APP_COMMAND_ADAPTER is "reddis"'],
    ['an address that is none', { ENVIRONMENT_URL: 'localhost' }, 'ENVIRONMENT_URL is "localhost"; it must be'],
  ];
  let runs: Run[];
  beforeAll(async () => {
    const { env } = fleet.worker('env_b');
    const ports = await freePorts(WRONG.length);
    const start = (wrong: object, index: number) =>
      commandLine(['start'], { ...env, APP_PORT: String(ports[index]), ...wrong }, 30_000);
    runs = await Promise.all(WRONG.map(([, wrong], index) => start(wrong, index)));
  });

  it.each(WRONG.map(([what], index) => [what, index] as const))('%s ends the process, which says why', (_, index) => {
    const { code, output } = runs[index];
    expect(output).toContain('App Supervisor cannot start with these environment variables');
    expect(output).toContain(WRONG[index][2]);
    expect(code).toBe(1);
  });
});

describe('shared memory', () => {
  const DOMAIN = 'solo.example.test';
  let alone: Fleet;
  let manager: Manager;
  const solo = (target = '/api/__app/solo/app:getInfo', headers: Record<string, string> = {}) =>
    ask(alone.supervisor.url, target, { headers });
  const databases = async () =>
    (await query(fleet.postgresServer, 'postgres', 'SELECT datname FROM pg_database')).rows.map((row) => row.datname);

  beforeAll(async () => {
    const { postgresServer: postgres } = fleet;
    alone = await Fleet.start({ name: 'parts', mode: 'local', port: 'free', reset: true, durable: false, postgres });
    manager = await Manager.of(alone);
  });
  afterAll(async () => {
    await alone?.stop();
    for (const name of ['solo', alone?.supervisor.database]) {
      await query(fleet.postgresServer, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    }
  });

  it('is one environment in one process', async () => {
    expect((await manager.api.get('appSupervisor:info')).data).toMatchObject({ part: 'local', environment: 'local' });
    expect(await manager.environments()).toMatchObject([{ name: 'local', health: 'online', appVersion: '2.2.15' }]);
    expect(alone.supervisor.env.APP_SUPERVISOR_REDIS_URL).toBeUndefined();
  });

  it('creates an app without being told where', async () => {
    const app = await manager.create({ name: 'solo', cname: DOMAIN, startMode: 'withMain' });
    expect(app).toMatchObject({
      environments: ['local'],
      targetEnvironment: 'local',
      statuses: { local: { status: 'running' } },
    });
  });

  it.each<[string, Record<string, string>]>([
    ['/api/__app/solo/app:getInfo', {}],
    ['/api/app:getInfo?__appName=solo', {}],
    ['/api/app:getInfo', { 'X-App': 'solo' }],
    ['/api/app:getInfo', { Host: DOMAIN }],
    ['/api/app:getInfo', { 'X-Hostname': DOMAIN }],
  ])('is visited by %s %o', async (target, headers) => {
    expect((await solo(target, headers)).json.data).toMatchObject({ name: 'solo' });
  });

  it('signs in, and carries a WebSocket by domain', async () => {
    const { token } = await signInTo(alone.supervisor, 'solo');
    const tab = (await Tab.open(alone.supervisor.url, '/ws', { Host: DOMAIN })) as Tab;
    tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized');
    tab.close();
  });

  it('knows no other app', async () => {
    expect(await solo('/api/__app/nosuch/app:getInfo')).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
  });

  it('stops an app, which nothing but a start wakes', async () => {
    await manager.command('stop', 'solo');
    const stopped: Partial<Answer> = { status: 503, code: 'APP_STOPPED' };
    expect(await solo()).toMatchObject(stopped);
    const tab = (await Tab.open(alone.supervisor.url, '/ws?__appName=solo')) as Tab;
    tab.send({ type: 'auth:token', payload: {} });
    expect(await solo()).toMatchObject(stopped);
    expect(statusIn(await manager.app('solo'), 'local')).toBe('stopped');
    await manager.command('start', 'solo');
    await tab.message(({ payload }) => payload?.code === 'APP_RUNNING');
    tab.close();
    expect((await solo()).status).toBe(200);
  });

  it('starts after a restart of the process what starts with the main app', async () => {
    await alone.supervisor.restart();
    manager = await Manager.of(alone);
    const running = (app: AppRow) => statusIn(app, 'local') === 'running';
    await manager.untilApp('solo', running, { what: 'running again' });
  });

  it('invariant 9: deletes an app, and keeps the database that another may then adopt', async () => {
    await manager.destroy('solo', 'keep');
    expect(await solo()).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
    await manager.adopt({ name: 'solo' });
    expect((await solo()).status).toBe(200);
    const { steps } = await manager.destroy('solo', 'drop');
    expect(steps.at(-1)?.message).toContain('was there before this app');
    expect(await databases()).toContain('solo');
  });

  describe('without any variable', () => {
    beforeAll(async () => {
      await alone.supervisor.restartWith({ APP_DISCOVERY_ADAPTER: '', APP_PROCESS_ADAPTER: '' });
      manager = await Manager.of(alone);
    });

    it('the plugin is dormant, and says so', async () => {
      expect((await manager.api.get('appSupervisor:info')).data).toEqual({
        part: 'dormant',
        environment: null,
        warnings: [],
      });
      const refused = await manager.api.get('apps:list').catch(({ status, body }) => ({ status, body }));
      expect(refused).toMatchObject({ status: 409, body: expect.stringContaining('its part is dormant') });
    });
  });
});
