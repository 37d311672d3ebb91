import { expect } from 'vitest';
import { describePlan, type Plan } from './plan';
import regressions from './regressions.json';
import { type Outcome, run } from './run';

/** Fails with all that is needed to see what happened. */
export async function holds(plan: Plan): Promise<Outcome> {
  const outcome = await run(plan);
  const { violation, journal } = outcome;
  if (!violation) return outcome;
  return expect.unreachable(`${violation.what}\n${describePlan(plan)}\n${journal.slice(-40).join('\n')}`);
}

/** Kept plans by their cause: those that show a defect of the product, or those that show one of what judges it. */
export const keptPlans = (isOfJudge: boolean): Array<{ cause: string; plan: Plan }> =>
  regressions
    .filter((kept) => Boolean(kept.ofJudge) === isOfJudge)
    .map(({ cause, plan }) => ({ cause, plan: { all: false, hanging: 0, ...plan } as Plan }));
