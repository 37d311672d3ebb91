import { isDeepStrictEqual } from 'node:util';
import type { Transaction } from '@nocobase/database';
import { APP } from '../../../shared/app';
import { pickIn } from '../../../shared/fields';
import { say } from '../../../shared/message';
import type { MoveCause } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import type { WithDatabase } from '../../nocobase/main-database';
import type { MessageBus } from '../../protocol/bus';
import { isAlive } from '../../protocol/health';
import { newSecret, seal } from '../../protocol/secrets';
import { type Place, placeAfter } from '../control/arrival';
import type { Operation, Step } from '../control/rollout';
import { causeOf, failsOver, homeAfter, returnsTo } from '../placement/failover';
import { askedOf } from '../rollout/uploads';
import { AppChanges, type ChangesOptions, step } from './changes';
import { AppCreation, type CreationOptions } from './creation';
import { changedDatabase } from './database-settings';
import type { UpdateInput } from './input';
import { changedLabels, type LabelChange, labelsAlone } from './labels';
import { OperationRequests } from './operation-requests';
import { assertPermitted, EVERYTHING, type Permissions } from './permissions';
import { type AppDefinition, newestOf, nextGeneration } from './repository';

export interface ServiceOptions extends CreationOptions {
  app: WithDatabase;
  bus: MessageBus;
  leadership: ChangesOptions['leadership'];
  events: ChangesOptions['events'];
}

/** From where to where an app moves. */
export interface MoveWish {
  /** Default: its target environment. Null as well for an app that has none. */
  from?: string;
  to: string;
}

/** Why the control loop moves an app: its environment is down, or well again, or the move before failed, which had this cause. */
export type LoopMove = MoveCause | { undoes: MoveCause | null };

interface CommandOptions {
  environments?: string[];
  onFailure?: Operation['onFailure'];
  asLeader?: boolean;
}

/** The loop asks for nothing while an operation that it has not heard of is unfinished: that one would be superseded. */
function assertIdle(other: Operation | undefined): void {
  if (other) throw new Error(`Its ${other.action} came first.`);
}

/** The environment may have returned, and what is wished may be something else. */
function assertFailsOver(app: AppDefinition, source: string | null, isDown: boolean): void {
  if (!isDown || source === null || !failsOver(app, source)) throw new Error('It does not fail over any more.');
}

/** Nothing would be done, and it would be said that it succeeded. */
function assertSomewhere({ environments }: AppDefinition): void {
  if (environments.length) return;
  const problem = say('INPUT_NO_ENVIRONMENT', { field: 'environments' });
  throw new AppSupervisorError('INVALID_INPUT', { problem }, 'environments');
}

/**
 * The requests of people and programs. Each is validated, stored with its operation in one transaction, and answered;
 * the control loop does the rest. Nothing here waits for an environment.
 */
export class AppService {
  private readonly changes: AppChanges;
  private readonly creation: AppCreation;
  private readonly requests: OperationRequests;

  constructor(private readonly options: ServiceOptions) {
    this.changes = new AppChanges(options);
    this.creation = new AppCreation(options, this.changes);
    this.requests = new OperationRequests(options, this.changes, (...move) => this.move(...move));
  }

  /** As in `AppCreation`. */
  create(...request: Parameters<AppCreation['create']>): Promise<Operation> {
    return this.creation.create(...request);
  }

  /** @param may of who asks: the app as it is now says what he has to have */
  async update(
    name: string,
    input: UpdateInput,
    userId: string | null,
    may: Permissions = EVERYTHING,
  ): Promise<Operation> {
    await this.options.environmentCache.settled();
    const work = (app: AppDefinition, transaction: Transaction) => {
      assertPermitted(app, input, may);
      return this.updateOf(app, input, userId, transaction);
    };
    const follows = input.environments === undefined && input.targetEnvironment === undefined;
    return this.changes.change(name, work, false, follows);
  }

  /**
   * What `update` does, if it changes nothing but labels: without an operation.
   * @returns false if it changes something else, or nothing
   */
  async relabel(name: string, input: UpdateInput, userId: string | null): Promise<boolean> {
    if (!input.labels) return false;
    return this.changes.amend(name, (app) => labelsAlone(app, input, this.options.aesKey), userId);
  }

  /** @throws AppSupervisorError INVALID_INPUT if it would have too many */
  async label(name: string, change: LabelChange, userId: string | null): Promise<void> {
    await this.changes.amend(name, ({ labels }) => ({ labels: changedLabels(labels, change) }), userId);
  }

