import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type Redis from 'ioredis';

export interface Spread {
  p50: number;
  p95: number;
  worst: number;
}

export function spreadOf(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  return { p50: at(0.5), p95: at(0.95), worst: round(sorted[sorted.length - 1]) };
}

export const round = (value: number): number => Math.round(value * 10) / 10;

/** Duration of each of this many calls, one after the other, in ms; after two that do not count. */
export async function timed(times: number, work: (i: number) => Promise<unknown>): Promise<Spread> {
  const taken: number[] = [];
  for (let i = -2; i < times; i++) {
    const begun = performance.now();
    await work(i);
    if (i >= 0) taken.push(performance.now() - begun);
  }
  return spreadOf(taken);
}

/** The kernel's data about a process. Linux only. */
export function vitalsOf(pid: number): { cpuSeconds: number; rssMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name in brackets, which may contain anything; in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMb: Math.round((pages * 4) / 1024) };
}

const processed = async (redis: Redis): Promise<number> =>
  Number((await redis.info('stats')).match(/^total_commands_processed:(\d+)/m)?.[1]);

export interface Load {
  /** Commands per second that Redis has processed, including those within scripts. */
  commands: number;
  /** In the busiest second. */
  peak: number;
  /** Share of one core that the Supervisor used, in per cent. */
  cpu: number;
}

/** Observes for this many ms, or until the promise ends. */
export async function watch(redis: Redis, pid: number, until: number | Promise<unknown>): Promise<Load> {
  let over = false;
  const end = (typeof until === 'number' ? sleep(until) : until).finally(() => {
    over = true;
  });
  const begun = performance.now();
  const before = { commands: await processed(redis), ...vitalsOf(pid) };
  let last = { at: begun, commands: before.commands };
  let peak = 0;
  let looks = 0;
  while (!over) {
    await Promise.race([sleep(1_000), end]);
    const now = { at: performance.now(), commands: await processed(redis) };
    looks++;
    // The observation itself is a command that does not belong to the fleet.
    if (now.at - last.at > 500)
      peak = Math.max(peak, ((now.commands - last.commands - 1) * 1_000) / (now.at - last.at));
    last = now;
  }
  await end;
  const seconds = (last.at - begun) / 1_000;
  return {
    commands: round((last.commands - before.commands - looks) / seconds),
    peak: round(peak),
    cpu: round(((vitalsOf(pid).cpuSeconds - before.cpuSeconds) / seconds) * 100),
  };
}
