import { expect, it } from 'vitest';
import { Visitors } from '../support/door-compare';
import { compareAll, WORLDS } from '../support/door-runs';
import { startWorld } from '../support/door-world';

/** As integration/door.requests.test.ts, fifty times as often. */
it.each(Object.entries(WORLDS))(
  '50,000 requests pass the door as the module: %s',
  async (_, { settings, seed }) => {
    const world = await startWorld(settings);
    const visitors = new Visitors(world);
    const { different, counted, taken } = await compareAll(world, visitors, seed + 10_000, 50_000);
    visitors.close();
    await world.stop();
    console.log(`taken by the rules: ${Math.round(100 * taken)} %`, counted);
    expect(different).toEqual([]);
    expect(taken).toBeGreaterThan(0.5);
  },
  60 * 60_000,
);
