import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attacks';
import { type Input, inputsOf, tryOne } from './inputs';
import type { Stage } from './stage';

export interface Outcome {
  finding: string;
  title: string;
  /** What got through, one sentence each. */
  through: string[];
}

/** Tries an attack, and looks afterwards whether anything is no longer as it was. */
export async function attempt(stage: Stage, { finding, title, run }: Attack): Promise<Outcome> {
  const through = await run(stage).catch((error: Error) => [`it could not be tried: ${error.message}`]);
  return { finding, title, through: [...through, ...(await stage.damage())] };
}

/** How many inputs are tried before the damage is looked for. */
const GROUP = 40;

/** Tries the inputs of a seed. @param only numbers of inputs, from 0 */
export async function attemptInputs(stage: Stage, seed: number, count: number, only?: number[]): Promise<Outcome[]> {
  const all = inputsOf(seed, count).map((input, index) => ({ input, index }));
  const chosen = only ? all.filter(({ index }) => only.includes(index)) : all;
  const outcomes: Outcome[] = [];
  for (let from = 0; from < chosen.length; from += GROUP) {
    const group = chosen.slice(from, from + GROUP);
    const through: string[] = [];
    for (const { input, index } of group) through.push(...(await tryNumbered(stage, input, index)));
    // Whatever was written for others to read is read by then.
    await sleep(1_500);
    through.push(...(await stage.damage()));
    const [first, last] = [group[0].index, group.at(-1)!.index];
    outcomes.push({ finding: 'generated', title: `inputs ${first} to ${last} of seed ${seed}`, through });
  }
  return outcomes;
}

async function tryNumbered(stage: Stage, input: Input, index: number): Promise<string[]> {
  const through = await tryOne(stage, input).catch((error: Error) => [`it could not be tried: ${error.message}`]);
  return through.map((what) => `input ${index}: ${what}`);
}
