import { AppSupervisorError } from '../../src/server/errors';
import { Feed } from '../../src/server/feed';
import { type Audience, isForOthers, type MessageBus } from '../../src/server/protocol/bus';
import type { Stores } from '../../src/server/protocol/stores';
import type { FleetObservation } from '../../src/server/protocol/stores/fleet';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import { copyOf } from '../support/copy';
import type { SeededRandom } from '../support/random';
import type { Machine, Scheduler } from './scheduler';

type Subject = Exclude<keyof Stores, 'returns' | 'ignored' | 'sealed' | 'open' | 'warnings' | 'close'>;
const IS_PLAYED: Record<Subject, boolean> = {
  records: true,
  leases: true,
  fleet: true,
  statuses: true,
  appIndex: true,
  routes: true,
  doors: true,
  manifests: true,
  // Nobody signs in.
  sso: false,
};
const SUBJECTS = (Object.keys(IS_PLAYED) as Subject[]).filter((subject) => IS_PLAYED[subject]);
const WRITES = new Set(['publish', 'unpublish', 'claim', 'announce', 'wait', 'release', 'write', 'forget', 'admit']);
/** As in protocol/stores/redis/fleet.ts: it tries a write, too. */
const TAKES_WRITES = new Set([...WRITES, 'poll']);

/** As in protocol/connect.ts. */
const COMMAND_TIMEOUT = 3_000;
/** After how long a server that does not answer is left, in ms. */
const LEAVES_AFTER = 10_000;

/** The Redis of a fleet: what it holds, how it fares, and who listens there. */
export class SimulatedRedis {
  isAway = false;
  isReadOnly = false;
  /** Commands that come while it is frozen are carried out when it goes on. */
  frozenUntil = 0;
  stores: MemoryStores;
  readonly listeners: Array<{ link: Link; audience: string; listener: (names: string[]) => void }> = [];
  /** What was carried out. */
  onCommand: (method: string, args: unknown[], result: unknown) => void = () => undefined;
  /** Everything is as it was some time ago, or gone. */
  onLoss: () => void = () => undefined;
  private copies: Array<{ at: number; stores: MemoryStores }> = [];
  /** Another server since the last failover: every connection is a new one. */
  server = 0;

  constructor(
    readonly scheduler: Scheduler,
    private readonly random: SeededRandom,
    private readonly clock: Machine,
  ) {
    this.stores = this.empty();
  }

  async carryOut(subject: Subject, name: string, args: unknown[]): Promise<unknown> {
    if (this.isReadOnly && TAKES_WRITES.has(name))
      throw new Error("READONLY You can't write against a read only replica.");
    const store = this.stores[subject] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const result = await store[name](...copyOf(args));
    this.onCommand(`${subject}.${name}`, args, result);
    return copyOf(result);
  }

  /** When it last lost something, was away or frozen, or took no writes, in true ms. */
  troubledAt = Number.NEGATIVE_INFINITY;
  /** When it last went back to an older copy, in true ms. */
  wentBackAt = Number.NEGATIVE_INFINITY;
  /** When it was last away or frozen, in true ms. */
  unreachableAt = Number.NEGATIVE_INFINITY;

  flush(): void {
    this.stores = this.empty();
    this.onLoss();
  }

  /** Keeps a copy, for a failover to it. */
  copy(): void {
    this.copies.push({ at: this.scheduler.now, stores: this.copyOfStores(this.stores) });
    this.copies = this.copies.slice(-12);
  }

  /** A replica takes over that was `age` ms behind. */
  failOver(age: number): void {
    const copy = this.copies.findLast(({ at }) => at <= this.scheduler.now - age);
    this.stores = copy ? this.copyOfStores(copy.stores) : this.empty();
    this.wentBackAt = this.scheduler.now;
    this.server++;
    this.onLoss();
  }

  private empty(): MemoryStores {
    return new MemoryStores({ clock: this.clock, random: this.random, isAlone: false });
  }

