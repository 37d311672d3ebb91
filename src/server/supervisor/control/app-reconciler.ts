import type { Transaction } from '@nocobase/database';
import type { Clock } from '../../clock';
import { inEnglish } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { isAlive } from '../../protocol/health';
import type { AppCache } from '../apps/cache';
import type { AppDefinition, AppRepository, Published, Tombstone } from '../apps/repository';
import type { AppService } from '../apps/service';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { outdatedHosts } from '../rollout/hosts';
import { askedOf, isAhead, uploadsPublished } from '../rollout/uploads';
import { environmentKey } from './keys';
import type { Leadership } from './leader';
import { hasLeft, heldElsewhere } from './leaving';
import { overtaking } from './overtaking';
import { isPaused, pausing } from './pause';
import type { Publication, Publisher } from './publisher';
import { advance, giveWay, isWorkedOn, misplacedIn, type Operation, type Step, type StepObservation } from './rollout';
import { staleIn } from './stale';
import { StepTimer } from './step-timer';
import { areSame, type OperationCache, type OperationStore, OperationsDiffer } from './store';
import {
  claimMet,
  isInterrupted,
  isNowhere,
  leftUndone,
  mayBeBetween,
  type Return,
  restingIn,
  resumable,
  returnOf,
} from './unfinished';
import type { WorkQueue } from './work-queue';

/** How often an app with an operation in progress is checked without an event, for its deadlines, in ms. */
const LOOK_AGAIN = 5_000;
/** How many operations of an app are looked at to find the last one that decided where it runs. */
const LOOKS_BACK = 10;

export interface AppReconcilerOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  active: OperationCache;
  observer: FleetObserver;
  leadership: Leadership;
  publisher: Publisher;
  queue: WorkQueue;
  service: Pick<AppService, 'command' | 'finish' | 'giveSecret' | 'move'>;
  compatibility: Pick<CompatibilityPolicy, 'disagreementOf'>;
  environmentCache: Pick<EnvironmentCache, 'addressOf'>;
  clock: Clock;
  log: Log;
  /** Nothing of that incarnation of an app is left anywhere, says the leader of this term. Never rejects. */
  onAppEnd(uid: string, term: number): Promise<void>;
  /** An operation has finished, and this is stored. */
  onFinish(operation: Operation): void;
}

/**
 * Brings one incarnation of an app one step closer to its desired state: reads the desired, the published and the
 * observed state, and publishes, finishes, repairs or waits. If a leader dies, its successor's first pass continues its
 * work.
 */
export class AppReconciler {
  /** Names of apps whose operation or tombstone has changed. */
  readonly changes = new Feed<string>();
  private readonly timer = new StepTimer();

  constructor(private readonly options: AppReconcilerOptions) {}

  /** @returns ms after which another pass is needed; null if only an event can change the result */
  async reconcile(name: string, uid: string): Promise<number | null> {
    const { active, appCache } = this.options;
    const operations = active.of(uid);
    this.timer.keep(uid, operations);
    const known = appCache.byUid(name, uid);
    if (known && (await this.overtake(known, operations))) return 0;
    const pause = known && pausing(known, this.entriesOf(known));
    if (pause) return this.pause(known, pause);
    for (const operation of operations) if (await this.rollOut(operation)) return 0;
    const found = appCache.apps.get(name);
    const app = found?.uid === uid ? found : null;
    // One that may not host it any more is cut off from its database.
    const hosts = app && outdatedHosts(app, (environment) => this.observe(environment, name));
    if (app && hosts && (await this.publish(app, { publish: hosts }))) return 0;
    if (operations.length) return LOOK_AGAIN;
    const tombstone = appCache.tombstones.get(uid);
    if (tombstone) return (await this.settleTombstone(tombstone)) ? 0 : null;
    if (!app) return null;
    const moved =
      (await this.endClaim(app)) ||
      (await this.endCopies(app)) ||
      (await this.settleUploads(app)) ||
      (await this.unpublishGone(app)) ||
      (await this.mendMove(app)) ||
      (await this.resumeFailed(app)) ||
      (await this.restartStale(app)) ||
      (await this.giveSecret(app));
    return moved ? 0 : null;
  }

  /** Another process led meanwhile. */
  invalidate(): void {
    this.timer.clear();
  }

  /** It has stopped the process of an environment: whatever is under way, it is started there and elsewhere no more. */
  private async pause(app: AppDefinition, found: NonNullable<ReturnType<typeof pausing>>): Promise<number> {
    this.options.log.warn(`App ${app.name}: ${inEnglish(found.paused.cause)}`, { app: app.name });
    await this.publish(app, found);
    return 0;
  }

