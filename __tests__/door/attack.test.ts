import { afterAll, beforeAll, expect, it } from 'vitest';
import { ATTACKS } from '../attack/attacks';
import { attempt, attemptInputs } from '../attack/run';
import { Stage } from '../attack/stage';
import { sharedFleet } from '../setup/fleet';

/** What `npm run attack` tries, through a door, with inputs of another seed each time. */

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.begin(await sharedFleet());
});
afterAll(() => stage?.end());

it.each(ATTACKS.map((attack) => [`${attack.finding}: ${attack.title}`, attack] as const))('%s', async (_, attack) => {
  expect((await attempt(stage, attack)).through).toEqual([]);
});

it('inputs that a seed makes', async () => {
  const seed = Date.now() % 1_000_000;
  const outcomes = await attemptInputs(stage, seed, 240);
  expect(outcomes.flatMap(({ title, through }) => through.map((what) => `${title}: ${what}`))).toEqual([]);
});
