import { collections } from '../../src/server/core/collections';
import type { HostRow } from '../../src/server/databases';
import type { AppRecord } from '../../src/shared/messages';
import type { Operation } from '../../src/shared/operation';
import { MemoryDatabase } from '../support/memory-database';
import { type Boot, Ground } from './ground';
import { SimulatedRedis } from './network';
import type { Plan } from './plan';
import { DatabaseServer, SupervisorProcess, type Surroundings, WorkerProcess } from './processes';
import { Machine, randomFor, Scheduler, type Timepiece } from './scheduler';

/** A place in which one process after the other runs: whatever ends is started again by what runs it, as Docker does. */
export interface Slot<Process extends SupervisorProcess | WorkerProcess> {
  name: string;
  process: Process | null;
  /** Of the machine, whichever process runs there. */
  timepiece: Timepiece;
  starts: number;
  /** Of NocoBase there; it grows with each rolling upgrade. */
  version: number;
  /** Gone for good: nothing is started there any more. */
  isGone: boolean;
  /** Since when no process runs here, in ms. */
  endedAt: number;
  lost: { out: boolean; in: boolean };
  /** Whether nothing passes between this machine and its database. */
  isOffDatabase: boolean;
  start(name: string, at: { timepiece: Timepiece; version: number }): Process;
}

export type AnySlot = Slot<SupervisorProcess> | Slot<WorkerProcess>;

export interface EnvironmentOfWorld {
  name: string;
  database: DatabaseServer;
  slots: Slot<WorkerProcess>[];
}

/** A fleet with all that surrounds it. */
export class World {
  readonly scheduler = new Scheduler();
  readonly journal: string[] = [];
  readonly redis: SimulatedRedis;
  readonly ground: Ground;
  readonly database: DatabaseServer;
  readonly supervisors: Slot<SupervisorProcess>[];
  readonly environments: EnvironmentOfWorld[];
  /** Apps whose data somebody asked to drop, by name. */
  readonly drops = new Set<string>();
  /** Their incarnations, whatever the database has lost of it since. */
  readonly dropped = new Set<string>();
  /** Whether the Supervisor's database fell back to an older copy. */
  hasLostApps = false;
  /** Environments that an operator forgot, and when he was told that they are, in ms. */
  readonly forgotten = new Map<string, number>();
  /** Those that a Supervisor was asked to forget and did not answer for, or that came back since: only the database knows. */
  readonly forgetting = new Set<string>();
  /** When a process of an environment was last asked to end, in ms: it gives its environment back. */
  readonly releasedAt = new Map<string, number>();
  /** When the process that held an environment last died, in ms. */
  readonly diedAt = new Map<string, number>();
  /** Environments that take no apps, and since when somebody was told so or the database may have lost that they do again, in ms. */
  readonly cordoned = new Map<string, number>();
  /** Those that take apps again, and when somebody was told so, in ms; infinite until he is. */
  readonly uncordoned = new Map<string, number>();
  /** The Supervisor that led and was last asked to end, when, in ms, and whether it has ended by itself. */
  askedLeader: { process: SupervisorProcess; at: number; hasEnded: boolean } | null = null;
  /** When the Supervisors' database last fell back to an older copy, in true ms. */
  get fellBackAt(): number {
    return this.database.fellBackAt;
  }
  /** The first thing that was wrong. */
  violation: { at: number; what: string } | null = null;
  onBoot: (machine: Machine, environment: string, record: AppRecord, row: HostRow | undefined) => void = () =>
    undefined;
  private readonly boots;
  private readonly losses;