  private copyOfStores(original: MemoryStores): MemoryStores {
    const copy = this.empty();
    for (const subject of SUBJECTS) {
      const [from, to] = [original, copy].map((stores) => stores[subject] as unknown as Record<string, unknown>);
      for (const [name, value] of Object.entries(from)) {
        const isData = value === null || typeof value === 'string' || value instanceof Map;
        if (isData) to[name] = copyOf(value);
      }
    }
    const termOf = (stores: MemoryStores) => (stores.records as unknown as { term: { newest: number } }).term;
    termOf(copy).newest = termOf(original).newest;
    return copy;
  }
}

/** The connection of one process to Redis: in order, with latency, and sometimes cut. */
export class Link {
  /** What is lost without a word: commands and messages of the process, and answers and messages to it. */
  private losing = { out: false, in: false };
  /** Since when nothing comes in, in true ms. */
  private deafSince = Number.POSITIVE_INFINITY;
  /** When it last began or ended to lose something, in true ms. */
  troubledAt = Number.NEGATIVE_INFINITY;
  /** When it last ended to lose something without having been left, in true ms: nobody knows that there was something to miss. */
  missedAt = Number.NEGATIVE_INFINITY;
  /** The process has a connection again that it had left. */
  readonly returns = new Feed<void>();
  /** Until then nothing that it sends arrives; then all of it does. In true ms. */
  stalledUntil = 0;
  /** How often the process looked at the fleet. */
  polls = 0;
  /** The server that it looked at last. */
  private polled = -1;
  private lastCommand = 0;
  private lastAnswer = 0;

  /** @param latency in ms each way, at most */
  constructor(
    readonly machine: Machine,
    readonly redis: SimulatedRedis,
    readonly random: SeededRandom,
    private readonly latency: number,
  ) {}

  get lost() {
    return this.losing;
  }

  set lost(losing: { out: boolean; in: boolean }) {
    if (!losing.in) this.deafSince = Number.POSITIVE_INFINITY;
    else if (!this.losing.in) this.deafSince = this.redis.scheduler.now;
    const isChanged = losing.in !== this.losing.in || losing.out !== this.losing.out;
    if (isChanged && !losing.in && !losing.out) this.end();
    if (isChanged) this.troubledAt = this.redis.scheduler.now;
    this.losing = losing;
  }

  private end(): void {
    const { scheduler } = this.redis;
    if (scheduler.now - this.troubledAt < LEAVES_AFTER) this.missedAt = scheduler.now;
    else this.connect();
  }

  /** Its server can be reached again, after the process knew that it could not. */
  connect(): void {
    this.redis.scheduler.after(this.delay(), () => this.machine.enter(() => this.returns.emit()));
  }

  /** Whether what it sends arrives, if only later. As in protocol/connect.ts: a server that does not answer is left, and cannot be reached anew. */
  get sends(): boolean {
    return !this.lost.out && this.redis.scheduler.now - this.deafSince < LEAVES_AFTER;
  }

  get isCut(): boolean {
    return this.lost.out || this.lost.in || this.stalledUntil > this.redis.scheduler.now;
  }

  get stores(): Stores {
    const subjects = SUBJECTS.map((subject) => [
      subject,
      new Proxy(
        {},
        {
          get:
            (_, name) =>
            (...args: unknown[]) =>
              this.command(subject, String(name), args),
        },
      ),
    ]);
    return {
      ...Object.fromEntries(subjects),
      returns: this.returns,
      open: () => undefined,
      warnings: async () => [],
      close: async () => undefined,
    } as Stores;
  }

  delay(): number {
    return 1 + this.random.fraction() * this.latency;
  }

