import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { FleetState } from '../../scripts/fleet/state';
import { say } from '../../src/shared/message';
import type { AppRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';
import { askRelease, order, RELEASE_PACKAGE, type Release, releaseEnv, runsOf } from '../support/release';

/**
 * New releases on a fleet that works, as docs/upgrading.md says, and what may come in between; and a Supervisor's database
 * put back to what it was. The plugin that stands for the release is built in, so that every app has it. Its tests follow one
 * another.
 */

const BOTH = ['env_a', 'env_b'];
const BOOT = 180_000;
let fleet: Fleet;
let manager: Manager;

const sql = (database: string, text: string) => query(fleet.postgresServer, database, text);
const runsIn = (app: AppRow, environments = BOTH) => environments.every((name) => statusIn(app, name) === 'running');
const runsWell = (name: string, environments = BOTH) =>
  manager.untilApp(name, (app) => runsIn(app, environments), { timeout: BOOT, what: 'running' });
const envOf = (release: Release) => ({
  ...releaseEnv(release),
  APPEND_PRESET_BUILT_IN_PLUGINS: `${fleet.supervisor.env.APPEND_PRESET_BUILT_IN_PLUGINS},${RELEASE_PACKAGE}`,
});

/** Ends an instance and starts it with another release, which upgrades its main app, as `nocobase start --quickstart` does. */
async function install(instance: Instance, env: Record<string, string>): Promise<void> {
  await instance.stop();
  instance.saveEnv(env);
  new FleetState(fleet.home).update(({ bootedWith }) => {
    delete bootedWith[instance.database];
  });
  await instance.start();
}

beforeAll(async () => {
  fleet = await sharedFleet();
  const env = envOf('1.0.0');
  await Promise.all(fleet.instances.map((instance) => install(instance, env)));
  await fleet.waitForWorkers();
  manager = await Manager.of(fleet);
  await manager.clear('rolled', 'victim', 'early', 'late');
  await manager.create({ name: 'rolled', environments: BOTH, startMode: 'withMain' });
}, 600_000);

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
});