  constructor(readonly plan: Plan) {
    const { seed, latency, lost, doubled } = plan;
    this.boots = randomFor(seed, 'boots');
    this.losses = randomFor(seed, 'lost machines');
    const clock = new Machine(this.scheduler, 'redis', { rate: 1, offset: 0 });
    this.redis = new SimulatedRedis(this.scheduler, randomFor(seed, 'redis'), clock);
    this.ground = new Ground({
      seed,
      scheduler: this.scheduler,
      machine: new Machine(this.scheduler, 'databases', { rate: 1, offset: 0 }),
      roles: plan.roles === true,
      note: (line) => this.note(line),
      violate: (what) => this.violate(what),
      nextBoot: () => this.nextBoot(),
      nextStop: () => this.nextStop(),
      crash: (machine) => this.crash(machine),
      // A process from which the app was taken, and that is frozen since, cannot write any more.
      isRunning: (uid, place) =>
        this.workers.some(({ host, name, environment }) => {
          const { holder = name, gone = false } = this.ground.row(place, environment) ?? {};
          return holder === name && !gone && [...host.running.values()].some((one) => one.uid === uid);
        }),
      onBoot: (...boot) => this.onBoot(...boot),
      mayDrop: (uid) => this.mayDrop(uid),
    });
    const note = (line: string) => this.note(line);
    const serverOf = (name: string, database: MemoryDatabase) => {
      database.later = (ms, work) => this.scheduler.after(ms, work);
      return new DatabaseServer(name, database);
    };
    this.database = serverOf('supervisor', new MemoryDatabase(collections));
    const { scheduler, redis, ground } = this;
    const around: Surroundings = {
      scheduler,
      redis,
      ground,
      seed,
      latency,
      wakeUps: { lost, doubled },
      note,
      addressesOf: (name) =>
        plan.environments.flatMap((processes, i) =>
          name === `env_${'abcdefgh'[i]}` ? Array.from({ length: processes }, (_, j) => `http://${name}-${j + 1}`) : [],
        ),
      listening: (url) => this.workers.find((worker) => worker.url === url),
      spent: (machine) => this.crash(machine),
      // One that is frozen hears of a request later, and so does not keep the other one from answering.
      answering: (name) => {
        const hosts = this.workers.filter((worker) => worker.environment === name && worker.isHost);
        return hosts.find(({ machine }) => machine.isUp) ?? hosts[0];
      },
      isCutOffWhole: plan.failover === 'cutOff',
    };
    const clocks = randomFor(seed, 'clocks');
    const timepiece = () => ({
      rate: 1 + (clocks.fraction() * 2 - 1) * plan.skew,
      offset: Math.floor((clocks.fraction() * 2 - 1) * plan.skew * 10_000_000),
    });
    this.supervisors = Array.from({ length: plan.supervisors }, (_, i) =>
      slot(
        `supervisor-${i + 1}`,
        timepiece(),
        (name, { timepiece, version }) => new SupervisorProcess(name, timepiece, this.database, around, version),
      ),
    );
    this.environments = plan.environments.map((processes, i) => {
      const name = `env_${'abcdefgh'[i]}`;
      const database = serverOf(name, new MemoryDatabase([...collections, PLUGINS]));
      const slots = Array.from({ length: processes }, (_, j) =>
        slot(`${name}-${j + 1}`, timepiece(), (instance, { timepiece, version }) => {
          return new WorkerProcess(instance, name, timepiece, database, around, version);
        }),
      );
      return { name, database, slots };
    });
  }

  get slots(): AnySlot[] {
    return [...this.supervisors, ...this.environments.flatMap(({ slots }) => slots)];
  }

  get workers(): WorkerProcess[] {
    return this.environments.flatMap(({ slots }) => slots.flatMap(({ process }) => process ?? []));
  }

  get isQuiet(): boolean {
    return this.scheduler.now >= this.plan.quietAt;
  }

  note(line: string): void {
    this.journal.push(`${(this.scheduler.now / 1000).toFixed(3)} ${line}`);
  }

  violate(what: string): void {
    this.violation ??= { at: this.scheduler.now, what };
    this.note(`VIOLATION ${what}`);
  }

  start(slot: AnySlot): void {
    if (slot.process || slot.isGone) return;
    const name = `${slot.name}#${++slot.starts}`;
    this.note(`${name} starts`);
    slot.process = slot.start(name, slot);
    slot.process.link.lost = slot.lost;
    slot.process.isOffDatabase = slot.isOffDatabase;
  }

