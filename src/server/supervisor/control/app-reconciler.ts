import type { Transaction } from '@nocobase/database';
import { say, sayAction } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import type { Clock } from '../../clock';
import { inEnglish } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { newSecret, seal } from '../../protocol/secrets';
import type { Random } from '../../random';
import type { AppCache } from '../definitions/app-cache';
import { passwordRenewed, requested } from '../definitions/change-events';
import type { EventStore } from '../definitions/event-store';
import { newOperation, type OperationCache, type OperationStore } from '../definitions/operation-store';
import {
  type AppDefinition,
  type AppRepository,
  isRestorable,
  newestOf,
  nextGeneration,
  type Tombstone,
} from '../definitions/repository';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import type { Observed } from '../rollout/observed';
import { plan } from '../rollout/plan';
import { begunIn, ended, followed } from '../rollout/progress';
import type { Plan } from '../rollout/sight';
import type { Leadership } from './leader';
import { Outdated, type Publisher } from './publisher';
import { appKey, environmentKey } from './queue-keys';
import type { WorkQueue } from './work-queue';

export interface AppReconcilerOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  active: OperationCache;
  events: Pick<EventStore, 'append'>;
  observer: FleetObserver;
  leadership: Leadership;
  publisher: Publisher;
  queue: WorkQueue;
  compatibility: Pick<CompatibilityPolicy, 'disagreementOf'>;
  environmentCache: Pick<EnvironmentCache, 'addressOf' | 'isAdmitted'>;
  clock: Clock;
  random: Random;
  aesKey: Buffer | null;
  log: Log;
  /** Nothing of that incarnation of an app is left anywhere. Never rejects. */
  onAppEnd(uid: string): Promise<void>;
  /** An operation has finished, and this is stored. */
  onFinish(operation: Operation): void;
}

/**
 * Carries out what `plan` says about one incarnation of an app, and shows how far its operation is. It keeps nothing that the next leader would
 * need.
 */
export class AppReconciler {
  /** Names of apps whose operation or tombstone has changed. */
  readonly changes = new Feed<string>();
  /** By key of an app that is not settled, the environments by which it may go on. */
  private readonly waiting = new Map<string, readonly string[]>();

  constructor(private readonly options: AppReconcilerOptions) {}

  /** @returns ms after which another pass is needed; null if only an event can change the result */
  async reconcile(name: string, uid: string): Promise<number | null> {
    const { appCache, active } = this.options;
    try {
      return await this.pass(name, uid);
    } catch (error) {
      if (!(error instanceof Outdated)) throw error;
      // Another Supervisor has changed it, and this process has not received that yet; or the database fell back to an older copy.
      await active.refresh([name]);
      await appCache.refresh([name]);
      return 0;
    }
  }

  private async pass(name: string, uid: string): Promise<number | null> {
    const { appCache, active } = this.options;
    const open = active.of(uid);
    const app = await this.definitionOf(name, uid, open);
    if (!app) {
      this.waiting.delete(appKey({ name, uid }));
      for (const operation of open) await this.endWithoutApp(operation);
      return null;
    }
    const tombstone = appCache.tombstones.get(uid) ?? null;
    const next = this.plan(app, tombstone, open);
    this.noteWaiting(app, tombstone, next);
    if (tombstone && next.ends) return (await this.endTombstone(tombstone, open)) ? 0 : null;
    return (await this.carryOut(app, tombstone, next, open)) ? 0 : null;
  }

  /** Keys of the apps that may go on when something is known of these environments. */
  waitingFor(environments: ReadonlySet<string>): string[] {
    const isConcerned = ([, names]: [string, readonly string[]]) => names.some((name) => environments.has(name));
    return [...this.waiting].filter(isConcerned).map(([key]) => key);
  }

  /** Another process led meanwhile. */
  invalidate(): void {
    this.waiting.clear();
  }

  private plan(app: AppDefinition, tombstone: Tombstone | null, open: readonly Operation[]): Plan {
    const { appCache, compatibility, observer, clock, aesKey } = this.options;
    const successor = appCache.apps.get(app.name);
    return plan({
      app,
      ending: tombstone,
      observe: (environment) => this.observe(environment, app.name),
      // Every pass of every app runs this: it looks at the health of an environment only where that reports the app.
      names: observer.placesOf(app.name),
      taken: successor && successor.uid !== app.uid ? Object.keys(successor.published) : [],
      asked: Math.max(0, ...open.map(({ generation }) => generation)),
      stopsOnFailure: open.every(({ onFailure }) => onFailure === 'stop'),
      agrees: () => compatibility.disagreementOf(app.environments) === null,
      newPassword: () => seal(newSecret(), aesKey),
      now: clock.now().wall,
    });
  }

  private noteWaiting(app: AppDefinition, tombstone: Tombstone | null, { waits }: Plan): void {
    const { placements, published, previous } = app;
    const key = appKey(app);
    if (waits === null && previous === null && !tombstone) this.waiting.delete(key);
    else this.waiting.set(key, [...Object.keys({ ...placements, ...published }), ...(previous?.environments ?? [])]);
  }

