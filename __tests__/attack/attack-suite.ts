import { afterAll, beforeAll, expect, it } from 'vitest';
import { sharedFleet } from '../setup/fleet';
import type { Attack } from './attacks';
import { attempt, attemptInputs } from './run';
import { Stage } from './stage';

/** What `npm run attack` tries, with inputs of another seed each time: through the door of the fleet, if it has one. */

export function attackSuite(attacks: Attack[]): void {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.begin(await sharedFleet());
  });
  afterAll(() => stage?.end());

  it.each(attacks.map((attack) => [`${attack.finding}: ${attack.title}`, attack] as const))('%s', async (_, attack) => {
    expect((await attempt(stage, attack)).through).toEqual([]);
  });

  it('inputs that a seed makes', async () => {
    const seed = Date.now() % 1_000_000;
    const outcomes = await attemptInputs(stage, seed, 240);
    expect(outcomes.flatMap(({ title, through }) => through.map((what) => `${title}: ${what}`))).toEqual([]);
  });
}
