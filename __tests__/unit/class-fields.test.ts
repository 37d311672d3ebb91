import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';

/** biome counts the lines of files and functions; the fields of a class are counted here. */
const MOST = 15;
/** Before a class, with the reason behind it: it reads better with more fields. */
const EXCEPTION = /\bmore than 15 fields: \S/;

/** Classes with too many fields. Parameters of a constructor that are fields count. */
function tooLarge(file: string, text: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node): void => {
    if (ts.isClassLike(node)) {
      const count = node.members.reduce((sum, member) => sum + fieldsOf(member), 0);
      const comments = text.slice(node.getFullStart(), node.getStart());
      if (count > MOST && !EXCEPTION.test(comments))
        found.push(`${file}: ${node.name?.text ?? 'a class'} has ${count} fields`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function fieldsOf(member: ts.ClassElement): number {
  if (ts.isPropertyDeclaration(member)) return 1;
  if (!ts.isConstructorDeclaration(member)) return 0;
  return member.parameters.filter((parameter) => ts.isParameterPropertyDeclaration(parameter, member)).length;
}

describe('classes', () => {
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i} = 0;`).join(' ');

  it('are told by fields and by parameters that are fields, unless a comment before them says why', () => {
    expect(tooLarge('x.ts', `class A { ${fields(15)} }`)).toEqual([]);
    expect(tooLarge('x.ts', `class A { ${fields(16)} }`)).toEqual(['x.ts: A has 16 fields']);
    const withParameters = `class A { ${fields(14)} constructor(readonly a: 1, private b: 2, c: 3) {} method() {} }`;
    expect(tooLarge('x.ts', withParameters)).toEqual(['x.ts: A has 16 fields']);
    expect(tooLarge('x.ts', `/** More. It has more than 15 fields: a key each. */\nclass A { ${fields(16)} }`)).toEqual(
      [],
    );
    expect(tooLarge('x.ts', `/** It has more than 15 fields */\nclass A { ${fields(16)} }`)).toHaveLength(1);
  });

  it('have 15 fields at most', () => {
    const files = ['src', 'scripts', 'bench'].flatMap((folder) =>
      readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.tsx?$/.test(file))
        .map((file) => path.join(folder, file)),
    );
    expect(files.length).toBeGreaterThan(200);
    expect(files.flatMap((file) => tooLarge(file, readFileSync(path.join(ROOT, file), 'utf8')))).toEqual([]);
  });
});
