import { type Message, say } from '../../../shared/message';
import type { UploadsSize } from '../../../shared/messages';
import type { Operation } from '../../../shared/operation';
import type { Health } from '../../../shared/types';

/** What is known about the environment that an app leaves. */
export interface SourceFacts {
  /** Null if the app has no environment. */
  from: string | null;
  sourceHealth: Health | null;
  isStopped: boolean;
  uploads: UploadsFacts;
}

/** What is on the disk of its Worker, or why nothing of it can be copied now; null if that was not asked. */
export type UploadsFacts = UploadsSize | { cause: Message } | null;

const MB = 1024 ** 2;

function uploadsNote(environment: string, uploads: UploadsFacts): Message[] {
  if (!uploads) return [];
  if ('cause' in uploads) return [say('MOVE_UPLOADS_STAY', { environment, cause: uploads.cause })];
  const { files, bytes, isAll } = uploads;
  if (!files) return [];
  const more = isAll ? '' : '+';
  const size = bytes < MB ? `${Math.ceil(bytes / 1024)} KB` : `${Math.ceil(bytes / MB)} MB`;
  return [say('MOVE_UPLOADS_COME', { environment, files: `${files}${more}`, size: `${size}${more}` })];
}

/** What is good to know before a move. */
export function moveNotes({ from, sourceHealth, isStopped, uploads }: SourceFacts): Message[] {
  const notes: Message[] = [];
  if (isStopped) notes.push(say('MOVE_STAYS_STOPPED'));
  if (from === null) return notes;
  notes.push(...uploadsNote(from, uploads));
  if (sourceHealth === 'down')
    notes.push(say('MOVE_UPLOADS_LATER', { environment: from }), say('MOVE_SOURCE_DOWN', { environment: from }));
  else if (sourceHealth !== 'online' && sourceHealth !== 'suspect')
    notes.push(say('MOVE_WAITS_FOR_SOURCE', { environment: from }));
  return notes;
}

/** By uid of the app, how long its newest start took, in ms. @param operations newest first */
export function lastBoots(operations: readonly Operation[]): Map<string, number> {
  const boots = new Map<string, number>();
  for (const { appUid, progress, action } of operations) {
    // An installation takes much longer than a start.
    if (boots.has(appUid) || action === 'create' || action === 'upgrade') continue;
    const boot = progress.find(({ of, state }) => of === 'boot' && state === 'succeeded');
    if (boot?.startedAt !== undefined && boot.finishedAt !== undefined)
      boots.set(appUid, boot.finishedAt - boot.startedAt);
  }
  return boots;
}
