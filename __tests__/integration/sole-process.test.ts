import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ensureSqliteDriver } from '../../scripts/lib/sqlite.mjs';
import { findOtherProcess } from '../../src/server/core/sole-process';

/** Which process has a main database that is a file: real processes, because the operating system drops their locks. */

const folder = mkdtempSync(path.join(tmpdir(), 'app-supervisor-sole-'));
const file = path.join(folder, 'main.sqlite');
const children: ChildProcess[] = [];
beforeAll(() => ensureSqliteDriver(console.log));
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const sqlite = (storage: string) => ({ options: { storage }, inDialect: () => true }) as never;

/** Takes a file in a process of its own; it says what it found, and stays until its input ends. */
async function take(storage: string, patience: number): Promise<{ child: ChildProcess; found: unknown }> {
  const program = `(async () => {
    const { findOtherProcess } = require('./src/server/core/sole-process');
    process.stdin.resume();
    const db = { options: { storage: ${JSON.stringify(storage)} }, inDialect: () => true };
    console.log(JSON.stringify({ found: await findOtherProcess(db, ${patience}) }));
  })()`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', program], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout! }), 'line');
  return { child, ...(JSON.parse(line) as { found: unknown }) };
}

async function end(child: ChildProcess, how: () => unknown): Promise<unknown> {
  const ended = once(child, 'exit');
  how();
  const [code, signal] = await ended;
  return signal ?? code;
}

it('is one, until it has ended, however it does', { timeout: 60_000 }, async () => {
  const first = await take(file, 0);
  expect(first.found).toBe(null);
  // Another file, and another name of the same one.
  const [other, second] = await Promise.all([
    take(path.join(folder, 'other.sqlite'), 0),
    take(path.join(folder, 'here', '..', 'main.sqlite'), 0),
  ]);
  expect([other.found, second.found]).toEqual([null, file]);
  expect(await findOtherProcess(sqlite(file), 0)).toBe(file);
  // A lock keeps no process alive.
  expect(await end(other.child, () => other.child.stdin!.end())).toBe(0);

  // Whoever comes while it ends waits for it.
  const next = take(file, 30_000);
  expect(await end(first.child, () => first.child.kill('SIGKILL'))).toBe('SIGKILL');
  expect((await next).found).toBe(null);
  expect(await findOtherProcess(sqlite(file), 0)).toBe(file);
  const { child } = await next;
  expect(await end(child, () => child.kill('SIGKILL'))).toBe('SIGKILL');

  // The main app is loaded anew in the same process.
  expect([await findOtherProcess(sqlite(file), 0), await findOtherProcess(sqlite(file), 0)]).toEqual([null, null]);
  expect(await findOtherProcess(sqlite(':memory:'), 0)).toBe(null);
});
