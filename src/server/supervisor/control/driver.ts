import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { RecordStore } from '../../protocol/stores/records';
import type { AppCache, AppCacheChange } from '../apps/cache';
import { type AppDefinition, type AppRepository, type Published, recordFor } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import type { Leadership } from './leader';
import { Reconciler } from './reconciler';
import { advance, claimMet, type Operation, type StepSight } from './rollout';
import { KEEP_OPERATIONS, type OperationStore } from './store';

/** How often the whole of the store is compared with what it should hold, in ms. */
const RECONCILE_EVERY = 30_000;
/** How long an environment that is away may take to hear that an app was deleted, in ms. */
export const KEEP_TOMBSTONES = 180 * 24 * 3_600_000;

export interface DriverOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  observer: FleetObserver;
  leadership: Leadership;
  records: RecordStore;
  fleet: FleetStore;
  bus: MessageBus;
  clock: Clock;
  log: Log;
  reconcileEvery?: number;
  /** Nothing of that incarnation of an app is left anywhere. Never rejects. */
  onAppEnd(uid: string): Promise<void>;
}

/**
 * Drives operations to their end and keeps the store as the database says it should be. Runs in every supervisor process;
 * only the leader acts. Whatever it was doing when it died, its successor's next tick goes on with.
 */
export class Driver {
  /** An operation went on, or a deleted app came nearer to its end. */
  readonly changes = new Feed<void>();
  /** Operations that are not over, as of the last tick: what the list shows beside an app. */
  active: Operation[] = [];
  /** Accepted by this process and not begun yet: these do not wait until all others were looked at. */
  private accepted: Array<{ operation: Operation; done(): void }> = [];
  private ticking: Promise<void> | null = null;
  private again = false;
  private reconciledAt: number | null = null;
  private cleanedAt: number | null = null;
  private readonly reconciler: Reconciler;

  constructor(private readonly options: DriverOptions) {
    this.reconciler = new Reconciler({
      ...options,
      busy: () => new Set(this.active.map(({ appUid }) => appUid)),
      isGone: (environment, app, wish) => this.isGone(environment, app, wish),
    });
  }

  /**
   * Begins what this process has just accepted, if it leads.
   * @returns when its first environments were told, or that was tried in vain; never rejects
   */
  begin(operation: Operation): Promise<void> {
    return new Promise((done) => {
      this.accepted.push({ operation, done });
      void this.tick();
    });
  }

  /** Works off what there is to do now; calls during a tick are folded into one more. Never rejects. */
  tick(): Promise<void> {
    if (this.ticking) {
      this.again = true;
      return this.ticking;
    }
    this.ticking = this.tickUntilQuiet().finally(() => {
      this.ticking = null;
    });
    return this.ticking;
  }

  /** Does something between two ticks, for what a tick that began before would write over. */
  async between(work: () => Promise<void>): Promise<void> {
    while (this.ticking) await this.ticking;
    const working = work();
    // Rejects to who asked; those who wait for a tick wait for no more than that.
    this.ticking = working
      .catch(() => undefined)
      .finally(() => {
        this.ticking = null;
        if (this.again) void this.tick();
      });
    return working;
  }

  /** Ends the claim of an app that came up after its operation was over. */
  async endClaim(name: string): Promise<void> {
    await this.between(async () => {
      const app = this.options.appCache.apps.get(name);
      const ended = app && claimMet(app, (environment) => this.sight(environment, name).entry);
      if (ended && this.options.leadership.leads) await this.publish(app, ended, true);
    });
  }

  /** The store lost its content, or may have: compare everything at the next tick. */
  invalidateStore(): void {
    this.reconciledAt = null;
    this.reconciler.invalidate();
  }

  /** Definitions are other than they were. */
  noteApps(change: AppCacheChange): void {
    this.reconciler.noteApps(change);
  }

  /** Something new is known of these apps. */
  noteStatuses(names: Iterable<string>): void {
    if (this.reconciler.noteStatuses(names)) this.reconciledAt = null;
  }

  /** What is known of an environment and an app in it, under a living lease only. */
  sight(environment: string, app: string): StepSight {
    const { observer } = this.options;
    const view = observer.environment(environment);
    const alive = view !== null && (view.health === 'online' || view.health === 'suspect');
    return {
      health: view?.health ?? (observer.sees ? 'down' : 'unknown'),
      entry: alive ? (observer.observed(environment, app)?.entry ?? null) : null,
    };
  }

  private async tickUntilQuiet(): Promise<void> {
    do {
      this.again = false;
      try {
        await this.tickOnce();
      } catch (error) {
        this.options.log.error(`Driving operations failed, it is tried again: ${messageOf(error)}`);
      }
    } while (this.again);
  }

  private async tickOnce(): Promise<void> {
    const { leadership, appRepository, operations, clock, appCache, reconcileEvery = RECONCILE_EVERY } = this.options;
    // Somebody waits for these: renewing the lead takes as long as telling their Worker.
    if (leadership.isSure) await this.driveAccepted();
    const leads = await leadership.claim();
    await this.driveAccepted();
    this.active = await operations.active();
    if (!leads) {
      this.invalidateStore();
      return;
    }
    for (const operation of this.active) {
      await this.driveAccepted();
      if (leadership.leads) await this.drive(operation);
    }
    for (const uid of [...appCache.tombstones.keys()]) {
      if (leadership.leads) await this.settleTombstone(uid);
    }
    if (!leadership.leads) return;
    const now = clock.now().mono;
    if (this.reconciledAt === null || now - this.reconciledAt >= reconcileEvery) {
      if (await this.reconciler.round()) this.reconciledAt = now;
    }
    if (this.cleanedAt === null || now - this.cleanedAt >= 3_600_000) {
      await operations.removeOlderThan(clock.now().wall - KEEP_OPERATIONS);
      await appRepository.removeTombstonesOlderThan(clock.now().wall - KEEP_TOMBSTONES);
      this.cleanedAt = now;
    }
  }

