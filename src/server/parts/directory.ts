import { z } from 'zod';
import type { AppModel } from '../adapters/managed';
import type { AppDefinition } from '../apps/definitions';
import type { StateStore } from '../wire/wire';

/** What everybody in the fleet may know of an app: what a switcher shows. No secrets, no addresses of servers. */
export const directoryEntry = z.object({
  name: z.string(),
  title: z.string(),
  icon: z.string().nullable(),
  cname: z.string().nullable(),
  sort: z.number(),
  pinned: z.boolean(),
  hidden: z.boolean(),
  environments: z.array(z.string()),
  sso: z.record(z.string(), z.unknown()).nullable(),
});
export type DirectoryEntry = z.infer<typeof directoryEntry>;

/** Writes the directory of all apps for those that host some of them: what changed, and everything after a flush. */
export class DirectoryWriter {
  private written = new Map<string, string>();

  constructor(private readonly state: StateStore) {}

  /** The store lost its content: nothing is written any more. */
  distrust(): void {
    this.written = new Map();
  }

  async write(apps: Iterable<AppDefinition>): Promise<void> {
    const wanted = new Map([...apps].map((app) => [app.name, JSON.stringify(directoryEntry.parse(app))]));
    const changed = [...wanted].filter(([name, text]) => this.written.get(name) !== text);
    const gone = [...this.written.keys()].filter((name) => !wanted.has(name));
    const complete = this.written.size === 0;
    if (!changed.length && !gone.length && !complete) return;
    await this.state.writeDirectory(new Map(changed), gone, complete);
    this.written = wanted;
  }
}

/** A hosting process's copy of the directory: read again when it changed, at a cost of one command when it did not. */
export class DirectoryReader {
  private version = '';
  private entries: DirectoryEntry[] = [];

  constructor(private readonly state: StateStore) {}

  async read(): Promise<void> {
    const found = await this.state.readDirectory(this.version);
    if (!found) return;
    this.version = found.version;
    this.entries = found.entries.flatMap((entry) => {
      const parsed = directoryEntry.safeParse(entry);
      return parsed.success ? [parsed.data] : [];
    });
  }

  all(): DirectoryEntry[] {
    return this.entries;
  }
}

/** The core's view of an app (app-supervisor/types.ts:73), a copy through and through: plugins change what they get. */
export const modelOf = (entry: DirectoryEntry): AppModel => ({
  name: entry.name,
  title: entry.title,
  ...(entry.icon ? { icon: entry.icon } : {}),
  ...(entry.cname ? { cname: entry.cname } : {}),
  sort: entry.sort,
  pinned: entry.pinned,
  environments: [...entry.environments],
  options: { ...(entry.hidden ? { hidden: true } : {}), ...(entry.sso ? { sso: structuredClone(entry.sso) } : {}) },
});
