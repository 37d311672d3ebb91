import type { AppSupervisor } from '@nocobase/server';
import type { DatabaseLock, HostPlace, HostRow } from '../../src/server/databases';
import { AppSupervisorError } from '../../src/server/errors';
import { Feed } from '../../src/server/feed';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import {
  claimHosting,
  endBootInTheWay,
  type HostingAuthority,
  leaveHosting,
} from '../../src/server/worker/hosting/claim';
import type { AppHost, Found } from '../../src/server/worker/hosting/host';
import { type Message, say } from '../../src/shared/message';
import type { AppRecord } from '../../src/shared/messages';
import { HostingGround, type Pool } from './hosting';
import type { Machine } from './scheduler';

const LOCK_RETRY = 200;

/** How one boot goes. */
export interface Boot {
  ends: 'well' | 'failed' | 'crashed' | 'never';
  /** In ms. */
  takes: number;
}

export interface GroundOptions {
  /** Whether apps have database roles of their own. */
  roles: boolean;
  /** In true ms. */
  now(): number;
  note(line: string): void;
  violate(what: string): void;
  nextBoot(): Boot;
  /** How long the next end of an app takes, in ms. */
  nextStop(): number;
  crash(machine: Machine): void;
  /** Whether an app of this incarnation runs somewhere, in a process that its database knows as its host there. */
  isRunning(uid: string, place: string): boolean;
  /** Called when a boot is about to begin. */
  onBoot(machine: Machine, environment: string, record: AppRecord, row: HostRow | undefined): void;
  /** Whether somebody asked for the data of this incarnation of an app to be dropped. */
  mayDrop(uid: string): boolean;
}

/** What all environments share: the databases of apps, with their owners and their locks. */
export class Ground {
  /** Owner's uid by name of the database; empty for one without a mark. */
  readonly owners = new Map<string, string>();
  /** The newest release that ran in a database. */
  readonly versions = new Map<string, number>();
  /** `<uid> <environment>` where a copy of an app's uploads has begun. */
  readonly copied = new Set<string>();
  /** The password of an app's role, by name of its database. */
  readonly passwords = new Map<string, string>();
  readonly hosting: HostingGround;
  /** Who boots an app, by its name, whatever the locks say. */
  readonly booting = new Map<string, Machine>();

  constructor(readonly options: GroundOptions) {
    this.hosting = new HostingGround(
      options.now,
      (place) => this.owners.get(place),
      // What it boots is refused the database from now on.
      (machine) => this.endBoots(machine),
    );
  }

  /** As the real one: a database that is not there, or not this app's, is an error. */
  claim(record: AppRecord): void {
    const { owners } = this;
    const place = placeOf(record);
    const details = { object: `database "${place}"`, app: record.name, server: 'here' };
    if (!owners.has(place)) {
      if (record.provision !== 'create') throw new AppSupervisorError('DATABASE_MISSING', details);
      owners.set(place, record.uid);
    }
    if (owners.get(place) === '' && record.provision !== 'none') owners.set(place, record.uid);
    if (owners.get(place) !== record.uid) throw new AppSupervisorError('DATABASE_FOREIGN', details);
  }

  /** The role of an app gets a password. Whoever runs the app has to know it by then. */
  setPassword(place: string, password: string, machine: Machine): void {
    if (this.passwords.get(place) === password) return;
    this.passwords.set(place, password);
    for (const pool of this.hosting.pools) {
      const row = this.hosting.row(place, pool.authority.environment);
      const isHost = row?.uid === pool.uid && row.holder === pool.authority.holder && !row.gone;
      if (pool.place === place && isHost && pool.refusedAt === null && !pool.knows(password))
        this.options.violate(
          `${pool.app} loses its database in ${pool.machine.name}: ${machine.name} sets another password`,
        );
    }
  }

  /** @returns whether nobody else has it */
  lock(place: string, machine: Machine, environment: string): boolean {
    const { locks } = this.hosting;
    if (locks.has(place)) return false;
    locks.set(place, { machine, environment });
    return true;
  }

