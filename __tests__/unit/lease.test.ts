import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LeaseAnswer, LeaseClaim, LeaseStore } from '../../src/server/protocol/stores/leases';
import { LeaseKeeper, type LeaseRole } from '../../src/server/worker/lease';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';

/** What the store answers to a beat; what it makes of a claim is tested with the stores (contracts/stores-suite.ts). */
type Answers = LeaseAnswer | 'away';

const held = (epoch: number, fresh = false): LeaseAnswer => ({ held: true, epoch, fresh });
const other = (epoch: number, instance = 'two'): LeaseAnswer => ({ held: false, holder: { instance, epoch } });
const nobody: LeaseAnswer = { held: false, holder: null };

class Bench {
  readonly clock = new FakeClock();
  readonly claims: LeaseClaim[] = [];
  readonly roles: Array<[LeaseRole, boolean]> = [];
  readonly released: unknown[][] = [];
  readonly log = recordedLog(['lease']);
  lockIsMine = true;
  lockReleased = false;
  answer: Answers = held(100, true);
  /** Set by a test that wants a beat to take its time. */
  gate: Promise<void> | null = null;
  /** Whether what is told of a role cannot be told. */
  refuses = false;
  readonly keeper: LeaseKeeper;

  constructor() {
    const leases = {
      claim: async (claim: LeaseClaim) => {
        this.claims.push(claim);
        await this.gate;
        if (this.answer === 'away') throw new Error('Connection is closed.');
        return this.answer;
      },
      release: async (...args: unknown[]) => void this.released.push(args),
    };
    this.keeper = new LeaseKeeper({
      leases: leases as unknown as LeaseStore,
      environment: 'env_a',
      instance: 'one',
      interval: 5_000,
      lock: {
        hold: async () => this.lockIsMine,
        fingerprint: 'print',
        release: async () => {
          this.lockReleased = true;
        },
      },
      clock: this.clock,
      random: new SeededRandom(),
      log: this.log,
      vitals: () => ({ memory: 1, eventLoopDelay: 2 }),
    });
    this.keeper.roles.listen(async ({ role, fresh }) => {
      this.roles.push([role, fresh]);
      if (this.refuses) throw new Error('Command timed out');
    });
  }

  async beat(answer: Answers, { lock = true }: { lock?: boolean } = {}): Promise<LeaseClaim> {
    this.answer = answer;
    this.lockIsMine = lock;
    await this.keeper.beatNow();
    return this.claims.at(-1)!;
  }

