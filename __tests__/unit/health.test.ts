import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absenceUntil,
  afterPoll,
  DISCONNECTED_AFTER,
  discountOutage,
  healthOf,
  type LeaseObservation,
  type StoreObservation,
  silenceOf,
} from '../../src/server/protocol/health';
import type { Lease } from '../../src/shared/messages';
import type { Health } from '../../src/shared/types';
import { FakeClock } from '../support/clock';
import { leaseOf } from '../support/fixtures';

/** One observer of one environment: looks when told, at a lease that a test writes. */
class Observer {
  readonly clock = new FakeClock();
  readonly sight: { observer: StoreObservation; lease: LeaseObservation | undefined };

  constructor() {
    this.sight = { observer: { asksSince: null, lastPoll: null, resumed: null }, lease: undefined };
  }

  /** What the store shows at this moment. @param silence as in `afterPoll` */
  poll(lease: Lease | null, flushed = false, silence = 0): this {
    const { observer } = this.sight;
    const now = this.clock.now();
    observer.asksSince ??= now;
    const absence = absenceUntil(now, observer);
    if (absence) observer.resumed = { at: now.mono, after: absence };
    if (absence && this.sight.lease) this.sight.lease = discountOutage(this.sight.lease, absence, now);
    this.sight.lease = afterPoll(this.sight.lease, lease, observer, flushed, now, silence);
    observer.lastPoll = now;
    return this;
  }

  /** Time passes, with a look a second at the same lease. */
  watch(ms: number, lease: Lease | null): this {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.clock.pass(Math.min(1_000, ms - passed));
      this.poll(lease);
    }
    return this;
  }

  get health(): Health {
    return healthOf(this.sight.lease!, this.sight.observer, this.clock.now()).health;
  }

  get since(): number {
    return healthOf(this.sight.lease!, this.sight.observer, this.clock.now()).since;
  }
}

describe('a store that went back to an older copy', () => {
  const healths = (observer: Observer, ms: number, lease: Lease | null) => {
    const seen = new Set<Health>();
    for (let passed = 0; passed < ms; passed += 1_000) seen.add(observer.watch(1_000, lease).health);
    return [...seen];
  };

  it('has no newer beat, and a lease that ends there too early was not released', () => {
    const observer = new Observer().poll(leaseOf({ beat: 7 })).watch(1_000, leaseOf({ beat: 7 }));
    observer.watch(1_000, leaseOf({ beat: 4 }));
    expect(healths(observer, 7_000, null)).toEqual(['online']);
    expect(healths(observer, 5_000, null)).toEqual(['suspect']);
    expect(healths(observer, 2_000, null)).toEqual(['down']);
  });

  it('shows a lease that was released, which counts as little', () => {
    const observer = new Observer().poll(leaseOf({ beat: 7 })).watch(1_000, null);
    expect(observer.health).toBe('down');
    expect(observer.watch(1_000, leaseOf({ beat: 4 })).health).toBe('down');
    expect(observer.watch(1_000, leaseOf({ beat: 8 })).health).toBe('online');
    expect(observer.watch(1_000, null).health).toBe('down');
  });
});

describe('a silent worker', () => {
  it.each<[number, number, Health]>([
    [5_000, 9_999, 'online'],
    [5_000, 10_000, 'suspect'],
    [5_000, 14_999, 'suspect'],
    [5_000, 15_000, 'down'],
    [5_000, 3_600_000, 'down'],
    [1_000, 1_999, 'online'],
    [1_000, 2_000, 'suspect'],
    [1_000, 9_999, 'suspect'],
    [1_000, 10_000, 'down'],
  ])('with a heartbeat every %d ms, after %d ms of silence: %s', (interval, silence, health) => {
    const lease = leaseOf({ interval });
    expect(new Observer().poll(lease).watch(silence, lease).health).toBe(health);
  });

  it('is evaluated by the time of its last heartbeat, not of the last poll', () => {
    const observer = new Observer().poll(leaseOf({ beat: 1 }));
    observer.watch(4_000, leaseOf({ beat: 1 })).watch(1_000, leaseOf({ beat: 2 }));
    expect(observer.watch(9_000, leaseOf({ beat: 2 })).health).toBe('online');
    expect(observer.watch(1_000, leaseOf({ beat: 2 })).health).toBe('suspect');
  });

  it('that was killed is down within 20 s, also when its lease expires in the store', () => {
    const observer = new Observer().poll(leaseOf());
    observer.watch(14_000, leaseOf());
    expect(observer.watch(6_000, null).health).toBe('down');
    expect(observer.since).toBe(observer.clock.wall - 5_000);
  });

  it('returns with a heartbeat, and is online from then on', () => {
    const observer = new Observer().poll(leaseOf()).watch(20_000, leaseOf());
    observer.watch(1_000, leaseOf({ beat: 2 }));
    expect(observer.health).toBe('online');
    expect(observer.since).toBe(observer.clock.wall);
  });

  it('that was only suspect keeps its online time', () => {
    const observer = new Observer();
    const start = observer.clock.wall;
    observer.poll(leaseOf()).watch(12_000, leaseOf());
    expect(observer.health).toBe('suspect');
    expect(observer.watch(1_000, leaseOf({ beat: 2 })).since).toBe(start);
  });
});

