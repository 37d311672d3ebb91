import type { Transaction } from '@nocobase/database';
import { say } from '../../../shared/message';
import type { Operation, Progress } from '../../../shared/operation';
import type { Action } from '../../../shared/types';
import { AppSupervisorError } from '../../errors';
import { cancelRequested } from '../definitions/change-events';
import { type AppDefinition, newestOf, nextGeneration, type Tombstone } from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import { ended } from '../rollout/progress';
import { arrivingAt, booted, cancelled, placed, rested, type SpecChange } from '../rollout/spec';
import { type AppChanges, type ChangesOptions, endsIn, placeOf } from './changes';

export interface OperationRequestsOptions
  extends Pick<ChangesOptions, 'appRepository' | 'appCache' | 'operations' | 'events' | 'clock'> {
  environmentCache: Pick<EnvironmentCache, 'assertStored'>;
}

/** The requests for existing operations. */
export class OperationRequests {
  constructor(
    private readonly options: OperationRequestsOptions,
    private readonly changes: AppChanges,
    private readonly move: (name: string, wish: { to: string }, userId: string | null) => Promise<Operation>,
  ) {}

  /**
   * What is published from now on is what is wanted: nothing more is begun.
   * @param isEarly only as long as it has not moved the app; OPERATION_OVER if it has
   */
  async cancel(id: string, userId: string | null, isEarly = false): Promise<Operation> {
    const { operations, clock, events, appRepository } = this.options;
    const operation = await operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    if (operation.finishedAt !== null) throw new AppSupervisorError('OPERATION_OVER', { operation: id });
    const { appName, appUid } = operation;
    const now = clock.now().wall;
    const end = ended(operation, say('CANCELLED'), now);
    await this.changes.inTransaction(async (transaction) => {
      // Locked, so that no pass goes on meanwhile with what was wanted before.
      const found = await appRepository.findLocked(appName, transaction);
      const app = found?.uid === appUid ? found : null;
      const tombstone = app ? null : await appRepository.findLockedTombstone(appUid, transaction);
      const definition = app ?? tombstone?.definition;
      if (definition) this.changes.assertNotInTheWay(definition);
      const isLate = isEarly && !(app && arrivingAt(app) !== null);
      if (isLate || !(await operations.save(end, transaction)))
        throw new AppSupervisorError('OPERATION_OVER', { operation: id });
      const generation = nextGeneration(newestOf(definition ?? { generation: 0, published: {} }), now);
      if (app) await appRepository.update(appName, { ...cancelled(app), generation }, transaction);
      if (tombstone) {
        const keeps = { data: 'keep' as const, definition: { ...tombstone.definition, generation } };
        await appRepository.updateTombstone(appUid, keeps, transaction);
      }
      await events.append([cancelRequested(operation, userId, now)], transaction);
    });
    await this.changes.carryOut([appName]);
    return end;
  }

  /**
   * Asks anew for what the newest operation of an app has asked for, in the environments that the app still has.
   * @throws AppSupervisorError OPERATION_SUPERSEDED: what an older one did was undone or done by a newer one since
   */
  async retry(operation: Operation, userId: string | null): Promise<Operation> {
    if (operation.state !== 'failed' && operation.state !== 'cancelled')
      throw new AppSupervisorError('OPERATION_OVER', { operation: operation.id });
    const { appCache } = this.options;
    const app = appCache.apps.get(operation.appName);
    const tombstone = appCache.tombstones.get(operation.appUid);
    if (!app && tombstone) return this.retryEnd(tombstone, operation, userId);
    if (app?.uid !== operation.appUid) throw new AppSupervisorError('UNKNOWN_APP', { app: operation.appName });
    const to = operation.action === 'move' ? targetOf(operation) : null;
    if (to !== null && !app.environments.includes(to)) {
      // It has ended before it has moved the app, or was undone.
      await this.assertNewest(operation);
      return this.move(app.name, { to }, userId);
    }
    const { action, onFailure, environments } = operation;
    const work = async (current: AppDefinition, generation: number, transaction: Transaction) => {
      // This process may not have heard that it was deleted, and another one created in its place.
      if (current.uid !== operation.appUid) throw new AppSupervisorError('UNKNOWN_APP', { app: current.name });
      await this.assertNewest(operation, transaction);
      const values = (action === 'stop' ? stoppedAnew : askedAnew)(operation, current, generation);
      const added = (values.environments ?? []).filter((name) => !current.environments.includes(name));
      await this.options.environmentCache.assertStored(added, 'environments', transaction);
      return { values, action, onFailure, environments };
    };
    return this.changes.change(operation.appName, work, userId);
  }

