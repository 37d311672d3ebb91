import { say } from '../../../shared/message';
import { type Delivery, NOTIFIERS, type NoticeResult, type Notifier, type NotifierId } from '../../../shared/notice';
import { type Clock, within } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { type Leadership, TermOver } from '../control/leader';
import { WorkQueue } from '../control/work-queue';
import type { EventStore } from '../definitions/event-store';
import type { EventRecorder } from '../events/recorder';
import {
  type Attempt,
  afterAttempt,
  collect,
  dueOf,
  failingEvent,
  givenUpEvent,
  LOOK_BACK,
  MOST_EVENTS,
} from './deliveries';
import type { NotifierStore } from './notifier-store';
import type { Send } from './senders';

/** How long events are collected before they are told, in ms. */
export const COLLECT = 3_000;
/** How long an attempt may take, in ms: a mail server has time limits of its own. */
const LONGEST_ATTEMPT = 150_000;

export interface NoticesOptions {
  notifiers: NotifierStore;
  events: EventStore;
  recorder: Pick<EventRecorder, 'record'>;
  leadership: Pick<Leadership, 'leads' | 'write' | 'assertLeads' | 'onChange'>;
  send: Record<NotifierId, Send>;
  clock: Clock;
  random: Random;
  log: Log;
}

/**
 * Tells people and other systems what happened; only the leader does. What is to be told is stored together with the
 * mark that it is, before it is sent, and removed once it has arrived: another leader goes on there. So everything is
 * told at least once, and twice only if a process ends between the answer and the note of it.
 *
 * Nothing waits for it: it follows the table of events, and no notifier waits for another one.
 */
export class Notices {
  private readonly queue: WorkQueue;
  /** Results that could not be stored yet. */
  private readonly unsaved = new Map<NotifierId, { delivery: string; attempt: Attempt; at: number }>();

  constructor(private readonly options: NoticesOptions) {
    const { clock, random, log } = options;
    const onFailure = (id: string, error: unknown) => {
      if (!(error instanceof TermOver))
        log.warn(`Notifications (${id}) could not go on, it is tried again: ${messageOf(error)}`);
    };
    this.queue = new WorkQueue({ clock, random, concurrency: NOTIFIERS.length, onFailure });
  }

  start(): void {
    this.queue.start((id) => this.step(id as NotifierId));
    this.options.events.changes.listen(() => this.look(COLLECT));
    this.options.leadership.onChange(() => this.look(COLLECT));
    this.look(COLLECT);
  }

  stop(): void {
    this.queue.stop();
  }

  /** There may be something to tell; called from time to time, too: others change events and settings. @param wait in ms */
  look(wait = 0): void {
    for (const id of NOTIFIERS) this.queue.add(id, wait);
  }

  /** Sends a test message now, by the settings as they are stored. */
  async test(id: NotifierId): Promise<NoticeResult> {
    const notifier = await this.options.notifiers.get(id);
    const { ok, status, error } = await this.attempt(notifier, { id: this.options.random.id(), done: [] }, 'test');
    return { ok, status, error };
  }

  /** @returns when the next one is due, in ms; null if nothing is to be told */
  private async step(id: NotifierId): Promise<number | null> {
    const { notifiers, leadership, clock } = this.options;
    if (!leadership.leads) return null;
    const notifier = await notifiers.get(id);
    await this.saveResult(notifier);
    if (!notifier.enabled) return null;
    const due = dueOf(notifier, clock.now().wall);
    switch (due.do) {
      case 'wait':
        return due.ms;
      case 'collect':
        return this.collect(notifier);
      case 'send':
        return this.send(notifier, notifier.delivery as Delivery);
      case 'giveUp':
        return this.giveUp(notifier, notifier.delivery as Delivery);
    }
  }

  /** Puts the next delivery together. */
  private async collect(notifier: Notifier): Promise<number | null> {
    const { notifiers, events, leadership, clock, random } = this.options;
    const { id } = notifier;
    const { wall } = clock.now();
    const since = Math.max(notifier.since, wall - LOOK_BACK);
    const most = MOST_EVENTS[id];
    const fresh = await events.untold(id, since, most);
    const over = await events.over(id, wall - LOOK_BACK, most - fresh.length);
    if (!fresh.length && !over.length) return null;
    const found = collect(notifier, fresh, over, wall);
    const delivery = found.events.length
      ? { id: random.id(), events: found.events, at: wall, failures: 0, nextAt: wall, done: [] }
      : null;
    await leadership.write(async (transaction) => {
      await events.markTold(id, found.told, transaction);
      if (delivery) await notifiers.save(id, { delivery }, transaction);
      if (found.late) await events.append([givenUpEvent(id, found.late, wall)], transaction);
    });
    return delivery || fresh.length + over.length >= most ? 0 : null;
  }

  private async send(notifier: Notifier, delivery: Delivery): Promise<number | null> {
    const { events, leadership, recorder, clock, log } = this.options;
    const { id } = notifier;
    const stored = new Map((await events.some(delivery.events.map((each) => each.id))).map((each) => [each.id, each]));
    const told = delivery.events.flatMap(({ id: event, phase }) => {
      const found = stored.get(event);
      return found ? [{ event: found, phase }] : [];
    });
    // Another process may lead by now, and send the same.
    await leadership.assertLeads();
    const attempt = told.length
      ? await this.attempt(notifier, delivery, told)
      : { ok: true, status: null, error: null, done: [] };
    const { wall } = clock.now();
    if (!attempt.ok && notifier.failingSince === null) {
      log.warn(`Notifications (${id}) could not be sent, it is tried again.`, { cause: attempt.error });
      recorder.record(failingEvent(id, wall, attempt.error));
    }
    // The next step stores it with the settings as they are then: people may have changed them meanwhile.
    this.unsaved.set(id, { delivery: delivery.id, attempt, at: wall });
    return 0;
  }

  /** Never rejects. */
  private attempt(notifier: Notifier, ...rest: [Pick<Delivery, 'id' | 'done'>, Parameters<Send>[2]]): Promise<Attempt> {
    const { send, clock } = this.options;
    const failedFor = (error: Attempt['error']) => ({ ok: false, status: null, error, done: rest[0].done });
    const sent = send[notifier.id](notifier, ...rest).catch((error) =>
      failedFor(say('CHANNEL_FAILED', { cause: messageOf(error) })),
    );
    const late = failedFor(say('WEBHOOK_TIMEOUT', { seconds: LONGEST_ATTEMPT / 1_000 }));
    return within(clock, LONGEST_ATTEMPT, sent, late);
  }

  /** Stores the result of the last attempt, if it is not stored yet; the notifier is then as stored. */
  private async saveResult(notifier: Notifier): Promise<void> {
    const { notifiers, leadership } = this.options;
    const { id } = notifier;
    const result = this.unsaved.get(id);
    if (!result) return;
    if (notifier.delivery?.id === result.delivery) {
      const values = afterAttempt(notifier, result.attempt, result.at);
      await leadership.write((transaction) => notifiers.save(id, values, transaction));
      Object.assign(notifier, values);
    }
    this.unsaved.delete(id);
  }

  private async giveUp({ id }: Notifier, delivery: Delivery): Promise<number> {
    const { notifiers, events, leadership, clock, log } = this.options;
    const count = delivery.events.length;
    await leadership.write(async (transaction) => {
      await notifiers.save(id, { delivery: null }, transaction);
      await events.append([givenUpEvent(id, count, clock.now().wall)], transaction);
    });
    log.warn(`Notifications (${id}) about ${count} events were given up: they could not be sent in time.`);
    return 0;
  }
}
