import { describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { formerSecrets } from '../../src/server/core/commands';
import { workerRoutes } from '../../src/server/core/routes';
import { Feed } from '../../src/server/feed';
import { workerLeases } from '../../src/server/lease/tables';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { RecordSealer, Secrets } from '../../src/server/protocol/secrets';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import { RoutingTable } from '../../src/server/proxy/table';
import { OneAppSnapshot } from '../../src/server/worker/apps/one-app-snapshot';
import { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import { createLease, type WorkerPartOptions } from '../../src/server/worker/services';
import { WorkerPart } from '../../src/server/worker/worker';
import { FakeClock } from '../support/clock';
import { FLEET_SECRET, keyringOf } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';
import { SeededRandom } from '../support/random';
import { bootQueueOf } from '../support/worker-boots';

const storesOf = (clock: FakeClock) => new MemoryStores({ clock, random: new SeededRandom(1), isAlone: false });

it('a Worker whose main app has ended goes by its last database, and gives the lease back there', async () => {
  const server = new MemoryDatabase(collections);
  const coreApps = new CoreAppRegistry({} as never);
  Object.assign(coreApps.apps, { main: { db: server.connect('one') } });
  const lease = createLease({
    coreApps,
    environment: { name: 'env_a', heartbeatInterval: 5_000 },
    only: null,
    instance: 'one',
    clock: new FakeClock(),
    log: recordedLog(),
  } as unknown as WorkerPartOptions);
  await lease.start();
  // As the core does before it tells anybody.
  delete coreApps.apps.main;
  expect(lease.leads).toBe(true);
  await lease.resign();
  expect(server.visible(workerLeases.name)[0].holder).toBeNull();
});

it('a Worker that ends before it has begun looks at its lease no more', async () => {
  const clock = new FakeClock();
  const coreApps = new CoreAppRegistry({} as never);
  Object.assign(coreApps.apps, { main: { db: new MemoryDatabase(collections).connect('one') } });
  const part = new WorkerPart({
    coreApps,
    environment: { name: 'env_a', heartbeatInterval: 5_000 },
    only: null,
    instance: 'one',
    stores: { returns: new Feed() },
    bus: { returns: new Feed() },
    clock,
    log: recordedLog(),
  } as unknown as WorkerPartOptions);
  part.watch();
  expect(clock.waiting).toBeGreaterThan(0);
  await part.stop();
  expect(clock.waiting).toBe(0);
});

/** A Worker that has begun a second ago, on the main database of its environment. */
async function worker(
  instance: string,
  server: MemoryDatabase,
  clock: FakeClock,
  stores = storesOf(clock),
  more: Partial<WorkerPartOptions> = {},
) {
  const coreApps = new CoreAppRegistry({} as never);
  Object.assign(coreApps.apps, { main: { db: server.connect(instance) } });
  const made = {
    /** Whether it answers what is asked of its environment. */
    isMine: () => true,
    routes: new RoutingTable(null),
    part: new WorkerPart({
      coreApps,
      host: { hosted: { refusals: new Feed(), losses: new Feed() }, serverRoles: async () => null },
      environment: { name: 'env_a', heartbeatInterval: 5_000 },
      only: null,
      bootQueue: bootQueueOf(clock),
      instance,
      stores,
      bus: {
        returns: new Feed(),
        onNotify: async () => undefined,
        serve: async (_: string, __: object, isMine: () => boolean) => void Object.assign(made, { isMine }),
      },
      hasFormer: async () => false,
      place: async () => 'here',
      clock,
      random: new SeededRandom(1),
      log: recordedLog(),
      ...more,
    } as unknown as WorkerPartOptions),
  };
  made.part.records.listen(() => workerRoutes(made.part)(made.routes));
  made.part.start();
  await clock.run(1_000);
  return made;
}

it('a Worker answers nothing that is asked of its environment while another process holds that', async () => {
  const clock = new FakeClock();
  const server = new MemoryDatabase(collections);
  const one = await worker('one', server, clock);
  const two = await worker('two', server, clock);
  expect([one.isMine(), two.isMine()]).toEqual([true, false]);
  await one.part.stop();
  await clock.run(10_000);
  expect(two.isMine()).toBe(true);
  await two.part.stop();
});

it('invariant 6: a Worker that begins without Redis serves the apps of its snapshot, and knows none before it has read it', async () => {
  const clock = new FakeClock();
  const server = new MemoryDatabase(collections);
  const main = { db: server.connect('before') } as never;
  await new SnapshotStore(main).save('crm', recordOf({ environments: ['env_a'], desired: 'onDemand' }), null);
  const stores = storesOf(clock);
  stores.records.read = stores.leases.announce = async () => {
    throw new Error('Redis is away.');
  };
  const one = await worker('one', server, clock, stores);
  expect([one.routes.loaded, one.routes.app('crm')?.name]).toEqual([true, 'crm']);
  const standby = await worker('two', server, clock, stores);
  expect(standby.routes.loaded).toBe(false);
  for (const { part } of [one, standby]) await part.stop();
});

describe('an environment that was forgotten', () => {
  const forgotten = async (record = recordOf({ environments: ['env_a'], desired: 'onDemand' })) => {
    const server = new MemoryDatabase(collections);
    const store = new SnapshotStore({ db: server.connect('before') } as never);
    const keyring = keyringOf();
    keyring.raise('env_a', 100);
    const sealed = new RecordSealer(keyring).seal('env_a', record);
    await store.save('crm', sealed, null);
    await store.saveHeader({ floor: 100, publicKey: null, removed: [] }, []);
    return { server, store, sealed, key: keyring.of('env_a')!.id };
  };

  it('has a standby that signs with its key, also if it is forgotten later', async () => {
    const { server, store, key } = await forgotten();
    const clock = new FakeClock();
    const one = await worker('one', server, clock);
    const keyring = keyringOf();
    const two = await worker('two', server, clock, storesOf(clock), { keyring });
    expect(keyring.of('env_a')?.id).toBe(key);
    await store.saveHeader({ floor: 200, publicKey: null, removed: [] }, []);
    await clock.run(60_000);
    expect([two.part.role, keyring.floorOf('env_a')]).toEqual(['challenger', 200]);
    for (const { part } of [two, one]) await part.stop();
  });

  it('has its secrets opened by commands, and by processes of one app', async () => {
    const { server, store, sealed } = await forgotten(recordOf({ environments: ['env_a'], jwtSecret: 'the secret' }));
    const keyring = keyringOf();
    const opened: string[] = [];
    const openBeside = async (newest: () => Promise<typeof sealed>) => {
      const record = await newest();
      opened.push(new Secrets(keyring, 'env_a').open(record.jwtSecret!, record, 'jwtSecret'));
    };
    const coreApps = { apps: { main: { db: server.connect('one') } } };
    const feeds = { stores: { returns: new Feed() }, bus: { returns: new Feed() } };
    const given = { coreApps, host: { openBeside }, environment: { name: 'env_a' }, keyring, clock: new FakeClock() };
    await new WorkerPart({ ...given, ...feeds } as unknown as WorkerPartOptions).openForCommand('crm', false);
    expect(opened).toEqual(['the secret']);
    expect(await new OneAppSnapshot(store, 'crm').loadHeader()).toEqual({ floor: 100, publicKey: null, removed: [] });
    const config = { part: 'worker', environment: { name: 'env_a' }, host: {}, oldAesKey: Buffer.from(FLEET_SECRET) };
    const former = await formerSecrets(config as never, store);
    expect(former.open(sealed.jwtSecret!, sealed, 'jwtSecret')).toBe('the secret');
  });
});
