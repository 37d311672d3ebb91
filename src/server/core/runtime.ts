import { randomBytes } from 'node:crypto';
import os from 'node:os';
import type { Application, AppSupervisor } from '@nocobase/server';
import type { Message } from '../../shared/message';
import type { AdminPassword } from '../../shared/messages';
import { CHANGED } from '../../shared/names';
import { systemClock } from '../clock';
import type { Config } from '../config';
import { replaceCoreCreators } from '../databases';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { FindInstalled } from '../nocobase/installed-plugins';
import { Metrics } from '../observability/metrics';
import type { ProbeState } from '../observability/probes';
import { OWN_ADMIN_WARNING } from '../protocol/administrator';
import type { MessageBus } from '../protocol/bus';
import { MemoryBus } from '../protocol/bus/memory';
import { RedisBus } from '../protocol/bus/redis';
import { Keys } from '../protocol/keys';
import type { Stores } from '../protocol/stores';
import { MemoryStores } from '../protocol/stores/memory';
import { RedisStores } from '../protocol/stores/redis';
import { SupervisorPart } from '../supervisor/supervisor';
import { watchAdminPassword } from '../worker/hosting/administrator';
import { workerHandlers } from '../worker/request-handlers';
import { WorkerPart } from '../worker/worker';
import { appModelsOf } from './adapters/app-models';
import type { AppModel, Managed } from './adapters/managed';
import { GracefulShutdown } from './graceful-shutdown';
import { Manifests } from './manifests';
import { createRouting, type Routing } from './routing';

/** How long an event of another plugin may take to be delivered, in ms. */
const EVENT_TIMEOUT = 10_000;
/** How often what the store lost of manifests is told again, in ms. */
const MANIFESTS_ROUND = 10_000;

/** Everything this process is, put together by its part. One a process. */
export class Runtime implements Managed {
  /** Names this process among all that ever ran, in leases and on the page. */
  readonly instance = `${os.hostname()}:${process.pid}:${randomBytes(3).toString('hex')}`;
  readonly coreApps: CoreAppRegistry;
  readonly log: Log;
  readonly stores: Stores;
  readonly bus: MessageBus;
  readonly supervisor: SupervisorPart | null;
  readonly worker: WorkerPart | null;
  readonly routing: Routing;
  readonly manifests: Manifests;
  readonly metrics = new Metrics();
  readonly shutdown = new GracefulShutdown();
  private begun = false;
  private adminPassword: AdminPassword | null = null;
  private manifestsRound: NodeJS.Timeout | null = null;

  constructor(
    readonly config: Exclude<Config, { part: 'dormant' }>,
    readonly host: AppSupervisor,
    findInstalled: FindInstalled,
  ) {
    this.log = host.logger as unknown as Log;
    this.coreApps = new CoreAppRegistry(host);
    replaceCoreCreators(host);
    const { stores, bus } = this.createWire();
    this.stores = stores;
    this.bus = bus;
    const common = {
      stores,
      bus,
      instance: this.instance,
      aesKey: config.aesKey,
      appKey: config.host.appKey,
      clock: systemClock,
      log: this.log,
      warnings: config.warnings,
      findInstalled,
    };
    // What runs one app alone manages none: the process beside it does.
    const only = config.active ? config.singleApp : null;
    this.supervisor =
      config.part === 'worker' || only
        ? null
        : new SupervisorPart({
            ...common,
            wsPath: config.host.wsPath,
            publicUrl: config.publicUrl,
            schemaByDefault: config.host.schemaByDefault,
            defaultEnvironments: config.part === 'local' ? [config.environment.name] : null,
            onChange: (names) => this.tellChange(names),
            onOperationEnd: ({ action, state }) => this.metrics.operation(action, state),
            onAppEnd: (uid) => this.manifests.forget(uid),
          });
    this.worker =
      config.part === 'supervisor'
        ? null
        : new WorkerPart({
            ...common,
            supervisor: host,
            coreApps: this.coreApps,
            environment: config.environment,
            only,
            publicUrl: config.publicUrl,
            bootstrap: config.bootstrap,
            logPath: config.host.logPath,
            onRecords: () => this.routing.update(),
            handlers: (part) => workerHandlers(part, this.coreApps, config.host.logPath),
          });
    this.routing = createRouting(config, this.supervisor, this.worker, this.metrics, this.log);
    this.manifests = new Manifests({
      store: stores.manifests,
      main: () => (this.config.active && this.begun ? (this.mainApp ?? null) : null),
      uidOf: (name) => this.uidOf(name),
      hasMain: this.supervisor !== null,
      now: Date.now,
      log: this.log,
    });
  }

