import { open, readdir } from 'node:fs/promises';
import path from 'node:path';

/** Not `system_error_…`, which contains a part of the same lines again (logger/src/system-logger.ts). */
const SYSTEM_LOG = /^system_(\d{4}-\d{2}-\d{2}).*\.log$/;
/** As NocoBase's logger writes it, in the time zone of the process. */
const TIME = /(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})/;
/** A line's time is near its beginning; JSON has it after level and message. In characters. */
const TIME_WITHIN = 4_000;

/** When a line was written, in ms since 1970; null if it does not say. */
function timeOf(line: string): number | null {
  const [, day, time] = TIME.exec(line.slice(0, TIME_WITHIN)) ?? [];
  const at = day ? new Date(`${day}T${time}`).getTime() : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/**
 * The last lines until a time, with those that belong to the last of them, such as a stack.
 * @param until in ms since 1970
 */
export function linesUntil(all: readonly string[], count: number, until: number): string[] {
  let last = all.length - 1;
  for (let at = last; at >= 0; at--) {
    const time = timeOf(all[at]);
    if (time !== null && time <= until) return all.slice(Math.max(0, last + 1 - count), last + 1);
    if (time !== null) last = at - 1;
  }
  return [];
}

/** So many bytes are read at a time: somebody who follows a log asks every few seconds. */
const BLOCK = 1024 * 1024;

/** The lines of a file in blocks, the newest block first. @param size of a block, in bytes */
async function* blocksOf(file: string, size = BLOCK): AsyncGenerator<string[]> {
  const handle = await open(file);
  try {
    let end = (await handle.stat()).size;
    /** The end of a line that begins in an older block. */
    let rest = Buffer.alloc(0);
    while (end > 0) {
      const from = Math.max(0, end - size);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - from), 0, end - from, from);
      const block = Buffer.concat([buffer.subarray(0, bytesRead), rest]);
      const first = from > 0 ? block.indexOf('\n') + 1 || block.length : 0;
      rest = block.subarray(0, first);
      const text = block.toString('utf8', first).replace(/\n$/, '');
      if (first < block.length) yield text.split('\n');
      end = from;
    }
  } finally {
    await handle.close();
  }
}

/** The newest lines of a file. @param size how many bytes of them are read */
export async function endOf(file: string, size = BLOCK): Promise<string[]> {
  for await (const lines of blocksOf(file, size)) return lines;
  return [];
}

/** The last lines of a file until a time: what is older is not read. @param size how many bytes are read at a time */
export async function endUntil(file: string, count: number, until: number, size = BLOCK): Promise<string[]> {
  /** What is known of the answer, or newer lines that may belong to its last one. */
  let known: string[] = [];
  for await (const block of blocksOf(file, size)) {
    const lines = [...block, ...known];
    const found = linesUntil(lines, count, until);
    if (found.length === count) return found;
    const newer = lines.findIndex((line) => timeOf(line) !== null);
    known = found.length ? found : lines.slice(0, newer < 0 ? undefined : newer).slice(-count);
  }
  return linesUntil(known, count, until);
}

/**
 * The last lines of an app's system log.
 * @param until in ms since 1970; undefined: the newest ones
 */
export async function lastLines(folder: string, count: number, until?: number): Promise<string[]> {
  const files = await readdir(folder).catch(() => [] as string[]);
  // Of the time zone of the process, as the names of the files are.
  const lastDay = until === undefined ? null : new Date(until).toLocaleDateString('sv-SE');
  const found = files
    .filter((file) => SYSTEM_LOG.test(file) && (lastDay === null || (SYSTEM_LOG.exec(file)?.[1] ?? '') <= lastDay))
    .sort();
  for (const file of found.reverse()) {
    const whole = path.join(folder, file);
    const lines = until === undefined ? (await endOf(whole)).slice(-count) : await endUntil(whole, count, until);
    // Just after midnight there may be none of that day yet.
    if (lines.length) return lines;
  }
  return [];
}
