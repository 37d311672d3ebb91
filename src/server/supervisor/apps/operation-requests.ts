import type { Transaction } from '@nocobase/database';
import { say } from '../../../shared/message';
import type { Action } from '../../../shared/types';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { arrivalOf } from '../control/arrival';
import { cancelled, inTheWay, type Operation, type Step } from '../control/rollout';
import type { OperationCache, OperationStore } from '../control/store';
import { cancelRequested } from '../events/changes';
import type { EventStore } from '../events/store';
import type { FleetObserver } from '../fleet/observer';
import type { AppCache } from './cache';
import { type AppChanges, step } from './changes';
import { type AppRepository, newestOf, nextGeneration, type Tombstone } from './repository';

export interface OperationRequestsOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  events: Pick<EventStore, 'append'>;
  active: OperationCache;
  observer: FleetObserver;
  clock: Clock;
}

/** The requests for existing operations. */
export class OperationRequests {
  constructor(
    private readonly options: OperationRequestsOptions,
    private readonly changes: AppChanges,
    private readonly move: (name: string, wish: { to: string }, userId: string | null) => Promise<Operation>,
  ) {}

  /** @param isEarly only as long as it has not moved the app; OPERATION_OVER if it has */
  async cancel(id: string, userId: string | null, isEarly = false): Promise<Operation> {
    const { operations, active, observer, clock, events, appRepository } = this.options;
    const operation = await operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    if (operation.finishedAt !== null) throw new AppSupervisorError('OPERATION_OVER', { operation: id });
    const blocked = inTheWay(operation, (environment) => observer.evidence(environment, operation.appName));
    if (blocked) throw new AppSupervisorError('OPERATION_BEGUN', { app: operation.appName, ...blocked });
    const now = clock.now().wall;
    const ended = cancelled(operation, say('CANCELLED'), now);
    await this.changes.inTransaction(async (transaction) => {
      // Locked, so that it is not moved meanwhile.
      const app = isEarly ? await appRepository.findLocked(operation.appName, transaction) : null;
      const isLate = isEarly && !(app && arrivalOf(operation, app));
      if (isLate || !(await operations.save(ended, transaction)))
        throw new AppSupervisorError('OPERATION_OVER', { operation: id });
      await events.append([cancelRequested(operation, userId, now)], transaction);
    });
    active.put(ended);
    await this.changes.carryOut([operation.appName]);
    return ended;
  }

  /**
   * Repeats the newest operation of an app, in the environments that the app still has.
   * @throws AppSupervisorError OPERATION_SUPERSEDED: what an older one did was undone or done by a newer one since
   */
  async retry(id: string, userId: string | null): Promise<Operation> {
    const operation = await this.options.operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    if (operation.state !== 'failed' && operation.state !== 'cancelled')
      throw new AppSupervisorError('OPERATION_OVER', { operation: id });
    const { appRepository, clock, appCache } = this.options;
    const app = appCache.apps.get(operation.appName);
    const tombstone = appCache.tombstones.get(operation.appUid);
    if (!app && tombstone) return this.retryEnd(tombstone, operation, userId);
    if (app?.uid !== operation.appUid) throw new AppSupervisorError('UNKNOWN_APP', { app: operation.appName });
    const copy = operation.action === 'move' ? arrivalOf(operation, app) : null;
    if (copy) {
      // It ended before the app left its place, which is where the next one begins, too.
      await this.assertNewest(operation);
      return this.move(app.name, { to: copy.environment }, userId);
    }
    return this.changes.change(operation.appName, async (current, transaction) => {
      // This process may not have heard that it was deleted, and another one created in its place.
      if (current.uid !== operation.appUid) throw new AppSupervisorError('UNKNOWN_APP', { app: current.name });
      await this.assertNewest(operation, transaction);
      const generation = nextGeneration(newestOf(current), clock.now().wall);
      const boots = operation.steps.some(({ kind }) => kind === 'boot');
      await appRepository.update(
        current.name,
        { generation, ...(boots ? { desired: 'running', boot: { generation, how: bootHow(operation.action) } } : {}) },
        transaction,
      );
      const isPlaced = ({ environment, kind }: Step) => {
        const isThere = current.environments.includes(environment);
        return kind === 'remove' ? !isThere && current.published[environment] !== undefined : isThere;
      };
      const steps = repeated(operation, isPlaced);
      return this.changes.newOperation({ ...current, generation }, operation.action, steps, userId);
    });
  }

  private async assertNewest(operation: Operation, transaction?: Transaction): Promise<void> {
    const { id, appName } = operation;
    if (await this.options.operations.isSuperseded(operation, transaction))
      throw new AppSupervisorError('OPERATION_SUPERSEDED', { operation: id, app: appName });
  }

  /**
   * Repeats the steps for a deleted app in the environments that have not confirmed them: its data may be reachable by
   * now.
   */
  private async retryEnd({ uid, name, definition }: Tombstone, failed: Operation, userId: string | null) {
    const { appRepository, clock } = this.options;
    // Above the generation that its drop or release published.
    const generation = nextGeneration(newestOf(definition) + 1, clock.now().wall);
    const operation = await this.changes.inTransaction(async (transaction) => {
      // Locked: what is read of it stays so.
      const environments = (await appRepository.findLockedTombstone(uid, transaction))?.environments ?? [];
      await appRepository.updateTombstone(uid, { definition: { ...definition, generation } }, transaction);
      await this.assertNewest(failed, transaction);
      const steps = repeated(failed, ({ environment }) => environments.includes(environment));
      const made = this.changes.newOperation({ ...definition, generation }, failed.action, steps, userId);
      await this.changes.store(made, transaction);
      return made;
    });
    await this.changes.carryOut([name], operation);
    return operation;
  }
}

/** @throws AppSupervisorError UNKNOWN_ENVIRONMENT if none is left: an operation without steps would succeed and do nothing */
function repeated({ steps }: Operation, isLeft: (step: Step) => boolean): Step[] {
  // The app is where its uploads were copied to.
  const left = steps.filter((step) => step.kind !== 'copy' && isLeft(step));
  if (!left.length) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: steps[0]?.environment ?? '' });
  return left.map(({ environment, kind }) => step(environment, kind));
}

const bootHow = (action: Action): 'start' | 'restart' | 'upgrade' =>
  action === 'restart' || action === 'upgrade' ? action : 'start';
