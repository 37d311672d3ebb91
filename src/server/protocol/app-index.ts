import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type AppIndexEntry, appIndexEntry } from '../../shared/messages';
import type { AppIndexStore } from './stores/app-index';

/** Who manages the fleet, as its workers know it. */
export const supervisorEntry = z.object({
  /** The process that leads, `host:pid:random`. */
  instance: z.string(),
  /** `APP_SUPERVISOR_PUBLIC_URL` as set there. */
  publicUrl: z.string().nullable(),
});
export type SupervisorEntry = z.infer<typeof supervisorEntry>;

/** So many changes at once are written as a new directory: a script's arguments are limited. */
const MANY = 500;

/** Writes the directory of all apps for those that host some of them: what changed, and everything after a flush. */
export class AppIndexWriter {
  /** By name, as text. */
  private readonly written = new Map<string, string>();
  private digest = Buffer.alloc(16);
  /** Names whose definitions changed since they were written; null: the store has lost its content, or may have. */
  private changed: Set<string> | null = null;

  constructor(
    private readonly store: AppIndexStore,
    private readonly supervisor: SupervisorEntry,
  ) {}

  /** Nothing is written any more. */
  invalidate(): void {
    this.changed = null;
  }

  /** These were made, changed or deleted. */
  note(names: string[]): void {
    for (const name of names) this.changed?.add(name);
  }

  /** @returns whether there was something to write. */
  async write(apps: ReadonlyMap<string, AppIndexEntry>): Promise<boolean> {
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
    if (changed && !entries.size && !gone.length) return false;
    const supervisor = JSON.stringify(this.supervisor);
    const written = await this.store.write({ from, version: this.version, entries, gone, supervisor });
    if (written) return true;
    // Lost meanwhile, or written by another supervisor; whichever of two leads keeps the last word.
    this.invalidate();
    return this.write(apps);
  }

  /** Of what is written: the same for the same content, in whatever order and by whomever it was written. */
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

  /** An entry is mixed in as it is mixed out. */
  private mix(name: string, text: string): void {
    const hash = createHash('sha256').update(`${name} ${text}`).digest();
    for (let i = 0; i < this.digest.length; i++) this.digest[i] ^= hash[i];
  }
}

/** A hosting process's copy of the directory: what changed is read, at a cost of two values when nothing did. */
export class AppIndexReader {
  private version = '';
  private readonly entries = new Map<string, AppIndexEntry>();
  /** Null until one has told. */
  supervisor: SupervisorEntry | null = null;

  constructor(private readonly store: AppIndexStore) {}

  async read(): Promise<void> {
    const found = await this.store.read(this.version);
    if (!found) return;
    this.version = found.version;
    this.supervisor = supervisorEntry.safeParse(found.supervisor).data ?? null;
    if (found.complete) this.entries.clear();
    for (const name of found.gone) this.entries.delete(name);
    for (const [name, entry] of found.entries) {
      const { data } = appIndexEntry.safeParse(entry);
      if (data) this.entries.set(name, data);
      else this.entries.delete(name);
    }
  }

  /** Of an app of that name; null when there is none, undefined while nobody has told. */
  uidOf(name: string): string | null | undefined {
    if (!this.version) return undefined;
    return this.entries.get(name)?.uid ?? null;
  }

  all(): AppIndexEntry[] {
    return [...this.entries.values()];
  }
}
