import { EventEmitter } from 'node:events';
import type { Application, AppSupervisor } from '@nocobase/server';
import type { DatabaseLock, RoleRepairer } from '../../src/server/databases';
import type { Log } from '../../src/server/log';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import type { Secrets } from '../../src/server/protocol/secrets';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import { AppHost, type Found } from '../../src/server/worker/hosting/host';
import type { HostDatabase } from '../../src/server/worker/hosting/host-database';
import type { Message } from '../../src/shared/message';
import type { AppRecord } from '../../src/shared/messages';
import type { Ground } from './ground';
import { PlayedPool } from './pool';
import type { Machine } from './scheduler';

/** A boot as it was begun. */
interface Begun {
  record: AppRecord;
  authority: HostingAuthority;
  newest(): AppRecord;
}

/** An app as NocoBase's core makes it. */
class PlayedApp extends EventEmitter {
  readonly options: { database: HostDatabase };
  readonly db;
  private readonly pool: PlayedPool;
  private command: { status: string } | null = null;
  private isDestroyed = false;

  constructor(
    readonly name: string,
    database: HostDatabase,
    private readonly begun: Begun,
    private readonly host: PlayedHost,
  ) {
    super();
    this.options = { database };
    this.db = { options: { ...database }, closed: () => this.isDestroyed, close: async () => this.pool.close() };
    this.pool = new PlayedPool(database, begun.record, begun.authority, host.machine, host.ground, begun.newest);
  }

  getMaintaining(): { status: string } | null {
    return this.command;
  }

  setMaintainingMessage(): void {}

  async runCommandThrowError(_start: string, quickstart?: string): Promise<void> {
    const { host, begun, name } = this;
    const { ground, machine, coreApps } = host;
    coreApps.setStatus(name, 'initializing');
    await this.pool.connect();
    if (quickstart)
      await this.pool.query('CREATE TABLE IF NOT EXISTS "public"."users" (id INTEGER PRIMARY KEY, email TEXT)');
    const { ends, takes } = ground.options.nextBoot();
    if (ends === 'never') {
      host.note(`hangs ${name}`);
      host.hangsSince.set(name, ground.options.scheduler.now);
      await new Promise(() => undefined);
    }
    await machine.sleep(takes);
    if (ends === 'crashed') {
      ground.options.crash(machine);
      await new Promise(() => undefined);
    }
    if (ends === 'failed') throw new Error('It does not start.');
    if (quickstart) await this.writeVersion();
    // Whatever it loads at the end it reads from its database.
    await this.pool.connect();
    host.running.set(name, begun.record);
    coreApps.setStatus(name, 'running');
    host.note(`runs ${name} ${begun.record.generation}`);
  }

