import type { Transaction } from '@nocobase/database';
import type { Clock } from '../../clock';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentRegistry } from '../definitions/environment-registry';
import {
  type AppDefinition,
  type AppRepository,
  newestOf,
  nextGeneration,
  type Tombstone,
  versionOf,
} from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { forgotten } from '../rollout/spec';
import type { Leadership } from './leader';
import { appKey } from './queue-keys';
import type { RecordReconciler } from './record-reconciler';
import type { WorkQueue } from './work-queue';

/** When is looked again after something named the environment once more, in ms. */
const AGAIN = 1_000;

export interface ForgettingOptions {
  registry: EnvironmentRegistry;
  environmentCache: EnvironmentCache;
  appRepository: AppRepository;
  appCache: AppCache;
  leadership: Leadership;
  environments: RecordReconciler;
  observer: FleetObserver;
  store: Pick<FleetStore, 'forget'>;
  queue: WorkQueue;
  bus: MessageBus;
  clock: Clock;
}

/**
 * Removes an environment that was forgotten from every app and tombstone: nothing waits for it any more. Only
 * the leader does it, as the pass of the environment: what fails is repeated, by the next leader if need be.
 */
export class EnvironmentRemoval {
  constructor(private readonly options: ForgettingOptions) {}

  /** @throws TermOver, StaleTerm, and if the database or the store cannot be reached */
  async reconcile(environment: string): Promise<number> {
    const { registry, environmentCache, environments, leadership, bus, store, observer } = this.options;
    const { floor, isRemoved } = await registry.stateOf(environment);
    // A pass whose last read failed is repeated, but apps that were placed there since are to stay.
    if (isRemoved) {
      // Once more: the request may not have reached the store, or the store has lost it since.
      if (!observer.foreign) await store.forget(environment, floor, leadership.term);
      await this.removeReferences(environment);
      if (!(await leadership.write((transaction) => this.noteRemoved(environment, transaction)))) return AGAIN;
    }
    // From here on something may be published for it: of what was published before, nothing is left.
    environments.noteFloor(environment, floor);
    await environmentCache.load();
    // Other Supervisors show it again when it comes back.
    bus.notify('definitions', []);
    // It may have come back meanwhile, and have apps.
    return 0;
  }

  /**
   * A pass over one of these apps that has read it before fails, and is repeated. No request places an app there any more
   * (`EnvironmentCache.assertStored`), so that one look is enough.
   */
  private async removeReferences(environment: string): Promise<void> {
    const { appCache, queue } = this.options;
    await appCache.load();
    for (const app of [...appCache.apps.values()]) {
      if (!forgotten(app, environment)) continue;
      await this.removeFromApp(app, environment);
      queue.add(appKey(app));
    }
    // Apps that were deleted before they could be changed are among them now.
    await appCache.load();
    for (const tombstone of [...appCache.tombstones.values()]) {
      if (!tombstone.environments.includes(environment)) continue;
      await this.removeFromTombstone(tombstone, environment);
      // Its next pass ends a deletion that waits for no environment.
      queue.add(appKey(tombstone));
    }
  }

  /**
   * Each app was changed in a transaction of its own: where the database has fallen back since, it names the environment again.
   * @returns false if something does; then nothing was written
   */
  private async noteRemoved(environment: string, transaction?: Transaction): Promise<boolean> {
    const { registry, appRepository, appCache } = this.options;
    const isGone = ([name, version]: [string, string]) => {
      const app = appCache.apps.get(name);
      return app !== undefined && versionOf(app) === version && !forgotten(app, environment);
    };
    const versions = [...(await appRepository.versions(transaction))];
    const doubtful = versions.filter((one) => !isGone(one)).map(([name]) => name);
    const apps = await appRepository.some(doubtful, transaction);
    if (apps.some((app) => forgotten(app, environment))) return false;
    const tombstones = await appRepository.openTombstones(transaction);
    if (tombstones.some(({ environments }) => environments.includes(environment))) return false;
    await registry.noteRemoved(environment, transaction);
    return true;
  }

  private async removeFromApp({ name, uid }: Pick<AppDefinition, 'name' | 'uid'>, environment: string): Promise<void> {
    const { appRepository, appCache, leadership, bus, clock } = this.options;
    const isChanged = await leadership.write(async (transaction) => {
      // Another Supervisor may change the same app.
      const app = await appRepository.findLocked(name, transaction);
      const change = app?.uid === uid ? forgotten(app, environment) : null;
      if (!app || !change) return false;
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      return appRepository.updateLiving(app, { ...change, generation }, transaction);
    });
    // Before anything else can fail: the next pass finds nothing to change, and would tell nobody.
    if (isChanged) bus.notify('definitions', [name]);
    await appCache.refresh([name]);
  }

  private async removeFromTombstone({ name, uid }: Tombstone, environment: string): Promise<void> {
    const { appRepository, appCache, leadership, clock } = this.options;
    await leadership.write(async (transaction) => {
      const tombstone = await appRepository.findLockedTombstone(uid, transaction);
      if (!tombstone) return;
      const environments = tombstone.environments.filter((other) => other !== environment);
      const generation = nextGeneration(newestOf(tombstone.definition), clock.now().wall);
      const definition = { ...tombstone.definition, generation };
      await appRepository.updateTombstone(uid, { environments, definition }, transaction);
    });
    await appCache.refresh([name]);
  }
}
