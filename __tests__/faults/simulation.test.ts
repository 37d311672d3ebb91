import { describe, expect, it } from 'vitest';
import { holds, keptPlans } from '../simulation/holds';
import { planOf } from '../simulation/plan';

/** What `npm test` has no time for of simulated fleets (unit/simulation.test.ts). */

const SEEDS = Array.from({ length: 45 }, (_, i) => i + 16);

describe('a simulated fleet keeps what is promised', () => {
  it.each(SEEDS)('seed %i', async (seed) => {
    await holds(planOf(seed));
  });
});

describe('what judges a simulated fleet takes nothing for a defect that is none', () => {
  const plans = keptPlans(true);

  it('is shown by each plan that it once failed for', () => expect(plans.length).toBeGreaterThan(20));

  it.each(plans)('$cause', async ({ plan }) => {
    await holds(plan);
  });
});