  kill(slot: AnySlot, restartAfter: number): void {
    if (!slot.process) return;
    const { process } = slot;
    this.note(`${process.name} dies`);
    const { now } = this.scheduler;
    const isHost = process instanceof WorkerProcess && process.isHost && !process.isLeaving;
    if (isHost && process.machine.wasUpSince(now - 1_000)) this.diedAt.set(process.environment, now);
    process.kill(this.losses.fraction() < 0.5);
    this.ended(slot, restartAfter);
  }

  terminate(slot: AnySlot, restartAfter: number): void {
    const { process } = slot;
    if (!process) return;
    this.note(`${process.name} is asked to end`);
    const noteRelease = () => {
      if (process instanceof WorkerProcess) this.releasedAt.set(process.environment, this.scheduler.now);
    };
    noteRelease();
    if (process instanceof SupervisorProcess && process.leads && !process.isOffDatabase)
      this.askedLeader = { process, at: this.scheduler.now, hasEnded: false };
    process.isLeaving = true;
    const end = () => {
      if (slot.process !== process) return;
      noteRelease();
      if (this.askedLeader?.process === process) this.askedLeader.hasEnded = true;
      this.note(`${process.name} has ended`);
      this.ended(slot, restartAfter);
    };
    process.terminate().then(end, end);
    // As an orchestrator does with what does not end.
    this.scheduler.after(10_000, () => {
      if (slot.process === process) this.kill(slot, restartAfter);
    });
  }

  private ended(slot: AnySlot, restartAfter: number): void {
    slot.process = null;
    slot.endedAt = this.scheduler.now;
    this.scheduler.after(restartAfter, () => this.start(slot));
  }

  private crash(machine: Machine): void {
    const found = this.slots.find(({ process }) => process?.machine === machine);
    if (found) this.scheduler.after(0, () => this.kill(found, 3_000));
  }

  /** Whether somebody asked for it, of this incarnation. */
  private mayDrop(uid: string): boolean {
    const asked = (this.database.database.visible('appOperations') as unknown as Operation[]).find(
      ({ appUid, data }) => appUid === uid && data === 'drop',
    );
    if (asked && asked.createdById !== null && this.drops.has(asked.appName)) this.dropped.add(uid);
    return this.dropped.has(uid);
  }

  private nextBoot(): Boot {
    const { failing, crashing } = this.plan;
    const takes = 300 + this.boots.fraction() * this.boots.fraction() * 12_000;
    const chance = this.boots.fraction();
    if (this.hangs()) return { ends: 'never', takes };
    if (this.isQuiet || chance >= failing + crashing) return { ends: 'well', takes };
    return { ends: chance < crashing ? 'crashed' : 'failed', takes };
  }

  private nextStop(): number {
    return this.hangs() ? SLOW_STOP : 100;
  }

  /** Whether the next thing hangs. */
  private hangs(): boolean {
    return this.plan.hanging > 0 && this.boots.fraction() < this.plan.hanging && !this.isQuiet;
  }

  /** Ends what the real process would keep. */
  close(): void {
    for (const { process } of this.slots) process?.kill();
  }
}

const slot = <Process extends SupervisorProcess | WorkerProcess>(
  name: string,
  timepiece: Timepiece,
  start: (name: string, at: { timepiece: Timepiece; version: number }) => Process,
): Slot<Process> => ({
  name,
  process: null,
  timepiece,
  starts: 0,
  isGone: false,
  endedAt: 0,
  lost: { out: false, in: false },
  isOffDatabase: false,
  version: 0,
  start,
});

/** How long an app takes that ends late, in ms: longer than a Worker waits for it. */
const SLOW_STOP = 90_000;

/** NocoBase's own table, of which a registration reads the plugins. */
const PLUGINS = {
  name: 'applicationPlugins',
  fields: [
    { name: 'name', type: 'string', primaryKey: true },
    { name: 'version', type: 'string' },
    { name: 'enabled', type: 'boolean' },
    { name: 'builtIn', type: 'boolean' },
  ],
};