  release(place: string, machine: Machine): void {
    if (this.hosting.locks.get(place)?.machine === machine) this.hosting.locks.delete(place);
  }

  drop(record: AppRecord): void {
    if (!this.options.mayDrop(record.uid)) this.options.violate(`${record.name}: its data were dropped, unasked`);
    // A process that has forgotten its drop repeats it, and there is nothing left to drop.
    if (this.owners.has(placeOf(record)) && this.options.isRunning(record.uid, placeOf(record)))
      this.options.violate(`${record.name}: its data were dropped while it runs`);
    this.owners.delete(placeOf(record));
    this.passwords.delete(placeOf(record));
    this.versions.delete(placeOf(record));
    this.hosting.drop(placeOf(record));
  }

  died(machine: Machine): void {
    this.hosting.died(machine);
    this.endBoots(machine);
  }

  private endBoots(machine: Machine): void {
    for (const [app, booting] of this.booting) if (booting === machine) this.booting.delete(app);
  }
}

const placeOf = (record: AppRecord): string => record.database.database ?? record.name;

/** Plays NocoBase's core: boots, stops and removes apps of one process, behind the plugin's own queue of boots. */
export class PlayedHost {
  readonly coreApps = new CoreAppRegistry({ emit: () => true, on: () => undefined } as unknown as AppSupervisor);
  /** What this process runs, by name. */
  readonly running = new Map<string, AppRecord>();
  /** What ended by itself, with the newest generation then. */
  readonly failed = new Map<string, number>();
  /** What ended for the last boot of each app; absent: nothing. */
  private readonly unloaded = new Map<string, AppRecord>();
  /** What of it is about to end. */
  readonly ending = new Set<string>();
  readonly hosted = {
    refusals: new Feed<string>(),
    losses: new Feed<string>(),
    claim: async (record: AppRecord, authority: HostingAuthority, lock?: DatabaseLock): Promise<void> => {
      // In its session: nothing is written without it.
      if (lock && !(await lock.isHeld())) throw new AppSupervisorError('LOCK_LOST', { app: record.name });
      await claimHosting(await this.open(record), record, authority);
    },
    endBootInTheWay: async (record: AppRecord, authority: HostingAuthority): Promise<boolean> =>
      endBootInTheWay(await this.open(record), record, authority),
    leave: async (record: AppRecord, authority: HostingAuthority): Promise<void> =>
      leaveHosting(await this.open(record), record, authority),
  };
  private readonly pools = new Map<string, Pool>();
  private readonly commands = new Set<string>();
  readonly bootQueue: BootQueue;

  constructor(
    readonly environment: string,
    private readonly machine: Machine,
    private readonly ground: Ground,
    private readonly version: number,
  ) {
    this.bootQueue = new BootQueue({ concurrency: 2, interval: 0, intervalCap: 1 }, machine);
  }

  get asHost(): AppHost {
    return this as unknown as AppHost;
  }

  /** Titles and logos are no part of the simulation. */
  readonly names = { follow: () => undefined };

  async stop(name: string): Promise<void> {
    this.failed.delete(name);
    await this.end(name);
    this.coreApps.setStatus(name, 'stopped');
  }

  async rest(name: string): Promise<void> {
    this.failed.delete(name);
    await this.end(name);
    delete this.coreApps.appStatus[name];
  }

  async endData(record: AppRecord): Promise<Message> {
    await this.machine.sleep(50);
    const { name, uid, data } = record;
    const { owners } = this.ground;
    if (owners.has(placeOf(record)) && owners.get(placeOf(record)) !== uid)
      throw new AppSupervisorError('DATABASE_FOREIGN', { object: 'database', server: 'here', app: name });
    this.note(`${data}s ${name}`);
    if (data === 'drop') this.ground.drop(record);
    else if (owners.has(placeOf(record))) owners.set(placeOf(record), '');
    return say(data === 'drop' ? 'DATA_DROPPED' : 'DATA_RELEASED');
  }

