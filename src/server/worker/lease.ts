import type { Lease } from '../../shared/messages';
import { type Clock, type Timer, within } from '../clock';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import { DOWN_AFTER } from '../protocol/health';
import type { LeaseAnswer, LeaseStore } from '../protocol/stores/leases';
import type { Random } from '../random';
import { BeatState } from './beat-state';
import { Epochs, type HostStore } from './epochs';
import { LockWatch, type ProcessLock } from './lock-watch';

/**
 * The role of a process in its environment.
 * - `waiting`: not decided yet; it hosts nothing.
 * - `alone`: the store cannot be reached; the session lock on the main database proves that no other process hosts.
 * - `holder`: it holds the lease.
 * - `standby`: another live process holds it.
 */
export type LeaseRole = 'waiting' | 'alone' | 'holder' | 'standby';

export interface LeaseKeeperOptions {
  leases: LeaseStore;
  environment: string;
  instance: string;
  /** Renewal interval in ms. */
  interval: number;
  lock: ProcessLock;
  hosts: HostStore;
  clock: Clock;
  random: Random;
  log: Log;
  vitals(): Pick<Lease, 'memory' | 'eventLoopDelay' | 'pressures'>;
}

/**
 * How long another process may have the lock of one that hosts and whose lease lasts, in beats: a standby that got it by chance gives it
 * back within one.
 */
const LOST_AFTER = 2;
/** How long nobody held the lease, and another process has had the lock, before a standby ends that one's session, in beats. */
const DISPLACES_AFTER = 2;
/**
 * How long a process that does not host gets the lock at each beat before it goes by it, in beats: in any case, and when the store
 * cannot be reached.
 */
const TRUSTS_LOCK_AFTER = 1;
const TRUSTS_LOCK_ALONE_AFTER = 3;
/** How long a live holder takes at most to say something new in its lease, however long its interval, in ms: that its session was cut, or a higher epoch. */
const SAYS_WITHIN = 5_000;
/** When a process asks again for a lock that it lent, in ms: whoever needed it has it by then. */
const ASKS_AGAIN = 3_000;
/** How much sooner than its interval a beat may come, as a part of it. */
const JITTER = 0.1;
/** How much later than its interval a live holder may renew its lease, in ms. */
const RENEWS_LATE = 1_500;
/** How long a process may begin no beat before it takes itself for frozen, in ms; at least for as long as a lease lasts. */
const AWAY_AFTER = 15_000;

/**
 * Holds an environment for one process: by the lock on its main database, which the lease in the store announces.
 *
 * A holder continues unchanged while the store is down; running apps depend on nothing else. When its session on the database ends, it
 * begins nothing until it has the lock again, and stands down when another process keeps it.
 */
export class LeaseKeeper {
  /**
   * The role changed, or (`fresh`) everything has to be written to the store again. Awaited before the next heartbeat.
   */
  readonly roles = new Feed<{ role: LeaseRole; fresh: boolean }>();
  role: LeaseRole = 'waiting';
  epoch = 0;
  /** Starts from the clock, so that a successor never repeats a predecessor's number. */
  private registered: number;
  private told: number;
  /** Whether the registration in the store is this process's, and not its predecessor's. */
  private hasRegistered = false;
  private stopping = false;
  /**
   * Set after leaving: a late request for a heartbeat, from a refused write or registration, must not take the lease
   * again.
   */
  private left = false;
  /**
   * Whether another process held the lease when this one last heard of it, and the newest epoch of another one.
   */
  private readonly other = { holds: false, epoch: 0 };
  private readonly own: BeatState;
  readonly lock: LockWatch;
  private readonly epochs: Epochs;
  /** Of the next beat at the interval, and of one more when a lock that this process has got proves something. */
  private readonly timers = { next: null as Timer | null, proof: null as Timer | null };
  private beating: Promise<void> | null = null;

  constructor(private readonly options: LeaseKeeperOptions) {
    const { lock, clock, hosts, instance, log } = options;
    this.registered = clock.now().wall;
    this.told = this.registered;
    this.own = new BeatState(clock.now().mono);
    this.lock = new LockWatch(lock, clock, () => this.hosts && !this.left);
    this.epochs = new Epochs(hosts, instance, clock, log);
    this.lock.changes.listen((permits) => void this.lockChanged(permits));
    this.lock.found.listen(() => {
      if (this.isLost()) void this.loseLock();
    });
  }

  /** Whether this process may host apps. */
  get hosts(): boolean {
    return this.role === 'holder' || this.role === 'alone';
  }