  get mainApp(): Application | undefined {
    return this.coreApps.apps.main;
  }

  /**
   * The main app is about to have started. Command-line runs and worker threads come here too, and stop here.
   *
   * Nothing begins before it has: its other plugins still write, and with SQLite a write of ours would fail theirs.
   */
  begin(): void {
    const { mainApp } = this;
    if (!this.config.active || !mainApp) return;
    if (!this.begun) {
      mainApp.on('__started', () => this.beginNow(mainApp));
      mainApp.on('beforeDestroy', async () => {
        const shutdown = this.config.part === 'supervisor' ? this.shutdown.leave() : undefined;
        await Promise.all([shutdown, this.worker?.prepareToLeave(), this.supervisor?.prepareToLeave()]);
      });
    }
    this.begun = true;
  }

  private beginNow(mainApp: Application): void {
    if (!this.isLoaded(mainApp)) return;
    void watchAdminPassword(mainApp, (found) => this.noteAdminPassword(found));
    this.stores.open();
    this.bus.open();
    this.supervisor?.start(mainApp);
    this.worker?.start();
    void this.manifests.round();
    this.manifestsRound ??= setInterval(() => void this.manifests.round(), MANIFESTS_ROUND).unref();
  }

  /**
   * Whether our tables are there: the core starts without a plugin that is not enabled, as before somebody does that on its page, and
   * without one that it cannot find at that moment (`PluginManager.add`), as while another process of the same installation makes its
   * link in `node_modules` anew (@nocobase/utils/plugin-symlink.js). Where it is built in, only another start mends that.
   */
  private isLoaded(mainApp: Application): boolean {
    const plugin = mainApp.pm.get('app-supervisor') as { state: { loaded?: boolean } } | undefined;
    if (plugin?.state.loaded) return true;
    const what =
      'App Supervisor: NocoBase has started without this plugin, although the environment variables give it a part';
    if (!this.config.host.isBuiltIn) {
      console.warn(`${what}. Enable it in the plugin manager, or name it in APPEND_PRESET_BUILT_IN_PLUGINS.`);
      return false;
    }
    console.error(`${what}: it could not be found, as the log says above. The process ends; start it again.`);
    process.exit(1);
  }

  openForCommand(name: string): Promise<void> | null {
    const { config, worker, mainApp, log } = this;
    if (!config.transient || !worker || !mainApp || name !== config.singleApp) return null;
    return worker
      .openForCommand(name)
      .catch((error) => log.error(`App ${name} could not be opened for a command of it: ${messageOf(error)}`));
  }

  /** Tells what is counted through the main app's telemetry, which each of its starts makes anew. */
  measure(main: Application): void {
    const { supervisor, routing } = this;
    // A worker is seen by its Supervisor.
    if (!supervisor) return;
    this.metrics.install(main.telemetry.metric.getMeter('app-supervisor'), {
      proxy: () => routing.stats(),
      environments: () => (supervisor.loaded ? supervisor.parts.view.environmentRows() : []),
    });
  }

  private noteAdminPassword(found: AdminPassword | null): void {
    if (this.adminPassword === found) return;
    this.adminPassword = found;
    this.worker?.noteAdminPassword(found);
    this.tellChange(new Set());
  }

  /** What is wrong with this process. */
  warnings(): Message[] {
    const own = this.adminPassword ? [OWN_ADMIN_WARNING] : [];
    return [...(this.supervisor?.warnings() ?? this.config.warnings), ...own];
  }

  /** What an orchestrator may know of this process. */
  sight(): ProbeState {
    const { config, supervisor, worker, coreApps, begun } = this;
    // In shared memory apps are created in this process: it is ready once its own environment is known.
    const isKnown = () => config.part !== 'local' || supervisor?.knows(config.environment.name);
    return {
      main: coreApps.appStatus.main,
      begun,
      loaded: supervisor ? supervisor.loaded && Boolean(isKnown()) : null,
      role: worker ? worker.role : null,
    };
  }

  async leave(): Promise<void> {
    if (this.manifestsRound) clearInterval(this.manifestsRound);
    await this.worker?.stop().catch((error) => this.log.warn(`Leaving was not clean: ${messageOf(error)}`));
    this.supervisor?.stop();
  }

  async close(): Promise<void> {
    await this.routing.close();
    await this.bus.close();
    await this.stores.close();
  }