  private command(subject: Subject, name: string, args: unknown[]): Promise<unknown> {
    const { machine, redis } = this;
    const { scheduler } = redis;
    if (name === 'poll') this.polls++;
    if (WRITES.has(name)) machine.spring();
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (work: () => void) => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        work();
      };
      const timer = machine.timeout(COMMAND_TIMEOUT, () => end(() => reject(new Error('Command timed out'))));
      const answer = (work: () => void) => {
        this.lastAnswer = Math.max(scheduler.now + this.delay(), this.lastAnswer);
        scheduler.at(this.lastAnswer, () => {
          if (!this.lost.in) machine.enter(() => end(work));
        });
      };
      /** As in protocol/stores/redis/fleet.ts: whether the connection is another one than at the last look. */
      const asSeen = (result: unknown, server: number) => {
        if (name !== 'poll') return result;
        const isNew = server !== this.polled;
        this.polled = server;
        return { ...(result as FleetObservation), isNew };
      };
      const carryOut = () => {
        if (!this.sends) return;
        const { server } = redis;
        if (redis.isAway) answer(() => reject(new Error('Connection is closed.')));
        else
          redis.carryOut(subject, name, args).then(
            (result) => answer(() => resolve(asSeen(result, server))),
            (error) => answer(() => reject(error)),
          );
      };
      this.lastCommand = Math.max(scheduler.now + this.delay(), this.lastCommand, redis.frozenUntil, this.stalledUntil);
      scheduler.at(this.lastCommand, carryOut);
    });
  }
}

export interface WakeUps {
  /** Shares of wake-ups that are lost, and that come twice. */
  lost: number;
  doubled: number;
}

/** A process that answers requests. */
export interface Answering {
  link: Link;
  answer(method: string, payload: unknown): Promise<unknown>;
}

/** `MessageBus` of one process, on the same link. */
export class SimulatedBus implements MessageBus {
  readonly returns = new Feed<void>();

  constructor(
    private readonly link: Link,
    private readonly wakeUps: WakeUps,
    /** Who answers the requests to an environment now; absent: nobody does. */
    private readonly answering: (environment: string) => Answering | undefined = () => undefined,
  ) {}

  open(): void {}

  notify(to: Audience, names: string[]): void {
    const { redis, machine } = this.link;
    const audience = audienceOf(to);
    for (const listener of redis.listeners) {
      if (listener.audience !== audience) continue;
      if (isForOthers(to) && listener.link.machine === machine) continue;
      this.deliver(listener, names);
      if (this.link.random.fraction() < this.wakeUps.doubled) this.deliver(listener, names);
    }
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    this.link.redis.listeners.push({ link: this.link, audience: audienceOf(me), listener });
  }

  request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const { link } = this;
    const { redis, machine } = link;
    const pass = (from: Link, to: Link, work: () => void) => {
      if (!from.sends || redis.isAway) return;
      const at = Math.max(redis.scheduler.now + from.delay() + to.delay(), redis.frozenUntil);
      redis.scheduler.at(at, () => {
        if (!to.lost.in) to.machine.enter(work);
      });
    };
    return new Promise((resolve, reject) => {
      const silent = new AppSupervisorError('WORKER_SILENT', { environment, seconds: timeout / 1000 });
      machine.timeout(timeout, () => reject(silent));
      const worker = this.answering(environment);
      if (!worker) return;
      pass(link, worker.link, () => {
        const answered = worker.answer(method, payload);
        void answered.then((result) => pass(worker.link, link, () => resolve(result)));
      });
    });
  }

  async serve(): Promise<void> {}

  /** No plugin dispatches commands there. */
  async ask(): Promise<unknown> {
    throw new AppSupervisorError('SUPERVISOR_SILENT', { seconds: 0 });
  }

  async serveWorkers(): Promise<void> {}

  async close(): Promise<void> {}

  private deliver(to: SimulatedRedis['listeners'][number], names: string[]): void {
    const { link, wakeUps } = this;
    const { redis } = link;
    if (!link.sends || redis.isAway || link.random.fraction() < wakeUps.lost) return;
    const at = Math.max(redis.scheduler.now + link.delay() + to.link.delay(), redis.frozenUntil);
    redis.scheduler.at(at, () => {
      if (!to.link.lost.in) to.link.machine.enter(() => to.listener([...names]));
    });
  }
}

const audienceOf = (audience: Audience): string =>
  typeof audience === 'string' ? audience : `environment ${audience.environment}`;
