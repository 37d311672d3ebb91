import type { AppRecord } from '../../../shared/messages';

/**
 * Records: what each environment is to do with each app. The Supervisor writes them, Workers read them.
 *
 * - Lost content costs nothing: the leading Supervisor writes all records again, from its database, when it sees that they are gone.
 *   A Worker that finds no record keeps what it has: absence is never a wish.
 * - Each record is written as a whole. A call that writes many is not one transaction: when it rejects, some may be written.
 * - Every method rejects when the store cannot be reached; callers try again later.
 */
export interface RecordStore {
  /** Writes what `environment` is to do. A record with an older generation than the stored one of its name is ignored. */
  publish(environment: string, records: AppRecord[]): Promise<void>;
  /** Removes records that nobody needs any more: those of confirmed removals. */
  unpublish(environment: string, names: string[]): Promise<void>;
  /** The records of `environment`, of the given names or all, in no order. What does not parse is left out. */
  read(environment: string, names?: string[]): Promise<AppRecord[]>;
  /** All records of `environment`; null while they still have the version that the reader gives. */
  readSince(environment: string, version: string | null): Promise<RecordsRead | null>;
}

export interface RecordsRead {
  /** Changes with every change of a record, and is lost with the records; null for an environment that has none. */
  version: string | null;
  records: AppRecord[];
}
