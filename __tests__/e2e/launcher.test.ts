import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, Api, freePort, HOST, waitFor } from '../../scripts/fleet';
import { FLEETS } from '../../scripts/fleet/config';
import { isFree } from '../../scripts/fleet/ports';
import { isAlive, signal } from '../../scripts/fleet/processes';
import { FleetState } from '../../scripts/fleet/state';
import { makeClone } from '../support/clone';

/**
 * `npm start` as a user meets it, with the smallest fleet. It runs in a clone like one in root's home: in a folder that no
 * other user may enter. The path has what shells, drivers and configuration files trip over.
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

const argumentsOf = (port: number, more: string[]) => ['--name', NAME, '--port', String(port), ...more];

const start = (port: number, ...more: string[]): Run =>
  run(process.execPath, 'scripts/start.mjs', ...argumentsOf(port, more));

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

const says = (run: Run, what: string) =>
  waitFor(
    () => {
      if (run.process.exitCode !== null) throw new Error(run.output());
      return run.output().includes(what);
    },
    { timeout: 200_000, what: `"${what}"` },
  );

const isUp = (run: Run) => says(run, 'Ctrl-C stops everything');

/** For the Supervisor, and for the Worker 1000 above it. */
async function portOfTwo(): Promise<number> {
  const port = await freePort();
  return (await isFree(port + 1_000)) ? port : portOfTwo();
}

const processes = () => new FleetState(path.join(CLONE, '.fleet', NAME)).read().processes;
const running = () => Object.values(processes()).filter(isAlive);
/** As the system does when there is no memory left. */
const kill = (part: string) => signal(processes()[part]!, 'SIGKILL');

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
  it('starts everything, says where, starts again what is killed, and leaves no process after Ctrl-C', async () => {
    const port = await portOfTwo();
    const run = start(port, '--reset', '--workers', '1');
    await isUp(run);
    const url = `http://${HOST}:${port}`;
    expect(run.output()).toContain(url);
    expect(run.output()).toContain('admin@nocobase.com / admin123');
    expect((await fetch(url)).status).toBe(200);
    expect(running()).toHaveLength(4);

    for (const part of ['env_a', 'redis']) kill(part);
    for (const name of ['Worker env_a', 'Redis']) {
      await says(run, `${name} ended (SIGKILL); starting it again in 5 s`);
      await says(run, `${name} runs again`);
    }
    const api = await Api.signIn(url, ADMIN);
    const isOnline = async () => (await api.get('appEnvironments:list')).data[0].health === 'online';
    await waitFor(isOnline, { timeout: 60_000, what: 'The Worker being online again' });
    expect(running()).toHaveLength(4);

    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(running()).toEqual([]);
  });

  it('leaves down what is killed where that is wished, and stops everything when its npm is terminated', async () => {
    const more = argumentsOf(await portOfTwo(), ['--workers', '1', '--no-restart']);
    const npm = run('npm', 'start', '--', ...more);
    await isUp(npm);
    kill('redis');
    await says(npm, 'Redis ended (SIGKILL); it stays down (--no-restart)');
    expect(running()).toHaveLength(3);

    npm.process.kill('SIGTERM');
    await npm.ended;
    await waitFor(() => !running().length, { timeout: 60_000, what: 'The end of the fleet' });
  });

  it('stops what it has started when it is interrupted half-way', async () => {
    const run = start(await freePort(), '--local');
    await waitFor(() => /NocoBase\s+starting/.test(run.output()), { timeout: 200_000, what: 'The start of NocoBase' });
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(running()).toEqual([]);
  });

  it('ends at once when a port is taken', async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, HOST);
    try {
      const run = start(port, '--local');
      expect(await run.ended).toBe(1);
      expect(run.output()).toContain(`NocoBase: port ${port} is taken`);
      expect(running()).toEqual([]);
    } finally {
      other.close();
    }
  });
});