  /** A beat that the store has and does not answer yet. */
  async slowBeat(answer: Answers): Promise<[beat: Promise<LeaseClaim>, open: () => void]> {
    let open!: () => void;
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = this.claims.length;
    const beat = this.beat(answer);
    await vi.waitFor(() => expect(this.claims.length).toBeGreaterThan(before), 30_000);
    return [beat, open];
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
describe('a holder', () => {
  it('takes the lease, notifies its listeners, and renews it with its current state', async () => {
    const first = await bench.beat(held(100, true));
    expect(first).toMatchObject({
      environment: 'env_a',
      ttl: 15_000,
      mayTake: true,
      provenBy: 'print',
      lease: { instance: 'one', epoch: 0, beat: 1, interval: 5_000, state: 'serving', memory: 1, eventLoopDelay: 2 },
    });
    const second = await bench.beat(held(100));
    expect(second.lease).toMatchObject({ epoch: 100, beat: 2, registered: first.lease.registered });
    expect(bench.keeper.role).toBe('holder');
    expect(bench.roles).toEqual([['holder', true]]);
  });

  it('logs every heartbeat and every change of its role if requested', async () => {
    await bench.beat(held(100, true));
    await bench.beat('away');
    const lines = bench.log.at('info');
    expect(lines[0]).toMatch(/^Beat .*"held":true,"epoch":100,.*"debug":"lease"/);
    expect(lines[1]).toBe('Changed its role {"from":"waiting","to":"holder","fresh":true,"debug":"lease"}');
    expect(lines[2]).toMatch(/^The lease of env_a could not be renewed: .*"debug":"lease"/);
    expect(lines).toHaveLength(3);
  });

  it('that retakes it after a flush keeps its epoch, and notifies its listeners again', async () => {
    await bench.beat(held(100, true));
    expect((await bench.beat(held(100, true))).lease.epoch).toBe(100);
    expect(bench.roles).toEqual([
      ['holder', true],
      ['holder', true],
    ]);
  });

  it('invariant 6: continues unchanged while the store is down, however long', async () => {
    await bench.beat(held(100, true));
    for (let i = 0; i < 50; i++) {
      bench.clock.pass(5_000);
      await bench.beat('away', { lock: i % 2 === 0 });
    }
    expect(bench.keeper.role).toBe('holder');
    expect(bench.roles).toHaveLength(1);
  });

  it('stops hosting only for another instance with a higher epoch', async () => {
    await bench.beat(held(100, true));
    // A store restored from an old copy names holders of the past.
    await bench.beat(other(99));
    await bench.beat(other(100));
    expect(bench.keeper.role).toBe('holder');
    await bench.beat(other(101));
    expect(bench.keeper.role).toBe('standby');
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
    expect(bench.log.at('warn')).toEqual([expect.stringMatching(/held by another process \(two\).*hosts nothing/)]);
  });

  it('announces a new registration immediately, also in the middle of a heartbeat', async () => {
    const before = await bench.beat(held(100, true));
    const [beat, open] = await bench.slowBeat(held(100));
    bench.keeper.announceRegistration();
    open();
    await beat;
    await vi.waitFor(() => expect(bench.claims).toHaveLength(3), 30_000);
    expect([before.lease.registered, bench.claims[2].lease.registered]).toEqual([0, expect.any(Number)]);
    bench.keeper.announceRegistration();
    await vi.waitFor(() => expect(bench.claims).toHaveLength(4), 30_000);
    expect(bench.claims[3].lease.registered).toBe(bench.claims[2].lease.registered + 1);
  });

  it('reports its registration only once it is written, and again after another instance wrote one', async () => {
    const registered = async (answer: Answers) => (await bench.beat(answer)).lease.registered;
    expect(await registered(held(100, true))).toBe(0);
    bench.keeper.announceRegistration();
    await vi.waitFor(() => expect(bench.claims).toHaveLength(2), 30_000);
    expect(await registered(other(101))).toBeGreaterThan(0);
    expect(await registered(held(102, true))).toBe(0);
  });

  it('notifies its listeners again with the next heartbeat if that failed', async () => {
    bench.refuses = true;
    await bench.beat(held(100, true));
    await bench.beat(held(100));
    bench.refuses = false;
    await bench.beat(held(100));
    await bench.beat(held(100));
    expect(bench.roles).toEqual(Array(3).fill(['holder', true]));
  });
});

describe('a second instance', () => {
  it('is a standby, and says so once', async () => {
    for (let i = 0; i < 3; i++) await bench.beat(other(100), { lock: false });
    expect(bench.roles).toEqual([['standby', false]]);
    expect(bench.claims.every((claim) => !claim.mayTake && claim.provenBy === null)).toBe(true);
    expect(bench.log.at('warn')).toHaveLength(1);
  });

  it('takes the lease only after it was missing for another full lease time', async () => {
    await bench.beat(other(100), { lock: false });
    expect((await bench.beat(nobody, { lock: false })).mayTake).toBe(false);
    bench.clock.pass(14_999);
    expect((await bench.beat(nobody, { lock: false })).mayTake).toBe(false);
    bench.clock.pass(1);
    expect((await bench.beat(held(101, true), { lock: false })).mayTake).toBe(true);
    expect(bench.roles).toEqual([
      ['standby', false],
      ['holder', true],
    ]);
  });

  it('starts to wait again if the holder came back in between', async () => {
    await bench.beat(other(100), { lock: false });
    await bench.beat(nobody, { lock: false });
    bench.clock.pass(10_000);
    await bench.beat(other(100), { lock: false });
    bench.clock.pass(10_000);
    await bench.beat(nobody, { lock: false });
    bench.clock.pass(10_000);
    expect((await bench.beat(nobody, { lock: false })).mayTake).toBe(false);
  });

  it('waits even with the lock on a database of its own: two have the same name by mistake', async () => {
    await bench.beat(other(100));
    expect((await bench.beat(nobody)).mayTake).toBe(false);
  });

  it('waits, and hosts nothing, while nothing is decided', async () => {
    await bench.beat(nobody, { lock: false });
    await bench.beat('away', { lock: false });
    expect(bench.keeper.role).toBe('waiting');
    expect(bench.roles).toEqual([]);
  });
});

describe('a process that was displaced', () => {
  beforeEach(async () => {
    await bench.beat(held(100, true));
    await bench.beat(other(200), { lock: false });
  });

  it('invariant 3: claims its former epoch no more, which a store without content would give back', async () => {
    expect((await bench.beat(nobody, { lock: false })).lease.epoch).toBe(0);
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
  });

  it('invariant 3: gives back what an older copy of the store says that it holds', async () => {
    await bench.beat(held(100), { lock: false });
    expect(bench.released).toEqual([['env_a', 'one', 100]]);
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
  });

  it('goes by the lock once a live holder would have said that it lost it, and gives that holder the lock back', async () => {
    expect((await bench.beat(other(200))).provenBy).toBeNull();
    expect((await bench.beat(other(200))).provenBy).not.toBeNull();
    expect(bench.lockReleased).toBe(true);
    expect((await bench.beat(other(200))).provenBy).toBeNull();
  });
});

describe('without a store', () => {
  it('invariant 6: the lock on the main database decides who starts from the snapshot', async () => {
    await bench.beat('away');
    expect(bench.roles).toEqual([['alone', false]]);
    const second = new Bench();
    await second.beat('away', { lock: false });
    expect(second.roles).toEqual([]);
  });

  it('the only process takes the lease when the store is back', async () => {
    await bench.beat('away');
    await bench.beat('away', { lock: false });
    expect(bench.keeper.role).toBe('alone');
    expect((await bench.beat(held(100, true), { lock: false })).mayTake).toBe(true);
    expect(bench.keeper.role).toBe('holder');
  });

  it('the only process gives way to a live holder', async () => {
    await bench.beat('away');
    await bench.beat(other(100));
    expect(bench.roles).toEqual([
      ['alone', false],
      ['standby', false],
    ]);
  });
});

describe('leaving', () => {
  it('releases the lease and the lock', async () => {
    await bench.beat(held(100, true));
    await bench.keeper.announceStopping();
    expect(bench.claims.at(-1)?.lease.state).toBe('stopping');
    await bench.keeper.stop();
    expect(bench.released).toEqual([['env_a', 'one', 100]]);
    expect(bench.lockReleased).toBe(true);
  });

  it('a standby releases only the lock', async () => {
    await bench.beat(other(100), { lock: false });
    await bench.keeper.announceStopping();
    await bench.keeper.stop();
    expect(bench.claims).toHaveLength(1);
    expect(bench.released).toEqual([]);
    expect(bench.lockReleased).toBe(true);
  });

  it('is announced even while a heartbeat with the old state is in progress', async () => {
    await bench.beat(held(100, true));
    const [beat, open] = await bench.slowBeat(held(100));
    const announced = bench.keeper.announceStopping();
    open();
    await Promise.all([beat, announced]);
    expect(bench.claims.at(-1)?.lease.state).toBe('stopping');
  });

  it('is final: a later or pending heartbeat does not take the lease again', async () => {
    await bench.beat(held(100, true));
    const [beat, open] = await bench.slowBeat(held(100));
    // Would be said with one more beat.
    bench.keeper.announceRegistration();
    const stopped = bench.keeper.stop();
    open();
    await Promise.all([beat, stopped]);
    const { length } = bench.claims;
    await bench.keeper.beatNow();
    expect(bench.claims).toHaveLength(length);
    expect(bench.released).toHaveLength(1);
    expect(bench.keeper.role).toBe('waiting');
  });

  it('never rejects', async () => {
    await bench.beat(held(100, true));
    bench.answer = 'away';
    await expect(bench.keeper.announceStopping()).resolves.toBeUndefined();
    await expect(bench.keeper.stop()).resolves.toBeUndefined();
  });
});

describe('the timer', () => {
  it('sends heartbeats at the interval, plus or minus a twentieth, until it ends', async () => {
    await bench.keeper.start();
    await bench.clock.run(52_500);
    expect(bench.claims.length).toBeGreaterThanOrEqual(11);
    expect(bench.claims.length).toBeLessThanOrEqual(12);
    await bench.keeper.stop();
    await bench.clock.run(60_000);
    expect(bench.claims.length).toBeLessThanOrEqual(12);
    expect(bench.clock.waiting).toBe(0);
  });
});