  /** @returns whether anything was to be written */
  private async carryOut(
    app: AppDefinition,
    tombstone: Tombstone | null,
    next: Plan,
    open: readonly Operation[],
  ): Promise<boolean> {
    const { publisher, active, log, appCache, clock } = this.options;
    const { waits, heals, ...step } = next;
    const acts = Object.keys(step).length > 0;
    const now = clock.now().wall;
    const observe = (environment: string) => this.observe(environment, app.name);
    const seen = open.map((operation) => followed(operation, { app, ending: tombstone, observe, now }, waits));
    const healing = heals ? this.healing(app, step.change ?? {}, heals) : null;
    const after = healing ? seen.map((operation) => giveWay(operation, healing, now)) : seen;
    const changed = after.filter((operation, i) => JSON.stringify(operation) !== JSON.stringify(open[i]));
    if (!acts && !changed.length) return false;
    const renewed = passwordRenewed(app, step.change?.database, now);
    const along = async (transaction?: Transaction) => {
      await this.save(changed, healing, transaction);
      if (renewed) await this.options.events.append([renewed], transaction);
    };
    if (acts) await publisher.publish(app, step, along);
    else await publisher.note(app, along);
    // They are stored as finished, and the next pass does not find them any more.
    for (const operation of changed) if (operation.finishedAt !== null) this.options.onFinish(operation);
    if (healing)
      log.warn(`App ${app.name}: ${heals?.action} in ${heals?.environments.join(', ')}, by itself.`, { app: app.name });
    if (step.change?.paused) log.warn(`App ${app.name}: ${inEnglish(step.change.paused.cause)}`, { app: app.name });
    log.rooms.loop?.('Moved an app', { app: app.name, published: Object.keys(step.publish ?? {}), waits: waits?.code });
    if (appCache.byUid(app.name, app.uid)) this.changes.emit(app.name);
    // Last, since it may fail. What is carried out may have been asked of another Supervisor, of which this process has not heard.
    if (changed.length || healing || !open.length) await active.refresh([app.name]);
    return true;
  }

  private async save(changed: readonly Operation[], healing: Operation | null, transaction?: Transaction) {
    const { operations, events } = this.options;
    for (const operation of changed)
      if (!(await operations.save(operation, transaction))) throw new Outdated(operation.appName);
    if (!healing) return;
    await operations.create(healing, transaction);
    await events.append([requested(healing, [])], transaction);
  }

  /** What nobody has asked for is shown as an operation, too. */
  private healing(app: AppDefinition, change: Plan['change'], heals: NonNullable<Plan['heals']>): Operation {
    const { clock, random } = this.options;
    const now = clock.now().wall;
    const generation = nextGeneration(newestOf(app), now);
    const progress = begunIn({ ...app, ...change }, heals.environments, []);
    return newOperation({ ...app, generation }, { action: heals.action, progress, createdById: null }, now, random);
  }

  /** At least the generation of its operations. */
  private async definitionOf(name: string, uid: string, open: readonly Operation[]): Promise<AppDefinition | null> {
    const { appCache } = this.options;
    const known = appCache.byUid(name, uid);
    if (!open.length || (known && open.every(({ generation }) => known.generation >= generation))) return known;
    await appCache.refresh([name]);
    return appCache.byUid(name, uid);
  }

  private async endWithoutApp(operation: Operation): Promise<void> {
    const { operations, active, clock, log, leadership } = this.options;
    log.warn(`Operation ${operation.id} belongs to an app that is gone; it ends.`, {
      app: operation.appName,
      operation: operation.id,
    });
    const end = { ...operation, state: 'cancelled' as const, waitingFor: null, finishedAt: clock.now().wall };
    await leadership.write((transaction) => operations.save(end, transaction).then(() => undefined));
    this.changes.emit(operation.appName);
    await active.refresh([operation.appName]);
  }

  /** @returns whether it is gone, or has changed meanwhile */
  private async endTombstone({ uid, name, ...tombstone }: Tombstone, open: readonly Operation[]): Promise<boolean> {
    const { active, appCache, appRepository, leadership, clock, onAppEnd, operations, queue, onFinish } = this.options;
    await leadership.assertLeads();
    await onAppEnd(uid);
    const { definition } = tombstone;
    const observe = (environment: string) => this.observe(environment, name);
    const now = clock.now().wall;
    const before = { app: definition, ending: tombstone, observe, now };
    const seen = open.map((operation) => followed(operation, before, null));
    const gone = { ...before, app: { ...definition, published: {} }, ending: null };
    const ends = seen.map((one) => (one.finishedAt ? one : followed(one, gone, null)));
    await leadership.write(async (transaction) => {
      // A retry locks it, too.
      const stored = await appRepository.findLockedTombstone(uid, transaction);
      if (stored && stored.definition.generation !== definition.generation) throw new Outdated(name);
      for (const operation of ends) await operations.save(operation, transaction);
      if (stored && isRestorable(stored)) await appRepository.updateTombstone(uid, { endedAt: now }, transaction);
      else await appRepository.removeTombstone(uid, transaction);
    });
    for (const operation of ends) if (operation.finishedAt !== null) onFinish(operation);
    // Before the reads, which may fail: the next pass may find no tombstone any more, and would tell nobody.
    this.changes.emit(name);
    await active.refresh([name]);
    await appCache.refresh([name]);
    // Their next passes remove its records, unless a new app of this name is published there by then.
    for (const environment of Object.keys(definition.published)) queue.add(environmentKey(environment));
    return true;
  }

  private observe(environment: string, name: string): Observed {
    const { observer, environmentCache } = this.options;
    const view = observer.environment(environment);
    const { health, entry } = observer.evidence(environment, name);
    const isAdmitted = environmentCache.isAdmitted(environment);
    return {
      health,
      entry: isAdmitted ? entry : null,
      isAdmitted,
      address: environmentCache.addressOf(environment) ?? null,
      isKnown: view !== null,
      isCurrent: view?.trouble !== 'OUTDATED',
    };
  }
}

/** An operation ends where the Supervisor begins another one by itself, because it has failed. */
function giveWay(operation: Operation, { action }: Operation, now: number): Operation {
  if (operation.finishedAt !== null) return operation;
  const end = ended(operation, say('SUPERSEDED', { action: sayAction(action) }), now);
  const hasFailed = end.progress.some(({ state }) => state === 'failed');
  return hasFailed ? { ...end, state: 'failed' } : end;
}