  /**
   * Whether it may begin something: a process that has lost its lock takes it again before anything else, and one that was frozen hears
   * first what has changed.
   */
  get mayBegin(): boolean {
    return this.hosts && this.lock.permits && !this.epochs.isDoubtful && this.isWithin(this.own.begunAt, AWAY_AFTER);
  }

  /** Whether this process hosts its environment, as the main database says now. Never rejects. */
  async confirm(): Promise<boolean> {
    if (!this.hosts) return false;
    await this.lock.look();
    return this.mayBegin;
  }

  /** Another process hosted in this epoch: claims a higher one, if there can be one. Never rejects. @returns whether it has a higher one */
  async exceed(epoch: number): Promise<boolean> {
    if (!this.epochs.exceed(epoch)) return false;
    // A beat that makes this process a standby ends with the boots of its apps, and one of them waits here.
    for (let tries = 0; tries < 3 && this.hosts && this.epoch <= epoch; tries++)
      await within<unknown>(this.options.clock, SAYS_WITHIN, this.beatNow(), undefined);
    if (this.hosts && this.epoch <= epoch) this.epoch = epoch + 1;
    return this.hosts;
  }

  /** Sends a heartbeat immediately and then at the interval. */
  async start(): Promise<void> {
    if (this.timers.next) return;
    await this.beatNow();
    if (!this.left) this.schedule();
  }

  /** Sends a heartbeat now: at a start, after a change of the registration, after a refused write. Never rejects. */
  beatNow(): Promise<void> {
    if (this.left) return Promise.resolve();
    const wasAway = !this.isWithin(this.own.begunAt, AWAY_AFTER);
    const begun = this.options.clock.now().mono;
    this.beating ??= this.beatOnce()
      .catch((error) =>
        this.options.log.warn(`A beat of environment ${this.options.environment} failed: ${messageOf(error)}`),
      )
      .finally(() => {
        this.beating = null;
        this.own.begunAt = begun;
        // What was to begin meanwhile has not.
        if ((wasAway || this.own.isCertain) && this.hosts) void this.resume();
        this.own.isCertain = false;
        const isDue = this.own.isDue || (this.told !== this.registered && this.role === 'holder');
        this.own.isDue = false;
        if (isDue) void this.beatNow();
      });
    return this.beating;
  }

  /** The registration was written again: announces it with an immediate heartbeat, unless this process has stood down meanwhile. */
  announceRegistration(): void {
    if (this.role !== 'holder') return;
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
    this.timers.next?.cancel();
    this.timers.next = null;
    this.left = true;
    this.lock.close();
    await this.beating;
    // What the last beat has set.
    for (const timer of Object.values(this.timers)) timer?.cancel();
    const { leases, environment, instance, lock } = this.options;
    if (this.role === 'holder') await leases.release(environment, instance, this.epoch).catch(() => undefined);
    this.role = 'waiting';
    await lock.release();
  }

  private schedule(): void {
    // So that workers that start together do not send their heartbeats together.
    const { interval, clock, random } = this.options;
    this.timers.next = clock.timeout(interval * (1 + (random.fraction() - 0.5) * JITTER), () => {
      if (this.timers.next) this.schedule();
      void this.beatNow();
    });
  }

  private async beatOnce(): Promise<void> {
    const { leases, environment, interval, clock, log } = this.options;
    const asked = { at: 0, standingDown: this.own.standingDown };
    await asked.standingDown;
    // The beat that finds out who needed the lock comes soon: this one would find nothing, and may be slow without a store.
    if (!this.hosts && this.lock.isLent) return;
    const lock = await this.lock.beat();
    const wasDoubtful = this.epochs.isDoubtful;
    const isOvertaken = this.hosts && this.lock.permits && (await this.epochs.isOvertaken(this.epoch));
    this.own.isCertain ||= wasDoubtful && !this.epochs.isDoubtful;
    // It found that the lock is lost.
    if (this.own.standingDown !== asked.standingDown) return this.own.standingDown ?? undefined;
    if (isOvertaken) return this.loseLock('not as this process left it: another one hosted meanwhile', false);
    if (!this.hosts && this.lock.permits) await this.epochs.recall();
    const problem = this.hosts ? null : this.lock.news();
    if (problem) log.warn(`Environment ${environment} hosts nothing: its lock cannot be asked for. ${problem}`);
    const missingFor = this.own.missingSince === null ? 0 : clock.now().mono - this.own.missingSince;
    let answer: LeaseAnswer;
    let provenBy: string | null;
    try {
      provenBy = lock === 'held' && (await this.isProof()) ? this.options.lock.fingerprint : null;
      asked.at = clock.now().mono;
      answer = await leases.claim({
        environment,
        lease: this.lease(),
        ttl: interval * DOWN_AFTER,
        mayTake: this.mayTake(missingFor >= DISPLACES_AFTER * interval),
        above: Math.max(this.epochs.above, this.role === 'alone' ? this.epoch : 0),
        provenBy,
        place: this.options.lock.fingerprint ?? undefined,
      });
    } catch (error) {
      (log.rooms.lease ?? log.debug)(`The lease of ${environment} could not be renewed: ${messageOf(error)}`);
      if (this.mayGoAlone()) await this.goAlone();
      // Its holder may live, reach the store, and ask for the lock every second.
      else if (!this.hosts && this.lock.state === 'held') {
        await this.lock.lend();
        this.timers.proof?.cancel();
        this.timers.proof = clock.timeout(ASKS_AGAIN, () => this.beatAgain());
      }
      return;
    }
    log.rooms.lease?.('Beat', { role: this.role, beat: this.own.count, lock, missingFor, ...answer });
    if (answer.held) await this.holds(answer, asked);
    else if (answer.holder) await this.heldBy(answer.holder, provenBy !== null);
    else await this.nobodyHolds();
  }