  private async rollOut(operation: Operation): Promise<boolean> {
    const { appCache, clock, leadership, publisher, log } = this.options;
    const app = await this.definitionOf(operation);
    if (!app) return this.endWithoutApp(operation);
    const observe = (environment: string) => this.observe(environment, operation.appName);
    const worked = (step: Step) => this.timeWorked(operation, step, observe(step.environment));
    const now = clock.now().wall;
    const successor = appCache.apps.get(app.name);
    const taken = successor && successor.uid !== app.uid ? Object.keys(successor.published) : [];
    const {
      operation: next,
      publish,
      claimed,
      placed,
    } = advance(giveWay(operation, taken, now), app, app.published, observe, now, worked);
    const publishes = Object.keys(publish).length > 0 || placed !== null;
    const changed = JSON.stringify(next) !== JSON.stringify(operation);
    if (!publishes && !changed) return false;
    const isWritten = await this.writeWith([next], app, (save) =>
      publishes
        ? publisher.publish(app, { publish, claimed, ...(placed ? { placed } : {}) }, save)
        : leadership.write(save),
    );
    if (!isWritten) return true;
    if (next.finishedAt !== null) this.options.onFinish(next);
    log.rooms.loop?.('Moved an operation', {
      app: app.name,
      operation: next.id,
      state: next.state,
      waitingFor: next.waitingFor?.code,
      published: Object.keys(publish),
    });
    if (appCache.byUid(app.name, app.uid)) this.changes.emit(app.name);
    return true;
  }

  /**
   * Writes what changes together with unfinished operations of an app.
   * @returns false if one of them has ended, or a new one was requested, in the meantime. Nothing was written then: the new one would take a
   * publication with its generation for its own.
   */
  private async writeWith(
    changed: readonly Operation[],
    { name, uid }: AppDefinition,
    write: (save: (transaction?: Transaction) => Promise<void>) => Promise<void>,
  ): Promise<boolean> {
    const { appCache, operations, active } = this.options;
    const known = active.of(uid);
    const save = async (transaction?: Transaction) => {
      if (!areSame(await operations.activeOf(uid, transaction), known)) throw new OperationsDiffer(name);
      for (const operation of changed)
        if (!(await operations.save(operation, transaction))) throw new OperationsDiffer(name);
    };
    const error = await write(save).catch((error) => error);
    if (error && !(error instanceof OperationsDiffer)) throw error;
    if (error || changed.length) await active.refresh(uid);
    // Another Supervisor has changed an operation, and this process has not received that yet; or the database fell back to an older copy.
    if (error) await appCache.refresh([name]);
    return !error;
  }

  /** At least the generation of the operation. */
  private async definitionOf({ appName, appUid, generation }: Operation): Promise<AppDefinition | null> {
    const { appCache } = this.options;
    const known = appCache.byUid(appName, appUid);
    if (known && known.generation >= generation) return known;
    await appCache.refresh([appName]);
    return appCache.byUid(appName, appUid);
  }

  private async endWithoutApp(operation: Operation): Promise<boolean> {
    const { operations, active, clock, log, leadership } = this.options;
    log.warn(`Operation ${operation.id} belongs to an app that is gone; it ends.`, {
      app: operation.appName,
      operation: operation.id,
    });
    const ended = { ...operation, state: 'cancelled' as const, waitingFor: null, finishedAt: clock.now().wall };
    await leadership.write((transaction) => operations.save(ended, transaction));
    active.put(ended);
    return true;
  }

  private timeWorked(operation: Operation, step: Step, observe: StepObservation): number {
    const isWorking = isWorkedOn(operation, step, observe);
    // A copy may take as long as it gets on.
    const mark = step.kind === 'copy' ? JSON.stringify(observe.entry?.message) : '';
    return this.timer.observe(operation, step, isWorking, this.options.clock.now().mono, mark);
  }

  /** Ends the claim of an app that came up after its operation had finished. */
  private async endClaim(app: AppDefinition): Promise<boolean> {
    const met = claimMet(app, this.entriesOf(app));
    return met !== null && this.publish(app, { publish: met, claimed: true });
  }

  /** Publishes what no operation asks for. */
  private async publish(app: AppDefinition, publication: Publication): Promise<true> {
    await this.writeWith([], app, (save) => this.options.publisher.publish(app, publication, save));
    return true;
  }

  /**
   * Removes what was copied ahead by a move that was cancelled. The place of the app gets a newer record, by which it gives nothing more
   * for that move.
   */
  private async endCopies(app: AppDefinition): Promise<boolean> {
    const { published, environments, generation } = app;
    const left = misplacedIn(app).filter((environment) => isAhead(published[environment]));
    if (!left.length) return false;
    const publish: Record<string, Published> = {};
    for (const environment of left)
      publish[environment] = { ...published[environment], generation, desired: 'removed' };
    for (const environment of environments)
      if (published[environment]) publish[environment] = { ...published[environment], generation };
    return this.publish(app, { publish });
  }

