import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { ROOT } from '../../scripts/lib/root.mjs';

const run = promisify(execFile);

/**
 * wrk (Debian's package) and not autocannon: one thread of it sends more than 100,000 small requests a second, where a
 * generator on Node would itself be slower than nginx.
 */
export interface Load {
  url: string;
  connections: number;
  seconds: number;
  /** Of wrk; default 1. */
  threads?: number;
  /** Bytes to send in each request. */
  upload?: number;
  /** Such as `Cookie: a=1`. */
  headers?: readonly string[];
}

export interface Loaded {
  requests: number;
  /** Answers per second. */
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

/** Printed by wrk.lua at the end of a run; times in microseconds. */
const Summary = z.object({
  duration: z.number(),
  requests: z.number(),
  p50: z.number(),
  p99: z.number(),
  /** Answers other than 2xx and 3xx, and broken connections. */
  errors: z.number(),
});

/** @throws if any request failed: such a result is meaningless */
export async function load({ url, connections, seconds, threads = 1, upload, headers = [] }: Load): Promise<Loaded> {
  const args = [
    `-t${threads}`,
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    path.join(ROOT, 'bench/lib/wrk.lua'),
    ...headers.flatMap((header) => ['-H', header]),
  ];
  const { stdout } = await run(findProgram('wrk') ?? 'wrk', [...args, url, '--', ...(upload ? [String(upload)] : [])]);
  const { duration, requests, p50, p99, errors } = Summary.parse(
    JSON.parse(/^SUMMARY (.*)$/m.exec(stdout)?.[1] ?? '{}'),
  );
  if (errors || !requests) throw new Error(`${errors} of ${requests} requests for ${url} failed.`);
  return { requests, rate: requests / (duration / 1e6), p50: p50 / 1e3, p99: p99 / 1e3 };
}
