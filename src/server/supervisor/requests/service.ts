import type { Transaction } from '@nocobase/database';
import type { Operation } from '../../../shared/operation';
import type { MoveCause } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import { isAlive } from '../../protocol/health';
import { newSecret, seal } from '../../protocol/secrets';
import { settingsIn } from '../definitions/database-settings';
import { invalid, type UpdateInput } from '../definitions/input';
import { changedLabels, type LabelChange, labelsAlone } from '../definitions/labels';
import { assertPermitted, EVERYTHING, type Permissions } from '../definitions/permissions';
import type { AppDefinition } from '../definitions/repository';
import { causeOf, failsOver, homeAfter, returnsTo } from '../rollout/failover-candidates';
import { isServing, startsBoot } from '../rollout/observed';
import { arriving, booted, hasOwnRole, isKeptOut, type Place, placed, restartedWith, rested } from '../rollout/spec';
import { askedOf } from '../rollout/uploads';
import { AppChanges, type ChangesOptions, placeOf, type Request } from './changes';
import { AppCreation, type CreationOptions } from './creation';
import { OperationRequests, type OperationRequestsOptions } from './operation-requests';

export type ServiceOptions = CreationOptions & ChangesOptions & OperationRequestsOptions;

/** From where to where an app moves. */
export interface MoveWish {
  /** Default: its target environment. Null as well for an app that has none. */
  from?: string;
  to: string;
}

interface CommandOptions {
  environments?: string[];
  onFailure?: Operation['onFailure'];
  /** Of the app as it is when the command is written: throws if it may not be. */
  check?(app: AppDefinition): void;
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
  throw invalid('environments', 'INPUT_NO_ENVIRONMENT');
}

/**
 * The requests of people and programs. Each is validated, stored with its operation in one transaction, and answered;
 * the control loop does the rest. Nothing here waits for an environment.
 */
export class AppService {
  private readonly changes: AppChanges;
  readonly creation: AppCreation;
  private readonly requests: OperationRequests;

  constructor(private readonly options: ServiceOptions) {
    this.changes = new AppChanges(options);
    this.creation = new AppCreation(options, this.changes);
    this.requests = new OperationRequests(options, this.changes, (...move) => this.move(...move));
  }

  /** The same, with operations that are part of this batch. */
  inBatch(batch: string): AppService {
    return new AppService({ ...this.options, batch });
  }

  /** As in `AppCreation`. */
  create(...request: Parameters<AppCreation['create']>): Promise<Operation> {
    return this.creation.create(...request);
  }

  /** As in `AppCreation`. */
  restore(...request: Parameters<AppCreation['restore']>): Promise<Operation> {
    return this.creation.restore(...request);
  }

