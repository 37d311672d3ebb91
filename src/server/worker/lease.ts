import type { Lease } from '../../shared/messages';
import type { Clock, Timer } from '../clock';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import { DOWN_AFTER } from '../protocol/health';
import type { LeaseAnswer, LeaseStore } from '../protocol/stores/leases';
import type { Random } from '../random';

/**
 * The role of a process in its environment.
 * - `waiting`: not decided yet; it hosts nothing.
 * - `alone`: the store cannot be reached; the session lock on the main database proves that no other process hosts.
 * - `holder`: it holds the lease.
 * - `standby`: another live process holds it.
 */
export type LeaseRole = 'waiting' | 'alone' | 'holder' | 'standby';

/** The session lock on the worker's own main database: only one live process can hold it. */
export interface ProcessLock {
  /** Takes it if it is free; returns whether this process holds it now. Never rejects. */
  hold(): Promise<boolean>;
  fingerprint: string;
  release(): Promise<void>;
}

export interface LeaseKeeperOptions {
  leases: LeaseStore;
  environment: string;
  instance: string;
  /** Renewal interval in ms. */
  interval: number;
  lock: ProcessLock;
  clock: Clock;
  random: Random;
  log: Log;
  vitals(): { memory: number; eventLoopDelay: number };
}

/**
 * Holds the lease of one environment for one process.
 *
 * The holder wins: it loses the lease only to an instance with a higher epoch. While the store is down it continues
 * unchanged; running apps depend on nothing else.
 */
export class LeaseKeeper {
  /**
   * The role changed, or (`fresh`) everything has to be written to the store again. Awaited before the next heartbeat.
   */
  readonly roles = new Feed<{ role: LeaseRole; fresh: boolean }>();
  role: LeaseRole = 'waiting';
  epoch = 0;
  private beat = 0;
  /** Starts from the clock, so that a successor never repeats a predecessor's number. */
  private registered: number;
  private told: number;
  /** Whether the registration in the store is this process's, and not its predecessor's. */
  private hasRegistered = false;
  /** Whether a new holder still has to notify its listeners. */
  private unnotified = false;
  private stopping = false;
  /**
   * Set after leaving: a late request for a heartbeat, from a refused write or registration, must not take the lease
   * again.
   */
  private left = false;
  /**
   * Whether another process held the lease when this one last heard of it, the newest epoch of another one, and at how many
   * heartbeats in a row this process held the lock.
   */
  private readonly other = { holds: false, epoch: 0, lockedBeats: 0 };
  /** Since when nobody was observed to hold the lease, by the monotonic clock. */
  private missingSince: number | null = null;
  private timer: Timer | null = null;
  private beating: Promise<void> | null = null;

  constructor(private readonly options: LeaseKeeperOptions) {
    this.registered = options.clock.now().wall;
    this.told = this.registered;
  }

  /** Whether this process may host apps. */
  get hosts(): boolean {
    return this.role === 'holder' || this.role === 'alone';
  }

  /** Sends a heartbeat immediately and then at the interval. */
  async start(): Promise<void> {
    if (this.timer) return;
    await this.beatNow();
    this.schedule();
  }

  /** Sends a heartbeat now: at a start, after a change of the registration, after a refused write. Never rejects. */
  beatNow(): Promise<void> {
    if (this.left) return Promise.resolve();
    this.beating ??= this.beatOnce()
      .catch((error) =>
        this.options.log.warn(`A beat of environment ${this.options.environment} failed: ${messageOf(error)}`),
      )
      .finally(() => {
        this.beating = null;
        if (this.told !== this.registered && this.role === 'holder') void this.beatNow();
      });
    return this.beating;
  }

  /** The registration was written again: announces it with an immediate heartbeat. */
  announceRegistration(): void {
    this.registered++;
    this.hasRegistered = true;
    void this.beatNow();
  }

  /** Announces the shutdown; apps are stopped next. */
  async announceStopping(): Promise<void> {
    this.stopping = true;
    // A heartbeat in progress still says `serving`.
    await this.beating;
    if (this.role === 'holder') await this.beatNow();
  }

