import { say } from '../../../shared/message';
import type { Clock } from '../../clock';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { AppCache } from '../apps/cache';
import type { AppDefinition, AppRepository } from '../apps/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import type { EnvironmentRegistry } from '../fleet/registry';
import type { EnvironmentReconciler } from './environment-reconciler';
import { appKey } from './keys';
import type { Leadership } from './leader';
import type { Step } from './rollout';
import type { OperationCache, OperationStore } from './store';
import type { WorkQueue } from './work-queue';

export interface ForgettingOptions {
  registry: EnvironmentRegistry;
  environmentCache: EnvironmentCache;
  appRepository: AppRepository;
  operations: OperationStore;
  active: OperationCache;
  appCache: AppCache;
  leadership: Leadership;
  environments: EnvironmentReconciler;
  observer: FleetObserver;
  store: Pick<FleetStore, 'forget'>;
  queue: WorkQueue;
  bus: MessageBus;
  clock: Clock;
}

/**
 * Removes an environment that was forgotten from every app, operation and tombstone: nothing waits for it any more. Only
 * the leader does it, as the pass of the environment: what fails is repeated, by the next leader if need be.
 */
export class EnvironmentRemoval {
  constructor(private readonly options: ForgettingOptions) {}

  /** @throws TermOver, StaleTerm, and if the database or the store cannot be reached */
  async reconcile(environment: string, incarnation: number): Promise<number> {
    const { registry, environmentCache, environments, leadership, bus, store, observer } = this.options;
    // Once more: the request may not have reached the store, or the store has lost it since.
    if (!observer.foreign) await store.forget(environment, incarnation, leadership.term);
    const names = await this.removeReferences(environment);
    if (names.length) bus.notify('definitions', names);
    await leadership.write((transaction) => registry.noteRemoved(environment, transaction));
    // From here on something may be published for it: of what was published before, nothing is left.
    environments.noteIncarnation(environment, incarnation);
    await environmentCache.noteRemoved(environment);
    // Other Supervisors show it again when it comes back.
    bus.notify('definitions', []);
    // It may have come back meanwhile, and have apps.
    return 0;
  }

  /**
   * No pass of the loop for the same app runs meanwhile: it would publish for the environment once more. No request places
   * an app there any more (`EnvironmentCache.assertStored`), so that one look is enough.
   *
   * @returns the apps that were assigned to it
   */
  private async removeReferences(environment: string): Promise<string[]> {
    const { appCache, active, queue } = this.options;
    await appCache.load();
    await active.load();
    const operationApps = active.all().map(({ appName, appUid }) => ({ name: appName, uid: appUid }));
    const names: string[] = [];
    for (const { name, uid } of [...appCache.apps.values(), ...operationApps]) {
      const app = appCache.apps.get(name);
      const isPlaced = app?.uid === uid && refersTo(app, environment);
      const isWorkedOn = active.of(uid).some(({ steps }) => steps.some((step) => step.environment === environment));
      if (!isPlaced && !isWorkedOn) continue;
      const key = appKey({ name, uid });
      await queue.exclusively(key, async () => {
        if (isPlaced && (await this.removeFromApp({ name, uid }, environment))) names.push(name);
        await this.removeFromOperations({ name, uid }, environment);
      });
      queue.add(key);
    }
    // Apps that were deleted before they could be changed are among them now.
    await appCache.load();
    for (const { uid, name, environments } of [...appCache.tombstones.values()]) {
      if (!environments.includes(environment)) continue;
      const key = appKey({ name, uid });
      await queue.exclusively(key, async () => {
        await this.removeFromTombstone(uid, environment);
        await this.removeFromOperations({ name, uid }, environment);
      });
      queue.add(key);
    }
    return names;
  }

  private async removeFromApp({ name, uid }: Pick<AppDefinition, 'name' | 'uid'>, environment: string) {
    const { appRepository, appCache, leadership } = this.options;
    const isChanged = await leadership.write(async (transaction) => {
      // Another Supervisor may change the same app.
      const app = await appRepository.findLocked(name, transaction);
      if (app?.uid !== uid || !refersTo(app, environment)) return false;
      const { [environment]: _, ...published } = app.published;
      const environments = app.environments.filter((other) => other !== environment);
      const targetEnvironment =
        app.targetEnvironment === environment ? (environments[0] ?? null) : app.targetEnvironment;
      const home = app.home === environment ? null : app.home;
      return appRepository.updateLiving(app, { environments, published, targetEnvironment, home }, transaction);
    });
    await appCache.refresh([name]);
    return isChanged;
  }

  private async removeFromOperations({ name, uid }: Pick<AppDefinition, 'name' | 'uid'>, environment: string) {
    const { appRepository, operations, active, clock, leadership } = this.options;
    const isOpen = (step: Step) => step.environment === environment && step.finishedAt === undefined;
    await leadership.write(async (transaction) => {
      // A request that takes over what an operation has left undone comes before this, or finds nothing left there.
      await appRepository.findLocked(name, transaction);
      for (const operation of await operations.activeOf(uid, transaction)) {
        if (!operation.steps.some(isOpen)) continue;
        const end = { state: 'cancelled' as const, message: say('STEP_FORGOTTEN'), finishedAt: clock.now().wall };
        const steps = operation.steps.map((step) => (isOpen(step) ? { ...step, ...end } : step));
        await operations.save({ ...operation, steps }, transaction);
      }
    });
    await active.refresh(uid);
  }

  private async removeFromTombstone(uid: string, environment: string): Promise<void> {
    const { appRepository, appCache, leadership } = this.options;
    const tombstone = appCache.tombstones.get(uid);
    if (!tombstone) return;
    const environments = tombstone.environments.filter((other) => other !== environment);
    await leadership.write((transaction) => appRepository.updateTombstone(uid, { environments }, transaction));
    // The next pass removes a tombstone that waits for no environment.
    appCache.settleTombstone(uid, environments);
  }
}

const refersTo = ({ environments, published, home }: AppDefinition, environment: string): boolean =>
  environments.includes(environment) || published[environment] !== undefined || home === environment;
