import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { FAULT_PLANS } from '../simulation/fault-plans';
import { holds, keptPlans } from '../simulation/holds';
import { BOUNDS } from '../simulation/judge/bounds';
import { watchLoop } from '../simulation/loop-writes';
import { planOf } from '../simulation/plan';
import { packPlan, unpackPlan } from '../simulation/stored-plans';

/** Whole fleets in virtual time; `npm run simulate` takes other seeds, and says more of one that fails. See docs/simulation.md. */

/** As many as fit into fifteen seconds of one core; faults/simulation.test.ts has others. */
const SEEDS = Array.from({ length: 15 }, (_, i) => i + 1);

/** Some in which it also asks for something itself. */
const TERMS = [8, 11, 14];

/** One that is run twice, and another one. */
const [SAME, OTHER] = [3, 4];

/** The others are run below, and have to hold there. */
const HERE = SEEDS.filter((seed) => ![...TERMS, SAME, OTHER].includes(seed));

describe('a simulated fleet keeps what is promised', () => {
  it.each(HERE)('seed %i', async (seed) => {
    await holds(planOf(seed));
  });

  it.each(keptPlans(false))('$cause', async ({ plan }) => {
    await holds(plan);
  });
});

describe('a fault after which who hosts is decided anew', () => {
  it.each(Object.entries(FAULT_PLANS))('%s', async (_, { plan, shows, never }) => {
    const { journal } = await holds(plan);
    let from = 0;
    for (const line of shows) {
      const at = journal.slice(from).findIndex((one) => line.test(one));
      expect(at, `${line} in\n${journal.slice(from).join('\n')}`).not.toBe(-1);
      from += at + 1;
    }
    expect(journal.filter((line) => never?.test(line))).toEqual([]);
  });

  it('is in the table of docs/simulation.md, with a test on real servers that there is', async () => {
    const docs = await readFile(path.join(ROOT, 'docs/simulation.md'), 'utf8');
    const rows = [
      ...docs.matchAll(/^\| [^|]+ \| (?:"([^"]+)"|none: [^|]+) \| \[[^\]]+\]\(\.\.\/([^)]+)\) "([^"]+)" \|$/gm),
    ];
    expect(rows.flatMap(([, plan]) => plan ?? [])).toEqual(Object.keys(FAULT_PLANS));
    for (const [, , file, title] of rows) expect(await readFile(path.join(ROOT, file), 'utf8'), title).toContain(title);
  });
});

describe('the judge', () => {
  it('holds a fleet to the times that docs/invariants.md promises', async () => {
    const docs = await readFile(path.join(ROOT, 'docs/invariants.md'), 'utf8');
    const promised = [...docs.matchAll(/^\| `(\w+)` \| (\d+) s \|/gm)].map(([, name, s]) => [name, Number(s) * 1_000]);
    expect(Object.fromEntries(promised)).toEqual(BOUNDS);
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

// Last: a run takes half as much time again once the loop is watched.
describe('the control loop', () => {
  it.each(TERMS)('writes in its term only: seed %i', async (seed) => {
    watchLoop();
    await holds(planOf(seed));
  });
});
