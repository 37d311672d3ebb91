import PQueue from 'p-queue';
import { z } from 'zod';
import type { AppRecord } from '../../../shared/messages';
import type { Status } from '../../../shared/types';
import type { Clock } from '../../clock';
import { Feed } from '../../feed';
import type { Keyring } from '../../protocol/keyring';

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
  floor: z.number().int().nonnegative(),
  /** The Supervisor's: by it a Worker learns that its environment was forgotten, and its own key has ended. */
  publicKey: z.string().nullable(),
  removed: z.array(removedApp),
});
export type SnapshotHeader = z.infer<typeof snapshotHeader>;

const NO_HEADER: SnapshotHeader = { floor: 0, publicKey: null, removed: [] };

/** How old a copy may be to which the store falls back, in ms, and how many removals are remembered for it. */
const REMEMBERED_FOR = 24 * 3_600_000;
const MOST_REMOVED = 500;

/**
 * What a process that begins no tenure signs, and opens of the snapshot, goes by the same key of the environment.
 * @throws errors of the database
 */
export async function raiseKey(
  snapshot: { loadHeader(): Promise<SnapshotHeader | null> },
  environment: string,
  keyring: Pick<Keyring, 'raise'> | undefined,
): Promise<void> {
  const header = await snapshot.loadHeader();
  if (header) keyring?.raise(environment, header.floor);
}

export interface FloorOptions {
  environment: string;
  clock: Clock;
  /** Absent where nothing is signed. */
  keyring?: Pick<Keyring, 'learn' | 'publicKey' | 'raise'>;
  /** Whether this process hosts: the snapshot belongs to the one that does. */
  mayHost(): boolean;
  /** Writes the header, and removes these apps from the snapshot, in one transaction. */
  saveHeader(header: SnapshotHeader, gone: string[]): Promise<void>;
}

/**
 * When this Worker's environment was last forgotten. A Worker that finds a later time in Redis than in its snapshot has been away meanwhile,
 * and starts empty; where Redis says an earlier one it is an older copy, of which nothing is taken over.
 */
export class Floor {
  /** It has risen. */
  readonly changes = new Feed<void>();
  private header = NO_HEADER;
  /** Apps that were left below the floor, until the snapshot does not have them any more. */
  private readonly gone = new Set<string>();
  private isSaved = true;
  /** One write after the other, each with what is so at its turn: otherwise an older header could be written last. */
  private readonly writes = new PQueue({ concurrency: 1 });

  constructor(private readonly options: FloorOptions) {}

  /** Takes over what the snapshot says, whatever was known before. */
  restore(stored: SnapshotHeader | null): void {
    const { environment, clock, keyring } = this.options;
    const { wall } = clock.now();
    const { floor, publicKey, removed } = stored ?? NO_HEADER;
    this.header = { floor, publicKey, removed: removed.filter(({ at }) => wall - at < REMEMBERED_FOR) };
    this.gone.clear();
    this.isSaved = true;
    keyring?.raise(environment, floor);
    if (publicKey && !keyring?.publicKey) keyring?.learn(publicKey);
    this.changes.emit();
  }

  get current(): number {
    return this.header.floor;
  }

  /**
   * Compares it with that of the store. If that is higher, the environment was forgotten meanwhile: what it had of apps is left below the
   * floor, except of those that were assigned to it again.
   *
   * @param floor as the store says; null if it does not say
   * @param present names of the apps that the store has a record of
   * @returns the apps that are left
   */
  rise<App extends { record: Pick<AppRecord, 'desired' | 'data'>; status: Status }>(
    floor: number | null,
    apps: ReadonlyArray<[string, App]>,
    present: ReadonlySet<string>,
  ): Array<[string, App]> {
    if (floor === null || floor <= this.current) return [];
    // What was to be removed still is, but no data end any more.
    const goesOn = ({ record, status }: App) =>
      record.desired === 'removed' && (record.data === 'keep' || status === 'not_found');
    const left = apps.filter(([name, app]) => !present.has(name) && !goesOn(app));
    for (const [name] of left) this.gone.add(name);
    this.change({ floor });
    this.changes.emit();
    return left;
  }

  /**
   * An app was removed here by this record.
   * @throws errors of the database
   */
  async removed({ uid, generation }: Pick<AppRecord, 'uid' | 'generation'>): Promise<void> {
    const at = this.options.clock.now().wall;
    const others = this.header.removed.filter((one) => one.uid !== uid);
    this.change({ removed: [...others, { uid, generation, at }].slice(-MOST_REMOVED) });
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
  assigned(names: Iterable<string>): void {
    for (const name of names) this.gone.delete(name);
  }

  /** @throws errors of the database; it is tried again with the next call */
  save(): Promise<void> {
    return this.writes.add(() => this.saveNow());
  }

  private async saveNow(): Promise<void> {
    const publicKey = this.options.keyring?.publicKey ?? null;
    if (publicKey !== this.header.publicKey) this.change({ publicKey });
    if (this.isSaved || !this.options.mayHost()) return;
    const { header } = this;
    const gone = [...this.gone];
    await this.options.saveHeader(header, gone);
    for (const name of gone) this.gone.delete(name);
    this.isSaved = this.header === header;
  }

  private change(values: Partial<SnapshotHeader>): void {
    this.header = { ...this.header, ...values };
    this.isSaved = false;
  }
}
