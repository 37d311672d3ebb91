import { isDeepStrictEqual } from 'node:util';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { Feed } from '../../feed';
import { KeyedQueue } from '../../keyed-queue';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { Stores } from '../../protocol/stores';
import { type Count, countAfter, NO_COUNT } from '../../protocol/stores/counts';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { LeaseStore } from '../../protocol/stores/leases';
import type { RecordStore, RecordsRead } from '../../protocol/stores/records';
import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentRegistry } from '../definitions/environment-registry';
import type { AppDefinition, Published } from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { recordFor } from '../rollout/record';
import type { Leadership } from './leader';
import { environmentKey } from './queue-keys';
import type { WorkQueue } from './work-queue';

export interface RecordReconcilerOptions {
  appCache: AppCache;
  observer: FleetObserver;
  environmentCache: Pick<EnvironmentCache, 'isAdmitted'>;
  leadership: Leadership;
  registry: Pick<EnvironmentRegistry, 'stateOf' | 'raise'>;
  records: RecordStore;
  fleet: Pick<FleetStore, 'forget'>;
  leases: Pick<LeaseStore, 'left'>;
  sealed?: Stores['sealed'];
  bus: MessageBus;
  queue: WorkQueue;
  clock: Clock;
  log: Log;
}

/** What this process left in the store for an environment. */
interface Left {
  mark: string;
  count: Count;
  floor: number;
  /** By uid, with secrets sealed as its Worker reads them. */
  records: Map<string, AppRecord>;
  /** Names of apps whose definitions have changed since; null: all may have. */
  stale: Set<string> | null;
}

const asItIs: NonNullable<Stores['sealed']> = (_, record) => record;

/** Delay before the next attempt if the store could not be written, or somebody else has written there, in ms. */
const STORE_RETRY = 500;
/** How far ahead of this clock that of another Supervisor may have been when it forgot an environment, in ms. */
const AHEAD = 3_600_000;
/** Of more apps a notification names none: its receiver looks what has changed. */
const MOST_NAMED = 100;

/**
 * Keeps the records of each environment equal to the database. They have one writer, the leading Supervisor, which leaves a count with
 * them. While the count is the one that it left, it knows what is there, and writes what differs. Otherwise the store was flushed, is an
 * older copy, or somebody else wrote: then all of them are compared once.
 */
export class RecordReconciler {
  private readonly left = new Map<string, Left>();
  /** An environment was forgotten, through a Supervisor of which this one has not heard. */
  readonly forgotten = new Feed<void>();
  /** By environment, the floor for which records are written. */
  private readonly floors = new Map<string, number>();
  /** By environment, the uids of apps for whose records it was not notified. */
  private readonly unnotified = new Map<string, Set<string>>();
  /** Writes of one environment come one after the other. */
  private readonly writes = new KeyedQueue();
  /** By environment, the live apps that are published there; for one version of the definitions. */
  private published: { version: number; apps: Map<string, AppDefinition[]> } | null = null;

  constructor(private readonly options: RecordReconcilerOptions) {}

  /** Another process led: nothing that is known can be relied on. */
  invalidate(): void {
    this.left.clear();
    this.floors.clear();
    this.published = null;
  }

  /** An environment was forgotten, and this is stored. */
  noteFloor(environment: string, floor: number): void {
    this.floors.set(environment, floor);
    this.left.delete(environment);
  }

  /** Definitions have changed. */
  noteApps(names: string[]): void {
    for (const { stale } of this.left.values()) for (const name of names) stale?.add(name);
  }

  /** Every environment that is known or has required records. */
  names(): string[] {
    const { observer, appCache } = this.options;
    const buried = [...appCache.tombstones.values()].flatMap(({ definition }) => Object.keys(definition.published));
    return [...new Set([...this.left.keys(), ...observer.names(), ...this.publishedApps().keys(), ...buried])];
  }

