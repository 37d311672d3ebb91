import { isDeepStrictEqual } from 'node:util';
import { type Message, say, verbatim } from '../../../shared/message';
import type { AdminPassword, AppRecord, StatusEntry } from '../../../shared/messages';
import { pick } from '../../../shared/pick';
import type { Status } from '../../../shared/types';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError } from '../../errors';
import { Feed } from '../../feed';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import type { AppHost } from '../hosting/host';
import type { PluginSet } from '../hosting/plugin-set';
import { awaitedOf, type Known } from './by-cache';
import { type Applied, type Hosted, pendingChanges, workOf } from './decide';

/** What a report about an app says as it is known here. */
const REPORTED = [
  'status',
  'since',
  'message',
  'error',
  'generation',
  'begun',
  'doing',
  'version',
  'adminPassword',
  'uploads',
  'newest',
] as const;

/** What this process knows about one app. */
export interface AppState extends Known, Hosted, Pick<StatusEntry, (typeof REPORTED)[number]> {
  applied: Applied | null;
  /** The record from which the running object was created. */
  booted: AppRecord | null;
  /** Plugins with which the running object was loaded, and whether its database has others now. */
  plugins: { loaded: PluginSet | null; stale: boolean };
  failures: number;
  /** Whether a visitor waits for it. Remains through retries of the boot, and ends with it. */
  visited: boolean;
  /** Whether a step is queued that has not been decided yet. */
  isQueued: boolean;
  /** Ends the waiting of a boot for its turn. */
  waiting: AbortController | null;
  /** What takes too long, and may never end: work on it, beside which nothing else is begun, or a command of the core in it. */
  late: 'work' | 'command' | null;
  /** The record by which the running app was claimed. */
  claimed: AppRecord | null;
  /** Whether it is about to be claimed again. */
  isReclaiming: boolean;
  /** The last visit that the snapshot has, and when it was written, by the monotonic clock. */
  saved: { lastVisitAt: number | null; at: number };
}

/** Of an app of which nothing was done here. */
export const UNTOUCHED = {
  applied: null,
  booted: null,
  state: 'absent',
  failures: 0,
  retryAt: null,
  generation: 0,
  adminPassword: null,
  newest: undefined,
  claimed: null,
  failedWork: null,
} as const;

export interface AppStatesOptions {
  host: AppHost;
  coreApps: CoreAppRegistry;
  clock: Clock;
  /** Called when the problem of an app's `adminPassword` changes. */
  onAdminPassword(name: string): void;
  /** Called when the core reports something of an app, before it is shown. */
  onCore(name: string): void;
}

/** The apps of this environment: what this process knows about each, and what it reports. */
export class AppStates {
  /** Names of apps whose statuses have to be reported. */
  readonly reports = new Feed<string[]>();
  /** Records were waited for in vain: what the snapshot has holds. */
  goesByCache = false;
  private readonly held = new Map<string, AppState>();

  constructor(private readonly options: AppStatesOptions) {
    options.coreApps.onStatus = (name) => this.observe(name);
    options.coreApps.onProgress = (name, message) => this.reportProgress(name, verbatim(message));
    options.coreApps.onAdminPassword = (name, found) => this.setAdminPassword(name, found);
  }

  /**
   * @param applied as in the snapshot; null for an app that is new here
   * @param confirmed whether the record comes from the store, and not from the snapshot
   */
  hold(record: AppRecord, applied: Applied | null, confirmed: boolean): void {
    const now = this.options.clock.now().wall;
    const lastVisitAt = applied?.lastVisitAt ?? null;
    const { lastSeenAt } = this.options.coreApps;
    if (lastVisitAt !== null && !lastSeenAt.has(record.name)) lastSeenAt.set(record.name, lastVisitAt / 1000);
    this.held.set(record.name, {
      ...UNTOUCHED,
      record,
      confirmed,
      applied,
      isReclaiming: false,
      plugins: { loaded: null, stale: false },
      visited: false,
      isQueued: false,
      waiting: null,
      late: null,
      status: 'waiting',
      since: now,
      begun: 0,
      doing: null,
      version: applied?.version ?? null,
      adminPassword: applied?.adminPassword ?? null,
      saved: { lastVisitAt, at: Number.NEGATIVE_INFINITY },
    });
  }

  /** Nothing is known of any app. */
  clear(): void {
    this.goesByCache = false;
    this.held.clear();
  }

  /**
   * The state of an app for which a record is read. An app that a newer record has removed counts as gone: the store is an older copy, or the
   * database was restored, and the report says that it is behind.
   *
   * @param removedAs the generation of that removal; null if there was none
   */
  heldFor(record: AppRecord, removedAs: number | null): AppState | undefined {
    const { name } = record;
    if (this.held.has(name) || removedAs === null) return this.held.get(name);
    this.hold({ ...record, desired: 'removed', data: 'keep', generation: removedAs }, null, true);
    const held = this.held.get(name)!;
    Object.assign(held, { status: 'not_found', generation: removedAs, begun: removedAs });
    this.report(name);
    return held;
  }

  get(name: string): AppState | undefined {
    return this.held.get(name);
  }

  all(): Array<[string, AppState]> {
    return [...this.held];
  }

  /** As if this process had never had it. */
  forget(name: string): void {
    this.held.delete(name);
    this.report(name);
  }

  record(name: string): AppRecord | null {
    return this.held.get(name)?.record ?? null;
  }

  records(): AppRecord[] {
    return [...this.held.values()].map(({ record }) => record).filter((record) => record.desired !== 'removed');
  }

  /** Names of apps whose records are waited for. */
  awaited(): string[] {
    return awaitedOf(this.all(), this.goesByCache);
  }

