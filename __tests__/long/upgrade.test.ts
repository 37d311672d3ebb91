import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { say } from '../../src/shared/message';
import type { AppRow, EnvironmentRow, OperationRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { ask, Tab } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { askRelease, order, RELEASE_PLUGIN, releaseEnv, runsOf } from '../support/release';
import { SimulatedWorker } from '../support/simulated-worker';

/**
 * Data older or newer than the worker that is to run it. `vault` lies in both environments and uses a plugin of which they
 * get a newer release, with a migration. The tests follow one another.
 */

const BOTH = ['env_a', 'env_b'];
let fleet: Fleet;
let manager: Manager;

const sql = (text: string, values?: unknown[]) => query(fleet.postgresServer, 'vault', text, values);
const setCore = (version: string) => sql('UPDATE "applicationVersion" SET value = $1', [version]);
const coreVersion = async () => (await sql('SELECT value FROM "applicationVersion"')).rows[0].value;
const setPlugin = (version: string) =>
  sql('UPDATE "applicationPlugins" SET version = $1 WHERE name = $2', [version, RELEASE_PLUGIN]);
const getInfo = () => ask(fleet.supervisor.url, '/api/__app/vault/app:getInfo');
const runsIn = (app: AppRow, environments = BOTH) => environments.every((name) => statusIn(app, name) === 'running');

/** A start that is expected to fail. */
async function refusedStart(action: 'start' | 'restart' | 'upgrade' = 'start'): Promise<OperationRow> {
  const { data } = await manager.api.post(`apps:${action}?filterByTk=vault`);
  return manager.ended(data[0]);
}

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('vault');
  const release = releaseEnv('1.0.0');
  await Promise.all(fleet.workers.map((worker) => worker.restartWith(release)));
  await fleet.waitForWorkers();
  await manager.create({ name: 'vault', environments: BOTH, startMode: 'withMain' });
});

afterAll(async () => {
  await manager.clear('vault');
  await fleet.worker('env_b').restartWith({ WORKER_MODE: '' });
  await query(fleet.postgresServer, 'postgres', 'DROP DATABASE IF EXISTS vault WITH (FORCE)');
});

describe('a plugin enabled in one environment of an app', () => {
  let before: AppRow;

  it('is enabled in the others, which restart by themselves, while visitors are served', async () => {
    before = await manager.app('vault');
    const visits: number[] = [];
    const api = await signInTo(fleet.worker('env_a'), 'vault');
    await api.post(`pm:enable?filterByTk=${RELEASE_PLUGIN}&awaitResponse=true`);
    const visiting = setInterval(async () => visits.push((await getInfo()).status), 200);
    try {
      const known = async () => (await askRelease(fleet.worker('env_b'), 'vault')).status === 200;
      await waitFor(known, { timeout: 200_000, what: 'The plugin in env_b' });
      await manager.untilApp('vault', (app) => app.operation === null && runsIn(app), {
        timeout: 200_000,
        what: 'running in both, with nothing left to do',
      });
    } finally {
      clearInterval(visiting);
    }
    const after = await manager.app('vault');
    expect(after.statuses.env_b.since).toBeGreaterThan(before.statuses.env_b.since);
    expect(after.pendingChanges).toEqual([]);
    expect(visits.length).toBeGreaterThan(5);
    expect(visits.filter((status) => status !== 200)).toEqual([]);
  });

  it('says so in an operation that nobody asked for, of the stale environment alone', async () => {
    const { data } = await manager.api.get('appOperations:list', { filter: { appName: 'vault' } });
    expect(data[0]).toMatchObject({
      action: 'restart',
      state: 'succeeded',
      createdBy: null,
      progress: [{ environment: 'env_b', state: 'succeeded' }],
    });
  });
});

