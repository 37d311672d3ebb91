import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock';
import { Feed } from '../../feed';
import type { MessageBus } from '../../protocol/bus';
import type { Stores } from '../../protocol/stores';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { LeaseStore } from '../../protocol/stores/leases';
import type { RecordStore, RecordsRead } from '../../protocol/stores/records';
import type { AppCache, AppCacheChange } from '../apps/cache';
import type { AppDefinition, Published } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import type { EnvironmentRegistry } from '../fleet/registry';
import { recordFor } from '../rollout/record';
import { environmentKey } from './keys';
import type { Leadership } from './leader';
import type { WorkQueue } from './work-queue';

export interface EnvironmentReconcilerOptions {
  appCache: AppCache;
  observer: FleetObserver;
  leadership: Leadership;
  registry: Pick<EnvironmentRegistry, 'stateOf'>;
  records: RecordStore;
  fleet: Pick<FleetStore, 'forget'>;
  leases: Pick<LeaseStore, 'left'>;
  sealed?: Stores['sealed'];
  bus: MessageBus;
  queue: WorkQueue;
  clock: Clock;
}

type ExpectedRecords = Map<string, { app: AppDefinition; wish: Published }>;

const asItIs: NonNullable<Stores['sealed']> = (_, record) => record;

/** Delay before the next attempt if the store could not be written, in ms. */
const STORE_RETRY = 500;
/** Delay before written records are compared once more, in ms. */
const VERIFY_AFTER = 1_000;
/** How far ahead of this clock that of another Supervisor may have been when it forgot an environment, in ms. */
const AHEAD = 3_600_000;
/** Maximum number of names in one notification; its receiver reads everything that is new. */
const MOST_NAMES = 100;

/**
 * Keeps the records of each environment equal to the database: writes again what a flush, an old copy or an outage
 * removed. If the records of an environment have the version at which they were last verified, they are not read again.
 */
export class EnvironmentReconciler {
  /** By environment, the version of its records when they were last verified. */
  private readonly verified = new Map<string, string>();
  /** Environments whose records are compared whatever their version; null: all. */
  private touched: Set<string> | null = null;
  /** An environment was forgotten, through a Supervisor of which this one has not heard. */
  readonly forgotten = new Feed<void>();
  /** By environment, the incarnation that was admitted; absent: it is looked up. */
  private readonly incarnations = new Map<string, number>();
  /** By environment, apps for whose records it was not notified. */
  private readonly unnotified = new Map<string, Set<string>>();
  /** The required records of all environments, as of a version of the definitions. */
  private expected: { version: number; byEnvironment: Map<string, ExpectedRecords> } | null = null;

  constructor(private readonly options: EnvironmentReconcilerOptions) {}

  /** The store lost its content, or another process led: nothing that is known can be relied on. */
  invalidate(): void {
    this.verified.clear();
    this.incarnations.clear();
    this.touched = null;
  }

  /** An environment was forgotten, and this is stored. */
  noteIncarnation(environment: string, incarnation: number): void {
    this.incarnations.set(environment, incarnation);
  }

  /** For which incarnation of an environment records may be published; undefined before its first pass. */
  incarnationOf(environment: string): number | undefined {
    return this.incarnations.get(environment);
  }

  /** Definitions have changed. */
  noteApps({ environments }: AppCacheChange): void {
    for (const environment of environments) this.touched?.add(environment);
  }