afterAll(async () => {
  await manager.clear('rolled', 'victim', 'early', 'late');
  for (const name of ['rolled', 'victim', 'early', 'late'])
    await sql('postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
});

describe('a rolling upgrade', () => {
  it('serves all the while, migrates once, and lets nobody fight over the data', async () => {
    const env = envOf('2.0.0');
    const seen: Array<{ status: number; release?: string }> = [];
    let ending = false;
    const visiting = (async () => {
      while (!ending) {
        const { status, data } = await askRelease(fleet.supervisor, 'rolled').catch(() => ({ status: 0, data: null }));
        // Its own restart is the one moment at which nobody can ask it.
        if (fleet.supervisor.running) seen.push({ status, release: data?.release });
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    })();

    const bySelf = async () =>
      (await manager.api.get('appOperations:list', { filter: { appName: 'rolled', action: 'restart' } })).data.length;
    const before = await bySelf();
    await install(fleet.supervisor, env);
    manager = await Manager.of(fleet);
    await fleet.waitForWorkers();
    const firstWorker = seen.length;
    await install(fleet.worker('env_a'), env);
    await runsWell('rolled', ['env_a']);
    // Still of the older release, on data that is newer: it goes on, and is not restarted into a refusal.
    await waitFor(async () => (await manager.environment('env_a')).health === 'online', {
      timeout: 60_000,
      what: 'env_a',
    });
    // Longer than the round in which it would be noticed, for what must not come.
    await new Promise((resolve) => setTimeout(resolve, 35_000));
    expect(statusIn(await manager.app('rolled'), 'env_b')).toBe('running');
    expect(await bySelf()).toBe(before);
    const { warnings } = await manager.environment('env_b');
    const params = { owner: 'env_b', plugins: expect.stringContaining('e2e-release 1.0.0') };
    expect(warnings).toContainEqual({ code: 'PLUGINS_DIFFER', params });
    await install(fleet.worker('env_b'), env);
    await runsWell('rolled');
    ending = true;
    await visiting;

    expect(await runsOf(fleet.postgresServer, 'rolled')).toEqual(['begun', 'done']);
    for (const worker of fleet.workers)
      expect(await askRelease(worker, 'rolled')).toMatchObject({ data: { release: '2.0.0', initials: 'AL' } });
    const bad = seen.slice(firstWorker).filter(({ status }) => status !== 200);
    console.log(`asked ${seen.length - firstWorker} times while the workers were upgraded, ${bad.length} bad answers`);
    expect(bad).toEqual([]);
  }, 900_000);
});

/** An app with the older release's data, whose worker has the newer one. */
async function olderApp(migration: 'hold' | 'fail'): Promise<void> {
  await manager.clear('victim');
  await manager.create({ name: 'victim', environments: ['env_b'], startMode: 'withMain' });
  await manager.command('stop', 'victim');
  await sql('victim', `DELETE FROM migrations WHERE name LIKE '%${RELEASE_PACKAGE}'`);
  await sql('victim', 'UPDATE "releasePeople" SET initials = NULL');
  await sql('victim', `UPDATE "applicationPlugins" SET version = '1.0.0' WHERE "packageName" = '${RELEASE_PACKAGE}'`);
  await order(fleet.postgresServer, 'victim', migration);
}

describe('a migration', () => {
  it('whose worker is killed in the middle is done again', async () => {
    await olderApp('hold');
    const { data } = await manager.api.post('apps:start?filterByTk=victim');
    const begun = async () => (await runsOf(fleet.postgresServer, 'victim')).length === 1;
    await waitFor(begun, { timeout: BOOT, what: 'The migration' });
    await fleet.worker('env_b').kill();
    await order(fleet.postgresServer, 'victim', null);
    const took = stopwatch();
    await fleet.worker('env_b').start();
    await manager.succeeded(data[0], BOOT);
    took('Worker killed in a migration, from its start until it is done');
    expect(await runsOf(fleet.postgresServer, 'victim')).toEqual(['begun', 'begun', 'done']);
    expect(await askRelease(fleet.worker('env_b'), 'victim')).toMatchObject({ data: { initials: 'AL' } });
  });

  it('that fails is shown with its cause, and done again by a start', async () => {
    await olderApp('fail');
    const { data } = await manager.api.post('apps:start?filterByTk=victim');
    expect(await manager.ended(data[0], BOOT)).toMatchObject({
      state: 'failed',
      steps: [{ error: { params: { cause: expect.stringContaining('The migration was told to fail') } } }],
    });
    await order(fleet.postgresServer, 'victim', null);
    await manager.command('start', 'victim');
    expect((await runsOf(fleet.postgresServer, 'victim')).filter((event) => event === 'done')).toHaveLength(1);
    expect(await askRelease(fleet.worker('env_b'), 'victim')).toMatchObject({ data: { initials: 'AL' } });
  });
});

describe('a Supervisor whose database is restored from a backup', () => {
  const DATABASE = 'nocobase_supervisor';
  /** A copy that PostgreSQL makes of a whole database, for the Supervisor's role, which has the name of its database. */
  const copy = async (from: string, to: string) => {
    await sql('postgres', `DROP DATABASE IF EXISTS ${to} WITH (FORCE)`);
    await sql('postgres', `CREATE DATABASE ${to} TEMPLATE ${from} OWNER ${DATABASE}`);
  };
  const info = (instance: Instance, app: string) => ask(instance.url, `/api/__app/${app}/app:getInfo`);
  const orphans = async () => (await manager.environment('env_b')).warnings.find(({ code }) => code === 'ORPHANS');

  it('takes up where the backup was, loses nothing that was made since, and says what that is', async () => {
    await manager.create({ name: 'early', environments: ['env_b'], startMode: 'withMain' });
    await fleet.supervisor.stop();
    await copy(DATABASE, 'backup_of_supervisor');
    await fleet.supervisor.start();
    await fleet.waitForWorkers();
    manager = await Manager.of(fleet);
    await manager.create({ name: 'late', environments: ['env_b'], startMode: 'withMain' });
    await manager.command('stop', 'early');
    const { uid } = await manager.app('late');

    await fleet.supervisor.stop();
    await copy('backup_of_supervisor', DATABASE);
    const took = stopwatch();
    await fleet.supervisor.start();
    await fleet.waitForWorkers();
    manager = await Manager.of(fleet);
    // As the backup has it.
    await runsWell('early', ['env_b']);
    took('Supervisor started on an older database, until the apps are as that says');
    await manager.command('stop', 'early');
    await manager.command('start', 'early');

    expect(await waitFor(orphans, { timeout: 60_000, what: 'The warning' })).toEqual(say('ORPHANS', { names: 'late' }));
    expect((await info(fleet.supervisor, 'late')).status).toBe(404);
    expect((await info(fleet.worker('env_b'), 'late')).status).toBe(200);
    await manager.adopt({ name: 'late', environments: ['env_b'], startMode: 'withMain' });
    expect(await manager.app('late')).toMatchObject({ uid, statuses: { env_b: { status: 'running' } } });
    const served = async () => (await info(fleet.supervisor, 'late')).status === 200;
    await waitFor(served, { timeout: 10_000, what: 'late being served' });
    expect(await orphans()).toBeUndefined();
    await sql('postgres', 'DROP DATABASE backup_of_supervisor WITH (FORCE)');
  });
});
