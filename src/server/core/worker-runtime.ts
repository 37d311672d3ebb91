import type { Application, Gateway } from '@nocobase/server';
import type { Message } from '../../shared/message';
import { appCommand } from '../../shared/messages';
import type { LocalConfig, WorkerConfig } from '../config';
import { AppSupervisorError, describeError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { ProbeState } from '../observability/probes';
import { basePath } from '../proxy';
import { registerResources } from '../supervisor/api';
import { parseInput } from '../supervisor/definitions/input';
import { COMMAND_METHOD, type CommandOutcome, unread } from '../supervisor/requests/commands';
import { createUploadsFront } from '../worker/uploads/serve';
import type { WorkerPart } from '../worker/worker';
import { appModelsOf } from './adapters/app-models';
import type { AppModel, AppStatuses, EnvironmentInfo } from './adapters/managed';
import { deliverEverywhere, deliverHere } from './app-events';
import { openForCommand } from './command-app';
import { type Foundation, notifyPages } from './foundation';
import { Manifests } from './manifests';
import { createWorkerPart, secretOf } from './parts';
import { workerRoutes } from './routes';
import { type GatewayHooks, type PartHooks, Routing } from './routing';
import type { Runtime } from './runtime';
import { HostedSso } from './sso';
import { statusesOf } from './statuses';
import { closeWire, openWire } from './wire';

/** How long a Supervisor may take to accept a command, in ms. */
const COMMAND_TIMEOUT = 10_000;

/** A process that hosts the apps of one environment, or one of them, and manages none. */
export class WorkerRuntime implements Runtime {
  readonly manifests: Manifests;
  readonly proxy = null;
  private readonly worker: WorkerPart;
  private readonly routing: Routing;
  private readonly sso: HostedSso;
  readonly commands = new Feed<CommandOutcome>();

  /** @param only the only app that this process runs; null runs all apps of the environment */
  constructor(
    private readonly config: LocalConfig | WorkerConfig,
    private readonly only: string | null,
    private readonly foundation: Foundation,
  ) {
    const { wire, mainApp, adminPassword, clock, log } = foundation;
    const worker = createWorkerPart(config, foundation, only);
    this.worker = worker;
    this.manifests = new Manifests({
      store: wire.stores.manifests,
      main: () => mainApp.writable,
      uidOf: (name) => (name === 'main' ? name : uidIn(worker, name)),
      hasMain: false,
      clock,
      log,
    });
    this.routing = new Routing({ ...config, appsDomain: null }, only, clock, workerRoutes(worker), {
      secretOf: (name) => secretOf(name, foundation, worker),
      failureOf: (name) => foundation.coreApps.appErrors[name],
    });
    this.sso = new HostedSso(config, foundation, worker, () => this.models());
    worker.records.listen(() => this.routing.update());
    adminPassword.changes.listen((found) => {
      worker.setAdminPassword(found);
      notifyPages(mainApp);
    });
  }

  get coreApps(): CoreAppRegistry {
    return this.foundation.coreApps;
  }

  get log() {
    return this.foundation.log;
  }

  private get environment(): string {
    return this.config.environment.name;
  }

  get publicUrl(): string | null {
    return this.config.publicUrl ?? this.worker.appIndex.supervisor?.publicUrl ?? null;
  }

  get appsDomain(): string | null {
    return this.config.appsDomain ?? this.worker.appIndex.supervisor?.appsDomain ?? null;
  }

  begin(): void {
    const { mainApp, adminPassword, wire } = this.foundation;
    mainApp.begin({
      started: (main) => {
        adminPassword.watch(main);
        openWire(wire);
        this.worker.start();
        this.manifests.start();
        this.sso.start();
      },
      leaving: () => this.worker.prepareToLeave(),
    });
  }

  /** No metrics: the Supervisor observes the Worker. */
  install(main: Application, gateway: Gateway, GatewayClass: GatewayHooks): void {
    // As early as the main app knows its database: what a predecessor that died has left is seen to be old the sooner.
    if (this.config.active) this.worker.watch();
    registerResources(main, null, this.config.part);
    this.routing.install(gateway, GatewayClass, this.fronts());
  }

  private fronts(): PartHooks {
    const { wire, clock, log } = this.foundation;
    const { part, environment, host } = this.config;
    // In one process there is no other Worker, and a process of one app hosts nothing by itself.
    if (part === 'local' || this.only !== null) return {};
    const uploads = createUploadsFront({
      environment: environment.name,
      storagePath: host.storagePath,
      apiBase: basePath(host.apiBasePath),
      keyring: wire.keyring,
      clock,
      log,
      hosts: (app) => this.worker.hosts(app),
      generationOf: (app) => this.worker.controller?.apps.record(app)?.generation ?? 0,
    });
    return { uploads };
  }

  hosted(app: Application): void {
    this.sso.offer(app);
  }

  info() {
    const { worker, foundation, config } = this;
    const warnings = [...config.warnings, ...foundation.adminPassword.warnings(), ...worker.warnings()];
    return { environment: worker.environment, warnings, ...worker.about() };
  }

  probeState(): ProbeState {
    const { status, begun } = this.foundation.mainApp;
    return { main: status, begun, loaded: null, role: this.worker.probed };
  }

  async leave(): Promise<void> {
    this.manifests.stop();
    this.sso.stop();
    await this.worker.stop().catch((error) => this.log.warn(`Leaving was not clean: ${messageOf(error)}`));
  }

  async close(): Promise<void> {
    await closeWire(this.foundation.wire);
  }

  openForCommand(name: string, registered: boolean): Promise<void> | null {
    return openForCommand(name, registered, this.worker, this.config, this.foundation);
  }

  manages(name: string): boolean {
    return Boolean(uidIn(this.worker, name));
  }

  visit(name: string): boolean {
    return this.worker.visit(name);
  }

  unload(name: string): Promise<boolean> {
    return this.worker.unload(name);
  }

  async requestAction(action: 'create' | 'start' | 'stop' | 'upgrade', name: string): Promise<void> {
    if (action === 'start') this.visit(name);
    else
      this.log.warn(`"${action}" of app ${name} was asked for here; apps of a worker are managed by its Supervisor.`, {
        app: name,
      });
  }

  /** The Supervisor decides and records; this process only learns what became of it. */
  async command(value: unknown): Promise<void> {
    const { environment, foundation, commands } = this;
    let command = unread(value);
    let refused: string | null = null;
    try {
      command = parseInput(appCommand, value);
      await foundation.wire.bus.ask(environment, COMMAND_METHOD, command, COMMAND_TIMEOUT);
    } catch (error) {
      refused = refusalIn(error).code;
      const { appName: app, action } = command;
      this.log.warn(`The command "${action}" of another plugin was refused (${refused}): ${messageOf(error)}`, { app });
      throw error;
    } finally {
      const { requestId, appName, action } = command;
      commands.emit({ requestId, appName, action, from: environment, refused });
    }
  }

  environments(): EnvironmentInfo[] {
    const { name, url, proxyUrl } = this.config.environment;
    const appVersion = this.coreApps.apps.main?.getPackageVersion() ?? '';
    const { wall } = this.foundation.clock.now();
    return [{ name, url, proxyUrl, appVersion, available: this.worker.isAnnounced, lastHeartbeatAt: wall }];
  }

  async dispatchEvent(name: string, event: string, payload: unknown): Promise<void> {
    const { coreApps, log } = this.foundation;
    if (name === 'main') {
      log.warn(`Event ${event} is for the main app, which is the Supervisor's: it was not sent.`);
      return;
    }
    const deliver = deliverHere(this.worker, coreApps);
    const statuses = statusesOf(this.worker.statuses(), [name]);
    await deliverEverywhere({ name, event, payload }, statuses, deliver, log);
  }

  models(): AppModel[] {
    return appModelsOf(this.worker.appIndex.all(), this.appsDomain);
  }

  async statuses(names?: string[]): Promise<AppStatuses> {
    return statusesOf(this.worker.statuses(), names);
  }
}

/** The uid of a current app; null if no app has that name any more, undefined if unknown. */
const uidIn = (worker: WorkerPart, name: string) =>
  worker.controller?.apps.record(name)?.uid ?? worker.appIndex.uidOf(name);

/** Why the Supervisor has refused it, or why nobody answered. */
function refusalIn(error: unknown): Message {
  const cause = error instanceof AppSupervisorError && error.code === 'SUPERVISOR_REFUSED' ? error.params.cause : null;
  return cause ? (cause as Message) : describeError(error);
}