  private async driveAccepted(): Promise<void> {
    while (this.accepted.length) {
      const [{ operation, done }] = this.accepted.splice(0, 1);
      // Superseded meanwhile, or cancelled: what is on record counts, and comes with the others.
      const isNewest = !this.accepted.some((other) => other.operation.appUid === operation.appUid);
      try {
        if (isNewest && this.options.leadership.leads) await this.drive(operation, done);
      } finally {
        done();
      }
    }
  }

  /** @param onTold called when environments have been told something, or that was tried in vain */
  private async drive(operation: Operation, onTold = () => {}): Promise<void> {
    const { appCache, operations, clock, log } = this.options;
    let app = appCache.byUid(operation.appName, operation.appUid);
    if (!app || app.generation < operation.generation) {
      await appCache.refresh([operation.appName]);
      app = appCache.byUid(operation.appName, operation.appUid);
    }
    if (!app) {
      const about = { app: operation.appName, operation: operation.id };
      log.warn(`Operation ${operation.id} belongs to an app that is gone; it ends.`, about);
      await operations.save({ ...operation, state: 'cancelled', waitingFor: null, finishedAt: clock.now().wall });
      return;
    }
    const sight = (environment: string) => this.sight(environment, operation.appName);
    const { operation: next, publish, claimed } = advance(operation, app, app.published, sight, clock.now().wall);
    const told = Object.keys(publish);
    log.rooms.driver?.('Drove an operation', {
      app: app.name,
      operation: operation.id,
      state: next.state,
      waitingFor: next.waitingFor,
      told,
      steps: next.steps.map(({ environment, state }) => `${environment}: ${state}`),
    });
    if (told.length) await this.publish(app, publish, claimed, onTold);
    if (JSON.stringify(next) !== JSON.stringify(operation)) {
      await operations.save(next);
      this.active = this.active.flatMap((other) =>
        other.id !== next.id ? other : next.finishedAt === null ? next : [],
      );
      this.changes.tell();
    }
    if (next.finishedAt !== null) await this.reconciler.unpublishGone(app.name);
    if (told.length) this.again = true;
  }

  /** Persists first, then tells: a crash in between is mended by the next reconcile. */
  private async publish(
    app: AppDefinition,
    publish: Record<string, Published>,
    claimed = false,
    onTold = () => {},
  ): Promise<void> {
    const { appCache, appRepository, records, bus, observer, log } = this.options;
    const published = { ...app.published, ...publish };
    const changes = { published, ...(claimed ? { claim: 'none' as const, initialAdmin: null } : {}) };
    if (appCache.tombstones.has(app.uid))
      await appRepository.updateTombstone(app.uid, { definition: { ...app, ...changes } });
    else await appRepository.update(app.name, changes);
    // In memory what is in the database, and nothing that may still fail.
    Object.assign(app, changes);
    for (const [environment, wish] of Object.entries(publish)) {
      if (observer.foreign) {
        this.invalidateStore();
        continue;
      }
      try {
        await records.publish(environment, [recordFor(app, wish)]);
        bus.notify({ environment }, [app.name]);
        log.rooms.records?.('Published', { app: app.name, environment, ...wish });
      } catch {
        this.reconciler.noteUntold(environment, [app.name]);
        this.invalidateStore();
      }
    }
    onTold();
    // A reload that began before may have put the definition in its place that it had read.
    await appCache.refresh([app.name]);
  }

  /** Whether a living worker has confirmed that an app, which it was to remove, is not there; or was forgotten. */
  private isGone(environment: string, app: Pick<AppDefinition, 'name' | 'uid'>, wish: Published): boolean {
    if (!this.options.observer.environment(environment)) return true;
    const { entry } = this.sight(environment, app.name);
    if (!entry) return false;
    return entry.uid !== app.uid || (entry.status === 'not_found' && entry.generation >= wish.generation);
  }

  private async settleTombstone(uid: string): Promise<void> {
    const { appCache, appRepository, records, onAppEnd } = this.options;
    const tombstone = appCache.tombstones.get(uid);
    if (!tombstone) return;
    // Its own operation still drives it.
    if (this.active.some((operation) => operation.appUid === uid)) return;
    const { definition } = tombstone;
    const unnotified = tombstone.environments.filter((environment) => {
      const wish = definition.published[environment];
      return wish !== undefined && wish.desired !== 'removed';
    });
    if (unnotified.length) {
      // The operation was cancelled before it had told them: what is gone from the list goes from there too.
      const removed = { generation: definition.generation, desired: 'removed', claim: 'none', data: 'keep' } as const;
      const wishes = unnotified.map((environment) => [
        environment,
        { ...definition.published[environment], ...removed },
      ]);
      await this.publish(definition, Object.fromEntries(wishes));
      return;
    }
    const confirmed = tombstone.environments.filter((environment) => {
      const wish = definition.published[environment];
      return !wish || this.isGone(environment, definition, wish);
    });
    if (!confirmed.length && tombstone.environments.length) return;
    const environments = tombstone.environments.filter((environment) => !confirmed.includes(environment));
    const successor = appCache.apps.get(tombstone.name);
    for (const environment of confirmed) {
      if (!successor?.published[environment]) {
        await records.unpublish(environment, [tombstone.name]).catch(() => this.invalidateStore());
      }
    }
    if (environments.length) {
      await appRepository.updateTombstone(uid, { environments });
      tombstone.environments = environments;
    } else {
      await onAppEnd(uid);
      await appRepository.removeTombstone(uid);
      appCache.tombstones.delete(uid);
    }
    this.changes.tell();
  }
}
