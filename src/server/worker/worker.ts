import { type Message, say } from '../../shared/message';
import type { AdminPassword, AppRecord, Registration } from '../../shared/messages';
import { pick } from '../../shared/pick';
import type { PartInfo, Status } from '../../shared/types';
import { type Timer, within } from '../clock';
import type { ServerRoles } from '../databases';
import { AppSupervisorError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { Lease } from '../lease/lease';
import { AppIndexReader } from '../protocol/app-index';
import { COMPARE, INTERVAL } from '../timing';
import { RECORDS_WITHIN } from './apps/by-cache';
import type { AppController } from './apps/controller';
import { raiseKey } from './apps/floor';
import { SnapshotStore } from './apps/snapshot';
import { untilFormerHasEnded } from './former-release';
import type { AppHost } from './hosting/host';
import { registrationOf } from './registration';
import { createLease, createServices, type Services, type WorkerPartOptions } from './services';
import type { WorkerState } from './tenures';
import { Vitals } from './vitals';

/** Interval of attempts to read records when a tenure begins, in ms. */
const ASK_AGAIN = INTERVAL / 20;

interface Running extends Services {
  round?: Timer;
}

/** The services that host apps: lease, snapshot, apps and reports. */
export class WorkerPart {
  readonly host: AppHost;
  /** Apps of the whole fleet, as the Supervisor last published them. */
  readonly appIndex: AppIndexReader;
  /** Apps or their domains may have changed. */
  readonly records = new Feed<void>();
  private running: Running | null = null;
  private mainAdminPassword: AdminPassword | null = null;
  private roles: ServerRoles | null = null;
  private starting = false;
  private left = false;
  private readonly vitals: Vitals;
  private lease: Lease | null = null;
  /** The registration that is under way. */
  private asked: { epoch: number; answer: Promise<Registration> } | null = null;

  constructor(private readonly options: WorkerPartOptions) {
    this.host = options.host;
    this.vitals = new Vitals(options.storagePath ?? null);
    this.appIndex = new AppIndexReader(options.stores.appIndex);
    options.stores.returns.listen(() => this.catchUp());
    options.bus.returns.listen(() => this.catchUp());
  }

  get environment(): string {
    return this.options.environment.name;
  }

  get controller(): AppController | null {
    return this.running?.controller ?? null;
  }

  /** What is known of the apps that are to be here; null before anything is. */
  get known(): AppRecord[] | null {
    return this.running?.known.isCurrent ? this.running.controller.apps.records() : null;
  }

  /** The stored secret of an app's JWT; null if there is none that this process can open. */
  jwtSecretOf(name: string): string | null {
    const record = this.controller?.apps.record(name);
    if (!record?.jwtSecret) return null;
    const secret = this.host.reveal(record.jwtSecret, record, 'jwtSecret');
    return secret === record.jwtSecret ? null : secret;
  }

  /**
   * A visit to an app; whether this process has such an app. Before records are read, no app is known to be missing.
   */
  visit(name: string): boolean {
    return this.running?.known.isCurrent ? this.running.controller.visit(name) : true;
  }

  /** Whether an app is here, or is about to be; null if this process does not know, or does not host. */
  hosts(name: string): boolean | null {
    const { tenures, known, controller } = this.running ?? {};
    if (!tenures?.hosts || !known?.isCurrent || !controller?.isRead) return null;
    const held = controller.apps.get(name);
    return held !== undefined && !(held.record.desired === 'removed' && held.status === 'not_found');
  }

  /** Another plugin no longer needs an app in this process; false if this process does not host it. */
  async unload(name: string): Promise<boolean> {
    const { controller } = this;
    if (!controller?.apps.get(name)) return false;
    await controller.unload(name);
    return true;
  }

  /** By app and environment, of its own environment alone: what others report is signed for the Supervisor. */
  statuses(): Record<string, Record<string, Status>> {
    const apps = this.controller?.apps.all() ?? [];
    return Object.fromEntries(apps.map(([name, { status }]) => [name, { [this.environment]: status }]));
  }

  /** Its own problems, as messages that say what to do. */
  warnings(): Message[] {
    return this.running?.reader.hasOtherKey ? [say('KEY_ENDED', { environment: this.environment })] : [];
  }

  /** The content of this worker's own page: its Supervisor, and the apps that it hosts. */
  about(): Required<Pick<PartInfo, 'supervisor' | 'apps'>> {
    const { controller, appIndex, options } = this;
    const { supervisor } = appIndex;
    const apps = (controller?.apps.records() ?? []).flatMap(({ name, title }) => {
      const entry = controller?.apps.entry(name);
      return entry ? [{ name, title, ...pick(entry, ['status', 'since', 'version', 'message', 'error']) }] : [];
    });
    return { supervisor: supervisor && { ...supervisor, publicUrl: options.publicUrl ?? supervisor.publicUrl }, apps };
  }

  /** What this process is in its environment; undefined until it has begun and after it has left. */
  get role(): WorkerState | undefined {
    return this.running?.tenures.state;
  }

  /** Whether it holds its environment, and the store knows it. */
  get isAnnounced(): boolean {
    const { tenures } = this.running ?? {};
    return tenures?.hosts === true && tenures.announcer.announced !== null;
  }

  /** The same for its probe: `alone` if it hosts and does not reach the store. */
  get probed(): WorkerState | 'alone' | undefined {
    return this.running?.tenures.hosts && !this.isAnnounced ? 'alone' : this.role;
  }

  /** Looks at its lease from now on: the sooner it sees that a predecessor has died, the sooner it takes it. */
  watch(): void {
    if (this.left) return;
    this.lease ??= createLease(this.options);
    this.lease.watch();
  }

  /** The problem of the main app's root user's password, or null. Never rejects. */
  setAdminPassword(found: AdminPassword | null): void {
    if (this.mainAdminPassword === found) return;
    this.mainAdminPassword = found;
    this.announce();
  }

  /** Begins to participate, once; nothing of it delays the main app. Never rejects. */
  start(): void {
    if (this.running || this.starting) {
      // The main app was restarted: its plugins may have changed.
      this.announce();
      return;
    }
    this.starting = true;
    this.startNow().catch((error) => {
      this.options.log.error(`This worker could not begin, it is tried again: ${messageOf(error)}`);
      this.running?.reader.close();
      this.running?.controller.close();
      this.running?.round?.cancel();
      this.running = null;
      this.options.clock.timeout(this.options.beginAgain ?? INTERVAL, () => {
        this.starting = false;
        if (!this.left) this.start();
      });
    });
  }

  /**
   * In a worker thread or a command-line run: opens one app in its last desired state, next to the process that hosts it,
   * until the main app ends.
   * @param starts false: the app is registered and not started
   * @throws AppSupervisorError and errors of the core
   */
  async openForCommand(name: string, starts: boolean): Promise<void> {
    const { coreApps, keyring } = this.options;
    const snapshot = new SnapshotStore(coreApps.apps.main);
    const newest = async () => {
      await raiseKey(snapshot, this.environment, keyring);
      const found = await snapshot.find(name);
      if (!found || found.record.desired === 'removed') throw new AppSupervisorError('UNKNOWN_APP', { app: name });
      return found.record;
    };
    await this.host.openBeside(newest, starts);
  }

  /** The main app is about to end, and its database with it. */
  async prepareToLeave(): Promise<void> {
    const { running } = this;
    if (!running) return;
    await running.tenures.announcer.stopping().catch(() => undefined);
    this.options.bus.notify('supervisors', []);
    await Promise.all([
      running.controller.clearCrashMarkers().catch(() => undefined),
      running.controller.writes.saveVisits(0),
      running.controller.exit.drain(),
    ]);
  }

  /** Leaves; others see it immediately. Never rejects. */
  async stop(): Promise<void> {
    this.left = true;
    const { running } = this;
    if (!running) return this.lease?.resign().catch(() => undefined);
    this.running = null;
    running.round?.cancel();
    running.reader.close();
    running.controller.close();
    running.reporter.close();
    this.vitals.stop();
    await running.tenures.stop();
  }

  private async startNow(): Promise<void> {
    const { environment, bus, only, handlers, roundEvery, clock } = this.options;
    this.vitals.start();
    this.lease ??= createLease(this.options);
    const running: Running = createServices(this.options, this.lease, this.vitals, this.appIndex, (epoch) =>
      this.registration(epoch),
    );
    const { controller, reporter, reader, tenures, hasFormer } = running;
    this.listen(running);
    this.running = running;
    // Nothing notifies a process that follows another process's snapshot.
    running.round = clock.interval(roundEvery ?? (only === null ? COMPARE : INTERVAL), () => {
      void reader.readAll();
      void reporter.check();
      void this.checkRoles();
      void this.followKey();
      void controller.writes.saveVisits();
    });
    void this.followKey();
    await bus.onNotify({ environment: environment.name }, (uids) => void reader.read(uids));
    await bus.serve(environment.name, handlers, () => !tenures.isElsewhere);
    const goesOn = () => this.running === running;
    await untilFormerHasEnded({ ...this.options, lease: this.lease, hasFormer, goesOn });
    await tenures.start();
    await reader.readAll();
  }

  /**
   * Begins a tenure: reads what the last one wrote, and then the records, which say what is done. An app whose record does not come in time
   * goes by the snapshot. Never rejects.
   */
  private async beginTenure(running: Running): Promise<void> {
    const { clock, recordsWithin = RECORDS_WITHIN } = this.options;
    const { controller, reader, known } = running;
    const tenure = {};
    known.tenure = tenure;
    const isIts = () => this.running === running && known.tenure === tenure;
    await this.readCache(running, isIts);
    this.forgetStore(running);
    const end = clock.now().mono + recordsWithin;
    for (let left = recordsWithin; isIts() && !controller.isRead; left = end - clock.now().mono) {
      if (left <= 0) controller.goByCache();
      else await within(clock, left, reader.readRecords(), undefined);
      if (!controller.isRead) await clock.sleep(Math.min(ASK_AGAIN, recordsWithin));
    }
    await reader.readAll();
  }

  /** What was read of the store, and what was told to it, says nothing any more. */
  private forgetStore({ reader, reporter }: Running): void {
    reader.forget();
    reporter.reportAll();
  }

  private async readCache({ controller, known }: Running, isIts: () => boolean): Promise<void> {
    const { clock, log, beginAgain = INTERVAL } = this.options;
    while (isIts() && !known.isCurrent) {
      try {
        await controller.begin(isIts);
        if (!isIts()) return;
        known.isCurrent = true;
        this.records.emit();
      } catch (error) {
        log.warn(`The snapshot could not be read, it is tried again: ${messageOf(error)}`);
        await clock.sleep(beginAgain);
      }
    }
  }

  /** Connects events of services to services that were created before them. */
  private listen(running: Running): void {
    const { tenures, controller, reporter, reader } = running;
    reader.reads.listen(() => this.records.emit());
    for (const changes of [controller.limits.changes, controller.floor.changes]) changes.listen(() => this.announce());
    controller.apps.reports.listen((names) => reporter.report(names));
    tenures.spends.listen(() => this.options.onSpent?.());
    tenures.resumes.listen(() => controller.convergeAll());
    tenures.begins.listen(() => void this.beginTenure(running));
    tenures.losses.listen(() => {
      this.forgetStore(running);
      void reader.readAll();
    });
  }

  /** Redis can be used again: what was published meanwhile was not heard, and what was reported may be lost. */
  private catchUp(): void {
    const { running } = this;
    if (!running) return;
    const { tenures, reader, reporter } = running;
    void tenures.announcer.announce().then(async () => {
      await reader.readAll();
      await reporter.check();
    });
  }

  /** Another process that holds the environment may have learned that it was forgotten. Never rejects. */
  private async followKey(): Promise<void> {
    const { coreApps, keyring, log } = this.options;
    await raiseKey(new SnapshotStore(coreApps.apps.main), this.environment, keyring).catch((error) =>
      log.warn(`The snapshot does not say by which key this environment goes: ${messageOf(error)}`),
    );
  }

  /** What was known before if its database server does not answer now. Never rejects. */
  private async inspectRoles(): Promise<ServerRoles | null> {
    return this.host.serverRoles().catch((error) => {
      this.options.log.warn(`The permissions of the database role could not be read: ${messageOf(error)}`);
      return this.roles;
    });
  }

  /** An administrator may have granted meanwhile what was missing. Never rejects. */
  private async checkRoles(): Promise<void> {
    const before = this.roles;
    if (before?.mode === 'none' || (before?.mode === 'made' && !before.warnings.length)) return;
    const now = await this.inspectRoles();
    if (JSON.stringify(now) !== JSON.stringify(before)) this.announce();
  }

  /** The registration of this environment may have changed. */
  private announce(): void {
    const { tenures } = this.running ?? {};
    if (tenures?.hosts) void tenures.announcer.refresh();
  }

  /** The main database may hang: it is asked once in a term. */
  private registration(epoch: number): Promise<Registration> {
    if (this.asked?.epoch !== epoch) {
      const answer = this.describe(epoch).finally(() => {
        if (this.asked?.answer === answer) this.asked = null;
      });
      this.asked = { epoch, answer };
    }
    return this.asked.answer;
  }

  private async describe(epoch: number): Promise<Registration> {
    const { controller } = this.running!;
    this.roles = await this.inspectRoles();
    return registrationOf(
      this.options.coreApps.apps.main,
      {
        ...this.options,
        roles: this.roles,
        epoch,
        stuck: controller.apps.stuck(),
        floor: controller.floor.current,
      },
      this.mainAdminPassword,
    );
  }
}
