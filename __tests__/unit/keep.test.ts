import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { keep, restartDelay } from '../../scripts/fleet/keep';
import { Part } from '../../scripts/fleet/part';

/** How `npm start` keeps its parts running, with real processes and no real pauses. */
const folder = fs.mkdtempSync(path.join(tmpdir(), 'keep-'));
const parts: Part[] = [];
let abort = new AbortController();

/** @param script of a shell; the part is ready as soon as it has written "ready" */
function partOf(script: string): Part {
  const logFile = path.join(folder, `${parts.length}.log`);
  const part: Part = new Part({
    name: 'Worker env_a',
    logFile,
    command: () => ({ program: 'sh', args: ['-c', script] }),
    ready: async () => part.logTail().includes('ready'),
    readyWithin: 10_000,
    readyEvery: 10,
    stopSignal: 'SIGTERM',
    stopWithin: 1_000,
  });
  parts.push(part);
  return part;
}

const pause = (_: number, signal: AbortSignal) => sleep(1, undefined, { signal });

/** Keeps it until this many lines were said. */
async function linesOf(part: Part, count: number, restart = true): Promise<string[]> {
  const said: string[] = [];
  const signal = abort.signal;
  const keeping = keep(part, { restart, signal, pause, print: (line) => said.push(line) });
  await vi.waitFor(() => expect(said.length).toBeGreaterThanOrEqual(count), { timeout: 20_000, interval: 1 });
  abort.abort();
  await keeping;
  return said.slice(0, count);
}

afterEach(async () => {
  abort.abort();
  abort = new AbortController();
  for (const part of parts) await part.kill();
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

it('waits 5 s before a restart, twice as long after each consecutive exit, and at most a minute', () => {
  expect([1, 2, 3, 4, 5, 6, 100].map((ends) => restartDelay(ends, 5_000))).toEqual([
    5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000,
  ]);
});

it('says how a part has ended, and restarts it', async () => {
  const part = partOf('echo ready; sleep 60');
  await part.start();
  process.kill(part.pid!, 'SIGKILL');
  expect(await linesOf(part, 2)).toEqual([
    'Worker env_a ended (SIGKILL); starting it again in 5 s',
    'Worker env_a runs again',
  ]);
  expect(part.running).toBe(true);
});

it('waits longer after each consecutive exit, and says so', async () => {
  const part = partOf('echo ready; sleep 0.5; exit 3');
  await part.start();
  expect(await linesOf(part, 5)).toEqual([
    'Worker env_a ended (exit code 3); starting it again in 5 s',
    'Worker env_a runs again',
    'Worker env_a ended (exit code 3), 2 times in a row; starting it again in 10 s',
    'Worker env_a runs again',
    'Worker env_a ended (exit code 3), 3 times in a row; starting it again in 20 s',
  ]);
});

it('shows the log of a part that does not start again, and keeps trying', async () => {
  const mark = path.join(folder, 'started-once');
  const part = partOf(`if [ -e "${mark}" ]; then echo no port; exit 1; fi; touch "${mark}"; echo ready; sleep 60`);
  await part.start();
  process.kill(part.pid!, 'SIGKILL');
  const refused = expect.stringMatching(/^Worker env_a ended while it was starting\.\n {2}\| no port\nLog: /);
  expect(await linesOf(part, 5)).toEqual([
    'Worker env_a ended (SIGKILL); starting it again in 5 s',
    refused,
    'Worker env_a did not start, 2 times in a row; starting it again in 10 s',
    refused,
    'Worker env_a did not start, 3 times in a row; starting it again in 20 s',
  ]);
});

it('does not restart a part that somebody stops', async () => {
  const part = partOf('echo ready; exec sleep 60');
  await part.start();
  const said: string[] = [];
  const keeping = keep(part, { restart: true, signal: abort.signal, pause, print: (line) => said.push(line) });
  for (let i = 0; i < 20; i++) await part.restart();
  await part.stop();
  abort.abort();
  await keeping;
  expect(said).toEqual([]);
  expect(part.running).toBe(false);
});

it('says that a part stays down if restarts are disabled', async () => {
  const part = partOf('echo ready; sleep 60');
  await part.start();
  process.kill(part.pid!, 'SIGKILL');
  expect(await linesOf(part, 1, false)).toEqual(['Worker env_a ended (SIGKILL); it stays down (--no-restart)']);
  expect(part.running).toBe(false);
});
