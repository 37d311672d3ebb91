import { z } from 'zod';
import { type AppIndexEntry, appIndexEntry } from '../../shared/messages';
import type { Clock } from '../clock';
import type { AppIndexFound, AppIndexHead, AppIndexStore, AppIndexValue } from './stores/app-index';
import { type Count, countAfter, isAfter, NO_COUNT } from './stores/counts';

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

/** The field of the Supervisor's entry, beside those of apps. */
const MANAGER = ':supervisor';
/** How many fields the last changes name together: every reader reads them with each change. */
const MOST_NAMED = 100;
/** How often a write is tried again, because somebody else has written meanwhile. */
const TURNS = 3;

/** What this writer left in the store. */
interface Left extends AppIndexHead {
  mark: string;
}

/** Writes the index of all apps for processes that host some of them: the changes, and what a comparison finds. */
export class AppIndexWriter {
  /** By field, what the index is to have. */
  private readonly texts: Map<string, string>;
  private readonly uids = new Map<string, string>();
  /** Names whose definitions have changed since their texts were made; null: all may have. */
  private noted: Set<string> | null = null;
  /** What the store had at last, of these texts and no others; null: another process led, or it is not known what was written. */
  private left: Left | null = null;
  /** The last count that this writer has left. */
  private count = NO_COUNT;
  /** The store is compared, whatever its mark. */
  private isDoubted = true;

  constructor(
    private readonly store: AppIndexStore,
    supervisor: SupervisorEntry,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    this.texts = new Map([[MANAGER, JSON.stringify(supervisor)]]);
  }

  /** Another process may have led: nothing that is known can be relied on. */
  invalidate(): void {
    this.noted = null;
    this.left = null;
  }

  /** The next write compares everything. */
  doubt(): void {
    this.isDoubted = true;
  }

  /** Marks apps that were created, changed or deleted. */
  note(names: string[]): void {
    for (const name of names) this.noted?.add(name);
  }

  /**
   * @param term of the leading Supervisor
   * @returns whether there was anything to write
   * @throws if the store cannot be reached, or other processes write there without end
   */
  async write(apps: ReadonlyMap<string, AppIndexEntry>, term: number): Promise<boolean> {
    for (let turn = 0; turn < TURNS; turn++) {
      const isWritten = await this.writeOnce(apps, term);
      if (isWritten !== null) return isWritten;
    }
    throw new Error('The app index is written by somebody else.');
  }

  /** Null if somebody else has written meanwhile. */
  private async writeOnce(apps: ReadonlyMap<string, AppIndexEntry>, term: number): Promise<boolean | null> {
    const found = await this.compare();
    const { left } = this;
    const isBehind =
      found && left && found.mark !== left.mark && (!found.head || isAfter(left.count, found.head.count));
    // Whoever has read it with this count has to read nothing again.
    if (isBehind && !(await this.put(found.mark, left, this.differing(found), term))) return null;
    const noted = this.takeOver(apps);
    const fields = found && !isBehind ? this.differing(found) : noted;
    const from = found && !isBehind ? this.leftIn(found) : (this.left as Left);
    if (!fields.length) {
      this.left = from;
      return Boolean(isBehind);
    }
    const count = countAfter(from.count, term, Math.floor(this.clock.now().wall));
    const head = { count, changes: followed(from.changes, { count, fields }) };
    return (await this.put(from.mark, head, fields, term)) || null;
  }

  /** Everything that is there; null if it is as this writer left it. */
  private async compare(): Promise<AppIndexFound | null> {
    const { store, left, isDoubted } = this;
    if (left && !isDoubted && (await store.mark()) === left.mark) return null;
    const found = await store.inspect();
    this.isDoubted = false;
    return found;
  }

  /** From where to go on: above every count that is known. */
  private leftIn({ mark, head }: AppIndexFound): Left {
    const { count, changes } = head ?? { count: NO_COUNT, changes: [] };
    return isAfter(this.count, count) ? { mark, count: this.count, changes: [] } : { mark, count, changes };
  }