  /** A write failed. A frozen store may execute it later, and then nothing is missing there. */
  noteUnnotified(environment: string, names: Iterable<string>): void {
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const name of names) unnotified.add(name);
    if (unnotified.size) this.unnotified.set(environment, unnotified);
    this.touched?.add(environment);
    this.options.queue.add(environmentKey(environment), STORE_RETRY);
  }

  /** Every environment that is known or has required records. */
  names(): string[] {
    return [...new Set([...this.verified.keys(), ...this.options.observer.names(), ...this.expectedOf().keys()])];
  }

  /**
   * Compares the records of an environment with the required ones.
   * @throws if the store cannot be reached
   */
  async reconcile(environment: string): Promise<number | null> {
    const { records, observer } = this.options;
    // The records of another fleet are not ours to mend.
    if (observer.foreign) return null;
    const isNewer = this.reportedBy(environment) > (this.incarnations.get(environment) ?? 0);
    const isTouched = this.touched === null || this.touched.has(environment) || isNewer;
    const read = await records.readSince(environment, isTouched ? null : (this.verified.get(environment) ?? null));
    if (!read) return null;
    // Environments touched from here on are for the next pass.
    this.touched ??= new Set(this.names());
    this.touched.delete(environment);
    try {
      return await this.repair(environment, read);
    } catch (error) {
      this.touched?.add(environment);
      throw error;
    }
  }

  private async repair(environment: string, read: RecordsRead): Promise<number | null> {
    const { records, leadership, sealed = asItIs } = this.options;
    const { refused = [] } = read;
    // It is in the way of what is to be written.
    if (refused.length && leadership.leads) await records.unpublish(environment, refused, leadership.term);
    const delay = await this.admit(environment, read.incarnation);
    if (delay !== null) return delay;
    const wanted = this.expectedOf().get(environment) ?? new Map();
    const stored = new Map(read.records.map((record) => [record.name, record]));
    const missing = [...wanted].filter(
      ([name, { app, wish }]) => !isDeepStrictEqual(stored.get(name), sealed(environment, recordFor(app, wish))),
    );
    const surplus = [...stored.keys()].filter((name) => !wanted.has(name));
    if (!missing.length && !surplus.length && !refused.length) {
      // An environment without a record has nothing that could be lost.
      if (read.version === null) this.verified.delete(environment);
      else this.verified.set(environment, read.version);
      this.notify(environment);
      return null;
    }
    this.verified.delete(environment);
    this.touched?.add(environment);
    // Newer than the database knows: the database was restored from a backup, and it wins.
    const newer = missing.filter(([name, { wish }]) => (stored.get(name)?.generation ?? 0) > wish.generation);
    if (newer.length && (await this.isOutdated(environment, newer))) return 0;
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const [name] of missing) unnotified.add(name);
    this.unnotified.set(environment, unnotified);
    const incarnation = this.incarnations.get(environment);
    if (!leadership.leads || incarnation === undefined) return STORE_RETRY;
    const { term } = leadership;
    await records.unpublish(environment, [...surplus, ...newer.map(([name]) => name)], term);
    await records.publish(
      environment,
      missing.map(([, { app, wish }]) => recordFor(app, wish)),
      term,
      incarnation,
    );
    this.notify(environment);
    return VERIFY_AFTER;
  }

  /**
   * Makes sure that the store has the incarnation of an environment: by it a Worker that was away for long finds out that it was
   * forgotten. What was published for an older one is gone with it. The store or its Worker has a newer one than the database only if
   * that went back to an older copy.
   *
   * @returns null if records may be compared; otherwise ms after which another pass is needed
   */
  private async admit(environment: string, stored: number | null): Promise<number | null> {
    const { records, fleet, leases, leadership, registry, appCache } = this.options;
    const known = this.incarnations.get(environment);
    const reported = this.reportedBy(environment);
    if (known !== undefined && stored === known && reported <= known) return null;
    const { incarnation: last, isRemoved, isForgotten } = await registry.stateOf(environment);
    if (isRemoved) {
      this.forgotten.emit();
      return STORE_RETRY;
    }
    const incarnation = Math.max(last, stored ?? 0, reported);
    // Forgotten while another process led: what is known here of its apps may be older.
    if (known !== undefined && known !== incarnation) await appCache.load();
    if (stored !== incarnation) {
      if (!leadership.leads) return STORE_RETRY;
      // An older copy may also have the registration of a forgotten environment that has not come back.
      const isGone = isForgotten && !(await leases.left([environment])).get(environment);
      if (!isGone || !(await fleet.forget(environment, incarnation, leadership.term)))
        await records.admit(environment, incarnation, leadership.term);
    }
    this.incarnations.set(environment, incarnation);
    // What was read may be of another incarnation, and is gone.
    return stored === incarnation || incarnation === 0 ? null : 0;
  }

  /** The incarnation to which its Worker belongs, which reads nothing that is for an older one; 0 if it does not say, or cannot be. */
  private reportedBy(environment: string): number {
    const { observer, clock } = this.options;
    const { incarnation = 0 } = observer.environment(environment)?.registration ?? {};
    return incarnation <= clock.now().wall + AHEAD ? incarnation : 0;
  }

  /** Whether it is this process that is behind, and not the database: a read that began before a publication ended after it. */
  private async isOutdated(environment: string, expectedOf: Array<[string, { wish: Published }]>): Promise<boolean> {
    await this.options.appCache.refresh(expectedOf.map(([name]) => name));
    const now = this.expectedOf().get(environment);
    return expectedOf.some(([name, { wish }]) => now?.get(name)?.wish.generation !== wish.generation);
  }

  private notify(environment: string): void {
    const unnotified = this.unnotified.get(environment);
    if (!unnotified) return;
    this.unnotified.delete(environment);
    this.options.bus.notify({ environment }, [...unnotified].slice(0, MOST_NAMES));
  }

  private expectedOf(): Map<string, ExpectedRecords> {
    const { appCache } = this.options;
    if (this.expected?.version !== appCache.version)
      this.expected = { version: appCache.version, byEnvironment: expectedRecords(appCache) };
    return this.expected.byEnvironment;
  }
}

function expectedRecords({ apps, tombstones }: Pick<AppCache, 'apps' | 'tombstones'>): Map<string, ExpectedRecords> {
  const expected = new Map<string, ExpectedRecords>();
  const expect = (environment: string, app: AppDefinition, wish: Published) => {
    const records: ExpectedRecords = expected.get(environment) ?? new Map();
    expected.set(environment, records.set(app.name, { app, wish }));
  };
  for (const { definition, environments } of tombstones.values()) {
    for (const environment of environments) {
      if (definition.published[environment]) expect(environment, definition, definition.published[environment]);
    }
  }
  // After the tombstones: a live app of the same name overrides a deleted one.
  for (const app of apps.values()) {
    for (const [environment, wish] of Object.entries(app.published)) expect(environment, app, wish);
  }
  return expected;
}
