import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Application, AppSupervisor } from '@nocobase/server';
import { type Message, say } from '../../../shared/message';
import type { AdminPassword, AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { HostConfig } from '../../config/core-settings';
import {
  acquireLock,
  createByOtherPlugin,
  type DatabaseLock,
  inspectDatabase,
  markOf,
  markUpgrading,
  prepareDatabase,
  type RoleRepairer,
  resetPartialInstall,
  type ServerRoles,
} from '../../databases';
import { AppSupervisorError, hasCode, inEnglish, messageOf } from '../../errors';
import type { Log } from '../../log';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import type { FindInstalled, HostPlugin } from '../../nocobase/installed-plugins';
import { createPlaceholderApp, isPlaceholderApp } from '../../nocobase/placeholder-app';
import { nameTokens } from '../../nocobase/token-names';
import { appAdminWarning } from '../../protocol/administrator';
import { newSecret, type SecretField, type Secrets } from '../../protocol/secrets';
import { OwnFolders, removeFolders } from '../files/app-folders';
import { NO_WORK_LOG, type WorkLog } from '../watchdog/busy-with';
import { AppDatabases } from './app-databases';
import type { HostingAuthority } from './claim';
import { findAdminPassword, installAs, watchAdminPassword } from './first-administrator';
import type { HostDatabase } from './host-database';
import { HostedDatabases } from './hosted-databases';
import { OwnNames } from './own-name';
import { type PluginSet, pluginSetOf, pluginsIn } from './plugin-set';
import { watchRestores } from './restores';
import { newerOf, type PluginVersion, planBoot } from './start-kind';

/** What a boot goes by. */
export interface Found {
  content: Awaited<ReturnType<typeof inspectDatabase>>;
  host: { version: string; plugins: HostPlugin[] };
}

/**
 * What is done to an app in this process and in its database, one step each. In which order, and whether at all, is decided in worker/apps.
 */
export class AppHost {
  readonly hosted: HostedDatabases;
  readonly names: OwnNames;
  readonly folders: OwnFolders;
  readonly databases: AppDatabases;

  constructor(
    private readonly supervisor: AppSupervisor,
    readonly coreApps: CoreAppRegistry,
    private readonly secrets: Secrets,
    private readonly environment: string,
    private readonly settings: Pick<HostConfig, 'logPath' | 'storagePath' | 'databaseHosts'>,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly findInstalled: FindInstalled,
    /** Whether apps may share the environment's own database role where it may make none. */
    mayShareRole = false,
    private readonly work: WorkLog = NO_WORK_LOG,
  ) {
    this.databases = new AppDatabases(
      () => coreApps.apps.main.db.options as unknown as HostDatabase,
      (password, app) => secrets.open(password, app, 'database'),
      mayShareRole,
      settings.databaseHosts,
    );
    const connectionOf = (record: AppRecord) => this.databases.connectionOf(record);
    this.hosted = new HostedDatabases(this.databases, log);
    this.folders = new OwnFolders(settings.storagePath, environment, connectionOf, secrets, clock, log);
    this.names = new OwnNames((name) => coreApps.apps[name], log);
  }

  /**
   * Opens an app that another process hosts, for a command of the app, without lock or change. It ends with the main app.
   * @param newest the newest record of the app
   * @param starts false: the app is registered, and the command decides what it loads
   * @throws AppSupervisorError DATABASE_… and errors of the core
   */
  async openBeside(newest: () => Promise<AppRecord>, starts: boolean): Promise<void> {
    const mainApp = this.coreApps.apps.main;
    const record = await newest();
    const connection = await this.databases.signedIn(record);
    const owner = { app: record.name, uid: record.uid };
    const { underscored } = await inspectDatabase(connection, record.database.dbConnType, owner);
    if (underscored !== null) connection.underscored = underscored;
    const app = this.register(record, connection, newest);
    mainApp.on('afterStop', async () => app.destroy({ logging: false }));
    if (starts) await app.runCommandThrowError('start');
  }

  /** Returns a sealed secret in plain text, or unchanged if this instance has another key. */
  reveal(sealed: string, app: AppRecord, field: SecretField): string {
    try {
      return this.secrets.open(sealed, app, field);
    } catch {
      return sealed;
    }
  }

  /** Ends an app and leaves a placeholder app, so that the core says that it is stopped. */
  async stop(name: string): Promise<void> {
    await this.unload(name);
    this.stand(name, 'stopped');
  }

  /** Ends an app and leaves nothing: the next visit finds it not loaded. */
  async rest(name: string): Promise<void> {
    await this.unload(name);
    this.coreApps.drop(name);
    delete this.coreApps.appStatus[name];
  }

  /** Deletes the logs that a removed app has written on this instance. */
  async forgetLogs(name: string): Promise<void> {
    await rm(path.join(this.settings.logPath, name), { recursive: true, force: true });
  }

  /** As in `AppDatabases`. */
  async setPassword(record: AppRecord): Promise<void> {
    const password = await this.databases.setPassword(record);
    if (password !== null) this.share(record.name, password);
  }

  /** The options of an app say by which password its backups sign in, and each pool that it makes anew. */
  private share(name: string, password: string): void {
    const app = this.coreApps.apps[name];
    if (!app || isPlaceholderApp(app)) return;
    for (const options of [app.db.options, app.options.database ?? {}]) Object.assign(options, { password });
  }

  /** Ends the data of a removed app as its record says, and its folders with them. @returns what was done; throws as `AppDatabases.end` */
  async endData(record: AppRecord): Promise<Message> {
    const outcome = await this.databases.end(record);
    if (outcome.code === 'DATA_DROPPED') await removeFolders(this.settings.storagePath, record.name);
    return outcome;
  }

  /** Shows an error of work that failed before it created an app. */
  showError(name: string, error: Error): void {
    this.coreApps.setError(name, error);
    this.stand(name, 'error');
  }

  /**
   * The enabled plugins of a running app and their versions, as its database says now; null if that cannot be read.
   * Another environment of the app may have changed them without notifying this one (no shared events in the
   * open-source core).
   */
  async pluginSet(name: string): Promise<PluginSet | null> {
    const plugins = this.isRunning(name) ? await pluginsIn(this.coreApps.apps[name]).catch(() => null) : null;
    return plugins && pluginSetOf(plugins, this.findInstalled);
  }

  /** The problem of a running app's root user's password, as its database says now. */
  async adminPassword(name: string): Promise<AdminPassword | null> {
    // Rejects, and does not throw, if the app has just been removed.
    return findAdminPassword(this.coreApps.apps[name].db);
  }

  /**
   * Whether a running app could be started again with the current content of its database: not after an environment
   * with a newer release has upgraded it.
   */
  async canRestart(name: string): Promise<boolean> {
    const app = this.coreApps.apps[name];
    const plugins = await pluginsIn(app);
    const content = { version: (await app.version.get()) ?? null, plugins };
    return newerOf(content, await this.installedFor(plugins)) === null;
  }

  isRunning(name: string): boolean {
    const app = this.coreApps.apps[name];
    return app !== undefined && !isPlaceholderApp(app) && this.coreApps.appStatus[name] === 'running';
  }

  isInCommand(name: string): boolean {
    return this.coreApps.isInCommand(name);
  }

  /**
   * Makes sure that the database of an app is there, and is the app's.
   * @param maySet whether the app's role may be given the password of the record, if another one signs in, by what the app's rows say
   * @throws AppSupervisorError DATABASE_…
   */
  async prepareDatabase(record: AppRecord, maySet: RoleRepairer['maySet']): Promise<void> {
    const { name, uid, provision } = record;
    const { dbConnType } = record.database;
    const connection = await this.databases.signedIn(record);
    const maker = this.databases.makerOf(record, connection);
    await prepareDatabase(connection, dbConnType, {
      app: name,
      uid,
      mayCreate: provision === 'create',
      adopt: provision === 'adopt',
      maker: maker && { ...maker, maySet },
      createByOther: () =>
        createByOtherPlugin(this.supervisor, name, this.databases.workerConnectionOf(record), dbConnType),
      protect: this.databases.protect(),
    });
  }

  /**
   * The boot lock on the database of an app.
   * @param timeoutMs for which another environment that has it is waited for; 0: not at all
   * @param signal ends the waiting
   * @returns null when another one has it and is not waited for, or when the waiting was ended
   * @throws AppSupervisorError LOCK_…, DATABASE_…
   */
  async lock(
    record: AppRecord,
    authority: HostingAuthority,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<DatabaseLock | null> {
    if (signal.aborted) return null;
    const { environment } = this;
    const mark = markOf(record.uid, authority);
    try {
      const connection = await this.databases.signedIn(record);
      return await acquireLock(connection, { app: record.name, environment, mark, timeoutMs, signal });
    } catch (error) {
      const isBusy = hasCode(error, 'LOCK_BUSY') && timeoutMs === 0;
      if (isBusy || signal.aborted) return null;
      throw error;
    }
  }

  /** What is in the database of an app, and what is installed here: under the lock, since another environment may just have installed it. */
  async inspect(record: AppRecord, lock: DatabaseLock): Promise<Found> {
    const owner = { app: record.name, uid: record.uid };
    const connection = this.databases.connectionOf(record);
    const content = await inspectDatabase(connection, record.database.dbConnType, owner, lock);
    return { content, host: await this.installedFor(content.plugins) };
  }

  /** What is installed here of NocoBase, and of these plugins. */
  private async installedFor(plugins: PluginVersion[]): Promise<Found['host']> {
    const found = await this.findInstalled(plugins.map(({ name }) => name));
    return { version: this.coreApps.apps.main.getPackageVersion(), plugins: found };
  }

  /**
   * Installs, upgrades or starts an app that was claimed, under the lock.
   * @param newest the newest record of the app, as long as it runs
   * @returns the version of NocoBase of its data
   * @throws AppSupervisorError and errors of the core
   */
  start(
    record: AppRecord,
    how: 'start' | 'restart' | 'upgrade',
    found: Found,
    lock: DatabaseLock,
    authority: HostingAuthority,
    newest: () => AppRecord,
  ): Promise<string> {
    return this.work.runStart(record.name, async () => {
      const { name, uid } = record;
      const { content, host } = found;
      this.work.noteStart(name, uid, record.boot.generation);
      const connection = await this.databases.signedIn(record);
      const owner = { app: name, uid };
      const log = this.log.bound({ app: name });
      log.rooms.boot?.('Begins', { how, generation: record.generation, content, host });
      const plan = planBoot(record, how, { ...content, upgrading: content.mark.upgrading }, host);
      // The installation decides how tables are named, whatever this environment's default is.
      if (content.underscored !== null) connection.underscored = content.underscored;
      if (plan === 'resumeInstall') await resetPartialInstall(connection, owner, lock);
      log.info(`App ${name}: ${plan}`, { how });
      await this.folders.take(record, plan === 'install');
      if (plan === 'upgrade') await markUpgrading(connection, owner, true, lock);
      delete this.coreApps.appErrors[name];
      // Not by `name`: the compiler would take it for unchanged below.
      this.coreApps.appStatus[record.name] = 'preparing';
      const app = this.register(record, this.hosted.guarded(connection, authority, record), newest);
      await app.runCommandThrowError('start', ...(plan === 'start' ? [] : ['--quickstart']));
      // The command does nothing while another one runs (application.ts:843), so its end proves nothing.
      if (this.coreApps.appStatus[name] !== 'running') {
        const cause =
          this.coreApps.reasonOf(name)?.message ??
          say('START_ENDED_AS', { status: this.coreApps.appStatus[name] ?? '-' });
        throw new AppSupervisorError('APP_START_FAILED', { app: name, cause });
      }
      if (!(await lock.isHeld())) throw new AppSupervisorError('LOCK_LOST', { app: name });
      if (plan === 'upgrade') await markUpgrading(connection, owner, false, lock);
      const current = () => this.databases.refreshed(connection, newest());
      watchRestores(app, current, owner, content.mark.created, () => this.hosted.losses.emit(name), this.log);
      log.rooms.boot?.('Runs');
      return host.version;
    });
  }

  private register(
    record: AppRecord,
    connection: HostDatabase,
    newest: () => AppRecord | Promise<AppRecord>,
  ): Application {
    const secret = this.jwtSecretOf(record);
    const { main: mainApp } = this.coreApps.apps;
    const database = this.databases.following(connection, record.uid, newest, (password) =>
      this.share(record.name, password),
    );
    const registered = {
      appModel: {
        name: record.name,
        title: record.title,
        environments: record.environments,
        options: {
          dbConnType: record.database.dbConnType,
          database: database as never,
          authManager: { jwt: { secret } },
          ...(record.sso ? { sso: record.sso } : {}),
        },
      },
      mainApp,
      // Its sync messages would start and stop the app in other processes; the desired state does that.
      hook: false,
    };
    const app = this.coreApps.create(record.name, () => this.supervisor.registerApp(registered));
    app.setMaxListeners(50);
    nameTokens(app, record.uid);
    const { initialAdmin } = record;
    const password = initialAdmin && this.secrets.open(initialAdmin.password, record, 'initialAdmin');
    installAs(app, initialAdmin && password ? { ...initialAdmin, password } : null, () =>
      this.log.warn(inEnglish(appAdminWarning(record.name, 'locked')), { app: record.name }),
    );
    this.names.keep(app, record);
    app.on('__started', () =>
      watchAdminPassword(app, this.clock, (found) => this.coreApps.onAdminPassword(record.name, found)),
    );
    // The core reports only changes of a status, and has already reported this one during the command.
    app.on('maintaining', () => this.coreApps.onStatus(record.name));
    return app;
  }

  /**
   * Never empty: the core would use the main app's own secret, and accept its tokens and those of every other such app.
   */
  private jwtSecretOf(record: AppRecord): string {
    const { name, jwtSecret } = record;
    const stored = jwtSecret && this.secrets.open(jwtSecret, record, 'jwtSecret');
    if (stored) return stored;
    this.log.warn(
      `App ${name} has no stored JWT secret: this start uses a new one, and sign-ins end with the next start. A Supervisor of 0.1.1 or later stores one.`,
      { app: name },
    );
    return newSecret();
  }

  /** Destroys the object completely and removes its late events, before a successor takes the name. */
  async unload(name: string): Promise<void> {
    const app = this.coreApps.apps[name];
    if (!app || isPlaceholderApp(app)) return;
    // First, so that a request that still arrives gets a 503 and not a closed database.
    this.coreApps.apps[name] = createPlaceholderApp(name);
    this.coreApps.appStatus[name] = 'preparing';
    try {
      await this.work.run({ app: name, kind: 'stop' }, () => app.destroy({ logging: false }));
    } catch (error) {
      this.log.warn(`App ${name} did not stop cleanly: ${messageOf(error)}`, { app: name });
      if (!app.db.closed()) await app.db.close().catch(() => undefined);
    }
    app.removeAllListeners();
    // The core's own listener removed it from the map (app-supervisor/index.ts:852).
    this.coreApps.apps[name] = createPlaceholderApp(name);
  }

  private stand(name: string, status: 'stopped' | 'error'): void {
    this.coreApps.apps[name] = createPlaceholderApp(name);
    this.coreApps.setStatus(name, status);
  }

  /** What the environment's own database role may do. */
  serverRoles(): Promise<ServerRoles> {
    return this.databases.serverRoles();
  }
}
