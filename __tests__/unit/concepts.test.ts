import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { declaredIn, glossary, glossaryIn, linesOfCode } from '../../scripts/concepts';
import { ROOT } from '../../scripts/lib/root.mjs';

describe('the glossary', () => {
  const { concepts, others } = glossary();

  it('has nothing but concepts with the declaration that defines each, and each once', () => {
    expect(others).toEqual([]);
    expect(concepts.length).toBeGreaterThan(20);
    const names = concepts.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it.each(concepts)('$name is $symbol in $file', ({ symbol, file }) => {
    expect(existsSync(path.join(ROOT, file))).toBe(true);
    expect(declaredIn(readFileSync(path.join(ROOT, file), 'utf8'))).toContain(symbol);
  });

  it('has what became of each concept of before, as decision 9 says', () => {
    const page = readFileSync(path.join(ROOT, 'docs/decisions/0009-few-concepts.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (\d+) \| [^|]+ \| ([^|]+) \|$/gm)];
    expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: 77 }, (_, i) => i + 1));
    const names = concepts.map(({ name }) => name);
    expect(rows.flatMap(([, , now]) => (now === '*gone*' || names.includes(now) ? [] : [now]))).toEqual([]);
  });

  it('is read row by row', () => {
    const head = '## Terms\n\n| term | meaning | defined as |\n|---|---|---|\n';
    const page = `${head}| **one** | a, \`b\` | [\`One\`](../src/one.ts) |\n| **two** | c | nowhere |\n\n## Next\n`;
    expect(glossaryIn(page)).toEqual({
      concepts: [{ name: 'one', meaning: 'a, `b`', symbol: 'One', file: 'src/one.ts' }],
      others: ['| **two** | c | nowhere |'],
    });
  });

  it('takes declarations, and nothing that is only mentioned', () => {
    const text = "import { A } from 'a';\nexport class B { c = A; }\nexport const d = 1;\ntype E = B;\n// class F\n";
    expect(declaredIn(text)).toEqual(['B', 'd', 'E']);
  });
});

describe('lines of code', () => {
  it('are those with more than comments and white space', () => {
    const text =
      "/** Of\n * three\n */\n\nexport const a = 1; // one\n\n// none\nconst b = `x\ny`;\n/* no */ const c = '//';\n";
    expect(linesOfCode(text, 'x.ts')).toBe(4);
    expect(linesOfCode('--[[\n  head\n]]\n-- none\nlocal a = 1 -- one\n\nreturn a\n', 'x.lua')).toBe(2);
  });
});
