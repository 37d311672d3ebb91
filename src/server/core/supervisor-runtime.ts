import type { Application, Gateway } from '@nocobase/server';
import type { SupervisorConfig } from '../config';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import { Metrics } from '../observability/metrics';
import type { ProbeState } from '../observability/probes';
import { type AppProxy, createProxy } from '../proxy';
import { registerResources } from '../supervisor/api';
import type { SupervisorPart } from '../supervisor/supervisor';
import { appModelsOf } from './adapters/app-models';
import type { AppModel, AppStatuses, EnvironmentInfo } from './adapters/managed';
import { deliverBy, deliverEverywhere, deliverToMain } from './app-events';
import { openForCommand } from './command-app';
import { environmentsOf } from './environments';
import { type Foundation, notifyPages } from './foundation';
import { GracefulShutdown } from './graceful-shutdown';
import { shareMainSecret } from './main-secret';
import { Manifests } from './manifests';
import { createSupervisorPart } from './parts';
import { executeRequestedAction } from './requested-action';
import { routeSettingsOf, routeTableOf, supervisorRoutes } from './routes';
import { type GatewayHooks, Routing } from './routing';
import type { Runtime } from './runtime';
import { MainSso } from './sso';
import { managedStatuses } from './statuses';
import { closeWire, openWire } from './wire';

/** A process that manages the apps of a fleet and forwards requests to its Workers. */
export class SupervisorRuntime implements Runtime {
  readonly manifests: Manifests;
  readonly proxy: AppProxy;
  readonly supervisor: SupervisorPart;
  readonly routing: Routing;
  private readonly metrics = new Metrics();
  private readonly sso: MainSso;
  private readonly shutdown = new GracefulShutdown();

  constructor(
    private readonly config: SupervisorConfig,
    private readonly foundation: Foundation,
  ) {
    const { wire, mainApp, adminPassword, clock, random, log } = foundation;
    const settings = routeSettingsOf(config);
    if (!settings) log.warn('A path of this Supervisor has characters that a door does not take: no door gets routes.');
    const routes = settings ? routeTableOf(settings, () => this) : undefined;
    const supervisor = createSupervisorPart(config, foundation, this.metrics, null, routes);
    this.supervisor = supervisor;
    this.manifests = new Manifests({
      store: wire.stores.manifests,
      main: () => mainApp.writable,
      // This process itself reports deleted apps; it may not know a new app of another Supervisor yet.
      uidOf: (name) => (name === 'main' ? name : supervisor.app(name)?.uid),
      hasMain: true,
      accepts: (environment, app) => supervisor.app(app)?.environments.includes(environment) ?? false,
      clock,
      log,
    });
    this.routing = new Routing(config, null, clock, supervisorRoutes(supervisor), {
      secretOf: (name) => (name === 'main' ? mainApp.secret : null),
      failureOf: (name) => foundation.coreApps.appErrors[name],
      metrics: this.metrics,
    });
    this.proxy = createProxy({
      table: this.routing.table,
      config: {
        ...config.host,
        trustedProxies: config.trustedProxies,
        appNameOf: this.routing.appNameOf,
        origins: this.routing.origins,
        mainSecret: () => mainApp.secret,
        bounds: config.bounds,
      },
      clock,
      random,
      log,
      metrics: this.metrics,
      onUnreachable: (environment) => supervisor.noteUnreachable(environment),
      onTrouble: (...trouble) => supervisor.noteTrouble(...trouble),
    });
    this.sso = new MainSso(config, foundation, supervisor, this.routing.table);
    foundation.wire.refusals.reasons.listen((reason) => this.metrics.refusal(reason));
    supervisor.changes.listen((names) => this.handleChange(names));
    supervisor.appEnds.listen(({ uid }) => this.manifests.forget(uid));
    adminPassword.changes.listen(() => this.handleChange(new Set()));
  }

  get coreApps(): CoreAppRegistry {
    return this.foundation.coreApps;
  }

  get log() {
    return this.foundation.log;
  }

  get publicUrl(): string | null {
    return this.config.publicUrl;
  }

  get appsDomain(): string | null {
    return this.config.appsDomain;
  }

  begin(): void {
    const { mainApp, adminPassword, wire } = this.foundation;
    mainApp.begin({
      started: (main) => {
        adminPassword.watch(main);
        openWire(wire);
        this.supervisor.start(main);
        this.manifests.start();
        this.sso.start();
      },
      leaving: () => Promise.all([this.shutdown.leave(), this.supervisor.prepareToLeave()]),
    });
  }

  install(main: Application, gateway: Gateway, GatewayClass: GatewayHooks): void {
    const { supervisor, proxy, config, log } = this;
    if (config.active)
      main.on('beforeStart', () => shareMainSecret(main, config.host.mainSecretFile, config.aesKey, log));
    registerResources(main, supervisor, config.part);
    this.sso.install(main);
    this.routing.install(gateway, GatewayClass, {
      serve: proxy.web,
      opening: proxy.opening,
      last: this.shutdown.handle,
      sso: this.sso.front(),
      domains: this.routing.domainFront(this.foundation.wire.proveDomain),
    });
    this.metrics.install(main.telemetry.metric.getMeter('app-supervisor'), {
      proxy: () => proxy.stats(),
      environments: () => supervisor.environmentRows(),
    });
  }

  /** None of the fleet runs here. */
  hosted(): void {}

  info() {
    const warnings = [...this.supervisor.warnings(), ...this.foundation.adminPassword.warnings()];
    return { environment: null, warnings, makesContainers: this.config.docker !== null };
  }

  probeState(): ProbeState {
    const { status, begun } = this.foundation.mainApp;
    return { main: status, begun, loaded: this.supervisor.loaded, role: null };
  }

  async leave(): Promise<void> {
    this.manifests.stop();
    this.sso.stop();
    this.supervisor.stop();
  }

  async close(): Promise<void> {
    this.proxy.close();
    await closeWire(this.foundation.wire);
  }

  openForCommand(name: string, registered: boolean): Promise<void> | null {
    return openForCommand(name, registered, null, this.config, this.foundation);
  }

  manages(name: string): boolean {
    return this.supervisor.app(name) !== null;
  }

  /** Until definitions are loaded, no app is known to be missing. */
  visit(name: string): boolean {
    return !this.supervisor.loaded || this.supervisor.app(name) !== null;
  }

  async unload(): Promise<boolean> {
    return false;
  }

  async requestAction(action: 'create' | 'start' | 'stop' | 'upgrade', name: string): Promise<void> {
    await executeRequestedAction(this.supervisor, action, name, this.log);
  }

  get commands() {
    return this.supervisor.commands;
  }

  async command(command: unknown): Promise<void> {
    await this.supervisor.parts.commands.carryOut(command, null);
  }

  environments(): EnvironmentInfo[] {
    return environmentsOf(this.supervisor.environmentRows());
  }

  async dispatchEvent(name: string, event: string, payload: unknown): Promise<void> {
    const { mainApp, wire, log } = this.foundation;
    if (name === 'main') return deliverToMain(mainApp, event, payload, log);
    await deliverEverywhere({ name, event, payload }, await this.statuses([name]), deliverBy(wire.bus), log);
  }

  models(): AppModel[] {
    return appModelsOf(this.supervisor.apps(), this.appsDomain);
  }

  async statuses(names?: string[]): Promise<AppStatuses> {
    const { supervisor, foundation } = this;
    return supervisor.loaded ? managedStatuses(supervisor, foundation.mainApp, names) : {};
  }

  private handleChange(names: ReadonlySet<string>): void {
    this.routing.update(names);
    notifyPages(this.foundation.mainApp);
  }
}
