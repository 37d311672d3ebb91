import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Model } from '@nocobase/database';
import type { Application, AppSupervisor } from '@nocobase/server';
import { type Message, say } from '../../../shared/message';
import type { AdminPassword, AppPlugin, AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { BootstrapConfig, HostConfig } from '../../config';
import {
  createByOtherPlugin,
  type DatabaseCheck,
  type DatabaseLock,
  inspectDatabase,
  markUpgrading,
  prepareDatabase,
  resetPartialInstall,
  type ServerRoles,
} from '../../databases';
import { AppSupervisorError, inEnglish, messageOf } from '../../errors';
import type { Log } from '../../log';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import type { FindInstalled } from '../../nocobase/installed-plugins';
import { createPlaceholderApp, isPlaceholderApp } from '../../nocobase/placeholder-app';
import { appAdminWarning } from '../../protocol/administrator';
import { newSecret, type SecretField, type Secrets } from '../../protocol/secrets';
import { BootQueue } from '../apps/boot-queue';
import { NO_WORK_LOG, type WorkLog } from '../watchdog/work';
import { findAdminPassword, installAs, watchAdminPassword } from './administrator';
import { AppDatabases } from './app-databases';
import { type BootOutcome, type BootTurn, lockFor } from './boot-turn';
import type { HostDatabase } from './connection';
import { endData } from './end-data';
import { HostedDatabases } from './hosted-databases';
import { OwnFolders } from './own-folders';
import { OwnNames } from './own-name';
import { newerOf, type PluginVersion, planBoot } from './plan';
import { watchRestores } from './restores';

/** How long a boot waits for another environment's boot, in ms: longer than an installation takes. */
const LOCK_TIMEOUT = 900_000;

/** The enabled plugins of an app. */
export interface PluginSet {
  /** All of them, with versions, in one comparable text. */
  text: string;
  /** Those that not every app has. */
  own: AppPlugin[];
}

/**
 * Boots, stops and removes apps in this process. It does not know the desired state: worker/apps/controller.ts decides,
 * one app at a time. Every method leaves the app either in the requested state or as an error with its cause.
 */
export class AppHost {
  readonly hosted: HostedDatabases;
  readonly names: OwnNames;
  readonly folders: OwnFolders;
  private readonly boots: BootQueue;
  private readonly databases: AppDatabases;

  constructor(
    private readonly supervisor: AppSupervisor,
    private readonly coreApps: CoreAppRegistry,
    private readonly secrets: Secrets,
    bootstrap: BootstrapConfig,
    private readonly environment: string,
    private readonly settings: Pick<HostConfig, 'logPath' | 'storagePath' | 'databaseHosts'>,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly findInstalled: FindInstalled,
    /** Whether apps may share the environment's own database role where it may make none. */
    mayShareRole = false,
    private readonly work: WorkLog = NO_WORK_LOG,
  ) {
    this.boots = new BootQueue(bootstrap, clock);
    this.databases = new AppDatabases(
      () => coreApps.apps.main.db.options as unknown as HostDatabase,
      (password, app) => secrets.open(password, app, 'database'),
      mayShareRole,
      settings.databaseHosts,
    );
    const connectionOf = (record: AppRecord) => this.databases.connectionOf(record);
    this.hosted = new HostedDatabases(connectionOf, log);
    this.folders = new OwnFolders(settings.storagePath, environment, connectionOf, secrets, clock, log);
    this.names = new OwnNames((name) => coreApps.apps[name], log);
  }

  /**
   * Brings an app to `running`, from any state, under the lock on its database. A wait for that lock takes no place in the
   * queue.
   * @returns null if the app was no longer to boot when its turn came
   * @throws AppSupervisorError and errors of the core; then a placeholder app with the error has replaced the app
   */
  async boot(name: string, wanted: BootTurn): Promise<BootOutcome | null> {
    let lock: DatabaseLock | null = null;
    let begun = false;
    const begin = () => {
      begun = true;
      wanted.begin();
    };
    const turn = { ...wanted, begin };
    const onPlace = (place: number) => turn.progress(say('IN_BOOT_QUEUE', { place }), true);
    try {
      for (;;) {
        // In its turn, too: what is left of a failed boot may take long to end.
        const work = () =>
          this.bootInTurn(name, turn, lock).catch(async (error) => {
            await this.unload(name).catch(() => undefined);
            throw error;
          });
        const outcome = await this.boots.add(work, { ...turn, onPlace, isNext: lock !== null });
        if (outcome !== 'locked') {
          if (!outcome && begun) await this.rest(name);
          return outcome;
        }
        turn.progress(say('WAITS_FOR_LOCK'), true);
        await this.hosted.endBootInTheWay(turn);
        lock = await this.lockFor(turn, LOCK_TIMEOUT);
      }
    } catch (error) {
      this.coreApps.setError(name, error instanceof Error ? error : new Error(messageOf(error)));
      this.stand(name, 'error');
      throw error;
    } finally {
      await lock?.release();
    }
  }

  /**
   * Opens an app that another process hosts, for a command of the app, without lock or change. It ends with the main app.
   * @param starts false: the app is registered, and the command decides what it loads
   * @throws AppSupervisorError DATABASE_… and errors of the core
   */
  async openBeside(record: AppRecord, starts: boolean): Promise<void> {
    const mainApp = this.coreApps.apps.main;
    const connection = this.databases.connectionOf(record);
    const owner = { app: record.name, uid: record.uid };
    const { underscored } = await inspectDatabase(connection, record.database.dbConnType, owner);
    if (underscored !== null) connection.underscored = underscored;
    const app = this.register(record, connection, mainApp);
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

  /** From now on only one app boots at a time. */
  bootOneByOne(): void {
    this.boots.oneByOne();
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

  /** Ends the data of a removed app as its record says; returns what was done. */
  async endData(record: AppRecord): Promise<Message> {
    return endData(record, this.databases, this.settings.storagePath);
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
    const plugins = this.isRunning(name) ? await this.pluginsOf(this.coreApps.apps[name]).catch(() => null) : null;
    if (!plugins) return null;
    const enabled = plugins.filter((plugin) => plugin.enabled);
    const own = enabled.filter((plugin) => !plugin.builtIn);
    const found = own.length ? await this.findInstalled(own.map((plugin) => plugin.name)) : [];
    const here = new Set(found.map((plugin) => plugin.name));
    return {
      text: enabled
        .map(({ name, version }) => `${name}@${version}`)
        .sort()
        .join(),
      own: own.map(({ name, version }) => ({ name, version, installed: here.has(name) })),
    };
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
    const plugins = await this.pluginsOf(app);
    const content = { version: (await app.version.get()) ?? null, plugins };
    const host = {
      version: this.coreApps.apps.main.getPackageVersion(),
      plugins: await this.findInstalled(plugins.map((plugin) => plugin.name)),
    };
    return newerOf(content, host) === null;
  }

  isRunning(name: string): boolean {
    const app = this.coreApps.apps[name];
    return app !== undefined && !isPlaceholderApp(app) && this.coreApps.appStatus[name] === 'running';
  }

  isInCommand(name: string): boolean {
    return this.coreApps.isInCommand(name);
  }

  /** @returns `locked` when another environment boots it, which is waited for elsewhere */
  private async bootInTurn(
    name: string,
    turn: BootTurn,
    held: DatabaseLock | null,
  ): Promise<BootOutcome | 'locked' | null> {
    const wish = turn.decide();
    if (!wish) return null;
    turn.begin();
    await this.unload(name);
    turn.progress(say('CHECKING_DATABASE'), false);
    const { record } = wish;
    const { dbConnType } = record.database;
    await prepareDatabase(this.databases.connectionOf(record), dbConnType, {
      app: name,
      uid: record.uid,
      mayCreate: record.provision === 'create',
      adopt: record.provision === 'adopt',
      maker: this.databases.makerOf(record),
      createByOther: () =>
        createByOtherPlugin(this.supervisor, name, this.databases.workerConnectionOf(record), dbConnType),
      protect: this.databases.protect(),
    });
    const lock = held ?? (await this.lockFor(turn, 0));
    if (!lock) return turn.decide() && 'locked';
    try {
      return await this.work.runStart(name, () => this.bootUnderLock(name, turn, lock));
    } finally {
      if (lock !== held) await lock.release();
    }
  }

  private async bootUnderLock(name: string, turn: BootTurn, lock: DatabaseLock): Promise<BootOutcome | null> {
    // The lock may have been waited for: what was wished meanwhile holds.
    const wish = await this.hosted.claimUnderLock(lock, turn);
    if (!wish) return null;
    const { record, how } = wish;
    this.work.noteStart(name, record.uid, record.boot.generation);
    const mainApp = this.coreApps.apps.main;
    const connection = this.databases.connectionOf(record);
    const { dbConnType } = record.database;
    const owner = { app: name, uid: record.uid };
    const log = this.log.bound({ app: name });
    log.rooms.boot?.('Begins', { how, generation: record.generation, dbConnType });
    await turn.mark();
    // Only now, because another environment may just have installed it.
    const content = await inspectDatabase(connection, dbConnType, owner);
    const host = {
      version: mainApp.getPackageVersion(),
      plugins: await this.findInstalled(content.plugins.map(({ name }) => name)),
    };
    // The database may have taken long to answer: what was wished meanwhile holds.
    if (turn.decide()?.record.generation !== record.generation) return this.bootUnderLock(name, turn, lock);
    // The installation decides how tables are named, whatever this environment's default is.
    if (content.underscored !== null) connection.underscored = content.underscored;
    log.rooms.boot?.('Holds the lock', { content, host });
    const plan = planBoot(record, how, { ...content, upgrading: content.mark.upgrading }, host);
    if (plan === 'resumeInstall') {
      turn.progress(say('RESUMES_INSTALL'), false);
      await resetPartialInstall(connection, owner);
    }
    log.info(`App ${record.name}: ${plan}`, { how });
    await this.folders.take(record, plan);
    if (plan === 'upgrade') await markUpgrading(connection, owner, true);
    delete this.coreApps.appErrors[record.name];
    this.coreApps.appStatus[record.name] = 'preparing';
    const app = this.register(record, this.hosted.guarded(record, connection, turn.authority), mainApp);
    await app.runCommandThrowError('start', ...(plan === 'start' ? [] : ['--quickstart']));
    // The command does nothing while another one runs (application.ts:843), so its end proves nothing.
    if (this.coreApps.appStatus[record.name] !== 'running') {
      const cause =
        this.coreApps.reasonOf(record.name)?.message ??
        say('START_ENDED_AS', { status: this.coreApps.appStatus[record.name] ?? '-' });
      throw new AppSupervisorError('APP_START_FAILED', { app: record.name, cause });
    }
    if (!(await lock.isHeld())) throw new AppSupervisorError('LOCK_LOST', { app: record.name });
    if (plan === 'upgrade') await markUpgrading(connection, owner, false);
    watchRestores(app, connection, owner, content.mark.created, () => this.hosted.losses.emit(name), this.log);
    log.rooms.boot?.('Runs');
    return { version: host.version, record };
  }

  private register(record: AppRecord, connection: HostDatabase, mainApp: Application): Application {
    const secret = this.jwtSecretOf(record);
    const registered = {
      appModel: {
        name: record.name,
        title: record.title,
        environments: record.environments,
        options: {
          dbConnType: record.database.dbConnType,
          database: connection as never,
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
  private async unload(name: string): Promise<void> {
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

  /** Checks whether an app could use a database with this environment's connection. */
  checkDatabase(name: string, database: AppRecord['database']): Promise<DatabaseCheck> {
    return this.databases.check(name, database);
  }

  /** Bytes that the database of an app takes; null if there is none. */
  databaseSize(record: AppRecord): Promise<number | null> {
    return this.databases.size(record);
  }

  /** What the environment's own database role may do. */
  serverRoles(): Promise<ServerRoles> {
    return this.databases.serverRoles();
  }

  private lockFor(turn: BootTurn, timeoutMs: number): Promise<DatabaseLock | null> {
    return lockFor(turn, this.environment, (record) => this.databases.connectionOf(record), timeoutMs);
  }

  private async pluginsOf(app: Application): Promise<PluginVersion[]> {
    const rows = await app.db.getRepository('applicationPlugins').find();
    return rows.map((row: Model) => ({
      name: row.get('name') as string,
      version: row.get('version') as string,
      enabled: Boolean(row.get('enabled')),
      builtIn: Boolean(row.get('builtIn')),
    }));
  }
}
