import { z } from 'zod';
import { type Count, count } from './counts';

/**
 * The app index: the public data of each app, and the Supervisor that manages the fleet. The leading Supervisor writes
 * it; all other processes follow its changes.
 *
 * - It has a count (`counts.ts`). A write is refused where another one is found than the writer left.
 * - Writes carry the term of the leading Supervisor. A write of an older term than the store has seen changes nothing and
 * rejects with `StaleTerm`.
 * - A write is one transaction. A reader never goes back to an older count.
 * - Each entry is believed by itself. An entry that is missing is not noticed by readers: whoever writes to the store can withhold what is
 * there, until the leader compares it.
 * - Every method rejects if the store cannot be reached. After a rejected write the writer does not know the content,
 * and compares it.
 */
export interface AppIndexStore {
  /** The mark that it left; null if another one than `from` was found: what was written since, if anything, is read by nobody. */
  write(write: AppIndexWrite): Promise<string | null>;
  /** What the last write left; empty where there is no index. */
  mark(): Promise<string>;
  /** Everything, for the writer. */
  inspect(): Promise<AppIndexFound>;
  /**
   * All of it once it has changed since a count, null for a first read; null while there is nothing newer. An entry that is not believed is
   * as it was before, and one that has not changed is the same object again.
   */
  read(since: Count | null): Promise<AppIndexRead | null>;
}

export const appIndexHead = z.object({
  count,
  /** The last changes, oldest first: a reader with the count of one of them reads the fields of those that follow. */
  changes: z.array(z.object({ count, fields: z.array(z.string()) })),
});
export type AppIndexHead = z.infer<typeof appIndexHead>;

export interface AppIndexWrite extends AppIndexHead {
  /** The mark that the index must have. */
  from: string;
  /** By field, as JSON. */
  entries: Map<string, string>;
  /** Fields that are removed. */
  gone: string[];
  term: number;
}

export interface AppIndexFound {
  mark: string;
  /** Null if there is none, or none that is believed. */
  head: AppIndexHead | null;
  /** By field, as JSON; null for what is not believed. */
  entries: Map<string, string | null>;
}

export interface AppIndexRead {
  count: Count;
  /** By field, with the count of the write that wrote it. */
  entries: ReadonlyMap<string, AppIndexValue>;
}

export interface AppIndexValue {
  at: Count;
  /** Unparsed. */
  value: unknown;
}
