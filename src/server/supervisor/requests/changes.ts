import type { Transaction } from '@nocobase/database';
import { say, sayAction } from '../../../shared/message';
import type { Operation, Progress } from '../../../shared/operation';
import type { Addresses } from '../../../shared/origins';
import type { Action } from '../../../shared/types';
import type { DataEnd } from '../../../shared/words';
import { type Clock, within } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { transact, type WithDatabase } from '../../nocobase/main-database';
import { retryUndone } from '../../nocobase/undone';
import type { MessageBus } from '../../protocol/bus';
import { isAlive } from '../../protocol/health';
import type { Random } from '../../random';
import type { Leadership } from '../control/leader';
import { appKey } from '../control/queue-keys';
import type { WorkQueue } from '../control/work-queue';
import type { AppCache } from '../definitions/app-cache';
import { changed, changesBetween, ofApp, requested } from '../definitions/change-events';
import { assertDomainOfNoOther } from '../definitions/domain';
import type { EventStore } from '../definitions/event-store';
import { newOperation, type OperationCache, type OperationStore } from '../definitions/operation-store';
import { readBackLater } from '../definitions/read-back';
import { type AppDefinition, type AppRepository, newestOf, nextGeneration } from '../definitions/repository';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { startsBoot } from '../rollout/observed';
import { begunIn, ended, inTheWay } from '../rollout/progress';
import { arrived, arrivingAt, stays } from '../rollout/spec';

/**
 * How long an answer waits for its operation to begin, in ms. At the end of a request the core is busy for longer than
 * it takes to notify a Worker, and the notification would wait for it. Nothing else delays the answer.
 */
const HEAD_START = 20;

export interface ChangesOptions {
  app: WithDatabase;
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  events: Pick<EventStore, 'append'>;
  active: OperationCache;
  queue: WorkQueue;
  leadership: Pick<Leadership, 'holdTerm'>;
  observer: FleetObserver;
  bus: MessageBus;
  clock: Clock;
  random: Random;
  compatibility: Pick<CompatibilityPolicy, 'assertSetsInitialAdmin'>;
  /** Where visitors reach main and apps. */
  addresses: Addresses;
  environmentCache: Pick<EnvironmentCache, 'fleetHosts'>;
  /** Of which all operations are part; absent: of none. */
  batch?: string | null;
  /** Operation of the batch whose place a new one takes; absent: it is one more. */
  replaced?: string;
}

/** What a request asks for. */
export interface Request extends Partial<Pick<Operation, 'cause' | 'environments' | 'onFailure'>> {
  /** Of the row; what is left out stays. */
  values: Partial<AppDefinition>;
  action: Action;
}

/** What is made of an app as it is now, with the generation of the request and the unfinished operations of others. */
type Work<T> = (app: AppDefinition, generation: number, transaction: Transaction, others: Operation[]) => Promise<T>;

/** Writes each change of an app together with its operation, and has it executed. */
export class AppChanges {
  constructor(private readonly options: ChangesOptions) {}

  /**
   * One change of one app: validated, and written together with its operation. If another request changed the app in
   * between, it is repeated on the new state.
   * @param work what is asked for
   * @param asLeader nobody requested it: the control loop does, in its term
   * @param follows whether the app goes where it is about to move, if that is alive, and is changed there; otherwise such a move ends
   * @throws TermOver
   */
  change(
    name: string,
    work: Work<Request>,
    userId: string | null,
    { asLeader = false, follows = false } = {},
  ): Promise<Operation> {
    const { appRepository, compatibility } = this.options;
    return this.request(name, asLeader, async (found, generation, transaction, others) => {
      const from = this.settled(found, follows);
      const { values, ...request } = await work(from, generation, transaction, others);
      const after = { ...from, ...values, generation };
      // Also for a start or a retry of a create that failed: an old Worker would install the app with the well-known
      // password.
      const boots = Object.keys(after.placements).filter((environment) => startsBoot(after, environment));
      if (after.initialAdmin && after.provision === 'create')
        compatibility.assertSetsInitialAdmin(boots, 'environments');
      const { placements, previous } = from;
      const known = { ...placeOf(from), placements, previous, lastVisitAt: this.options.observer.lastVisitOf(from) };
      await appRepository.update(name, { ...known, ...values, generation }, transaction);
      const progress = begunIn(after, request.environments ?? Object.keys(after.placements), others);
      return this.newOperation(after, { ...request, progress, createdById: userId });
    });
  }

