import type { Duplex } from 'node:stream';
import { type Application, AppSupervisor, Gateway, Plugin } from '@nocobase/server';
import { z } from 'zod';
import { isSupported, notSupported } from '../shared/nocobase-releases';
import { systemClock } from './clock';
import { type ActiveConfig, type Config, loadConfig } from './config';
import { CommandAdapter } from './core/adapters/command';
import { DiscoveryAdapter } from './core/adapters/discovery';
import { ProcessAdapter } from './core/adapters/process';
import { closeKeyFiles } from './core/app-key-files';
import { collections } from './core/collections';
import { registerCommands } from './core/commands';
import { createRuntime } from './core/create-runtime';
import { registerEntries } from './core/entries';
import { ensureMainSecret } from './core/main-secret';
import { registerPartInfo } from './core/part-info';
import type { GatewayHooks } from './core/routing';
import type { Runtime } from './core/runtime';
import { findOtherProcess } from './core/sole-process';
import { messageOf } from './errors';
import { findInstalled } from './nocobase/installed-plugins';
import { keepSecretsOutOfLogs } from './nocobase/log-secrets';
import { paceHashes } from './nocobase/password-hashes';
import { ignoreSyncMessages } from './nocobase/sync-messages';
import { nocobaseVersion } from './nocobase/version';
import { hideInternalErrors } from './nocobase/visitors';
import { createProbes } from './observability/probes';
import { basePath } from './proxy';
import { closeTables, registerResources } from './supervisor/api';
import { loopFileOf } from './worker/apps/loop-note';
import { guardHostedApps } from './worker/guards';
import type { WorkLog } from './worker/watchdog/busy-with';
import { watchOwnLoop } from './worker/watchdog/loop-watch';

// The core freezes built-ins after its start (SES), and would then reject zod's generated code.
z.config({ jitless: true });

let config: Config | null = null;
let runtime: Runtime | null = null;

/** Called by `dist/server/commands`, for each app that loads commands. */
export const registerOwnCommands = (app: Application): void => registerCommands(app, config);

export class PluginAppSupervisor extends Plugin {
  /** Runs first: the only moment at which adapters can be registered (gateway/index.ts:689). */
  static async staticImport(): Promise<void> {
    config = loadConfig();
    if (config.part === 'dormant') return;
    keepSecretsOutOfLogs();
    refuseUnsupported(config.active);
    const settings = config;
    paceHashes();
    giveMainSecret(settings.host.mainSecretFile);
    // The first adapter that the core requests creates the runtime that all adapters share.
    const runtimeOf = (supervisor: AppSupervisor) => {
      if (!runtime) {
        const work = workLogOf(settings);
        runtime = createRuntime(settings, supervisor, findInstalled, work);
        // Before the core looks for commands of plugins: a command file that registers none (repair-filenames.js of
        // NocoBase 2.2.15) ends the search, and with it every command.
        supervisor.on('afterAppAdded', function addOwnCommands(app: Application) {
          registerOwnCommands(app);
        });
        supervisor.on('afterAppAdded', function ignoreOwnSyncMessages(app: Application) {
          if (app.name === 'main') ignoreSyncMessages(app, (name) => runtime?.manages(name) ?? false);
        });
        supervisor.on('afterAppAdded', function keepKeysToThisUser(app: Application) {
          app.on('__started', () => closeKeysOf(app, settings.host.storagePath));
        });
        supervisor.on('afterAppAdded', function offerSsoTo(app: Application) {
          if (app.name !== 'main') runtime?.hosted(app);
        });
        // The command line belongs to the operator; a worker thread may run a task of an app.
        if (settings.active || settings.transient)
          guardHostedApps(supervisor, { ...settings, clock: systemClock, work });
      }
      return runtime;
    };
    const starting = { main: undefined, begun: false, loaded: null, role: null };
    const probes = createProbes(basePath(settings.host.apiBasePath), () => runtime?.probeState() ?? starting);
    (Gateway as unknown as GatewayHooks).registerRequestHandler(probes as never);
    const discovery = settings.part === 'local' ? 'local' : 'remote';
    AppSupervisor.registerDiscoveryAdapter(
      discovery,
      ({ supervisor }) => createDiscovery(runtimeOf(supervisor), settings, discovery) as never,
    );
    const process = settings.part === 'supervisor' ? 'remote' : 'local';
    AppSupervisor.registerProcessAdapter(process, ({ supervisor }) => {
      const shared = runtimeOf(supervisor);
      return new ProcessAdapter(process, shared.coreApps, shared) as never;
    });
    const command = settings.part === 'local' ? 'local' : 'redis';
    AppSupervisor.registerCommandAdapter(command, ({ supervisor }) => {
      const shared = runtimeOf(supervisor);
      return new CommandAdapter(shared, shared.log) as never;
    });
    // In shared memory `APP_COMMAND_ADAPTER` is not set.
    if (command === 'local') AppSupervisor.setDefaultCommandAdapter(command);
  }