describe('what open-source NocoBase does not share between two environments of an app', () => {
  const inBoth = async (action: string) =>
    Promise.all(fleet.workers.map(async (worker) => (await askRelease(worker, 'vault', { action })).data));

  it('is a lock', async () => {
    expect(await inBoth('lock')).toEqual(['taken', 'taken']);
    expect(await inBoth('lock')).toEqual(['busy', 'busy']);
  });

  it('is a cache', async () => {
    await askRelease(fleet.worker('env_a'), 'vault', { action: 'remember?value=here' });
    expect(await inBoth('remember')).toEqual([{ value: 'here' }, { value: null }]);
  });

  it('is what was changed in the other: a new collection', async () => {
    const [here, there] = await Promise.all(fleet.workers.map((worker) => signInTo(worker, 'vault')));
    const fields = [{ name: 'title', type: 'string', interface: 'input' }];
    await here.post('collections:create', { name: 'news', fields });
    expect((await here.get('news:list')).data).toEqual([]);
    await expect(there.get('news:list')).rejects.toMatchObject({ status: 404 });
  });

  it('is what was changed in the other: what a role may do', async () => {
    const [here, there] = await Promise.all(fleet.workers.map((worker) => signInTo(worker, 'vault')));
    const allowed = async (api: Api) =>
      (await api.call('GET', 'roles:check', {}, undefined, { 'X-Role': 'member' })).data.snippets;
    await here.post('roles:update?filterByTk=member', { snippets: ['pm.logger'] });
    expect(await allowed(here)).toContain('pm.logger');
    expect(await allowed(there)).not.toContain('pm.logger');
  });

  it('is a queue: each does the work that it was given itself', async () => {
    const work = (worker: Instance, value = '') =>
      askRelease(worker, 'vault', { action: `work?value=${value}` }).then(({ data }) => data);
    await work(fleet.worker('env_a'), 'here');
    await work(fleet.worker('env_b'), 'there');
    const isDone = async () => (await work(fleet.worker('env_a'))).length && (await work(fleet.worker('env_b'))).length;
    await waitFor(isDone, { timeout: 60_000, what: 'Both having worked' });
    expect(await inBoth('work')).toEqual([['here'], ['there']]);
  });

  it('is a message to whoever has the app open', async () => {
    const open = ({ url }: Instance) => Tab.open(url, '/ws?__appName=vault') as Promise<Tab>;
    const [here, there] = await Promise.all(fleet.workers.map(open));
    try {
      // The second one comes after the first on the same way.
      await askRelease(fleet.worker('env_a'), 'vault', { action: 'shout?value=here' });
      await here.message(({ payload }) => payload === 'here');
      await askRelease(fleet.worker('env_b'), 'vault', { action: 'shout?value=there' });
      await there.message(({ payload }) => payload === 'there');
      const heard = [here, there].map((tab) =>
        tab.messages.filter(({ type }) => type === 'release').map(({ payload }) => payload),
      );
      expect(heard).toEqual([['here'], ['there']]);
    } finally {
      here.close();
      there.close();
    }
  });

  it('is who makes which ids: two that draw the same number of 32 make the same ones', async () => {
    const both = await inBoth('id?value=7');
    for (const { own } of both) expect(own.workerId).toBeLessThan(32);
    const sameSecond = async () => {
      const [one, two] = (await inBoth('id?value=7')).map(({ drawn }) => drawn);
      return one.timestamp === two.timestamp ? { one, two } : null;
    };
    const { one, two } = await waitFor(sameSecond, { timeout: 60_000, what: 'Two ids of one second' });
    expect(one.id).toBe(two.id);
  });

  it('is an upload to local storage', async () => {
    const [a, b] = fleet.workers;
    const { token } = await signInTo(a, 'vault');
    const headers = { Authorization: `Bearer ${token}` };
    const body = new FormData();
    body.append('file', new Blob(['only here']), 'note.txt');
    const address = `${a.url}/api/__app/vault/attachments:create`;
    const uploaded = (await (await fetch(address, { method: 'POST', headers, body })).json()) as any;
    const read = async ({ url }: Instance) => {
      const answer = await fetch(new URL(uploaded.data.url, url), { headers });
      return (await answer.text()) === 'only here';
    };
    expect(await read(a)).toBe(true);
    expect(await read(b)).toBe(false);
  });

  it('is the key of what they encrypt', () => {
    const [here, there] = fleet.workers.map(({ storage }) =>
      fs.readFileSync(path.join(storage, 'apps/vault/aes_key.dat')).toString('hex'),
    );
    expect(here).not.toBe(there);
  });
});

