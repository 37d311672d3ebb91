import type { Event } from '../../../shared/event';
import type { Message } from '../../../shared/message';
import type { StatusEntry } from '../../../shared/messages';
import type { Operation } from '../../../shared/operation';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { Leadership } from '../control/leader';
import type { AppCache } from '../definitions/app-cache';
import type { EventStore } from '../definitions/event-store';
import type { OperationStore } from '../definitions/operation-store';
import type { AppDefinition } from '../definitions/repository';
import type { DoorTrouble } from '../fleet/door-troubles';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver, ObservedChange } from '../fleet/observer';
import {
  begun,
  conditionOf,
  displaced,
  doorCondition,
  failedOperation,
  foreignStore,
  type Holder,
  healthOf,
  ignoredValue,
  keyOf,
  type Lasting,
  memoryCause,
  nearnessOf,
  troubleOf,
  uploadsOf,
} from './conditions';
import type { EventRecorder } from './recorder';

/** A former leader may have ended operations without recording it, this long before its end, in ms. */
const LOOK_BACK = 60_000;
/** Maximum number of these operations. */
const MOST = 200;

export interface EventWatchOptions {
  events: EventStore;
  recorder: EventRecorder;
  appCache: AppCache;
  environmentCache: EnvironmentCache;
  observer: FleetObserver;
  operations: OperationStore;
  leadership: Leadership;
  clock: Clock;
  log: Log;
}

/**
 * Notices what happens in the fleet, and has it recorded. What lasts is recorded by the leader alone: it compares what
 * it observes with the events that last in the table, so that a new leader neither repeats nor misses anything.
 */
export class EventWatch {
  /** The events that last, by subject (`keyOf`); null until they are read. */
  private lasting: Map<string, Event> | null = null;
  private readonly holders = new Map<string, Holder>();
  private reading = false;
  /** Increases with everything that begins or ends. */
  private version = 0;

  constructor(private readonly options: EventWatchOptions) {}

  start(): void {
    const { leadership, recorder } = this.options;
    leadership.onChange((leads) => {
      this.lasting = null;
      recorder.forgetLasting();
      if (leads) void this.begin();
    });
    if (leadership.leads) void this.begin();
  }

  /** The observer has found changes. */
  noteObserved({ environments, apps }: ObservedChange): void {
    const { observer, recorder, clock } = this.options;
    if (observer.foreign) recorder.record(foreignStore(clock.now().wall));
    for (const name of environments) this.noteHolder(name);
    if (this.lasting) this.compare(environments, apps);
  }

  /** Visitors of an app are referred to a cause that the proxy has met. */
  noteTrouble(app: Pick<AppDefinition, 'name' | 'uid'>, environment: string, reference: string, cause: Message): void {
    const { recorder, clock } = this.options;
    const subject = { appName: app.name, appUid: app.uid };
    recorder.record(troubleOf(subject, environment, reference, cause, clock.now().wall));
  }

  /** Everything that is wrong with doors now. */
  noteDoors(troubles: readonly DoorTrouble[]): void {
    const { wall } = this.options.clock.now();
    const now = new Map(troubles.map((trouble) => doorCondition(trouble, wall)).map((state) => [keyOf(state), state]));
    for (const [key, { kind }] of this.lasting ?? []) if (kind === 'door' && !now.has(key)) this.end(key);
    for (const state of now.values()) this.last(state);
  }

  /** This process has ended an operation. */
  noteOperation(operation: Operation): void {
    const event = failedOperation(operation);
    if (event) this.options.recorder.record(event);
  }

  /** A value in the store, or a message on the bus, is not ours. */
  noteIgnored(key: string): void {
    this.options.recorder.record(ignoredValue(key, this.options.clock.now().wall));
  }

  /** Called from time to time: ends what lasts of things that are gone, and deletes old events. Never rejects. */
  async tend(): Promise<void> {
    const { leadership, environmentCache, appCache, recorder } = this.options;
    if (!leadership.leads) return;
    if (!this.lasting) return this.begin();
    await this.reread();
    // The lead was lost meanwhile.
    if (!this.lasting) return;
    const known = new Set(environmentCache.names());
    for (const [key, { kind, environment, appName, appUid }] of this.lasting) {
      if (kind === 'door') continue;
      const app = appName === null ? null : appCache.apps.get(appName);
      const isPlaced = app === null || (app?.uid === appUid && app?.published[environment ?? ''] !== undefined);
      if (!isPlaced || !known.has(environment ?? '')) this.end(key);
    }
    this.compareNearness(known);
    await recorder.sweep();
  }

  /** Heartbeats are no changes that are noted, so it is looked at from time to time. */
  private compareNearness(environments: Iterable<string>): void {
    const { observer, clock } = this.options;
    for (const name of environments) {
      const view = observer.environment(name);
      if (!view) continue;
      for (const kind of ['memory', 'disk'] as const) {
        this.take({ kind, environment: name, appUid: null }, nearnessOf(kind, view, clock.now().wall));
      }
    }
  }

