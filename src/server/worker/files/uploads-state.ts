import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import { type Lack, lack } from '../../protocol/transfer';

/** What a Worker knows of the uploads of an app, beside their folder. */
const uploadsState = z.object({
  /** Generation of the record by which the app last began here. */
  began: z.number().default(0),
  /** Where that was: another environment than this one if both use one folder. */
  environment: z.string().default(''),
  /** Generation of the newest record that named an environment to copy from. */
  seen: z.number().default(0),
  /** Whether everything that is here was copied to another environment, after the app had left. */
  given: z.boolean().default(false),
  lacks: z.array(lack).default([]),
});
export type UploadsState = z.infer<typeof uploadsState>;
const stateText = jsonText(uploadsState);

const fileOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app, '.uploads.json');

/** That of an app of which nothing is known, and which lacks nothing, if there is none. */
export async function readState(storagePath: string, app: string): Promise<UploadsState> {
  const text = await readFile(fileOf(storagePath, app), 'utf8').catch(() => '');
  return stateText.safeParse(text).data ?? uploadsState.parse({});
}

export async function writeState(storagePath: string, app: string, state: UploadsState): Promise<void> {
  const file = fileOf(storagePath, app);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(state));
  await rename(`${file}.new`, file);
}

/**
 * The state of an app that is to run here by this record.
 * @param environment this one
 * @param now in ms since 1970
 */
export function stateBegun(
  state: UploadsState,
  { generation, uploads }: { generation: number; uploads?: { from: string; generation: number } },
  environment: string,
  now: number,
): UploadsState {
  const began = { ...state, began: generation, environment, given: false };
  if (!uploads || uploads.generation <= state.seen) return began;
  const isShared = state.environment === uploads.from;
  const added: Lack = { environment: uploads.from, since: now, mirrors: state.given, isShared };
  const isKnown = state.lacks.some((lack) => lack.environment === uploads.from);
  return { ...began, seen: uploads.generation, lacks: isKnown ? state.lacks : [...state.lacks, added] };
}
