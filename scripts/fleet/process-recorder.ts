import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { FLEETS } from './config';

/** The recordings of process-recorder.cjs in each NocoBase process of a fleet. Times are ms since 1970. */

/** One object of an app in one process, from its creation to its end; null for what has not happened. */
export interface RecordedBoot {
  app: string;
  addedAt: number;
  runningAt: number | null;
  /** It was requested to end: from here on it does not count as running. */
  leavingAt: number | null;
  goneAt: number | null;
}

export interface RecordedProcess {
  /** `supervisor`, or the environment's name. */
  part: string;
  pid: number;
  begunAt: number;
  boots: RecordedBoot[];
  /** Uncaught exceptions, and unhandled rejections. */
  crashes: Array<{ at: number; message: string }>;
  /** Null while it runs, and for a killed one. */
  exit: { at: number; code: number } | null;
}

const at = z.number();
const boot = { at, app: z.string(), boot: z.number() };
const Line = z.discriminatedUnion('what', [
  z.object({ what: z.literal('begin'), at, part: z.string(), pid: z.number() }),
  z.object({ what: z.literal('added'), ...boot }),
  z.object({ what: z.literal('running'), ...boot }),
  z.object({ what: z.literal('leaving'), ...boot }),
  z.object({ what: z.literal('gone'), ...boot }),
  z.object({ what: z.literal('crash'), at, message: z.string() }),
  z.object({ what: z.literal('exit'), at, code: z.number() }),
]);

/** Where the processes of a fleet write, by the fleet's name. */
export const recordingsOf = (fleet: string): string => path.join(FLEETS, fleet, 'recordings');

/** The environment variables of every instance of a recorded fleet. */
export const recorderEnv = (fleet: string): Record<string, string> => ({ FLEET_RECORDER: recordingsOf(fleet) });

/** All recordings so far, one entry for each process, in the order of their starts. */
export function readRecordings(folder: string): RecordedProcess[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .flatMap((file) => readProcess(path.join(folder, file)) ?? [])
    .sort((a, b) => a.begunAt - b.begunAt);
}

function readProcess(file: string): RecordedProcess | null {
  // A process that is being killed, or is writing, leaves half a line at the end.
  const complete = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const [first, ...lines] = complete.map((line) => Line.parse(JSON.parse(line)));
  if (first?.what !== 'begin') return null;
  const found: RecordedProcess = {
    part: first.part,
    pid: first.pid,
    begunAt: first.at,
    boots: [],
    crashes: [],
    exit: null,
  };
  const boots = new Map<number, RecordedBoot>();
  for (const line of lines) {
    if (line.what === 'added') {
      const made = { app: line.app, addedAt: line.at, runningAt: null, leavingAt: null, goneAt: null };
      boots.set(line.boot, made);
      found.boots.push(made);
    } else if (line.what === 'crash') found.crashes.push({ at: line.at, message: line.message });
    else if (line.what === 'exit') found.exit = { at: line.at, code: line.code };
    else if (line.what !== 'begin') boots.get(line.boot)![`${line.what}At`] = line.at;
  }
  return found;
}