  /** An environment that has copied all uploads needs no other for them; one that has not needs its address of now. */
  private async settleUploads(app: AppDefinition): Promise<boolean> {
    const addressOf = (environment: string) => this.options.environmentCache.addressOf(environment);
    const publish = uploadsPublished(app, this.entriesOf(app), addressOf);
    return publish !== null && this.publish(app, { publish });
  }

  /** An environment that an app was removed from has confirmed it: its record is no longer needed. */
  private async unpublishGone(app: AppDefinition): Promise<boolean> {
    const gone = Object.entries(app.published)
      .filter(([environment, wish]) => !app.environments.includes(environment) && this.isGone(environment, app, wish))
      .map(([environment]) => environment);
    return gone.length > 0 && this.publish(app, { withdraw: gone });
  }

  /** Whatever is under way: its Worker would wait for what it ignores as old. */
  private async overtake(app: AppDefinition, operations: readonly Operation[]): Promise<boolean> {
    const { appCache, clock, log, observer, publisher, queue } = this.options;
    const entryIn = (environment: string) => observer.observed(environment, app.name)?.entry ?? null;
    // One that is away may have been forgotten, and a deleted app is removed where its tombstone says.
    const isLiving = appCache.apps.get(app.name)?.uid === app.uid;
    // Every pass of every app runs this: it looks up the health of an environment only where that reports the app.
    const isStray = (environment: string) =>
      entryIn(environment) && !app.environments.includes(environment) && this.entriesOf(app)(environment);
    const strays = isLiving ? observer.names().filter(isStray) : [];
    const found = overtaking(app, operations, strays, entryIn, clock.now().wall);
    if (!found) return false;
    const { generation, renews, ahead, publish } = found;
    log.warn(`App ${app.name} is newer in its environments than in this database, which holds; it is published anew.`, {
      app: app.name,
    });
    const renewed = renews ? operations.map((operation) => ({ ...operation, generation })) : [];
    await this.writeWith(renewed, app, (save) => publisher.publish(app, { publish, generation }, save));
    for (const environment of ahead) queue.add(environmentKey(environment));
    return true;
  }

  /**
   * Finishes a failed operation. An operation stops at the first environment that fails. If the app comes up there
   * later, because its Worker retries, nobody would request the rest: the app would be missing in one environment, or
   * run in one that it was removed from. What a person cancelled stays cancelled.
   */
  private async resumeFailed(app: AppDefinition): Promise<boolean> {
    const { operations, service, log } = this.options;
    const mayBeLeft = restingIn(app).length > 0 || isNowhere(app);
    if (!mayBeLeft && !leftUndone(app, this.entriesOf(app))) return false;
    const [last] = await operations.page({ appUid: app.uid }, ['-generation'], 1, LOOKS_BACK);
    const found = resumable(app, last, this.entriesOf(app));
    if (!found) return false;
    const { failed, missing } = found;
    log.info(`App ${app.name}: nothing is in the way of its failed ${failed.action} any more, and it goes on.`, {
      app: app.name,
      operation: failed.id,
    });
    await service.finish(app.name, missing);
    return true;
  }

  /**
   * Ends a move that failed halfway. If the app does not start at its new place, it returns to where it ran. If it could
   * not be removed there in time, it starts at its new place as soon as it is.
   */
  private async mendMove(app: AppDefinition): Promise<boolean> {
    const { operations, service, log } = this.options;
    if (!mayBeBetween(app, this.entriesOf(app))) return false;
    const [[newest]] = await operations.page({ appUid: app.uid }, ['-generation'], 1, 1);
    if (!newest) return false;
    const [only] = app.environments;
    const back = returnOf(newest, app);
    if (back) return this.returnTo(app, back, newest.cause);
    const observe = (environment: string) => this.observe(environment, app.name);
    const isHeld = () => heldElsewhere(app, only, app.published, observe) !== null;
    if (!isInterrupted(newest) || askedOf(app.published, only) || isHeld()) return false;
    log.info(`App ${app.name} has left its former environment by now, and its move goes on.`, { app: app.name });
    await service.finish(app.name, [only]);
    return true;
  }

  private async returnTo(app: AppDefinition, { from, to }: Return, undoes: Operation['cause']): Promise<boolean> {
    if (!isAlive(this.observe(to, app.name).health)) return false;
    this.options.log.warn(`App ${app.name} does not start in ${from}; its move is undone.`, { app: app.name });
    await this.options.service.move(app.name, { from, to }, null, { undoes });
    return true;
  }

