import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';

/** Compiled code that NocoBase processes of a fleet share (scripts/fleet/compiled.cjs). */

const folder = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'compiled-')));
const put = (name: string, text: string) => fs.writeFileSync(path.join(folder, name), text);

/** Loads main.cjs in a process of its own; `native` are the files that Node itself compiled. */
function load(begin: string, end = ''): { native: string[]; answer: unknown } {
  const script = `
    const Module = require('node:module');
    const compile = Module.prototype._compile;
    const native = [];
    Module.prototype._compile = function (content, filename, ...rest) {
      native.push(require('node:path').basename(filename));
      return compile.call(this, content, filename, ...rest);
    };
    const { use, record } = require(${JSON.stringify(path.join(ROOT, 'scripts/fleet/compiled.cjs'))});
    native.length = 0;
    const file = ${JSON.stringify(path.join(folder, 'cache/compiled'))};
    ${begin}
    require(${JSON.stringify(path.join(folder, 'main.cjs'))}).then((answer) => {
      ${end}
      console.log(JSON.stringify({ native, answer }));
    });`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

beforeAll(() => {
  put('imports.cjs', `exports.load = () => import('./other.mjs');`);
  put('part.cjs', 'exports.value = 1;');
  put('other.mjs', 'export const value = 2;');
  put('broken.cjs', 'exports.value = ;');
  put(
    'main.cjs',
    `const part = require('./part.cjs');
    const attempt = () => { try { require('./broken.cjs'); } catch (error) { return error.name; } };
    module.exports = (async () => ({
      part: part.value,
      imported: (await require('./imports.cjs').load()).value,
      resolved: require.resolve('./part.cjs') === module.children[0].filename,
      here: [__filename, __dirname, this === exports],
      broken: attempt(),
      column: new Error().stack.split('\\n')[1].match(/:(\\d+:\\d+)/)[1],
    }))();`,
  );
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('code that was compiled before', () => {
  it('does the same, and is not compiled again', () => {
    const plain = load('');
    expect(plain.native).toEqual(['main.cjs', 'part.cjs', 'imports.cjs', 'broken.cjs']);
    expect(plain.answer).toMatchObject({ part: 1, imported: 2, resolved: true, broken: 'SyntaxError' });
    expect(load('const write = record(file);', 'write();').answer).toEqual(plain.answer);
    expect(load('use(file);')).toEqual({ native: ['imports.cjs', 'broken.cjs'], answer: plain.answer });
  });

  it('is compiled by Node where its text has changed, also if its length has not', () => {
    put('part.cjs', 'exports.value = 3;');
    const { native, answer } = load('use(file);');
    expect([native, answer]).toEqual([['part.cjs', 'imports.cjs', 'broken.cjs'], expect.objectContaining({ part: 3 })]);
  });
});
