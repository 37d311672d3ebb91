import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { RecordStore } from '../../protocol/stores/records';
import type { AppCache, AppCacheChange } from '../apps/cache';
import { type AppDefinition, type AppRepository, nextGeneration, type Published, recordFor } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import type { Leadership } from './leader';

export interface ReconcilerOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  observer: FleetObserver;
  leadership: Leadership;
  records: RecordStore;
  fleet: FleetStore;
  bus: MessageBus;
  clock: Clock;
  log: Log;
  /** Uids of apps with an operation under way, which publishes for itself. */
  busy(): ReadonlySet<string>;
  /** Whether an environment has confirmed that an app, which it was to remove, is not there; or was forgotten. */
  isGone(environment: string, app: AppDefinition, wish: Published): boolean;
}

type Wishes = Map<string, { app: AppDefinition; wish: Published }>;

/**
 * Keeps the store as the database says it should be, for the leader. What a round costs grows with what has changed since the
 * last: environments whose records have another version than when they were last found right, environments that a changed
 * definition is about, and apps that somebody has said something new of.
 */
export class Reconciler {
  /** By environment, the version that its records had when they were last found right. */
  private readonly verified = new Map<string, string>();
  /** Environments whose records are to be compared whatever their version; null: all. */
  private touched: Set<string> | null = null;
  /** Apps to look at again; null: all. */
  private dirty: Set<string> | null = null;
  /** By environment, apps whose records it was not woken for. */
  private readonly unnotified = new Map<string, Set<string>>();

  constructor(private readonly options: ReconcilerOptions) {}

  /** Nothing of what is known can be built upon: another process led, or the store was away. */
  invalidate(): void {
    this.verified.clear();
    this.touched = null;
    this.dirty = null;
  }

  noteApps({ names, environments }: AppCacheChange): void {
    for (const name of names) this.dirty?.add(name);
    for (const environment of environments) this.touched?.add(environment);
  }

  /** Their publication failed; a frozen store carries it out when it goes on, and then nothing is missing there. */
  noteUntold(environment: string, names: Iterable<string>): void {
    const unnotified = this.unnotified.get(environment) ?? new Set();
    for (const name of names) unnotified.add(name);
    this.unnotified.set(environment, unnotified);
  }

  /** @returns whether a worker has done more than the database knows of, which nobody should have to wait a round for */
  noteStatuses(names: Iterable<string>): boolean {
    let isAhead = false;
    for (const name of names) {
      this.dirty?.add(name);
      const app = this.options.appCache.apps.get(name);
      isAhead ||= app !== undefined && this.aheadOf(app).length > 0;
    }
    return isAhead;
  }

  /**
   * Makes the store hold exactly what the database says: what a flush, an old copy or an outage took away is written again.
   * @returns whether all of it could be done
   */
  async round(): Promise<boolean> {
    const { appCache, fleet, leadership, log } = this.options;
    await appCache.load();
    await this.lookAtSuspects();
    try {
      const owner = await fleet.claim(leadership.fleet);
      if (owner !== leadership.fleet) {
        log.error(
          'Another fleet uses the same APP_SUPERVISOR_KEY_PREFIX on this Redis; this one publishes nothing until it has its own.',
        );
        return false;
      }
      await this.compareAll();
      return true;
    } catch (error) {
      (log.rooms.records ?? log.debug)(`The store could not be compared: ${messageOf(error)}`);
      return false;
    }
  }

  /** An environment that an app was taken from has confirmed, at once or when it was back: its record has done its work. */
  async unpublishGone(name: string, busy = this.options.busy()): Promise<void> {
    const { appRepository, records, appCache, isGone } = this.options;
    const app = appCache.apps.get(name);
    if (!app) return;
    const gone = Object.entries(app.published)
      .filter(([environment, wish]) => !app.environments.includes(environment) && isGone(environment, app, wish))
      .map(([environment]) => environment);
    if (!gone.length || busy.has(app.uid)) return;
    const published = { ...app.published };
    for (const environment of gone) delete published[environment];
    await appRepository.update(name, { published });
    app.published = published;
    for (const environment of gone) {
      await records.unpublish(environment, [name]).catch(() => this.touched?.add(environment));
    }
  }

  private async lookAtSuspects(): Promise<void> {
    const { appCache } = this.options;
    const busy = this.options.busy();
    const dirty = this.dirty ?? new Set(appCache.apps.keys());
    this.dirty = new Set();
    try {
      for (const name of dirty) {
        const app = appCache.apps.get(name);
        if (!app) continue;
        // Its operation may be what there is to wait for.
        if (busy.has(app.uid)) this.dirty.add(name);
        await this.unpublishGone(name, busy);
        await this.overtake(app, busy);
      }
    } catch (error) {
      this.dirty = null;
      throw error;
    }
  }

