import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ask } from '../support/http';

/**
 * What one visitor without a session does to those of other apps: the time of their answers, with and without it, in one run.
 * The flood runs in a process of its own with the lowest priority and at a rate that a machine can take, because here it shares
 * the processors with what it floods: what counts is what a request costs, not how many a network carries.
 */

/** What is flooded, and how it is told. */
export const FLOODS: Record<string, string> = {
  paths: '10,000 unknown apps, by path',
  headers: '10,000 unknown apps, by header',
  hosts: '10,000 unknown hosts',
  plugins: '7,000 unknown plugins, at the Supervisor and at a Worker',
  'sign-ins': '3,000 wrong sign-ins at main',
  'sign-ins of an app': '3,000 wrong sign-ins at an app',
  'large heads': '400 × 60 kB of headers, 2,000 × 190 headers',
  'slow ones': '2,000 slow headers, 2,000 slow bodies',
  webSockets: '5,000 WebSockets',
  messages: '1,000 WebSockets × 20 × 64 kB',
  'packed bodies': '400 bodies of gzip and br that unpack to 9.5 MB',
  'small bodies': '400 bodies of 60 kB with 20,000 values',
};

export interface Denial {
  what: string;
  /** The 95th of a hundred answers of another app, in ms. */
  without: number;
  with: number;
  /** The slowest one. */
  slowest: number;
  /** What the flood has said last. */
  said: string;
  /** Of the Supervisor, in MB, before and after. */
  memory: [before: number, after: number];
}

/** How long answers may take meanwhile: five times as long as without it, and a quarter of a second. */
export const allowed = ({ without }: Pick<Denial, 'without'>): number => 5 * without + 250;

/** How long is measured without it, and with it at most, in ms. */
const QUIET = 5_000;
const LASTS = 40_000;
const EACH = 100;
/** How long an answer takes where nothing else runs, in ms: on a slower machine the flood is slower by as much. */
const USUAL = 10;

/** Asks an app again and again, from outside, until it is told to end. */
class Visitor {
  private readonly took: number[] = [];
  private readonly under: Array<Promise<void>> = [];
  private readonly timer = setInterval(() => this.under.push(this.visit()), EACH);

  constructor(private readonly url: string) {}

  /** @returns the times of all answers, in ms, the quickest first */
  async end(): Promise<number[]> {
    clearInterval(this.timer);
    await Promise.all(this.under);
    return this.took.sort((one, other) => one - other);
  }

  private async visit(): Promise<void> {
    const begun = performance.now();
    const answer = await ask(this.url, '/api/__app/bystander/app:getInfo', { timeout: 30_000 }).catch(() => null);
    this.took.push(answer?.status === 200 ? performance.now() - begun : Number.POSITIVE_INFINITY);
  }
}

const at = (took: number[], part: number): number => took[Math.ceil(took.length * part) - 1];

function start(kind: string, fleet: Fleet, speed: number): ChildProcess {
  const flood = path.join(ROOT, '__tests__/attack/flood.ts');
  const ports = [fleet.supervisor, fleet.worker('env_a')].map(({ port }) => String(port));
  const args = ['-n', '19', process.execPath, '--import', 'tsx', flood, kind, ...ports, String(speed)];
  return spawn('nice', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Floods the fleet of a stage, whose apps `target` and `bystander` are on the same Worker. */
export async function tryDenial(fleet: Fleet, kind: string): Promise<Denial> {
  const { url, pid } = fleet.supervisor;
  const isCalm = async () => {
    const visitor = new Visitor(url);
    await sleep(1_000);
    return (await visitor.end()).every((took) => took < 300);
  };
  await waitFor(isCalm, { timeout: 180_000, interval: 500, what: 'quick answers' });
  const before = new Visitor(url);
  await sleep(QUIET);
  const quiet = await before.end();
  const without = at(quiet, 0.95);
  const memory = memoryOf(pid);
  const flood = start(kind, fleet, Math.min(1, USUAL / at(quiet, 0.5)));
  const ended = once(flood, 'exit');
  let said = '';
  flood.stdout?.on('data', (data) => {
    said = String(data).trim().split('\n').at(-1) ?? '';
  });
  try {
    await waitFor(() => said !== '', { timeout: 60_000, interval: 50, what: 'the flood' });
    const visitor = new Visitor(url);
    await Promise.race([ended, sleep(LASTS)]);
    const took = await visitor.end();
    const slowest = took.at(-1) ?? 0;
    return { what: FLOODS[kind], without, with: at(took, 0.95), slowest, said, memory: [memory, memoryOf(pid)] };
  } finally {
    flood.kill('SIGKILL');
    await ended;
  }
}

const memoryOf = (pid: number | null): number => {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024);
};

export const lineOfDenial = (denial: Denial): string => {
  const [from, to] = denial.memory;
  const held = denial.with <= allowed(denial) ? 'held   ' : 'THROUGH';
  const times = `p95 ${denial.without.toFixed()} → ${denial.with.toFixed()} ms, slowest ${denial.slowest.toFixed()} ms`;
  return `${held}  denial     ${denial.what}: ${times}, ${from} → ${to} MB (${denial.said})`;
};