  /**
   * Moves an app from one of its environments to another one. An app with one environment ends there before it starts at
   * its new place, and before that its uploads are copied; one with several starts there first.
   *
   * @param by the control loop wants it: it fails if that is decided otherwise by now
   * @throws AppSupervisorError NOT_IN_ENVIRONMENT, ALREADY_IN_ENVIRONMENT, and what `update` throws
   */
  async move(
    name: string,
    { from, to }: MoveWish,
    userId: string | null,
    by: LoopMove | null = null,
  ): Promise<Operation> {
    await this.options.environmentCache.settled();
    const undone = by !== null && typeof by === 'object' ? by : null;
    const work = async (app: AppDefinition, transaction: Transaction, [other]: Operation[]) => {
      // A failover takes over what waits for the environment that is down.
      if (by !== null && by !== 'failover') assertIdle(other);
      const source = from ?? app.targetEnvironment ?? app.environments[0] ?? null;
      if (source !== null && !app.environments.includes(source))
        throw new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: name, environment: source }, 'from');
      if (app.environments.includes(to))
        throw new AppSupervisorError('ALREADY_IN_ENVIRONMENT', { app: name, environment: to }, 'to');
      const environments = source === null ? [to] : app.environments.map((each) => (each === source ? to : each));
      const targetEnvironment = app.targetEnvironment === source ? to : app.targetEnvironment;
      const isDown = source !== null && this.options.observer.evidence(source, name).health === 'down';
      const cause = undone ? null : causeOf(app, source, to, isDown);
      if (by === 'failover') assertFailsOver(app, source, isDown);
      if (by === 'failback' && !returnsTo(app, to)) throw new Error('It does not return any more.');
      const input = { environments, targetEnvironment };
      const home = homeAfter(app, source, to, undone?.undoes === 'failback' ? 'failover' : cause);
      // It ran there until now, whatever has changed: its environment may be cordoned since.
      const operation = await this.updateOf(app, input, userId, transaction, { isReturn: undone !== null, home });
      const isNew = ({ environment }: Step) => environment === to;
      // The new place comes first: if the app does not start there, the move is undone (control/unfinished.ts).
      const steps = [...operation.steps.filter(isNew), ...operation.steps.filter((one) => !isNew(one))];
      return { ...operation, action: 'move' as const, cause, steps };
    };
    return this.changes.change(name, work, by !== null);
  }

  /**
   * @param options.isReturn whether the app has run where it is to be
   * @param options.home as in shared/app.ts; by default it is at home where it is placed
   */
  private async updateOf(
    app: AppDefinition,
    input: UpdateInput,
    userId: string | null,
    transaction: Transaction,
    { isReturn = false, home }: { isReturn?: boolean; home?: string | null } = {},
  ): Promise<Operation> {
    const { appRepository, environmentCache, aesKey, clock } = this.options;
    const environments = input.environments ?? app.environments;
    const added = environments.filter((environment) => !app.environments.includes(environment));
    const removed = app.environments.filter((environment) => !environments.includes(environment));
    if (!isReturn) this.assertPlaces(app, environments, added);
    await environmentCache.assertStored(added, 'environments', transaction);
    const wantedTarget = input.targetEnvironment === undefined ? app.targetEnvironment : input.targetEnvironment;
    if (input.targetEnvironment && !environments.includes(input.targetEnvironment)) {
      throw new AppSupervisorError(
        'INVALID_INPUT',
        { problem: say('INPUT_TARGET', { field: 'targetEnvironment' }) },
        'targetEnvironment',
      );
    }
    // One that it has stays, whatever has become of it.
    if (input.cname !== undefined && input.cname !== app.cname)
      await this.changes.assertDomainFree(input.cname, app.name, transaction);
    const place: Place = {
      environments,
      targetEnvironment: wantedTarget && environments.includes(wantedTarget) ? wantedTarget : environments[0],
      home: home !== undefined ? home : added.length || removed.length ? null : app.home,
    };
    // What replaces the only environment ends and starts the app as a move does, and is undone as one.
    const isMove = app.environments.length === 1 && environments.length === 1 && added.length === 1;
    if (isMove && !isReturn && this.copiesAhead(app, input, place))
      return this.beginAhead(app, added[0], userId, transaction);
    const generation = nextGeneration(newestOf(app), clock.now().wall);
    const values: Partial<AppDefinition> = {
      ...pickIn(APP, 'table', input),
      ...place,
      generation,
      ...(input.options
        ? {
            database: changedDatabase(app, input.options, aesKey),
            sso: input.options.sso ?? app.sso,
          }
        : {}),
    };
    await appRepository.update(app.name, values, transaction);
    const steps = [
      ...environments.map((environment) =>
        step(environment, !added.includes(environment) ? 'apply' : app.desired === 'stopped' ? 'stop' : 'boot'),
      ),
      ...removed.map((environment) => step(environment, 'remove')),
    ];
    return this.changes.newOperation({ ...app, generation }, isMove ? 'move' : 'update', steps, userId);
  }

  /** Whether an app that changes its only environment runs on at its old place until its uploads are copied. */
  private copiesAhead(app: AppDefinition, input: UpdateInput, place: Place): boolean {
    const { observer, environmentCache } = this.options;
    const [from] = app.environments;
    const [to] = place.environments;
    const { health, entry } = observer.evidence(from, app.name);
    const isServing =
      entry?.uid === app.uid && !entry.error && (entry.status === 'running' || entry.status === 'dormant');
    // What else is asked for has to reach it at once, and what is still to be done at its new place comes first.
    const isAlone = Object.keys(input).every((key) => key === 'environments' || key === 'targetEnvironment');
    const isFree =
      askedOf(app.published, to) === undefined && isDeepStrictEqual(place, placeAfter({ environment: to }));
    const isWanted = app.desired === 'running' && app.claim === 'none' && isAlive(health) && isServing;
    return isAlone && isFree && isWanted && Boolean(environmentCache.addressOf(from));
  }

  private async beginAhead(app: AppDefinition, to: string, userId: string | null, transaction: Transaction) {
    const { appRepository, clock } = this.options;
    // The copy has a generation of its own.
    const generation = nextGeneration(newestOf(app) + 1, clock.now().wall);
    await appRepository.update(app.name, { generation }, transaction);
    const steps = [step(to, 'copy'), step(to, 'boot'), step(app.environments[0], 'remove')];
    return this.changes.newOperation({ ...app, generation }, 'move', steps, userId);
  }

  /** Whether an app may get further environments. */
  private assertPlaces(app: AppDefinition, environments: string[], added: string[]): void {
    const { compatibility } = this.options;
    for (const environment of added) compatibility.assertUsable(environment, 'environments');
    if (added.length) compatibility.assertAgree(environments, 'environments');
    if (app.initialAdmin) compatibility.assertSetsInitialAdmin(added, 'environments');
    if (added.length && app.database.username && app.database.dbConnType !== 'new_connection')
      compatibility.assertKnowsDatabaseRoles(added, 'environments');
  }

  /**
   * Start, stop, restart or upgrade of one app.
   * @param options.environments only in these, for a drain; the desired state of the app as a whole then stays
   * unchanged; NOT_IN_ENVIRONMENT if the app is not in one of them (any more)
   * @param options.onFailure whether a failed step ends the operation (`stop`, default) or the others continue
   * @param options.asLeader the control loop wants it: it fails if the app has an unfinished operation, instead of superseding it
   */
  async command(
    name: string,
    action: 'start' | 'stop' | 'restart' | 'upgrade',
    userId: string | null,
    { environments, onFailure = 'stop', asLeader = false }: CommandOptions = {},
  ): Promise<Operation> {
    const { appRepository, clock } = this.options;
    const work = async (app: AppDefinition, transaction: Transaction, [other]: Operation[]) => {
      if (asLeader) assertIdle(other);
      if (action !== 'stop') assertSomewhere(app);
      // It may have moved since, and its removal there would be undone.
      const absent = environments?.find((environment) => !app.environments.includes(environment));
      if (absent !== undefined) throw new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: name, environment: absent });
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      const boots = action !== 'stop';
      const values: Partial<AppDefinition> = {
        generation,
        ...(environments ? {} : { desired: boots ? ('running' as const) : ('stopped' as const) }),
        ...(boots ? { boot: { generation, how: action } } : {}),
      };
      await appRepository.update(name, values, transaction);
      const steps = (environments ?? app.environments).map((environment) => step(environment, boots ? 'boot' : 'stop'));
      return { ...this.changes.newOperation({ ...app, generation }, action, steps, userId), onFailure };
    };
    return this.changes.change(name, work, asLeader, environments === undefined);
  }

  /**
   * Takes over the NocoBase app in the database of an app that was to be created there, and was not because of it. The app
   * keeps its settings; what is taken over keeps its users.
   * @throws AppSupervisorError NAME_TAKEN if the app was created by now, or if no other one is in the way
   */
  async adoptInstead(name: string, userId: string | null): Promise<Operation> {
    const { appRepository, clock, observer } = this.options;
    return this.changes.change(name, async (app, transaction) => {
      assertSomewhere(app);
      // A creation that only waits, or was interrupted, goes on: its administrator has been told a password.
      const isInTheWay = app.environments.some((environment) => {
        const entry = observer.observed(environment, name)?.entry;
        return entry?.uid === app.uid && entry.error?.code === 'DATABASE_FOREIGN';
      });
      if (app.claim !== 'create' || !isInTheWay) throw new AppSupervisorError('NAME_TAKEN', { app: name }, 'name');
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      await appRepository.update(
        name,
        {
          generation,
          claim: 'adopt',
          initialAdmin: null,
          desired: 'running',
          boot: { generation, how: 'start' },
        },
        transaction,
      );
      const steps = app.environments.map((environment) => step(environment, 'boot'));
      return this.changes.newOperation({ ...app, generation }, 'adopt', steps, userId);
    });
  }

  /**
   * Continues what a failed operation has left undone (`leftUndone`), and removes the app from environments that it no
   * longer belongs to.
   * @throws if another request was made meanwhile
   */
  async finish(name: string, missing: string[]): Promise<Operation> {
    const { appRepository, clock } = this.options;
    const work = async (app: AppDefinition, transaction: Transaction, [other]: Operation[]) => {
      assertIdle(other);
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      await appRepository.update(name, { generation }, transaction);
      const kind = app.desired === 'stopped' ? 'stop' : 'boot';
      const steps = missing.map((environment) => step(environment, kind));
      return this.changes.newOperation({ ...app, generation }, 'update', steps, null);
    };
    return this.changes.change(name, work, true);
  }

  /**
   * Gives an app that was stored without a JWT secret (before 0.1.1) one of its own. Its environments take it at its next start;
   * one that is down has it in its record when it returns.
   * @throws when it has one by now, or something else is under way
   */
  async giveSecret(name: string): Promise<Operation> {
    const { appRepository, observer, clock, aesKey } = this.options;
    const work = async (app: AppDefinition, transaction: Transaction, [other]: Operation[]) => {
      assertIdle(other);
      if (app.jwtSecret !== null) throw new Error('It has a JWT secret by now.');
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      await appRepository.update(name, { generation, jwtSecret: seal(newSecret(), aesKey) }, transaction);
      // Skips environments for which it was never published: a failed create is not started by this.
      const published = app.environments.filter(
        (environment) => app.published[environment] && isAlive(observer.evidence(environment, name).health),
      );
      const steps = published.map((environment) => step(environment, 'apply'));
      return this.changes.newOperation({ ...app, generation }, 'update', steps, null);
    };
    return this.changes.change(name, work, true);
  }

  /** Removes an app from list and routing immediately; a tombstone keeps the remaining work for its environments. */
  async destroy(name: string, database: 'keep' | 'drop', userId: string | null): Promise<Operation> {
    const { appRepository, observer, clock } = this.options;
    return this.changes.change(name, async (app, transaction) => {
      const generation = nextGeneration(newestOf(app), clock.now().wall);
      // The database may have been restored from before a publication.
      const isThere = (environment: string) => {
        const { entry } = observer.evidence(environment, name);
        return entry?.uid === app.uid && entry.status !== 'not_found';
      };
      const places = [...new Set([...Object.keys(app.published), ...observer.names().filter(isThere)])];
      const steps = places.map((environment) => step(environment, 'remove'));
      // An app whose environments were all forgotten may still be published elsewhere. Where it is only reported, the password of its
      // database does not go.
      const wasPlaced = (environment: string) => {
        const asked = askedOf(app.published, environment);
        return asked !== undefined && !asked.stray;
      };
      const target = app.targetEnvironment ?? app.environments[0] ?? places.find(wasPlaced);
      if (database === 'drop' && steps.length && target === undefined) assertSomewhere(app);
      if (steps.length && target !== undefined) steps.push(step(target, database === 'drop' ? 'drop' : 'release'));
      const operation = this.changes.newOperation({ ...app, generation }, 'destroy', steps, userId);
      const environments = [...new Set(steps.map(({ environment }) => environment))];
      await appRepository.bury(
        { uid: app.uid, name, definition: { ...app, generation, initialAdmin: null }, environments },
        transaction,
      );
      // An app that was never published to any environment is already gone.
      return steps.length ? operation : { ...operation, state: 'succeeded', finishedAt: clock.now().wall };
    });
  }

  /** As in `OperationRequests`. */
  cancel(id: string, userId: string | null = null, isEarly = false): Promise<Operation> {
    return this.requests.cancel(id, userId, isEarly);
  }

  retry(id: string, userId: string | null): Promise<Operation> {
    return this.requests.retry(id, userId);
  }
}