  /**
   * Removes an app from the list; its tombstone keeps what is left to be done.
   * @param ending where it may be, where its data are ended, and how
   */
  bury(
    name: string,
    ending: (app: AppDefinition) => { places: string[]; target: string | null; data: DataEnd },
    userId: string | null,
  ): Promise<Operation> {
    return this.request(name, false, async (app, generation, transaction) => {
      const { places, target, data } = ending(app);
      const nowhere = { environments: [], targetEnvironment: target, placements: {}, previous: null, paused: null };
      const lastVisitAt = this.options.observer.lastVisitOf(app);
      const definition = { ...app, ...nowhere, lastVisitAt, generation, initialAdmin: null };
      const tombstone = { uid: app.uid, name, definition, environments: places, data };
      await this.options.appRepository.bury(tombstone, transaction);
      const progress = endsIn(places, target, data);
      return this.newOperation(definition, { action: 'destroy', progress, data, createdById: userId });
    });
  }

  /** @param write writes what is asked for, and returns its operation, by which all others end */
  private request(name: string, asLeader: boolean, write: Work<Operation>): Promise<Operation> {
    const { appRepository, operations, clock, leadership } = this.options;
    return this.perform(async (transaction) => {
      if (asLeader) await leadership.holdTerm(transaction);
      // Locks the row first, so that two requests for one app run one after the other, across all Supervisors.
      const app = await appRepository.findLocked(name, transaction);
      if (!app) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
      const others = await operations.active({ appUid: app.uid }, transaction);
      this.assertNotInTheWay(app);
      const made = await write(app, nextGeneration(newestOf(app), clock.now().wall), transaction, others);
      const why = say('SUPERSEDED', { action: sayAction(made.action) });
      for (const other of others) await operations.save(ended(other, why, clock.now().wall), transaction);
      await this.store(made, transaction, app);
      return made;
    });
  }

  /** Writes a request and its operation in one transaction, and has it executed. */
  async perform(write: (transaction: Transaction) => Promise<Operation>): Promise<Operation> {
    const operation = await this.inTransaction(write);
    await this.carryOut([operation.appName], operation);
    return operation;
  }

  /** @throws AppSupervisorError OPERATION_BEGUN */
  assertNotInTheWay(app: Pick<AppDefinition, 'name' | 'uid' | 'published'>): void {
    const blocked = inTheWay(app, (environment) => this.options.observer.evidence(environment, app.name).entry);
    if (blocked) throw new AppSupervisorError('OPERATION_BEGUN', { app: app.name, ...blocked });
  }

  /** An app that is about to move is placed there, if anybody is there to start it, or stays: nothing more is copied ahead. */
  private settled(app: AppDefinition, follows: boolean): AppDefinition {
    const to = arrivingAt(app);
    if (to === null) return app;
    const goes = follows && isAlive(this.options.observer.evidence(to, app.name).health);
    return { ...app, ...(goes ? arrived(app) : stays(app)) };
  }

  /**
   * One change of settings that concern no environment: without an operation, and whatever operation goes on.
   * @param settings the new values; null if this is no such change
   * @returns false if it is none; then nothing was written
   */
  async amend(
    name: string,
    settings: (app: AppDefinition) => Partial<AppDefinition> | null,
    userId: string | null,
  ): Promise<boolean> {
    const { appRepository, events, clock, random } = this.options;
    const isOne = await this.inTransaction(async (transaction) => {
      const app = await appRepository.findLocked(name, transaction);
      if (!app) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
      const values = settings(app);
      if (!values) return false;
      const changes = changesBetween(app, { ...app, ...values });
      if (!changes.length) return true;
      await appRepository.update(name, values, transaction);
      const message = say('SETTINGS_CHANGED', { app: name });
      const said = { ...ofApp(app), message, changes, createdById: userId, at: clock.now().wall };
      await events.append([changed(app.uid, said, random.id())], transaction);
      return true;
    });
    if (isOne) await this.carryOut([name]);
    return isOne;
  }