  private differing({ entries }: AppIndexFound): string[] {
    const fields = new Set([...this.texts.keys(), ...entries.keys()]);
    return [...fields].filter((field) => this.texts.get(field) !== entries.get(field));
  }

  private async put(from: string, head: AppIndexHead, fields: string[], term: number): Promise<boolean> {
    // Until it is known what was written.
    this.left = null;
    const { texts } = this;
    const entries = new Map(fields.flatMap((field) => (texts.has(field) ? [[field, texts.get(field) as string]] : [])));
    const gone = fields.filter((field) => !texts.has(field));
    const mark = await this.store.write({ ...head, from, entries, gone, term });
    if (mark === null) return false;
    this.left = { ...head, mark };
    this.count = head.count;
    return true;
  }

  /** @returns the fields that are to have another text from now on */
  private takeOver(apps: ReadonlyMap<string, AppIndexEntry>): string[] {
    const names = this.noted ?? new Set([...this.uids.keys(), ...apps.keys()]);
    this.noted = new Set();
    const changed = new Set<string>();
    for (const name of names) {
      const app = apps.get(name);
      const before = this.uids.get(name);
      if (before !== undefined && before !== app?.uid) {
        this.texts.delete(before);
        this.uids.delete(name);
        changed.add(before);
      }
      if (!app) continue;
      const text = JSON.stringify(appIndexEntry.parse(app));
      if (text === this.texts.get(app.uid)) continue;
      this.texts.set(app.uid, text);
      this.uids.set(name, app.uid);
      changed.add(app.uid);
    }
    return [...changed];
  }
}

/** The last changes, as many as name no more than `MOST_NAMED` fields: by the count of each, readers find what follows. */
function followed(changes: AppIndexHead['changes'], change: AppIndexHead['changes'][number]): AppIndexHead['changes'] {
  const kept: AppIndexHead['changes'] = [];
  let named = 0;
  for (const one of [change, ...changes.toReversed()]) {
    named += one.fields.length;
    kept.unshift(named > MOST_NAMED ? { ...one, fields: [] } : one);
    if (named > MOST_NAMED) break;
  }
  return kept;
}

/** A hosting process's copy of the index. It reads only changes; without a change a read costs one value. */
export class AppIndexReader {
  private count: Count | null = null;
  /** By field, of what was parsed: null where it is no entry of an app. */
  private entries = new Map<string, AppIndexValue & { entry: AppIndexEntry | null }>();
  /** By name: of two incarnations the one that was written last. */
  private byName = new Map<string, AppIndexEntry>();
  /** Null until the Supervisor has published itself. */
  supervisor: SupervisorEntry | null = null;

  constructor(private readonly store: Pick<AppIndexStore, 'read'>) {}

  /** @returns whether anything has changed */
  async read(): Promise<boolean> {
    const found = await this.store.read(this.count);
    // One that began later may have ended earlier.
    if (!found || (this.count && !isAfter(found.count, this.count))) return false;
    this.count = found.count;
    this.supervisor = supervisorEntry.safeParse(found.entries.get(MANAGER)?.value).data ?? null;
    const before = this.entries;
    this.entries = new Map();
    for (const [field, { at, value }] of found.entries) {
      const known = before.get(field);
      const entry = known && known.value === value ? known.entry : entryOf(field, value);
      this.entries.set(field, { at, value, entry });
    }
    const inOrder = [...this.entries.values()].sort((one, other) => (isAfter(one.at, other.at) ? 1 : -1));
    this.byName = new Map(inOrder.flatMap(({ entry }) => (entry ? [[entry.name, entry]] : [])));
    return true;
  }

  /** The uid of the app with this name; null if there is none, undefined if nothing has been published. */
  uidOf(name: string): string | null | undefined {
    if (!this.count) return undefined;
    return this.byName.get(name)?.uid ?? null;
  }

  all(): AppIndexEntry[] {
    return [...this.byName.values()];
  }
}

function entryOf(field: string, value: unknown): AppIndexEntry | null {
  const { data } = appIndexEntry.safeParse(value);
  return data?.uid === field ? data : null;
}
