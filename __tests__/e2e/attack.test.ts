import { afterAll, beforeAll, expect, it } from 'vitest';
import { FIRST } from '../attack/attacks';
import { attempt } from '../attack/run';
import { Stage } from '../attack/stage';
import { sharedFleet } from '../setup/fleet';

/** The first attacks of `npm run attack`; all of them, through a door, in door/attack.test.ts. */

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.begin(await sharedFleet());
});
afterAll(() => stage?.end());

it('they are twenty', () => {
  expect(FIRST).toHaveLength(20);
});

it.each(FIRST.map((attack) => [`${attack.finding}: ${attack.title}`, attack] as const))('%s', async (_, attack) => {
  expect((await attempt(stage, attack)).through).toEqual([]);
});
