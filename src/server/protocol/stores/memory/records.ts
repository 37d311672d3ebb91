import type { AppRecord } from '../../../../shared/messages';
import { type Count, NO_COUNT } from '../counts';
import type { RecordStore, RecordsRead, RecordsWrite } from '../records';
import type { MemoryTerm } from './term';

interface Stored {
  mark: string;
  count: Count;
  floor: number;
  byUid: Map<string, AppRecord>;
}

const markOf = (count: Count, floor: number): string => JSON.stringify({ count, floor });

/** `RecordStore` of one process. */
export class MemoryRecords implements RecordStore {
  private readonly environments = new Map<string, Stored>();

  constructor(private readonly term: MemoryTerm) {}

  async write(environment: string, write: RecordsWrite): Promise<string | null> {
    const { from, count, floor, records, removed, term } = write;
    this.term.check(term);
    const stored = this.environments.get(environment);
    if (from !== (stored?.mark ?? '')) return null;
    const byUid = stored?.byUid ?? new Map<string, AppRecord>();
    for (const uid of removed) byUid.delete(uid);
    for (const record of records) byUid.set(record.uid, structuredClone(record));
    const mark = markOf(count, floor);
    this.environments.set(environment, { mark, count, floor, byUid });
    return mark;
  }

  async mark(environment: string): Promise<string> {
    return this.environments.get(environment)?.mark ?? '';
  }

  async read(environment: string, mark: string | null): Promise<RecordsRead | null> {
    const stored = this.environments.get(environment);
    if (stored && stored.mark === mark) return null;
    const { count = null, floor = null, byUid = new Map<string, AppRecord>() } = stored ?? {};
    return structuredClone({ mark: stored?.mark ?? '', count, floor, records: [...byUid.values()] });
  }

  async readSome(environment: string, uids: string[]): Promise<Pick<RecordsRead, 'floor' | 'records'>> {
    const { floor = null, byUid = new Map<string, AppRecord>() } = this.environments.get(environment) ?? {};
    return structuredClone({ floor, records: uids.flatMap((uid) => byUid.get(uid) ?? []) });
  }

  /** @returns whether it was not forgotten before */
  forget(environment: string, floor: number, term: number): boolean {
    this.term.check(term);
    if ((this.environments.get(environment)?.floor ?? -1) >= floor) return false;
    const count = { ...NO_COUNT, term };
    this.environments.set(environment, { mark: markOf(count, floor), count, floor, byUid: new Map() });
    return true;
  }
}
