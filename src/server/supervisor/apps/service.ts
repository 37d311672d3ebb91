import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Transaction } from '@nocobase/database';
import { APP } from '../../../shared/app';
import { completeIn, pickIn } from '../../../shared/fields';
import { say, sayAction } from '../../../shared/message';
import type { StatusEntry } from '../../../shared/messages';
import type { Action } from '../../../shared/types';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { againWhenBusy } from '../../nocobase/busy';
import type { WithDatabase } from '../../nocobase/main-database';
import { type Administrator, sealAdministrator } from '../../protocol/administrator';
import type { MessageBus } from '../../protocol/bus';
import { newSecret, seal, sealDatabase } from '../../protocol/secrets';
import type { Driver } from '../control/driver';
import { forgetEverywhere } from '../control/forgetting';
import { cancelled, inTheWay, type Operation, type Step, type StepKind, takeOver } from '../control/rollout';
import { newOperationId, type OperationStore } from '../control/store';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { FleetObserver } from '../fleet/observer';
import type { AppCache } from './cache';
import { changedDatabase, placeOf } from './database-settings';
import type { CreateInput, UpdateInput } from './input';
import { type AppDefinition, type AppRepository, nextGeneration, type Tombstone } from './repository';

/**
 * How long an answer is held back for its operation to begin, in ms. The core is busy for longer with the end of a request
 * than telling a Worker takes, which would wait for it; whatever else is in the way, nobody waits for.
 */
const HEAD_START = 20;

export interface ServiceOptions {
  app: WithDatabase;
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  driver: Driver;
  observer: FleetObserver;
  bus: MessageBus;
  clock: Clock;
  aesKey: Buffer | null;
  /** What a new app gets when the request names none; null when it has to name some. */
  defaultEnvironments: string[] | null;
  /** Which environments may get new apps, and serve one app together. */
  compatibility: Pick<CompatibilityPolicy, 'assertUsable' | 'assertAgree' | 'assertSetsInitialAdmin'>;
}

/** A new app as it was asked for. */
export interface NewApp extends Omit<CreateInput, 'initialAdmin'> {
  /** Null: it is adopted, and keeps its own users. */
  initialAdmin: Administrator | null;
}

/**
 * What people and programs may ask for. Each request is checked, persisted with its operation in one transaction, and
 * answered; the driver does the rest. Nothing here waits for an environment.
 */
export class AppService {
  constructor(private readonly options: ServiceOptions) {}

  /** A new app, in a database of its own making (`create`) or one that a NocoBase app lives in already (`adopt`). */
  async create(
    input: NewApp,
    userId: string | null,
    action: 'create' | 'adopt' = 'create',
    /** A JWT secret that the app has already, instead of a new one. */
    jwtSecret: string | null = null,
  ): Promise<Operation> {
    const { appRepository, clock, defaultEnvironments, compatibility, aesKey } = this.options;
    const environments = input.environments ?? defaultEnvironments;
    if (!environments) {
      throw new AppSupervisorError(
        'INVALID_INPUT',
        { problem: say('INPUT_NO_ENVIRONMENT', { field: 'environments' }) },
        'environments',
      );
    }
    for (const environment of environments) compatibility.assertUsable(environment, 'environments');
    compatibility.assertAgree(environments, 'environments');
    if (input.initialAdmin) compatibility.assertSetsInitialAdmin(environments, 'environments');
    const targetEnvironment = input.targetEnvironment ?? environments[0];
    if (!environments.includes(targetEnvironment)) {
      throw new AppSupervisorError(
        'INVALID_INPUT',
        { problem: say('INPUT_TARGET', { field: 'targetEnvironment' }) },
        'targetEnvironment',
      );
    }
    const orphan = this.orphanOf(input.name);
    if (orphan && action === 'create') throw new AppSupervisorError('NAME_TAKEN', { app: input.name }, 'name');
    const now = clock().wall;
    const generation = nextGeneration(orphan?.generation ?? 0, now);
    const app: Omit<AppDefinition, 'createdAt' | 'updatedAt' | 'sort'> = {
      ...pickIn(APP, 'table', completeIn(APP, 'create', input)),
      // Its database carries this mark, and its worker goes on with it.
      uid: orphan?.uid ?? randomUUID(),
      environments,
      targetEnvironment,
      desired: 'running',
      database: sealDatabase(placeOf(input), aesKey),
      jwtSecret: seal(jwtSecret || newSecret(), aesKey),
      sso: input.options?.sso ?? null,
      generation,
      boot: { generation, how: 'start' },
      claim: action,
      initialAdmin: input.initialAdmin && (await sealAdministrator(input.initialAdmin, aesKey)),
      published: {},
    };
    const operation = this.newOperation(
      app,
      action,
      environments.map((environment) => step(environment, 'boot')),
      userId,
    );
    await this.inTransaction(async (transaction) => {
      if (await appRepository.find(app.name, transaction))
        throw new AppSupervisorError('NAME_TAKEN', { app: app.name }, 'name');
      if (this.options.appCache.tombstones.size && this.waitsToBeDropped(app.name)) {
        throw new AppSupervisorError('DROP_PENDING', { app: app.name }, 'name');
      }
      await this.assertDomainFree(app.cname, app.name, transaction);
      await appRepository.create(app, transaction);
      await this.options.operations.create(operation, transaction);
    });
    await this.carryOut([app.name], operation);
    return operation;
  }

