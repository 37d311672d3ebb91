import { countAfter, NO_COUNT } from '../../src/server/protocol/stores/counts';
import type { RecordStore } from '../../src/server/protocol/stores/records';
import type { AppRecord } from '../../src/shared/messages';

/** All records of an environment. */
export async function recordsIn(records: Pick<RecordStore, 'read'>, environment: string): Promise<AppRecord[]> {
  return (await records.read(environment, null))?.records ?? [];
}

export async function recordIn(
  records: Pick<RecordStore, 'read'>,
  environment: string,
  name: string,
): Promise<AppRecord | undefined> {
  return (await recordsIn(records, environment)).find((record) => record.name === name);
}

/** Writes records as a leader would, over whatever is there. @returns the mark */
export async function writeRecords(
  records: RecordStore,
  environment: string,
  written: AppRecord[],
  { term = 1, floor = 0, removed = [] as string[] } = {},
): Promise<string | null> {
  const { mark: from, count } = (await records.read(environment, null))!;
  const next = countAfter(count ?? NO_COUNT, term, 0);
  return records.write(environment, { from, count: next, floor, records: written, removed, term });
}
