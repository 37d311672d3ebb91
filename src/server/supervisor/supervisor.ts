import type { Application } from '@nocobase/server';
import { type Message, say } from '../../shared/message';
import { type Throttled, throttle } from '../../shared/throttle';
import type { EnvironmentRow, ShownStatus, Status } from '../../shared/types';
import type { Timer } from '../clock';
import { AppSupervisorError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { AppDefinition } from './apps/repository';
import type { CompatibilityPolicy } from './fleet/compatibility-policy';
import { createServices, type Services, type SupervisorPace, type SupervisorPartOptions } from './services';

/** Least time between two looks for wake-ups, in ms: each Worker of a fleet that boots sends ten a second. */
const WAKE_SPACING = 50;
/** For how long names of wake-ups are collected, in ms: most are about statuses, up to ten a second while an app boots. */
const FOLLOW_SPACING = 100;
/** For how long changes are collected before those who look are told, in ms. */
const TELL_SPACING = 250;
const PACE: SupervisorPace = { poll: 1_000, reload: 30_000, beginAgain: 5_000 };

interface Running extends Services {
  timers: Timer[];
}

/** What manages apps, put together: definitions, environments, what is seen of them, operations, and what of it is shown. */
export class SupervisorPart {
  /** Anything that is shown, or routed by, may have changed; of definitions, those of the given apps. */
  readonly changes = new Feed<ReadonlySet<string>>();
  /** Uids of apps of which nothing is left anywhere; listeners are waited for, and do not reject. */
  readonly appEnds = new Feed<string>();
  private running: Running | null = null;
  private starting = false;
  private storeWarnings: Message[] = [];
  /** Apps whose definitions changed since those who look were told. */
  private changedApps = new Set<string>();
  /** Names that wake-ups were about, until their definitions are read. */
  private readonly heard = new Set<string>();
  private readonly readHeard: Throttled;
  private readonly tellSoon: Throttled;

  constructor(private readonly options: SupervisorPartOptions) {
    const { timeout } = options.clock;
    const readHeard = () => {
      const heard = [...this.heard];
      this.heard.clear();
      void this.running?.appCache.refresh(heard).catch(() => undefined);
    };
    this.readHeard = throttle(readHeard, FOLLOW_SPACING, { leading: false, timeout });
    this.tellSoon = throttle(() => this.tell(), TELL_SPACING, { leading: false, timeout });
  }

  /**
   * Whether requests are routed: definitions and environments were read, and the fleet was looked at if its Redis can be reached.
   * Before that nobody can say that an app is unknown.
   */
  get loaded(): boolean {
    return this.running !== null;
  }

  /** Begins, once; again after every restart of the main app does nothing. Never rejects. */
  start(main: Application): void {
    if (this.running || this.starting) return;
    this.starting = true;
    this.startNow(main).catch((error) => {
      this.starting = false;
      // Half begun is not begun.
      for (const timer of this.running?.timers ?? []) timer.cancel();
      this.running = null;
      this.options.log.error(`Managing apps could not begin, it is tried again: ${messageOf(error)}`);
      this.options.clock.timeout((this.options.pace ?? PACE).beginAgain, () => this.start(main));
    });
  }

  /** The main app is about to end, and its database with it: another Supervisor is to lead at once. Never rejects. */
  async prepareToLeave(): Promise<void> {
    const { running } = this;
    if (!running) return;
    for (const timer of running.timers) timer.cancel();
    await running.leadership.resign().catch((error) => {
      this.options.log.warn(
        `The lead could not be passed on, another Supervisor takes it in a while: ${messageOf(error)}`,
      );
    });
    this.options.bus.notify('supervisors', []);
  }

  stop(): void {
    const { running } = this;
    this.running = null;
    for (const timer of running?.timers ?? []) timer.cancel();
  }

  /** @throws AppSupervisorError while definitions are not read yet */
  get parts(): Running {
    if (!this.running) throw new AppSupervisorError('NOT_READY');
    return this.running;
  }

  /** Whether an environment has registered, now or before. */
  knows(environment: string): boolean {
    return Boolean(this.running?.environmentCache.registrationOf(environment));
  }

  app(name: string): AppDefinition | null {
    return this.running?.appCache.apps.get(name) ?? null;
  }

  apps(): AppDefinition[] {
    return [...(this.running?.appCache.apps.values() ?? [])];
  }

  /** Empty before the first load and after the end. */
  environmentRows(): EnvironmentRow[] {
    return this.running?.view.environmentRows() ?? [];
  }

  /** Undefined before the first load and after the end: then nothing is known. */
  statusIn(app: AppDefinition, environment: string): ShownStatus | undefined {
    return this.running?.view.statusIn(app, environment);
  }

  /** By app and environment, in one word each; of all apps when none are named. */
  statuses(names?: string[]): Record<string, Record<string, Status>> {
    const statusIn = this.parts.view.judge();
    const apps = names?.flatMap((name) => this.app(name) ?? []) ?? this.apps();
    const statusesOf = (app: AppDefinition) =>
      Object.fromEntries(app.environments.map((environment) => [environment, statusIn(app, environment).status]));
    return Object.fromEntries(apps.map((app) => [app.name, statusesOf(app)]));
  }

  get wsPath(): string {
    return this.options.wsPath;
  }

  /** What is wrong with this process or its Redis, in words that say what to do. */
  warnings(): Message[] {
    return [
      ...this.options.warnings,
      ...(this.running?.observer.foreign ? [say('FOREIGN_FLEET')] : []),
      ...this.storeWarnings,
    ];
  }

  /**
   * An environment is gone for good; what waits for it ends.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_ALIVE
   */
  async forget(environment: string): Promise<void> {
    const { environmentCache, driver } = this.parts;
    await environmentCache.forget(environment);
    await driver.tick();
  }

  private async startNow(main: Application): Promise<void> {
    const { bus, clock, pace = PACE } = this.options;
    const onAppEnd = (uid: string) => this.appEnds.tellAndWait(uid);
    const running: Running = { ...createServices(main, { ...this.options, pace, onAppEnd }), timers: [] };
    this.listen(running);
    const { appCache, leadership, environmentCache, compatibility, observer, driver } = running;
    await appCache.load();
    // Tells which fleet this is: whose environments the first look shows has to be known before it.
    await leadership.claim();
    await environmentCache.load();
    await observer.poll();
    await this.findPlugins(compatibility);
    this.running = running;
    // At once: whoever learns now that this process is ready sends requests.
    this.tell();
    const woken = throttle(
      () => {
        void observer.poll();
        void driver.tick();
      },
      WAKE_SPACING,
      { leading: true, timeout: clock.timeout },
    );
    await bus.onNotify('supervisors', (names) => {
      // It may come while this process leaves.
      if (!this.running) return;
      woken();
      // Names come from workers, about statuses, and from other supervisors, about definitions.
      this.follow(names);
    });
    const every = (interval: number, work: () => void) => running.timers.push(clock.interval(interval, work));
    every(pace.poll, () => {
      void observer.poll();
      void driver.tick();
      if (leadership.leads) void running.storeSecrets();
    });
    every(pace.reload, () => {
      if (leadership.leads) {
        void running.finishFailed([...appCache.apps.keys()]);
        void running.restartStale([...appCache.apps.keys()]);
      }
      // The leader reads them before it compares the store with them.
      else void appCache.load().catch(() => undefined);
      void this.publishAppIndex();
      void environmentCache.load().catch(() => undefined);
      void this.findPlugins(compatibility);
      this.askStore();
    });
    this.askStore();
    void observer.poll();
    void driver.tick();
  }

  /** Passes on what one service has to tell others that were made before it. */
  private listen(services: Services): void {
    const { appCache, appIndex, driver, observer, environmentCache, compatibility, leadership } = services;
    const onChange = () => this.changed();
    appCache.changes.listen((change) => {
      appIndex.note(change.names);
      for (const name of change.names) this.changedApps.add(name);
      driver.noteApps(change);
      onChange();
    });
    observer.changes.listen(({ environments, apps }) => {
      void environmentCache.remember(environments).then(async (isNew) => {
        if (isNew || compatibility.hasNewPlugins(apps)) await this.findPlugins(compatibility);
      });
      if (leadership.leads) {
        void services.restartStale(apps);
        void services.finishFailed(apps);
      }
      driver.noteStatuses(apps);
      void driver.tick();
      onChange();
    });
    observer.flushes.listen(() => {
      appIndex.invalidate();
      driver.invalidateStore();
    });
    driver.changes.listen(onChange);
    environmentCache.changes.listen(onChange);
  }

  /** Never rejects. */
  private async findPlugins(compatibility: CompatibilityPolicy): Promise<void> {
    if (await compatibility.findPlugins()) this.changed();
  }

  /** Asks Redis whether its settings keep what is promised; what it cannot answer now it answers later. */
  private askStore(): void {
    this.options.stores.warnings().then(
      (warnings) => {
        this.storeWarnings = warnings;
      },
      () => undefined,
    );
  }

  /** Another supervisor may have changed definitions. The leader sees that by the operation that each change has. */
  private follow(names: string[]): void {
    if (this.parts.leadership.leads || !names.length) return;
    for (const name of names) this.heard.add(name);
    this.readHeard();
  }

  /** Tells the fleet what apps there are; what could not be written is written with the next change or round. */
  private async publishAppIndex(): Promise<void> {
    const { running } = this;
    if (!running?.leadership.leads || running.observer.foreign) return;
    try {
      if (!(await running.appIndex.write(running.appCache.apps))) return;
      // By name of no app: the directory is what there is to read.
      for (const { name: environment } of running.environmentCache.all()) this.options.bus.notify({ environment }, []);
    } catch {
      running.appIndex.invalidate();
    }
  }

  /** What changes before anything can be shown is told with the rest. */
  private changed(): void {
    if (this.running) this.tellSoon();
  }

  private tell(): void {
    const names = this.changedApps;
    this.changedApps = new Set();
    void this.publishAppIndex();
    this.changes.tell(names);
  }
}
