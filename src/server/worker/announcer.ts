import type { Lease, Registration } from '../../shared/messages';
import { type Clock, type Timer, within } from '../clock';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { Announced, LeaseStore } from '../protocol/stores/leases';
import type { Random } from '../random';
import { expiryOf, PATIENCE } from '../timing';

/** How much sooner or later than its interval an announcement may come, as a part of it. */
const JITTER = 0.05;

export interface AnnouncerOptions {
  leases: LeaseStore;
  environment: string;
  instance: string;
  /** In ms. */
  interval: number;
  clock: Clock;
  random: Random;
  log: Log;
  /** Of this process's tenure; null while it has none. */
  term(): number | null;
  vitals(): Pick<Lease, 'memory' | 'eventLoopDelay' | 'pressures' | 'usage'>;
  /** What names the main database, whatever address leads to it; asked often. */
  place(): Promise<string>;
  /** Whether the key of the environment has ended that this process has; absent: none does. */
  hasEnded?(): boolean;
  /** The registration of the environment as it is now. */
  describe(epoch: number): Promise<Registration>;
}

export type Overtaken = Omit<Extract<Announced, { by: 'newer' }>, 'by'>;

/** Tells the store who holds the environment: each interval, and when something of it has changed. Nothing here decides who does. */
export class Announcer {
  /** The store has accepted an announcement; `fresh`: it did not know this tenure (any more). */
  readonly accepted = new Feed<{ fresh: boolean }>();
  /** It was refused: this epoch was announced, which is not below the one of this process. */
  readonly overtaken = new Feed<Overtaken>();
  /** The term of the last announcement that the store accepted. */
  announced: number | null = null;
  /** Whether another installation holds an environment of this name: nothing is begun then. */
  isRefused = false;
  private beat = 0;
  /** As in `lease`: a number of this process alone. */
  private registered = 0;
  private registration: Registration | null = null;
  /** By the monotonic clock: since when the store has had no announcement of the installation that this process was refused for. */
  private freeSince: number | null = null;
  /** Whether the registration may have changed, and whether the process is about to end. */
  private isOld = true;
  private isStopping = false;
  private timer: Timer | null = null;
  private announcing: Promise<void> | null = null;
  private isDue = false;

  constructor(private readonly options: AnnouncerOptions) {}

  start(): Promise<void> {
    if (!this.timer) this.schedule();
    return this.announce();
  }

  /** The registration may have changed. Never rejects. */
  refresh(): Promise<void> {
    this.isOld = true;
    return this.announce();
  }

  /** The apps are stopped next. Never rejects. */
  async stopping(): Promise<void> {
    this.isStopping = true;
    // One under way still says `serving`.
    await this.announcing;
    if (this.options.term() !== null) await this.announce();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Takes the last announcement back. Never rejects. */
  async withdraw(): Promise<void> {
    await this.announcing;
    await this.withdrawNow().catch(() => undefined);
  }

  /** Announces now; calls meanwhile are merged into one more. Never rejects. */
  announce(): Promise<void> {
    if (this.announcing) this.isDue = true;
    this.announcing ??= this.announceAll().finally(() => {
      this.announcing = null;
    });
    return this.announcing;
  }

  private schedule(): void {
    // So that Workers that start together do not announce themselves together.
    const { interval, clock, random } = this.options;
    this.timer = clock.timeout(interval * (1 + (2 * random.fraction() - 1) * JITTER), () => {
      if (this.timer) this.schedule();
      void this.announce();
    });
  }

  private async announceAll(): Promise<void> {
    const { environment, log } = this.options;
    do {
      this.isDue = false;
      await this.announceOnce().catch((error) =>
        (log.rooms.lease ?? log.debug)(`Environment ${environment} could not be announced: ${messageOf(error)}`),
      );
    } while (this.isDue && this.timer);
  }

  private async announceOnce(): Promise<void> {
    const { leases, environment, interval, instance, log, term, place } = this.options;
    const epoch = term();
    const ttl = expiryOf(interval);
    const named = await this.soon(place());
    if (epoch === null) this.isRefused = false;
    if (epoch === null || (this.isRefused && !(await this.isFree(ttl))))
      return leases.wait(environment, { instance, place: named }, ttl);
    const registration = await this.describe(epoch);
    const isKnown = this.announced !== null;
    const lease = this.lease(epoch, named);
    const hasEnded = this.options.hasEnded?.() ?? false;
    const answer = await leases.announce({ environment, lease, registration, ttl, isKnown, hasEnded });
    log.rooms.lease?.('Announced', { epoch, beat: this.beat, ...answer });
    await this.heard(answer, lease, ttl);
  }

  /** Whether the other installation is gone. The store may only have lost its content: then that announces itself anew. */
  private async isFree(ttl: number): Promise<boolean> {
    const { leases, environment, clock } = this.options;
    const { mono } = clock.now();
    const left = (await leases.left([environment])).get(environment);
    this.freeSince = left ? null : (this.freeSince ?? mono);
    return this.freeSince !== null && mono - this.freeSince >= ttl;
  }

  private async heard(answer: Announced, { epoch, place = '' }: Lease, ttl: number): Promise<void> {
    const { leases, environment, instance, log, term } = this.options;
    const wasRefused = this.isRefused;
    this.isRefused = answer.by === 'otherInstallation';
    if (answer.by === 'me') {
      this.announced = epoch;
      // It has lost the environment meanwhile.
      if (term() === null) await this.withdrawNow();
      else await this.accepted.emitAndWait({ fresh: answer.fresh || wasRefused });
      return;
    }
    this.announced = null;
    if (answer.by === 'newer') return this.overtaken.emitAndWait(answer);
    this.freeSince = null;
    if (!wasRefused)
      log.warn(
        `Environment ${environment} is held by another installation (${answer.instance}); nothing is begun here.`,
      );
    await leases.wait(environment, { instance, place }, ttl);
  }

  private async withdrawNow(): Promise<void> {
    const { leases, environment, instance } = this.options;
    const { announced } = this;
    this.announced = null;
    if (announced !== null) await leases.release(environment, instance, announced);
  }

  /** As it was, where the main database does not say it anew: an environment that serves is announced without that. */
  private async describe(epoch: number): Promise<Registration> {
    const { registration } = this;
    const isOfTenure = registration?.epoch === epoch;
    if (isOfTenure && (!this.isOld || this.isStopping)) return registration;
    this.isOld = false;
    try {
      this.registration = await this.soon(this.options.describe(epoch));
    } catch (error) {
      this.isOld = true;
      if (!isOfTenure) throw error;
      return registration;
    }
    if (JSON.stringify(this.registration) !== JSON.stringify(registration)) this.registered++;
    return this.registration;
  }

  /** @throws if the main database does not answer while the last announcement lasts for long enough */
  private async soon<T>(work: Promise<T>): Promise<T> {
    const { clock, interval } = this.options;
    const answer = await within<T | null>(clock, Math.min(PATIENCE, expiryOf(interval) / 2), work, null);
    if (answer === null) throw new Error('The main database does not answer.');
    return answer;
  }

  private lease(epoch: number, place: string): Lease {
    this.beat++;
    const { instance, interval, vitals } = this.options;
    return {
      instance,
      epoch,
      beat: this.beat,
      interval,
      state: this.isStopping ? 'stopping' : 'serving',
      registered: this.registered,
      place,
      ...vitals(),
    };
  }
}