  showError(name: string, error: Error): void {
    this.disconnect(name);
    this.running.delete(name);
    this.coreApps.setError(name, error);
    this.coreApps.setStatus(name, 'error');
  }

  async serverRoles() {
    const mode = this.ground.options.roles ? ('made' as const) : ('none' as const);
    return { mode, user: '', server: '', sql: '', warnings: [] };
  }

  async forgetLogs(): Promise<void> {}

  async pluginSet(name: string) {
    return this.running.has(name) ? { text: '', own: [] } : null;
  }

  async canRestart(): Promise<boolean> {
    return true;
  }

  async adminPassword(): Promise<null> {
    return null;
  }

  isRunning(name: string): boolean {
    return this.running.has(name);
  }

  /**
   * An app ends by itself. Nobody starts it again but an operator.
   * @param generation the newest that the process knows
   */
  fail(name: string, generation: number): void {
    if (!this.running.has(name) || this.ending.has(name)) return;
    this.note(`loses ${name}`);
    this.disconnect(name);
    this.running.delete(name);
    this.failed.set(name, generation);
    this.coreApps.setError(name, new Error('It ended by itself.'));
    this.coreApps.setStatus(name, 'error');
  }

  /** The core runs a command of an app for so long. */
  async command(name: string, ms: number): Promise<void> {
    if (!this.running.has(name) || this.ending.has(name) || this.commands.has(name)) return;
    this.commands.add(name);
    this.coreApps.setStatus(name, 'commanding');
    await this.machine.sleep(ms);
    this.commands.delete(name);
    if (this.running.has(name) && !this.ending.has(name)) this.coreApps.setStatus(name, 'running');
  }

  isInCommand(name: string): boolean {
    return this.commands.has(name);
  }

  reveal(sealed: string): string {
    return sealed;
  }

  /** Visitors of a running app are thrown out only for a boot that was asked for. */
  async prepareDatabase(record: AppRecord, setsPassword: boolean): Promise<void> {
    const { name, uid, boot } = record;
    const ended = this.unloaded.get(name);
    if (ended?.uid === uid && ended.boot.generation >= boot.generation)
      this.ground.options.violate(`${name} runs in ${this.machine.name} and is booted again, unasked`);
    await this.machine.sleep(20);
    this.ground.claim(record);
    const { password } = record.database;
    if (password && setsPassword && !this.signsIn(record))
      this.ground.setPassword(placeOf(record), password, this.machine);
    this.signIn(record);
  }

  /** Work on data, as the real one does it. */
  async setPassword(record: AppRecord): Promise<void> {
    await this.machine.sleep(20);
    const { nextPassword } = record.database;
    if (!nextPassword) return;
    this.note(`sets the password of ${record.name}`);
    this.ground.setPassword(placeOf(record), nextPassword, this.machine);
  }

  private signsIn(record: AppRecord): boolean {
    const { password, nextPassword } = record.database;
    const now = this.ground.passwords.get(placeOf(record));
    return !password || now === password || (now !== undefined && now === nextPassword);
  }

  private signIn(record: AppRecord): void {
    if (this.signsIn(record)) return;
    const { username: user = '' } = record.database;
    throw new AppSupervisorError('DATABASE_SIGN_IN', { server: 'here', user, cause: 'another password' });
  }

