import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { readLoopNote } from '../../src/server/worker/apps/loop-note';

/** Real processes whose event loop stops, and the thread that watches it. */

const place = mkdtempSync(path.join(tmpdir(), 'loop-watch'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const LIMIT = 2_000;
const LONG = 60_000;

/** Works for two apps at the same time, in steps that take turns, until one of them stops the loop as `how` says. */
const program = (file: string, how: string) => `
  const { watchOwnLoop } = require('${ROOT}/src/server/worker/watchdog/loop-watch.ts');
  const { systemClock } = require('${ROOT}/src/server/core/system.ts');
  const work = watchOwnLoop({ limit: ${LIMIT}, file: ${JSON.stringify(file)}, clock: systemClock });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
  const node = (app) => ({ app, kind: 'node', type: 'json-query', node: '12', workflow: '3' });
  for (const app of ['guilty', 'other']) work.noteStart(app, 'uid of ' + app, 7);
  const { existsSync } = require('node:fs');
  console.log('begins');
  const other = async () => { for (;;) { await turn(); await work.run(node('other'), turn); } };
  void work.run({ app: 'other', kind: 'request' }, other);
  await work.runStart('guilty', async () => {
    setTimeout(() => { if ('${how}' === 'later') for (;;); }, 300);
    await turn();
  });
  const stop = {
    async loop() { for (;;); },
    async expression() { /^(a+)+$/.test('a'.repeat(60) + 'b'); },
    async promises() { for (;;) await null; },
    async system() { require('node:child_process').execSync('sleep 60'); },
    async full() { while (!existsSync('${path.dirname(file)}/go')) await turn(); for (;;); },
    async later() { await new Promise(() => undefined); },
    async busy() { for (let i = 0; i < 40; i++) { const end = performance.now() + 90; while (performance.now() < end); await turn(); } process.exit(0); },
  };
  await work.run(node('guilty'), async () => { await turn(); await stop['${how}'](); });
`;

function start(how: string, folder = place) {
  const file = path.join(folder, `${how}.json`);
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', `(async () => {${program(file, how)}})()`], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  const begun = new Promise((resolve) => child.stdout.once('data', resolve));
  const ended = new Promise<unknown>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  return { child, file, begun, ended, said: () => said };
}

describe('a process whose loop does not turn any more', () => {
  const NODE = { kind: 'node', type: 'json-query', node: '12', workflow: '3' };
  it.each([
    ['loop', NODE, 'at Object.loop'],
    ['expression', NODE, 'at RegExp.test'],
    ['promises', NODE, ''],
    ['system', NODE, ''],
    ['later', { kind: 'background' }, 'at Timeout'],
  ])('%s: is ended, and names the app', { timeout: LONG }, async (how, work, where) => {
    const { file, ended, said } = start(how);
    expect(await ended).toBe('SIGKILL');
    expect(readLoopNote(file)).toMatchObject({ uid: 'uid of guilty', boot: 7, work: { app: 'guilty', ...work } });
    expect(JSON.parse(readFileSync(file, 'utf8')).seconds).toBeGreaterThanOrEqual(LIMIT / 1_000);
    expect(said()).toContain('did not turn');
    expect(said()).toContain(where);
  });

  // A disk of its own needs root.
  it.skipIf(process.getuid?.() !== 0)('names the app on a disk that is full by then', { timeout: LONG }, async () => {
    const disk = mkdtempSync(path.join(place, 'disk'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const { file, begun, ended } = start('full', disk);
      await begun;
      await vi.waitFor(() => expect(statSync(file).size).toBeGreaterThan(0), { timeout: 10_000 });
      expect(() => writeFileSync(path.join(disk, 'data'), Buffer.alloc(2 ** 20))).toThrow('ENOSPC');
      writeFileSync(path.join(disk, 'go'), '');
      expect(await ended).toBe('SIGKILL');
      const guilty = { uid: 'uid of guilty', boot: 7, work: { app: 'guilty', ...NODE } };
      expect(readLoopNote(file)).toMatchObject(guilty);
      // The next process begins on the full disk.
      const note = readFileSync(file, 'utf8');
      writeFileSync(file, note.replaceAll('guilty', 'former'), { flag: 'r+' });
      const next = start('full', disk);
      await next.begun;
      expect(readLoopNote(file)).toMatchObject({ work: { app: 'former' } });
      expect(await next.ended).toBe('SIGKILL');
      expect(readLoopNote(file)).toMatchObject(guilty);
    } finally {
      execFileSync('umount', ['--lazy', disk]);
    }
  });
});

describe('a process whose loop turns', () => {
  it('is not ended, however busy it is', { timeout: LONG }, async () => {
    const { ended, file } = start('busy');
    expect(await ended).toBe(0);
    expect(readLoopNote(file)).toBeNull();
  });

  it('is not ended because it was stopped for longer, as on a machine that sleeps', { timeout: LONG }, async () => {
    const { child, begun, ended, file } = start('busy');
    await begun;
    child.kill('SIGSTOP');
    await sleep(LIMIT + 5_000);
    child.kill('SIGCONT');
    expect(await ended).toBe(0);
    expect(readLoopNote(file)).toBeNull();
  });
});
