import type { Application } from '@nocobase/server';
import { type Message, say } from '../../shared/message';
import { type Throttled, throttle } from '../../shared/throttle';
import type { EnvironmentRow, ShownStatus } from '../../shared/types';
import { type Timer, within } from '../clock';
import { AppSupervisorError, describeError, messageOf } from '../errors';
import { Feed } from '../feed';
import { LEADER_INTERVAL } from '../timing';
import { environmentKey } from './control/queue-keys';
import type { AppDefinition } from './definitions/repository';
import type { CompatibilityPolicy } from './fleet/compatibility-policy';
import { strangersIn } from './fleet/warnings';
import { LOAD_STEP } from './overview/series-history';
import type { CommandOutcome } from './requests/commands';
import { createServices, type Services, type SupervisorPace, type SupervisorPartOptions } from './services';

/**
 * Minimum time between two polls because of notifications, in ms: each Worker of a fleet that boots sends ten a second.
 */
const POLL_SPACING = 50;
/** How long names of changed apps are collected, in ms. */
const READ_DELAY = 100;
/** Delay after definitions could not be read, in ms. */
const READ_RETRY = 500;
/** How long changes are collected before the listeners are notified, in ms. */
const NOTIFY_DELAY = 250;
/** How long the request to forget an environment waits for its removal, in ms. */
const REMOVAL_PATIENCE = 5_000;
/** How much of the history of load is lost with this process at most, in ms. */
const LOAD_SAVED_EVERY = 300_000;
const PACE: SupervisorPace = { poll: 1_000, reload: 30_000, beginAgain: 5_000 };

/**
 * The services that manage apps, assembled: definitions, environments, observations, operations, and the view of them.
 */
export class SupervisorPart {
  /** Anything that is shown or used for routing may have changed; of definitions, those of the given apps. */
  readonly changes = new Feed<ReadonlySet<string>>();
  /** Apps of which nothing is left anywhere, as the leader says; listeners are awaited, and do not reject. */
  readonly appEnds = new Feed<{ uid: string }>();
  /** Commands of other plugins that were carried out here, or refused. */
  readonly commands = new Feed<CommandOutcome>();
  /** From the beginning of a start until it has failed. */
  private services: Services | null = null;
  /** Whether that start has succeeded, and this process does not end. */
  private isLoaded = false;
  private timers: Timer[] = [];
  /** This process ends: nothing starts any more. */
  private isOver = false;
  private storeWarnings: Message[] = [];
  /** Apps whose definitions changed since the listeners were last notified. */
  private changedApps = new Set<string>();
  /** Names of apps that other Supervisors changed, until their definitions are read. */
  private readonly changedNames = new Set<string>();
  private readonly readChangedNames: Throttled;
  private readonly readAgain: Throttled;
  private readonly notifySoon: Throttled;

  constructor(private readonly options: SupervisorPartOptions) {
    const { timeout } = options.clock;
    const readChangedNames = () => {
      const changedNames = [...this.changedNames];
      this.changedNames.clear();
      this.readDefinitions(changedNames).catch(() => {
        for (const name of changedNames) this.changedNames.add(name);
        this.readAgain();
      });
    };
    this.readChangedNames = throttle(readChangedNames, READ_DELAY, { leading: false, timeout });
    this.readAgain = throttle(() => this.readChangedNames(), READ_RETRY, { leading: false, timeout });
    this.notifySoon = throttle(() => this.notifyListeners(), NOTIFY_DELAY, { leading: false, timeout });
    options.stores.returns.listen(() => this.catchUp());
    options.bus.returns.listen(() => this.catchUp());
  }

  /**
   * Whether requests are routed: definitions and environments were loaded, and the fleet was polled if its Redis is
   * reachable. Before that no app may be reported as unknown.
   */
  get loaded(): boolean {
    return this.isLoaded;
  }

  private get running(): Services | null {
    return this.isLoaded ? this.services : null;
  }

  /** Begins once; a repeated call after a restart of the main app does nothing. Never rejects. */
  start(main: Application): void {
    if (this.services || this.isOver) return;
    const { clock, log, pace = PACE } = this.options;
    this.startNow(main).catch((error) => {
      const { services } = this;
      this.services = null;
      this.isLoaded = false;
      // A failed start is undone completely: another Supervisor, or the next attempt, gets the lead immediately.
      if (services) {
        this.stopAll(services);
        void this.resign(services);
      }
      if (this.isOver) return;
      log.error(`Managing apps could not begin, it is tried again: ${messageOf(error)}`);
      clock.timeout(pace.beginAgain, () => this.start(main));
    });
  }

  /**
   * The main app is about to end, and its database with it: another Supervisor should lead immediately. Never rejects.
   */
  async prepareToLeave(): Promise<void> {
    this.isOver = true;
    if (!this.services) return;
    await this.resign(this.services);
    this.options.bus.notify('definitions', []);
  }

