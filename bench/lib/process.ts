import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { findOnPath } from '../../scripts/lib/programs.mjs';

const canPin = findOnPath(['taskset']) !== null && availableParallelism() > 1;
const MEASURED = '0';
const OTHERS = `1-${Math.max(1, availableParallelism() - 1)}`;

/** The measured process has its own core; clients and origins share the others. */
export const PINNING = canPin ? `what is measured on core ${MEASURED}, all else on ${OTHERS}` : 'none';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** To be called first: processes started later inherit the cores. */
export const leaveTheMeasuredCore = (): void => pin(process.pid, OTHERS);

/** Moves a running process, with all its threads, to the measured core. */
export const takeTheMeasuredCore = (pid: number): void => pin(pid, MEASURED);

/** Moves one process to two cores of its own, and this one and the others away from them: for four cores and more. */
export function takeTwoCores(pid: number, others: number[]): void {
  for (const other of [process.pid, ...others]) pin(other, `2-${availableParallelism() - 1}`);
  pin(pid, '0-1');
}

function pin(pid: number, cores: string): void {
  if (canPin) execFileSync('taskset', ['-a', '-c', '-p', cores, String(pid)]);
}

export interface Start {
  program?: string;
  args: string[];
  env?: Record<string, string>;
  /** Whether it gets the measured core. */
  measured: boolean;
}

/** Starts a process that runs until `stop`, or until this one ends. */
export function start({ program = process.execPath, args, env = {}, measured }: Start): ChildProcess {
  const [file, rest] = measured && canPin ? ['taskset', ['-c', MEASURED, program, ...args]] : [program, args];
  const child = spawn(file, rest, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child)) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000);
  await gone;
  clearTimeout(timer);
}

/** Files that a process may have open at the same time. */
export const openFiles = (): number =>
  Number(
    /^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY,
  );

/** Of one process: CPU time of its threads since its start, in ms, and resident memory, in bytes. */
export function usage(pid: number): { cpu: number; memory: number } {
  const tasks = fs.readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  const memory = /^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { cpu: nanoseconds.reduce((all, one) => all + one, 0) / 1e6, memory: Number(memory) * 1024 };
}
