import { afterAll, beforeAll, expect, it } from 'vitest';
import { allowed, FLOODS, lineOfDenial, tryDenial } from '../attack/denial';
import { Stage } from '../attack/stage';
import { sharedFleet } from '../setup/fleet';

/** What `npm run attack -- --denial` measures. */

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.begin(await sharedFleet());
});
afterAll(() => stage?.end());

it.each(Object.entries(FLOODS))('%s: %s', async (kind) => {
  const denial = await tryDenial(stage.fleet, kind);
  console.log(lineOfDenial(denial));
  expect(denial.with).toBeLessThanOrEqual(allowed(denial));
});
