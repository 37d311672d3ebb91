import type { AppIndexEntry } from '../../../shared/messages';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { PublishedWriter } from '../../protocol/published';
import { StaleTerm } from '../../protocol/stores/terms';
import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver, ObservedChange } from '../fleet/observer';
import { failoverPlaces } from '../rollout/failover-candidates';
import type { AppReconciler } from './app-reconciler';
import type { FleetReconciler } from './fleet-reconciler';
import type { EnvironmentRemoval } from './forgetting';
import { type Leadership, TermOver } from './leader';
import { appKey, environmentKey, FLEET, failoverKey, INDEX, partsOf, ROUTES } from './queue-keys';
import type { RecordReconciler } from './record-reconciler';
import type { RoutePublisher } from './route-publisher';
import type { WorkQueue } from './work-queue';

/** How long changes are collected before the app index is written, in ms. */
const INDEX_SPACING = 250;

/** The pass over what leaves an environment that is down, and returns to one that is back (placement/failovers.ts). */
export interface FailoverPass {
  /** The environments that a pass is of use for. */
  places(): ReadonlySet<string>;
  /** @returns ms after which another pass is needed; null if only an event can change the result */
  reconcile(environment: string): Promise<number | null>;
}

export interface ControlLoopOptions {
  queue: WorkQueue;
  leadership: Leadership;
  apps: AppReconciler;
  environments: RecordReconciler;
  fleet: FleetReconciler;
  removal: EnvironmentRemoval;
  failovers: FailoverPass;
  appCache: AppCache;
  observer: FleetObserver;
  environmentCache: EnvironmentCache;
  appIndex: PublishedWriter<AppIndexEntry>;
  /** Null where there can be no door. */
  routes: RoutePublisher | null;
  bus: MessageBus;
  log: Log;
}

/**
 * The Supervisor's control loop. Every event only adds a key to the queue; one function for each kind of key reads the
 * desired, the published and the observed state, and moves one step. It runs only in the process that leads.
 */
export class ControlLoop {
  /** Whether what is known here was read in this lead. */
  private isCurrent = false;

  constructor(private readonly options: ControlLoopOptions) {}

  start(): void {
    const { leadership } = this.options;
    leadership.onChange((leads) => (leads ? this.lead() : this.rest()));
    if (leadership.leads) this.lead();
  }

  stop(): void {
    this.options.queue.stop();
  }

  /** Definitions have changed. */
  noteApps(names: string[]): void {
    const { environments, appIndex, routes, queue } = this.options;
    environments.noteApps(names);
    appIndex.note(names);
    routes?.noteApps(names);
    this.addApps(names);
    queue.add(INDEX, INDEX_SPACING);
  }

  /** The observer has found changes. */
  noteObserved({ environments, apps }: ObservedChange): void {
    const { queue, failovers, routes } = this.options;
    this.addApps(apps);
    routes?.noteObserved(apps);
    // An app that waits for an environment has no entry there.
    for (const key of this.options.apps.waitingFor(environments)) queue.add(key);
    const places = failovers.places();
    for (const environment of environments) {
      queue.add(environmentKey(environment));
      if (places.has(environment)) queue.add(failoverKey(environment));
    }
  }

  /** The store lost its content, or may have. */
  noteFlushed(): void {
    const { appIndex, routes, queue } = this.options;
    appIndex.doubt();
    routes?.doubt();
    queue.add(FLEET);
  }

  /** The store can be used again after it could not: it may hold an older state. */
  noteReturned(): void {
    this.options.queue.add(FLEET);
  }

  /** Environments were admitted, cordoned or forgotten. */
  noteEnvironments(): void {
    const { apps, environmentCache, routes, queue } = this.options;
    const names = environmentCache.names();
    for (const key of [...names.map(environmentKey), ...apps.waitingFor(new Set(names))]) queue.add(key);
    routes?.noteObserved([]);
  }

