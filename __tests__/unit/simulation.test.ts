import { describe, expect, it } from 'vitest';
import { watchLoop } from '../simulation/loop-writes';
import { describePlan, type Plan, planOf } from '../simulation/plan';
import regressions from '../simulation/regressions.json';
import { run } from '../simulation/run';

/** Whole fleets in virtual time; `npm run simulate` takes other seeds, and says more of one that fails. See docs/simulation.md. */

/** As many as fit into ten seconds of one core. */
const SEEDS = Array.from({ length: 25 }, (_, i) => i + 1);

/** Some in which it also asks for something itself. */
const TERMS = [8, 11, 14];

/** Fails with all that is needed to see what happened. */
async function holds(plan: Plan): Promise<void> {
  const { violation, journal } = await run(plan);
  if (!violation) return;
  expect.unreachable(`${violation.what}\n${describePlan(plan)}\n${journal.slice(-40).join('\n')}`);
}

describe('a simulated fleet keeps what is promised', () => {
  it.each(SEEDS)('seed %i', (seed) => holds(planOf(seed)));

  it.each(regressions)('$cause', ({ plan }) => holds({ all: false, hanging: 0, ...plan } as Plan));
});

describe('the control loop', () => {
  it.each(TERMS)('writes in its term only: seed %i', async (seed) => {
    watchLoop();
    await holds(planOf(seed));
  });
});

describe('a simulation', () => {
  it('is the same each time', async () => {
    const [one, other] = [await run(planOf(3)), await run(planOf(3))];
    expect([other.digest, other.events]).toEqual([one.digest, one.events]);
    expect((await run(planOf(4))).digest).not.toBe(one.digest);
  });
});
