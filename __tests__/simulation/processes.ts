import type { Application } from '@nocobase/server';
import { shownStatuses } from '../../src/server/core/statuses';
import { createLog } from '../../src/server/log';
import { fingerprint } from '../../src/server/protocol/secrets';
import { SupervisorPart } from '../../src/server/supervisor/supervisor';
import type { Tenures } from '../../src/server/worker/tenures';
import { WorkerPart } from '../../src/server/worker/worker';
import type { AppRecord } from '../../src/shared/messages';
import type { MemoryDatabase } from '../support/memory-database';
import { OWN_FACTS } from '../support/own-facts';
import { playedCopies } from './copies';
import type { Ground } from './ground';
import { PlayedHost } from './host';
import { asAsked } from './loop-writes';
import { Link, SimulatedBus, type SimulatedRedis, type WakeUps } from './network';
import { Machine, randomFor, type Scheduler, type Timepiece } from './scheduler';
import { Door } from './visitors';

/** Processes as `core/` puts them together, on machines of the simulation. */

const KEY = Buffer.alloc(32, 9);
const BEAT = 5_000;
/** As in supervisor/fleet/reachability.ts. */
const ANSWERS_WITHIN = 5_000;
/** How long a process waits for a database that it does not reach, in ms; the server ends its sessions meanwhile. */
const LOST_AFTER = 5_000;

/** A database server, and how it fares. */
export class DatabaseServer {
  /** When it last was away or slow, or ended sessions of all, in true ms. */
  troubledAt = Number.NEGATIVE_INFINITY;
  /** When it last was as an older copy of it, in true ms. */
  fellBackAt = Number.NEGATIVE_INFINITY;
  isAway = false;
  /** What each statement takes longer, in ms. */
  slower = 0;

  constructor(
    readonly name: string,
    readonly database: MemoryDatabase,
  ) {}

  cut(owner?: string): void {
    for (const transaction of owner ? [owner] : this.owners) this.database.cut(transaction);
  }

  /** The process that has the environment by the row of its lease. */
  holderOf(environment: string): string | null {
    const rows = this.database.visible('appWorkerLeases');
    return (rows.find((row) => row.environment === environment)?.holder as string | undefined) ?? null;
  }

  readonly owners = new Set<string>();
  /** What it holds, for a failover to it. */
  private copies: Array<{ at: number; tables: Map<string, Map<unknown, Record<string, unknown>>> }> = [];

  copy(now: number): void {
    const tables = [...this.database.tables].map(([name, { rows }]) => [name, structuredClone(rows)] as const);
    this.copies.push({ at: now, tables: new Map(tables) });
  }

  /** A replica takes over that was behind: what was committed since is gone, and so are all sessions. */
  failOver(to: number): void {
    this.cut();
    const copy = this.copies.find(({ at }) => at === to);
    for (const [name, rows] of copy?.tables ?? []) this.database.tables.get(name)!.rows = structuredClone(rows);
  }
}

export interface Surroundings {
  scheduler: Scheduler;
  redis: SimulatedRedis;
  ground: Ground;
  seed: number;
  latency: number;
  wakeUps: WakeUps;
  note(line: string): void;
  /** What variables of the Supervisors name: the addresses of all processes of an environment. */
  addressesOf(environment: string): string[];
  /** Whose address it is, if anybody's. */
  listening(url: string): WorkerProcess | undefined;
  /** A process that can host no more ends, as one in a container does. */
  spent(machine: Machine): void;
  /** The process that hosts an environment and answers its requests, if any does. */
  answering(environment: string): WorkerProcess | undefined;
  /** Whether a Worker that is cut off from Redis is cut off from Supervisors, too. */
  isCutOffWhole: boolean;
}

const releaseOf = (version: number): string => `2.2.${15 + version}`;

/** What a process of either kind is made of. */
abstract class SimulatedProcess {
  readonly machine: Machine;
  readonly link: Link;
  protected readonly bus: SimulatedBus;
  private isOff = false;
  /** When its connection to its database last went, or is back and nothing waits for an answer of before any more, in true ms. */
  partedAt = Number.NEGATIVE_INFINITY;
  protected readonly random;
  readonly log;