  async update(name: string, input: UpdateInput, userId: string | null): Promise<Operation> {
    const { appRepository, compatibility, aesKey, clock } = this.options;
    return this.change(name, async (app, transaction) => {
      const environments = input.environments ?? app.environments;
      const added = environments.filter((environment) => !app.environments.includes(environment));
      const removed = app.environments.filter((environment) => !environments.includes(environment));
      for (const environment of added) compatibility.assertUsable(environment, 'environments');
      if (added.length) compatibility.assertAgree(environments, 'environments');
      if (app.initialAdmin) compatibility.assertSetsInitialAdmin(added, 'environments');
      const wantedTarget = input.targetEnvironment === undefined ? app.targetEnvironment : input.targetEnvironment;
      if (input.targetEnvironment && !environments.includes(input.targetEnvironment)) {
        throw new AppSupervisorError(
          'INVALID_INPUT',
          { problem: say('INPUT_TARGET', { field: 'targetEnvironment' }) },
          'targetEnvironment',
        );
      }
      if (input.cname !== undefined) await this.assertDomainFree(input.cname, name, transaction);
      const generation = nextGeneration(app.generation, clock().wall);
      const values: Partial<AppDefinition> = {
        ...pickIn(APP, 'table', input),
        environments,
        targetEnvironment: wantedTarget && environments.includes(wantedTarget) ? wantedTarget : environments[0],
        generation,
        ...(input.options
          ? {
              database: changedDatabase(app, input.options, aesKey),
              sso: input.options.sso ?? app.sso,
            }
          : {}),
      };
      await appRepository.update(name, values, transaction);
      const steps = [
        ...environments.map((environment) =>
          step(environment, !added.includes(environment) ? 'apply' : app.desired === 'stopped' ? 'stop' : 'boot'),
        ),
        ...removed.map((environment) => step(environment, 'remove')),
      ];
      return this.newOperation({ ...app, generation }, 'update', steps, userId);
    });
  }

  /**
   * Start, stop, restart or upgrade of one app.
   * @param options.environments only there, as a drain needs it; then what the app as a whole should be stays as it is
   * @param options.onFailure whether a failed step ends the operation (`stop`, default) or the others go on
   */
  async command(
    name: string,
    action: 'start' | 'stop' | 'restart' | 'upgrade',
    userId: string | null,
    { environments, onFailure = 'stop' }: { environments?: string[]; onFailure?: Operation['onFailure'] } = {},
  ): Promise<Operation> {
    const { appRepository, clock } = this.options;
    return this.change(name, async (app, transaction) => {
      const generation = nextGeneration(app.generation, clock().wall);
      const boots = action !== 'stop';
      const values: Partial<AppDefinition> = {
        generation,
        ...(environments ? {} : { desired: boots ? ('running' as const) : ('stopped' as const) }),
        ...(boots ? { boot: { generation, how: action } } : {}),
      };
      await appRepository.update(name, values, transaction);
      const steps = (environments ?? app.environments).map((environment) => step(environment, boots ? 'boot' : 'stop'));
      return { ...this.newOperation({ ...app, generation }, action, steps, userId), onFailure };
    });
  }

  /**
   * Goes on with what a failed operation has left undone (`leftUndone`); an app that is elsewhere too leaves there.
   * @throws when somebody has asked for something else meanwhile
   */
  async finish(name: string, missing: string[]): Promise<Operation> {
    const { appRepository, clock } = this.options;
    return this.change(name, async (app, transaction, [other]) => {
      if (other) throw new Error(`its ${other.action} came first.`);
      const generation = nextGeneration(app.generation, clock().wall);
      await appRepository.update(name, { generation }, transaction);
      const kind = app.desired === 'stopped' ? 'stop' : 'boot';
      const steps = missing.map((environment) => step(environment, kind));
      return this.newOperation({ ...app, generation }, 'update', steps, null);
    });
  }