  /** Leaves immediately: observers see it within a second. Never rejects. */
  async stop(): Promise<void> {
    this.timer?.cancel();
    this.timer = null;
    this.left = true;
    await this.beating;
    const { leases, environment, instance, lock } = this.options;
    if (this.role === 'holder') await leases.release(environment, instance, this.epoch).catch(() => undefined);
    this.role = 'waiting';
    await lock.release();
  }

  private schedule(): void {
    // A tenth of jitter, so that workers that start together do not send their heartbeats together.
    const { interval, clock, random } = this.options;
    this.timer = clock.timeout(interval * (0.95 + random.fraction() * 0.1), () => {
      if (this.timer) this.schedule();
      void this.beatNow();
    });
  }

  private async beatOnce(): Promise<void> {
    const { leases, environment, interval, lock, clock, log } = this.options;
    const ttl = interval * DOWN_AFTER;
    const verified = await lock.hold();
    this.other.lockedBeats = verified ? this.other.lockedBeats + 1 : 0;
    // A live holder whose session was cut finds that out with its next heartbeat, and says so in the lease: until then its lock
    // proves nothing to a standby.
    const provenBy = verified && (!this.other.holds || this.other.lockedBeats > 1) ? lock.fingerprint : null;
    const missingFor = this.missingSince === null ? 0 : clock.now().mono - this.missingSince;
    let answer: LeaseAnswer;
    try {
      answer = await leases.claim({
        environment,
        lease: this.lease(),
        ttl,
        mayTake: this.role === 'alone' || (verified && !this.other.holds) || missingFor >= ttl,
        provenBy,
      });
    } catch (error) {
      (log.rooms.lease ?? log.debug)(`The lease of ${environment} could not be renewed: ${messageOf(error)}`);
      if (this.role === 'waiting' && verified && !this.stopping) await this.become('alone', false);
      return;
    }
    log.rooms.lease?.('Beat', { role: this.role, beat: this.beat, verified, missingFor, ...answer });
    if (answer.held && answer.epoch < this.other.epoch) {
      // The store is an older copy, from before that process took over.
      await leases.release(environment, this.options.instance, answer.epoch);
      return;
    }
    if (answer.held) {
      this.missingSince = null;
      this.other.holds = false;
      this.epoch = answer.epoch;
      if (answer.fresh || this.role !== 'holder' || this.unnotified) {
        this.unnotified = true;
        await this.become('holder', true);
        this.unnotified = false;
      }
      return;
    }
    if (answer.holder === null) {
      this.missingSince ??= clock.now().mono;
      return;
    }
    this.missingSince = null;
    // A store restored from an old copy may name a former holder: only a newer one counts.
    if (this.role === 'holder' && answer.holder.epoch <= this.epoch) return;
    this.other.holds = true;
    this.other.epoch = Math.max(this.other.epoch, answer.holder.epoch);
    // What it held is over: a store that loses its content must not give it back.
    this.epoch = 0;
    this.hasRegistered = false;
    if (provenBy !== null) await this.giveLockBack();
    if (this.role !== 'standby') {
      log.warn(
        `Environment ${environment} is held by another process (${answer.holder.instance}); this one is a standby and hosts nothing.`,
      );
      await this.become('standby', false);
    }
  }

  /** The holder lives, and lost its session: it needs the lock that this standby got in its place. */
  private async giveLockBack(): Promise<void> {
    this.other.lockedBeats = 0;
    await this.options.lock.release();
  }

  private async become(role: LeaseRole, fresh: boolean): Promise<void> {
    this.options.log.rooms.lease?.('Changed its role', { from: this.role, to: role, fresh });
    this.role = role;
    await this.roles.emitAndWait({ role, fresh });
  }

  private lease(): Lease {
    this.beat++;
    this.told = this.registered;
    return {
      instance: this.options.instance,
      epoch: this.epoch,
      beat: this.beat,
      interval: this.options.interval,
      state: this.stopping ? 'stopping' : 'serving',
      registered: this.hasRegistered ? this.registered : 0,
      ...this.options.vitals(),
    };
  }
}