describe('clocks', () => {
  it('invariant 2: a worker whose clock is wrong, and a Supervisor whose wall clock jumps, change nothing', () => {
    const jump = fc.constantFrom(-300_000, 0, 300_000);
    const second = fc.record({ beats: fc.boolean(), jump });
    fc.assert(
      fc.property(fc.array(second, { minLength: 1, maxLength: 60 }), (seconds) => {
        const jumping = new Observer();
        const steady = new Observer();
        let beat = 1;
        for (const { beats, jump: by } of seconds) {
          if (beats) beat++;
          jumping.clock.jump(by);
          jumping.watch(1_000, leaseOf({ beat }));
          steady.watch(1_000, leaseOf({ beat }));
          expect(jumping.health).toBe(steady.health);
        }
      }),
    );
  });
});

describe('an observer', () => {
  it('that never polled, or is disconnected, reports unknown and not down', () => {
    const observer = new Observer();
    observer.sight.lease = afterPoll(undefined, null, observer.sight.observer, false, observer.clock.now());
    expect(observer.health).toBe('unknown');
    observer.poll(leaseOf()).clock.pass(DISCONNECTED_AFTER);
    expect(observer.health).toBe('online');
    observer.clock.pass(1);
    expect(observer.health).toBe('unknown');
    expect(observer.since).toBe(observer.clock.wall - DISCONNECTED_AFTER - 1);
    observer.clock.pass(3_600_000);
    expect(observer.health).toBe('unknown');
  });

  it('that reconnects does not count its own outage as the worker’s silence', () => {
    const observer = new Observer().poll(leaseOf()).watch(8_000, leaseOf());
    observer.clock.pass(60_000);
    // The lease ran out meanwhile, or is as it was: neither proves anything yet, nor that it lives.
    expect(observer.poll(null).health).toBe('unknown');
    expect(observer.watch(6_000, null).health).toBe('unknown');
    expect(observer.watch(1_000, null).health).toBe('down');
  });

  it('invariant 2: that was disconnected for a while considers nobody alive whose lease has expired since the last heartbeat', () => {
    const observer = new Observer().poll(leaseOf());
    observer.clock.pass(8_000);
    expect(observer.poll(leaseOf()).health).toBe('online');
    expect(observer.watch(6_000, leaseOf()).health).toBe('online');
    expect(observer.watch(1_000, leaseOf()).health).toBe('unknown');
    expect(observer.watch(7_000, leaseOf()).health).toBe('unknown');
    expect(observer.watch(1_000, leaseOf()).health).toBe('down');
  });

  it.each([
    [15_000, 15_000],
    [1_000, 1_000],
    [0, 0],
    [-2, 0],
    [120_000, 15_000],
  ])('that finds a lease with %d ms left trusts its holder for %d ms', (left, believed) => {
    const observer = new Observer();
    const { clock, sight } = observer;
    sight.lease = afterPoll(undefined, leaseOf(), sight.observer, false, clock.now(), silenceOf(leaseOf(), left));
    sight.observer.lastPoll = clock.now();
    if (believed) expect(observer.watch(believed - 1, leaseOf()).health).not.toBe('down');
    expect(observer.watch(1, leaseOf()).health).toBe('down');
  });

  it('that reconnects and sees a heartbeat continues as before with the next one: a store that was frozen goes on with what had been sent', () => {
    const observer = new Observer();
    const start = observer.clock.wall;
    observer.poll(leaseOf()).clock.pass(60_000);
    observer.poll(leaseOf({ beat: 12 }));
    expect(observer.health).toBe('unknown');
    observer.clock.pass(1_400);
    expect(observer.poll(leaseOf({ beat: 13 })).health).toBe('unknown');
    observer.clock.pass(100);
    observer.poll(leaseOf({ beat: 14 }));
    expect([observer.health, observer.since]).toEqual(['online', start]);
  });

  it('that was disconnected for less than half a lease counts that as age of what it finds, without a gap where the next heartbeat comes', () => {
    const observer = new Observer().poll(leaseOf());
    observer.clock.pass(7_000);
    expect(observer.poll(leaseOf({ beat: 12 })).health).toBe('online');
    const alive = new Observer().poll(leaseOf());
    alive.clock.pass(7_000);
    alive.poll(leaseOf({ beat: 12 })).watch(5_000, leaseOf({ beat: 12 }));
    expect(alive.health).toBe('online');
    expect(alive.poll(leaseOf({ beat: 13 })).watch(10_000, leaseOf({ beat: 13 })).health).toBe('suspect');
    // One that had died before is not shown as alive for longer than its lease.
    observer.watch(7_000, leaseOf({ beat: 12 }));
    expect(observer.health).toBe('online');
    expect(observer.watch(1_000, leaseOf({ beat: 12 })).health).toBe('unknown');
  });

  it('that reads a store again some seconds after that went on knows as little of what that had kept', () => {
    const observer = new Observer().poll(leaseOf());
    observer.clock.pass(20_000);
    expect(observer.poll(leaseOf({ beat: 12 }), false, 3_000).health).toBe('unknown');
    expect(observer.watch(4_000, leaseOf({ beat: 12 })).health).toBe('unknown');
    expect(observer.poll(leaseOf({ beat: 13 })).health).toBe('online');
  });

  it('that has just started waits as long as a live worker needs for a heartbeat', () => {
    const observer = new Observer().poll(null);
    expect(observer.watch(14_000, null).health).toBe('unknown');
    expect(observer.watch(1_000, null).health).toBe('down');
    // An old lease without a beat is heard of once, and then it is as silent as any other.
    const other = new Observer().poll(leaseOf());
    expect(other.watch(15_000, leaseOf()).health).toBe('down');
  });
});