  /** @param may of who asks: the app as it is now says what he has to have */
  async update(
    name: string,
    input: UpdateInput,
    userId: string | null,
    may: Permissions = EVERYTHING,
  ): Promise<Operation> {
    await this.options.environmentCache.settled();
    const follows = input.environments === undefined && input.targetEnvironment === undefined;
    const work = (app: AppDefinition, generation: number, transaction: Transaction) => {
      assertPermitted(app, input, may);
      return this.updateOf(app, input, generation, transaction);
    };
    return this.changes.change(name, work, userId, { follows });
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
    by: MoveCause | null = null,
  ): Promise<Operation> {
    await this.options.environmentCache.settled();
    const work = async (app: AppDefinition, generation: number, transaction: Transaction, [other]: Operation[]) => {
      // A failover takes over what waits for the environment that is down.
      if (by === 'failback') assertIdle(other);
      const source = from ?? app.targetEnvironment ?? app.environments[0] ?? null;
      if (source !== null && !app.environments.includes(source))
        throw new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: name, environment: source }, 'from');
      if (app.environments.includes(to))
        throw new AppSupervisorError('ALREADY_IN_ENVIRONMENT', { app: name, environment: to }, 'to');
      const environments = source === null ? [to] : app.environments.map((each) => (each === source ? to : each));
      const targetEnvironment = app.targetEnvironment === source ? to : app.targetEnvironment;
      const isDown = source !== null && this.options.observer.evidence(source, name).health === 'down';
      const cause = causeOf(app, source, to, isDown);
      if (by === 'failover') assertFailsOver(app, source, isDown);
      if (by === 'failback' && !returnsTo(app, to)) throw new Error('It does not return any more.');
      const input = { environments, targetEnvironment };
      const request = await this.updateOf(app, input, generation, transaction, homeAfter(app, source, to, cause));
      return { ...request, action: 'move' as const, cause };
    };
    return this.changes.change(name, work, userId, { asLeader: by !== null });
  }

  /** @param home as in shared/app.ts; by default it is at home where it is placed */
  private async updateOf(
    app: AppDefinition,
    input: UpdateInput,
    generation: number,
    transaction: Transaction,
    home?: string | null,
  ): Promise<Request> {
    const { environmentCache, aesKey } = this.options;
    const environments = input.environments ?? app.environments;
    const added = environments.filter((environment) => !app.environments.includes(environment));
    const removed = app.environments.filter((environment) => !environments.includes(environment));
    this.assertPlaces(app, environments, added);
    await environmentCache.assertStored(added, 'environments', transaction);
    const wantedTarget = input.targetEnvironment === undefined ? app.targetEnvironment : input.targetEnvironment;
    if (input.targetEnvironment && !environments.includes(input.targetEnvironment))
      throw invalid('targetEnvironment', 'INPUT_TARGET');
    // One that it has stays, whatever has become of it.
    if (input.cname !== undefined && input.cname !== app.cname)
      await this.changes.assertDomainFree(input.cname, app.name, transaction);
    const place: Place = {
      environments,
      targetEnvironment: wantedTarget && environments.includes(wantedTarget) ? wantedTarget : (environments[0] ?? null),
      home: home !== undefined ? home : added.length || removed.length ? null : app.home,
    };
    // What replaces the only environment ends and starts the app as a move does, and is undone as one.
    const isMove = app.environments.length === 1 && environments.length === 1 && added.length === 1;
    const action = isMove ? ('move' as const) : ('update' as const);
    if (isMove && this.copiesAhead(app, input, place)) return { action, values: arriving(app, added[0], generation) };
    const settings = settingsIn(app, input, aesKey);
    return { action, values: { ...settings, ...placed({ ...app, ...settings, ...placeOf(app) }, place, generation) } };
  }

  /** Whether an app that changes its only environment runs on at its old place until its uploads are copied. */
  private copiesAhead(app: AppDefinition, input: UpdateInput, place: Place): boolean {
    const { observer, environmentCache } = this.options;
    const [from] = app.environments;
    const [to] = place.environments;
    const { health, entry } = observer.evidence(from, app.name);
    // What else is asked for has to reach it at once, and what is still to be done at its new place comes first.
    const isAlone = Object.keys(input).every((key) => key === 'environments' || key === 'targetEnvironment');
    const isFree = askedOf(app.published, to) === undefined && place.targetEnvironment === to && place.home === null;
    const isWanted =
      app.desired === 'running' && app.provision === 'none' && isAlive(health) && isServing(app.uid, entry);
    // Its place is where it was asked to be.
    const isThere = app.placements[from] !== undefined && !startsBoot(app, from) && app.previous === null;
    return isAlone && isFree && isWanted && isThere && Boolean(environmentCache.addressOf(from));
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
   * @param options.check as in `CommandOptions`
   * @param options.onFailure whether an environment that fails ends the operation (`stop`, default) or the others continue
   */
  async command(
    name: string,
    action: 'start' | 'stop' | 'restart' | 'upgrade',
    userId: string | null,
    { environments, onFailure = 'stop', check }: CommandOptions = {},
  ): Promise<Operation> {
    const work = async (app: AppDefinition, generation: number) => {
      if (action !== 'stop') assertSomewhere(app);
      check?.(app);
      // It may have moved since, and its removal there would be undone.
      const absent = environments?.find((environment) => !app.environments.includes(environment));
      if (absent !== undefined) throw new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: name, environment: absent });
      // A plugin of a Worker, and the end of a drain, start it in some environments: nobody has said so of an app that is kept out.
      if (action !== 'stop' && environments && app.paused && isKeptOut(app))
        throw new AppSupervisorError('APP_STOPS_LOOP', app.paused.cause.params as never);
      // What a plugin of a Worker starts there says nothing of what the app did elsewhere.
      const isAsked = !environments || userId !== null;
      const values =
        action === 'stop'
          ? rested(app, generation, environments)
          : booted(app, generation, action, environments, isAsked);
      return { values, action, environments, onFailure };
    };
    return this.changes.change(name, work, userId, { follows: environments === undefined });
  }

  /**
   * A new JWT secret, by which all users of an app sign in again, and another password for the role of its database. The app restarts where it
   * does not rest: NocoBase reads the secret when it makes an app.
   */
  async renewSecrets(name: string, userId: string | null): Promise<Operation> {
    const { aesKey } = this.options;
    const work = async (app: AppDefinition, generation: number) => {
      const database = hasOwnRole(app) ? { ...app.database, renewsPassword: true } : app.database;
      const values = { ...restartedWith(app, generation), database, jwtSecret: seal(newSecret(), aesKey) };
      return { values, action: 'renewSecrets' as const };
    };
    return this.changes.change(name, work, userId, { follows: true });
  }

  /**
   * Takes over the NocoBase app in the database of an app that was to be created there, and was not because of it. The app
   * keeps its settings; what is taken over keeps its users.
   * @throws AppSupervisorError NAME_TAKEN if the app was created by now, or if no other one is in the way
   */
  async adoptInstead(name: string, userId: string | null): Promise<Operation> {
    const { observer } = this.options;
    const work = async (app: AppDefinition, generation: number) => {
      assertSomewhere(app);
      // A creation that only waits, or was interrupted, goes on: its administrator has been told a password.
      const isInTheWay = observer.reportsOf(app).some(({ entry }) => entry.error?.code === 'DATABASE_FOREIGN');
      if (app.provision !== 'create' || !isInTheWay) throw new AppSupervisorError('NAME_TAKEN', { app: name }, 'name');
      const values = { ...booted(app, generation, 'start'), provision: 'adopt' as const, initialAdmin: null };
      return { values, action: 'adopt' as const };
    };
    return this.changes.change(name, work, userId);
  }

  /** Removes an app from list and routing immediately; a tombstone keeps the remaining work for its environments. */
  destroy(name: string, database: 'keep' | 'drop', userId: string | null): Promise<Operation> {
    return this.changes.bury(
      name,
      (app) => {
        const { observer, environmentCache } = this.options;
        // The database may have been restored from before a publication.
        const isThere = (environment: string) => {
          const { entry } = observer.evidence(environment, name);
          const isReported = entry?.uid === app.uid && entry.status !== 'not_found';
          return isReported && environmentCache.isAdmitted(environment);
        };
        const places = [...new Set([...Object.keys(app.published), ...observer.placesOf(name).filter(isThere)])];
        // An app whose environments were all forgotten may still be published elsewhere. Where it is only reported, the password of its
        // database does not go.
        const wasPlaced = (environment: string) => {
          const asked = askedOf(app.published, environment);
          return asked !== undefined && !asked.stray;
        };
        const target = app.targetEnvironment ?? app.environments[0] ?? places.find(wasPlaced) ?? null;
        if (database === 'drop' && places.length && target === null) assertSomewhere(app);
        const isEnded = places.length > 0 && target !== null;
        return { places, target, data: !isEnded ? 'keep' : database === 'drop' ? 'drop' : 'release' };
      },
      userId,
    );
  }

  /** As in `OperationRequests`. */
  cancel(id: string, userId: string | null = null, isEarly = false): Promise<Operation> {
    return this.requests.cancel(id, userId, isEarly);
  }

  async retry(id: string, userId: string | null): Promise<Operation> {
    const operation = await this.options.operations.find(id);
    if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
    const { requests } = new AppService({ ...this.options, batch: operation.batch, replaced: id });
    return requests.retry(operation, userId);
  }
}
