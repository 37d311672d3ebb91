import type { z } from 'zod';
import type { Clock } from '../clock';
import { countAfter, isAfter, NO_COUNT } from './stores/counts';
import type { PublishedFound, PublishedHead, PublishedStore } from './stores/published';

/** How many fields the last changes name together: every reader reads them with each change. */
const MOST_NAMED = 100;
/** How often a write is tried again, because somebody else has written meanwhile. */
const TURNS = 3;

/** What this writer left in the store. */
interface Left extends PublishedHead {
  mark: string;
}

/** What there is to publish of apps, by name. */
export interface PublishedApps<T> {
  keys(): Iterable<string>;
  get(name: string): T | undefined;
}

/**
 * Writes a hash with an entry for each app, by uid, and entries of fields that no app has as its uid: the changes, and what a
 * comparison finds.
 */
export class PublishedWriter<T extends { uid: string }> {
  /** By field, what the hash is to have. */
  private readonly texts = new Map<string, string>();
  /** By field, what is to be there from the next write on; null: nothing. */
  private readonly staged = new Map<string, string | null>();
  private readonly uids = new Map<string, string>();
  /** Names of apps that have changed since their texts were made; null: all may have. */
  private noted: Set<string> | null = null;
  /** What the store had at last, of these texts and no others; null: another process led, or it is not known what was written. */
  private left: Left | null = null;
  /** The last count that this writer has left. */
  private count = NO_COUNT;
  /** The store is compared, whatever its mark. */
  private isDoubted = true;

  constructor(
    private readonly store: PublishedStore,
    private readonly schema: z.ZodType<T>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Another process may have led: nothing that is known can be relied on. */
  invalidate(): void {
    this.noted = null;
    this.left = null;
  }

  /** The next write compares everything. */
  doubt(): void {
    this.isDoubted = true;
  }

  /** Marks apps of which there may be something else to publish, or nothing any more. @param names null: all */
  note(names: Iterable<string> | null): void {
    if (names === null) this.noted = null;
    else for (const name of names) this.noted?.add(name);
  }

  /** The next write publishes this in a field that is no app's; null: nothing is there any more. */
  stage(field: string, value: unknown): void {
    this.staged.set(field, value === null ? null : JSON.stringify(value));
  }

  /**
   * @param term of the leading Supervisor
   * @returns whether there was anything to write
   * @throws if the store cannot be reached, or other processes write there without end
   */
  async write(apps: PublishedApps<T>, term: number): Promise<boolean> {
    for (let turn = 0; turn < TURNS; turn++) {
      const isWritten = await this.writeOnce(apps, term);
      if (isWritten !== null) return isWritten;
    }
    throw new Error('What is published is written by somebody else.');
  }

  /** Null if somebody else has written meanwhile. */
  private async writeOnce(apps: PublishedApps<T>, term: number): Promise<boolean | null> {
    const found = await this.compare();
    const { left } = this;
    const isBehind =
      found && left && found.mark !== left.mark && (!found.head || isAfter(left.count, found.head.count));
    // Whoever has read it with this count has to read nothing again.
    if (isBehind && !(await this.put(found.mark, left, this.differing(found), term))) return null;
    const noted = this.takeOver(apps);
    const from = found && !isBehind ? this.leftIn(found) : (this.left as Left);
    const fields = found && !isBehind ? this.differing(found, from) : noted;
    if (!fields.length) {
      this.left = from;
      return Boolean(isBehind);
    }
    const count = countAfter(from.count, term, Math.floor(this.clock.now().wall));
    const head = { count, changes: followed(from.changes, { count, fields }) };
    return (await this.put(from.mark, head, fields, term)) || null;
  }

  /** Everything that is there; null if it is as this writer left it. */
  private async compare(): Promise<PublishedFound | null> {
    const { store, left, isDoubted } = this;
    if (left && !isDoubted && (await store.mark()) === left.mark) return null;
    const found = await store.inspect();
    this.isDoubted = false;
    return found;
  }

  /** From where to go on: above every count that is known. */
  private leftIn({ mark, head }: PublishedFound): Left {
    const { count, changes } = head ?? { count: NO_COUNT, changes: [] };
    return isAfter(this.count, count) ? { mark, count: this.count, changes: [] } : { mark, count, changes };
  }

  /**
   * The fields to write. A reader with a newer count than the store's ignores entries with an older one, so that all are written again.
   * @param from where the next write goes on; absent: what the store had is restored, with the count of then
   */
  private differing({ head, entries }: PublishedFound, from?: Left): string[] {
    const fields = [...new Set([...this.texts.keys(), ...entries.keys()])];
    const isOlder = from && isAfter(from.count, head?.count ?? NO_COUNT);
    return isOlder ? fields : fields.filter((field) => this.texts.get(field) !== entries.get(field));
  }

  private async put(from: string, head: PublishedHead, fields: string[], term: number): Promise<boolean> {
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
  private takeOver(apps: PublishedApps<T>): string[] {
    const names = this.noted ?? new Set([...this.uids.keys(), ...apps.keys()]);
    this.noted = new Set();
    for (const name of names) {
      const app = apps.get(name);
      const before = this.uids.get(name);
      if (before !== undefined && before !== app?.uid) {
        this.staged.set(before, null);
        this.uids.delete(name);
      }
      if (!app) continue;
      this.staged.set(app.uid, JSON.stringify(this.schema.parse(app)));
      this.uids.set(name, app.uid);
    }
    const changed = [...this.staged].filter(([field, text]) => (this.texts.get(field) ?? null) !== text);
    this.staged.clear();
    for (const [field, text] of changed)
      if (text === null) this.texts.delete(field);
      else this.texts.set(field, text);
    return changed.map(([field]) => field);
  }
}

/** The last changes, as many as name no more than `MOST_NAMED` fields: by the count of each, readers find what follows. */
function followed(
  changes: PublishedHead['changes'],
  change: PublishedHead['changes'][number],
): PublishedHead['changes'] {
  const kept: PublishedHead['changes'] = [];
  let named = 0;
  for (const one of [change, ...changes.toReversed()]) {
    named += one.fields.length;
    kept.unshift(named > MOST_NAMED ? { ...one, fields: [] } : one);
    if (named > MOST_NAMED) break;
  }
  return kept;
}
