import { expect, it } from 'vitest';
import { check } from '../../scripts/chaos/check';
import { makePlan, shortSize } from '../../scripts/chaos/plan';
import { report } from '../../scripts/chaos/report';
import { run } from '../../scripts/chaos/run';
import { recordingsOf } from '../../scripts/fleet/process-recorder';
import { sharedFleet } from '../setup/fleet';

/** `npm run chaos -- --short` on the fleet of these tests, always by the same plan: one that kills the Worker, Redis and the Supervisor. */
const SEED = 123;

it('random changes and harms break no rule', async () => {
  const fleet = await sharedFleet();
  const history = await run({
    fleet,
    recordings: recordingsOf(fleet.config.name),
    seed: SEED,
    plan: makePlan(shortSize(SEED)),
    untouched: { app: 'untouched', environment: 'env_b' },
    print: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
  });
  const violations = check(history);
  console.log(report(history, violations));
  expect(violations).toEqual([]);
  // It has not held for want of anything to hold against.
  expect(history.asked.filter(({ id }) => id).length).toBeGreaterThan(7);
  expect(history.harms.filter(({ harm }) => harm === 'kill').length).toBeGreaterThan(2);
}, 600_000);
