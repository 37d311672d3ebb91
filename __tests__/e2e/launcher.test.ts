import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, HOST, waitFor } from '../../scripts/fleet';
import { FLEETS } from '../../scripts/fleet/config';
import { isAlive, signal } from '../../scripts/fleet/processes';
import { FleetState } from '../../scripts/fleet/state';
import { makeClone } from '../support/clone';

/**
 * `npm start` as a user meets it, in shared-memory mode: the smallest fleet. It runs in a clone like one in root's home:
 * in a folder that no other user may enter. The path has what shells, drivers and configuration files trip over.
 */
interface Run {
  process: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

const NAME = 'launcher-test';
/** On the same file system, for its hard links. */
const CLOSED = path.join(FLEETS, 'nur für root');
const CLONE = path.join(CLOSED, "somebody's clone");
const runs: Run[] = [];

const start = (port: number, ...more: string[]): Run =>
  run(process.execPath, 'scripts/start.mjs', '--local', '--name', NAME, '--port', String(port), ...more);

function run(program: string, ...args: string[]): Run {
  const child = spawn(program, args, { cwd: CLONE, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const begun = { process: child, output: () => output, ended };
  runs.push(begun);
  return begun;
}

const isUp = (run: Run) =>
  waitFor(
    () => {
      if (run.process.exitCode !== null) throw new Error(run.output());
      return run.output().includes('Ctrl-C stops everything');
    },
    { timeout: 200_000, what: 'The fleet' },
  );

const processes = () => new FleetState(path.join(CLONE, '.fleet', NAME)).read().processes;
const running = () => Object.values(processes()).filter(isAlive);

beforeAll(async () => {
  await fs.rm(CLOSED, { recursive: true, force: true });
  await fs.mkdir(CLOSED, { mode: 0o700 });
  makeClone(CLONE);
});

afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.process.kill('SIGINT');
    await run.ended;
  }
  // What a failed test has left.
  for (const left of running()) signal(left!, 'SIGKILL');
});

afterAll(() => fs.rm(CLOSED, { recursive: true, force: true }));

describe('npm start', () => {
  it('starts everything, says where, and leaves no process after Ctrl-C', async () => {
    const port = await freePort();
    const run = start(port, '--reset');
    await isUp(run);
    expect(run.output()).toContain(`http://${HOST}:${port}`);
    expect(run.output()).toContain('admin@nocobase.com / admin123');
    expect((await fetch(`http://${HOST}:${port}/`)).status).toBe(200);
    expect(running()).toHaveLength(2);

    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(running()).toEqual([]);
  });

  it('names the part that ends by itself, with its last log lines, and stops the others', async () => {
    const run = start(await freePort());
    await isUp(run);
    signal(processes().nocobase!, 'SIGKILL');
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(/NocoBase ended by itself\.\n {2}\| .+/);
    expect(running()).toEqual([]);
  });

  it('stops everything when the npm that runs it is terminated', async () => {
    const npm = run('npm', 'start', '--', '--local', '--name', NAME, '--port', String(await freePort()));
    await isUp(npm);
    npm.process.kill('SIGTERM');
    await npm.ended;
    await waitFor(() => !running().length, { timeout: 60_000, what: 'The end of the fleet' });
  });

  it('stops what it has started when it is interrupted half-way', async () => {
    const run = start(await freePort());
    await waitFor(() => /NocoBase\s+starting/.test(run.output()), { timeout: 200_000, what: 'The start of NocoBase' });
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(running()).toEqual([]);
  });

  it('ends at once when a port is taken', async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, HOST);
    try {
      const run = start(port);
      expect(await run.ended).toBe(1);
      expect(run.output()).toContain(`NocoBase: port ${port} is taken`);
      expect(running()).toEqual([]);
    } finally {
      other.close();
    }
  });
});