  /**
   * Gives an app that was stored without a JWT secret (before 0.1.1) one of its own. Its environments take it at its next start.
   * @throws when it has one by now, or something else is under way
   */
  async giveSecret(name: string): Promise<Operation> {
    const { appRepository, clock, aesKey } = this.options;
    return this.change(name, async (app, transaction, [other]) => {
      if (app.jwtSecret !== null || other) throw new Error(other ? `its ${other.action} came first.` : 'it has one.');
      const generation = nextGeneration(app.generation, clock().wall);
      await appRepository.update(name, { generation, jwtSecret: seal(newSecret(), aesKey) }, transaction);
      // Where it was never published, nothing of it is: a create that failed is not begun by this.
      const told = app.environments.filter((environment) => app.published[environment]);
      const steps = told.map((environment) => step(environment, 'apply'));
      return this.newOperation({ ...app, generation }, 'update', steps, null);
    });
  }

  /** Takes an app out of list and routing at once; what its environments still have to do goes on as a tombstone. */
  async destroy(name: string, database: 'keep' | 'drop', userId: string | null): Promise<Operation> {
    const { appRepository, clock } = this.options;
    return this.change(name, async (app, transaction) => {
      const generation = nextGeneration(app.generation, clock().wall);
      const places = Object.keys(app.published);
      const steps = places.map((environment) => step(environment, 'remove'));
      const target = app.targetEnvironment ?? app.environments[0];
      if (steps.length) steps.push(step(target, database === 'drop' ? 'drop' : 'release'));
      const operation = this.newOperation({ ...app, generation }, 'destroy', steps, userId);
      const environments = [...new Set(steps.map(({ environment }) => environment))];
      await appRepository.bury(
        { uid: app.uid, name, definition: { ...app, generation, initialAdmin: null }, environments },
        transaction,
      );
      // An app that no environment ever heard of is gone already.
      return steps.length ? operation : { ...operation, state: 'succeeded', finishedAt: clock().wall };
    });
  }

  /** Takes an environment out of every app, operation and tombstone: nobody waits for it any more. */
  async forgetEnvironment(environment: string): Promise<void> {
    const { driver } = this.options;
    const names: string[] = [];
    // A tick that began before would publish once more for the environment, and wait for it for ever.
    await driver.between(async () => {
      names.push(...(await forgetEverywhere(environment, this.options)));
    });
    await this.carryOut(names);
  }

  async cancel(id: string): Promise<Operation> {
    const { operations, clock } = this.options;
    const operation = await operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    if (operation.finishedAt !== null) throw new AppSupervisorError('OPERATION_OVER', { operation: id });
    const blocked = inTheWay(operation, (environment) => this.options.driver.sight(environment, operation.appName));
    if (blocked) throw new AppSupervisorError('OPERATION_BEGUN', { app: operation.appName, ...blocked });
    const ended = cancelled(operation, say('CANCELLED'), clock().wall);
    await operations.save(ended);
    await this.carryOut([operation.appName]);
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
    return this.change(operation.appName, async (current, transaction) => {
      const generation = nextGeneration(current.generation, clock().wall);
      const boots = operation.steps.some(({ kind }) => kind === 'boot');
      await appRepository.update(
        current.name,
        { generation, ...(boots ? { desired: 'running', boot: { generation, how: bootHow(operation.action) } } : {}) },
        transaction,
      );
      const steps = operation.steps.map(({ environment, kind }) => step(environment, kind));
      return this.newOperation({ ...current, generation }, operation.action, steps, userId);
    });
  }

  /** Once more what a deleted app's environments have to do: its data may be within reach by now. */
  private async retryEnd({ uid, name, definition }: Tombstone, failed: Operation, userId: string | null) {
    const { appRepository, operations, clock } = this.options;
    // Beyond what its drop or release published.
    const generation = nextGeneration(definition.generation + 1, clock().wall);
    const steps = failed.steps.map(({ environment, kind }) => step(environment, kind));
    const operation = this.newOperation({ ...definition, generation }, failed.action, steps, userId);
    const environments = [...new Set(steps.map(({ environment }) => environment))];
    await this.inTransaction(async (transaction) => {
      await appRepository.updateTombstone(
        uid,
        { definition: { ...definition, generation }, environments },
        transaction,
      );
      await operations.create(operation, transaction);
    });
    await this.carryOut([name], operation);
    return operation;
  }