  /** Reads what lasts, and compares everything with it. Never rejects. */
  private async begin(): Promise<void> {
    const { events, operations, leadership, observer, clock, log, appCache } = this.options;
    if (this.reading) return;
    this.reading = true;
    const { term } = leadership;
    try {
      const open = await events.open();
      const since = clock.now().wall - LOOK_BACK;
      const [failed] = await operations.page({ state: 'failed', finishedAt: { $gt: since } }, ['id'], 1, MOST);
      if (!leadership.leads || leadership.term !== term) return;
      this.lasting = new Map(open.map((event) => [keyOf(event), event]));
      for (const operation of failed) this.noteOperation(operation);
      this.compare(observer.names(), appCache.apps.keys());
    } catch (error) {
      log.warn(`The events that last could not be read, it is tried again: ${messageOf(error)}`);
    } finally {
      this.reading = false;
    }
  }

  /** The database may have gone back to an older copy: then what began or ended since is not in it. Never rejects. */
  private async reread(): Promise<void> {
    const { events, recorder, observer, clock, appCache } = this.options;
    const { version } = this;
    const open = recorder.isIdle ? await events.open().catch(() => null) : null;
    if (!open || !this.lasting || version !== this.version || !recorder.isIdle) return;
    const known = new Set([...this.lasting.values()].map(({ id }) => id));
    if (open.length === known.size && open.every(({ id }) => known.has(id))) return;
    const found = new Map(open.map((event) => [keyOf(event), event]));
    for (const event of open) if (found.get(keyOf(event)) !== event) recorder.end(event.id, clock.now().wall);
    this.lasting = found;
    this.compare(observer.names(), appCache.apps.keys());
  }

  private compare(environments: Iterable<string>, apps: Iterable<string>): void {
    const { observer, appCache, environmentCache } = this.options;
    const known = new Set(environmentCache.names());
    for (const name of environments) {
      const view = observer.environment(name);
      if (!view || !known.has(name)) continue;
      const health = healthOf(view);
      const lasts = health && health !== 'well' ? this.withCause(health) : health;
      this.take({ kind: 'health', environment: name, appUid: null }, lasts);
    }
    for (const name of apps) {
      const app = appCache.apps.get(name);
      for (const environment of Object.keys(app?.published ?? {})) {
        const { entry } = observer.evidence(environment, name);
        if (!entry || entry.uid !== app?.uid) continue;
        this.compareEntry(environment, entry);
      }
    }
  }

  private compareEntry(environment: string, entry: StatusEntry): void {
    const { wall } = this.options.clock.now();
    const subject = { environment, appUid: entry.uid };
    const condition = conditionOf(environment, entry, wall);
    // Neither lasts beside the other.
    for (const kind of condition === null ? [] : (['failure', 'crash'] as const))
      this.take({ kind, ...subject }, condition !== 'well' && condition?.kind === kind ? condition : 'well');
    this.take({ kind: 'uploads', ...subject }, uploadsOf(environment, entry, wall));
  }

  /** @param state null: what lasted still does */
  private take(subject: Parameters<typeof keyOf>[0], state: Lasting | 'well' | null): void {
    if (state === 'well') this.end(keyOf(subject));
    else if (state) this.last(state);
  }

  /** Of a process that is gone; one that was stopped needs no cause. */
  private withCause<E extends Lasting>(event: E): E {
    if (event.message.code === 'ENVIRONMENT_STOPPED') return event;
    const memory = this.lasting?.get(keyOf({ kind: 'memory', environment: event.environment, appUid: null }));
    return { ...event, cause: memoryCause(memory) };
  }

  private last(state: Lasting): void {
    const key = keyOf(state);
    const before = this.lasting?.get(key);
    // Of another cause visitors have another reference.
    if (!this.lasting || (before && referenceIn(before) === referenceIn(state))) return;
    if (before) this.end(key);
    const event = begun(state);
    this.lasting.set(key, event);
    this.version++;
    this.options.recorder.record(event);
  }

  private end(key: string): void {
    const event = this.lasting?.get(key);
    if (!event) return;
    this.lasting?.delete(key);
    this.version++;
    this.options.recorder.end(event.id, this.options.clock.now().wall);
  }

  private noteHolder(name: string): void {
    const { observer, recorder, clock } = this.options;
    const view = observer.environment(name);
    const before = this.holders.get(name);
    if (!view) {
      this.holders.delete(name);
      return;
    }
    if (!view.held) {
      if (view.released && before) before.isLeaving = true;
      return;
    }
    const { instance, epoch, state } = view.held;
    const now = { instance, epoch, isLeaving: state === 'stopping' };
    const event = displaced(name, before, now, clock.now().wall);
    if (event) recorder.record(this.withCause(event));
    this.holders.set(name, now);
  }
}

const referenceIn = ({ message }: Pick<Event, 'message'>) => message.params?.reference;
