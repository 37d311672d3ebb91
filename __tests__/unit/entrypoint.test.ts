import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';

/** docker/entrypoint.sh, with programs in the place of those of the image. */

const folders: string[] = [];
let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-entrypoint-'));
  folders.push(folder);
  for (const made of ['nocobase/node_modules/@nocobase/app/dist/client', 'nocobase/storage', 'run', 'away', 'bin'])
    fs.mkdirSync(path.join(folder, made), { recursive: true });
  const files = [
    'nocobase/node_modules/@nocobase/app/dist/client/index.html.tpl',
    'away/worker.conf',
    'server.sed',
    'nocobase/storage/nocobase.conf',
  ];
  for (const file of files) fs.writeFileSync(path.join(folder, file), '');
  const script = fs.readFileSync(path.join(ROOT, 'docker/entrypoint.sh'), 'utf8');
  const here = script.replaceAll('/run/nocobase', `${folder}/run`).replaceAll(/(?<=[ "])\/app\//g, `${folder}/`);
  fs.writeFileSync(path.join(folder, 'entrypoint.sh'), here, { mode: 0o755 });
  program('node', 'exit 0');
  nocobase(60);
});
afterAll(() => {
  for (const each of folders) fs.rmSync(each, { recursive: true, force: true });
});

const program = (name: string, does: string) =>
  fs.writeFileSync(path.join(folder, 'bin', name), `#!/bin/sh\n${does}\n`, { mode: 0o755 });

/** Runs until it is told to end, or for this long. */
const nocobase = (seconds: number) => program('yarn', `case "$*" in *start*) exec sleep ${seconds} ;; esac`);

/** Runs it below a process that, as start.sh, ends it when it is told to. @returns what it says, and whether that was told */
async function run(): Promise<{ said: string; isEnded: boolean }> {
  const above = `trap 'kill $!; echo told; exit 0' TERM; ${folder}/entrypoint.sh & wait`;
  const env = { PATH: `${folder}/bin:${process.env.PATH}`, TMPDIR: path.join(folder, 'nocobase/storage/.tmp') };
  const child = spawn('sh', ['-c', above], { env, detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const isClosed = once(child, 'close');
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await once(child, 'exit');
  clearTimeout(late);
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
  // Only then everything is read that it has written.
  await isClosed;
  return { said, isEnded: said.includes('told') };
}

it.each([
  ['cannot start', 'exit 1'],
  ['is killed', 'sleep 0.1; kill -9 $$'],
])('ends the instance, and says why, when its nginx %s', async (_, does) => {
  program('nginx', `[ "$1" = -t ] || { ${does}; }`);
  const { said, isEnded } = await run();
  expect([said, isEnded]).toEqual([expect.stringContaining('nginx has ended'), true]);
});

it('goes on when its nginx has ended because it was told to', async () => {
  nocobase(1);
  program('nginx', 'exit 0');
  expect(await run()).toEqual({ said: '', isEnded: false });
});

it('ends it when its nginx cannot even be tried', async () => {
  program('nginx', 'echo "bind() failed" >&2; exit 1');
  const { said, isEnded } = await run();
  expect([said, isEnded]).toEqual(['bind() failed\n', false]);
});
