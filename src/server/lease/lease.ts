import { type Clock, type Timer, within } from '../clock';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import { expiryOf, PATIENCE } from '../timing';
import type { OwnConnection } from './own-connection';

/** Who holds a lease. */
export interface LeaseRow {
  holder: string | null;
  beat: number;
  term: number;
}

export interface LeaseOptions {
  connection: OwnConnection;
  /** The table, and the key of its row. */
  table: string;
  key: Record<string, string | number>;
  /** Other values of a row that is made. */
  values?(): Record<string, unknown>;
  /** For people: what is held. */
  what: string;
  /** Identifies this process among all that ever ran. */
  instance: string;
  /** Between two renewals, in ms. */
  interval: number;
  /** Replaces `expiryOf(interval)`, in ms. */
  expiry?: number;
  clock: Clock;
  log: Log;
}

/** How often taking it is repeated at once, because somebody has changed the row since it was read. */
const TURNS = 3;

/** The database did not answer in time. */
const LATE = Symbol('late');

/**
 * A lease on something that one process has at a time: one row, taken and renewed by a conditional update, on a connection of its own. Each
 * tenure has a term, a number that grows. No clocks are compared: a challenger takes the lease when it has itself seen the same beat for as
 * long as a lease lasts, by looks that are never further apart than half of that: a database that was away says nothing of the holder.
 *
 * - `isHeld`: the row has named nobody else since this process took it. What runs goes on.
 * - `leads`: it was renewed so shortly before that no challenger can have taken it. Only then is anything begun.
 *
 * An older copy of the database that names this process, or nobody, has lost what was written since, and no other process has the lease
 * there: it is taken at once, in a new term. The tenure goes on.
 */
export class Lease {
  /** `isHeld`, `leads` or `term` may have changed. */
  readonly changes = new Feed<void>();
  /** Of this process's tenure, or of its last one: never a successor's. 0 before the first. */
  term = 0;
  isHeld = false;
  /** The row as it was read last, with its other columns. */
  row: Record<string, unknown> = {};
  /** Whether this process takes the lease when it may; otherwise it only looks. */
  private isWanted = false;
  /** The newest beat that this process has written. */
  beat = 0;
  /** Its term has to be above this one. */
  private above = 0;
  private seen: (LeaseRow & { since: number; lookedAt: number }) | null = null;
  /** When the last renewal began, by the monotonic clock. */
  private renewedAt = Number.NEGATIVE_INFINITY;
  private taking: Promise<boolean> | null = null;
  private timer: Timer | null = null;
  /** For when the lease of another process runs out, which is between two looks. */
  private end: Timer | null = null;
  private isOver = false;
  private told = '';

  constructor(readonly options: LeaseOptions) {}

  get leads(): boolean {
    return this.isHeld && (this.isAlone || this.options.clock.now().mono - this.renewedAt < this.expiry / 2);
  }

  get isAlone(): boolean {
    return this.options.connection.isAlone;
  }

  private get expiry(): number {
    return this.options.expiry ?? expiryOf(this.options.interval);
  }

  /** Looks from here on, and takes nothing: what a predecessor that died has left is seen to be old the sooner. */
  watch(): void {
    const { clock, interval } = this.options;
    if (this.timer || this.isOver) return;
    this.timer = clock.interval(Math.min(interval, this.expiry / 3), () => this.look());
    void this.take().catch(() => undefined);
  }

  /** Takes it now, and renews on its own timer from here on: no work delays it. @throws if the database cannot be reached now */
  async start(): Promise<void> {
    this.want();
    this.watch();
    // A look that is under way takes nothing.
    await this.taking?.catch(() => undefined);
    await this.take();
  }

  /** Whether any process has ever had it. @throws if the database cannot be reached */
  async exists(): Promise<boolean> {
    const { key } = this.options;
    return this.ask(async () => (await this.model.findOne({ where: key })) !== null);
  }

  /** From here on it is taken when it may be. */
  want(): void {
    this.isWanted = true;
  }

  /** Takes it no more until `want`, once it is lost. */
  pause(): void {
    this.isWanted = false;
  }