  /**
   * Writes a new operation, and who requested what.
   * @param before the app before the change, if its settings may be changed
   */
  async store(operation: Operation, transaction: Transaction, before?: AppDefinition): Promise<void> {
    const { operations, events, appRepository, replaced } = this.options;
    await operations.create(operation, transaction);
    if (operation.batch !== null && replaced) await operations.leaveBatch(replaced, transaction);
    const mayDiffer = before && operation.action === 'update' && operation.createdById !== null;
    const after = mayDiffer ? await appRepository.find(before.name, transaction) : null;
    const changes = before && after ? changesBetween(before, after) : [];
    await events.append([requested(operation, changes)], transaction);
  }

  /** Notifies this process and the other Supervisors; the leader among them begins. */
  async carryOut(names: string[], accepted?: Operation): Promise<void> {
    const { appCache, active, queue, bus, clock } = this.options;
    // Operations first: a pass that the changed definition starts would take the app for idle.
    const read = () => active.refresh(names).then(() => appCache.refresh(names));
    // The change is stored, so the request does not fail any more.
    await readBackLater(read, clock);
    bus.notify('definitions', names);
    if (!accepted || accepted.finishedAt !== null) return;
    const key = appKey({ name: accepted.appName, uid: accepted.appUid });
    // An operation of the loop itself is handled in the next pass, which cannot begin before this one has ended.
    if (accepted.createdById === null) queue.add(key);
    else await within(clock, HEAD_START, queue.run(key), undefined);
  }

  async inTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      return await retryUndone(() => transact(this.options.app, work));
    } catch (error) {
      // Two requests at the same time on two Supervisors: both checked, one wrote first.
      const { name, fields } = error as { name?: string; fields?: Record<string, string> | string[] };
      if (name !== 'SequelizeUniqueConstraintError' || !fields) throw error;
      // SQLite reports only the columns.
      const taken: Record<string, string> = Array.isArray(fields)
        ? Object.fromEntries(fields.map((field) => [field, '?']))
        : fields;
      if (taken.cname) throw new AppSupervisorError('DOMAIN_TAKEN', { domain: taken.cname, app: '?' }, 'cname');
      throw new AppSupervisorError('NAME_TAKEN', { app: taken.name ?? '?' }, 'name');
    }
  }

  async assertDomainFree(cname: string | null | undefined, name: string, transaction?: Transaction): Promise<void> {
    if (!cname) return;
    const { appCache, addresses, environmentCache } = this.options;
    const fleet = environmentCache.fleetHosts(addresses);
    assertDomainOfNoOther(cname, name, appCache.apps.values(), addresses, fleet);
    const row = await this.options.app.db
      .getRepository('apps')
      .findOne({ filter: { cname, name: { $ne: name } }, transaction });
    if (row) throw new AppSupervisorError('DOMAIN_TAKEN', { domain: cname, app: row.get('name') as string }, 'cname');
  }

  newOperation(
    app: Pick<AppDefinition, 'name' | 'uid' | 'generation'>,
    values: Parameters<typeof newOperation>[1],
  ): Operation {
    const { batch = null, clock, random } = this.options;
    return newOperation(app, { ...values, batch }, clock.now().wall, random);
  }
}

/** What is shown of the end of an app. @param target where its data are ended */
export const endsIn = (places: readonly string[], target: string | null, data: DataEnd): Progress[] => [
  ...places.map((environment): Progress => ({ environment, of: 'leave', state: 'queued' })),
  ...(data === 'keep' ? [] : [{ environment: target ?? '', of: 'data' as const, state: 'queued' as const }]),
];

export const placeOf = ({ environments, targetEnvironment, home }: AppDefinition) => ({
  environments,
  targetEnvironment,
  home,
});
