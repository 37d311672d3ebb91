import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Manifests } from '../../src/server/core/manifests';
import { systemClock } from '../../src/server/core/system';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { Secrets } from '../../src/server/protocol/secrets';
import { manifestItemOf } from '../support/fixtures';
import { KEY, SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A Worker that has the key of its environment and no other (`APP_SUPERVISOR_ENVIRONMENT_KEY`), beside one that has all. */

const keyring = new Keyring({
  fleetKey: null,
  environment: { name: 'env_a', key: environmentKeyOf(fleetKeyOf(KEY), 'env_a') },
  atRest: null,
});
let fleet: SmallFleet;
let supervisor: SupervisorProcess;
let worker: WorkerProcess;
let other: WorkerProcess;
beforeAll(async () => {
  fleet = await SmallFleet.start('separated', { wakeUps: true });
  [supervisor, other] = await fleet.begin('env_b');
  worker = await fleet.worker('env_a', { keyring });
  await until('env_a', () => supervisor.health('env_a') === 'online');
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
  await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b'] }));
});
afterAll(() => fleet?.stop());

describe('a Worker with the key of its environment alone', () => {
  it('hosts its apps as any other, and is told of by the checklist', () => {
    expect(supervisor.shows('crm')).toBe('env_a running');
    expect(worker.runs).toEqual(['crm']);
    expect(supervisor.parts.environmentCache.registrationOf('env_a')).toMatchObject({ signs: true, hasOwnKey: true });
    expect(supervisor.parts.view.environmentRows().flatMap(({ warnings }) => warnings)).toEqual([]);
  });

  it('opens the secrets of its apps', async () => {
    const record = worker.host.running.get('crm')!;
    expect(new Secrets(keyring, 'env_a').open(record.jwtSecret!, record, 'jwtSecret')).toHaveLength(43);
  });

  it('answers requests', async () => {
    const answer = supervisor.wire.bus.request('env_a', 'nothing', {}, 30_000);
    await expect(answer).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  });

  it('knows the index of all apps', async () => {
    await until('The index', () => worker.part.appIndex.uidOf('shop'));
    expect(worker.part.appIndex.supervisor).not.toBeNull();
  });

  it('invariant 13: reads and writes nothing of another environment', async () => {
    const { stores, bus } = worker.wire;
    expect(await stores.records.readNamed('env_b', ['shop'])).toMatchObject({ records: [] });
    expect(await stores.statuses.read('env_b')).toEqual([]);
    expect((await stores.fleet.poll()).environments.get('env_b')?.lease).toBeNull();
    await expect(bus.request('env_b', 'nothing', {}, 1_000)).rejects.toThrow('env_b');
    // Nobody wrote anything wrong: what it cannot check is no matter.
    expect(worker.log.at('warn').filter((line) => line.includes('is ignored'))).toEqual([]);
  });

  it('sets items of manifests on its apps, which count for all once the Supervisor has written them; on others it sets none', async () => {
    const accepts = (environment: string, app: string) =>
      supervisor.part.app(app)?.environments.includes(environment) ?? false;
    const manifests = new Manifests({
      store: supervisor.wire.stores.manifests,
      main: () => ({ db: supervisor.db }),
      uidOf: (name) => supervisor.part.app(name)?.uid,
      hasMain: true,
      accepts,
      clock: systemClock,
      log: supervisor.log,
    });
    const items = ['crm', 'shop'].map((app) => manifestItemOf({ app, uid: supervisor.part.app(app)!.uid }));
    await worker.wire.stores.manifests.write(items);
    expect((await other.wire.stores.manifests.read(''))?.items).toEqual([]);
    await manifests.round();
    await manifests.round();
    const read = async ({ wire }: WorkerProcess) =>
      (await wire.stores.manifests.read(''))?.items.map(({ app, at, value }) => ({ app, at, value }));
    const [crm] = items;
    for (const each of [worker, other])
      expect(await read(each)).toEqual([{ app: 'crm', at: crm.at + 1, value: crm.value }]);
    await manifests.forget(crm.uid, supervisor.parts.leadership.term);
    expect((await supervisor.wire.stores.manifests.read(''))?.offered).toMatchObject([{ item: { app: 'shop' } }]);
  });
});
