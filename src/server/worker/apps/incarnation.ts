import { z } from 'zod';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { Feed } from '../../feed';

/** An app that ran here before its environment was forgotten. */
const leftApp = z.object({
  name: z.string(),
  /** When it was left, in ms since 1970. */
  at: z.number(),
});

/** An app that was removed here. */
const removedApp = z.object({
  uid: z.string(),
  /** Of the record that removed it. */
  generation: z.number(),
  /** In ms since 1970. */
  at: z.number(),
});

/** What a Worker's snapshot says about the environment as a whole. */
export const snapshotHeader = z.object({
  incarnation: z.number().int().nonnegative(),
  left: z.array(leftApp),
  removed: z.array(removedApp).default([]),
});
export type SnapshotHeader = z.infer<typeof snapshotHeader>;

/** How long an app that was left is named, in ms. */
const NAMED_FOR = 90 * 24 * 3_600_000;
/** How old a copy may be to which the store falls back, in ms, and how many removals are remembered for it. */
const REMEMBERED_FOR = 24 * 3_600_000;
const MOST_REMOVED = 500;

export interface IncarnationOptions {
  clock: Clock;
  /** Whether this process hosts: the snapshot belongs to the one that does. */
  mayHost(): boolean;
  /** Writes the header, and removes the apps that it names as left from the snapshot, in one transaction. */
  saveHeader(header: SnapshotHeader): Promise<void>;
}

/**
 * Which incarnation of its environment this Worker belongs to. An environment that is forgotten gets a newer one; a Worker that finds
 * a newer one in Redis than in its snapshot has been away meanwhile, and starts empty.
 */
export class Incarnation {
  /** The apps that were left have changed. */
  readonly changes = new Feed<void>();
  private header: SnapshotHeader = { incarnation: 0, left: [], removed: [] };
  private isSaved = true;

  constructor(private readonly options: IncarnationOptions) {}

  /** Takes over what the snapshot says, whatever was known before: its apps are of that incarnation. */
  restore(stored: SnapshotHeader | null): void {
    const { wall } = this.options.clock.now();
    const { incarnation, left, removed } = stored ?? { incarnation: 0, left: [], removed: [] };
    this.header = {
      incarnation,
      left: left.filter(({ at }) => wall - at < NAMED_FOR),
      removed: removed.filter(({ at }) => wall - at < REMEMBERED_FOR),
    };
    this.isSaved = true;
    this.changes.emit();
  }

  /** Names of apps that ran here before the environment was forgotten, and were not assigned to it again. */
  get left(): string[] {
    return this.header.left.map(({ name }) => name).sort();
  }

  /** That of this Worker. */
  get current(): number {
    return this.header.incarnation;
  }

  /**
   * Whether an incarnation is over: the store is an older copy, and what it says is not for this Worker any more. The Supervisor is
   * told by the registration.
   */
  isPast(incarnation: number | null): boolean {
    return incarnation !== null && incarnation < this.header.incarnation;
  }

  /** Whether an incarnation follows the one in which this Worker's apps were assigned to it. */
  isOver(incarnation: number): boolean {
    return incarnation > this.header.incarnation;
  }

  /** @param names of the apps that end with the previous incarnation */
  enter(incarnation: number, names: string[]): void {
    const at = this.options.clock.now().wall;
    const before = this.header.left.filter(({ name }) => !names.includes(name));
    this.change({ ...this.header, incarnation, left: [...before, ...names.map((name) => ({ name, at }))] });
  }

  /**
   * An app was removed here by this record.
   * @throws errors of the database
   */
  async removed({ uid, generation }: Pick<AppRecord, 'uid' | 'generation'>): Promise<void> {
    const at = this.options.clock.now().wall;
    const others = this.header.removed.filter((one) => one.uid !== uid);
    this.header = { ...this.header, removed: [...others, { uid, generation, at }].slice(-MOST_REMOVED) };
    this.isSaved = false;
    await this.save();
  }

  /** The generation in which the app of a record was removed here, if that is newer than the record; otherwise null. */
  removedAs({ uid, generation }: Pick<AppRecord, 'uid' | 'generation'>): number | null {
    const found = this.header.removed.find((one) => one.uid === uid && one.generation > generation);
    return found?.generation ?? null;
  }

  /** Of what a snapshot holds, what was not removed here since: a process that was displaced may have written it again. */
  present<Row extends { record: AppRecord }>(found: Row[]): Row[] {
    return found.filter(({ record }) => this.removedAs(record) === null);
  }

  /** These apps were assigned to the environment. */
  assigned(names: ReadonlySet<string>): void {
    const left = this.header.left.filter(({ name }) => !names.has(name));
    if (left.length < this.header.left.length) this.change({ ...this.header, left });
  }

  /** @throws errors of the database; it is tried again with the next call */
  async save(): Promise<void> {
    if (this.isSaved || !this.options.mayHost()) return;
    const { header } = this;
    await this.options.saveHeader(header);
    this.isSaved = this.header === header;
  }

  private change(header: SnapshotHeader): void {
    this.header = header;
    this.isSaved = false;
    this.changes.emit();
  }
}
