import { isDeepStrictEqual } from 'node:util';
import { say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { type Clock, within } from '../../clock';
import { messageOf } from '../../errors';
import { KeyedQueue } from '../../keyed-queue';
import type { Log } from '../../log';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import { INTERVAL } from '../../timing';
import type { HostingAuthority } from '../hosting/claim';
import type { AppHost } from '../hosting/host';
import { type AppState, AppStates, UNTOUCHED } from './app-states';
import type { BootQueue } from './boot-queue';
import { AppBoots, keptOut, NEVER } from './boots';
import { isOlder, mayBootBy, mayDoBy, mayGoBy } from './by-cache';
import { type Decision, decide, doingOf, withPlace } from './decide';
import { Failures } from './failures';
import { Floor, type FloorOptions } from './floor';
import { Reclaims } from './reclaims';
import { AppRemoval } from './removal';
import { RoutingExit } from './routing-exit';
import type { Remembered, Snapshot } from './snapshot';
import { SnapshotWrites } from './snapshot-writes';
import { STOP_LIMIT, TimeLimits } from './time-limits';
import { type CopyAhead, endAhead, Uploads } from './uploads';

/** How often is looked whether what is waited for is stuck, in ms. */
const LOOK = INTERVAL / 5;

export interface AppControllerOptions {
  environment: string;
  snapshot: Snapshot;
  host: AppHost;
  /** Outlives restarts of the main app. */
  bootQueue: BootQueue;
  coreApps: CoreAppRegistry;
  clock: Clock;
  log: Log;
  /** Replaces `LEAVING`. */
  leaving?: number;
  keyring?: FloorOptions['keyring'];
  /** Whether this process may host apps now. */
  mayHost(): boolean;
  authority: HostingAuthority;
  /** Whether apps may boot now. */
  mayBoot(): boolean;
  /** `API_BASE_PATH` of this Worker and the others, without trailing slash; absent: no uploads are copied from them. */
  apiBase?: string;
  /** Absent: as `Uploads` does it. */
  copyAhead?: CopyAhead;
  /** Marks the app that has stopped the loop of an earlier process; absent: none has. */
  blame?(row: Remembered): Remembered;
}

/**
 * Brings every app of this environment to its desired state, one step of one app at a time, on a notification, on a
 * visit, every 30 s and after a restart. It follows records, never messages, and ignores older ones than it has.
 */
export class AppController {
  readonly apps: AppStates;
  readonly limits: TimeLimits;
  /** One task of an app after the other. */
  private readonly queues = new KeyedQueue();
  readonly writes: SnapshotWrites;
  readonly floor: Floor;
  private readonly failures: Failures;
  private readonly boots: AppBoots;
  private readonly removal: AppRemoval;
  readonly reclaims: Reclaims;
  readonly exit: RoutingExit;
  private readonly uploads: Uploads;
  private closed = false;

  constructor(private readonly options: AppControllerOptions) {
    this.apps = new AppStates({
      ...options,
      onAdminPassword: (name) => void this.writes.save(name),
      onCore: (name) => this.limits.noteCommand(name),
    });
    this.writes = new SnapshotWrites({ ...options, apps: this.apps });
    this.floor = new Floor({ ...options, saveHeader: (...header) => this.writes.saveHeader(...header) });
    this.limits = new TimeLimits(this.apps, options.host, options.clock, options.log);
    const converge = (name: string) => this.converge(name);
    this.failures = new Failures({ ...options, apps: this.apps, converge });
    const mayHost = () => !this.closed && options.mayHost();
    const common = {
      ...options,
      mayHost,
      apps: this.apps,
      limits: this.limits,
      save: (name: string) => this.writes.save(name),
      write: (name: string) => this.writes.write(name),
      failures: this.failures,
    };
    this.removal = new AppRemoval({
      ...common,
      remember: (record) => this.floor.removed(record),
      removeFromSnapshot: (name) => this.writes.remove(name),
    });
    this.exit = new RoutingExit(this.apps, options.clock, options.leaving);
    this.reclaims = new Reclaims({ ...common, inQueue: (name, work) => this.inQueue(name, work) });
    this.uploads = new Uploads(common);
    const mayBoot = (held: AppState) => this.mayBoot(held);
    this.boots = new AppBoots({ ...common, mayBoot, exit: this.exit, uploads: this.uploads });
  }

  /**
   * Begins a tenure: what the last one wrote of apps replaces all that this process knows. Nothing is done by it before the store has
   * confirmed it, or before `goByCache`.
   * @param isIts whether the tenure goes on
   */
  async begin(isIts = () => true): Promise<void> {
    const { snapshot, bootQueue, blame = (row) => row } = this.options;
    // The header first: an app that is read after it may be gone with it, but none is read that is not of it.
    const header = await snapshot.loadHeader();
    const found = await snapshot.load();
    if (!isIts()) return;
    this.floor.restore(header);
    this.apps.clear();
    for (const row of this.floor.present(found)) {
      const { record, applied } = blame(row);
      this.apps.hold(record, applied, false);
    }
    // One of them may have crashed the last process: a boot on its own identifies it.
    bootQueue.isOneByOne = this.apps.all().some(([, { applied }]) => applied?.unfinished);
  }

  /** The store cannot be read, or has no newer record of some apps: what is known of them stands, and the claim decides. */
  goByCache(): void {
    const apps = this.apps.awaited();
    this.options.log.warn(`No records were found of ${apps.length} app(s); they go on from the snapshot.`, { apps });
    this.apps.goesByCache = true;
    this.convergeAll();
  }

  /** Whether the apps are known that this environment has. */
  get isRead(): boolean {
    return !this.apps.awaited().length;
  }

  /**
   * Accepts records, and converges their apps. The snapshot is written meanwhile; it is written again before a boot
   * begins, and before a step is reported as done.
   *
   * @returns when the records are written
   */
  async accept(records: AppRecord[]): Promise<void> {
    const writes: Promise<void>[] = [];
    this.floor.assigned(records.map(({ name }) => name));
    for (const received of records) {
      const held = this.apps.heldFor(received, this.floor.removedAs(received));
      const record = withPlace(received, held?.record);
      if (isOlder(record, held)) continue;
      if (held) held.confirmed = true;
      if (held && JSON.stringify(held.record) === JSON.stringify(record)) continue;
      writes.push(this.follow(held, record));
    }
    for (const record of records) this.converge(record.name);
    await Promise.all(writes);
    await this.floor.save();
  }

  /** @param held the app; undefined: it is new here. @returns when the record is written */
  private follow(held: AppState | undefined, record: AppRecord): Promise<void> {
    const { name, generation, desired } = record;
    this.options.log.rooms.records?.('Took a record over', { app: name, generation, desired });
    if (!held) this.apps.hold(record, null, true);
    else {
      endAhead(held);
      const isReachedAnew = !isDeepStrictEqual(held.record.database, record.database);
      held.record = record;
      // The app's database has refused an older one: how often says nothing of this one.
      if (isReachedAnew || (held.newest !== undefined && generation >= held.newest))
        Object.assign(held, { failures: 0, retryAt: this.options.clock.now().mono });
      if (held.late === 'work') this.apps.answerLate(name, held);
      else if (held.waiting && !this.boots.isWanted(held)) held.waiting.abort();
    }
    return this.writes.save(name);
  }

  /** Checks everything again: a retry may be due, and what was refused may be possible now. */
  convergeAll(): void {
    for (const name of this.apps.names()) this.converge(name);
  }

  /**
   * Accepts all records of the store. An app that was reported as removed and has no record any more is forgotten. Any
   * other app without a record stays as it is: a missing record is never an instruction, unless the environment was forgotten.
   *
   * @param floor of the environment, as the store says; null if it does not say
   */
  async acceptAll(records: AppRecord[], floor: number | null = null): Promise<void> {
    const present = new Set(records.map((record) => record.name));
    this.leave(this.floor.rise(floor, this.apps.all(), present));
    for (const [name, held] of this.apps.all()) {
      if (held.record.desired === 'removed' && held.status === 'not_found' && !present.has(name))
        this.apps.forget(name);
    }
    await this.accept(records);
  }

  /** The environment was forgotten: what it had of these apps counts as removed. */
  private leave(left: Array<[string, AppState]>): void {
    const apps = left.map(([name]) => name);
    if (apps.length)
      this.options.log.warn('This environment was forgotten meanwhile; its apps are not started any more.', { apps });
    for (const [name, held] of left) {
      Object.assign(held, { confirmed: true, generation: 0 });
      void this.follow(held, { ...held.record, desired: 'removed', data: 'keep' });
      this.converge(name);
    }
  }

  /** A visit to an app. Returns immediately whether this process has such an app. */
  visit(name: string): boolean {
    const held = this.apps.get(name);
    if (!held || held.record.desired === 'removed') return false;
    if (held.record.desired === 'stopped' || held.state === 'running' || held.visited) return true;
    held.visited = true;
    this.converge(name);
    return true;
  }

  /**
   * Another plugin no longer needs an app here, which does not change the desired state: an app that starts when
   * visited is unloaded until the next visit; one that should run keeps running, because it would be started again
   * immediately.
   *
   * Does nothing while a task of the app runs: the caller may hold the database (SQLite) that this task waits for.
   */
  async unload(name: string): Promise<void> {
    const held = this.apps.get(name);
    if (held?.state !== 'running' || held.record.desired !== 'onDemand') return;
    if (this.queues.isBusy(name) || this.options.host.isInCommand(name)) return;
    await this.inQueue(name, () => this.carryOut(name, held, held.record, { do: 'rest', as: 'dormant' }));
  }

  /**
   * Stops hosting: another process holds the environment now. It does not wait for apps that are stuck.
   * @returns whether nothing runs any more
   */
  async standDown(): Promise<boolean> {
    this.uploads.close();
    const held = this.apps.all().map(async ([name, held]) => {
      held.waiting?.abort();
      void this.inQueue(name, async () => {
        if (held.state === 'absent') return;
        await this.limits.run(name, held, STOP_LIMIT, this.options.host.rest(name));
        held.state = 'absent';
        // The previous status is no longer valid, should this process report again.
        this.apps.show(name, held, 'waiting');
      });
      while (this.queues.isBusy(name) && held.late !== 'work')
        await within(this.options.clock, LOOK, this.queues.idle(name), undefined);
    });
    await Promise.all(held);
    return this.apps.stuck().length === 0;
  }

  /** The process shuts down regularly: a boot that this interrupts is not the app's fault. */
  async clearCrashMarkers(): Promise<void> {
    this.closed = true;
    for (const [name, { applied }] of this.apps.all()) {
      if (!applied?.unfinished) continue;
      applied.unfinished = null;
      await this.writes.save(name);
    }
  }

  /** Begins nothing more; tasks in progress end with the process. */
  close(): void {
    this.closed = true;
    this.uploads.close();
  }

  private converge(name: string): void {
    const held = this.apps.get(name);
    if (!held || held.isQueued) return;
    held.isQueued = true;
    void this.inQueue(name, () => {
      held.isQueued = false;
      return this.convergeNow(name, held);
    });
  }

  /** Never rejects. */
  private inQueue(name: string, work: () => Promise<void>): Promise<void> {
    return this.queues.add(name, work).catch((error) => {
      this.options.log.error(`App ${name} could not be converged, it is tried again: ${messageOf(error)}`, {
        app: name,
      });
    });
  }

  private async convergeNow(name: string, held: AppState): Promise<void> {
    // Decides each step again with the newest record. The limit prevents an endless loop of a decision that changes
    // nothing.
    for (let step = 0; step < 8; step++) {
      // It belongs to a tenure that is over, or was removed and came back since.
      if (this.apps.get(name) !== held) return;
      if (!this.mayAct(held)) return;
      const { record } = held;
      const decision = decide(record, held.applied, held, this.options.clock.now().mono, held.visited);
      this.options.log.rooms.boot?.('Decided', {
        app: name,
        ...decision,
        generation: record.generation,
        state: held.state,
      });
      if (decision.do === 'nothing') {
        held.visited = false;
        await this.settle(name, held, record);
        return;
      }
      if (decision.do === 'boot' && !this.mayBoot(held)) return;
      if (!mayDoBy(held, decision)) return;
      if (decision.do === 'claim' || decision.do === 'work') {
        if (!(await this.reclaims[decision.do](name, held))) return;
        continue;
      }
      this.start(name, held, record, decision);
      await this.carryOut(name, held, record, decision);
      // This process may not act now: that is decided again with the next round.
      if (decision.do === 'remove' && held.generation < record.generation) return;
    }
  }

  private mayAct(held: AppState): boolean {
    return mayGoBy(held, this.apps.goesByCache) && !this.closed && this.options.mayHost();
  }

  private mayBoot(held: AppState): boolean {
    return this.mayAct(held) && mayBootBy(held) && this.options.mayBoot();
  }

  private start(name: string, held: AppState, record: AppRecord, decision: Decision): void {
    this.limits.endCommand(name, held);
    held.begun = record.generation;
    held.message = undefined;
    held.doing = doingOf(record, held.applied, decision);
    this.apps.report(name);
  }

  private async carryOut(name: string, held: AppState, record: AppRecord, decision: Decision): Promise<void> {
    const { host } = this.options;
    switch (decision.do) {
      case 'replace':
        await this.uploads.stop(name);
        await this.limits.run(name, held, STOP_LIMIT, host.rest(name));
        this.apps.forgetVisits(name);
        Object.assign(held, UNTOUCHED);
        await this.writes.save(name);
        return;
      case 'rest':
        await this.exit.leave(name, held, record, say('STOPPING'));
        await this.limits.run(name, held, STOP_LIMIT, decision.as === 'stopped' ? host.stop(name) : host.rest(name));
        held.state = decision.as;
        this.apps.show(name, held, decision.as);
        // The process has restarted since; the cause stays until the next attempt.
        if (decision.as === 'dormant') held.error = held.applied?.failure ?? undefined;
        return;
      case 'boot':
        await this.boots.boot(name, held);
        return;
      case 'keepOut':
        this.failures.show(name, held, keptOut(name, held, decision.because));
        held.retryAt = null;
        if (decision.because === 'loop') await this.writes.save(name);
        return;
      case 'remove':
        await this.uploads.discard(name);
        await this.removal.remove(name, held, record, decision.data);
        return;
      case 'claim':
      case 'work':
      case 'nothing':
    }
  }

  /** Nothing is left to do for a record: report it as done. */
  private async settle(name: string, held: AppState, record: AppRecord): Promise<void> {
    if (record.desired === 'removed') return;
    if (!record.uploads?.ahead) void this.uploads.after(name, held);
    else if (held.generation !== record.generation) await this.uploads.ahead(name, held);
    if (held.record !== record) return;
    const bootGeneration = Math.max(record.boot.generation, held.applied?.bootGeneration ?? 0);
    const changed = held.applied?.generation !== record.generation || held.applied.bootGeneration !== bootGeneration;
    if (changed) {
      held.applied = { ...NEVER, ...held.applied, uid: record.uid, generation: record.generation, bootGeneration };
      await this.writes.save(name);
    }
    if (held.generation === record.generation && held.doing === null) return;
    held.generation = record.generation;
    held.begun = Math.max(held.begun, record.generation);
    held.doing = null;
    this.apps.report(name);
  }
}
