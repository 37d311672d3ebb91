import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ATTACKS, FIRST } from '../attack/attacks';
import { type Input, inputsOf } from '../attack/inputs';
import { attempt } from '../attack/run';
import type { Stage } from '../attack/stage';

/** `npm run attack`, apart from the fleet. */

describe('the table of attacks', () => {
  it('has every finding that can be tried from outside, and twenty for npm test', () => {
    const findings = new Set(ATTACKS.map(({ finding }) => finding));
    const all = Array.from({ length: 26 }, (_, index) => `S${index + 1}`);
    expect(all.filter((finding) => !findings.has(finding))).toEqual([]);
    expect(new Set(ATTACKS.map(({ title }) => title)).size).toBe(ATTACKS.length);
    expect(FIRST).toHaveLength(20);
  });
});

describe('docs/threat-model.md', () => {
  const text = fs.readFileSync(path.join(ROOT, 'docs/threat-model.md'), 'utf8');
  const table = text.slice(text.indexOf('## What `npm run attack` tries'));
  const firstCells = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => cell.split(', '));
  const named = firstCells.flatMap((name) => {
    const [, letter, from, to] = /^([A-Z])(\d+) to [A-Z](\d+)$/.exec(name) ?? [];
    return letter
      ? Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => `${letter}${Number(from) + index}`)
      : name;
  });

  it('names each finding that is tried, and no other', () => {
    expect([...new Set(ATTACKS.map(({ finding }) => finding))].sort()).toEqual(
      named.filter((name) => !['finding', '---'].includes(name)).sort(),
    );
  });
});

describe('an attack', () => {
  const stage = (damage: string[]) => ({ damage: async () => damage }) as unknown as Stage;
  const tried = (run: () => Promise<string[]>, damage: string[] = []) =>
    attempt(stage(damage), { finding: 'S1', title: 'x', run });

  it('got through if it says so, if it left damage, and if it could not be tried', async () => {
    expect((await tried(async () => [])).through).toEqual([]);
    expect((await tried(async () => ['in'])).through).toEqual(['in']);
    expect((await tried(async () => [], ['an app is gone'])).through).toEqual(['an app is gone']);
    const failed = await tried(async () => Promise.reject(new Error('no fleet')));
    expect(failed.through).toEqual(['it could not be tried: no fleet']);
  });
});

describe('the inputs of a seed', () => {
  it('are the same each time, others of another seed, and of every kind', () => {
    const inputs = inputsOf(1, 240);
    expect(inputs).toEqual(inputsOf(1, 240));
    expect(inputs).not.toEqual(inputsOf(2, 240));
    expect(new Set(inputs.map((input) => JSON.stringify(input))).size).toBeGreaterThan(200);
    const kinds: Record<Input['kind'], true> = {
      spelling: true,
      smuggling: true,
      visit: true,
      path: true,
      rubbish: true,
      input: true,
    };
    expect(new Set(inputs.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  });

  it('begin with those of a shorter run, so that one can be tried again by its number', () => {
    expect(inputsOf(7, 240).slice(0, 20)).toEqual(inputsOf(7, 20));
  });
});