  /**
   * Whether the lock, which this process has, proves that no other one hosts. A live holder whose session was cut finds that out and
   * says so in its lease, but not in the same moment.
   */
  private async isProof(): Promise<boolean> {
    if (this.hasHadLock() || (this.hosts && this.isWithin(this.own.renewedAt))) return true;
    if (this.other.holds) return false;
    // One that is alive has renewed its lease within its interval: the last beat of one that died is older by the time that it starts.
    const { leases, environment, interval } = this.options;
    // Its user in Redis may not be allowed to ask.
    const left = (await leases.left([environment]).catch(() => null))?.get(environment) ?? Number.POSITIVE_INFINITY;
    return left < (DOWN_AFTER - 1) * interval - RENEWS_LATE;
  }

  /** @param ms by default until a live holder would have said that it lost it */
  private hasHadLock(ms = Math.min(TRUSTS_LOCK_AFTER * this.options.interval, SAYS_WITHIN)): boolean {
    return this.lock.hadFor() >= ms * (1 - JITTER);
  }

  /** Whether another process has the lock for good: this one cannot renew its lease, or waited long enough to get the lock back. */
  private isLost(): boolean {
    if (!this.hosts || this.lock.state !== 'other') return false;
    return !this.isWithin(this.own.renewedAt) || this.lock.otherFor() >= LOST_AFTER * this.options.interval;
  }

  /** Whether less time has passed than a lease lasts, or than `ms`. */
  private isWithin(at: number, ms = 0): boolean {
    const { interval, clock } = this.options;
    return clock.now().mono - at < Math.max(interval * DOWN_AFTER, ms);
  }

  /** @param isLong whether nobody has held the lease for so long that a live holder would have taken it back */
  private mayTake(isLong: boolean): boolean {
    if (this.role === 'alone') return true;
    if (this.lock.state === 'none') return isLong;
    if (this.lock.state !== 'held') return false;
    // A holder that lost it finds that out in this time.
    return !this.other.holds || (isLong && this.hasHadLock());
  }

  /** The store cannot be reached: the lock alone decides. */
  private mayGoAlone(): boolean {
    if (this.stopping || this.lock.state !== 'held') return false;
    if (this.role === 'waiting') return this.lock.wasLent;
    return this.role === 'standby' && this.hasHadLock(TRUSTS_LOCK_ALONE_AFTER * this.options.interval);
  }

  private async goAlone(): Promise<void> {
    this.epoch = Math.max(this.epochs.above + 1, this.options.clock.now().wall);
    await this.epochs.remember(this.epoch);
    await this.become('alone', false);
  }

  /**
   * @param asked when the claim was sent, by the monotonic clock, and the end of what ran when the lock was lost before: it may be lost
   * beside a beat
   */
  private async holds(
    { epoch, fresh }: { epoch: number; fresh: boolean },
    asked: { at: number; standingDown: Promise<void> | null },
  ): Promise<void> {
    const hasStoodDown = () => this.own.standingDown !== asked.standingDown;
    const giveBack = () => this.options.leases.release(this.options.environment, this.options.instance, epoch);
    // The store is an older copy, from before that process took over; or this one asked before it stood down.
    if (epoch < this.other.epoch || hasStoodDown()) return giveBack();
    // A lease without the lock, which another process has.
    if (!this.hosts && this.lock.state === 'other') return;
    this.own.missingSince = null;
    this.own.renewedAt = asked.at;
    this.other.holds = false;
    this.epoch = epoch;
    await this.epochs.remember(epoch);
    if (hasStoodDown()) return giveBack();
    if (!fresh && this.role === 'holder' && !this.own.unnotified) return;
    this.own.unnotified = true;
    await this.become('holder', true);
    this.own.unnotified = false;
  }

