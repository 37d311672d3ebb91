import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Registration } from '../../src/shared/messages';
import { World } from '../simulation/world';

/** A Supervisor and a Worker with a Redis that loses the registration of the Worker. */

let world: World;
beforeEach(async () => {
  world = new World({
    ...{ seed: 1, supervisors: 1, environments: [1, 1], apps: 0, latency: 20, lost: 0, doubled: 0, failing: 0 },
    ...{ crashing: 0, hanging: 0, skew: 0, all: false, quietAt: 0, events: [] },
  });
  for (const slot of world.slots) world.start(slot);
  await passes(30_000);
});
afterEach(() => world.close());

const passes = (ms: number) => world.scheduler.run(world.scheduler.now + ms, () => false);

const registrations = () =>
  (world.redis.stores.leases as unknown as { registrations: Map<string, Registration> }).registrations;

it('invariant 1: is written again within 30 s', async () => {
  const former = registrations().get('env_a')!;
  registrations().delete('env_a');
  await passes(30_000);
  expect(registrations().get('env_a')).toEqual(former);
});

it('of a new holder is read, although that of the former one is there', async () => {
  const former = registrations().get('env_a')!;
  world.kill(world.environments[0].slots[0], 1_000);
  await passes(40_000);
  const { health, registration } = world.supervisors[0].process!.part.parts.observer.environment('env_a')!;
  expect(health).toBe('online');
  expect(registration?.epoch).toBeGreaterThan(former.epoch);
});