describe('a plugin that the Supervisor does not have', () => {
  it('is a warning of the app that uses it', async () => {
    const warned = (app: AppRow) => app.warnings.some(({ code }) => code === 'PLUGINS_MISSING');
    const { warnings } = await manager.untilApp('vault', warned, { timeout: 200_000, what: 'warned of' });
    const params = { owner: 'vault', plugins: expect.stringMatching(/e2e-release 1\.0\.0$/) };
    expect(warnings).toEqual([{ code: 'PLUGINS_MISSING', params }]);
  });
});

describe('an environment of another release', () => {
  it('gets no apps, neither alone nor beside another, and is listed with the reason', async () => {
    const worker = SimulatedWorker.of(fleet, 'env_simulated');
    const { url } = await manager.environment('env_a');
    await worker.appear({ url, appVersion: '2.3.0' });
    try {
      const warned = ({ warnings }: EnvironmentRow) =>
        warnings.some(({ code, params }) => code === 'VERSION_DIFFERS' && params?.version === '2.3.0');
      await manager.untilEnvironment('env_simulated', warned, { what: 'warned of' });
      await expect(manager.begin('create', { name: 'other', environments: ['env_simulated'] })).rejects.toMatchObject({
        status: 409,
        body: expect.stringContaining('VERSION_DIFFERS'),
      });
      await worker.appear({ appVersion: '2.2.14' });
      const patch = ({ warnings }: EnvironmentRow) =>
        warnings.some(({ code, params }) => code === 'PATCH_DIFFERS' && params?.version === '2.2.14');
      await manager.untilEnvironment('env_simulated', patch, { what: 'warned of' });
      const update = manager.update('vault', { environments: [...BOTH, 'env_simulated'] });
      await expect(update).rejects.toMatchObject({
        status: 409,
        body: expect.stringContaining('ENVIRONMENTS_DIFFER'),
      });
    } finally {
      await worker.leave();
      await manager.untilEnvironment('env_simulated', ({ health }) => health === 'down', { what: 'down' });
      await manager.api.post('appEnvironments:forget?filterByTk=env_simulated');
      await worker.close();
    }
  });
});

describe('a newer release on its workers', () => {
  it('is what the app is upgraded to, once, in one environment, while the other waits', async () => {
    expect(await askRelease(fleet.worker('env_a'), 'vault')).toMatchObject({
      data: { release: '1.0.0', name: 'Ada Lovelace' },
    });
    await order(fleet.postgresServer, 'vault', 'hold');
    const release = releaseEnv('2.0.0');
    const [a, b] = fleet.workers;
    // From now on env_b works off tasks only.
    await Promise.all([a.restartWith(release), b.restartWith({ ...release, WORKER_MODE: 'workflow:process' })]);
    await waitFor(async () => (await runsOf(fleet.postgresServer, 'vault')).length > 0, {
      timeout: 200_000,
      what: 'The migration',
    });
    const held = await manager.untilApp('vault', (app) => BOTH.some((name) => statusIn(app, name) === 'waiting'), {
      timeout: 200_000,
      what: 'waiting in one environment',
    });
    const waits = BOTH.find((name) => statusIn(held, name) === 'waiting')!;
    expect(held.statuses[waits].message).toEqual(say('WAITS_FOR_LOCK'));
    await order(fleet.postgresServer, 'vault', null);
    await manager.untilApp('vault', (app) => runsIn(app), { timeout: 200_000, what: 'running in both' });
    expect(await runsOf(fleet.postgresServer, 'vault')).toEqual(['begun', 'done']);
    for (const worker of fleet.workers) {
      expect(await askRelease(worker, 'vault')).toMatchObject({
        status: 200,
        data: { release: '2.0.0', initials: 'AL' },
      });
    }
  });
});