  /** A sub-app gets none of our tables: there the plugin is a guest. */
  async loadCollections(): Promise<void> {
    if (this.isGuest) return;
    for (const collection of collections) this.app.db.collection({ ...collection, origin: this.options.packageName });
  }

  async load(): Promise<void> {
    registerEntries(this.app, config, runtime);
    if (runtime) hideInternalErrors(this.app);
    if (this.isGuest) return;
    if (runtime && config?.active) await refuseSecondProcess(this.app);
    assertAdapters();
    registerPartInfo(this.app, config, runtime);
    if (runtime) runtime.install(this.app, Gateway.getInstance(), Gateway as never);
    else registerResources(this.app, null, 'dormant');
    closeTables(
      this.app,
      collections.map(({ name }) => name),
    );
    // The same in every role: registrations are not shared between processes.
    AppSupervisor.getInstance().registerAppCondition('autoStart', { filter: { 'options.autoStart': true } });
  }

  private get isGuest(): boolean {
    return this.app.name !== 'main';
  }
}

/** The process that hosts apps has its loop watched. */
function workLogOf({ active, part, guards, host, singleApp, ...rest }: ActiveConfig): WorkLog {
  const limit = active && part !== 'supervisor' ? guards.loopLimit : null;
  const environment = 'environment' in rest ? rest.environment.name : '';
  return watchOwnLoop({ limit, file: loopFileOf(host.storagePath, environment, singleApp), clock: systemClock });
}

function createDiscovery(shared: Runtime, settings: ActiveConfig, name: 'local' | 'remote'): DiscoveryAdapter {
  const { coreApps, manifests, log, proxy } = shared;
  const environment = settings.part === 'supervisor' ? null : settings.environment;
  const adapter = new DiscoveryAdapter(name, coreApps, shared, manifests, environment, log, () => shared.close());
  if (proxy) {
    adapter.proxyWeb = async (app, req, res) => proxy.web(app, req, res);
    adapter.proxyWs = async (req, socket, head) => proxy.ws(req, socket as Duplex, head);
    adapter.loadAppModels = async () => shared.begin();
  }
  return adapter;
}

/** A command, such as the one that disables this plugin, has to run. */
function refuseUnsupported(active: boolean): void {
  if (isSupported(nocobaseVersion)) return;
  console.error(`${notSupported(nocobaseVersion)}${active ? ' The process ends.' : ''}`);
  if (active) process.exit(1);
}

/** Before the core reads it. Errors in a static import are swallowed, and tokens would be signed with `APP_KEY`. */
function giveMainSecret(file: string): void {
  try {
    ensureMainSecret(file);
  } catch (error) {
    console.error(
      `App Supervisor: the JWT secret of the main app could not be written to ${file}: ${messageOf(error)}. The process ends; make the folder writable.`,
    );
    process.exit(1);
  }
}

/** Before anything is read from the main database. */
async function refuseSecondProcess(main: Application): Promise<void> {
  const file = await findOtherProcess(main.db);
  if (file === null) return;
  console.error(
    `App Supervisor: another process has the main database ${file}, and SQLite is for one. The process ends; stop the other one first, or use PostgreSQL, MySQL, MariaDB or Kingbase.`,
  );
  process.exit(1);
}

/** A storage whose files belong to another user is the operator's business: the app starts nevertheless. */
function closeKeysOf(app: Application, storage: string): void {
  try {
    closeKeyFiles(storage, app.name);
  } catch (error) {
    app.logger.warn(`The permissions of the key files of app ${app.name} could not be changed: ${messageOf(error)}`);
  }
}

/** A misspelled name or a failed import silently falls back to other adapters (app-supervisor/index.ts:144-199). */
function assertAdapters(): void {
  if (!config || config.part === 'dormant') return;
  const supervisor = AppSupervisor.getInstance();
  const wanted = [config.part === 'local' ? 'local' : 'remote', config.part === 'supervisor' ? 'remote' : 'local'];
  const inForce = [supervisor.getDiscoveryAdapter()?.name, supervisor.getProcessAdapter()?.name];
  if (wanted.join() === inForce.join()) return;
  console.error(
    `App Supervisor: the adapters in force are "${inForce.join('" and "')}", not "${wanted.join('" and "')}" as the environment variables ask. Another plugin took their place; the process ends.`,
  );
  process.exit(1);
}
