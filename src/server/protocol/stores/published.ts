import { z } from 'zod';
import { type Count, count } from './counts';

/**
 * What the leading Supervisor publishes of all apps; other processes follow its changes. There are two: the app index, with the public data
 * of each app and the Supervisor that manages the fleet, which every process reads; and the routes, by which doors send visitors to
 * Workers.
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
export interface PublishedStore {
  /** The mark that it left; null if another one than `from` was found: what was written since, if anything, is read by nobody. */
  write(write: PublishedWrite): Promise<string | null>;
  /** What the last write left; empty where there is nothing. */
  mark(): Promise<string>;
  /** Of what is there now; null if there is nothing that is believed. */
  count(): Promise<Count | null>;
  /** Everything, for the writer. */
  inspect(): Promise<PublishedFound>;
  /**
   * All of it once it has changed since a count, null for a first read; null while there is nothing newer. An entry that is not believed is
   * as it was before, and one that has not changed is the same object again.
   */
  read(since: Count | null): Promise<PublishedRead | null>;
}

export const publishedHead = z.object({
  count,
  /** The last changes, oldest first: a reader with the count of one of them reads the fields of those that follow. */
  changes: z.array(z.object({ count, fields: z.array(z.string()) })),
});
export type PublishedHead = z.infer<typeof publishedHead>;

export interface PublishedWrite extends PublishedHead {
  /** The mark that must be there. */
  from: string;
  /** By field, as JSON. */
  entries: Map<string, string>;
  /** Fields that are removed. */
  gone: string[];
  term: number;
}

export interface PublishedFound {
  mark: string;
  /** Null if there is none, or none that is believed. */
  head: PublishedHead | null;
  /** By field, as JSON; null for what is not believed. */
  entries: Map<string, string | null>;
}

export interface PublishedRead {
  count: Count;
  /** By field, with the count of the write that wrote it. */
  entries: ReadonlyMap<string, PublishedValue>;
}

export interface PublishedValue {
  at: Count;
  /** Unparsed. */
  value: unknown;
}

/** What was parsed of each value, once: a store gives the same object as long as an entry stays. */
export class ParsedValues {
  private readonly known = new WeakMap<object, unknown>();

  /** Undefined if it is not what the schema says. */
  of<T>(value: unknown, schema: { safeParse(value: unknown): { data?: T } }): T | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    if (!this.known.has(value)) this.known.set(value, schema.safeParse(value).data);
    return this.known.get(value) as T | undefined;
  }
}