  /**
   * A worker that has done more than the database knows of: the database was restored from a backup. What it says holds, so
   * it is wished anew, later than what the worker has seen; otherwise the worker would take it for old and ignore it.
   */
  private async overtake(app: AppDefinition, busy: ReadonlySet<string>): Promise<void> {
    const { appCache, appRepository, clock, log } = this.options;
    const ahead = this.aheadOf(app);
    if (!ahead.length || busy.has(app.uid)) return;
    const seen = Math.max(app.generation, ...ahead.map((one) => one.seen));
    const generation = nextGeneration(seen, clock.now().wall);
    const published = { ...app.published };
    for (const { environment, wish } of ahead) published[environment] = { ...wish, generation };
    log.warn(`App ${app.name} is newer in its environments than in this database, which holds; it is published anew.`, {
      app: app.name,
    });
    await appRepository.update(app.name, { generation, published });
    await appCache.refresh([app.name]);
  }

  private aheadOf(app: AppDefinition): Array<{ environment: string; wish: Published; seen: number }> {
    return Object.entries(app.published).flatMap(([environment, wish]) => {
      const entry = this.options.observer.observed(environment, app.name)?.entry;
      const isAhead = entry?.uid === app.uid && entry.generation > wish.generation;
      return isAhead ? [{ environment, wish, seen: entry.generation }] : [];
    });
  }

  private async compareAll(): Promise<void> {
    const { observer } = this.options;
    const { touched } = this;
    let expected: Map<string, Wishes> | null = null;
    const wishes = () => {
      expected ??= this.expected();
      return expected;
    };
    const environments = new Set([...this.verified.keys(), ...observer.names(), ...(touched ?? wishes().keys())]);
    // What is touched from here on is for the next round.
    this.touched = new Set();
    try {
      for (const environment of environments) {
        const isTouched = touched === null || touched.has(environment);
        await this.compare(environment, isTouched, () => wishes().get(environment) ?? new Map());
      }
    } catch (error) {
      this.touched = null;
      throw error;
    }
  }

  /** @param wishesOf what the environment should hold; asked for only where it has to be compared */
  private async compare(environment: string, isTouched: boolean, wishesOf: () => Wishes): Promise<void> {
    const { records } = this.options;
    const read = await records.readSince(environment, isTouched ? null : (this.verified.get(environment) ?? null));
    if (!read) return;
    const wanted = wishesOf();
    const stored = new Map(read.records.map((record) => [record.name, record]));
    const missing = [...wanted].filter(
      ([name, { app, wish }]) => !isDeepStrictEqual(stored.get(name), recordFor(app, wish)),
    );
    const surplus = [...stored.keys()].filter((name) => !wanted.has(name));
    if (!missing.length && !surplus.length) {
      // Of an environment without a record there is nothing that could be lost.
      if (read.version === null) this.verified.delete(environment);
      else this.verified.set(environment, read.version);
      this.tell(environment);
      return;
    }
    this.verified.delete(environment);
    this.touched?.add(environment);
    // Newer than the database knows: it was restored from a backup, and what it says holds.
    const newer = missing.filter(([name, { wish }]) => (stored.get(name)?.generation ?? 0) > wish.generation);
    if (missing.length)
      this.noteUntold(
        environment,
        missing.map(([name]) => name),
      );
    await records.unpublish(environment, [...surplus, ...newer.map(([name]) => name)]);
    await records.publish(
      environment,
      missing.map(([, { app, wish }]) => recordFor(app, wish)),
    );
    this.tell(environment);
  }

  private tell(environment: string): void {
    const unnotified = this.unnotified.get(environment);
    if (!unnotified) return;
    this.unnotified.delete(environment);
    this.options.bus.notify({ environment }, [...unnotified].slice(0, 100));
  }

  private expected(): Map<string, Wishes> {
    const { appCache } = this.options;
    const expected = new Map<string, Wishes>();
    const expect = (environment: string, app: AppDefinition, wish: Published) => {
      const records: Wishes = expected.get(environment) ?? new Map();
      expected.set(environment, records.set(app.name, { app, wish }));
    };
    for (const { definition, environments } of appCache.tombstones.values()) {
      for (const environment of environments) {
        if (definition.published[environment]) expect(environment, definition, definition.published[environment]);
      }
    }
    // After the tombstones: a living app of the same name tells its environment more than a dead one.
    for (const app of appCache.apps.values()) {
      for (const [environment, wish] of Object.entries(app.published)) expect(environment, app, wish);
    }
    return expected;
  }
}
