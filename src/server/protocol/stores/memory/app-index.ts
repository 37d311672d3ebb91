import type { AppIndexFound, AppIndexHead, AppIndexRead, AppIndexStore, AppIndexWrite } from '../app-index';
import { type Count, isAfter } from '../counts';
import type { MemoryTerm } from './term';

/** `AppIndexStore` of one process. */
export class MemoryAppIndex implements AppIndexStore {
  private readonly entries = new Map<string, { at: Count; text: string }>();
  /** As JSON. */
  private head = '';

  constructor(private readonly term: MemoryTerm) {}

  async write({ from, count, changes, entries, gone, term }: AppIndexWrite): Promise<string | null> {
    this.term.check(term);
    if (from !== this.head) return null;
    for (const field of gone) this.entries.delete(field);
    for (const [field, text] of entries) this.entries.set(field, { at: count, text });
    this.head = JSON.stringify({ count, changes } satisfies AppIndexHead);
    return this.head;
  }

  async mark(): Promise<string> {
    return this.head;
  }

  async inspect(): Promise<AppIndexFound> {
    const entries = new Map([...this.entries].map(([field, { text }]) => [field, text]));
    return { mark: this.head, head: this.head ? JSON.parse(this.head) : null, entries };
  }

  /** Returns everything, because nothing has to be sent. */
  async read(since: Count | null): Promise<AppIndexRead | null> {
    if (!this.head) return null;
    const { count }: AppIndexHead = JSON.parse(this.head);
    if (since && !isAfter(count, since)) return null;
    const entries = new Map([...this.entries].map(([field, { at, text }]) => [field, { at, value: JSON.parse(text) }]));
    return { count, complete: true, entries, refused: [], gone: [] };
  }
}
