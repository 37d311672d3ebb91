import type {
  AppIndexFound,
  AppIndexHead,
  AppIndexRead,
  AppIndexStore,
  AppIndexValue,
  AppIndexWrite,
} from '../app-index';
import { type Count, isAfter } from '../counts';
import type { MemoryTerm } from './term';

/** `AppIndexStore` of one process. */
export class MemoryAppIndex implements AppIndexStore {
  private readonly entries = new Map<string, AppIndexValue>();
  /** As JSON. */
  private head = '';

  constructor(private readonly term: MemoryTerm) {}

  async write({ from, count, changes, entries, gone, term }: AppIndexWrite): Promise<string | null> {
    this.term.check(term);
    if (from !== this.head) return null;
    for (const field of gone) this.entries.delete(field);
    for (const [field, text] of entries) this.entries.set(field, { at: count, value: JSON.parse(text) });
    this.head = JSON.stringify({ count, changes } satisfies AppIndexHead);
    return this.head;
  }

  async mark(): Promise<string> {
    return this.head;
  }

  async inspect(): Promise<AppIndexFound> {
    const entries = new Map([...this.entries].map(([field, { value }]) => [field, JSON.stringify(value)]));
    return { mark: this.head, head: this.head ? JSON.parse(this.head) : null, entries };
  }

  async read(since: Count | null): Promise<AppIndexRead | null> {
    if (!this.head) return null;
    const { count }: AppIndexHead = JSON.parse(this.head);
    if (since && !isAfter(count, since)) return null;
    return { count, entries: new Map(this.entries) };
  }
}