describe('an environment whose WORKER_MODE does not serve requests', () => {
  it('is shown so, and serves no visitor, not even one who asks for it', async () => {
    const isOnline = ({ health }: EnvironmentRow) => health === 'online';
    expect(await manager.untilEnvironment('env_b', isOnline, { what: 'online' })).toMatchObject({ serves: false });
    await manager.untilApp('vault', (app) => runsIn(app, ['env_b']), { what: 'running in env_b' });
    const { environment } = await askRelease(fleet.supervisor, 'vault', { headers: { 'X-App-Environment': 'env_b' } });
    expect(environment).toBe('env_a');
    const entry = (await manager.api.get('appEntries:list')).data.find(
      ({ name }: { name: string }) => name === 'vault',
    );
    expect(entry).toMatchObject({ status: 'running' });
  });
});

describe('data of an older NocoBase', () => {
  beforeAll(async () => {
    await manager.update('vault', { environments: ['env_a'], autoUpgrade: false });
    await manager.command('stop', 'vault');
    await setCore('2.2.14');
  });

  it('is not upgraded where the app forbids it, which says so', async () => {
    const error = { code: 'APP_UPGRADE_FORBIDDEN', params: { data: 'NocoBase 2.2.14' } };
    expect(await refusedStart()).toMatchObject({ state: 'failed', progress: [{ state: 'failed', error }] });
    await expect
      .poll(async () => (await manager.app('vault')).statuses.env_a)
      .toMatchObject({ status: 'error', error });
    await expect
      .poll(() => getInfo())
      .toMatchObject({ status: 503, text: expect.stringMatching(/ is unavailable\. Reference: /) });
    expect(await coreVersion()).toBe('2.2.14');
  });

  it('is upgraded by hand all the same', async () => {
    await manager.command('upgrade', 'vault');
    expect(await coreVersion()).toBe('2.2.15');
    await expect.poll(async () => (await getInfo()).status).toBe(200);
  });

  it('is upgraded by a start where the app allows it', async () => {
    await manager.update('vault', { autoUpgrade: true });
    await manager.command('stop', 'vault');
    await setCore('2.2.14');
    await manager.command('start', 'vault');
    expect(await coreVersion()).toBe('2.2.15');
    expect(await runsOf(fleet.postgresServer, 'vault')).toEqual(['begun', 'done']);
  });
});

describe('data that is newer than its worker', () => {
  it.each([
    ['of NocoBase', () => setCore('2.2.16'), { data: 'NocoBase 2.2.16', core: '2.2.15' }, () => setCore('2.2.15')],
    [
      'of a plugin',
      () => setPlugin('2.0.1'),
      { data: 'e2e-release 2.0.1', core: 'e2e-release 2.0.0' },
      () => setPlugin('2.0.0'),
    ],
  ])('%s is refused in words, even by hand', async (_, make, versions, undo) => {
    await manager.command('stop', 'vault');
    await make();
    for (const action of ['start', 'upgrade'] as const) {
      const error = { code: 'APP_TOO_NEW', params: { app: 'vault', ...versions } };
      expect(await refusedStart(action)).toMatchObject({ state: 'failed', progress: [{ error }] });
    }
    await expect.poll(async () => (await getInfo()).status).toBe(503);
    await undo();
    await manager.command('start', 'vault');
  });
});

describe('adopting an older database', () => {
  const adopt = (autoUpgrade: boolean) =>
    manager.begin('adopt', { name: 'vault', environments: ['env_a'], autoUpgrade });

  beforeAll(async () => {
    await manager.destroy('vault', 'keep');
    await setCore('2.2.14');
  });

  it('is refused where it would upgrade and must not', async () => {
    const { operation } = await adopt(false);
    expect(await manager.ended(operation!)).toMatchObject({
      state: 'failed',
      progress: [{ error: { code: 'APP_UPGRADE_FORBIDDEN' } }],
    });
    expect(await coreVersion()).toBe('2.2.14');
    await manager.destroy('vault', 'keep');
  });

  it('upgrades it where it may', async () => {
    const { operation } = await adopt(true);
    await manager.succeeded(operation!);
    expect(await coreVersion()).toBe('2.2.15');
    expect(await askRelease(fleet.supervisor, 'vault')).toMatchObject({
      data: { name: 'Ada Lovelace', initials: 'AL' },
    });
  });
});
