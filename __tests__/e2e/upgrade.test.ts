import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, query, waitFor } from '../../scripts/fleet';
import type { AppRow, OperationRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { askRelease, order, RELEASE_PLUGIN, releaseEnv, runsOf } from '../support/release';

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
      await waitFor(known, { timeout: 90_000, what: 'The plugin in env_b' });
      await manager.untilApp('vault', (app) => app.operation === null && runsIn(app), {
        timeout: 60_000,
        what: 'running in both, with nothing left to do',
      });
    } finally {
      clearInterval(visiting);
    }
    const after = await manager.app('vault');
    expect(after.statuses.env_b.since).toBeGreaterThan(before.statuses.env_b.since);
    expect(after.pendingChanges).toEqual([]);
    console.log('visits', visits.length, visits.filter((status) => status !== 200).length);
  });

  it('says so in an operation that nobody asked for, of the stale environment alone', async () => {
    const { data } = await manager.api.get('appOperations:list', { filter: { appName: 'vault' } });
    expect(data[0]).toMatchObject({
      action: 'restart',
      state: 'succeeded',
      createdBy: null,
      steps: [{ environment: 'env_b', state: 'succeeded' }],
    });
  });
});

describe('a newer release on its workers', () => {
  it('is what the app is upgraded to, once, in one environment, while the other waits', async () => {
    expect(await askRelease(fleet.worker('env_a'), 'vault')).toMatchObject({
      data: { release: '1.0.0', name: 'Ada Lovelace' },
    });
    await order(fleet.postgresServer, 'vault', 'hold');
    const release = releaseEnv('2.0.0');
    await Promise.all(fleet.workers.map((worker) => worker.restartWith(release)));
    await waitFor(async () => (await runsOf(fleet.postgresServer, 'vault')).length > 0, {
      timeout: 60_000,
      what: 'The migration',
    });
    const held = await manager.untilApp('vault', (app) => BOTH.some((name) => statusIn(app, name) === 'waiting'), {
      timeout: 60_000,
      what: 'waiting in one environment',
    });
    const waits = BOTH.find((name) => statusIn(held, name) === 'waiting')!;
    expect(held.statuses[waits].message).toBe('Another environment is starting it; waiting for that to end.');
    await order(fleet.postgresServer, 'vault', null);
    await manager.untilApp('vault', (app) => runsIn(app), { timeout: 60_000, what: 'running in both' });
    expect(await runsOf(fleet.postgresServer, 'vault')).toEqual(['begun', 'done']);
    for (const worker of fleet.workers) {
      expect(await askRelease(worker, 'vault')).toMatchObject({
        status: 200,
        data: { release: '2.0.0', initials: 'AL' },
      });
    }
  });
});

describe('data of an older NocoBase', () => {
  beforeAll(async () => {
    await manager.update('vault', { environments: ['env_a'], autoUpgrade: false });
    await manager.command('stop', 'vault');
    await setCore('2.2.14');
  });

  it('is not upgraded where the app forbids it, which says so', async () => {
    const error = { code: 'APP_UPGRADE_FORBIDDEN', message: expect.stringContaining('is from NocoBase 2.2.14') };
    expect(await refusedStart()).toMatchObject({ state: 'failed', steps: [{ state: 'failed', error }] });
    expect((await manager.app('vault')).statuses.env_a).toMatchObject({ status: 'error', error });
    const answer = await getInfo();
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('which the app forbids');
    expect(await coreVersion()).toBe('2.2.14');
  });

  it('is upgraded by hand all the same', async () => {
    await manager.command('upgrade', 'vault');
    expect(await coreVersion()).toBe('2.2.15');
    expect((await getInfo()).status).toBe(200);
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
  const newer = (data: string) => ({ code: 'APP_TOO_NEW', message: expect.stringContaining(data) });

  it.each([
    [
      'of NocoBase',
      () => setCore('2.2.16'),
      'is from NocoBase 2.2.16, this environment runs 2.2.15',
      () => setCore('2.2.15'),
    ],
    [
      'of a plugin',
      () => setPlugin('2.0.1'),
      'is from e2e-release 2.0.1, this environment runs e2e-release 2.0.0',
      () => setPlugin('2.0.0'),
    ],
  ])('%s is refused in words, even by hand', async (_, make, words, undo) => {
    await manager.command('stop', 'vault');
    await make();
    for (const action of ['start', 'upgrade'] as const) {
      expect(await refusedStart(action)).toMatchObject({ state: 'failed', steps: [{ error: newer(words) }] });
    }
    expect((await getInfo()).status).toBe(503);
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
      steps: [{ error: { code: 'APP_UPGRADE_FORBIDDEN' } }],
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