  visit(name: string): boolean {
    const { worker, supervisor } = this;
    if (worker) return worker.controller ? worker.controller.visit(name) : true;
    return supervisor ? !supervisor.loaded || supervisor.app(name) !== null : false;
  }

  async unload(name: string): Promise<boolean> {
    const { controller } = this.worker ?? {};
    if (!controller?.apps.get(name)) return false;
    await controller.unload(name);
    return true;
  }

  async wish(action: 'create' | 'start' | 'stop' | 'upgrade', name: string): Promise<void> {
    try {
      if (!this.supervisor) {
        if (action === 'start') this.visit(name);
        else
          this.log.warn(
            `"${action}" of app ${name} was asked for here; apps of a worker are managed by its Supervisor.`,
          );
        return;
      }
      const { service } = this.supervisor.parts;
      await service.command(name, action === 'create' ? 'start' : action, null);
    } catch (error) {
      this.log.warn(`"${action}" of app ${name} was asked for by another plugin and refused: ${messageOf(error)}`);
    }
  }

  async dispatchEvent(name: string, event: string, payload: unknown): Promise<void> {
    const deliver = async (place: string) => {
      const { worker, coreApps } = this;
      if (place !== worker?.environment)
        await this.bus.request(place, 'appEvent', { name, event, payload }, EVENT_TIMEOUT);
      else if (worker.host.isRunning(name)) await coreApps.apps[name].emitAsync(event, payload);
    };
    if (name === 'main') return this.tellMain(event, payload);
    const statuses = (await this.statuses([name]))[name] ?? {};
    const places =
      typeof statuses === 'string' ? [] : Object.keys(statuses).filter((place) => statuses[place] === 'running');
    await Promise.all(
      places.map((place) =>
        deliver(place).catch((error) =>
          this.log.warn(`Event ${event} did not reach app ${name} in ${place}: ${messageOf(error)}`),
        ),
      ),
    );
  }

  /** The fleet's main app is the Supervisor's, which no worker can call. Never rejects. */
  private async tellMain(event: string, payload: unknown): Promise<void> {
    try {
      if (this.supervisor) await this.mainApp?.emitAsync(event, payload);
      else this.log.warn(`Event ${event} is for the main app, which is the Supervisor's: it was not sent.`);
    } catch (error) {
      this.log.warn(`Event ${event} failed in the main app: ${messageOf(error)}`);
    }
  }

  /** `APP_SUPERVISOR_PUBLIC_URL`, of this process or else as the Supervisor told its workers. */
  get publicUrl(): string | null {
    return this.config.publicUrl ?? this.worker?.appIndex.supervisor?.publicUrl ?? null;
  }

  /** Of the app of that name as it is now; null when there is none any more, undefined when that cannot be told. */
  private uidOf(name: string): string | null | undefined {
    const { supervisor, worker } = this;
    if (name === 'main') return name;
    // What ends on a Supervisor says so itself; another Supervisor's new app may not have been heard of.
    if (supervisor) return supervisor.app(name)?.uid;
    return worker?.controller?.apps.record(name)?.uid ?? worker?.appIndex.uidOf(name);
  }

  models(): AppModel[] {
    const { supervisor, worker } = this;
    const entries = supervisor?.loaded ? supervisor.apps() : (worker?.appIndex.all() ?? []);
    return appModelsOf(entries);
  }

  async statuses(names?: string[]): Promise<Record<string, string | Record<string, string>>> {
    const { supervisor, worker } = this;
    const all = supervisor?.loaded
      ? {
          ...supervisor.statuses(names),
          ...(this.coreApps.appStatus.main ? { main: this.coreApps.appStatus.main } : {}),
        }
      : await worker?.statuses();
    return Object.fromEntries(Object.entries(all ?? {}).filter(([name]) => !names || names.includes(name)));
  }

  /** A ping without content: a visitor who is not signed in may get it, and who may see what asks for it. */
  private tellChange(names: ReadonlySet<string>): void {
    this.routing.update(names);
    this.mainApp?.emit('ws:sendToCurrentApp', { message: { type: CHANGED, payload: {} } });
  }

  private createWire(): { stores: Stores; bus: MessageBus } {
    const { config, log } = this;
    if (config.part === 'local') {
      return { stores: new MemoryStores({ clock: systemClock, isAlone: true }), bus: new MemoryBus() };
    }
    const keys = new Keys(config.redis.prefix);
    return {
      stores: new RedisStores(config.redis.stateUrl, keys, log),
      bus: new RedisBus(config.redis.commandUrl, keys, this.instance, log),
    };
  }
}
