import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT } from './lib/root.mjs';

/**
 * `npm run concepts`: how large the part is that decides who hosts and how a change rolls out, in lines of code and in concepts. The
 * concepts are the glossary of docs/architecture.md.
 */

/** Of src/server. `lease` was a part of the first two. */
const FOLDERS = ['supervisor', 'worker', 'protocol', 'databases', 'lease'];

/** A row of the glossary. */
export interface Concept {
  name: string;
  meaning: string;
  /** What defines it: a declaration in `file`, which is named from the root. */
  symbol: string;
  file: string;
}

const ROW = /^\| \*\*(?<name>[^|*]+)\*\* \| (?<meaning>[^|]+) \| \[`(?<symbol>\w+)`\]\(\.\.\/(?<file>[^)]+)\) \|$/;

/** @returns the rows of the table below the heading *Terms*, and its lines that are none */
export function glossaryIn(page: string): { concepts: Concept[]; others: string[] } {
  const section = /^## Terms\n(.*?)^## /ms.exec(page)?.[1] ?? '';
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  const found = rows.map((row) => ROW.exec(row)?.groups);
  const concepts = found.flatMap((row) => (row ? [{ ...row } as unknown as Concept] : []));
  return { concepts, others: rows.filter((_, i) => !found[i]) };
}

export const glossary = () => glossaryIn(readFileSync(path.join(ROOT, 'docs/architecture.md'), 'utf8'));

/** The names that a file declares at its top. */
export function declaredIn(text: string): string[] {
  const source = ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, false);
  return source.statements.flatMap((statement) => {
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ''));
    const named = statement as ts.Statement & { name?: ts.Node };
    return named.name && ts.isIdentifier(named.name) ? [named.name.text] : [];
  });
}

/** Lines that have more than white space and comments. */
export function linesOfCode(text: string, file: string): number {
  if (file.endsWith('.lua')) return luaLines(text);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  const lines = new Set<number>();
  const visit = (node: ts.Node) => {
    const children = node.getChildren(source).filter((child) => !ts.isJSDoc(child));
    for (const child of children) visit(child);
    if (children.length || node.getEnd() === node.getStart(source)) return;
    const lineAt = (at: number) => source.getLineAndCharacterOfPosition(at).line;
    // A template may have empty lines.
    for (let line = lineAt(node.getStart(source)); line <= lineAt(node.getEnd()); line++) lines.add(line);
  };
  visit(source);
  return lines.size;
}

const luaLines = (text: string): number =>
  text
    .replace(/--\[\[.*?\]\]/gs, '')
    .split('\n')
    .filter((line) => /^\s*(?!--)\S/.test(line)).length;

/** Lines of code by folder. */
export function sizes(): Map<string, number> {
  const linesIn = (folder: string): number => {
    const root = path.join(ROOT, 'src/server', folder);
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(ts|lua)$/.test(file));
    return files.reduce((sum, file) => sum + linesOfCode(readFileSync(path.join(root, file), 'utf8'), file), 0);
  };
  return new Map(FOLDERS.map((folder) => [folder, linesIn(folder)]));
}

function print(): void {
  const found = sizes();
  for (const [folder, lines] of found) console.log(`${String(lines).padStart(6)}  ${folder}/`);
  const all = [...found.values()].reduce((sum, lines) => sum + lines, 0);
  console.log(`${String(all).padStart(6)}  lines of code, without comments and blank lines\n`);
  const { concepts } = glossary();
  for (const { name, meaning, symbol, file } of concepts) console.log(`${name}: ${symbol} in ${file}\n    ${meaning}`);
  console.log(`\n${concepts.length} concepts`);
}

if (process.argv[1] === path.join(ROOT, 'scripts/concepts.ts')) print();
