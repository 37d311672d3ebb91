import type { AppSupervisor } from '@nocobase/server';
import { type Clock, systemClock } from '../../src/server/clock';
import type { DatabaseLock, ServerRoles } from '../../src/server/databases';
import { AppSupervisorError } from '../../src/server/errors';
import { Feed } from '../../src/server/feed';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import type { SnapshotHeader } from '../../src/server/worker/apps/floor';
import type { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import type { AppHost, Found } from '../../src/server/worker/hosting/host';
import type { PluginSet } from '../../src/server/worker/hosting/plugin-set';
import { type Message, say } from '../../src/shared/message';
import type { AdminPassword, AppRecord } from '../../src/shared/messages';

/** What environments share: the databases of apps. Whatever is wrong in what they are told to do shows here. */
export class SimulatedDatabases {
  /** Owner's uid by the name of the app's database. */
  readonly owners = new Map<string, string>();
  /** `env_a boots crm start`, `env_a runs crm`, `env_a ends crm`, `env_a drops crm` … in the order of time. */
  readonly journal: string[] = [];
  /** Apps whose boot was begun in a second environment while the first had not ended. */
  readonly overlaps: string[] = [];
  private readonly booting = new Map<string, string>();

  /**
   * As the real one: a database that is not there, or not this app's, is an error.
   * @returns whether it was made now
   */
  claim(record: AppRecord): boolean {
    const { owners } = this;
    const place = databaseOf(record);
    const details = { object: `database "${place}"`, app: record.name, server: 'here' };
    const isNew = !owners.has(place);
    if (isNew) {
      if (record.provision !== 'create') throw new AppSupervisorError('DATABASE_MISSING', details);
      owners.set(place, record.uid);
    }
    if (owners.get(place) === '' && record.provision === 'adopt') owners.set(place, record.uid);
    if (owners.get(place) !== record.uid) throw new AppSupervisorError('DATABASE_FOREIGN', details);
    return isNew;
  }

  /** What happened to an app, or in an environment. */
  story(part: string): string[] {
    return this.journal.filter((line) => line.split(' ').includes(part));
  }

  note(line: string): void {
    this.journal.push(line);
  }

  begin(environment: string, name: string): void {
    const other = this.booting.get(name);
    if (other) this.overlaps.push(`${name}: ${environment} beside ${other}`);
    this.booting.set(name, environment);
  }

  end(environment: string, name: string): void {
    if (this.booting.get(name) === environment) this.booting.delete(name);
  }

  /** A process died: nothing boots in it any more. */
  died(environment: string): void {
    for (const [name, where] of this.booting) if (where === environment) this.booting.delete(name);
  }
}

/** How boots of one app go. */
export interface BootScript {
  /** In ms; a promise is waited for. */
  takes?: number | Promise<void>;
  fails?: Error;
  /** What the core still does once it has said `running`. */
  lingers?: Promise<void>;
}

/** The seam to the host's core: boots and ends nothing but notes, as the real one would tell of it. */
export class SimulatedHost {
  readonly coreApps: CoreAppRegistry;
  readonly running = new Map<string, AppRecord>();
  /** By app; changed by a test at any moment. */
  readonly bootScripts = new Map<string, BootScript>();
  /** How often the database server does not answer whoever ends data. */
  silences = 0;
  /** Plugin sets by app, as its database has them. */
  readonly plugins = new Map<string, string>();
  /** Apps that another environment has upgraded to what this one does not have. */
  readonly behind = new Set<string>();

  constructor(
    readonly environment: string,
    readonly databases = new SimulatedDatabases(),
    private readonly clock: Clock = systemClock,
  ) {
    this.coreApps = new CoreAppRegistry({ emit: () => true, on: () => undefined } as unknown as AppSupervisor);
  }

  readonly names = { follow: () => undefined };
  private dead = false;

  /** `kill -9`: whatever was under way never ends, and nothing is heard of it. */
  die(): void {
    this.dead = true;
    this.running.clear();
    this.databases.died(this.environment);
  }

  /** Apps that were claimed again while they ran, and that have left their databases, with their generations. */
  readonly claimed: string[] = [];
  readonly left: string[] = [];
  readonly hosted = {
    refusals: new Feed<string>(),
    losses: new Feed<string>(),
    claim: async ({ name, generation }: AppRecord, _authority: HostingAuthority, lock?: DatabaseLock) => {
      if (!lock) this.claimed.push(`${name} ${generation}`);
    },
    endBootInTheWay: async () => undefined,
    leave: async ({ name, generation }: AppRecord) => {
      this.left.push(`${name} ${generation}`);
    },
  };

  get asHost(): AppHost {
    return this as unknown as AppHost;
  }

  async unload(name: string): Promise<void> {
    this.running.delete(name);
  }

  async prepareDatabase(): Promise<void> {}

  /** Apps whose roles have got another password. */
  readonly passwords: string[] = [];

  async setPassword({ name, database }: AppRecord): Promise<void> {
    if (database.nextPassword) this.passwords.push(`${name} ${database.nextPassword}`);
  }

  async lock(): Promise<DatabaseLock> {
    return { release: async () => undefined, isHeld: async () => true } as unknown as DatabaseLock;
  }

  async inspect(): Promise<Found> {
    return { content: { installed: 'complete' } as Found['content'], host: { version: '2.2.15', plugins: [] } };
  }

  async start(record: AppRecord, how: string): Promise<string> {
    const { name } = record;
    const { fails, lingers } = this.bootScripts.get(name) ?? {};
    this.note(`boots ${name} ${how}`);
    this.databases.begin(this.environment, name);
    try {
      if (this.databases.claim(record)) this.note(`creates ${name}`);
      this.coreApps.setStatus(name, 'initializing');
      await this.work(name);
      if (this.dead) await new Promise(() => undefined);
      if (fails) throw fails;
      this.running.set(name, record);
      this.coreApps.setStatus(name, 'running');
      this.coreApps.onAdminPassword(name, await this.adminPassword(name));
      await lingers;
      this.note(`runs ${name}`);
      return '2.2.15';
    } finally {
      this.databases.end(this.environment, name);
    }
  }

  /** What a boot takes its time for. */
  protected async work(name: string): Promise<void> {
    const { takes } = this.bootScripts.get(name) ?? {};
    if (takes) await (typeof takes === 'number' ? this.clock.sleep(takes) : takes);
  }

  async stop(name: string): Promise<void> {
    this.end(name);
    this.coreApps.setStatus(name, 'stopped');
  }

  /** What happens while an app ends. */
  onRest: () => void = () => undefined;

  async rest(name: string): Promise<void> {
    this.onRest();
    this.end(name);
    delete this.coreApps.appStatus[name];
  }

  async endData(record: AppRecord): Promise<Message> {
    const { name } = record;
    if (this.silences-- > 0)
      throw new AppSupervisorError('DATABASE_UNREACHABLE', {
        server: 'here',
        cause: say('VANISHED', { object: name }),
      });
    if (this.databases.owners.get(databaseOf(record)) !== record.uid)
      throw new AppSupervisorError('DATABASE_FOREIGN', { object: 'database', server: 'here', app: name });
    this.note(`${record.data === 'drop' ? 'drops' : 'releases'} ${name}`);
    if (record.data === 'drop') this.databases.owners.delete(databaseOf(record));
    else this.databases.owners.set(databaseOf(record), '');
    return say(record.data === 'drop' ? 'DATA_DROPPED' : 'DATA_RELEASED');
  }

  async serverRoles(): Promise<ServerRoles> {
    return { mode: 'none', user: '', server: '', sql: '', warnings: [] };
  }

  async forgetLogs(): Promise<void> {}

  showError(name: string, error: Error): void {
    this.end(name);
    this.coreApps.setError(name, error);
    this.coreApps.setStatus(name, 'error');
  }

  async pluginSet(name: string): Promise<PluginSet | null> {
    return this.running.has(name) ? { text: this.plugins.get(name) ?? '', own: [] } : null;
  }

  async canRestart(name: string): Promise<boolean> {
    return !this.behind.has(name);
  }

  /** What is wrong with administrators' passwords, by app, as its database says. */
  readonly adminPasswords = new Map<string, AdminPassword>();

  async adminPassword(name: string): Promise<AdminPassword | null> {
    return this.adminPasswords.get(name) ?? null;
  }

  isRunning(name: string): boolean {
    return this.running.has(name);
  }

  /** Apps that the core works on for a command of theirs. */
  readonly commanding = new Set<string>();

  isInCommand(name: string): boolean {
    return this.commanding.has(name);
  }

  reveal(sealed: string): string {
    return sealed;
  }

  private end(name: string): void {
    if (this.running.delete(name)) this.note(`ends ${name}`);
  }

  private note(text: string): void {
    if (this.dead) return;
    this.databases.note(`${this.environment} ${text}`);
  }
}

const databaseOf = (record: AppRecord): string => record.database.database ?? record.name;

/** A worker's own memory: outlives the converger that a test drops, as the table outlives the process. */
export class SimulatedSnapshot {
  readonly rows = new Map<string, string>();
  header: SnapshotHeader | null = null;
  away = false;

  get asStore(): SnapshotStore {
    return this as unknown as SnapshotStore;
  }

  async load() {
    return [...this.rows.values()].map((row) => JSON.parse(row));
  }

  async loadHeader() {
    return structuredClone(this.header);
  }

  async saveHeader(header: SnapshotHeader, gone: string[]): Promise<void> {
    if (this.away) throw new Error('The database is away.');
    for (const name of gone) this.rows.delete(name);
    this.header = structuredClone(header);
  }

  async save(name: string, record: AppRecord, applied: unknown): Promise<void> {
    if (this.away) throw new Error('The database is away.');
    this.rows.set(name, JSON.stringify({ record, applied }));
  }

  async remove(name: string): Promise<void> {
    if (this.away) throw new Error('The database is away.');
    this.rows.delete(name);
  }
}
