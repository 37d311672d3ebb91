import type { Transaction } from '@nocobase/database';
import type { Clock, Timer } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';

/** A lead without a heartbeat for this long, by the challenger's own clock, has expired; in ms. */
const LEAD_EXPIRY = 10_000;
/** Interval of the renewals of the lead, in ms; shorter if leads expire sooner. */
const RENEW_EVERY = 1_000;

/** A write of a term that is over. It was not executed. */
export class TermOver extends Error {
  constructor() {
    super('Another Supervisor leads by now.');
  }
}

export interface LeadershipOptions {
  app: WithDatabase;
  /** Identifies this process among all that ever ran. */
  instance: string;
  clock: Clock;
  random: Random;
  log: Log;
  /** Replaces `LEAD_EXPIRY`, in ms. */
  expiry?: number;
  /**
   * There can be no other process, as with SQLite, where a renewal would be a write that makes other transactions fail.
   */
  alone?: boolean;
}

/**
 * Which of several Supervisor processes acts: one row, taken and renewed by a conditional update. Each holder has a
 * term, a number that increases with every new holder. No clocks are compared: a challenger waits until it has itself
 * observed the same heartbeat for `LEAD_EXPIRY`.
 *
 * Two guarantees separate terms. A leader that could not renew stops writing (`leads`) before a challenger may begin,
 * and every write to the database carries its term (`write`): it fails if a newer term exists, or if the database has lost
 * heartbeats of this one, and so what else was written since.
 */
export class Leadership {
  /** The fleet's id; empty before the first claim. */
  fleet = '';
  /** The term of this process's lead, or of its last one: never a successor's. 0 before the first. */
  term = 0;
  private held = false;
  /** The newest heartbeat that this process has written. */
  private written = 0;
  private seen: { holder: string | null; beat: number; at: number } | null = null;
  /** When the last renewal began, by the monotonic clock. */
  private renewedAt = 0;
  private claiming: Promise<boolean> | null = null;
  private timer: Timer | null = null;
  /** A claim in progress must not take the lead again. */
  private resigned = false;
  private told = false;
  private readonly listeners: Array<(leads: boolean) => void> = [];

  constructor(private readonly options: LeadershipOptions) {}

  /** Whether this process certainly leads: no challenger can have begun yet. */
  get leads(): boolean {
    const { alone, clock, expiry = LEAD_EXPIRY } = this.options;
    return this.held && (alone === true || clock.now().mono - this.renewedAt < expiry / 2);
  }

