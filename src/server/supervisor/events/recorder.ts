import type { Transaction } from '@nocobase/database';
import type { Event } from '../../../shared/event';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { type Leadership, TermOver } from '../control/leader';
import { WorkQueue } from '../control/work-queue';
import { type EventStore, KEEP_EVENTS, MOST_EVENTS } from '../definitions/event-store';

/** How long events are collected before they are written, in ms. */
const COLLECT = 250;
/** How often a process that does not lead looks whether it does, in ms. */
const LOOK_AGAIN = 5_000;
/** How long an event waits in a process that does not lead: by then another one leads and has recorded it, in ms. */
const HOLD = 60_000;
/** Maximum number of events that wait. */
const MOST = 1_000;
/** All of them are written in one go. */
const EVENTS = 'events';
/** Maximum number of rows in one statement. */
const AT_ONCE = 100;
/** Interval of deleting old rows, in ms. */
const SWEEP_EVERY = 3_600_000;
/** Maximum number of rows that one transaction deletes. */
const SWEEP_AT_ONCE = 500;

export interface EventRecorderOptions {
  events: EventStore;
  leadership: Pick<Leadership, 'leads' | 'write'>;
  clock: Clock;
  random: Random;
  log: Log;
}

/**
 * Writes events to the database, under the leader's term: all Supervisors may notice the same, and one records it.
 * Nothing waits for it, and nothing fails with it: what cannot be written waits in bounded memory.
 */
export class EventRecorder {
  /** By id, with the time at which it was added. */
  private readonly waiting = new Map<string, { event: Event; at: number }>();
  /** Ends of stored events by id, in ms since 1970. */
  private readonly ends = new Map<string, number>();
  /** Something was written. */
  readonly written = new Feed<void>();
  private dropped = 0;
  /** The last write failed: the next attempt has its time, whatever is recorded meanwhile. */
  private isFailing = false;
  private sweptAt: number | null = null;
  private readonly queue: WorkQueue;

  constructor(private readonly options: EventRecorderOptions) {
    const { clock, random, log } = options;
    const onFailure = (_: string, error: unknown) => {
      this.isFailing = true;
      if (!(error instanceof TermOver))
        log.warn(`${this.waiting.size} events could not be recorded, it is tried again: ${messageOf(error)}`);
    };
    this.queue = new WorkQueue({ clock, random, concurrency: 1, onFailure });
    this.queue.start(() => this.write());
  }

  /** Records an event; one with an id that is stored or waits already does nothing. */
  record(event: Event): void {
    if (!this.waiting.has(event.id)) this.waiting.set(event.id, { event, at: this.options.clock.now().mono });
    this.prune();
    this.collect();
  }

  /** Ends an event that was recorded as lasting. @param endedAt in ms since 1970 */
  end(id: string, endedAt: number): void {
    const waiting = this.waiting.get(id);
    if (waiting) waiting.event = { ...waiting.event, endedAt };
    else this.ends.set(id, endedAt);
    this.collect();
  }

  private collect(): void {
    if (!this.isFailing) this.queue.add(EVENTS, COLLECT);
  }

  /** Whether everything that was recorded and ended is in the database. */
  get isIdle(): boolean {
    return !this.waiting.size && !this.ends.size;
  }

  /** Another process leads: it finds out itself what lasts. */
  forgetLasting(): void {
    for (const [id, { event }] of this.waiting) if (event.endedAt === null) this.waiting.delete(id);
    this.ends.clear();
  }

  /** Deletes old events, at most once an hour, in small transactions. Never rejects. */
  async sweep(): Promise<void> {
    const { clock, leadership, events, log } = this.options;
    const { mono, wall } = clock.now();
    if (!leadership.leads || (this.sweptAt !== null && mono - this.sweptAt < SWEEP_EVERY)) return;
    this.sweptAt = mono;
    try {
      const all = async (remove: (transaction?: Transaction) => Promise<number>) => {
        while ((await leadership.write(remove)) === SWEEP_AT_ONCE);
      };
      await all((transaction) => events.removeEndedBefore(wall - KEEP_EVENTS, SWEEP_AT_ONCE, transaction));
      await all((transaction) => events.removeBeyond(MOST_EVENTS, SWEEP_AT_ONCE, transaction));
    } catch (error) {
      this.sweptAt = null;
      if (!(error instanceof TermOver))
        log.warn(`Old events could not be deleted, it is tried again: ${messageOf(error)}`);
    }
  }

  stop(): void {
    this.queue.stop();
  }

  /** @returns when more is written, in ms; null if nothing waits */
  private async write(): Promise<number | null> {
    const { events, leadership, log } = this.options;
    this.isFailing = false;
    this.prune();
    if (this.isIdle) return null;
    // The lead may have lapsed, and be renewed at once.
    if (!leadership.leads) return LOOK_AGAIN;
    const some = [...this.waiting.values()].slice(0, AT_ONCE).map(({ event }) => event);
    const ends = [...this.ends].slice(0, AT_ONCE);
    await leadership.write(async (transaction) => {
      await events.append(some, transaction);
      for (const [id, endedAt] of ends) await events.end(id, endedAt, transaction);
    });
    for (const event of some) {
      const now = this.waiting.get(event.id)?.event;
      // It has ended while it was written.
      if (now && now !== event && now.endedAt !== null) this.ends.set(event.id, now.endedAt);
      this.waiting.delete(event.id);
    }
    for (const [id] of ends) this.ends.delete(id);
    if (this.dropped) log.warn(`${this.dropped} events were not recorded: too many waited for the database.`);
    this.dropped = 0;
    this.written.emit();
    return this.isIdle ? null : COLLECT;
  }

  private prune(): void {
    const { leadership, clock } = this.options;
    const { mono } = clock.now();
    for (const [id, { at }] of this.waiting) if (!leadership.leads && mono - at > HOLD) this.waiting.delete(id);
    for (const id of this.waiting.keys()) {
      if (this.waiting.size <= MOST) break;
      this.waiting.delete(id);
      this.dropped++;
    }
    for (const id of this.ends.keys()) {
      if (this.ends.size <= MOST) break;
      this.ends.delete(id);
      this.dropped++;
    }
  }
}
