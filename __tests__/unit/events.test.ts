import type { Database } from '@nocobase/database';
import { beforeEach, describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { referenceOf } from '../../src/server/errors';
import { Leadership } from '../../src/server/supervisor/control/leader';
import { EventStore, KEEP_EVENTS } from '../../src/server/supervisor/definitions/event-store';
import { OperationStore } from '../../src/server/supervisor/definitions/operation-store';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import {
  conditionOf,
  displaced,
  failedOperation,
  healthOf,
  ignoredValue,
  nearnessOf,
  uploadsOf,
} from '../../src/server/supervisor/events/conditions';
import { EventWatch, type EventWatchOptions } from '../../src/server/supervisor/events/event-watch';
import { EventRecorder } from '../../src/server/supervisor/events/recorder';
import type { EnvironmentView } from '../../src/server/supervisor/fleet/observed-environment';
import { failed, say } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import type { Health } from '../../src/shared/types';
import { FakeClock } from '../support/clock';
import { appOf, entryOf, eventOf, leaseOf, operationOf, publishedOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { type Gate, MemoryDatabase } from '../support/memory-database';
import { SeededRandom } from '../support/random';

const viewOf = (health: Health, values: Partial<EnvironmentView> = {}): EnvironmentView => ({
  name: 'env_a',
  health,
  since: 5,
  lastsFor: 0,
  lease: null,
  held: null,
  trouble: null,
  released: false,
  registration: null,
  standby: null,
  isForeign: false,
  unreachableSince: null,
  lastHeartbeatAt: null,
  ...values,
});

describe('what is recorded', () => {
  it.each<[string, EnvironmentView, string | null]>([
    ['an environment that is down', viewOf('down'), 'ENVIRONMENT_DOWN'],
    ['one that was stopped', viewOf('down', { released: true }), 'ENVIRONMENT_STOPPED'],
    ['one that is about to stop', viewOf('stopping'), 'ENVIRONMENT_STOPPED'],
  ])('%s', (_, view, code) => {
    expect(healthOf(view)).toMatchObject({ kind: 'health', environment: 'env_a', at: 5, message: { code } });
  });

  it('not an environment that nobody can see, or that another process is taking over', () => {
    expect(healthOf(viewOf('unknown'))).toBeNull();
    expect(healthOf(viewOf('down', { released: true, held: leaseOf({ registered: 0 }) }))).toBeNull();
    expect([healthOf(viewOf('online')), healthOf(viewOf('suspect'))]).toEqual(['well', 'well']);
  });

  it('an app that failed, with its cause, or that crashed its Worker', () => {
    const error = failed('connect ECONNREFUSED 10.0.0.5:5432');
    expect(conditionOf('env_a', entryOf({ status: 'error', error }), 7)).toMatchObject({
      kind: 'failure',
      appUid: 'uid-1',
      cause: error,
      message: { params: { reference: referenceOf('crm', error) } },
      at: 7,
    });
    const crash = { code: 'APP_CRASH_LOOP', params: { app: 'crm', times: 3, cause: say('WORKER_ENDED') } };
    expect(conditionOf('env_a', entryOf({ status: 'error', error: crash }), 7)).toMatchObject({ kind: 'crash' });
    // A failover has taken it from there before that could be said.
    const stopped = { code: 'APP_STOPS_LOOP', params: { app: 'crm' } };
    expect(conditionOf('env_a', entryOf({ status: 'not_found', error: stopped }), 7)).toMatchObject({
      kind: 'crash',
      cause: stopped,
    });
  });

  it('not an app that is well, or may become so', () => {
    const is = (values: Partial<StatusEntry>) => conditionOf('env_a', entryOf(values), 7);
    expect([is({ status: 'running' }), is({ status: 'stopped' }), is({ status: 'dormant' })]).toEqual(
      Array(3).fill('well'),
    );
    expect([is({ status: 'preparing' }), is({ status: 'dormant', error: failed('x') })]).toEqual([null, null]);
  });

  it('uploads that could not be copied, until nothing is lacking', () => {
    const cause = say('UPLOADS_CUT');
    const of = (uploads: StatusEntry['uploads']) => uploadsOf('env_b', entryOf({ uploads }), 7);
    expect(of({ from: 'env_a', cause })).toEqual({
      kind: 'uploads',
      environment: 'env_b',
      appName: 'crm',
      appUid: 'uid-1',
      message: say('UPLOADS_NOT_COPIED', { app: 'crm', environment: 'env_b', from: 'env_a' }),
      cause,
      at: 7,
    });
    expect([of(null), of({ from: 'env_a', cause: null }), of(undefined)]).toEqual(['well', null, null]);
  });

  it('a memory or a disk that is nearly used up, until it clearly is not', () => {
    const near = (used: number, health: Health = 'online', of: 'heap' | 'disk' = 'heap') => {
      const pressure = { of, used, limit: (100 * 1024 ** 3) / 50 };
      const lease = leaseOf({
        pressures: { memory: of === 'heap' ? pressure : null, disk: of === 'disk' ? pressure : null },
      });
      return nearnessOf(of === 'disk' ? 'disk' : 'memory', viewOf(health, { lease }), 7);
    };
    const percent = (value: number) => (value / 50) * 1024 ** 3;
    expect(near(percent(90))).toMatchObject({
      kind: 'memory',
      environment: 'env_a',
      message: { code: 'MEMORY_NEAR_LIMIT', params: { percent: 90, limit: '2.0 GB', what: say('LIMIT_HEAP') } },
      at: 7,
    });
    expect(near(percent(95), 'online', 'disk')).toMatchObject({ kind: 'disk', message: { code: 'DISK_NEAR_LIMIT' } });
    expect([near(percent(89)), near(percent(85)), near(percent(84))]).toEqual([null, null, 'well']);
    expect([near(percent(99), 'down'), near(percent(99), 'suspect'), near(percent(99), 'unknown')]).toEqual([
      'well',
      null,
      null,
    ]);
    expect(nearnessOf('disk', viewOf('online', { lease: leaseOf() }), 7)).toBe('well');
  });

  it('a process that takes over from one that did not shut down', () => {
    const one = { instance: 'one', epoch: 1, isLeaving: false };
    const two = { instance: 'two', epoch: 2, isLeaving: false };
    expect(displaced('env_a', one, two, 7)).toMatchObject({ kind: 'holder', at: 7, endedAt: 7 });
    expect(displaced('env_a', { ...one, isLeaving: true }, two, 7)).toBeNull();
    expect(displaced('env_a', undefined, two, 7)).toBeNull();
    expect(displaced('env_a', one, { ...one, epoch: 2 }, 7)).toBeNull();
    expect(displaced('env_a', two, one, 7)).toBeNull();
  });

  it('a failed operation, with who requested it', () => {
    const item = { environment: 'env_b', of: 'boot', state: 'failed', error: failed('x') } as const;
    const operation = operationOf([item], { state: 'failed', finishedAt: 9, createdById: '3' });
    expect(failedOperation(operation)).toMatchObject({
      id: 'operation op-1',
      kind: 'failure',
      environment: 'env_b',
      cause: failed('x'),
      createdById: '3',
      at: 9,
    });
    expect(failedOperation({ ...operation, state: 'cancelled' })).toBeNull();
  });

  it('a value that was ignored, once a day', () => {
    const day = 24 * 3_600_000;
    expect(ignoredValue('a', 1).id).toBe(ignoredValue('a', day - 1).id);
    expect(ignoredValue('a', 1).id).not.toBe(ignoredValue('a', day).id);
    expect(ignoredValue('x'.repeat(1_000), 1).id.length).toBeLessThan(255);
  });
});

/** A Supervisor, as far as it records. */
class Supervisor {
  isAway = false;
  /** What statements wait for. */
  held: Promise<void> | null = null;
  readonly views = new Map<string, EnvironmentView>();
  readonly entries = new Map<string, StatusEntry>();
  readonly apps = new Map<string, AppDefinition>();
  readonly log = recordedLog();
  readonly leadership: Leadership;
  readonly recorder: EventRecorder;
  readonly watch: EventWatch;
  readonly observer = { foreign: false };

  constructor(name: string, database: MemoryDatabase, clock: FakeClock) {
    const gate: Gate = async (statement) => {
      await this.held;
      if (this.isAway) throw new Error('ECONNREFUSED');
      return statement();
    };
    const app = { db: database.connect(name, gate, () => clock.now().wall) };
    const { log } = this;
    const random = new SeededRandom();
    this.leadership = new Leadership({ app, instance: name, clock, random, log });
    const events = new EventStore(app);
    const { leadership } = this;
    this.recorder = new EventRecorder({ events, leadership, clock, random, log });
    const observer = Object.assign(this.observer, {
      names: () => [...this.views.keys()],
      environment: (environment: string) => this.views.get(environment) ?? null,
      evidence: (environment: string, app: string) => ({ entry: this.entries.get(`${app} ${environment}`) ?? null }),
    });
    this.watch = new EventWatch({
      events,
      recorder: this.recorder,
      appCache: { apps: this.apps },
      environmentCache: { names: () => [...this.views.keys()] },
      observer,
      operations: new OperationStore(app),
      leadership,
      clock,
      log,
    } as unknown as EventWatchOptions);
  }

  async start(): Promise<void> {
    await this.leadership.start();
    this.watch.start();
  }

  see(view: EnvironmentView): void {
    this.views.set(view.name, view);
    this.watch.noteObserved({ environments: new Set([view.name]), apps: new Set() });
  }

  hear(entry: StatusEntry): void {
    this.entries.set(`${entry.name} env_a`, entry);
    this.watch.noteObserved({ environments: new Set(['env_a']), apps: new Set([entry.name]) });
  }
}

describe('two Supervisors', () => {
  let clock: FakeClock;
  let database: MemoryDatabase;
  let one: Supervisor;
  let two: Supervisor;

  const rows = async () =>
    (await new EventStore({ db: database.connect() as Database }).page({}, ['at', 'id'], 1, 5_000))[0];
  const both = (work: (supervisor: Supervisor) => void) => [one, two].forEach(work);
  /** The second one leads after this. */
  const lose = async () => {
    one.isAway = true;
    await clock.run(20_000);
    expect([one.leadership.leads, two.leadership.leads]).toEqual([false, true]);
  };

  beforeEach(async () => {
    clock = new FakeClock();
    database = new MemoryDatabase(collections);
    one = new Supervisor('one', database, clock);
    two = new Supervisor('two', database, clock);
    await one.start();
    await two.start();
    both((supervisor) => {
      supervisor.apps.set('crm', appOf({ environments: ['env_a'], published: { env_a: publishedOf() } }));
      supervisor.see(viewOf('online'));
    });
    await clock.run(1_000);
  });

  it('record an outage once, with its begin and its end', async () => {
    both((supervisor) => supervisor.see(viewOf('down', { since: 77 })));
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ kind: 'health', at: 77, endedAt: null }]);
    both((supervisor) => supervisor.see(viewOf('online')));
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ at: 77, endedAt: expect.any(Number) }]);
  });

  it('end once more what a database that went back to an older copy has as lasting, and record what it lacks', async () => {
    both((supervisor) => supervisor.see(viewOf('down', { since: 77 })));
    await clock.run(1_000);
    const copy = structuredClone(database.tables.get('appEvents')!.rows);
    both((supervisor) => supervisor.see(viewOf('online')));
    await clock.run(1_000);
    database.tables.get('appEvents')!.rows = copy;
    expect(await rows()).toMatchObject([{ at: 77, endedAt: null }]);
    await both((supervisor) => supervisor.watch.tend());
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ at: 77, endedAt: expect.any(Number) }]);
    // And the other way: it does not know of an outage that lasts.
    both((supervisor) => supervisor.see(viewOf('down', { since: 99 })));
    await clock.run(1_000);
    database.tables.get('appEvents')!.rows.clear();
    await both((supervisor) => supervisor.watch.tend());
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ at: 99, endedAt: null }]);
  });

  it('write the end of what lasts although the lead had lapsed, and was renewed before anybody noticed', async () => {
    two.isAway = true;
    one.see(viewOf('down', { since: 77 }));
    await clock.run(500);
    await one.leadership.take();
    let release = () => {};
    one.held = new Promise((resolve) => {
      release = resolve;
    });
    await clock.run(4_800);
    one.see(viewOf('online'));
    await clock.run(300);
    expect(one.leadership.leads).toBe(false);
    one.held = null;
    release();
    await clock.run(1);
    await one.leadership.take();
    await clock.run(20_000);
    expect(await rows()).toMatchObject([{ at: 77, endedAt: expect.any(Number) }]);
  });

  it('do not fail when the lead is lost while they read what lasts', async () => {
    let release = () => {};
    one.held = new Promise((resolve) => {
      release = resolve;
    });
    const tended = one.watch.tend();
    await clock.run(30_000);
    expect(one.leadership.leads).toBe(false);
    release();
    await expect(tended).resolves.toBeUndefined();
  });

  it('record once that memory is near its limit, and when it is over', async () => {
    const using = (used: number) =>
      one.views.set(
        'env_a',
        viewOf('online', { lease: leaseOf({ pressures: { memory: { of: 'heap', used, limit: 100 }, disk: null } }) }),
      );
    using(95);
    for (let time = 0; time < 3; time++) {
      await one.watch.tend();
      await clock.run(1_000);
    }
    expect(await rows()).toMatchObject([{ kind: 'memory', endedAt: null }]);
    using(50);
    await one.watch.tend();
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ kind: 'memory', endedAt: expect.any(Number) }]);
  });

  it('name memory as the likely cause of an outage that follows', async () => {
    const lease = leaseOf({ pressures: { memory: { of: 'container', used: 97, limit: 100 }, disk: null } });
    one.see(viewOf('online', { lease, held: leaseOf({ instance: 'a', epoch: 1 }) }));
    await one.watch.tend();
    one.see(viewOf('down', { since: 77 }));
    one.see(viewOf('online', { held: leaseOf({ instance: 'b', epoch: 2 }) }));
    await clock.run(1_000);
    const cause = say('OUT_OF_MEMORY_LIKELY', { percent: 97, limit: '0.0 GB', what: say('LIMIT_CONTAINER') });
    const found = (await rows()).map(({ message, cause }) => [message.code, cause]);
    expect(found).toEqual(
      expect.arrayContaining([
        ['ENVIRONMENT_DOWN', cause],
        ['HOLDER_CHANGED', cause],
      ]),
    );
    // Of another outage nothing is known.
    await one.watch.tend();
    one.see(viewOf('down', { since: clock.wall }));
    await clock.run(1_000);
    expect((await rows()).filter(({ endedAt }) => endedAt === null)).toMatchObject([{ kind: 'health', cause: null }]);
  });

  it('record it once although another one leads meanwhile, and end it', async () => {
    // Each takes its own time for that of the outage.
    one.see(viewOf('down', { since: 77 }));
    two.see(viewOf('down', { since: 78 }));
    await clock.run(1_000);
    await lose();
    expect(await rows()).toMatchObject([{ at: 77, endedAt: null }]);
    two.see(viewOf('online'));
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ endedAt: expect.any(Number) }]);
  });

  it('record what happened while nobody led', async () => {
    one.isAway = true;
    both((supervisor) => {
      supervisor.see(viewOf('online', { held: leaseOf({ instance: 'a', epoch: 1 }) }));
      supervisor.see(viewOf('online', { held: leaseOf({ instance: 'b', epoch: 2 }) }));
      supervisor.hear(entryOf({ status: 'error', error: failed('x') }));
    });
    await lose();
    expect((await rows()).map(({ kind }) => kind).sort()).toEqual(['failure', 'holder']);
    one.isAway = false;
    await clock.run(60_000);
    expect(await rows()).toHaveLength(2);
  });

  it('record a failed operation that a leader ended before it died', async () => {
    const failing = operationOf([], { state: 'failed', finishedAt: clock.wall + 10_000 });
    await new OperationStore({ db: database.connect() as Database }).create(failing);
    await lose();
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ id: 'operation op-1' }]);
    two.watch.noteOperation(failing);
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ id: 'operation op-1' }]);
  });

  it('end what is about to be written', async () => {
    let release = () => {};
    one.held = new Promise((resolve) => {
      release = resolve;
    });
    one.see(viewOf('down'));
    await clock.run(1_000);
    one.see(viewOf('online'));
    release();
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ kind: 'health', endedAt: expect.any(Number) }]);
  });

  it('leave what lasts to the one that leads when it is written', async () => {
    one.isAway = true;
    one.see(viewOf('down', { since: 77 }));
    await lose();
    two.see(viewOf('down', { since: 78 }));
    await clock.run(1_000);
    one.isAway = false;
    two.isAway = true;
    await clock.run(30_000);
    expect(one.leadership.leads).toBe(true);
    expect(await rows()).toMatchObject([{ at: 78 }]);
  });

  it('record a failure once while the Worker tries again, and once more after it was well', async () => {
    const failing = entryOf({ status: 'error', error: failed('x') });
    const tell = async (entry: StatusEntry) => {
      both((supervisor) => supervisor.hear(entry));
      await clock.run(1_000);
    };
    for (let i = 0; i < 3; i++) {
      await tell(failing);
      await tell(entryOf({ status: 'preparing' }));
    }
    expect(await rows()).toMatchObject([{ kind: 'failure', cause: failed('x'), endedAt: null }]);
    await tell(entryOf({ status: 'running' }));
    await tell(failing);
    expect((await rows()).map(({ endedAt }) => endedAt !== null)).toEqual([true, false]);
  });

  it('record once that uploads are lacking, and when they have come', async () => {
    for (const cause of [say('UPLOADS_CUT'), say('UPLOADS_STILL_THERE'), null]) {
      both((supervisor) => supervisor.hear(entryOf({ uploads: { from: 'env_a', cause } })));
      await clock.run(1_000);
    }
    expect(await rows()).toMatchObject([{ kind: 'uploads', cause: say('UPLOADS_CUT'), endedAt: null }]);
    both((supervisor) => supervisor.hear(entryOf({ uploads: null })));
    await clock.run(1_000);
    expect(await rows()).toMatchObject([{ kind: 'uploads', endedAt: expect.any(Number) }]);
  });

  it('end what lasts of an app that is gone, and of an environment that was forgotten', async () => {
    both((supervisor) => {
      supervisor.hear(entryOf({ status: 'error' }));
      supervisor.see(viewOf('down', { name: 'env_b' }));
    });
    await clock.run(1_000);
    expect((await rows()).map(({ endedAt }) => endedAt)).toEqual([null, null]);
    both((supervisor) => {
      supervisor.apps.clear();
      supervisor.views.delete('env_b');
      void supervisor.watch.tend();
    });
    await clock.run(1_000);
    expect((await rows()).filter(({ endedAt }) => endedAt === null)).toEqual([]);
  });

  it('say that the database is away, keep what waits in bounds, and record it when it is back', async () => {
    one.isAway = true;
    for (let i = 0; i < 3_000; i++) one.recorder.record(eventOf({ id: `${i}`, endedAt: 1 }));
    await clock.run(3_000);
    expect(one.log.at('warn').filter((line) => /could not be recorded/.test(line)).length).toBeGreaterThan(0);
    one.isAway = false;
    await clock.run(30_000);
    expect((await rows()).map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => 2_000 + i),
    );
    expect(one.log.at('warn').some((line) => /2000 events were not recorded/.test(line))).toBe(true);
  });

  it('try again less and less often what cannot be written, whatever is recorded meanwhile', async () => {
    one.isAway = true;
    for (let i = 0; i < 20; i++) {
      one.recorder.record(eventOf({ id: `${i}`, endedAt: 1 }));
      await clock.run(500);
    }
    const tries = one.log.at('warn').filter((line) => /could not be recorded/.test(line)).length;
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(8);
  });

  it('go on after a write that failed, although nothing waited for the next attempt', async () => {
    one.isAway = true;
    one.recorder.record(eventOf({ id: 'lasting', endedAt: null }));
    await clock.run(500);
    one.recorder.forgetLasting();
    one.isAway = false;
    await clock.run(10_000);
    one.recorder.record(eventOf({ id: 'next', endedAt: 1 }));
    await clock.run(1_000);
    expect((await rows()).map(({ id }) => id)).toEqual(['next']);
  });

  it('write nothing without the lead, and forget it after a minute', async () => {
    two.recorder.record(eventOf({ endedAt: 1 }));
    await clock.run(70_000);
    expect(await rows()).toEqual([]);
    await lose();
    expect(await rows()).toEqual([]);
    expect(clock.waiting).toBeLessThan(5);
  });

  it('delete what is older than 90 days, in portions', async () => {
    const events = new EventStore({ db: database.connect() as Database });
    const endedAt = clock.wall - KEEP_EVENTS - 1;
    await events.append(Array.from({ length: 1_234 }, (_, i) => eventOf({ id: `old ${i}`, endedAt })));
    await events.append([eventOf({ id: 'young', endedAt: endedAt + 3_600_000 })]);
    both((supervisor) => void supervisor.watch.tend());
    await clock.run(1_000);
    expect((await rows()).map(({ id }) => id)).toEqual(['young']);
  });
});
