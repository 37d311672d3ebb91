import type { Application } from '@nocobase/server';
import type { Registration } from '../../shared/messages';
import type { AppRow, EnvironmentRow, OperationRow, ShownStatus, Status } from '../../shared/types';
import { Catalog } from '../apps/catalog';
import { type AppDefinition, Definitions, desiredOf } from '../apps/definitions';
import { fingerprint } from '../apps/secrets';
import {
  appFindings,
  disagreement,
  environmentFindings,
  type Finding,
  type Installed,
} from '../environments/compatibility';
import type { Clock } from '../environments/health';
import { EnvironmentRegistry, type KnownEnvironment } from '../environments/registry';
import { AppSupervisorError, messageOf } from '../errors';
import type { FindInstalled } from '../hosting/plan';
import type { Log } from '../log';
import { Driver } from '../operations/driver';
import { Leadership } from '../operations/leader';
import { Migration } from '../operations/migration';
import type { Operation } from '../operations/rollout';
import { AppService } from '../operations/service';
import { OperationStore } from '../operations/store';
import type { RouteEnvironment } from '../proxy';
import { StatusBoard } from '../status/board';
import { shownStatus } from '../status/shown';
import type { Bus, StateStore } from '../wire/wire';
import { DirectoryWriter } from './directory';

/** What is done without being asked, and how often, in ms; tests hurry. */
export interface SupervisorPace {
  /** The fleet is looked at; two Redis commands a look. */
  look: number;
  /** Definitions are read anew. */
  reload: number;
  /** The store is compared with what it should hold. */
  reconcile?: number;
  /** A lead that does not move is over. */
  leadExpiry?: number;
  /** Begins again after it could not begin. */
  beginAgain: number;
}
const PACE: SupervisorPace = { look: 1_000, reload: 30_000, beginAgain: 5_000 };

export interface SupervisorPartOptions {
  state: StateStore;
  bus: Bus;
  instance: string;
  aesKey: Buffer | null;
  appKey: string;
  clock: Clock;
  log: Log;
  warnings: string[];
  /** `WS_PATH`, to try whether a worker opens WebSockets. */
  wsPath: string;
  /** `APP_SUPERVISOR_PUBLIC_URL`, for the workers to know. */
  publicUrl: string | null;
  schemaByDefault: boolean;
  findInstalled: FindInstalled;
  /** What a new app gets when its request names none; null when it has to name some. */
  defaultEnvironments: string[] | null;
  pace?: SupervisorPace;
  /** Anything that is shown, or routed by, may have changed. */
  onChange(): void;
  onOperationEnd?(operation: Operation): void;
}

interface Running {
  definitions: Definitions;
  catalog: Catalog;
  registry: EnvironmentRegistry;
  operations: OperationStore;
  board: StatusBoard;
  driver: Driver;
  leadership: Leadership;
  service: AppService;
  directory: DirectoryWriter;
  migration: Migration;
  timers: NodeJS.Timeout[];
}

/** What manages apps: definitions, what is seen of them, operations, and what of it is shown. */
export class SupervisorPart {
  private running: Running | null = null;
  private starting = false;
  private known = new Map<string, KnownEnvironment>();
  private remembering: Promise<void> = Promise.resolve();
  private storeWarnings: string[] = [];
  private pinged = false;
  /** Names that wake-ups were about, until their definitions are read. */
  private readonly heard = new Set<string>();
  private installed: Installed = { appVersion: '', plugins: new Map() };

  constructor(private readonly options: SupervisorPartOptions) {}

