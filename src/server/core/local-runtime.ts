import type { Application, Gateway } from '@nocobase/server';
import type { LocalConfig } from '../config';
import { messageOf } from '../errors';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import { Metrics } from '../observability/metrics';
import type { ProbeState } from '../observability/probes';
import { basePath, createOpeningHere, type LookHere } from '../proxy';
import { registerResources } from '../supervisor/api';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { WorkerPart } from '../worker/worker';
import { appModelsOf } from './adapters/app-models';
import type { AppModel, AppStatuses, EnvironmentInfo } from './adapters/managed';
import { deliverEverywhere, deliverHere, deliverToMain } from './app-events';
import { openForCommand } from './command-app';
import { environmentsOf } from './environments';
import { type Foundation, notifyPages } from './foundation';
import { Manifests } from './manifests';
import { createSupervisorPart, createWorkerPart, secretOf } from './parts';
import { executeRequestedAction } from './requested-action';
import { supervisorRoutes } from './routes';
import { type GatewayHooks, Routing } from './routing';
import type { Runtime } from './runtime';
import { HostedSso, MainSso } from './sso';
import { managedStatuses, statusesOf } from './statuses';
import { closeWire, openWire } from './wire';

/** A process that manages and hosts apps, in shared memory: a fleet of one. */
export class LocalRuntime implements Runtime {
  readonly manifests: Manifests;
  readonly proxy = null;
  private readonly supervisor: SupervisorPart;
  private readonly worker: WorkerPart;
  private readonly routing: Routing;
  private readonly metrics = new Metrics();
  private readonly sso: MainSso;
  private readonly hostedSso: HostedSso;

  constructor(
    private readonly config: LocalConfig,
    private readonly foundation: Foundation,
  ) {
    const { wire, mainApp, adminPassword, clock, log } = foundation;
    const supervisor = createSupervisorPart(config, foundation, this.metrics, [config.environment.name]);
    const worker = createWorkerPart(config, foundation, null);
    this.supervisor = supervisor;
    this.worker = worker;
    this.manifests = new Manifests({
      store: wire.stores.manifests,
      main: () => mainApp.writable,
      uidOf: (name) => (name === 'main' ? name : supervisor.app(name)?.uid),
      hasMain: true,
      clock,
      log,
    });
    this.routing = new Routing(config, null, clock, supervisorRoutes(supervisor), {
      secretOf: (name) => secretOf(name, foundation, worker),
      failureOf: (name) => foundation.coreApps.appErrors[name],
      metrics: this.metrics,
    });
    this.sso = new MainSso(config, foundation, supervisor, this.routing.table);
    this.hostedSso = new HostedSso(config, foundation, worker, () => this.models());
    supervisor.changes.listen((names) => this.handleChange(names));
    supervisor.appEnds.listen(({ uid }) => this.manifests.forget(uid));
    worker.records.listen(() => this.routing.update());
    adminPassword.changes.listen((found) => {
      worker.setAdminPassword(found);
      this.handleChange(new Set());
    });
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
        this.worker.start();
        this.manifests.start();
        this.sso.start();
        this.hostedSso.start();
      },
      leaving: () => Promise.all([this.worker.prepareToLeave(), this.supervisor.prepareToLeave()]),
    });
  }

  install(main: Application, gateway: Gateway, GatewayClass: GatewayHooks): void {
    const { supervisor } = this;
    // As in a Worker.
    if (this.config.active) this.worker.watch();
    registerResources(main, supervisor, this.config.part);
    this.sso.install(main);
    this.routing.install(gateway, GatewayClass, {
      sso: this.sso.front((name) => this.hostedSso.isReady(name)),
      opening: createOpeningHere((name) => this.stateOf(name), basePath(this.config.host.apiBasePath)),
      domains: this.routing.domainFront(this.foundation.wire.proveDomain),
    });
    this.metrics.install(main.telemetry.metric.getMeter('app-supervisor'), {
      proxy: () => [],
      environments: () => supervisor.environmentRows(),
    });
  }

  hosted(app: Application): void {
    this.hostedSso.offer(app);
  }

  info() {
    const warnings = [...this.supervisor.warnings(), ...this.foundation.adminPassword.warnings()];
    return { environment: this.worker.environment, warnings };
  }

  /** Apps are created in this process: it is ready once its own environment is known. */
  probeState(): ProbeState {
    const { supervisor, worker, foundation, config } = this;
    const { status, begun } = foundation.mainApp;
    const loaded = supervisor.loaded && supervisor.knows(config.environment.name);
    return { main: status, begun, loaded, role: worker.probed };
  }

  async leave(): Promise<void> {
    this.manifests.stop();
    this.hostedSso.stop();
    this.sso.stop();
    await this.worker.stop().catch((error) => this.log.warn(`Leaving was not clean: ${messageOf(error)}`));
    this.supervisor.stop();
  }

  async close(): Promise<void> {
    await closeWire(this.foundation.wire);
  }

  openForCommand(name: string, registered: boolean): Promise<void> | null {
    return openForCommand(name, registered, this.worker, this.config, this.foundation);
  }

  manages(name: string): boolean {
    return this.supervisor.app(name) !== null;
  }

  visit(name: string): boolean {
    return this.worker.visit(name);
  }

  unload(name: string): Promise<boolean> {
    return this.worker.unload(name);
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
    const { mainApp, coreApps, log } = this.foundation;
    if (name === 'main') return deliverToMain(mainApp, event, payload, log);
    const deliver = deliverHere(this.worker, coreApps);
    await deliverEverywhere({ name, event, payload }, await this.statuses([name]), deliver, log);
  }

  models(): AppModel[] {
    return appModelsOf(this.supervisor.apps(), this.appsDomain);
  }

  /** Until definitions are loaded: the statuses of the apps that this process already hosts. */
  async statuses(names?: string[]): Promise<AppStatuses> {
    const { supervisor, worker, foundation } = this;
    if (supervisor.loaded) return managedStatuses(supervisor, foundation.mainApp, names);
    return statusesOf(worker.statuses(), names);
  }

  /** Why an app cannot be opened; null: it can. One that waits for its first visit starts. */
  private stateOf(name: string): ReturnType<LookHere> {
    if (this.worker.host.isRunning(name)) return null;
    const failure = this.foundation.coreApps.appErrors[name];
    if (failure) return { code: 'APP_ERROR', reference: failure.reference };
    this.worker.visit(name);
    return { code: 'APP_PREPARING' };
  }

  private handleChange(names: ReadonlySet<string>): void {
    this.routing.update(names);
    notifyPages(this.foundation.mainApp);
  }
}
