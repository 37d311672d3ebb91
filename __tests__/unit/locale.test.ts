import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import english from '../../src/locale/en-US.json';
import chinese from '../../src/locale/zh-CN.json';
import { ERROR_PARAMS } from '../../src/server/errors';
import { CHECKLIST_TEXTS } from '../../src/server/supervisor/checklist/checks';
import { MESSAGES } from '../../src/shared/message';
import { isEnglish } from '../support/english';

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
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  return keys;
}

/** Names of JSX attributes and of properties whose values people read. */
const SHOWN = /^(title|label|message|description|placeholder|alt|content|extra|tooltip|okText|cancelText|aria-label)$/;

/** Texts of a page that are written into its code and not translated. */
function untranslatedIn(file: string, text = readFileSync(file, 'utf8')): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) found.push(node.text);
    const isShown = (ts.isJsxAttribute(node) || ts.isPropertyAssignment(node)) && SHOWN.test(node.name.getText());
    if (isShown && node.initializer && ts.isStringLiteralLike(node.initializer)) found.push(node.initializer.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found.map((each) => each.trim()).filter((each) => isEnglish(each, []));
}

const files = ['ui', 'client', 'client-v2'].flatMap((folder) =>
  readdirSync(path.join(SOURCE, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => path.join(SOURCE, folder, file)),
);

/** By code, the names that its text needs: of the server's errors, of what it says besides, and of the checklist. */
const codes: Record<string, string> = { ...ERROR_PARAMS, ...MESSAGES, ...CHECKLIST_TEXTS };
const namesOf = (code: string) => codes[code].split(' ').filter(Boolean).sort();

const used = new Set([...files.flatMap(keysIn), ...Object.keys(codes).map((code) => `message.${code}`)]);
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();

/** i18next takes it where `count` is 1. Chinese has one form for all numbers. */
const ONE = '_one';
/** A number, and a plural after it. */
const COUNTED = /\{\{count\}\} [a-z]+s\b/;
/** Said of several only. */
const OF_SEVERAL = ['message.NOTICE_SEVERAL'];
const isForOne = (key: string) => key.endsWith(ONE);

describe('translations', () => {
  it('count one thing in the singular', () => {
    const counting = Object.keys(english).filter(
      (key) => !isForOne(key) && !OF_SEVERAL.includes(key) && COUNTED.test(english[key as keyof typeof english]),
    );
    expect(counting.length).toBeGreaterThan(10);
    expect(Object.keys(english).filter(isForOne)).toEqual(counting.map((key) => key + ONE));
    const plural = Object.entries(english).filter(([key, text]) => isForOne(key) && COUNTED.test(text));
    expect(plural).toEqual([]);
  });

  it('contain every sentence of the pages, and no other', () => {
    const known = Object.keys(english).filter((key) => !isForOne(key));
    expect({
      missing: [...used].filter((key) => !(key in english)),
      unused: known.filter((key) => !used.has(key)),
    }).toEqual({
      missing: [],
      unused: [],
    });
  });

  it('contain every text that people read: none is written into the code of a page', () => {
    const page = `<Alert message="Not found" description={t('Gone')}>Try again {count}</Alert>; notify({ title: 'Oh dear' })`;
    expect(untranslatedIn('page.tsx', page)).toEqual(['Not found', 'Try again', 'Oh dear']);
    expect(
      files.flatMap((file) => untranslatedIn(file).map((text) => `${path.relative(SOURCE, file)}: ${text}`)),
    ).toEqual([]);
  });

  it('contain the comma of a list, which differs', () => {
    const joining = files.filter((file) => /\.join\((['"`]), \1\)/.test(readFileSync(file, 'utf8')));
    expect(joining.map((file) => path.relative(SOURCE, file))).toEqual([]);
  });

  it('have the English sentences as in the code', () => {
    const sentences = Object.entries(english).filter(([key]) => !key.startsWith('message.') && !isForOne(key));
    expect(sentences.filter(([key, text]) => key !== text)).toEqual([]);
  });

  it('contain no code twice', () => {
    const all = [ERROR_PARAMS, MESSAGES, CHECKLIST_TEXTS].flatMap((each) => Object.keys(each));
    expect(all.filter((code, index) => all.indexOf(code) !== index)).toEqual([]);
  });

  it.each(Object.keys(codes))('%s: its text has the params of the code', (code) => {
    expect(placeholders(english[`message.${code}` as keyof typeof english])).toEqual(namesOf(code));
  });

  it('are complete in Chinese', () => {
    expect(Object.keys(chinese)).toEqual(Object.keys(english).filter((key) => !isForOne(key)));
    const untranslated = Object.entries(chinese).filter(
      ([, text]) =>
        !/\p{Script=Han}/u.test(text.replaceAll(/\{\{\w+\}\}/g, '')) &&
        /[A-Za-z]/.test(text.replaceAll(/\{\{\w+\}\}/g, '')),
    );
    expect(untranslated).toEqual([]);
  });

  it('have the same placeholders in both languages', () => {
    const differing = Object.entries(english).filter(
      ([key, text]) =>
        !isForOne(key) && placeholders(text).join() !== placeholders(chinese[key as keyof typeof chinese] ?? '').join(),
    );
    expect(differing).toEqual([]);
  });
});