  /** @param listener called when this process begins to lead, and when it stops */
  onChange(listener: (leads: boolean) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Claims now, and renews on its own timer from here on: no work delays it.
   * @throws if the database cannot be reached now
   */
  async start(): Promise<void> {
    await this.claim();
    const renew = () => {
      void this.claim().catch((error) =>
        this.options.log.warn(`The lead could not be renewed, it is tried again: ${messageOf(error)}`),
      );
      // Also if the database does not answer at all.
      this.notify();
    };
    const { clock, expiry = LEAD_EXPIRY } = this.options;
    this.timer = clock.interval(Math.min(RENEW_EVERY, expiry / 5), renew);
  }

  /** Ends the renewal, when the process is about to end. */
  stop(): void {
    // A claim that is under way must not take the lead again.
    this.resigned = true;
    this.timer?.cancel();
    this.timer = null;
    this.held = false;
  }

  /** Renews or takes the lead. @returns whether this process has it now */
  claim(): Promise<boolean> {
    if (this.resigned) return Promise.resolve(false);
    this.claiming ??= this.claimNow().finally(() => {
      this.claiming = null;
      this.notify();
    });
    return this.claiming;
  }

  /**
   * Executes a write of the leader in a transaction, during which no newer term can begin.
   * @throws TermOver if this process does not lead (any more); nothing was written
   */
  async write<T>(work: (transaction?: Transaction) => Promise<T>): Promise<T> {
    if (!this.leads) throw new TermOver();
    if (this.options.alone) return work();
    return this.options.app.db.sequelize.transaction(async (transaction: Transaction) => {
      await this.holdTerm(transaction);
      return work(transaction);
    });
  }

  /**
   * Makes a transaction one of the leader: during it no newer term can begin.
   * @throws TermOver if this process does not lead (any more)
   */
  async holdTerm(transaction: Transaction): Promise<void> {
    const { app, alone, instance } = this.options;
    if (!this.leads) throw new TermOver();
    if (alone) return;
    const row = await app.db.getModel('appSupervisorLeaders').findOne({
      where: { id: 1, holder: instance, term: this.term },
      transaction,
      // A process that takes the lead changes this row, and waits until the write has ended.
      lock: transaction.LOCK.SHARE,
    });
    if (row && Number(row.get('beat')) >= this.written) return;
    this.held = false;
    throw new TermOver();
  }

  /** The newest term on record, of whoever leads: what a request writes to the store is of that term. */
  async newestTerm(): Promise<number> {
    return Number((await this.row()).get('term') ?? 0);
  }

  /** @throws TermOver if this process does not lead (any more) */
  async assertLeads(): Promise<void> {
    await this.write(async () => undefined);
  }

  /**
   * Goes on with a newer term than the store has seen: the database, which decides who leads, was restored from a backup.
   * @param newest the term that the store has seen
   */
  async raiseTerm(newest: number): Promise<void> {
    const { app, instance, alone } = this.options;
    if (newest < this.term || !this.leads) return;
    const where = { id: 1, holder: instance, term: this.term };
    const [count] = alone ? [1] : await app.db.getModel('appSupervisorLeaders').update({ term: newest + 1 }, { where });
    if (count === 1) this.term = newest + 1;
    else if (this.term === where.term) this.held = false;
  }

  private async claimNow(): Promise<boolean> {
    const { app, instance, clock, expiry = LEAD_EXPIRY, alone } = this.options;
    // Before the heartbeat is written, so that no challenger counts from an earlier time.
    const begun = clock.now().mono;
    const row = await this.row();
    const holder = row.get('holder') as string | null;
    const beat = Number(row.get('beat') ?? 0);
    const term = Number(row.get('term') ?? 0);
    this.fleet = row.get('fleet') as string;
    if (alone) {
      this.held = !this.resigned;
      return this.held;
    }
    const now = clock.now().mono;
    // The database fell back to an older copy: what this process knows of it is read anew, in a new term.
    const isBack = holder === instance && (term < this.term || (term === this.term && beat < this.written));
    if (isBack) {
      this.held = false;
      this.notify();
    }
    const isMine = holder === instance && term === this.term && !isBack;
    if (!isMine && (this.seen?.holder !== holder || this.seen.beat !== beat)) this.seen = { holder, beat, at: now };
    const expired = holder === null || isBack || (this.seen !== null && now - this.seen.at >= expiry);
    if (!isMine && !expired) {
      this.held = false;
      return false;
    }
    const next = isMine ? term : Math.max(term, this.term) + 1;
    const [count] = await app.db
      .getModel('appSupervisorLeaders')
      .update(
        { holder: instance, beat: beat + 1, ...(isMine ? {} : { term: next }) },
        { where: { id: 1, holder, beat } },
      );
    this.held = count === 1 && !this.resigned;
    if (this.held) {
      if (!isMine) this.term = next;
      this.written = beat + 1;
      this.renewedAt = begun;
    }
    return this.held;
  }

  /** Hands the lead over immediately and permanently: this process ends. */
  async resign(): Promise<void> {
    const { app, instance, alone } = this.options;
    this.resigned = true;
    this.timer?.cancel();
    this.timer = null;
    // It may be about to get the lead.
    await this.claiming?.catch(() => undefined);
    this.held = false;
    this.notify();
    if (alone) return;
    await app.db.getModel('appSupervisorLeaders').update({ holder: null }, { where: { id: 1, holder: instance } });
  }

  private notify(): void {
    const { leads } = this;
    if (leads === this.told) return;
    this.told = leads;
    for (const listener of this.listeners) listener(leads);
  }

  private async row() {
    const repository = this.options.app.db.getRepository('appSupervisorLeaders');
    const row = await repository.findOne({ filterByTk: 1 });
    if (row) return row;
    // A database that fell back to a copy from before the first start has lost it: the fleet is still the same.
    const fleet = this.fleet || this.options.random.id();
    // Two first starts at the same time: the loser's insert violates the primary key, and the winner's row is read.
    await repository
      .create({ values: { id: 1, fleet, holder: null, beat: 0, term: this.term } })
      .catch(() => undefined);
    return repository.findOne({ filterByTk: 1 });
  }
}
