import { afterAll, expect, it } from 'vitest';
import { Visitors } from '../support/door-compare';
import { compareAll, WORLDS } from '../support/door-runs';
import { startWorld, type World } from '../support/door-world';

/**
 * One truth: what the door takes reaches the same Worker with the same request, and gets the same answer, as through the module; the rest
 * comes to the module as it was sent, or is refused. `__tests__/faults/door.requests.test.ts` asks 100,000 times.
 */

const started: World[] = [];
afterAll(async () => {
  for (const world of started) await world.stop();
});

it.each(Object.entries(WORLDS))('1,000 requests pass the door as the module: %s', async (_, { settings, seed }) => {
  const world = await startWorld(settings);
  started.push(world);
  const visitors = new Visitors(world);
  const { different, counted, taken } = await compareAll(world, visitors, seed, 1_000);
  visitors.close();
  console.log(`taken by the rules: ${Math.round(100 * taken)} %`, counted);
  expect(different).toEqual([]);
  expect(taken).toBeGreaterThan(0.5);
  expect(counted['refused as a browser sends it']).toBeUndefined();
});