  private async writeVersion(): Promise<void> {
    const table = '"public"."applicationVersion"';
    await this.pool.query(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY, value TEXT)`);
    await this.pool.query(`INSERT INTO ${table} (id) VALUES (1) ON CONFLICT DO NOTHING`);
    await this.pool.query(`UPDATE ${table} SET value = ? WHERE id = 1`, [this.host.release]);
  }

  async destroy(): Promise<void> {
    const { host, name } = this;
    const isRunning = host.running.has(name);
    if (isRunning) {
      host.ending.add(name);
      await host.machine.sleep(host.ground.options.nextStop());
      host.ending.delete(name);
    }
    this.isDestroyed = true;
    this.pool.close();
    if (host.running.delete(name)) host.note(`ends ${name}`);
  }

  /** It ends by itself. */
  fail(): void {
    this.pool.close();
  }

  /** The core runs a command of it for so long. */
  async run(ms: number): Promise<void> {
    if (this.command) return;
    this.command = { status: 'command_running' };
    this.host.coreApps.setStatus(this.name, 'commanding' as never);
    await this.host.machine.sleep(ms);
    this.command = null;
    if (this.host.running.has(this.name) && !this.host.ending.has(this.name))
      this.host.coreApps.setStatus(this.name, 'running');
  }
}

const folders = { storagePath: '', take: async () => undefined, transferKey: () => null };

/** The part of `AppSupervisor` that hosts apps. */
function playedCore(host: () => PlayedHost) {
  return {
    emit: () => true,
    on: () => undefined,
    createDatabase: async () => undefined,
    registerApp: ({ appModel }: { appModel: { name: string; options: { database: HostDatabase } } }) => {
      const { name, options } = appModel;
      const app = new PlayedApp(name, options.database, host().begun.get(name)!, host());
      return host().coreApps.addApp(app as unknown as Application);
    },
  } as unknown as AppSupervisor;
}

/** The real host of apps, on a core that is played, and without disk. */
export class PlayedHost extends AppHost {
  /** What this process runs, by name. */
  readonly running = new Map<string, AppRecord>();
  /** What ended by itself, with the newest generation then. */
  readonly failed = new Map<string, number>();
  /** The boots that never end, with when each began to hang. */
  readonly hangsSince = new Map<string, number>();
  /** What of it is about to end. */
  readonly ending = new Set<string>();
  /** What ended for the last boot of each app; absent: nothing. */
  private readonly unloaded = new Map<string, AppRecord>();
  readonly begun = new Map<string, Begun>();
  readonly bootQueue: BootQueue;

  constructor(
    main: Application,
    readonly place: string,
    readonly machine: Machine,
    readonly ground: Ground,
    log: Log,
  ) {
    const core = playedCore(() => this);
    const coreApps = new CoreAppRegistry(core);
    const secrets = { open: (sealed: string) => sealed } as unknown as Secrets;
    const settings = { logPath: '', storagePath: '', databaseHosts: [] };
    super(core, coreApps, secrets, place, settings, machine, log, async () => []);
    Object.assign(main.db.options, ground.connectionOf(machine, place));
    coreApps.apps.main = main;
    this.bootQueue = new BootQueue({ concurrency: 2, interval: 0, intervalCap: 1 }, machine);
    this.hosted.losses.listen((name) => this.note(`finds no row of its own in the database of ${name}`));
    // Titles, logos and folders are no part of the simulation.
    Object.assign(this, { names: { keep: () => undefined, follow: () => undefined }, folders });
  }

  get release(): string {
    return this.coreApps.apps.main.getPackageVersion();
  }

  override async stop(name: string): Promise<void> {
    this.failed.delete(name);
    await super.stop(name);
  }

  override async rest(name: string): Promise<void> {
    this.failed.delete(name);
    await super.rest(name);
  }

  override async endData(record: AppRecord): Promise<Message> {
    this.note(`${record.data}s ${record.name}`);
    return this.databases.end(record);
  }

  override async forgetLogs(): Promise<void> {}

  override async pluginSet(name: string) {
    return this.running.has(name) ? { text: '', own: [] } : null;
  }

  override async canRestart(): Promise<boolean> {
    return true;
  }

  override async adminPassword(): Promise<null> {
    return null;
  }

  /**
   * An app ends by itself. Nobody starts it again but an operator.
   * @param generation the newest that the process knows
   */
  fail(name: string, generation: number): void {
    if (!this.running.has(name) || this.ending.has(name)) return;
    this.note(`loses ${name}`);
    this.app(name)?.fail();
    this.running.delete(name);
    this.failed.set(name, generation);
    this.coreApps.setError(name, new Error('It ended by itself.'));
    this.coreApps.setStatus(name, 'error');
  }

  /** The core runs a command of an app for so long. */
  async command(name: string, ms: number): Promise<void> {
    if (this.running.has(name) && !this.ending.has(name)) await this.app(name)?.run(ms);
  }

  /** Visitors of a running app are thrown out only for a boot that was asked for. */
  override async prepareDatabase(record: AppRecord, maySet: RoleRepairer['maySet']): Promise<void> {
    const { name, uid, boot } = record;
    const ended = this.unloaded.get(name);
    if (ended?.uid === uid && ended.boot.generation >= boot.generation)
      this.ground.options.violate(`${name} runs in ${this.machine.name} and is booted again, unasked`);
    await super.prepareDatabase(record, maySet);
  }

  override async setPassword(record: AppRecord): Promise<void> {
    if (record.database.nextPassword) this.note(`sets the password of ${record.name}`);
    await super.setPassword(record);
  }

  override async start(
    record: AppRecord,
    how: 'start' | 'restart' | 'upgrade',
    found: Found,
    lock: DatabaseLock,
    authority: HostingAuthority,
    newest: () => AppRecord,
  ): Promise<string> {
    const { machine, ground, place } = this;
    const { name } = record;
    ground.options.onBoot(machine, place, record, ground.row(record.database.database ?? name, place));
    this.note(`boots ${name} ${how} ${record.generation}`);
    this.failed.delete(name);
    const other = ground.booting.get(name);
    if (other) ground.options.violate(`${name} boots in ${machine.name} while it boots in ${other.name}`);
    ground.booting.set(name, machine);
    this.begun.set(name, { record, authority, newest });
    try {
      return await super.start(record, how, found, lock, authority, newest);
    } finally {
      if (ground.booting.get(name) === machine) ground.booting.delete(name);
    }
  }

  /** What runs of an app ends for a boot. */
  override async unload(name: string): Promise<void> {
    const record = this.running.get(name);
    if (record) this.unloaded.set(name, record);
    else this.unloaded.delete(name);
    await super.unload(name);
  }

  note(text: string): void {
    this.ground.options.note(`${this.machine.name} ${text}`);
  }

  private app(name: string): PlayedApp | undefined {
    const app: unknown = this.coreApps.apps[name];
    return app instanceof PlayedApp ? app : undefined;
  }
}
