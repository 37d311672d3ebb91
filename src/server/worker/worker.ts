import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Model } from '@nocobase/database';
import type { Message } from '../../shared/message';
import type { AdminPassword, Registration } from '../../shared/messages';
import type { PartInfo, Status } from '../../shared/types';
import type { Clock } from '../clock';
import type { EnvironmentConfig } from '../config';
import { AppSupervisorError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import { workerAdminWarning } from '../protocol/administrator';
import { AppIndexReader } from '../protocol/app-index';
import type { MessageBus, RequestHandlers } from '../protocol/bus';
import { fingerprint } from '../protocol/secrets';
import type { Stores } from '../protocol/stores';
import { AppController } from './apps/controller';
import { FollowedSnapshot } from './followed-snapshot';
import type { HostDatabase } from './hosting/connection';
import type { AppHost } from './hosting/host';
import { LeaseKeeper, type LeaseRole } from './lease';
import { createProcessLock } from './process-lock';
import { RemoteStatuses } from './remote-statuses';
import { StatusReporter } from './reporter';
import { SnapshotStore } from './snapshot';

/** How often everything is looked at again, whatever wake-ups came, in ms. */
const ROUND = 30_000;
/** The same where another process's snapshot is followed, since nothing wakes this one. */
const FOLLOWING_ROUND = 5_000;
/** When to try again to begin, in ms. */
const BEGIN_AGAIN = 5_000;
/** How long apps that a release before 0.1.1 left without a JWT secret wait for the Supervisor's, in ms: it may start beside this one. */
const SECRETS_WITHIN = 20_000;

export interface WorkerPartOptions {
  coreApps: CoreAppRegistry;
  host: AppHost;
  stores: Pick<Stores, 'records' | 'leases' | 'fleet' | 'statuses' | 'appIndex'>;
  bus: MessageBus;
  environment: EnvironmentConfig;
  /** The one app that this process runs; null runs all of the environment's. */
  only: string | null;
  /** `APP_SUPERVISOR_PUBLIC_URL` as set here, which says more than what the Supervisor tells. */
  publicUrl: string | null;
  instance: string;
  aesKey: Buffer | null;
  appKey: string;
  clock: Clock;
  log: Log;
  warnings: Message[];
  /** What it answers to requests. */
  handlers: RequestHandlers;
  roundEvery?: number;
  beginAgain?: number;
  leaving?: number;
  secretsWithin?: number;
}

/** What hosts apps: its lease, its snapshot, its apps and what it says of them. */
export class WorkerPart {
  readonly host: AppHost;
  /** Apps of the whole fleet, as the supervisor last told them. */
  readonly appIndex: AppIndexReader;
  /** Which apps there are, or their domains, may have changed. */
  readonly records = new Feed<void>();
  private readonly elsewhere: RemoteStatuses;
  private running: {
    keeper: LeaseKeeper;
    controller: AppController;
    reporter: StatusReporter;
    round?: NodeJS.Timeout;
  } | null = null;
  private mainAdminPassword: AdminPassword | null = null;
  private followed: FollowedSnapshot | null = null;
  private starting = false;
  private left = false;
  /** Of the records that were last read, all together. */
  private recordsVersion: string | null = null;
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });

  constructor(private readonly options: WorkerPartOptions) {
    this.host = options.host;
    this.appIndex = new AppIndexReader(options.stores.appIndex);
    this.elsewhere = new RemoteStatuses(options.stores);
  }

  get environment(): string {
    return this.options.environment.name;
  }

  get controller(): AppController | null {
    return this.running?.controller ?? null;
  }

  /** Somebody asks for an app; whether there is such an app here. Before records are read nobody can say that there is none. */
  visit(name: string): boolean {
    return this.controller ? this.controller.visit(name) : true;
  }

  /** Another plugin no longer needs an app in this process; false when this process does not host it. */
  async unload(name: string): Promise<boolean> {
    const { controller } = this;
    if (!controller?.apps.get(name)) return false;
    await controller.unload(name);
    return true;
  }

  /** By app and environment: of its own apps as they are, of the others as their environments report them. Never rejects. */
  async statuses(): Promise<Record<string, Record<string, Status>>> {
    const { controller, environment } = this;
    const elsewhere = await this.elsewhere.read();
    const places = new Map<string, string[]>();
    for (const name of controller?.apps.names() ?? []) places.set(name, [environment]);
    for (const { name, environments } of this.appIndex.all()) places.set(name, environments);
    const statusIn = (place: string, app: string) =>
      place === environment ? controller?.apps.entry(app)?.status : elsewhere.get(place)?.get(app);
    return Object.fromEntries(
      [...places].map(([app, names]) => [
        app,
        Object.fromEntries(names.map((place) => [place, statusIn(place, app) ?? 'unknown'])),
      ]),
    );
  }

  /** What this worker's own page says: who manages it, and what it hosts. */
  about(): Required<Pick<PartInfo, 'supervisor' | 'apps'>> {
    const { controller, appIndex, options } = this;
    const { supervisor } = appIndex;
    const apps = (controller?.apps.records() ?? []).flatMap(({ name, title }) => {
      const entry = controller?.apps.entry(name);
      if (!entry) return [];
      const { status, since, version, message, error } = entry;
      return [{ name, title, status, since, version, ...(message ? { message } : {}), ...(error ? { error } : {}) }];
    });
    return { supervisor: supervisor && { ...supervisor, publicUrl: options.publicUrl ?? supervisor.publicUrl }, apps };
  }

  /** What this process may do for its environment; undefined until it has begun and after it has left. */
  get role(): LeaseRole | undefined {
    return this.running?.keeper.role;
  }

  /** What is wrong with the password of the main app's root user, null when nothing is. Never rejects. */
  noteAdminPassword(found: AdminPassword | null): void {
    if (this.mainAdminPassword === found) return;
    this.mainAdminPassword = found;
    void this.announce().catch(() => undefined);
  }

  /** Begins to take part, once; the main app is not held up by anything of it. Never rejects. */
  start(): void {
    if (this.running || this.starting) {
      // The main app was restarted: what it runs may have changed.
      void this.announce().catch(() => undefined);
      return;
    }
    this.starting = true;
    this.startNow().catch((error) => {
      this.options.log.error(`This worker could not begin, it is tried again: ${messageOf(error)}`);
      if (this.running) clearInterval(this.running.round);
      this.running = null;
      setTimeout(() => {
        this.starting = false;
        if (!this.left) this.start();
      }, this.options.beginAgain ?? BEGIN_AGAIN).unref();
    });
  }

  /**
   * In a worker thread: opens one app as it was last wished, beside the process that hosts it, until the main app ends.
   * @throws AppSupervisorError and whatever the core throws
   */
  async openForCommand(name: string): Promise<void> {
    const { main } = this.options.coreApps.apps;
    const found = await new SnapshotStore(main).find(name);
    if (!found || found.record.desired === 'removed') throw new AppSupervisorError('UNKNOWN_APP', { app: name });
    await this.host.openBeside(found.record);
  }

  /** The main app is about to end, and its database with it. */
  async prepareToLeave(): Promise<void> {
    const { running } = this;
    if (!running) return;
    await running.keeper.announceStopping().catch(() => undefined);
    this.options.bus.notify('supervisors', []);
    await Promise.all([
      running.controller.clearCrashMarkers().catch(() => undefined),
      running.controller.drainTraffic(),
    ]);
  }

  /** Leaves: others see it at once. Never rejects. */
  async stop(): Promise<void> {
    this.left = true;
    const { running } = this;
    if (!running) return;
    this.running = null;
    clearInterval(running.round);
    running.controller.close();
    running.reporter.close();
    this.delay.disable();
    await running.keeper.stop();
  }

  private async startNow(): Promise<void> {
    const { options } = this;
    const { coreApps, environment, instance, stores, bus, only, clock, log } = options;
    const main = coreApps.apps.main;
    const store = new SnapshotStore(main);
    this.followed = only === null ? null : new FollowedSnapshot(store, only);
    // Beside the process that runs the others, which has the environment's own lock.
    const lockName = only === null ? environment.name : `${environment.name}/${only}`;
    this.delay.enable();
    let hasSecrets = true;
    const controller: AppController = new AppController({
      environment: environment.name,
      snapshot: this.followed ?? store,
      host: this.host,
      coreApps,
      clock,
      log,
      mayHost: () => hasSecrets && (keeper.role === 'holder' || keeper.role === 'alone'),
      onReport: (names) => reporter.report(names),
      leaving: options.leaving,
    });
    const keeper: LeaseKeeper = new LeaseKeeper({
      leases: stores.leases,
      environment: environment.name,
      instance,
      interval: environment.heartbeatInterval,
      lock: createProcessLock(main.db.options as unknown as HostDatabase, lockName, log),
      clock,
      log,
      vitals: () => this.vitals(),
      onRole: async (role, fresh) => {
        if (role === 'standby') {
          await controller.standDown();
          return;
        }
        if (fresh) {
          await this.announce();
          reporter.reportAll();
          void this.readAll();
        }
        controller.convergeAll();
      },
    });
    const reporter: StatusReporter = new StatusReporter({
      environment: environment.name,
      instance,
      statuses: stores.statuses,
      bus,
      log,
      epoch: () => (keeper.role === 'holder' ? keeper.epoch : null),
      entries: (names) =>
        (names === 'all' ? controller.apps.names() : names).flatMap((name) => controller.apps.entry(name) ?? []),
      onRefused: () => void keeper.beatNow(),
    });
    const running: typeof this.running = { keeper, controller, reporter };
    this.running = running;
    this.recordsVersion = null;

    await controller.restore();
    if (this.running !== running) return; // it has left meanwhile
    hasSecrets = controller.apps.haveSecrets();
    // Not before: what a round accepted would be replaced by what is remembered, and as read already not be read again.
    running.round = setInterval(
      () => {
        void this.readAll();
        void reporter.check();
      },
      options.roundEvery ?? (only === null ? ROUND : FOLLOWING_ROUND),
    );
    running.round.unref();
    this.records.tell();
    await bus.onNotify(
      { environment: environment.name },
      (names) => void (names.length ? this.read(names) : this.readAppIndex()),
    );
    await bus.serve(environment.name, options.handlers);
    await keeper.start();
    await this.readAll();
    if (!hasSecrets) await this.untilSecrets(controller);
    hasSecrets = true;
    controller.convergeAll();
  }

  /** A boot without the stored secret makes one up: sign-ins would end with it, and once more with the next. */
  private async untilSecrets(controller: AppController): Promise<void> {
    const { clock, secretsWithin = SECRETS_WITHIN } = this.options;
    const end = clock().mono + secretsWithin;
    while (this.controller === controller && !controller.apps.haveSecrets() && clock().mono < end) {
      await sleep(Math.min(500, secretsWithin));
      await this.readAll();
    }
  }

  private async read(names: string[]): Promise<void> {
    const { stores, environment } = this.options;
    await this.take(async (controller) => controller.accept(await stores.records.read(environment.name, names)));
  }

  /** Everything, as far as it has changed since it was read. */
  private async readAll(): Promise<void> {
    const { followed } = this;
    const { stores, environment } = this.options;
    await this.take(async (controller) => {
      if (followed) return controller.acceptAll(await followed.records());
      const read = await stores.records.readSince(environment.name, this.recordsVersion);
      if (!read) return;
      await controller.acceptAll(read.records);
      this.recordsVersion = read.version;
    });
    await this.readAppIndex();
    await this.controller?.apps.findStalePlugins();
    await this.controller?.apps.findChangedAdminPasswords();
    this.controller?.convergeAll();
  }

  private async take(read: (controller: AppController) => Promise<void>): Promise<void> {
    if (!this.controller) return;
    try {
      await read(this.controller);
      this.records.tell();
    } catch (error) {
      // The snapshot stands, and what failed may be due for another try.
      this.options.log.debug(`Records could not be read, what is known stands: ${messageOf(error)}`);
    }
  }

  private async readAppIndex(): Promise<void> {
    await this.appIndex.read().catch(() => undefined);
  }

  /** Says what this environment is; again whenever it may have changed. */
  private async announce(): Promise<void> {
    const { running } = this;
    if (running?.keeper.role !== 'holder') return;
    await this.options.stores.fleet.writeRegistration(await this.registration());
    running.keeper.noteRegistration();
  }

  private async registration(): Promise<Registration> {
    const { coreApps, environment, aesKey, appKey, warnings } = this.options;
    const main = coreApps.apps.main;
    const rows = await main.db
      .getRepository('applicationPlugins')
      .find({ filter: { enabled: true, builtIn: true }, sort: ['name'] });
    return {
      name: environment.name,
      url: environment.url,
      proxyUrl: environment.proxyUrl,
      appVersion: main.getPackageVersion(),
      plugins: rows.map((row: Model) => `${row.get('name')}@${row.get('version')}`),
      serves: environment.serves,
      fingerprints: { appKey: fingerprint(appKey), aesKey: aesKey ? fingerprint(aesKey.toString('hex')) : null },
      warnings: [
        ...warnings,
        ...(this.mainAdminPassword ? [workerAdminWarning(environment.name, environment.url)] : []),
      ],
      setsInitialAdmin: true,
    };
  }

  private vitals() {
    const eventLoopDelay = Math.round(this.delay.percentile(99) / 1e6) || 0;
    this.delay.reset();
    return { memory: process.memoryUsage.rss(), eventLoopDelay };
  }
}
