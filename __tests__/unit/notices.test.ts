import type { Database } from '@nocobase/database';
import { beforeEach, describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { Leadership } from '../../src/server/supervisor/control/leader';
import { EventStore } from '../../src/server/supervisor/definitions/event-store';
import { EventRecorder } from '../../src/server/supervisor/events/recorder';
import {
  type Attempt,
  afterAttempt,
  collect,
  dueOf,
  GIVE_UP_AFTER,
  SPACING,
  WAITS,
  waitAfter,
} from '../../src/server/supervisor/notices/deliveries';
import { Notices } from '../../src/server/supervisor/notices/notices';
import { NotifierSettings } from '../../src/server/supervisor/notices/notifier-settings';
import { NotifierStore } from '../../src/server/supervisor/notices/notifier-store';
import type { Send } from '../../src/server/supervisor/notices/senders';
import { noticeText, type ToldEvent } from '../../src/server/supervisor/notices/texts';
import { signatureOf } from '../../src/server/supervisor/notices/webhook';
import { defaultsIn } from '../../src/shared/fields';
import { failed, say } from '../../src/shared/message';
import { type Delivery, NOTIFIER, type Notifier, type NotifierId, noticeKindOf } from '../../src/shared/notice';
import { FakeClock } from '../support/clock';
import { eventOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { type Gate, MemoryDatabase } from '../support/memory-database';
import { SeededRandom } from '../support/random';

const NOW = 1_000_000_000_000;
const HOUR = 3_600_000;

const deliveryOf = (values: Partial<Delivery> = {}): Delivery => ({
  id: 'd-1',
  events: [{ id: 'event-1', phase: 'once' }],
  at: NOW,
  failures: 0,
  nextAt: NOW,
  done: [],
  ...values,
});

describe('what is told', () => {
  it.each([
    ['an environment that is down', eventOf(), 'environmentDown'],
    ['not one that was stopped', eventOf({ message: say('ENVIRONMENT_STOPPED', { environment: 'a' }) }), null],
    [
      'an app that failed',
      eventOf({ kind: 'failure', message: say('APP_FAILED', { app: 'a', environment: 'b', reference: 'c' }) }),
      'appFailing',
    ],
    [
      'a failed operation',
      eventOf({ kind: 'failure', message: say('OPERATION_FAILED', { app: 'a', action: 'b' }) }),
      'operationFailed',
    ],
    ['a failover', eventOf({ kind: 'failover', message: failed('x') }), 'failover'],
    ['memory near its limit', eventOf({ kind: 'memory', message: failed('x') }), 'nearLimit'],
    ['a takeover', eventOf({ kind: 'holder', message: failed('x') }), 'takeover'],
    ['a rejected message', eventOf({ kind: 'refusal', message: failed('x') }), 'rejected'],
    ['a request', eventOf({ kind: 'change', message: failed('x') }), 'request'],
    [
      'not that it could not be told',
      eventOf({ kind: 'failure', message: say('NOTIFIER_FAILS', { notifier: 'x' }) }),
      null,
    ],
  ])('%s', (_, event, kind) => {
    expect(noticeKindOf(event)).toBe(kind);
  });

  it('only what was chosen, in the order in which it happened', () => {
    const kinds: Notifier['kinds'] = ['environmentDown'];
    const fresh = [
      eventOf({ id: 'lasts', at: NOW - 30 * HOUR, endedAt: null }),
      eventOf({ id: 'b', at: NOW - 2, endedAt: NOW - 2 }),
      eventOf({ id: 'other', kind: 'refusal', message: failed('x'), at: NOW - 3, endedAt: NOW - 3 }),
      eventOf({ id: 'flapped', at: NOW - 9, endedAt: NOW - 5 }),
      eventOf({ id: 'late', at: NOW - 30 * HOUR, endedAt: NOW - 25 * HOUR }),
    ];
    const ended = [eventOf({ id: 'ended', at: NOW - 30 * HOUR, endedAt: NOW - 1 })];
    const { events, told, late } = collect({ kinds }, fresh, ended, NOW);
    expect(events).toEqual([
      { id: 'flapped', phase: 'over' },
      { id: 'b', phase: 'once' },
      { id: 'ended', phase: 'over' },
      { id: 'lasts', phase: 'begun' },
    ]);
    expect(late).toBe(1);
    expect(Object.fromEntries(told)).toEqual({
      lasts: 'begun',
      b: 'over',
      other: 'no',
      flapped: 'over',
      late: 'over',
      ended: 'over',
    });
  });
});

describe('when it is told', () => {
  const due = (values: Partial<Notifier>, now = NOW) =>
    dueOf({ id: 'webhook', delivery: null, deliveredAt: null, changedAt: 0, ...values }, now);

  it('people get at most one message a minute, a webhook everything at once', () => {
    const recently = { deliveredAt: NOW - 20_000 };
    expect(due({ id: 'channel', ...recently })).toEqual({ do: 'wait', ms: SPACING - 20_000 });
    expect(due({ id: 'channel', deliveredAt: NOW - SPACING })).toEqual({ do: 'collect' });
    expect(due(recently)).toEqual({ do: 'collect' });
  });

  it('a failed attempt is repeated after longer and longer waits, for a day', () => {
    expect([1, 2, 7, 8, 100].map(waitAfter)).toEqual([WAITS[0], WAITS[1], HOUR, HOUR, HOUR]);
    expect(due({ delivery: deliveryOf({ failures: 1, nextAt: NOW + 7_000 }) })).toEqual({ do: 'wait', ms: 7_000 });
    expect(due({ delivery: deliveryOf({ failures: 1 }) })).toEqual({ do: 'send' });
    const old = deliveryOf({ at: NOW - GIVE_UP_AFTER, failures: 30, nextAt: NOW + 1 });
    expect(due({ delivery: old })).toEqual({ do: 'giveUp' });
  });

  it('at once after the settings were changed', () => {
    const delivery = deliveryOf({ failures: 7, nextAt: NOW + HOUR / 2 });
    expect(due({ delivery, changedAt: NOW - 1 })).toEqual({ do: 'send' });
    // Changed before the last attempt.
    expect(due({ delivery, changedAt: NOW - HOUR })).toEqual({ do: 'wait', ms: HOUR / 2 });
  });

  it('a clock that was turned back delays nothing for long', () => {
    expect(due({ delivery: deliveryOf({ failures: 1, nextAt: NOW + 999 * HOUR }) })).toEqual({ do: 'wait', ms: HOUR });
    expect(due({ id: 'channel', deliveredAt: NOW + 999 * HOUR })).toEqual({ do: 'wait', ms: SPACING });
  });

  it('what an attempt leaves behind', () => {
    const before = { delivery: deliveryOf(), failingSince: null, deliveredAt: 5 };
    const error = say('WEBHOOK_STATUS', { status: 500 });
    const failing = afterAttempt(before, { ok: false, status: 500, error, done: ['zh-CN'] }, NOW + 1);
    expect(failing).toEqual({
      delivery: deliveryOf({ failures: 1, nextAt: NOW + 1 + WAITS[0], done: ['zh-CN'] }),
      deliveredAt: 5,
      status: 500,
      failingSince: NOW + 1,
      error,
    });
    expect(afterAttempt(failing, { ok: false, status: null, error, done: [] }, NOW + 9).failingSince).toBe(NOW + 1);
    expect(afterAttempt(failing, { ok: true, status: 204, error: null, done: [] }, NOW + 9)).toEqual({
      delivery: null,
      deliveredAt: NOW + 9,
      status: 204,
      failingSince: null,
      error: null,
    });
  });
});

describe('what people read', () => {
  const down: ToldEvent = { event: eventOf({ at: 0, endedAt: null }), phase: 'begun' };

  it('one event in their language, with its cause', () => {
    const cause = failed('connect ECONNREFUSED');
    const told: ToldEvent = { event: eventOf({ endedAt: 240_001, cause }), phase: 'over' };
    expect(noticeText([told], 'en-US', 'https://main/activity')).toEqual({
      title: 'Over after 4 min: Environment "env_a" is down.',
      content: 'Over after 4 min: Environment "env_a" is down. connect ECONNREFUSED\nhttps://main/activity',
    });
    expect(noticeText([down], 'zh-CN', null).title).toBe('环境“env_a”已离线。');
    expect(noticeText([down], 'fr-FR', null).title).toBe('Environment "env_a" is down.');
  });

  it('many events as one message of bounded length', () => {
    const cause = failed('x'.repeat(10_000));
    const { title, content } = noticeText(Array(300).fill({ ...down, event: eventOf({ cause }) }), 'en-US', null);
    expect(title).toBe('300 events in your fleet');
    expect(content.split('\n')).toHaveLength(11);
    expect(content).toContain('And 290 more.');
    expect(content.length).toBeLessThan(6_000);
  });
});

it('a webhook is signed over the time and the body', () => {
  // printf '1000000000.{"a":1}' | openssl dgst -sha256 -hmac whsec
  expect(signatureOf('whsec', '{"a":1}', 1_000_000_000_999)).toBe(
    't=1000000000,v1=c1149fdc6bcc8c26c2ae0585901994284c6d4183974103fc1971e2e298d7e226',
  );
});

/** A Supervisor, as far as it tells what happens. */
class Supervisor {
  isAway = false;
  /** What is refused, for one statement. */
  refuses: (() => boolean) | null = null;
  readonly sent: Array<{ id: NotifierId; delivery: string; events: string[] }> = [];
  /** Of the next attempts; then everything arrives. */
  readonly results: Array<Partial<Attempt>> = [];
  /** During the next attempt. */
  meanwhile: (() => Promise<void>) | null = null;
  readonly log = recordedLog();
  readonly leadership: Leadership;
  readonly events: EventStore;
  readonly recorder: EventRecorder;
  readonly store: NotifierStore;
  readonly notices: Notices;

  constructor(name: string, database: MemoryDatabase, clock: FakeClock) {
    const gate: Gate = async (statement) => {
      if (this.isAway || this.refuses?.()) throw new Error('ECONNREFUSED');
      return statement();
    };
    const app = { db: database.connect(name, gate, () => clock.now().wall) };
    const { log } = this;
    const random = new SeededRandom(name.length);
    this.leadership = new Leadership({ app, instance: name, clock, random, log });
    this.events = new EventStore(app);
    this.recorder = new EventRecorder({ events: this.events, leadership: this.leadership, clock, random, log });
    this.store = new NotifierStore(app);
    const send: Send = async ({ id }, delivery, events) => {
      if (events === 'test') throw new Error('no tests here');
      this.sent.push({
        id,
        delivery: delivery.id,
        events: events.map(({ event, phase }) => `${event.id} ${phase}`),
      });
      const meanwhile = this.meanwhile;
      this.meanwhile = null;
      await meanwhile?.();
      return { ok: true, status: 200, error: null, done: [], ...this.results.shift() };
    };
    this.notices = new Notices({
      notifiers: this.store,
      events: this.events,
      recorder: this.recorder,
      leadership: this.leadership,
      send: { channel: send, webhook: send },
      clock,
      random,
      log,
    });
  }

  async start(): Promise<void> {
    await this.leadership.start();
    this.notices.start();
  }
}

describe('notices', () => {
  let clock: FakeClock;
  let database: MemoryDatabase;
  let one: Supervisor;
  let two: Supervisor;

  const turnOn = async (id: NotifierId, values: Partial<Notifier> = {}) => {
    await one.store.save(id, { enabled: true, kinds: ['environmentDown'], since: clock.wall, ...values });
    await clock.run(1);
  };
  /** It is down from now on. */
  const goDown = (id: string) => one.events.append([eventOf({ id, at: clock.wall, endedAt: null })]);
  const told = () => one.sent.map(({ events }) => events);
  const recorded = async () => {
    const all = await new EventStore({ db: database.connect() as Database }).page({}, ['at', 'id'], 1, 1_000);
    return all[0].map(({ message }) => message.code).filter((code) => code.startsWith('NOTIFIER'));
  };
  const failing = { ok: false, status: 500, error: say('WEBHOOK_STATUS', { status: 500 }) };

  beforeEach(async () => {
    clock = new FakeClock();
    database = new MemoryDatabase(collections);
    one = new Supervisor('one', database, clock);
    two = new Supervisor('second', database, clock);
    await one.start();
    await two.start();
    await clock.run(1_000);
  });

  it('tell what begins and what is over, once, and nothing from before', async () => {
    await goDown('before');
    await clock.run(10_000);
    await turnOn('webhook');
    await goDown('a');
    await clock.run(10_000);
    await one.events.end('a', clock.wall);
    await clock.run(120_000);
    one.notices.look();
    await clock.run(120_000);
    expect(told()).toEqual([['a begun'], ['a over']]);
    expect(two.sent).toEqual([]);
    expect(await one.store.get('webhook')).toMatchObject({ delivery: null, status: 200, failingSince: null });
  });

  it('make one message of many events', async () => {
    await turnOn('channel');
    await goDown('a');
    await clock.run(5_000);
    for (let count = 0; count < 300; count++) await goDown(`b${count}`);
    await clock.run(50_000);
    expect(told()).toEqual([['a begun']]);
    await clock.run(20_000);
    expect(told()).toHaveLength(2);
    expect(told()[1]).toHaveLength(300);
  });

  it('repeat the same delivery until it arrives, and record once that it fails', async () => {
    await turnOn('webhook');
    one.results.push(failing, failing);
    await goDown('a');
    await clock.run(20_000);
    expect(await one.store.get('webhook')).toMatchObject({ status: 500, error: failing.error, deliveredAt: null });
    await goDown('b');
    await clock.run(60_000);
    expect(told()).toEqual([['a begun'], ['a begun'], ['a begun'], ['b begun']]);
    expect(new Set(one.sent.slice(0, 3).map(({ delivery }) => delivery)).size).toBe(1);
    expect(await recorded()).toEqual(['NOTIFIER_FAILS']);
  });

  it('do not go on with a delivery from before they were turned off and on again during its attempt', async () => {
    await turnOn('webhook');
    one.results.push(failing);
    one.meanwhile = () => turnedOn();
    const turnedOn = () => one.store.save('webhook', { since: clock.wall, delivery: null, failingSince: null });
    await goDown('a');
    await clock.run(2 * HOUR);
    expect(told()).toEqual([['a begun']]);
    expect(await one.store.get('webhook')).toMatchObject({ delivery: null, failingSince: null });
  });

  it('give up after a day, say so, and go on', async () => {
    const at = clock.wall - GIVE_UP_AFTER + 30_000;
    const delivery = deliveryOf({ events: [{ id: 'a', phase: 'begun' }], at, failures: 30, nextAt: clock.wall });
    await turnOn('webhook', { delivery });
    one.results.push(...Array(9).fill(failing));
    await goDown('a');
    await one.events.markTold('webhook', new Map([['a', 'begun']]));
    await clock.run(40_000);
    expect(told()).toEqual([['a begun']]);
    await one.store.save('webhook', { changedAt: clock.wall });
    await goDown('b');
    await clock.run(20_000);
    expect(await recorded()).toEqual(['NOTIFIER_FAILS', 'NOTIFIER_GAVE_UP']);
    one.results.length = 0;
    await clock.run(60_000);
    expect(told().at(-1)).toEqual(['b begun']);
  });

  it('go on where the former leader stood, with the same delivery', async () => {
    await turnOn('webhook');
    one.results.push(...Array(9).fill(failing));
    await goDown('a');
    await clock.run(15_000);
    one.isAway = true;
    const before = one.sent.length;
    await clock.run(60_000);
    expect(two.leadership.leads).toBe(true);
    expect(one.sent).toHaveLength(before);
    expect(two.sent).toEqual([{ id: 'webhook', delivery: one.sent[0].delivery, events: ['a begun'] }]);
    await clock.run(2 * HOUR);
    expect(two.sent).toHaveLength(1);
  });

  it('send nothing twice although the note of it could not be written', async () => {
    await turnOn('webhook');
    await goDown('a');
    one.refuses = () => one.sent.length > 0;
    await clock.run(4_000);
    expect(one.sent).toHaveLength(1);
    expect(one.leadership.leads).toBe(true);
    one.refuses = null;
    await clock.run(60_000);
    expect(told()).toEqual([['a begun']]);
    expect(await one.store.get('webhook')).toMatchObject({ delivery: null });
  });

  it('hold up nothing while a receiver does not answer', async () => {
    await turnOn('webhook');
    await turnOn('channel');
    const { notices } = one;
    const never: Send = () => new Promise(() => undefined);
    (notices as unknown as { options: { send: Record<string, Send> } }).options.send.webhook = never;
    await goDown('a');
    await clock.run(10_000);
    expect(one.sent.map(({ id }) => id)).toEqual(['channel']);
    await clock.run(200_000);
    expect(await one.store.get('webhook')).toMatchObject({ error: { code: 'WEBHOOK_TIMEOUT' } });
  });

  it('leave no timer behind', async () => {
    await turnOn('webhook');
    await goDown('a');
    const before = clock.waiting;
    one.notices.stop();
    await clock.run(10_000);
    expect(one.sent).toEqual([]);
    expect(clock.waiting).toBeLessThan(before);
  });
});

describe('the secret of the webhook', () => {
  const settingsOf = () => {
    let stored: Partial<Notifier> = {};
    const blank = defaultsIn(NOTIFIER, 'table') as unknown as Notifier;
    const settings = new NotifierSettings({
      app: {} as never,
      notifiers: {
        get: async (id: Notifier['id']) => ({ ...blank, id, ...stored }),
        save: async (_: unknown, values: Partial<Notifier>) => {
          stored = { ...stored, ...values };
        },
      } as never,
      notices: { look: () => undefined },
      journal: { ofNotifier: async () => undefined },
      clock: new FakeClock(),
      aesKey: null,
    });
    return (values: Parameters<typeof settings.update>[1]) => settings.update('webhook', values, '1');
  };

  it('is made with the address, and again only on request', async () => {
    const update = settingsOf();
    const off = await update({ enabled: false, kinds: ['appFailing'], url: null });
    expect(off).toMatchObject({ hasSecret: false });
    expect(off.secret).toBeUndefined();
    const { secret } = await update({ url: 'https://hooks.example.com' });
    expect(secret).toEqual(expect.any(String));
    expect((await update({ enabled: true })).secret).toBeUndefined();
    expect((await update({ newSecret: true })).secret).not.toBe(secret);
  });
});