  constructor(
    readonly name: string,
    timepiece: Timepiece,
    readonly database: DatabaseServer,
    protected readonly around: Surroundings,
    readonly version: number,
  ) {
    const { scheduler, redis, seed, latency, wakeUps, note } = around;
    this.machine = new Machine(scheduler, name, timepiece);
    this.random = randomFor(seed, name);
    this.link = new Link(this.machine, redis, randomFor(seed, `${name} link`), latency);
    this.bus = new SimulatedBus(this.link, wakeUps, around.answering);
    database.owners.add(name);
    const write = (level: string) => (message: string) => note(`${name} ${level}: ${message}`);
    this.log = createLog({ debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') });
  }

  /** It was asked to end: who looks at its pages connects to another one. */
  isLeaving = false;

  get isOffDatabase(): boolean {
    return this.isOff;
  }

  set isOffDatabase(isOff: boolean) {
    if (isOff !== this.isOff) this.partedAt = this.around.scheduler.now + (isOff ? 0 : LOST_AFTER);
    this.isOff = isOff;
    if (isOff) this.database.cut(this.name);
  }

  protected get main(): Application {
    const db = this.database.database.connect(
      this.name,
      (statement) => this.statement(statement),
      () => this.machine.now().wall,
    );
    return { name: 'main', db, getPackageVersion: () => releaseOf(this.version) } as unknown as Application;
  }

  /** Passes a statement to the database and its answer back. */
  protected statement<T>(asked: () => Promise<T>): Promise<T> {
    const work = asAsked(asked);
    const { database, machine, around } = this;
    const { scheduler } = around;
    const delay = () => this.link.delay() + database.slower * this.random.fraction();
    return new Promise((resolve, reject) => {
      const lose = () =>
        scheduler.after(LOST_AFTER, () => machine.enter(() => reject(new Error('Connection terminated unexpectedly'))));
      const answer = (end: () => void) => {
        scheduler.after(delay(), () => {
          if (this.isOffDatabase) lose();
          else machine.enter(end);
        });
      };
      scheduler.at(Math.max(scheduler.now + delay(), this.link.stalledUntil), () => {
        // The server has ended the sessions of a process that is dead.
        if (machine.isDead) return;
        if (this.isOffDatabase) lose();
        else if (database.isAway) answer(() => reject(new Error('connect ECONNREFUSED')));
        else
          work().then(
            (result) => answer(() => resolve(result)),
            (error) => answer(() => reject(error)),
          );
      });
    });
  }

  /** `kill -9`. @param _isNoticed whether servers hear of it at once: otherwise its machine is gone, too */
  kill(_isNoticed = true): void {
    this.machine.die();
    this.database.cut(this.name);
    this.database.owners.delete(this.name);
    const { redis } = this.around;
    redis.listeners.splice(0, redis.listeners.length, ...redis.listeners.filter(({ link }) => link !== this.link));
  }
}

export class SupervisorProcess extends SimulatedProcess {
  /** In true ms. */
  readonly startedAt: number;
  readonly part: SupervisorPart;
  readonly door: Door;
  /** What open pages show, and how often they read it. */
  page = '';
  reads = 0;
  readAt = 0;

  constructor(name: string, timepiece: Timepiece, database: DatabaseServer, around: Surroundings, version: number) {
    super(name, timepiece, database, around, version);
    this.startedAt = around.scheduler.now;
    this.part = new SupervisorPart({
      stores: this.link.stores,
      bus: this.bus,
      instance: name,
      aesKey: KEY,
      clock: this.machine,
      random: this.random,
      log: this.log,
      warnings: [],
      wsPath: '/ws',
      publicUrl: null,
      schemaByDefault: false,
      defaultEnvironments: null,
      findInstalled: async () => [],
      own: () => OWN_FACTS,
      addressesOf: (environment) => around.addressesOf(environment),
      reaches: (url) => this.reaches(url),
      hosts: (url) => this.hosts(url),
    });
    this.door = new Door(this.part);
    this.part.changes.listen(() => {
      this.page = this.statuses;
      this.reads++;
      this.readAt = around.scheduler.now;
    });
    this.part.start(this.main);
  }

  /** Of all apps and environments, as they are shown now. */
  get statuses(): string {
    if (!this.part.loaded) return '';
    const apps = Object.entries(shownStatuses(this.part)).map(
      ([app, statuses]) => `${app} is ${JSON.stringify(statuses)}`,
    );
    const { environmentCache, observer } = this.part.parts;
    const environments = environmentCache.names().map((name) => `${name} is ${observer.environment(name)?.health}`);
    return [...apps, ...environments].sort().join('\n');
  }

  /** Whether somebody listens at an address; what is frozen listens, and does not answer. */
  private reaches(url: string): Promise<boolean> {
    return this.ask(url, () => true);
  }

  /** As the probe of a Worker answers. */
  private hosts(url: string): Promise<boolean> {
    const { isCutOffWhole } = this.around;
    return this.ask(url, (worker) => !(isCutOffWhole && worker.link.isCut) && worker.isHost);
  }

  private ask(url: string, saysYes: (worker: WorkerProcess) => boolean): Promise<boolean> {
    const { around, machine } = this;
    const answer = (work: () => void) => around.scheduler.after(this.link.delay(), work);
    return new Promise((resolve) => {
      const end = (isReached: boolean) => machine.enter(() => resolve(isReached));
      const timer = machine.timeout(ANSWERS_WITHIN, () => end(false));
      answer(() => {
        const worker = around.listening(url);
        if (worker) worker.machine.enter(() => answer(() => end(saysYes(worker))));
        else answer(() => end(false));
        void timer;
      });
    });
  }

  get leads(): boolean {
    return this.machine.isUp && this.isLeader;
  }

  /** Whether it leads, as far as it knows. */
  get isLeader(): boolean {
    return this.part.loaded && this.part.parts.leadership.leads;
  }

  /** SIGTERM. */
  async terminate(): Promise<void> {
    await this.part.prepareToLeave();
    this.part.stop();
    this.kill();
  }
}

const VITALS = {
  start: () => undefined,
  stop: () => undefined,
  read: () => ({ memory: 400_000_000, eventLoopDelay: 1 }),
};

export class WorkerProcess extends SimulatedProcess {
  readonly part: WorkerPart;
  readonly host: PlayedHost;
  readonly url: string;
  /** In true ms. */
  readonly startedAt: number;
  /** By app that ran, when it was last visited: by this process's clock in s, and truly. */
  readonly visited = new Map<string, { at: number; true: number }>();
  /** The same of its first visit; the earliest that the clock has said since. */
  readonly firstVisited = new Map<string, { at: number; true: number }>();

  constructor(
    name: string,
    readonly environment: string,
    timepiece: Timepiece,
    database: DatabaseServer,
    around: Surroundings,
    version: number,
  ) {
    super(name, timepiece, database, around, version);
    this.host = new PlayedHost(this.main, environment, this.machine, around.ground, this.log);
    // Of the machine, whichever process runs there.
    const url = `http://${name.split('#')[0]}`;
    this.url = url;
    this.startedAt = around.scheduler.now;
    this.part = new WorkerPart({
      stores: this.link.stores,
      bus: this.bus,
      coreApps: this.host.coreApps,
      host: this.host,
      bootQueue: this.host.bootQueue,
      place: async () => fingerprint(database.name),
      hasFormer: async () => false,
      onSpent: () => around.spent(this.machine),
      environment: {
        name: environment,
        url,
        proxyUrl: url,
        serves: true,
        heartbeatInterval: BEAT,
        exitsWhenSpent: false,
      },
      only: null,
      publicUrl: null,
      instance: name,
      aesKey: KEY,
      appKey: 'app-key',
      clock: this.machine,
      random: this.random,
      log: this.log,
      warnings: [],
      handlers: {},
      copyAhead: playedCopies(this.machine, around.seed, name, (uid) =>
        around.ground.copied.add(`${uid} ${environment}`),
      ),
    });
    // Those of the real process are the same for all, never twice the same, and took a third of the time.
    Object.assign(this.part, { vitals: VITALS });
    this.part.start();
  }

  /** A visitor comes. */
  visit(app: string): void {
    if (this.part.role === undefined) return;
    if (this.host.running.has(app)) {
      const now = Math.floor(this.machine.now().wall / 1_000);
      const { lastSeenAt } = this.host.coreApps;
      // It was removed here since.
      if (!lastSeenAt.has(app)) this.firstVisited.delete(app);
      lastSeenAt.set(app, now);
      const visit = { at: now, true: this.around.scheduler.now };
      this.visited.set(app, visit);
      const first = this.firstVisited.get(app);
      if (!first) this.firstVisited.set(app, visit);
      else if (now < first.at) first.at = now; // the clock was set back
    }
    this.part.visit(app);
  }

  override kill(isNoticed = true): void {
    super.kill();
    this.around.ground.died(this.machine, isNoticed);
    this.host.running.clear();
  }

  /** SIGTERM: the core forgets its main app before it tells anybody else. */
  async terminate(): Promise<void> {
    await this.part.prepareToLeave();
    delete this.host.coreApps.apps.main;
    await this.part.stop();
    this.kill();
  }

  /** Answers a request of a Supervisor. */
  async answer(method: string, payload: unknown): Promise<unknown> {
    if (method !== 'checkDatabase') return null;
    const { name, database } = payload as Pick<AppRecord, 'name' | 'database'>;
    return this.host.databases.check(name, database, false);
  }

  get tenures(): Tenures | undefined {
    return (this.part as unknown as { running: { tenures: Tenures } | null }).running?.tenures;
  }

  /** Whether it holds its environment, as far as it knows. */
  get isHost(): boolean {
    return this.part.role === 'holder' || this.part.role === 'holding';
  }
}
