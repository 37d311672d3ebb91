import { say } from '../../../shared/message';
import type { Clock } from '../../clock';
import type { MessageBus } from '../../protocol/bus';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { AppCache } from '../apps/cache';
import type { AppDefinition, AppRepository, Tombstone } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import type { EnvironmentReconciler } from './environment-reconciler';
import { appKey } from './keys';
import type { Operation } from './rollout';
import type { OperationCache, OperationStore } from './store';
import type { WorkQueue } from './work-queue';

export interface ForgettingOptions {
  appRepository: AppRepository;
  operations: OperationStore;
  active: OperationCache;
  appCache: AppCache;
  observer: FleetObserver;
  environments: EnvironmentReconciler;
  queue: WorkQueue;
  fleet: FleetStore;
  bus: MessageBus;
  clock: Clock;
}

/** Removes environments that will not come back. */
export class EnvironmentRemoval {
  constructor(private readonly options: ForgettingOptions) {}

  /**
   * Removes an environment from every app, operation and tombstone, and from the store: nothing waits for it any more.
   */
  async takeOut(environment: string, incarnation: number): Promise<void> {
    const { observer, environments, bus, fleet } = this.options;
    observer.forget(environment);
    environments.noteIncarnation(environment, incarnation);
    const names = await forgetEverywhere(environment, this.options);
    if (names.length) bus.notify('definitions', names);
    // Again, because a pass may have published for it meanwhile.
    await fleet.forget(environment, incarnation).catch(() => environments.noteUnnotified(environment, []));
  }
}

/**
 * Removes an environment from every app, operation and tombstone. No pass of the control loop for the same app runs
 * meanwhile: it would publish for the environment once more, and wait for it forever.
 *
 * @returns the apps that were assigned to it
 */
async function forgetEverywhere(environment: string, options: ForgettingOptions): Promise<string[]> {
  const { appCache, active, queue } = options;
  await active.load();
  const operations = active.all();
  const names: string[] = [];
  for (const { name, uid } of [...appCache.apps.values(), ...operationApps(operations)]) {
    const key = appKey({ name, uid });
    await queue.exclusively(key, async () => {
      const app = appCache.apps.get(name);
      if (app?.uid === uid && (await forgetInApp(app, environment, options))) names.push(name);
      for (const operation of active.of(uid)) await forgetInOperation(operation, environment, options);
    });
    queue.add(key);
  }
  for (const { uid, name } of [...appCache.tombstones.values()]) {
    const key = appKey({ name, uid });
    await queue.exclusively(key, async () => {
      const tombstone = appCache.tombstones.get(uid);
      if (tombstone) await forgetInTombstone(tombstone, environment, options);
    });
    queue.add(key);
  }
  return names;
}

const operationApps = (operations: Operation[]) =>
  operations.map(({ appName, appUid }) => ({ name: appName, uid: appUid }));

async function forgetInApp(
  app: AppDefinition,
  environment: string,
  { appRepository, appCache }: ForgettingOptions,
): Promise<boolean> {
  if (!app.environments.includes(environment) && !app.published[environment]) return false;
  const { [environment]: _, ...published } = app.published;
  const environments = app.environments.filter((other) => other !== environment);
  const targetEnvironment = app.targetEnvironment === environment ? (environments[0] ?? null) : app.targetEnvironment;
  await appRepository.update(app.name, { environments, published, targetEnvironment });
  await appCache.refresh([app.name]);
  return true;
}

async function forgetInOperation(
  operation: Operation,
  environment: string,
  { operations, active, clock }: ForgettingOptions,
): Promise<void> {
  const isOpen = (step: Operation['steps'][number]) =>
    step.environment === environment && step.finishedAt === undefined;
  if (!operation.steps.some(isOpen)) return;
  const end = { state: 'cancelled' as const, message: say('STEP_FORGOTTEN'), finishedAt: clock.now().wall };
  const steps = operation.steps.map((step) => (isOpen(step) ? { ...step, ...end } : step));
  await operations.save({ ...operation, steps });
  await active.refresh(operation.appUid);
}

async function forgetInTombstone(
  tombstone: Tombstone,
  environment: string,
  { appRepository, appCache }: ForgettingOptions,
): Promise<void> {
  if (!tombstone.environments.includes(environment)) return;
  const environments = tombstone.environments.filter((other) => other !== environment);
  await appRepository.updateTombstone(tombstone.uid, { environments });
  // One that nobody is waited for any more goes with the next pass over it.
  if (environments.length) appCache.settleTombstone(tombstone.uid, environments);
  else tombstone.environments = environments;
}