  /** Restarts an app where it is stale, one environment after the other, because nothing else notifies them. */
  private async restartStale(app: AppDefinition): Promise<boolean> {
    const { observer, service, compatibility, log } = this.options;
    if (app.environments.length < 2 || app.desired === 'stopped' || isPaused(app)) return false;
    const { plugins, jwtSecret } = staleIn(
      app,
      (environment) => observer.observed(environment, app.name)?.entry ?? null,
    );
    // A Worker reports its plugins only if the app can start again; for the secret, that is checked here.
    const canStart = jwtSecret.length > 0 && compatibility.disagreementOf(app.environments) === null;
    const stale = [...new Set([...plugins, ...(canStart ? jwtSecret : [])])];
    if (!stale.length) return false;
    log.info(
      `App ${app.name}: its plugins or its JWT secret changed in another environment; ${stale.join(', ')} restart.`,
      { app: app.name },
    );
    await service.command(app.name, 'restart', null, { environments: stale, asLeader: true });
    return true;
  }

  /** Generates a JWT secret for an app that was stored without one, before 0.1.1 or by an older Supervisor. */
  private async giveSecret(app: AppDefinition): Promise<boolean> {
    if (app.jwtSecret !== null) return false;
    const living = app.environments.filter((environment) => isAlive(this.observe(environment, app.name).health));
    // There may be thousands of apps that nobody hosts now, and each would wait for its environment.
    if (!living.length) return false;
    await this.options.service.giveSecret(app.name);
    // An environment that is down has no step in this operation: its record has to have the secret before it returns.
    for (const environment of Object.keys(app.published)) this.options.queue.add(environmentKey(environment));
    this.options.log.info(`App ${app.name} has a JWT secret of its own from its next start on.`, { app: app.name });
    return true;
  }

  /** Deletes the tombstone of an app once every environment has confirmed the removal, or was forgotten. */
  private async settleTombstone(tombstone: Tombstone): Promise<boolean> {
    const { definition, environments } = tombstone;
    const unpublished = environments.filter((environment) => {
      const wish = definition.published[environment];
      return wish !== undefined && wish.desired !== 'removed';
    });
    if (unpublished.length) {
      // The operation was cancelled before it had published this: an app that is not in the list is removed everywhere.
      const removed = { generation: definition.generation, desired: 'removed', claim: 'none', data: 'keep' } as const;
      const wishes = unpublished.map((environment) => [
        environment,
        { ...definition.published[environment], ...removed },
      ]);
      await this.options.publisher.publish(definition, { publish: Object.fromEntries(wishes) });
      return true;
    }
    const confirmed = environments.filter((environment) => {
      const wish = definition.published[environment];
      return !wish || this.isGone(environment, definition, wish);
    });
    if (!confirmed.length && environments.length) return false;
    await this.endTombstone(tombstone, confirmed);
    return true;
  }

  private async endTombstone(tombstone: Tombstone, confirmed: string[]): Promise<void> {
    const { active, appCache, appRepository, leadership, operations, onAppEnd, queue } = this.options;
    const { uid, name } = tombstone;
    const environments = tombstone.environments.filter((environment) => !confirmed.includes(environment));
    if (!environments.length) {
      await leadership.assertLeads();
      await onAppEnd(uid, leadership.term);
    }
    const isOver = await leadership.write(async (transaction) => {
      // A retry locks it, too: it asks all these environments once more, or none of them.
      await appRepository.findLockedTombstone(uid, transaction);
      if ((await operations.activeOf(uid, transaction)).length) return false;
      if (environments.length) await appRepository.updateTombstone(uid, { environments }, transaction);
      else await appRepository.removeTombstone(uid, transaction);
      return true;
    });
    if (!isOver) return active.refresh(uid);
    if (environments.length) appCache.settleTombstone(uid, environments);
    else appCache.removeTombstone(uid);
    // Their next passes remove its records, unless a new app of this name is published there by then.
    for (const environment of confirmed) queue.add(environmentKey(environment));
    this.changes.emit(name);
  }

  /** Whether a live Worker has confirmed that an app is removed, or the environment was forgotten. */
  private isGone(environment: string, app: Pick<AppDefinition, 'name' | 'uid'>, wish: Published): boolean {
    if (!this.options.observer.environment(environment)) return true;
    return hasLeft(app, wish, this.observe(environment, app.name).entry);
  }

  private observe(environment: string, name: string): StepObservation {
    const { observer, environmentCache } = this.options;
    return { ...observer.evidence(environment, name), address: environmentCache.addressOf(environment) ?? null };
  }

  private entriesOf({ name }: AppDefinition) {
    return (environment: string) => this.observe(environment, name).entry;
  }
}
