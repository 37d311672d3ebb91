import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Registration } from '../../src/shared/messages';
import { World } from '../simulation/world';

/** A Supervisor and a Worker with a Redis whose replica takes over without the registration of the Worker. */

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
  (world.redis.stores.fleet as unknown as { registrations: Map<string, Registration> }).registrations;

const shown = () => {
  const { health, registration } = world.supervisors[0].process!.part.parts.observer.environment('env_a')!;
  return { health, epoch: registration?.epoch };
};

it('is written again, so that a new holder is not hidden for ever', async () => {
  const former = registrations().get('env_a')!;
  let lost = 0;
  world.redis.onCommand = (method, [written]) => {
    if (method !== 'fleet.writeRegistration' || (written as Registration).epoch === former.epoch || lost) return;
    registrations().delete('env_a');
    lost++;
  };
  world.kill(world.environments[0].slots[0], 1_000);
  await passes(25_000);
  expect(lost).toBe(1);
  expect(shown()).toEqual({ health: 'down', epoch: former.epoch });
  await passes(40_000);
  expect(shown().health).toBe('online');
  expect(shown().epoch).toBeGreaterThan(former.epoch);
});

it('is written again as soon as Redis has lost it, and read only afterwards', async () => {
  registrations().delete('env_a');
  await passes(35_000);
  expect(registrations().get('env_a')).toMatchObject({ name: 'env_a' });
  const writes: string[] = [];
  world.redis.onCommand = (method) => method === 'fleet.writeRegistration' && writes.push(method);
  await passes(90_000);
  expect(writes).toEqual([]);
});

it('of another process, which took over while this one was frozen, stays', async () => {
  const former = registrations().get('env_a')!;
  const later = { ...former, epoch: former.epoch + 1 };
  registrations().set('env_a', later);
  await passes(90_000);
  expect(registrations().get('env_a')).toEqual(later);
});
