import type { AppIndexRead, AppIndexStore, AppIndexWrite } from '../app-index';
import type { MemoryTerm } from './term';

/** `AppIndexStore` of one process. */
export class MemoryAppIndex implements AppIndexStore {
  private readonly entries = new Map<string, string>();
  private version: string | null = null;
  private supervisor = 'null';

  constructor(private readonly term: MemoryTerm) {}

  async write({ from, version, entries, gone, supervisor, term }: AppIndexWrite): Promise<boolean> {
    this.term.check(term);
    if (from === null) this.entries.clear();
    else if (from !== this.version) return false;
    for (const name of gone) this.entries.delete(name);
    for (const [name, text] of entries) this.entries.set(name, text);
    this.version = version;
    this.supervisor = supervisor;
    return true;
  }

  /** Returns everything, because nothing has to be sent. */
  async read(version: string): Promise<AppIndexRead | null> {
    const { version: current, supervisor } = this;
    if (current === null) return null;
    const complete = current !== version;
    const entries = complete ? [...this.entries].map(([name, text]) => [name, JSON.parse(text)] as const) : [];
    return { version: current, complete, entries: new Map(entries), gone: [], supervisor: JSON.parse(supervisor) };
  }
}
