import { type Count, isAfter } from '../counts';
import type {
  PublishedFound,
  PublishedHead,
  PublishedRead,
  PublishedStore,
  PublishedValue,
  PublishedWrite,
} from '../published';
import type { MemoryTerm } from './term';

/** `PublishedStore` of one process. */
export class MemoryPublished implements PublishedStore {
  private readonly entries = new Map<string, PublishedValue>();
  /** As JSON. */
  private head = '';

  constructor(private readonly term: MemoryTerm) {}

  async write({ from, count, changes, entries, gone, term }: PublishedWrite): Promise<string | null> {
    this.term.check(term);
    if (from !== this.head) return null;
    for (const field of gone) this.entries.delete(field);
    for (const [field, text] of entries) this.entries.set(field, { at: count, value: JSON.parse(text) });
    this.head = JSON.stringify({ count, changes } satisfies PublishedHead);
    return this.head;
  }

  async mark(): Promise<string> {
    return this.head;
  }

  async count(): Promise<Count | null> {
    return this.head ? (JSON.parse(this.head) as PublishedHead).count : null;
  }

  async inspect(): Promise<PublishedFound> {
    const entries = new Map([...this.entries].map(([field, { value }]) => [field, JSON.stringify(value)]));
    return { mark: this.head, head: this.head ? JSON.parse(this.head) : null, entries };
  }

  async read(since: Count | null): Promise<PublishedRead | null> {
    if (!this.head) return null;
    const { count }: PublishedHead = JSON.parse(this.head);
    if (since && !isAfter(count, since)) return null;
    return { count, entries: new Map(this.entries) };
  }
}