  /** Renews the lease, or takes it if that may be. @returns whether this process certainly has it now */
  take(): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    this.taking ??= this.takeNow().finally(() => {
      this.taking = null;
      this.notify();
    });
    return this.taking;
  }

  /** One renewal, awaited. Never rejects. @returns whether this process certainly has the lease */
  async confirm(): Promise<boolean> {
    return this.isHeld && (await this.take().catch(() => false));
  }

  /**
   * Goes on in a term above one that something else knows: the database, which decides, has lost it.
   * @returns whether the term is above it now
   */
  async raiseAbove(term: number): Promise<boolean> {
    this.above = Math.max(this.above, term);
    if (this.term <= term) await this.taking?.catch(() => undefined);
    if (this.term <= term) await this.confirm();
    return this.leads && this.term > term;
  }

  /** What this process has written is not what the database has: nothing is begun before the row is read again. */
  doubt(): void {
    this.renewedAt = Number.NEGATIVE_INFINITY;
    this.notify();
  }

  /** Another process has it, as something else than the row has told. */
  lose(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.notify();
  }

  /** Ends the renewal, when the process is about to end. */
  stop(): void {
    // One that is under way must not take it again.
    this.isOver = true;
    this.timer?.cancel();
    this.timer = null;
    this.end?.cancel();
    this.isHeld = false;
  }

  /** Hands it over at once and for good: this process ends. */
  async resign(): Promise<void> {
    this.stop();
    // It may be about to get it.
    await this.taking?.catch(() => undefined);
    this.isHeld = false;
    this.notify();
    const { connection, instance } = this.options;
    if (!this.isAlone) await this.ask(() => this.update({ holder: instance }, { holder: null }));
    if (!this.isAlone) connection.reset();
  }

  private look(): void {
    const { what, log } = this.options;
    void this.take().catch((error) => {
      const tell = this.isWanted ? log.warn : log.debug;
      tell(`The lease of ${what} could not be renewed, it is tried again: ${messageOf(error)}`);
    });
    // Also if the database does not answer at all.
    this.notify();
  }

  private async takeNow(): Promise<boolean> {
    for (let turn = 0; turn < TURNS; turn++) if (await this.takeOnce()) return this.leads;
    return false;
  }

  /** @returns false if the row has changed since it was read */
  private async takeOnce(): Promise<boolean> {
    const { instance, clock } = this.options;
    // Before the beat is written, so that no challenger counts from an earlier time.
    const begun = clock.now().mono;
    const row = await this.ask(() => this.read());
    if (this.isAlone) return this.beginAlone(row);
    const isMine = row.holder === instance && row.term === this.term && row.beat >= this.beat;
    const isBack = !isMine && (row.holder === instance || (this.isHeld && row.holder === null));
    // What was written since is lost: nothing is written in this term any more.
    if (isBack && this.isHeld) this.doubt();
    if (!isMine && !isBack && !this.mayTake(row, begun)) {
      this.lose();
      return true;
    }
    if (!this.isHeld && (!this.isWanted || this.isOver)) return true;
    const { above } = this;
    const term = isMine && row.term > above ? row.term : Math.max(row.term, this.term, above, clock.now().wall - 1) + 1;
    const beat = row.beat + 1;
    if (!(await this.ask(() => this.update(row, { holder: instance, beat, term })))) return false;
    if (this.isOver) return true;
    this.term = term;
    this.beat = beat;
    this.renewedAt = begun;
    this.isHeld = true;
    this.seen = null;
    return true;
  }

  /** Each start writes a new term, and nothing after that. */
  private async beginAlone(row: LeaseRow): Promise<boolean> {
    if (!this.isWanted || this.isOver || (this.isHeld && this.term > this.above)) return true;
    const { instance, clock } = this.options;
    const term = Math.max(row.term, this.term, this.above, clock.now().wall - 1) + 1;
    await this.update({}, { holder: instance, beat: row.beat + 1, term });
    this.term = term;
    this.isHeld = true;
    return true;
  }

  /** Whether nobody has it, as far as this process has itself seen. */
  private mayTake({ holder, beat, term }: LeaseRow, now: number): boolean {
    const { seen, expiry, options } = this;
    const { clock } = options;
    const isSame = seen?.holder === holder && seen.beat === beat && seen.term === term;
    const since = isSame && now - seen.lookedAt <= expiry / 2 ? seen.since : clock.now().mono;
    this.seen = { holder, beat, term, since, lookedAt: now };
    if (holder === null || now - since >= expiry) return true;
    this.end?.cancel();
    if (this.timer) this.end = clock.timeout(since + expiry - clock.now().mono, () => this.look());
    return false;
  }

  private async read(): Promise<LeaseRow> {
    const { table, key, values } = this.options;
    const find = async () =>
      (await this.model.findOne({ where: key }))?.toJSON() as Record<string, unknown> | undefined;
    let found = await find();
    // Whoever only looks writes nothing.
    if (!found && !this.isWanted) return { holder: null, beat: 0, term: 0 };
    if (!found) {
      const row = { ...key, ...values?.(), holder: null, beat: 0, term: this.term };
      // Two first starts at once: the loser's insert violates the primary key, and the winner's row is read.
      await this.options.connection.db
        .getRepository(table)
        .create({ values: row })
        .catch(() => undefined);
      found = await find();
    }
    if (!found) throw new Error(`The lease of ${this.options.what} cannot be read.`);
    this.row = found;
    return {
      holder: (found.holder as string | null) ?? null,
      beat: Number(found.beat ?? 0),
      term: Number(found.term ?? 0),
    };
  }

  private async update(where: Partial<LeaseRow>, values: Partial<LeaseRow>): Promise<boolean> {
    const [count] = await this.model.update(values, { where: { ...this.options.key, ...where } });
    return count === 1;
  }

  private get model() {
    return this.options.connection.db.getModel(this.options.table);
  }

  /** Nobody waits for a database that hangs, and nothing waits behind what it was asked. */
  private async ask<T>(work: () => Promise<T>): Promise<T> {
    const { clock, connection } = this.options;
    const answer = await within<T | typeof LATE>(clock, Math.min(PATIENCE, this.expiry / 3), work(), LATE);
    if (answer !== LATE) return answer;
    if (!this.isAlone) connection.reset();
    throw new Error('The main database does not answer.');
  }

  private notify(): void {
    const now = `${this.isHeld} ${this.leads} ${this.term}`;
    if (now === this.told) return;
    this.told = now;
    this.changes.emit();
  }
}