  /**
   * One change of one app: checked, and written together with its operation, unless somebody else changed the app in
   * between; then it is done anew on what they left.
   */
  private async change(
    name: string,
    work: (app: AppDefinition, transaction: Transaction, others: Operation[]) => Promise<Operation>,
  ): Promise<Operation> {
    const { appRepository, operations, driver, clock, compatibility } = this.options;
    const operation = await this.inTransaction(async (transaction) => {
      // The row is locked first, so that two requests for one app come one after the other on every supervisor.
      await this.options.app.db
        .getModel('apps')
        .findOne({ where: { name }, transaction, lock: transaction.LOCK?.UPDATE });
      const app = await appRepository.find(name, transaction);
      if (!app) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
      const others = await operations.activeOf(app.uid, transaction);
      for (const other of others) {
        const blocked = inTheWay(other, (environment) => driver.sight(environment, name));
        if (blocked) throw new AppSupervisorError('OPERATION_BEGUN', { app: name, ...blocked });
      }
      const made = takeOver(await work(app, transaction, others), others, app);
      // Also by a start or a retry of a create that failed: an old Worker would install it with the well-known password.
      const boots = made.steps.filter(({ kind }) => kind === 'boot').map(({ environment }) => environment);
      if (app.initialAdmin && app.claim === 'create') compatibility.assertSetsInitialAdmin(boots, 'environments');
      for (const other of others)
        await operations.save(
          cancelled(other, say('SUPERSEDED', { action: sayAction(made.action) }), clock().wall),
          transaction,
        );
      await operations.create(made, transaction);
      return made;
    });
    await this.carryOut([name], operation);
    return operation;
  }

  private orphanOf(name: string): StatusEntry | null {
    const { observer, appCache } = this.options;
    if (appCache.apps.has(name)) return null;
    const entries = observer.names().flatMap((environment) => observer.observed(environment, name)?.entry ?? []);
    return entries.find((entry) => appCache.isOrphan(entry)) ?? null;
  }

  /** Tells this process and the other supervisors; the leader among them begins. */
  private async carryOut(names: string[], accepted?: Operation): Promise<void> {
    const { appCache, driver, bus } = this.options;
    await appCache.refresh(names);
    const begun = accepted && accepted.finishedAt === null ? driver.begin(accepted) : void driver.tick();
    bus.notify('supervisors', names);
    if (begun) await Promise.race([begun, sleep(HEAD_START, undefined, { ref: false })]);
  }

  private async inTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      return await againWhenBusy(() =>
        this.options.app.db.sequelize.transaction((transaction: Transaction) => work(transaction)),
      );
    } catch (error) {
      // Two requests at once, on two supervisors: both looked, one was first.
      const { name, fields } = error as { name?: string; fields?: Record<string, string> | string[] };
      if (name !== 'SequelizeUniqueConstraintError' || !fields) throw error;
      // SQLite names the columns alone.
      const taken: Record<string, string> = Array.isArray(fields)
        ? Object.fromEntries(fields.map((field) => [field, '?']))
        : fields;
      if (taken.cname) throw new AppSupervisorError('DOMAIN_TAKEN', { domain: taken.cname, app: '?' }, 'cname');
      throw new AppSupervisorError('NAME_TAKEN', { app: taken.name ?? '?' }, 'name');
    }
  }

  private async assertDomainFree(
    cname: string | null | undefined,
    name: string,
    transaction: Transaction,
  ): Promise<void> {
    if (!cname) return;
    const row = await this.options.app.db
      .getRepository('apps')
      .findOne({ filter: { cname, name: { $ne: name } }, transaction });
    if (row) throw new AppSupervisorError('DOMAIN_TAKEN', { domain: cname, app: row.get('name') as string }, 'cname');
  }

  private waitsToBeDropped(name: string): boolean {
    return [...this.options.appCache.tombstones.values()].some(
      (tombstone) =>
        tombstone.name === name &&
        this.options.driver.active.some(
          (other) => other.appUid === tombstone.uid && other.steps.some(({ kind }) => kind === 'drop'),
        ),
    );
  }

  private newOperation(
    app: Pick<AppDefinition, 'name' | 'uid' | 'generation'>,
    action: Action,
    steps: Step[],
    userId: string | null,
  ): Operation {
    const now = this.options.clock().wall;
    return {
      id: newOperationId(now),
      appName: app.name,
      appUid: app.uid,
      action,
      state: 'queued',
      generation: app.generation,
      steps,
      onFailure: 'stop',
      waitingFor: null,
      createdById: userId,
      createdAt: now,
      finishedAt: null,
    };
  }
}

const step = (environment: string, kind: StepKind): Step => ({ environment, kind, state: 'queued' });

const bootHow = (action: Action): 'start' | 'restart' | 'upgrade' =>
  action === 'restart' || action === 'upgrade' ? action : 'start';
