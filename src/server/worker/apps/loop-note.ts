import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { type Work, work } from '../watchdog/busy-with';
import { NEVER } from './boots';
import type { Applied } from './decide';

/** What ran when the loop of an earlier process stopped: the thread wrote it before it ended the process. */
const loopNote = z.object({
  /** Of the app whose work it was. */
  uid: z.string(),
  /** The newest boot of that app. */
  boot: z.number(),
  seconds: z.number(),
  work,
});
export type LoopNote = z.infer<typeof loopNote>;

/** @param only as in `WorkerPartOptions` */
export const loopFileOf = (storagePath: string, environment: string, only: string | null): string =>
  path.join(storagePath, 'app-supervisor', `loop-${[environment, only].filter(Boolean).join('-')}.json`);

/** Null if no process has been ended here, or not because of an app. */
export function readLoopNote(file: string): LoopNote | null {
  try {
    return jsonText(loopNote).safeParse(readFileSync(file, 'utf8')).data ?? null;
  } catch {
    return null;
  }
}

/**
 * What was applied of apps, with the one that stopped the loop marked as failed, until it gets a newer boot than it had then. So an old note changes
 * nothing.
 */
export const blame =
  (note: LoopNote | null, environment: string) =>
  <Row extends { record: AppRecord; applied: Applied | null }>(row: Row): Row => {
    const { record, applied } = row;
    const isIt = note?.work.app === record.name && note.uid === record.uid && record.boot.generation <= note.boot;
    if (!isIt || (applied && applied.bootGeneration > note.boot)) return row;
    const params = { app: record.name, environment, seconds: note.seconds, work: nameOf(note.work) };
    return {
      ...row,
      applied: {
        ...NEVER,
        ...applied,
        uid: record.uid,
        bootGeneration: record.boot.generation,
        unfinished: null,
        failure: { code: 'APP_STOPS_LOOP', params },
      },
    };
  };

const NAMES = {
  start: say('WORK_START'),
  stop: say('WORK_STOP'),
  request: say('WORK_REQUEST'),
  background: say('WORK_BACKGROUND'),
};

function nameOf(work: Work): Message {
  if (work.kind !== 'node') return NAMES[work.kind];
  const { type, node, workflow } = work;
  return say('WORK_NODE', { type, node, workflow });
}
