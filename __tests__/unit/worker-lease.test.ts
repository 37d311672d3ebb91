import { expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { Feed } from '../../src/server/feed';
import { workerLeases } from '../../src/server/lease/tables';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import { createLease, type WorkerPartOptions } from '../../src/server/worker/services';
import { WorkerPart } from '../../src/server/worker/worker';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';
import { SeededRandom } from '../support/random';

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

it('a Worker answers nothing that is asked of its environment while another process holds that', async () => {
  const clock = new FakeClock();
  const server = new MemoryDatabase(collections);
  const asked: Array<() => boolean> = [];
  const part = async (instance: string) => {
    const coreApps = new CoreAppRegistry({} as never);
    Object.assign(coreApps.apps, { main: { db: server.connect(instance) } });
    const made = new WorkerPart({
      coreApps,
      host: { hosted: { refusals: new Feed(), losses: new Feed() }, serverRoles: async () => null },
      environment: { name: 'env_a', heartbeatInterval: 5_000 },
      only: null,
      instance,
      stores: new MemoryStores({ clock, random: new SeededRandom(1), isAlone: false }),
      bus: {
        returns: new Feed(),
        onNotify: async () => undefined,
        serve: async (_: string, __: object, isMine: () => boolean) => void asked.push(isMine),
      },
      hasFormer: async () => false,
      place: async () => 'here',
      clock,
      random: new SeededRandom(1),
      log: recordedLog(),
    } as unknown as WorkerPartOptions);
    made.start();
    await clock.run(1_000);
    return made;
  };
  const one = await part('one');
  const two = await part('two');
  expect(asked.map((isMine) => isMine())).toEqual([true, false]);
  await one.stop();
  await clock.run(10_000);
  expect(asked[1]()).toBe(true);
  await two.stop();
});
