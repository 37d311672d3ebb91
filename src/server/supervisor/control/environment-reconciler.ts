import { isDeepStrictEqual } from 'node:util';
import type { MessageBus } from '../../protocol/bus';
import type { RecordStore, RecordsRead } from '../../protocol/stores/records';
import type { AppCache, AppCacheChange } from '../apps/cache';
import { type AppDefinition, type Published, recordFor } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import { environmentKey } from './keys';
import type { Leadership } from './leader';
import type { WorkQueue } from './work-queue';

export interface EnvironmentReconcilerOptions {
  appCache: AppCache;
  observer: FleetObserver;
  leadership: Leadership;
  records: RecordStore;
  bus: MessageBus;
  queue: WorkQueue;
}

type Wishes = Map<string, { app: AppDefinition; wish: Published }>;

/** How long a store that could not be written is left alone, in ms. */
const STORE_RETRY = 500;
/** When what was written is compared once more, in ms. */
const VERIFY_AFTER = 1_000;
/** Most names that one notification carries; who is woken reads all that is new. */
const MOST_NAMES = 100;

/**
 * Keeps the records of each environment as the database says they should be: what a flush, an old copy or an outage took away is
 * written again. An environment whose records have the version that they had when they were last found right is not read again.
 */
export class EnvironmentReconciler {
  /** By environment, the version that its records had when they were last found right. */
  private readonly verified = new Map<string, string>();
  /** Environments whose records are to be compared whatever their version; null: all. */
  private touched: Set<string> | null = null;
  /** By environment, apps whose records it was not woken for. */
  private readonly unnotified = new Map<string, Set<string>>();
  /** What all environments should hold, as of a version of the definitions. */
  private expected: { version: number; byEnvironment: Map<string, Wishes> } | null = null;

  constructor(private readonly options: EnvironmentReconcilerOptions) {}

  /** The store lost its content, or another process led: nothing of what is known can be built upon. */
  invalidate(): void {
    this.verified.clear();
    this.touched = null;
  }

  /** Definitions are other than they were. */
  noteApps({ environments }: AppCacheChange): void {
    for (const environment of environments) this.touched?.add(environment);
  }

  /** Something could not be written; a frozen store carries it out when it goes on, and then nothing is missing there. */
  noteUnnotified(environment: string, names: Iterable<string>): void {
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const name of names) unnotified.add(name);
    if (unnotified.size) this.unnotified.set(environment, unnotified);
    this.touched?.add(environment);
    this.options.queue.add(environmentKey(environment), STORE_RETRY);
  }

  /** Every environment of which something is known or expected. */
  names(): string[] {
    return [...new Set([...this.verified.keys(), ...this.options.observer.names(), ...this.wishes().keys()])];
  }

  /** Compares what an environment's records are with what they should be. @throws where the store cannot be reached */
  async reconcile(environment: string): Promise<number | null> {
    const { records, leadership } = this.options;
    if (!leadership.leads) return null;
    const isTouched = this.touched === null || this.touched.has(environment);
    const read = await records.readSince(environment, isTouched ? null : (this.verified.get(environment) ?? null));
    if (!read) return null;
    // What is touched from here on is for the next pass.
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
    const { records, leadership } = this.options;
    const wanted = this.wishes().get(environment) ?? new Map();
    const stored = new Map(read.records.map((record) => [record.name, record]));
    const missing = [...wanted].filter(
      ([name, { app, wish }]) => !isDeepStrictEqual(stored.get(name), recordFor(app, wish)),
    );
    const surplus = [...stored.keys()].filter((name) => !wanted.has(name));
    if (!missing.length && !surplus.length) {
      // Of an environment without a record there is nothing that could be lost.
      if (read.version === null) this.verified.delete(environment);
      else this.verified.set(environment, read.version);
      this.notify(environment);
      return null;
    }
    this.verified.delete(environment);
    this.touched?.add(environment);
    // Newer than the database knows: it was restored from a backup, and what it says holds.
    const newer = missing.filter(([name, { wish }]) => (stored.get(name)?.generation ?? 0) > wish.generation);
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const [name] of missing) unnotified.add(name);
    this.unnotified.set(environment, unnotified);
    if (!leadership.leads) return null;
    await records.unpublish(environment, [...surplus, ...newer.map(([name]) => name)]);
    await records.publish(
      environment,
      missing.map(([, { app, wish }]) => recordFor(app, wish)),
    );
    this.notify(environment);
    return VERIFY_AFTER;
  }

  private notify(environment: string): void {
    const unnotified = this.unnotified.get(environment);
    if (!unnotified) return;
    this.unnotified.delete(environment);
    this.options.bus.notify({ environment }, [...unnotified].slice(0, MOST_NAMES));
  }

  private wishes(): Map<string, Wishes> {
    const { appCache } = this.options;
    if (this.expected?.version !== appCache.version)
      this.expected = { version: appCache.version, byEnvironment: expectedRecords(appCache) };
    return this.expected.byEnvironment;
  }
}

function expectedRecords({ apps, tombstones }: Pick<AppCache, 'apps' | 'tombstones'>): Map<string, Wishes> {
  const expected = new Map<string, Wishes>();
  const expect = (environment: string, app: AppDefinition, wish: Published) => {
    const records: Wishes = expected.get(environment) ?? new Map();
    expected.set(environment, records.set(app.name, { app, wish }));
  };
  for (const { definition, environments } of tombstones.values()) {
    for (const environment of environments) {
      if (definition.published[environment]) expect(environment, definition, definition.published[environment]);
    }
  }
  // After the tombstones: a living app of the same name tells its environment more than a dead one.
  for (const app of apps.values()) {
    for (const [environment, wish] of Object.entries(app.published)) expect(environment, app, wish);
  }
  return expected;
}