  /** After a start each environment looks for its apps: one look at all apps serves all of them. */
  private publishedApps(): Map<string, AppDefinition[]> {
    const { apps, version } = this.options.appCache;
    if (this.published?.version === version) return this.published.apps;
    const found = new Map<string, AppDefinition[]>();
    for (const app of apps.values())
      for (const environment of Object.keys(app.published)) {
        const others = found.get(environment);
        if (others) others.push(app);
        else found.set(environment, [app]);
      }
    this.published = { version, apps: found };
    return found;
  }

  /** Writes what has changed of an environment. What cannot be written now is written by its next pass. */
  async publish(environment: string): Promise<void> {
    const { queue } = this.options;
    try {
      const delay = await this.inTurn(environment, async () => {
        const left = this.left.get(environment);
        return left ? this.write(environment, left) : STORE_RETRY;
      });
      if (delay !== null) queue.add(environmentKey(environment), delay);
    } catch {
      queue.add(environmentKey(environment), STORE_RETRY);
    }
  }

  /**
   * Compares the records of an environment with the required ones.
   * @throws if the store cannot be reached
   */
  reconcile(environment: string): Promise<number | null> {
    return this.inTurn(environment, async () => {
      const { records } = this.options;
      const left = this.left.get(environment);
      const isNewer = this.reportedBy(environment) > (left?.floor ?? 0);
      if (!left || isNewer || (await records.mark(environment)) !== left.mark) return this.compare(environment);
      return this.write(environment, left);
    });
  }

  private inTurn(environment: string, work: () => Promise<number | null>): Promise<number | null> {
    return this.writes.add(environment, async () => {
      // The records of another fleet are not ours to mend.
      if (this.options.observer.foreign) return null;
      try {
        return await work();
      } catch (error) {
        // What was written is unknown.
        this.left.delete(environment);
        throw error;
      }
    });
  }

  private async compare(environment: string): Promise<number | null> {
    const { records, leadership } = this.options;
    this.left.delete(environment);
    const read = await records.read(environment, null);
    if (!read) return null;
    const floor = await this.floorFor(environment, read);
    if (floor === null || !leadership.leads) return STORE_RETRY;
    const { mark, count } = read;
    // What is refused is in the way of what is to be written; what is for another floor is gone:
    // at once, or what is left of it would be for this one.
    const isOther = floor !== read.floor;
    const removed = [...(read.refused ?? []), ...(isOther ? read.records.map(({ uid }) => uid) : [])];
    const found = new Map(isOther ? [] : read.records.map((record) => [record.uid, record]));
    const left = { mark, count: count ?? NO_COUNT, floor, records: found, stale: null };
    if ((isOther || removed.length) && !(await this.put(environment, left, [], removed))) return STORE_RETRY;
    this.left.set(environment, left);
    return this.write(environment, left);
  }