  /** Whether definitions were read: before that nobody can say that an app is unknown. */
  get loaded(): boolean {
    return this.running?.catalog.loaded ?? false;
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

  async stop(): Promise<void> {
    const { running } = this;
    this.running = null;
    if (!running) return;
    for (const timer of running.timers) clearInterval(timer);
    await running.leadership.resign().catch(() => undefined);
  }

  /** @throws AppSupervisorError while definitions are not read yet */
  get parts(): Running {
    if (!this.running) throw new AppSupervisorError('NOT_READY');
    return this.running;
  }

  app(name: string): AppDefinition | null {
    return this.running?.catalog.apps.get(name) ?? null;
  }

  apps(): AppDefinition[] {
    return [...(this.running?.catalog.apps.values() ?? [])];
  }

  environments(): KnownEnvironment[] {
    return [...this.known.values()];
  }

  /** Grows with every change of a definition. */
  get version(): number {
    return this.running?.catalog.version ?? 0;
  }

  /** What is shown of one app, by environment. */
  statusesOf(app: AppDefinition): Record<string, ShownStatus> {
    const statuses: Record<string, ShownStatus> = {};
    for (const environment of [...app.environments].sort()) {
      const status = this.statusIn(app, environment);
      if (status) statuses[environment] = status;
    }
    return statuses;
  }

  /** The one pure function on what is known now; nothing is known before the first load and after the end. */
  statusIn(app: AppDefinition, environment: string): ShownStatus | undefined {
    if (!this.running) return undefined;
    const { board } = this.running;
    const view = board.environment(environment);
    return shownStatus({
      uid: app.uid,
      environment,
      createdAt: app.createdAt,
      published: app.published[environment]?.generation ?? null,
      // Known from the database at the latest; one that nobody ever saw cannot be seen now.
      health: view?.health ?? 'unknown',
      healthSince: view?.since ?? app.createdAt,
      observed: board.observed(environment, app.name),
    });
  }

  /** By app and environment, in one word each. */
  statuses(): Record<string, Record<string, Status>> {
    return Object.fromEntries(
      this.apps().map((app) => [
        app.name,
        Object.fromEntries(Object.entries(this.statusesOf(app)).map(([name, { status }]) => [name, status])),
      ]),
    );
  }

  appRow(app: AppDefinition): AppRow {
    const { board, driver } = this.parts;
    const entries = app.environments.flatMap((environment) => board.observed(environment, app.name)?.entry ?? []);
    const mine = entries.filter((entry) => entry.uid === app.uid);
    const operation = driver.active.find((other) => other.appUid === app.uid);
    const { dbConnType, password: _, ...database } = app.database;
    return {
      name: app.name,
      uid: app.uid,
      title: app.title,
      icon: app.icon,
      cname: app.cname,
      pinned: app.pinned,
      hidden: app.hidden,
      sort: app.sort,
      environments: app.environments,
      targetEnvironment: app.targetEnvironment,
      desiredState: desiredOf(app),
      startMode: app.startMode,
      autoUpgrade: app.autoUpgrade,
      independentSecret: app.jwtSecret !== null,
      options: { dbConnType, database, ...(app.sso ? { sso: app.sso } : {}) },
      statuses: this.statusesOf(app),
      version: mine.find((entry) => entry.version)?.version ?? null,
      lastVisitAt: Math.max(0, ...mine.map((entry) => entry.lastVisitAt ?? 0)) || null,
      pendingChanges: [...new Set(mine.flatMap((entry) => entry.pendingChanges))],
      warnings: this.appWarningsOf(app),
      operation: operation ? operationRow(operation) : null,
      createdAt: app.createdAt,
      updatedAt: app.updatedAt,
    };
  }

  /** All environments, as requests are routed to them. */
  routeEnvironments(): RouteEnvironment[] {
    const { board } = this.parts;
    return this.environmentNames().map((name) => {
      const view = board.environment(name);
      const registration = view?.registration ?? this.known.get(name)?.registration;
      return {
        name,
        proxyUrl: registration?.proxyUrl ?? '',
        serves: registration?.serves ?? true,
        health: view?.health ?? 'unknown',
        epoch: view?.lease?.epoch,
      };
    });
  }

  private environmentNames(): string[] {
    const { board } = this.parts;
    const seen = board.names().filter((name) => board.environment(name)?.registration);
    return [...new Set([...this.known.keys(), ...seen])].sort();
  }

  environmentRows(): EnvironmentRow[] {
    const { board } = this.parts;
    const counts = new Map<string, Partial<Record<Status, number>>>();
    for (const app of this.apps()) {
      for (const [environment, { status }] of Object.entries(this.statusesOf(app))) {
        const count = counts.get(environment) ?? {};
        count[status] = (count[status] ?? 0) + 1;
        counts.set(environment, count);
      }
    }
    return this.environmentNames().map((name) => {
      const view = board.environment(name);
      const known = this.known.get(name);
      const registration = view?.registration ?? known?.registration ?? null;
      const health = view?.health ?? 'unknown';
      return {
        name,
        url: registration?.url ?? '',
        proxyUrl: registration?.proxyUrl ?? '',
        appVersion: registration?.appVersion ?? '',
        available: health === 'online' || health === 'suspect',
        health,
        since: view?.since ?? known?.lastSeenAt ?? 0,
        serves: registration?.serves ?? true,
        cordoned: known?.cordoned ?? false,
        instance: view?.lease?.instance ?? null,
        standby: view?.standby ?? null,
        lastHeartbeatAt: view?.lastHeartbeatAt ?? known?.lastSeenAt ?? null,
        apps: counts.get(name) ?? {},
        memory: view?.lease?.memory ?? null,
        eventLoopDelay: view?.lease?.eventLoopDelay ?? null,
        warnings: this.warningsOf(name),
      };
    });
  }

  /**
   * Whether an environment may get apps.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_CORDONED, KEY_DIFFERS, VERSION_DIFFERS, PLUGINS_MISSING
   */
  assertUsable(environment: string, field: string): void {
    const known = this.known.get(environment);
    const registration = this.parts.board.environment(environment)?.registration ?? known?.registration;
    if (!registration) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment }, field);
    if (known?.cordoned) throw new AppSupervisorError('ENVIRONMENT_CORDONED', { environment }, field);
    const variable = this.differingKey(registration.fingerprints);
    if (variable) throw new AppSupervisorError('KEY_DIFFERS', { environment, variable }, field);
    const refusal = this.findingsOf(registration).find(({ refuses }) => refuses);
    if (refusal) throw new AppSupervisorError(refusal.error.code, refusal.error.details, field);
  }

  /**
   * Whether several environments may serve one app: what one of them signs, all have to accept, and to what one upgrades its
   * data, all have to know.
   * @throws AppSupervisorError KEY_DIFFERS, ENVIRONMENTS_DIFFER
   */
  assertAgree(environments: string[], field: string): void {
    const [first, ...others] = environments.flatMap((environment) => this.registrationOf(environment) ?? []);
    for (const other of others) {
      if (other.fingerprints.appKey !== first.fingerprints.appKey)
        throw new AppSupervisorError('KEY_DIFFERS', { environment: other.name, variable: 'APP_KEY' }, field);
      const differ = disagreement(first, other);
      if (differ) throw new AppSupervisorError(differ.code, differ.details, field);
    }
  }

  private registrationOf(environment: string): Registration | null {
    return this.parts.board.environment(environment)?.registration ?? this.known.get(environment)?.registration ?? null;
  }

  /** In shared memory there is but one release. */
  private findingsOf(registration: Registration): Finding[] {
    return this.options.defaultEnvironments ? [] : environmentFindings(registration, this.installed);
  }

  /** Looks for the packages of whatever plugins the fleet has. Never rejects. */
  private async findPlugins(): Promise<void> {
    const { running } = this;
    if (!running || this.options.defaultEnvironments) return;
    const names = new Set<string>();
    for (const { registration } of this.known.values()) {
      for (const plugin of registration.plugins) names.add(plugin.slice(0, plugin.lastIndexOf('@')));
    }
    for (const { name, environments } of running.catalog.apps.values()) {
      for (const environment of environments) {
        for (const plugin of running.board.observed(environment, name)?.entry.plugins ?? []) names.add(plugin.name);
      }
    }
    const versions = new Map(
      (await this.options.findInstalled([...names])).map(({ name, version }) => [name, version]),
    );
    const plugins = new Map([...names].map((name) => [name, versions.get(name) ?? null]));
    const before = this.installed.plugins;
    this.installed = { ...this.installed, plugins };
    if (plugins.size !== before.size || [...plugins].some(([name, version]) => before.get(name) !== version))
      this.changed();
  }

  async setCordoned(environment: string, cordoned: boolean): Promise<void> {
    // One that has just been seen for the first time has its row then.
    await this.remembering;
    if (!this.known.has(environment)) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
    await this.parts.registry.setCordoned(environment, cordoned);
    await this.loadEnvironments();
    this.changed();
  }

  get wsPath(): string {
    return this.options.wsPath;
  }

  /**
   * Gone for good: its steps and tombstones end, its apps no longer lie there.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_ALIVE
   */
  async forget(environment: string): Promise<void> {
    const { board, registry, driver } = this.parts;
    if (!this.known.has(environment)) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
    const health = board.environment(environment)?.health;
    if (health === 'online' || health === 'suspect' || health === 'stopping') {
      throw new AppSupervisorError('ENVIRONMENT_ALIVE', { environment });
    }
    await this.takeOut(environment);
    await registry.forget(environment);
    this.known.delete(environment);
    board.forget(environment);
    await driver.tick();
    this.changed();
  }

  /** What lies in an environment, waits for it, or is told to it. */
  private async takeOut(environment: string): Promise<void> {
    const { board, service, driver } = this.parts;
    board.forget(environment);
    await service.forgetEnvironment(environment);
    await this.options.state.forget(environment).catch(() => driver.distrustStore());
  }

  private async startNow(main: Application): Promise<void> {
    const { state, bus, instance, aesKey, clock, log, defaultEnvironments, pace = PACE } = this.options;
    const definitions = new Definitions(main);
    const registry = new EnvironmentRegistry(main);
    const operations = new OperationStore(main, this.options.onOperationEnd);
    const directory = new DirectoryWriter(state, { instance, publicUrl: this.options.publicUrl });
    const leadership = new Leadership(main, instance, clock, pace.leadExpiry, main.db.inDialect('sqlite'));
    const catalog = new Catalog(definitions, () => this.changed());
    const board = new StatusBoard(
      state,
      clock,
      log,
      () => leadership.fleet || null,
      (environments) => {
        this.rememberSeen(environments);
        void this.restartStale(environments);
        void driver.tick();
        this.changed();
      },
      () => {
        directory.distrust();
        driver.distrustStore();
      },
    );
    const driver: Driver = new Driver({
      definitions,
      catalog,
      operations,
      board,
      leadership,
      state,
      bus,
      clock,
      log,
      reconcileEvery: pace.reconcile,
      onChange: () => this.changed(),
    });
    const service = new AppService({
      app: main,
      definitions,
      catalog,
      operations,
      driver,
      board,
      bus,
      clock,
      aesKey,
      defaultEnvironments,
      assertUsable: (environment, field) => this.assertUsable(environment, field),
      assertAgree: (environments, field) => this.assertAgree(environments, field),
    });
    const migration = new Migration(main, catalog, service, this.options.schemaByDefault);
    await catalog.load();
    // Tells which fleet this is: whose environments the first look shows has to be known before it.
    await leadership.claim();
    this.running = {
      definitions,
      catalog,
      registry,
      operations,
      board,
      driver,
      leadership,
      service,
      directory,
      migration,
      timers: [],
    };
    this.installed = { appVersion: main.getPackageVersion(), plugins: new Map() };
    await this.loadEnvironments();
    await this.findPlugins();
    await bus.onWake('supervisors', (names) => {
      void board.look();
      // Names come from workers, about statuses, and from other supervisors, about definitions.
      this.follow(names);
    });
    const every = (interval: number, work: () => void) => {
      const timer = setInterval(work, interval);
      timer.unref();
      this.running?.timers.push(timer);
    };
    every(pace.look, () => {
      void board.look();
      void driver.tick();
    });
    every(pace.reload, () => {
      void catalog
        .load()
        .then(() => this.tellDirectory())
        .catch(() => undefined);
      void this.loadEnvironments().catch(() => undefined);
      void this.findPlugins();
      state.warnings().then(
        (warnings) => {
          this.storeWarnings = warnings;
        },
        () => undefined,
      );
    });
    state.warnings().then(
      (warnings) => {
        this.storeWarnings = warnings;
      },
      () => undefined,
    );
    await board.look();
    void driver.tick();
    this.changed();
  }

  /** Another supervisor may have changed definitions. The leader sees that by the operation that each change has. */
  private follow(names: string[]): void {
    // A wake-up may come while this process leaves.
    if (!this.running) return;
    const { driver, leadership } = this.running;
    void driver.tick();
    if (leadership.leads || !names.length) return;
    if (!this.heard.size) {
      // Together: most wake-ups are about statuses, up to ten a second while an app boots.
      setTimeout(() => {
        const heard = [...this.heard];
        this.heard.clear();
        void this.running?.catalog.refresh(heard).catch(() => undefined);
      }, 100).unref();
    }
    for (const name of names) this.heard.add(name);
  }

  private async loadEnvironments(): Promise<void> {
    await this.remembering;
    const { registry, board, leadership } = this.parts;
    const all = await registry.all();
    const before = this.known;
    this.known = new Map(all.map((environment) => [environment.name, environment]));
    for (const { name, registration } of all) board.remember(name, registration);
    for (const name of before.keys()) {
      if (this.known.has(name)) continue;
      // Another supervisor forgot it. What a tick of the leader wrote meanwhile is taken out again.
      if (leadership.leads) await this.takeOut(name);
      else board.forget(name);
    }
  }

  /** One after the other, so that each environment gets one row. */
  private rememberSeen(environments: Set<string>): void {
    this.remembering = this.remembering
      .then(() => this.rememberNow(environments))
      .catch((error) => this.options.log.warn(`Environments could not be remembered: ${messageOf(error)}`));
  }

  private async rememberNow(environments: Set<string>): Promise<void> {
    for (const name of environments) {
      const registration = this.running?.board.environment(name)?.registration;
      const known = this.known.get(name);
      if (!registration || JSON.stringify(known?.registration) === JSON.stringify(registration)) continue;
      const now = this.options.clock().wall;
      await this.parts.registry.remember(registration, now);
      this.known.set(name, { name, registration, cordoned: known?.cordoned ?? false, lastSeenAt: now });
    }
    await this.findPlugins();
  }

  /**
   * Plugins of an app were enabled, disabled or updated in one of its environments: the others restart, one after the other,
   * since nothing else tells them.
   */
  private async restartStale(environments: Set<string>): Promise<void> {
    const { running } = this;
    if (!running?.leadership.leads) return;
    const { board, driver, service, catalog } = running;
    const names = new Set(
      [...environments].flatMap((environment) => [...board.entries(environment)].map(({ name }) => name)),
    );
    for (const name of names) {
      const app = catalog.apps.get(name);
      if (!app || app.environments.length < 2 || app.desired === 'stopped') continue;
      if (driver.active.some((operation) => operation.appUid === app.uid)) continue;
      const stale = app.environments.filter((environment) => {
        const entry = board.observed(environment, name)?.entry;
        return entry?.uid === app.uid && entry.status === 'running' && entry.pendingChanges.includes('plugins');
      });
      if (!stale.length) continue;
      this.options.log.info(`App ${name}: its plugins were changed elsewhere; ${stale.join(', ')} restart.`);
      await service
        .command(name, 'restart', null, { environments: stale })
        .catch((error) => this.options.log.warn(`App ${name} could not be restarted: ${messageOf(error)}`));
    }
  }

  private differingKey(fingerprints: { aesKey: string | null }): string | null {
    const mine = this.options.aesKey ? fingerprint(this.options.aesKey.toString('hex')) : null;
    return fingerprints.aesKey === mine ? null : 'APP_SUPERVISOR_AES_SECRET_KEY';
  }

  private warningsOf(environment: string): string[] {
    const view = this.parts.board.environment(environment);
    const registration = view?.registration ?? this.known.get(environment)?.registration;
    const own = registration?.warnings ?? [];
    const key = registration && this.differingKey(registration.fingerprints);
    return [
      ...own,
      ...(key ? [new AppSupervisorError('KEY_DIFFERS', { environment, variable: key }).message] : []),
      ...(registration ? this.findingsOf(registration).map(({ error }) => error.message) : []),
      ...this.strangersOf(environment),
      ...(view?.standby
        ? [
            `A second process of this environment is running (${view.standby}); it hosts nothing. Give it another ENVIRONMENT_NAME, or stop it.`,
          ]
        : []),
      ...(this.parts.board.foreign
        ? ['Another fleet uses the same Redis and APP_SUPERVISOR_KEY_PREFIX: give this one a prefix of its own.']
        : []),
      ...this.storeWarnings,
      ...this.options.warnings.filter((warning) => !own.includes(warning)),
    ];
  }

  /** Apps that an environment has and the database does not know: they were made after the backup it was restored from. */
  private strangersOf(environment: string): string[] {
    const { board, service } = this.parts;
    const strangers = [...board.entries(environment)].filter((entry) => service.isStranger(entry));
    if (!strangers.length) return [];
    const names = strangers.map(({ name }) => name).sort();
    return [
      `Apps lie here that this Supervisor does not know: ${names.join(', ')}. They go on as they are. Adopt them under the same names to manage them again.`,
    ];
  }

  private appWarningsOf(app: AppDefinition): string[] {
    if (this.options.defaultEnvironments) return [];
    const { board } = this.parts;
    const found = app.environments.flatMap((environment) => {
      const entry = board.observed(environment, app.name)?.entry;
      return entry?.uid === app.uid ? appFindings(app.name, environment, entry.plugins, this.installed) : [];
    });
    return [...new Set(found.map(({ message }) => message))];
  }

  /** Tells the fleet what apps there are; what could not be written is written with the next change or round. */
  private async tellDirectory(): Promise<void> {
    const { running } = this;
    if (!running?.leadership.leads || running.board.foreign) return;
    try {
      if (!(await running.directory.write(running.catalog.apps.values()))) return;
      // By name of no app: the directory is what there is to read.
      for (const environment of this.known.keys()) this.options.bus.wake({ environment }, []);
    } catch {
      running.directory.distrust();
    }
  }

  /** Tells those who look, at most four times a second. */
  private changed(): void {
    if (this.pinged) return;
    this.pinged = true;
    setTimeout(() => {
      this.pinged = false;
      void this.tellDirectory();
      this.options.onChange();
    }, 250).unref();
  }
}

export function operationRow(operation: Operation): OperationRow {
  const { id, appName, action, state, waitingFor, createdById, createdAt, finishedAt } = operation;
  const steps = operation.steps.map(({ kind: _, ...step }) => step);
  return { id, appName, action, state, waitingFor, steps, createdBy: createdById, createdAt, finishedAt };
}
