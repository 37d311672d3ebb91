import { say } from '../../../shared/message';
import type { Action } from '../../../shared/types';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { cancelled, inTheWay, type Operation } from '../control/rollout';
import type { OperationCache, OperationStore } from '../control/store';
import type { FleetObserver } from '../fleet/observer';
import type { AppCache } from './cache';
import { type AppChanges, step } from './changes';
import { type AppRepository, nextGeneration, type Tombstone } from './repository';

export interface OperationRequestsOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  active: OperationCache;
  observer: FleetObserver;
  clock: Clock;
}

/** The requests for existing operations. */
export class OperationRequests {
  constructor(
    private readonly options: OperationRequestsOptions,
    private readonly changes: AppChanges,
  ) {}

  async cancel(id: string): Promise<Operation> {
    const { operations, active, observer, clock } = this.options;
    const operation = await operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    if (operation.finishedAt !== null) throw new AppSupervisorError('OPERATION_OVER', { operation: id });
    const blocked = inTheWay(operation, (environment) => observer.evidence(environment, operation.appName));
    if (blocked) throw new AppSupervisorError('OPERATION_BEGUN', { app: operation.appName, ...blocked });
    const ended = cancelled(operation, say('CANCELLED'), clock.now().wall);
    await operations.save(ended);
    active.put(ended);
    await this.changes.carryOut([operation.appName]);
    return ended;
  }

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
    return this.changes.change(operation.appName, async (current, transaction) => {
      const generation = nextGeneration(current.generation, clock.now().wall);
      const boots = operation.steps.some(({ kind }) => kind === 'boot');
      await appRepository.update(
        current.name,
        { generation, ...(boots ? { desired: 'running', boot: { generation, how: bootHow(operation.action) } } : {}) },
        transaction,
      );
      const steps = operation.steps.map(({ environment, kind }) => step(environment, kind));
      return this.changes.newOperation({ ...current, generation }, operation.action, steps, userId);
    });
  }

  /** Repeats the steps for a deleted app: its data may be reachable by now. */
  private async retryEnd({ uid, name, definition }: Tombstone, failed: Operation, userId: string | null) {
    const { appRepository, operations, clock } = this.options;
    // Above the generation that its drop or release published.
    const generation = nextGeneration(definition.generation + 1, clock.now().wall);
    const steps = failed.steps.map(({ environment, kind }) => step(environment, kind));
    const operation = this.changes.newOperation({ ...definition, generation }, failed.action, steps, userId);
    const environments = [...new Set(steps.map(({ environment }) => environment))];
    await this.changes.inTransaction(async (transaction) => {
      await appRepository.updateTombstone(
        uid,
        { definition: { ...definition, generation }, environments },
        transaction,
      );
      await operations.create(operation, transaction);
    });
    await this.changes.carryOut([name], operation);
    return operation;
  }
}

const bootHow = (action: Action): 'start' | 'restart' | 'upgrade' =>
  action === 'restart' || action === 'upgrade' ? action : 'start';