  private async nobodyHolds(): Promise<void> {
    const { mono } = this.options.clock.now();
    this.own.missingSince ??= mono;
    // Another standby that has just got the lock needs a beat to go by it: two would end each other's sessions for ever.
    const missingFor = Math.min(mono - this.own.missingSince, this.lock.otherFor());
    const isOver = missingFor >= DISPLACES_AFTER * this.options.interval;
    if (this.hosts || this.stopping || !isOver || this.lock.state !== 'other') return;
    // What could not be ended is tried again with the next beat, and not at once.
    if (!(await this.options.lock.displace())) return;
    this.own.isDue = true;
    this.options.log.warn(
      `Nobody renewed the lease of environment ${this.options.environment}, and a process that is frozen or cut off had its lock: its session was ended.`,
    );
  }

  private async heldBy(holder: { instance: string; epoch: number }, gavesProof: boolean): Promise<void> {
    this.own.missingSince = null;
    // A store restored from an old copy may name a former holder: only a newer one counts.
    if (this.role === 'holder' && holder.epoch <= this.epoch) return;
    this.other.holds = true;
    this.other.epoch = Math.max(this.other.epoch, holder.epoch);
    // What it held is over: a store that loses its content must not give it back.
    this.epoch = 0;
    this.hasRegistered = false;
    // The holder lives, and lost its session: it needs the lock that this standby got in its place.
    if (gavesProof) await this.lock.giveBack();
    // Otherwise the lock will have said more than the lease by then, which may last for long.
    else if (this.lock.state === 'held')
      this.timers.proof ??= this.options.clock.timeout(SAYS_WITHIN, () => this.beatAgain());
    if (this.role !== 'standby') await this.standBy(`held by another process (${holder.instance})`);
  }

  private beatAgain(): void {
    this.timers.proof = null;
    void this.beatNow();
  }

  /** Another process keeps the lock of this one, or (`holds` false) has hosted meanwhile: this one stands down at once. */
  private async loseLock(why = 'held by another process, which has its lock', holds = true): Promise<void> {
    const { leases, environment, instance } = this.options;
    if (this.role === 'holder') void leases.release(environment, instance, this.epoch).catch(() => undefined);
    this.other.holds = holds;
    this.own.isDue ||= !holds;
    this.other.epoch = Math.max(this.other.epoch, this.epoch);
    this.epoch = 0;
    this.hasRegistered = false;
    this.own.standingDown = this.standBy(why);
    await this.own.standingDown;
  }

  /** Never rejects. */
  private async standBy(why: string): Promise<void> {
    const { environment, log } = this.options;
    log.warn(`Environment ${environment} is ${why}; this one is a standby and hosts nothing.`);
    const end = this.become('standby', false).catch((error) =>
      log.warn(`${environment} was not left: ${messageOf(error)}`),
    );
    await (this.lock.state === 'none' ? end : this.lock.giveBackDuring(end));
  }

  /** The lock is lost: nothing is begun until it is there again. */
  private async lockChanged(permits: boolean): Promise<void> {
    if (!this.hosts || this.left || this.other.holds) return;
    this.epochs.doubt();
    const { environment, log } = this.options;
    if (permits) log.info(`The lock of environment ${environment} is held again.`);
    else log.warn(`The lock of environment ${environment} was lost: nothing is begun until this process has it again.`);
    // Says in the lease whether the lock proves anything. A beat that is under way may have asked for the lock before.
    await this.beating;
    await this.beatNow();
  }

  /** It may begin things again. Never rejects. */
  private async resume(): Promise<void> {
    const { environment, log } = this.options;
    await this.roles
      .emitAndWait({ role: this.role, fresh: false })
      .catch((error) => log.warn(`Environment ${environment} could not go on: ${messageOf(error)}`));
  }

  private async become(role: LeaseRole, fresh: boolean): Promise<void> {
    this.options.log.rooms.lease?.('Changed its role', { from: this.role, to: role, fresh });
    this.role = role;
    await this.roles.emitAndWait({ role, fresh });
  }

  private lease(): Lease {
    this.own.count++;
    this.told = this.registered;
    return {
      instance: this.options.instance,
      epoch: this.role === 'alone' ? 0 : this.epoch,
      beat: this.own.count,
      interval: this.options.interval,
      state: this.stopping ? 'stopping' : 'serving',
      registered: this.hasRegistered ? this.registered : 0,
      ...this.options.vitals(),
    };
  }
}
