import { z } from 'zod';
import type { AppModel } from '../adapters/managed';
import type { AppDefinition } from '../apps/definitions';
import type { StateStore } from '../wire/wire';

/** What everybody in the fleet may know of an app: what a switcher shows. No secrets, no addresses of servers. */
export const directoryEntry = z.object({
  name: z.string(),
  uid: z.string(),
  title: z.string(),
  icon: z.string().nullable(),
  cname: z.string().nullable(),
  sort: z.number(),
  pinned: z.boolean(),
  hidden: z.boolean(),
  environments: z.array(z.string()),
  startMode: z.enum(['onVisit', 'withMain']),
  sso: z.record(z.string(), z.unknown()).nullable(),
});
export type DirectoryEntry = z.infer<typeof directoryEntry>;

/** Who manages the fleet, as its workers know it. */
export const supervisorEntry = z.object({
  /** The process that leads, `host:pid:random`. */
  instance: z.string(),
  /** `APP_SUPERVISOR_PUBLIC_URL` as set there. */
  publicUrl: z.string().nullable(),
});
export type SupervisorEntry = z.infer<typeof supervisorEntry>;

/** Writes the directory of all apps for those that host some of them: what changed, and everything after a flush. */
export class DirectoryWriter {
  /** By name, as text. */
  private readonly written = new Map<string, string>();
  /** Names whose definitions changed since they were written; null: the store has lost its content, or may have. */
  private changed: Set<string> | null = null;

  constructor(
    private readonly state: StateStore,
    private readonly supervisor: SupervisorEntry,
  ) {}

  /** Nothing is written any more. */
  distrust(): void {
    this.changed = null;
  }

  /** These were made, changed or deleted. */
  note(names: string[]): void {
    for (const name of names) this.changed?.add(name);
  }

  /** @returns whether there was something to write. */
  async write(apps: ReadonlyMap<string, AppDefinition>): Promise<boolean> {
    const complete = this.changed === null;
    const names = this.changed ?? apps.keys();
    this.changed = new Set();
    if (complete) this.written.clear();
    const entries = new Map<string, string>();
    const gone: string[] = [];
    for (const name of names) {
      const app = apps.get(name);
      const text = app && JSON.stringify(directoryEntry.parse(app));
      if (text === this.written.get(name)) continue;
      if (text === undefined) gone.push(name);
      else entries.set(name, text);
    }
    if (!complete && !entries.size && !gone.length) return false;
    const supervisor = JSON.stringify(this.supervisor);
    await this.state.writeDirectory({ entries, gone, complete, supervisor });
    for (const [name, text] of entries) this.written.set(name, text);
    for (const name of gone) this.written.delete(name);
    return true;
  }
}

/** A hosting process's copy of the directory: read again when it changed, at a cost of one command when it did not. */
export class DirectoryReader {
  private version = '';
  private entries: DirectoryEntry[] = [];
  /** Null until one has told. */
  supervisor: SupervisorEntry | null = null;

  constructor(private readonly state: StateStore) {}

  async read(): Promise<void> {
    const found = await this.state.readDirectory(this.version);
    if (!found) return;
    this.version = found.version;
    this.entries = found.entries.flatMap((entry) => {
      const parsed = directoryEntry.safeParse(entry);
      return parsed.success ? [parsed.data] : [];
    });
    this.supervisor = supervisorEntry.safeParse(found.supervisor).data ?? null;
  }

  /** Of an app of that name; null when there is none, undefined while nobody has told. */
  uidOf(name: string): string | null | undefined {
    if (!this.version) return undefined;
    return this.entries.find((entry) => entry.name === name)?.uid ?? null;
  }

  all(): DirectoryEntry[] {
    return this.entries;
  }
}

/**
 * What the core gets to know of all apps, in one order in every process: neither the store keeps one, nor those that read
 * definitions as they change.
 */
export const modelsOf = (entries: DirectoryEntry[]): AppModel[] =>
  [...entries].sort((a, b) => a.sort - b.sort || (a.name < b.name ? -1 : 1)).map(modelOf);

/** The core's view of an app (app-supervisor/types.ts:73), a copy through and through: plugins change what they get. */
const modelOf = (entry: DirectoryEntry): AppModel => ({
  name: entry.name,
  title: entry.title,
  ...(entry.icon ? { icon: entry.icon } : {}),
  ...(entry.cname ? { cname: entry.cname } : {}),
  sort: entry.sort,
  pinned: entry.pinned,
  environments: [...entry.environments],
  options: {
    ...(entry.startMode === 'withMain' ? { autoStart: true } : {}),
    ...(entry.hidden ? { hidden: true } : {}),
    ...(entry.sso ? { sso: structuredClone(entry.sso) } : {}),
  },
});
