import type { AppRecord } from '../../../shared/messages';
import type { Count } from './counts';

/**
 * Records: the desired state of each app in each environment, by the app's uid. The leading Supervisor writes them, Workers read them.
 *
 * - The records of an environment have a count (`counts.ts`). A write is refused where another mark is found than the writer left.
 * - Lost content costs nothing: the leading Supervisor finds another mark, and writes what is missing from its database. A Worker that
 * finds no record keeps its state: a missing record is never an instruction.
 * - Writes carry the term of the leading Supervisor. A write of an older term than the store has seen changes nothing and
 * rejects with `StaleTerm`.
 * - Every method rejects if the store cannot be reached. After a rejected write the writer does not know the content, and compares it.
 */
export interface RecordStore {
  /** One transaction. The mark that it left; null if another one than `from` was found: nothing was written. */
  write(environment: string, write: RecordsWrite): Promise<string | null>;
  /** What the last write left; empty where there are no records. */
  mark(environment: string): Promise<string>;
  /** All records of `environment`, unordered; null while they still have the reader's mark. */
  read(environment: string, mark: string | null): Promise<RecordsRead | null>;
  /** Those of these uids, at the same moment as the floor that they are for. */
  readSome(environment: string, uids: string[]): Promise<Pick<RecordsRead, 'floor' | 'records'>>;
}

export interface RecordsWrite {
  /** The mark that the records must have. */
  from: string;
  count: Count;
  /** Which floor of the environment they are for. A Worker of an older one starts empty, see `EnvironmentRegistry.forget`. */
  floor: number;
  /** Each is written as a whole. */
  records: AppRecord[];
  /** Fields that are removed. */
  removed: string[];
  term: number;
}

export interface RecordsRead {
  mark: string;
  /** Null if there is none, or none that is believed. */
  count: Count | null;
  /** As last written or forgotten; null if the store has lost it, or never had it. */
  floor: number | null;
  /** They are not for the key that this process has of the environment. Absent if they are. */
  hasOtherKey?: boolean;
  records: AppRecord[];
  /** Fields in which there is something else: not signed for this place, or not a record of that uid. Absent if there is none. */
  refused?: string[];
}