  /** Writes what differs: nothing for an environment that nobody has admitted. @returns as `reconcile` */
  private async write(environment: string, left: Left): Promise<number | null> {
    const { appCache, environmentCache, leadership, log, sealed = asItIs } = this.options;
    if (!leadership.leads) return STORE_RETRY;
    if (!environmentCache.isAdmitted(environment)) return null;
    const { stale } = left;
    left.stale = new Set();
    const named = (names: ReadonlySet<string>) => [...names].flatMap((name) => appCache.apps.get(name) ?? []);
    const live = stale ? named(stale) : (this.publishedApps().get(environment) ?? []);
    const wanted = expectedRecords(live, appCache, environment, stale);
    const missing: AppRecord[] = [];
    for (const { app, wish } of wanted.values()) {
      const record = recordFor(app, wish);
      if (!isDeepStrictEqual(left.records.get(app.uid), sealed(environment, record))) missing.push(record);
    }
    const surplus = [...left.records.values()].filter(
      ({ name, uid }) => (!stale || stale.has(name)) && wanted.get(name)?.app.uid !== uid,
    );
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const { uid } of missing) unnotified.add(uid);
    if (unnotified.size) this.unnotified.set(environment, unnotified);
    const gone = surplus.map(({ uid }) => uid);
    if (missing.length || gone.length) {
      if (!(await this.put(environment, left, missing, gone))) return STORE_RETRY;
      log.rooms.records?.('Published', { environment, apps: missing.map(({ name }) => name), removed: gone });
    }
    this.notify(environment);
    return null;
  }

  /** False if somebody else has written meanwhile. */
  private async put(environment: string, left: Left, records: AppRecord[], removed: string[]): Promise<boolean> {
    const { leadership, sealed = asItIs } = this.options;
    const { term } = leadership;
    const count = countAfter(left.count, term, Math.floor(this.options.clock.now().wall));
    const { mark: from, floor } = left;
    const write = { from, count, floor, records, removed, term };
    const mark = await this.options.records.write(environment, write);
    if (mark === null) {
      this.left.delete(environment);
      return false;
    }
    for (const uid of removed) left.records.delete(uid);
    for (const record of records) left.records.set(record.uid, sealed(environment, record));
    Object.assign(left, { mark, count });
    return true;
  }

  /**
   * For which floor of an environment its records are to be: by it a Worker that was away for long finds out that it was
   * forgotten. The store or its Worker has a newer one than the database only if that went back to an older copy.
   *
   * @returns null if another pass is needed
   */
  private async floorFor(environment: string, { floor: stored }: RecordsRead): Promise<number | null> {
    const { fleet, leases, leadership, registry, appCache } = this.options;
    const known = this.floors.get(environment);
    const reported = this.reportedBy(environment);
    if (known !== undefined && stored === known && reported <= known) return known;
    const { floor: last, isRemoved, registration } = await registry.stateOf(environment);
    if (isRemoved) {
      this.forgotten.emit();
      return null;
    }
    const floor = Math.max(last, stored ?? 0, reported);
    // The other Supervisors take its key over from there.
    if (floor > last) await registry.raise(environment, floor);
    // Forgotten while another process led: what is known here of its apps may be older.
    if (known !== undefined && known !== floor) await appCache.load();
    this.floors.set(environment, floor);
    const isForgotten = last > 0 && registration === null;
    if (stored === floor || !isForgotten || !leadership.leads) return floor;
    // An older copy may also have the registration of a forgotten environment that has not come back.
    const isGone = !(await leases.left([environment])).get(environment);
    return isGone && (await fleet.forget(environment, floor, leadership.term)) ? null : floor;
  }

  /** The floor to which its Worker belongs, which reads nothing that is for an older one; 0 if it does not say, or cannot be. */
  private reportedBy(environment: string): number {
    const { observer, clock } = this.options;
    const { floor = 0 } = observer.environment(environment)?.registration ?? {};
    return floor <= clock.now().wall + AHEAD ? floor : 0;
  }

  /** Also of what a failed write may have written: a frozen store carries it out later, and then nothing is missing there. */
  private notify(environment: string): void {
    const unnotified = this.unnotified.get(environment);
    if (!unnotified) return;
    this.unnotified.delete(environment);
    this.options.bus.notify({ environment }, unnotified.size > MOST_NAMED ? [] : [...unnotified]);
  }
}

/** By name, of what an environment is to have records. */
function expectedRecords(
  live: readonly AppDefinition[],
  { tombstones }: Pick<AppCache, 'tombstones'>,
  environment: string,
  names: ReadonlySet<string> | null,
): Map<string, { app: AppDefinition; wish: Published }> {
  const expected = new Map<string, { app: AppDefinition; wish: Published }>();
  const expect = (app: AppDefinition) => {
    const wish = app.published[environment];
    if (wish) expected.set(app.name, { app, wish });
  };
  for (const { name, definition, environments } of tombstones.values())
    if (environments.includes(environment) && (!names || names.has(name))) expect(definition);
  // After the tombstones: a live app of the same name overrides a deleted one.
  for (const app of live) expect(app);
  return expected;
}
