import { afterAll, expect, it } from 'vitest';
import { Visitors } from '../support/door-compare';
import { tokenOf } from '../support/door-requests';
import { compareAll, WORLDS } from '../support/door-runs';
import { MAIN_SECRET, STRANGER, startWorld, type World } from '../support/door-world';

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

it('a token of main in the first field, which may be any, is left to the module', async () => {
  const world = await startWorld();
  started.push(world);
  const visitors = new Visitors(world);
  const fields: Array<[string, string]> = [
    ['X-Any', tokenOf('main', MAIN_SECRET)],
    ['Host', 'main.test'],
  ];
  const asked = { method: 'GET', target: '/api/__app/crm/users:list', fields, body: '', from: STRANGER, odd: [] };
  const found = [];
  for (const http2 of [false, true]) found.push(await visitors.compare(`first-${http2}`, { ...asked, http2 }));
  visitors.close();
  expect(found).toEqual([false, true].map(() => ({ outcome: 'left', different: [] })));
});
