import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { makePlan, type Plan, shortSize } from '../../scripts/chaos/plan';
import { ROOT } from '../../scripts/lib/root.mjs';

/** What a chaos run is to do is decided by its seed. */

async function planned(...args: string[]): Promise<Plan> {
  const command = ['--import', 'tsx', path.join(ROOT, 'scripts/chaos.ts'), '--plan', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT, maxBuffer: 16 << 20 });
  return JSON.parse(stdout);
}

describe('npm run chaos -- --plan', () => {
  it('prints as many rounds as have time to begin', async () => {
    expect((await planned('--seed', '1', '--minutes', '7')).rounds.length).toBe(3);
  });

  it('prints the run of npm test, too, the same for the same seed', async () => {
    const plan = await planned('--short', '--seed', '123');
    expect(plan).toEqual(makePlan(shortSize(123)));
    expect(plan).not.toEqual(makePlan(shortSize(124)));
  });
});