describe('a missing lease', () => {
  it('that could not have expired yet was released: down immediately', () => {
    const observer = new Observer().poll(leaseOf()).watch(3_000, leaseOf());
    observer.clock.pass(500);
    expect(observer.poll(null).health).toBe('down');
    expect(observer.since).toBe(observer.clock.wall);
    // Since then, not since the last look.
    const since = observer.clock.wall;
    expect(observer.watch(30_000, null).since).toBe(since);
  });

  it('that disappeared together with everything else was flushed: it proves nothing', () => {
    const observer = new Observer().poll(leaseOf()).watch(3_000, leaseOf());
    observer.clock.pass(500);
    expect(observer.poll(null, true).health).toBe('online');
    observer.clock.pass(1_000);
    expect(observer.poll(leaseOf({ beat: 2 })).health).toBe('online');
  });

  it('after the store was away proves nothing: it may be an older copy', () => {
    const observer = new Observer().poll(leaseOf()).watch(3_000, leaseOf());
    observer.clock.pass(500);
    observer.sight.lease = afterPoll(
      observer.sight.lease,
      null,
      observer.sight.observer,
      false,
      observer.clock.now(),
      0,
      true,
    );
    observer.clock.pass(1_000);
    expect(observer.poll(null).health).toBe('unknown');
    expect(observer.watch(9_000, null).health).toBe('unknown');
    expect(observer.poll(leaseOf({ beat: 2 })).health).toBe('online');
    // A release is one again.
    observer.clock.pass(1_000);
    expect(observer.poll(null).health).toBe('down');
  });

  it('that could have expired was not released, but its holder is silent', () => {
    const observer = new Observer().poll(leaseOf()).watch(14_000, leaseOf());
    observer.clock.pass(500);
    expect(observer.poll(null).health).toBe('suspect');
  });

  it('comes back with another holder', () => {
    const observer = new Observer().poll(leaseOf({ epoch: 5 }));
    observer.clock.pass(1_000);
    expect(observer.poll(null).health).toBe('down');
    observer.clock.pass(1_000);
    expect(observer.poll(leaseOf({ epoch: 6 })).health).toBe('online');
    expect(observer.since).toBe(observer.clock.wall);
  });
});

describe('a worker that shuts down', () => {
  it('is stopping while it sends heartbeats, and down when it no longer does', () => {
    const stopping = leaseOf({ beat: 2, state: 'stopping' });
    const observer = new Observer().poll(leaseOf()).watch(1_000, stopping);
    expect(observer.health).toBe('stopping');
    expect(observer.watch(14_000, stopping).health).toBe('stopping');
    expect(observer.watch(1_000, stopping).health).toBe('down');
  });
});
