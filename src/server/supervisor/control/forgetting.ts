import { say } from '../../../shared/message';
import type { Clock } from '../../clock';
import type { AppCache } from '../apps/cache';
import type { AppRepository } from '../apps/repository';
import type { OperationStore } from './store';

export interface ForgettingOptions {
  appRepository: AppRepository;
  operations: OperationStore;
  appCache: AppCache;
  clock: Clock;
}

/**
 * Takes an environment that is gone for good out of every app, operation and tombstone.
 * @returns the apps that lay there
 */
export async function forgetEverywhere(
  environment: string,
  { appRepository, operations, appCache, clock }: ForgettingOptions,
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
            finishedAt: clock().wall,
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
