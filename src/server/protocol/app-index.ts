import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type AppIndexEntry, appIndexEntry } from '../../shared/messages';
import type { AppIndexStore } from './stores/app-index';

/** The Supervisor, as its workers know it. */
export const supervisorEntry = z.object({
  /** The leading process, `host:pid:random`. */
  instance: z.string(),
  /** `APP_SUPERVISOR_PUBLIC_URL` of the Supervisor. */
  publicUrl: z.string().nullable(),
  /** `APP_SUPERVISOR_APPS_DOMAIN` of the Supervisor; absent before 0.3.0. */
  appsDomain: z.string().nullish(),
});
export type SupervisorEntry = z.infer<typeof supervisorEntry>;

/**
 * From this number of changes on, the whole index is written again, because the number of a script's arguments is
 * limited.
 */
const MANY = 500;

/** Writes the index of all apps for processes that host some of them: the changes, and everything after a flush. */
export class AppIndexWriter {
  /** By name, as text. */
  private readonly written = new Map<string, string>();
  private digest = Buffer.alloc(16);
  /**
   * Names whose definitions have changed since they were written; null: the store has lost its content, or may have.
   */
  private changed: Set<string> | null = null;

  constructor(
    private readonly store: AppIndexStore,
    private readonly supervisor: SupervisorEntry,
  ) {}

  /** Treats everything as unwritten. */
  invalidate(): void {
    this.changed = null;
  }

  /** Marks apps that were created, changed or deleted. */
  note(names: string[]): void {
    for (const name of names) this.changed?.add(name);
  }

  /**
   * @param term of the leading Supervisor
   * @returns whether there was anything to write
   */
  async write(apps: ReadonlyMap<string, AppIndexEntry>, term: number): Promise<boolean> {
    const changed = this.changed && this.changed.size <= MANY ? this.changed : null;
    this.changed = new Set();
    if (!changed) {
      this.written.clear();
      this.digest.fill(0);
    }
    const from = changed ? this.version : null;
    const entries = new Map<string, string>();
    const gone: string[] = [];
    for (const name of changed ?? apps.keys()) {
      const app = apps.get(name);
      const text = app && JSON.stringify(appIndexEntry.parse(app));
      if (text === this.written.get(name)) continue;
      if (text === undefined) gone.push(name);
      else entries.set(name, text);
      this.keep(name, text);
    }
    if (changed && !entries.size && !gone.length) {
      // A store that failed over to an older copy has another version; one that has this content answers in two values.
      if ((await this.store.read(this.version))?.version === this.version) return false;
      this.invalidate();
      return this.write(apps, term);
    }
    const supervisor = JSON.stringify(this.supervisor);
    const written = await this.store.write({ from, version: this.version, entries, gone, supervisor, term });
    if (written) return true;
    // Lost meanwhile, or written by another Supervisor; the last writer wins.
    this.invalidate();
    return this.write(apps, term);
  }

  /** The version of the content: the same for the same content, in any order and from any writer. */
  private get version(): string {
    return this.digest.toString('hex');
  }

  private keep(name: string, text: string | undefined): void {
    const before = this.written.get(name);
    if (before !== undefined) this.mix(name, before);
    if (text === undefined) this.written.delete(name);
    else this.written.set(name, text);
    if (text !== undefined) this.mix(name, text);
  }

  /** Adding an entry and removing it are the same operation. */
  private mix(name: string, text: string): void {
    const hash = createHash('sha256').update(`${name} ${text}`).digest();
    for (let i = 0; i < this.digest.length; i++) this.digest[i] ^= hash[i];
  }
}

/** A hosting process's copy of the index. It reads only changes; without a change a read costs two values. */
export class AppIndexReader {
  private version = '';
  private readonly entries = new Map<string, AppIndexEntry>();
  /** Null until the Supervisor has published itself. */
  supervisor: SupervisorEntry | null = null;

  constructor(private readonly store: AppIndexStore) {}

  /** @returns whether anything has changed */
  async read(): Promise<boolean> {
    const found = await this.store.read(this.version);
    if (!found) return false;
    this.version = found.version;
    this.supervisor = supervisorEntry.safeParse(found.supervisor).data ?? null;
    if (found.complete) this.entries.clear();
    for (const name of found.gone) this.entries.delete(name);
    for (const [name, entry] of found.entries) {
      const { data } = appIndexEntry.safeParse(entry);
      if (data) this.entries.set(name, data);
      else this.entries.delete(name);
    }
    return true;
  }

  /** The uid of the app with this name; null if there is none, undefined if nothing has been published. */
  uidOf(name: string): string | null | undefined {
    if (!this.version) return undefined;
    return this.entries.get(name)?.uid ?? null;
  }

  all(): AppIndexEntry[] {
    return [...this.entries.values()];
  }
}
