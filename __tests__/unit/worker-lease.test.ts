import { expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { Feed } from '../../src/server/feed';
import { workerLeases } from '../../src/server/lease/tables';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { createLease, type WorkerPartOptions } from '../../src/server/worker/services';
import { WorkerPart } from '../../src/server/worker/worker';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';

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