  names(): string[] {
    return [...this.held.keys()];
  }

  /** In ms since 1970. */
  lastVisitAt(name: string): number | null {
    const lastVisit = this.options.coreApps.lastSeenAt.get(name);
    return lastVisit === undefined ? null : lastVisit * 1000;
  }

  /** Another app has its name from now on. */
  forgetVisits(name: string): void {
    this.options.coreApps.lastSeenAt.delete(name);
  }

  /** The report about an app. */
  entry(name: string): StatusEntry | null {
    const held = this.held.get(name);
    if (!held) return null;
    const { record, booted, plugins } = held;
    const isRunning = held.state === 'running';
    const reveal: AppHost['reveal'] = (...secret) => this.options.host.reveal(...secret);
    const changes = [...pendingChanges(booted, record, reveal), ...(plugins.stale ? ['plugins'] : [])];
    return {
      ...pick(held, REPORTED),
      name,
      uid: record.uid,
      bootGeneration: held.applied?.bootGeneration ?? 0,
      lastVisitAt: this.lastVisitAt(name),
      pendingChanges: isRunning ? changes : [],
      plugins: (isRunning && plugins.loaded?.own) || [],
      ...workOf(held.applied, held.failedWork),
    };
  }

  stuck(): string[] {
    return this.all().flatMap(([name, { late }]) => (late ? name : []));
  }

  /**
   * Of a state that belongs to a tenure that is over nothing is shown.
   * @param message for people who wait
   */
  show(name: string, held: AppState, status: Status, message?: Message): void {
    if (this.held.get(name) !== held || held.late) return;
    if (held.status !== status) held.since = this.options.clock.now().wall;
    if (status === 'running' && held.status !== 'running') {
      // Immediately: "running" with the plugins of the previous object would be read as another reason to restart.
      held.plugins = { loaded: null, stale: false };
      void this.readPlugins(name, held);
    }
    held.status = status;
    held.message = message;
    if (status !== 'error') held.error = undefined;
    this.report(name);
  }

  /** What is done with an app, or a command of the core in it, did not end in time; where it stands is what it said last. */
  showLate(name: string, held: AppState, seconds: number, late: 'work' | 'command'): AppSupervisorError {
    const at = held.message ?? say('NO_PROGRESS');
    const error = new AppSupervisorError('APP_STUCK', { app: name, seconds, at });
    held.error = describeError(error);
    this.show(name, held, 'error');
    held.late = late;
    return error;
  }

  /** Whatever is asked for while work on an app does not end is answered with that. */
  answerLate(name: string, held: AppState): void {
    Object.assign(held, { begun: held.record.generation, generation: held.record.generation });
    this.report(name);
  }

  /** A progress message of the core, for people who wait. */
  reportProgress(name: string, message: Message): void {
    const held = this.held.get(name);
    if (!held || held.status === 'running' || isDeepStrictEqual(held.message, message)) return;
    held.message = message;
    this.report(name);
  }

  /**
   * Finds apps in several environments whose plugins another environment has changed. If that environment has upgraded
   * the app to a newer release, the app keeps running here, because a restart would be refused.
   */
  async findStalePlugins(): Promise<void> {
    for (const [name, held] of this.held) {
      if (held.record.environments.length < 2 || held.status !== 'running' || held.plugins.loaded === null) continue;
      const current = await this.options.host.pluginSet(name).catch(() => null);
      const changed = current !== null && current.text !== held.plugins.loaded.text;
      const stale = changed && (await this.options.host.canRestart(name).catch(() => false));
      if (stale === held.plugins.stale) continue;
      held.plugins.stale = stale;
      this.report(name);
    }
  }

  /** Checks whether another environment, which does not notify this one, has changed a problematic password. */
  async findChangedAdminPasswords(): Promise<void> {
    for (const [name, { record, status, adminPassword }] of this.held) {
      if (record.environments.length < 2 || status !== 'running' || !adminPassword) continue;
      const found = await this.options.host.adminPassword(name).catch(() => adminPassword);
      this.setAdminPassword(name, found);
    }
  }

  private setAdminPassword(name: string, found: AdminPassword | null): void {
    const held = this.held.get(name);
    if (!held || held.adminPassword === found) return;
    held.adminPassword = found;
    this.options.onAdminPassword(name);
    this.report(name);
  }

  /** Something in the report about an app has changed. */
  report(name: string): void {
    this.reports.emit([name]);
  }

  /** The core changed an app's status by itself: a command, an enabled plugin, an error. */
  private observe(name: string): void {
    this.options.onCore(name);
    const held = this.held.get(name);
    const status = this.options.coreApps.appStatus[name];
    if (!held || !status || status === 'not_found') return;
    if (held.status === status) return;
    // It waits for its turn to boot, whatever becomes of what runs until then.
    if (held.waiting && held.status === 'waiting') {
      if (status === 'error' || status === 'stopped') held.state = 'absent';
      return;
    }
    // The core reports this before its command has ended, and in an upgrade before it loads the app again.
    if (status === 'running' && (held.state !== 'running' || this.options.host.isInCommand(name))) return;
    if (status === 'error') {
      const error = this.options.coreApps.reasonOf(name);
      held.error ??= error ? describeError(error) : say('NO_CAUSE');
    }
    this.show(name, held, status);
  }

  /** The app was loaded or reloaded: its database now contains the plugins that it runs with. */
  private async readPlugins(name: string, held: AppState): Promise<void> {
    const loaded = await this.options.host.pluginSet(name).catch(() => null);
    held.plugins = { loaded, stale: false };
    if (loaded?.own.length) this.report(name);
  }
}
