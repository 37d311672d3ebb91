import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';

/** docs/regressions.md against the titles of the tests. */

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
/** An issue or pull request, an entry of the changelog, or a commit. */
const NUMBER = /#\d{4,5}\b|\bv\d+\.\d+\.\d+\b|\b[0-9a-f]{7}\b/g;

const [table, rest] = read('docs/regressions.md').split('## Without a test here');
const listed = [...table.matchAll(/^\| (\S+) \| [^|]+ \| (.+) \|$/gm)].flatMap(([, number, tests]) =>
  [...tests.matchAll(/\]\(\.\.\/__tests__\/(\S+)\) "([^"]+)"/g)].map(([, file, title]) => `${number} ${file} ${title}`),
);

/** Titles with numbers at their end, in brackets. */
const titled = readdirSync(path.join(ROOT, '__tests__'), { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll(path.sep, '/'))
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) =>
    [...read(`__tests__/${file}`).matchAll(/(['`])(.+) \(((?:[#v\d][^()'`]*)|[0-9a-f]{7})\)\1/g)].flatMap(
      ([, , title, numbers]) => (numbers.match(NUMBER) ?? []).map((number) => `${number} ${file} ${title}`),
    ),
  );

describe('docs/regressions.md', () => {
  it('has every test with a number, and a test for every number', () => {
    expect(titled.length).toBeGreaterThan(40);
    expect(listed.sort()).toEqual(titled.sort());
  });

  it('says why the others have no test, and lists no number twice', () => {
    const untested = [...rest.matchAll(/^\| ([#v\da-f. ]+) \| [^|]+ \| (.+) \|$/gm)];
    const numbers = untested.flatMap(([, cell]) => cell.match(NUMBER) ?? []);
    expect(numbers.length).toBeGreaterThan(0);
    expect(untested.filter(([, , why]) => why.length < 20)).toEqual([]);
    expect(numbers.filter((number) => listed.some((row) => row.startsWith(`${number} `)))).toEqual([]);
  });
});
