import { open, readdir, readFile } from 'node:fs/promises';
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
 * @param until in ms since 1970; undefined: all
 */
export function linesUntil(all: readonly string[], count: number, until?: number): string[] {
  if (until === undefined) return all.slice(-count);
  let last = all.length - 1;
  for (let at = last; at >= 0; at--) {
    const time = timeOf(all[at]);
    if (time !== null && time <= until) return all.slice(Math.max(0, last + 1 - count), last + 1);
    if (time !== null) last = at - 1;
  }
  return [];
}

/** So many bytes of the newest lines are read: somebody who follows a log asks every few seconds. */
const END = 1024 * 1024;

const linesIn = (text: string): string[] => text.trimEnd().split('\n');
const wholeOf = async (file: string): Promise<string[]> => linesIn(await readFile(file, 'utf8'));

/** The newest lines of a file. */
export async function endOf(file: string, most = END): Promise<string[]> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - most);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = linesIn(buffer.toString('utf8', 0, bytesRead));
    // The first one may have begun before.
    return from > 0 ? lines.slice(1) : lines;
  } finally {
    await handle.close();
  }
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
    const all = until === undefined ? await endOf(path.join(folder, file)) : await wholeOf(path.join(folder, file));
    const lines = linesUntil(all, count, until);
    // Just after midnight there may be none of that day yet.
    if (lines.length) return lines;
  }
  return [];
}
