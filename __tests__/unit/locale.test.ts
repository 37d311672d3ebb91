import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import english from '../../src/locale/en-US.json';
import chinese from '../../src/locale/zh-CN.json';

const SOURCE = path.resolve(import.meta.dirname, '../../src');

/** First arguments of `t()`, `this.t()`, `host.t()` and `key()`, the calls by which sentences become translation keys. */
function keysIn(file: string): string[] {
  const keys: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const { expression } = node;
      const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
      const [argument] = node.arguments;
      if ((name === 't' || name === 'key') && argument && ts.isStringLiteralLike(argument)) keys.push(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  return keys;
}

const files = ['ui', 'client', 'client-v2'].flatMap((folder) =>
  readdirSync(path.join(SOURCE, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => path.join(SOURCE, folder, file)),
);

/** `error.<CODE>` with the text of each coded error of the server, its `%name` as `{{name}}`. */
const errors = Object.fromEntries(
  [
    ...readFileSync(path.join(SOURCE, 'server/errors.ts'), 'utf8').matchAll(
      /^ {2}([A-Z_]+): \[\s*\d+,\s*'(.*?)',?\s*\],$/gms,
    ),
  ].map(([, code, text]) => [`error.${code}`, text.replace(/%(\w+)/g, '{{$1}}')]),
);

const used = new Set([...files.flatMap(keysIn), ...Object.keys(errors)]);
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();

describe('translations', () => {
  it('has every sentence that the pages show, and no other', () => {
    const known = Object.keys(english);
    expect({
      missing: [...used].filter((key) => !(key in english)),
      unused: known.filter((key) => !used.has(key)),
    }).toEqual({
      missing: [],
      unused: [],
    });
  });

  it('gives the English sentences as they stand in the code, and the errors as the server words them', () => {
    expect(Object.keys(errors).length).toBeGreaterThan(20);
    expect(english).toEqual(Object.fromEntries(Object.keys(english).map((key) => [key, errors[key] ?? key])));
  });

  it('is complete in Chinese', () => {
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
    const untranslated = Object.entries(chinese).filter(([, text]) => !/\p{Script=Han}/u.test(text));
    expect(untranslated).toEqual([]);
  });

  it('fills the same places in both languages', () => {
    const differing = Object.entries(english).filter(
      ([key, text]) => placeholders(text).join() !== placeholders(chinese[key as keyof typeof chinese] ?? '').join(),
    );
    expect(differing).toEqual([]);
  });
});
