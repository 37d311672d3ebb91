import type { Application } from '@nocobase/server';
import { type Message, say } from '../../shared/message';
import { throttle } from '../../shared/throttle';
import type { EnvironmentRow, ShownStatus, Status } from '../../shared/types';
import type { Clock } from '../clock';
import { AppSupervisorError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { FindInstalled } from '../nocobase/installed-plugins';
import { AppIndexWriter } from '../protocol/app-index';
import type { MessageBus } from '../protocol/bus';
import type { Stores } from '../protocol/stores';
import { AppCache } from './apps/cache';
import { Migration } from './apps/migration';
import { type AppDefinition, AppRepository } from './apps/repository';
import { AppService } from './apps/service';
import { Driver } from './control/driver';
import { Leadership } from './control/leader';
import type { Operation } from './control/rollout';
import { staleRestarter } from './control/stale';
import { OperationStore } from './control/store';
import { secretStorer } from './control/stored-secrets';
import { finisher } from './control/unfinished';
import { CompatibilityPolicy } from './fleet/compatibility-policy';
import { EnvironmentCache } from './fleet/environment-cache';
import { FleetObserver } from './fleet/observer';
import { EnvironmentRegistry } from './fleet/registry';
import { WorkerRequests } from './fleet/worker-requests';
import { FleetView } from './view';

/** What is done without being asked, and how often, in ms; tests hurry. */
export interface SupervisorPace {
  /** The fleet is looked at; two Redis commands a look. */
  poll: number;
  /** Definitions are read anew. */
  reload: number;
  /** The store is compared with what it should hold. */
  reconcile?: number;
  /** A lead that does not move is over. */
  leadExpiry?: number;
  /** Begins again after it could not begin. */
  beginAgain: number;
}
/** Least time between two looks for wake-ups, in ms: each Worker of a fleet that boots sends ten a second. */
const WAKE_SPACING = 50;
/** For how long names of wake-ups are collected, in ms: most are about statuses, up to ten a second while an app boots. */
const FOLLOW_SPACING = 100;
/** For how long changes are collected before those who look are told, in ms. */
const TELL_SPACING = 250;
const PACE: SupervisorPace = { poll: 1_000, reload: 30_000, beginAgain: 5_000 };

export interface SupervisorPartOptions {
  stores: Pick<Stores, 'records' | 'leases' | 'fleet' | 'statuses' | 'appIndex' | 'warnings'>;
  bus: MessageBus;
  instance: string;
  aesKey: Buffer | null;
  appKey: string;
  clock: Clock;
  log: Log;
  warnings: Message[];
  /** `WS_PATH`, to try whether a worker opens WebSockets. */
  wsPath: string;
  /** `APP_SUPERVISOR_PUBLIC_URL`, for the workers to know. */
  publicUrl: string | null;
  schemaByDefault: boolean;
  findInstalled: FindInstalled;
  /** What a new app gets when its request names none; null when it has to name some. */
  defaultEnvironments: string[] | null;
  pace?: SupervisorPace;
  onOperationEnd?(operation: Operation): void;
}

interface Running {
  appRepository: AppRepository;
  appCache: AppCache;
  registry: EnvironmentRegistry;
  environmentCache: EnvironmentCache;
  compatibility: CompatibilityPolicy;
  operations: OperationStore;
  observer: FleetObserver;
  driver: Driver;
  leadership: Leadership;
  service: AppService;
  requests: WorkerRequests;
  appIndex: AppIndexWriter;
  migration: Migration;
  view: FleetView;
  finishFailed(names: Iterable<string>): Promise<void>;
  restartStale(names: Iterable<string>): Promise<void>;
  storeSecrets(): Promise<void>;
  timers: NodeJS.Timeout[];
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
  private readonly readHeard = throttle(
    () => {
      const heard = [...this.heard];
      this.heard.clear();
      void this.running?.appCache.refresh(heard).catch(() => undefined);
    },
    FOLLOW_SPACING,
    { leading: false },
  );
  private readonly tellSoon = throttle(() => this.tell(), TELL_SPACING, { leading: false });

  constructor(private readonly options: SupervisorPartOptions) {}

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
      for (const timer of this.running?.timers ?? []) clearInterval(timer);
      this.running = null;
      this.options.log.error(`Managing apps could not begin, it is tried again: ${messageOf(error)}`);
      setTimeout(() => this.start(main), (this.options.pace ?? PACE).beginAgain).unref();
    });
  }

  /** The main app is about to end, and its database with it: another Supervisor is to lead at once. Never rejects. */
  async prepareToLeave(): Promise<void> {
    const { running } = this;
    if (!running) return;
    for (const timer of running.timers) clearInterval(timer);
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
    for (const timer of running?.timers ?? []) clearInterval(timer);
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
    const { bus, pace = PACE } = this.options;
    const running = this.assemble(main);
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
      { leading: true },
    );
    await bus.onNotify('supervisors', (names) => {
      // It may come while this process leaves.
      if (!this.running) return;
      woken();
      // Names come from workers, about statuses, and from other supervisors, about definitions.
      this.follow(names);
    });
    const every = (interval: number, work: () => void) => {
      const timer = setInterval(work, interval);
      timer.unref();
      running.timers.push(timer);
    };
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

  private assemble(main: Application): Running {
    const { stores, bus, instance, aesKey, clock, log, defaultEnvironments, findInstalled, pace = PACE } = this.options;
    const isThisProcess = defaultEnvironments !== null;
    const onChange = () => this.changed();
    const appRepository = new AppRepository(main);
    const registry = new EnvironmentRegistry(main);
    const operations = new OperationStore(main, this.options.onOperationEnd);
    const appIndex = new AppIndexWriter(stores.appIndex, { instance, publicUrl: this.options.publicUrl });
    const leadership = new Leadership(main, instance, clock, pace.leadExpiry, main.db.inDialect('sqlite'));
    const appCache = new AppCache(appRepository, (change) => {
      appIndex.note(change.names);
      for (const name of change.names) this.changedApps.add(name);
      driver.noteApps(change);
      onChange();
    });
    const observer = new FleetObserver(
      stores,
      clock,
      log,
      () => leadership.fleet || null,
      ({ environments, apps }) => {
        void environmentCache.remember(environments).then(async (isNew) => {
          if (isNew || compatibility.hasNewPlugins(apps)) await this.findPlugins(compatibility);
        });
        if (leadership.leads) {
          void restartStale(apps);
          void finishFailed(apps);
        }
        driver.noteStatuses(apps);
        void driver.tick();
        onChange();
      },
      () => {
        appIndex.invalidate();
        driver.invalidateStore();
      },
    );
    const driver: Driver = new Driver({
      appRepository,
      appCache,
      operations,
      observer,
      leadership,
      records: stores.records,
      fleet: stores.fleet,
      bus,
      clock,
      log,
      reconcileEvery: pace.reconcile,
      onChange,
      onAppEnd: (uid) => this.appEnds.tellAndWait(uid),
    });
    const environmentCache: EnvironmentCache = new EnvironmentCache({
      registry,
      observer,
      clock,
      log,
      leads: () => leadership.leads,
      takeOut: async (environment) => {
        observer.forget(environment);
        await service.forgetEnvironment(environment);
        await stores.fleet.forget(environment).catch(() => driver.invalidateStore());
      },
      onChange,
    });
    const compatibility = new CompatibilityPolicy({
      environmentCache,
      appCache,
      observer,
      aesKey,
      appVersion: main.getPackageVersion(),
      findInstalled,
      isOneRelease: isThisProcess,
    });
    const service: AppService = new AppService({
      app: main,
      appRepository,
      appCache,
      operations,
      driver,
      observer,
      bus,
      clock,
      aesKey,
      defaultEnvironments,
      compatibility,
    });
    const finishFailed = finisher({ appCache, driver, operations, service, log });
    const restartStale = staleRestarter({ observer, appCache, driver, service, compatibility, log });
    const storeSecrets = secretStorer({ appCache, driver, service, leads: () => leadership.leads, log });
    const requests = new WorkerRequests({ bus, compatibility, defaultEnvironments });
    const migration = new Migration(main, appCache, service, this.options.schemaByDefault);
    const view = new FleetView({ appCache, observer, driver, environmentCache, compatibility, isThisProcess });
    return {
      appRepository,
      appCache,
      registry,
      environmentCache,
      compatibility,
      operations,
      observer,
      driver,
      leadership,
      service,
      requests,
      appIndex,
      migration,
      view,
      finishFailed,
      restartStale,
      storeSecrets,
      timers: [],
    };
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
