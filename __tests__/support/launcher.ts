import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { freePort, waitFor } from '../../scripts/fleet';
import { FLEETS } from '../../scripts/fleet/config';
import { claim } from '../../scripts/fleet/ports';
import { isAlive, type ProcessIdentity, signal } from '../../scripts/fleet/processes';
import { FleetState } from '../../scripts/fleet/state';
import { makeClone } from './clone';

export interface Run {
  process: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

/**
 * `npm start` as a user meets it, in a clone like one in root's home: in a folder that no other user may enter. The path has
 * what shells, drivers and configuration files trip over.
 */
export class Launcher {
  /** On the same file system, for its hard links. */
  private readonly closed: string;
  readonly clone: string;
  private readonly runs: Run[] = [];

  /** @param name of the fleet */
  constructor(private readonly name: string) {
    this.closed = path.join(FLEETS, `nur für root (${name})`);
    this.clone = path.join(this.closed, "somebody's clone");
  }

  async begin(): Promise<void> {
    await fs.rm(this.closed, { recursive: true, force: true });
    await fs.mkdir(FLEETS, { recursive: true });
    await fs.mkdir(this.closed, { mode: 0o700 });
    makeClone(this.clone);
  }

  /** Ends what a test has started. */
  async endRuns(): Promise<void> {
    for (const run of this.runs.splice(0)) {
      run.process.kill('SIGINT');
      await run.ended;
    }
    // What a failed test has left.
    for (const left of this.running()) signal(left, 'SIGKILL');
  }

  end(): Promise<void> {
    return fs.rm(this.closed, { recursive: true, force: true });
  }

  start(port: number, ...more: string[]): Run {
    return this.run(process.execPath, 'scripts/start.mjs', ...this.argumentsOf(port, more));
  }

  argumentsOf(port: number, more: string[]): string[] {
    return ['--name', this.name, '--port', String(port), ...more];
  }

  run(program: string, ...args: string[]): Run {
    const child = spawn(program, args, { cwd: this.clone, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const begun = { process: child, output: () => output, ended };
    this.runs.push(begun);
    return begun;
  }

  processes(): Record<string, ProcessIdentity | null> {
    return new FleetState(path.join(this.clone, '.fleet', this.name)).read().processes;
  }

  running(): ProcessIdentity[] {
    return Object.values(this.processes()).filter(
      (identity) => identity !== null && isAlive(identity),
    ) as ProcessIdentity[];
  }

  /** As the system does when there is no memory left. */
  kill(part: string): void {
    signal(this.processes()[part]!, 'SIGKILL');
  }
}

/** @param after how much of the output is older than what is waited for */
export const says = (run: Run, what: string, after = 0) =>
  waitFor(
    () => {
      if (run.process.exitCode !== null) throw new Error(run.output());
      return run.output().slice(after).includes(what);
    },
    { timeout: 200_000, what: `"${what}"` },
  );

export const isUp = (run: Run) => says(run, 'Ctrl-C stops everything');

/** For the door, the Supervisor behind it, and the Worker 1000 above it. */
export async function portOfTwo(): Promise<number> {
  const port = await freePort();
  return (await claim(port + 1)) && (await claim(port + 1_000)) ? port : portOfTwo();
}