  /** The environments that are forgotten may be others. */
  noteForgotten(): void {
    const { environmentCache, queue } = this.options;
    for (const name of environmentCache.forgotten) queue.add(environmentKey(name));
  }

  /** Definitions or operations of these apps have changed, or what is observed of them. */
  addApps(names: Iterable<string>): void {
    const { appCache, queue } = this.options;
    const all = new Set(names);
    const found = [...all].flatMap((name) => appCache.apps.get(name) ?? []);
    for (const app of found) queue.add(appKey(app));
    // Its settings may have changed, or it has a home now.
    for (const environment of failoverPlaces(found)) queue.add(failoverKey(environment));
    for (const tombstone of appCache.tombstones.values()) if (all.has(tombstone.name)) queue.add(appKey(tombstone));
  }

  /** The work of another leader is unknown here, so everything is compared. */
  private lead(): void {
    const { queue, apps, environments, appIndex, routes, log } = this.options;
    log.debug('This Supervisor leads from now on.');
    apps.invalidate();
    environments.invalidate();
    appIndex.invalidate();
    routes?.invalidate();
    this.isCurrent = false;
    queue.start((key) => this.work(key));
    queue.add(FLEET);
  }

  private rest(): void {
    this.options.log.debug('This Supervisor does not lead any more.');
    this.options.queue.stop();
  }

  private async work(key: string): Promise<number | null> {
    const { leadership, log } = this.options;
    // Where the lead has lapsed, its renewal may be on the way: then nobody adds this key again.
    if (!leadership.leads) throw new TermOver();
    log.rooms.loop?.('Passes over', { key });
    try {
      return await this.pass(key);
    } catch (error) {
      // This process leads by the database, which decides: it was restored, and its terms with it.
      if (error instanceof StaleTerm) await leadership.raiseTerm(error.newest);
      throw error;
    }
  }

  private async pass(key: string): Promise<number | null> {
    // The first pass over the fleet adds every key again.
    if (!this.isCurrent && key !== FLEET) return null;
    const [kind, name, uid] = partsOf(key);
    switch (kind) {
      case 'app':
        return this.options.apps.reconcile(name, uid);
      case 'environment':
        return this.passEnvironment(name);
      case 'failover':
        return this.options.failovers.reconcile(name);
      case INDEX:
        return this.writeIndex();
      case ROUTES:
        return this.options.routes?.publish() ?? null;
      default:
        return this.passFleet();
    }
  }

  private async passFleet(): Promise<number> {
    const { fleet, environmentCache, appCache, appIndex, routes, failovers, queue } = this.options;
    await fleet.read();
    appIndex.doubt();
    routes?.doubt();
    if (!this.isCurrent) {
      await environmentCache.load();
      this.isCurrent = true;
      this.addApps(appCache.apps.keys());
      this.noteForgotten();
    }
    for (const environment of failovers.places()) queue.add(failoverKey(environment));
    return fleet.reconcile();
  }

  private passEnvironment(name: string): Promise<number | null> {
    const { environments, environmentCache, removal } = this.options;
    return environmentCache.forgotten.has(name) ? removal.reconcile(name) : environments.reconcile(name);
  }

  /** Publishes the app index. */
  private async writeIndex(): Promise<null> {
    const { appIndex, appCache, observer, environmentCache, bus, leadership } = this.options;
    if (observer.foreign) return null;
    if (!(await appIndex.write(appCache.apps, leadership.term))) return null;
    // Without an app's name: the index has to be read.
    for (const { name: environment } of environmentCache.all()) bus.notify({ environment }, []);
    return null;
  }
}

/** Logs a failure; the pass is repeated. */
export function reportFailure(log: Log): (key: string, error: unknown) => void {
  return (key, error) => {
    const [kind, name] = partsOf(key);
    const about = !name ? {} : kind === 'app' ? { app: name } : { environment: name };
    if (error instanceof TermOver || error instanceof StaleTerm) log.debug(`${key}: ${error.message}`, about);
    else log.warn(`Reconciling ${key} failed, it is tried again: ${messageOf(error)}`, about);
  };
}