  /** The boot lock, as the real one. */
  async lock(
    record: AppRecord,
    _authority: HostingAuthority,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<DatabaseLock | null> {
    const { machine, ground, environment } = this;
    const place = placeOf(record);
    const since = machine.now().mono;
    while (!signal.aborted) {
      if (ground.lock(place, machine, environment))
        return {
          release: async () => ground.release(place, machine),
          isHeld: async () => ground.hosting.locks.get(place)?.machine === machine,
        } as DatabaseLock;
      if (timeoutMs === 0) return null;
      if (machine.now().mono - since >= timeoutMs)
        throw new AppSupervisorError('LOCK_BUSY', { app: record.name, seconds: timeoutMs / 1000 });
      await machine.sleep(LOCK_RETRY);
    }
    return null;
  }

  async inspect(): Promise<Found> {
    return { content: { installed: 'complete' } as Found['content'], host: { version: '2.2.15', plugins: [] } };
  }

  async start(
    record: AppRecord,
    how: string,
    _found: Found,
    lock: DatabaseLock,
    authority: HostingAuthority,
    newest: () => AppRecord,
  ): Promise<string> {
    const { machine, ground } = this;
    const { name } = record;
    const place = placeOf(record);
    ground.options.onBoot(machine, this.environment, record, ground.hosting.row(place, this.environment));
    this.note(`boots ${name} ${how} ${record.generation}`);
    this.failed.delete(name);
    const other = ground.booting.get(name);
    if (other) ground.options.violate(`${name} boots in ${machine.name} while it boots in ${other.name}`);
    ground.booting.set(name, machine);
    try {
      this.coreApps.setStatus(name, 'initializing');
      const data = ground.versions.get(place) ?? 0;
      if (data > this.version)
        throw new AppSupervisorError('APP_TOO_NEW', { app: name, data: `${data}`, core: 'here' });
      ground.versions.set(place, this.version);
      const { ends, takes } = ground.options.nextBoot();
      if (ends === 'never') {
        this.note(`hangs ${name}`);
        await new Promise(() => undefined);
      }
      await machine.sleep(takes);
      if (ends === 'crashed') {
        ground.options.crash(machine);
        await new Promise(() => undefined);
      }
      if (ends === 'failed') throw new Error('It does not start.');
      if (!(await lock.isHeld())) throw new AppSupervisorError('LOCK_LOST', { app: name });
      this.connect(record, authority, newest);
      this.running.set(name, record);
      this.coreApps.setStatus(name, 'running');
      this.note(`runs ${name} ${record.generation}`);
      return '2.2.15';
    } finally {
      if (ground.booting.get(name) === machine) ground.booting.delete(name);
    }
  }

  /** A session on the database of an app. */
  private async open(record: AppRecord): Promise<HostPlace> {
    await this.machine.sleep(5);
    this.signIn(record);
    return this.ground.hosting.place(placeOf(record), record.name, record.uid);
  }

  /** What runs of an app ends for a boot. */
  async unload(name: string): Promise<void> {
    const record = this.running.get(name);
    if (record) this.unloaded.set(name, record);
    else this.unloaded.delete(name);
    await this.end(name);
  }

  private async end(name: string): Promise<void> {
    if (!this.running.has(name)) return;
    this.coreApps.appStatus[name] = 'preparing';
    this.ending.add(name);
    await this.machine.sleep(this.ground.options.nextStop());
    this.ending.delete(name);
    this.disconnect(name);
    if (this.running.delete(name)) this.note(`ends ${name}`);
  }

  private connect(record: AppRecord, authority: HostingAuthority, newest: () => AppRecord): void {
    const { name, uid } = record;
    this.disconnect(name);
    const refused = () => {
      this.note(`is refused the database of ${name}`);
      this.hosted.refusals.emit(name);
    };
    const lost = () => {
      this.note(`finds no row of its own in the database of ${name}`);
      this.hosted.losses.emit(name);
    };
    const { machine } = this;
    const knows = (password: string) => {
      const { database } = newest();
      return [record.database.password, database.password, database.nextPassword].includes(password);
    };
    const pool = { place: placeOf(record), app: name, uid, machine, authority, refusedAt: null, knows, refused, lost };
    this.pools.set(name, pool);
    this.ground.hosting.pools.add(pool);
  }

  private disconnect(name: string): void {
    const pool = this.pools.get(name);
    if (pool) this.ground.hosting.pools.delete(pool);
    this.pools.delete(name);
  }

  private note(text: string): void {
    this.ground.options.note(`${this.machine.name} ${text}`);
  }
}
