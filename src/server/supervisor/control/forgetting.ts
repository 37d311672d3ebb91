import { say } from '../../../shared/message';
import type { Clock } from '../../clock';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { AppCache } from '../apps/cache';
import type { AppRepository } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import type { Driver } from './driver';
import type { OperationStore } from './store';

export interface ForgettingOptions {
  appRepository: AppRepository;
  operations: OperationStore;
  appCache: AppCache;
  observer: FleetObserver;
  driver: Driver;
  fleet: FleetStore;
  bus: MessageBus;
  clock: Clock;
}

/** Takes environments that are gone for good out of everything. */
export class EnvironmentRemoval {
  constructor(private readonly options: ForgettingOptions) {}

  /** Takes an environment out of every app, operation and tombstone, and out of the store: nobody waits for it any more. */
  async takeOut(environment: string): Promise<void> {
    const { observer, driver, appCache, bus, fleet } = this.options;
    observer.forget(environment);
    const names: string[] = [];
    // A tick that began before would publish once more for the environment, and wait for it for ever.
    await driver.between(async () => {
      names.push(...(await forgetEverywhere(environment, this.options)));
    });
    await appCache.refresh(names);
    void driver.tick();
    bus.notify('supervisors', names);
    await fleet.forget(environment).catch(() => driver.invalidateStore());
  }
}

/**
 * Takes an environment that is gone for good out of every app, operation and tombstone.
 * @returns the apps that lay there
 */
async function forgetEverywhere(
  environment: string,
  {
    appRepository,
    operations,
    appCache,
    clock,
  }: Pick<ForgettingOptions, 'appRepository' | 'operations' | 'appCache' | 'clock'>,
): Promise<string[]> {
  const names: string[] = [];
  for (const app of appCache.apps.values()) {
    if (!app.environments.includes(environment) && !app.published[environment]) continue;
    const { [environment]: _, ...published } = app.published;
    const environments = app.environments.filter((other) => other !== environment);
    const targetEnvironment = app.targetEnvironment === environment ? (environments[0] ?? null) : app.targetEnvironment;
    await appRepository.update(app.name, { environments, published, targetEnvironment });
    names.push(app.name);
  }
  for (const operation of await operations.active()) {
    if (!operation.steps.some((other) => other.environment === environment && other.finishedAt === undefined)) continue;
    const steps = operation.steps.map((other) =>
      other.environment === environment && other.finishedAt === undefined
        ? {
            ...other,
            state: 'cancelled' as const,
            message: say('STEP_FORGOTTEN'),
            finishedAt: clock.now().wall,
          }
        : other,
    );
    await operations.save({ ...operation, steps });
  }
  for (const tombstone of appCache.tombstones.values()) {
    if (!tombstone.environments.includes(environment)) continue;
    const environments = tombstone.environments.filter((other) => other !== environment);
    await appRepository.updateTombstone(tombstone.uid, { environments });
    tombstone.environments = environments;
  }
  await appCache.refresh(names);
  return names;
}