  stop(): void {
    this.isOver = true;
    this.isLoaded = false;
    if (this.services) this.stopAll(this.services);
  }

  /** @throws AppSupervisorError while definitions are not loaded yet */
  get parts(): Services {
    const { running, services } = this;
    if (!running) throw services?.leadership.former ?? new AppSupervisorError('NOT_READY');
    return running;
  }

  /** Whether an environment has registered, now or before. */
  knows(environment: string): boolean {
    return Boolean(this.running?.environmentCache.registrationOf(environment));
  }

  /** The fleet's id; empty while it is not known yet. */
  get fleet(): string {
    return this.running?.leadership.fleet ?? '';
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

  /** Whether an operation moves the app to another environment now. */
  isMoving({ uid }: Pick<AppDefinition, 'uid'>): boolean {
    return this.running?.active.of(uid).some(({ action }) => action === 'move') ?? false;
  }

  /** A connection to the Worker of an environment could not be established: it is suspect until it is known to answer. */
  noteUnreachable(environment: string): void {
    // The other Supervisors check it themselves.
    if (this.running?.reach.doubt(environment)) this.options.bus.notify('doubts', [environment]);
  }

  /** Visitors of an app are referred to a cause. Only the leader stores it; each Supervisor has it in its log. */
  noteTrouble(name: string, environment: string, reference: string, cause: Message): void {
    const app = this.app(name);
    if (app) this.running?.watch.noteTrouble(app, environment, reference, cause);
  }

  /** The problems of this process or its Redis, as messages that say what to do. */
  warnings(): Message[] {
    const { former } = this.services?.leadership ?? {};
    return [
      ...this.options.warnings,
      ...(former ? [describeError(former)] : []),
      ...(this.running?.observer.foreign ? [say('FOREIGN_FLEET')] : []),
      ...(this.running ? strangersIn(this.running) : []),
      ...this.storeWarnings,
    ];
  }

  /**
   * An environment will not come back; what waits for it ends.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_ALIVE
   */
  async forget(environment: string): Promise<void> {
    const { environmentCache, queue } = this.parts;
    await environmentCache.forget(environment);
    // Where this process leads, the answer waits for the removal, as far as nothing holds that up.
    await within(this.options.clock, REMOVAL_PATIENCE, queue.run(environmentKey(environment)), undefined);
  }

  private async startNow(main: Application): Promise<void> {
    const { clock, pace = PACE } = this.options;
    const onAppEnd = (uid: string) => this.appEnds.emitAndWait({ uid });
    const onCommand = (outcome: CommandOutcome) => this.commands.emit(outcome);
    const running = createServices(main, { ...this.options, pace, onAppEnd, onCommand });
    this.services = running;
    const { appCache, active, leadership, environmentCache, compatibility, observer, loop, load } = running;
    // Beside a leader of the release that has written former rows, they would change again.
    while ((await this.options.rows?.areFormer(main)) && !(await leadership.take())) {
      await clock.sleep(LEADER_INTERVAL);
      this.assertGoesOn();
    }
    await this.options.rows?.upgrade(main);
    this.listen(running);
    await appCache.load();
    await active.load();
    // Provides the fleet's id, which must be known before the first poll shows environments.
    await leadership.take();
    await environmentCache.load();
    load.restore();
    await observer.poll();
    await this.findPlugins(compatibility);
    this.assertGoesOn();
    this.isLoaded = true;
    // Immediately, because whoever learns now that this process is ready sends requests.
    this.notifyListeners();
    const { watch, containers, notices, domains, doors } = running;
    for (const service of [loop, watch, containers, notices, domains, doors]) service.start();
    await leadership.start();
    await this.subscribe(running);
    this.assertGoesOn();
    const every = (interval: number, work: () => void) => this.timers.push(clock.interval(interval, work));
    every(pace.poll, () => void observer.poll());
    every(pace.reload, () => this.reload(running));
    load.sample();
    every(LOAD_STEP, () => load.sample());
    // What cannot be stored now is stored the next time.
    every(LOAD_SAVED_EVERY, () => void load.save().catch(() => undefined));
    this.askStore();
    void observer.poll();
  }

  /** Reads what changes without an event of this process. Never rejects. */
  private reload(running: Services): void {
    const { leadership, appCache, active, compatibility, watch, notices } = running;
    // The leader's loop reads them itself.
    if (!leadership.leads) {
      void appCache.load().catch(() => undefined);
      void active.load().catch(() => undefined);
    }
    this.readEnvironments(running);
    void this.findPlugins(compatibility);
    void watch.tend();
    notices.look();
    this.askStore();
  }

  /** Other Supervisors also add, forget and cordon environments. Never rejects. */
  private readEnvironments({ environmentCache, loop }: Services): void {
    environmentCache.load().then(
      () => loop.noteForgotten(),
      () => undefined,
    );
  }

  /** Redis can be used again: what was said meanwhile was not heard, and what was published may be lost. */
  private catchUp(): void {
    const { running } = this;
    if (!running) return;
    void running.observer.poll();
    this.reload(running);
    running.loop.noteReturned();
  }

  private assertGoesOn(): void {
    if (this.isOver) throw new Error('This process ends.');
  }

  private async subscribe(running: Services): Promise<void> {
    const { observer, leadership } = running;
    const { bus, clock } = this.options;
    const { timeout } = clock;
    const pollSoon = throttle(() => void observer.poll(), POLL_SPACING, { leading: true, timeout });
    await bus.onNotify('supervisors', () => {
      // It may come while this process leaves.
      if (this.running) pollSoon();
    });
    await running.commands.serve(() => this.running === running);
    await bus.onNotify('doubts', (names) => {
      if (this.running) for (const name of names) running.reach.doubt(name);
    });
    await bus.onNotify('definitions', (names) => {
      if (!this.running) return;
      if (!names.length) {
        // Of no app: the lead is free, or an environment was added, changed or forgotten.
        void leadership.take().catch(() => undefined);
        this.readEnvironments(running);
      }
      for (const name of names) this.changedNames.add(name);
      if (names.length) this.readChangedNames();
    });
  }

  /** Connects events of services to services that were created before them. */
  private listen(services: Services): void {
    const { appCache, active, apps, loop, watch, observer, environments, environmentCache, compatibility, domains } =
      services;
    const onChange = () => this.changed();
    appCache.changes.listen((names) => {
      for (const name of names) this.changedApps.add(name);
      loop.noteApps(names);
      domains.note(names);
      onChange();
    });
    observer.changes.listen((change) => {
      void environmentCache.remember(change.environments).then(async (isNew) => {
        // Where it is reached is known only now.
        if (isNew) onChange();
        if (isNew || compatibility.hasNewPlugins(change.apps)) await this.findPlugins(compatibility);
      });
      loop.noteObserved(change);
      watch.noteObserved(change);
      onChange();
    });
    observer.flushes.listen(() => loop.noteFlushed());
    apps.changes.listen((name) => {
      this.options.bus.notify('definitions', [name]);
      onChange();
    });
    active.changes.listen(onChange);
    environmentCache.changes.listen(() => {
      loop.noteEnvironments();
      onChange();
    });
    environments.forgotten.listen(() => this.readEnvironments(services));
    const { doors, doorTroubles, leadership } = services;
    doors.refusals.listen((environment) => this.noteUnreachable(environment));
    doors.counts.listen((counts) => this.options.onDoorCounts?.(counts, leadership.leads));
    doors.changes.listen(() => {
      if (doors.isSettled) watch.noteDoors(doorTroubles());
    });
    services.recorder.written.listen(onChange);
    this.options.stores.ignored?.listen((key) => watch.noteIgnored(key));
  }

  /** Never rejects. */
  private async findPlugins(compatibility: CompatibilityPolicy): Promise<void> {
    if (await compatibility.findPlugins()) this.changed();
  }

  /** Checks Redis's settings; a check that fails now is repeated later. */
  private askStore(): void {
    this.options.stores.warnings().then(
      (warnings) => {
        this.storeWarnings = warnings;
      },
      () => undefined,
    );
  }

  /** Another Supervisor changed these apps or their operations. */
  private async readDefinitions(names: string[]): Promise<void> {
    const { running } = this;
    if (!running) return;
    const { appCache, active, loop } = running;
    // Before any pass that a changed definition starts: it would take the app for idle.
    await active.refresh(names);
    await appCache.refresh(names);
    loop.addApps(names);
    this.changed();
  }

  /** Changes before anything can be shown are reported with the rest. */
  private changed(): void {
    if (this.running) this.notifySoon();
  }

  private notifyListeners(): void {
    const names = this.changedApps;
    this.changedApps = new Set();
    this.changes.emit(names);
  }

  private stopWork({ loop }: Services): void {
    for (const timer of this.timers.splice(0)) timer.cancel();
    loop.stop();
  }

  private stopAll(services: Services): void {
    this.stopWork(services);
    const { recorder, containers, notices, reach, doors, domains, leadership } = services;
    for (const service of [recorder, containers, notices, reach, doors, domains, leadership]) service.stop();
  }

  /** Ends the work of these services, and hands the lead over. Never rejects. */
  private async resign(services: Services): Promise<void> {
    const { log } = this.options;
    this.stopWork(services);
    await services.leadership.resign().catch((error) => {
      log.warn(`The lead could not be passed on, another Supervisor takes it in a while: ${messageOf(error)}`);
    });
  }
}
