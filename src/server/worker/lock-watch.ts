import { type Clock, type Timer, within } from '../clock';
import { Feed } from '../feed';

/**
 * What a process knows of the session lock on its main database.
 * - `held`: it has the lock, and the server said so.
 * - `other`: another live session has it.
 * - `unknown`: the database does not answer.
 * - `none`: a pooler is in between, so that there is no such lock. The lease alone decides.
 */
export type LockState = 'held' | 'other' | 'unknown' | 'none';

export interface LockAnswer {
  state: LockState;
  /** When the server was asked, by the monotonic clock. Concurrent callers share one question, so it may be earlier than the call. */
  askedAt: number;
}

/** The session lock on the worker's own main database: only one live process can hold it. */
export interface ProcessLock {
  /** Takes it if it is free, and asks the server whether this process holds it now. Never rejects. */
  hold(): Promise<LockAnswer>;
  /** Why it answered `unknown` last. */
  readonly problem: string | null;
  /**
   * Ends the session that holds it. Never rejects.
   * @returns whether none holds it any more
   */
  displace(): Promise<boolean>;
  /** The session that held it has ended. */
  losses: Feed<void>;
  /** Of the database and the environment: the same in all processes that use both. Null until the database has said which one it is. */
  readonly fingerprint: string | null;
  release(): Promise<void>;
}

/** How long an answer of the database is waited for, and how old it may be when it is heard, in ms. */
export const PATIENCE = 3_000;
/** At how many beats in a row the database does not answer before that is told. */
const TELLS_AFTER = 2;
/** How often a process that lost its session asks for the lock, in ms. */
const RETRY = 1_000;
/** For how long one that gave the lock back leaves it to that process, in ms. */
const LEAVES_FOR = 2 * RETRY;
/** After how long without a look at a lent lock another process may have had it and lost it, in ms. */
const UNSEEN_FOR = 6_000;

/** Follows the lock: how long this process has had it, or another one has had it in its place. */
export class LockWatch {
  /** The lock was lost (`false`) or is there again (`true`). */
  readonly changes = new Feed<boolean>();
  /** Another process was found to have it, while this one needs it. */
  readonly found = new Feed<void>();
  state: LockState = 'unknown';
  /** Since when each heartbeat has found that this process has it or can have it, by the monotonic clock; null if the last one has not. */
  private hadSince: number | null = null;
  /** Whether it was released since then, and nobody needed it. */
  wasLent = false;
  /** At how many beats in a row the answer was `unknown`, and what was told of it. */
  private readonly silence = { beats: 0, told: null as string | null };
  /** Since when another process has it, by the monotonic clock; null if none has. */
  private otherSince: number | null = null;
  private retry: Timer | null = null;
  /** When this process gave the lock back, by the monotonic clock. */
  private gaveAt = Number.NEGATIVE_INFINITY;

  constructor(
    readonly lock: ProcessLock,
    private readonly clock: Clock,
    /** Whether this process needs it: then it is asked for until it is there. */
    private readonly isNeeded: () => boolean,
  ) {
    lock.losses.listen(() => {
      this.forget();
      this.note('unknown');
    });
  }

  /** Whether this process may begin things, as far as the lock decides. */
  get permits(): boolean {
    return this.state === 'held' || this.state === 'none';
  }

  private get isLeaving(): boolean {
    return this.clock.now().mono - this.gaveAt < LEAVES_FOR;
  }

  /** Whether it was lent just now: whoever needs it may not have it yet. */
  get isLent(): boolean {
    return this.isLeaving && this.wasLent;
  }

  /** Never rejects. */
  async look(): Promise<LockState> {
    if (this.isLeaving) return this.state;
    const { gaveAt } = this;
    const { state, askedAt } = await this.lock.hold();
    // It was given back meanwhile.
    if (this.gaveAt !== gaveAt) return this.state;
    // A process that was frozen since it was asked may have lost it.
    if (state === 'held' && this.clock.now().mono - askedAt > PATIENCE) return this.look();
    this.note(state);
    return this.state;
  }

  /** As part of a heartbeat. */
  async beat(): Promise<LockState> {
    // The lock is not asked for, so nothing is known of its holder.
    if (this.isLeaving) return this.state;
    // Too late to know whether somebody had it: this process was frozen since it lent it.
    if (this.state !== 'held' && this.clock.now().mono - this.gaveAt > UNSEEN_FOR) this.forget();
    const state = await this.look();
    if (state !== 'held') this.forget();
    else this.hadSince ??= this.clock.now().mono;
    this.silence.beats = state === 'unknown' ? this.silence.beats + 1 : 0;
    if (state !== 'unknown') this.silence.told = null;
    return state;
  }

  /** Why the database has not answered for several beats; null if it has, or if that was told before. */
  news(): string | null {
    const { problem } = this.lock;
    if (this.silence.beats <= TELLS_AFTER || problem === this.silence.told) return null;
    this.silence.told = problem;
    return problem;
  }

  /** For how long each heartbeat has found that this process has it or can have it, in ms. */
  hadFor(): number {
    return this.hadSince === null ? 0 : this.clock.now().mono - this.hadSince;
  }

  /** How long another process has had it, in ms. */
  otherFor(): number {
    return this.otherSince === null ? 0 : this.clock.now().mono - this.otherSince;
  }

  async giveBack(): Promise<void> {
    this.forget();
    await this.lend();
  }

  /**
   * Waits until this process has ended what it ran. No beat notices meanwhile that another one needs the lock, so it is given back if that
   * takes long.
   */
  async giveBackDuring(end: Promise<void>): Promise<void> {
    const hasEnded = end.then(() => true);
    if (!(await within(this.clock, RETRY, hasEnded, false))) await this.giveBack();
    await end;
  }

  /** Releases it until a beat that has to follow soon, which finds out whether somebody else needed it. */
  async lend(): Promise<void> {
    this.gaveAt = this.clock.now().mono;
    this.wasLent = this.hadSince !== null;
    this.note('unknown');
    await this.lock.release();
  }

  close(): void {
    this.retry?.cancel();
    this.retry = null;
  }

  private forget(): void {
    this.hadSince = null;
    this.wasLent = false;
  }

  private note(state: LockState): void {
    const permitted = this.permits;
    this.state = state;
    if (state !== 'other') this.otherSince = null;
    else this.otherSince ??= this.clock.now().mono;
    if (this.permits !== permitted) this.changes.emit(this.permits);
    if (state === 'other' && this.isNeeded()) this.found.emit();
    if (this.permits || !this.isNeeded()) this.close();
    else this.retry ??= this.clock.timeout(RETRY, () => this.again());
  }

  private again(): void {
    this.retry = null;
    if (this.isNeeded()) void this.look();
  }
}