  private async assertNewest(operation: Operation, transaction?: Transaction): Promise<void> {
    const { id, appName, appUid, generation } = operation;
    if ((await this.options.operations.newestGeneration({ appUid }, transaction)) > generation)
      throw new AppSupervisorError('OPERATION_SUPERSEDED', { operation: id, app: appName });
  }

  /**
   * Asks the environments that have not confirmed that a deleted app is gone once more: its data may be reachable by now.
   */
  private retryEnd({ uid, name }: Tombstone, before: Operation, userId: string | null): Promise<Operation> {
    const { appRepository, clock } = this.options;
    return this.changes.perform(async (transaction) => {
      // Locked: what is read of it stays so.
      const tombstone = await appRepository.findLockedTombstone(uid, transaction);
      if (!tombstone) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
      await this.assertNewest(before, transaction);
      const data = before.data ?? 'keep';
      const { environments: left } = tombstone;
      const generation = nextGeneration(newestOf(tombstone.definition), clock.now().wall);
      const definition = { ...tombstone.definition, generation };
      await appRepository.updateTombstone(uid, { definition, data }, transaction);
      const progress = endsIn(left, definition.targetEnvironment, data);
      const made = this.changes.newOperation(definition, { action: 'destroy', progress, data, createdById: userId });
      await this.changes.store(made, transaction);
      return made;
    });
  }
}

/** Where a move goes. */
const targetOf = ({ progress }: Operation): string | null =>
  progress.find(({ of }) => of !== 'leave')?.environment ?? null;

/** @throws AppSupervisorError UNKNOWN_ENVIRONMENT if none is left: an operation about no environment would succeed and do nothing */
function askedAnew({ action, progress }: Operation, app: AppDefinition, generation: number): Partial<AppDefinition> {
  const named = (isAbout: (item: Progress) => boolean) =>
    progress.filter(isAbout).map(({ environment }) => environment);
  const left = named(({ of }) => of === 'leave');
  const there = app.environments.filter((name) => !left.includes(name));
  // A change of its environments that was cancelled has left it where it was.
  const added = action === 'update' ? named(({ of }) => of !== 'leave').filter((name) => !there.includes(name)) : [];
  const place = { ...placeOf(app), environments: [...there, ...added] };
  const asked = place.environments.filter((name) => progress.some((item) => item.environment === name));
  const isLeft = (action === 'update' || action === 'move') && left.some((name) => app.published[name]);
  if (!asked.length && !isLeft)
    throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: progress[0]?.environment ?? '' });
  if (!place.environments.includes(place.targetEnvironment ?? ''))
    place.targetEnvironment = place.environments[0] ?? null;
  const only = named(({ of }) => of === 'boot').filter((name) => asked.includes(name));
  const settings = placed(app, place, generation);
  const again = only.length ? booted({ ...app, ...settings }, generation, bootHow(action), only) : {};
  const isStarted = action !== 'update' && only.length > 0;
  return { ...settings, ...again, ...(isStarted ? { desired: 'running' as const } : {}) };
}

/** A stop of all of an app is also of a place that a change before it was to leave, which was cancelled with it. @throws as `askedAnew` */
function stoppedAnew({ environments, progress }: Operation, app: AppDefinition, generation: number): SpecChange {
  const asked = app.environments.filter((name) => environments?.includes(name) ?? true);
  if (!asked.length)
    throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: progress[0]?.environment ?? '' });
  return rested(app, generation, environments ? asked : undefined);
}

const bootHow = (action: Action): 'start' | 'restart' | 'upgrade' =>
  action === 'renewSecrets' ? 'restart' : action === 'restart' || action === 'upgrade' ? action : 'start';
