import { describe, expect, it } from 'vitest';
import { watchLoop } from '../simulation/loop-writes';
import { describePlan, type Plan, planOf } from '../simulation/plan';
import regressions from '../simulation/regressions.json';
import { type Outcome, run } from '../simulation/run';
import { packPlan, unpackPlan } from '../simulation/stored-plans';

/** Whole fleets in virtual time; `npm run simulate` takes other seeds, and says more of one that fails. See docs/simulation.md. */

/** As many as fit into ten seconds of one core. */
const SEEDS = Array.from({ length: 25 }, (_, i) => i + 1);

/** Some in which it also asks for something itself. */
const TERMS = [8, 11, 14];

/** One that is run twice, and another one. */
const [SAME, OTHER] = [3, 4];

/** The others are run below, and have to hold there. */
const HERE = SEEDS.filter((seed) => ![...TERMS, SAME, OTHER].includes(seed));

/** Fails with all that is needed to see what happened. */
async function holds(plan: Plan): Promise<Outcome> {
  const outcome = await run(plan);
  const { violation, journal } = outcome;
  if (!violation) return outcome;
  return expect.unreachable(`${violation.what}\n${describePlan(plan)}\n${journal.slice(-40).join('\n')}`);
}

describe('a simulated fleet keeps what is promised', () => {
  it.each(HERE)('seed %i', async (seed) => {
    await holds(planOf(seed));
  });

  it.each(regressions)('$cause', async ({ plan }) => {
    await holds({ all: false, hanging: 0, ...plan } as Plan);
  });
});

describe('the control loop', () => {
  it.each(TERMS)('writes in its term only: seed %i', async (seed) => {
    watchLoop();
    await holds(planOf(seed));
  });
});

describe('a simulation', () => {
  it('runs plans that were written into a file as those that are drawn', () => {
    for (const seed of SEEDS) expect(unpackPlan(packPlan(planOf(seed)))).toEqual(planOf(seed));
  });

  it('is the same each time', async () => {
    const [one, other] = [await holds(planOf(SAME)), await holds(planOf(SAME))];
    expect([other.digest, other.events]).toEqual([one.digest, one.events]);
    expect((await holds(planOf(OTHER))).digest).not.toBe(one.digest);
  });
});
