import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Feed } from '../../src/server/feed';
import type { LeaseAnswer, LeaseClaim, LeaseStore } from '../../src/server/protocol/stores/leases';
import type { LastHost } from '../../src/server/worker/epochs';
import { LeaseKeeper, type LeaseRole } from '../../src/server/worker/lease';
import type { LockState } from '../../src/server/worker/lock-watch';
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
  lockState: LockState = 'held';
  /** How long the lease of whoever has it lasts, in ms. */
  left = 0;
  displaced = 0;
  /** Whether the session of another process can be ended. */
  mayEnd = true;
  readonly losses = new Feed<void>();
  stored: LastHost | null = null;
  /** Whether the main database does not say who hosted. */
  isUnreadable = false;
  /** Set by a test that wants this to take its time. */
  readGate: Promise<void> | null = null;
  lockReleased = false;
  answer: Answers = held(100, true);
  /** Set by a test that wants a beat to take its time. */
  gate: Promise<void> | null = null;
  /** The same of a main database. */
  databaseGate: Promise<void> | null = null;
  /** Whether what is told of a role cannot be told. */
  refuses = false;
  readonly keeper: LeaseKeeper;

  constructor(interval = 5_000) {
    const leases = {
      claim: async (claim: LeaseClaim) => {
        this.claims.push(claim);
        await this.gate;
        if (this.answer === 'away') throw new Error('Connection is closed.');
        return this.answer;
      },
      release: async (...args: unknown[]) => void this.released.push(args),
      left: async () => new Map([['env_a', this.left]]),
    };
    this.keeper = new LeaseKeeper({
      leases: leases as unknown as LeaseStore,
      environment: 'env_a',
      instance: 'one',
      interval,
      lock: {
        losses: this.losses,
        hold: async () => {
          const askedAt = this.clock.mono;
          return { state: this.lockState, askedAt };
        },
        problem: 'It does not answer.',
        displace: async () => {
          this.displaced++;
          if (this.mayEnd) this.lockState = 'held';
          return this.mayEnd;
        },
        fingerprint: 'print',
        release: async () => {
          this.lockReleased = true;
        },
      },
      hosts: {
        loadHost: async () => {
          if (this.isUnreadable) throw new Error('It does not answer.');
          const { stored } = this;
          await this.readGate;
          return stored;
        },
        saveHost: async (host) => {
          this.stored = host;
          await this.databaseGate;
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

  async beat(answer: Answers, { lock = 'held' }: { lock?: LockState } = {}): Promise<LeaseClaim> {
    this.answer = answer;
    this.lockState = lock;
    await this.keeper.beatNow();
    return this.claims.at(-1)!;
  }

  /** It starts while the store is away, and nobody else needs the lock. */
  async goAlone(): Promise<void> {
    await this.beat('away');
    expect([this.keeper.role, this.lockReleased]).toEqual(['waiting', true]);
    await this.clock.run(3_000);
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
      await bench.beat('away', { lock: i % 2 === 0 ? 'held' : 'unknown' });
    }
    expect(bench.keeper.role).toBe('holder');
    expect(bench.roles.every(([role]) => role === 'holder')).toBe(true);
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
    for (let i = 0; i < 3; i++) await bench.beat(other(100), { lock: 'other' });
    expect(bench.roles).toEqual([['standby', false]]);
    expect(bench.claims.every((claim) => !claim.mayTake && claim.provenBy === null)).toBe(true);
    expect(bench.log.at('warn')).toHaveLength(1);
  });

  it('ends the session of a holder that is frozen once nobody has renewed the lease for two beats', async () => {
    await bench.beat(other(100), { lock: 'other' });
    await bench.beat(nobody, { lock: 'other' });
    bench.clock.pass(9_999);
    await bench.beat(nobody, { lock: 'other' });
    expect(bench.displaced).toBe(0);
    bench.clock.pass(1);
    await bench.beat(nobody, { lock: 'other' });
    expect(bench.displaced).toBe(1);
    // At once, and not with its next heartbeat.
    await vi.waitFor(() => expect(bench.claims).toHaveLength(5), 30_000);
    bench.clock.pass(5_000);
    // A holder that is not frozen hears of it before.
    expect((await bench.beat(nobody)).mayTake).toBe(true);
    await bench.beat(held(101, true));
    expect(bench.roles).toEqual([
      ['standby', false],
      ['holder', true],
    ]);
  });

  it('leaves another standby the lock that it got, for as long as that one needs to take the lease', async () => {
    await bench.beat(other(100), { lock: 'other' });
    // The holder is gone, and this one had the lock for a moment.
    await bench.beat(nobody);
    bench.losses.emit();
    bench.clock.pass(20_000);
    await bench.beat(nobody, { lock: 'other' });
    bench.clock.pass(9_999);
    await bench.beat(nobody, { lock: 'other' });
    expect(bench.displaced).toBe(0);
    bench.clock.pass(1);
    await bench.beat(nobody, { lock: 'other' });
    expect(bench.displaced).toBe(1);
  });

  it('does not try at once again to end a session that it cannot end', async () => {
    bench.mayEnd = false;
    await bench.beat(nobody, { lock: 'other' });
    bench.clock.pass(10_000);
    await bench.beat(nobody, { lock: 'other' });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    expect([bench.displaced, bench.claims.length, bench.log.at('warn')]).toEqual([1, 2, []]);
  });

  it('says once why it does not host if the database of the lock does not answer for three beats', async () => {
    const beats = [1, 2, 3, 4].map(() => () => bench.beat(nobody, { lock: 'unknown' }));
    for (const beat of beats.slice(0, 2)) await beat();
    expect(bench.log.at('warn')).toEqual([]);
    for (const beat of beats) await beat();
    const told = expect.stringMatching(/env_a hosts nothing.*It does not answer\./);
    expect(bench.log.at('warn')).toEqual([told]);
    await bench.beat(nobody, { lock: 'other' });
    for (const beat of beats) await beat();
    expect(bench.log.at('warn')).toEqual([told, told]);
  });

  it('takes no lease without the lock, however long nobody holds it', async () => {
    for (const lock of ['other', 'unknown'] as const) {
      await bench.beat(nobody, { lock });
      bench.clock.pass(60_000);
      expect((await bench.beat(nobody, { lock })).mayTake).toBe(false);
    }
    // Of a store of its own, in shared memory.
    await bench.beat(held(100, true), { lock: 'other' });
    expect(bench.keeper.role).toBe('waiting');
  });

  it('goes by the lease alone where a pooler leaves no lock', async () => {
    await bench.beat(nobody, { lock: 'none' });
    bench.clock.pass(15_000);
    expect((await bench.beat(held(100, true), { lock: 'none' })).mayTake).toBe(true);
    expect(bench.keeper.mayBegin).toBe(true);
  });

  it('starts to wait again if the holder came back in between', async () => {
    await bench.beat(other(100), { lock: 'other' });
    await bench.beat(nobody, { lock: 'other' });
    bench.clock.pass(10_000);
    await bench.beat(other(100), { lock: 'other' });
    bench.clock.pass(10_000);
    await bench.beat(nobody, { lock: 'other' });
    bench.clock.pass(10_000);
    expect((await bench.beat(nobody, { lock: 'other' })).mayTake).toBe(false);
  });

  it('waits even with the lock on a database of its own: two have the same name by mistake', async () => {
    await bench.beat(other(100));
    expect((await bench.beat(nobody)).mayTake).toBe(false);
  });

  it('waits, and hosts nothing, while nothing is decided', async () => {
    await bench.beat(nobody, { lock: 'other' });
    await bench.beat('away', { lock: 'other' });
    expect(bench.keeper.role).toBe('waiting');
    expect(bench.roles).toEqual([]);
  });
});

describe('a process that was displaced', () => {
  beforeEach(async () => {
    await bench.beat(held(100, true));
    await bench.beat(other(200), { lock: 'other' });
  });

  it('invariant 3: claims its former epoch no more, which a store without content would give back', async () => {
    expect((await bench.beat(nobody, { lock: 'other' })).lease.epoch).toBe(0);
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
  });

  it('invariant 3: gives back what an older copy of the store says that it holds', async () => {
    await bench.beat(held(100), { lock: 'other' });
    expect(bench.released).toEqual([['env_a', 'one', 100]]);
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
  });

  it('goes by the lock once a live holder would have said that it lost it, and gives that holder the lock back', async () => {
    expect((await bench.beat(other(200))).provenBy).toBeNull();
    bench.clock.pass(4_000);
    expect((await bench.beat(other(200))).provenBy).toBeNull();
    bench.clock.pass(1_000);
    expect((await bench.beat(other(200))).provenBy).not.toBeNull();
    expect(bench.lockReleased).toBe(true);
    expect((await bench.beat(other(200))).provenBy).toBeNull();
  });
});

describe('a process that has just got the lock', () => {
  it.each([
    ['a process that starts', async () => undefined],
    [
      'one that was frozen for longer than its lease',
      async () => {
        await bench.beat(held(100, true));
        bench.clock.pass(15_000);
        bench.losses.emit();
      },
    ],
  ])('does not go by the lock while another one may hold the lease: %s', async (_, before) => {
    await before();
    // Renewed less than an interval ago: its session may have been cut just now.
    bench.left = 9_000;
    expect((await bench.beat(other(200))).provenBy).toBeNull();
    expect((await bench.beat(other(200))).provenBy).toBeNull();
  });

  it('goes by the lock at its start where the holder has not renewed its lease in time, as one that died', async () => {
    bench.left = 8_000;
    expect((await bench.beat(held(201, true))).provenBy).toBe('print');
  });

  it('beats again when that one would have said that it lost it, however long the interval', async () => {
    bench = new Bench(60_000);
    bench.left = 170_000;
    expect((await bench.beat(other(200))).provenBy).toBeNull();
    bench.answer = held(201, true);
    await bench.clock.run(4_999);
    expect(bench.claims.length).toBe(1);
    await bench.clock.run(1);
    expect(bench.claims.at(-1)?.provenBy).toBe('print');
  });
});

describe('a holder that loses its session on the database', () => {
  beforeEach(async () => {
    await bench.beat(held(100, true));
    bench.answer = held(100);
  });

  it('begins nothing until it has the lock again, says so, and asks for it each second', async () => {
    bench.lockState = 'other';
    bench.losses.emit();
    expect([bench.keeper.hosts, bench.keeper.mayBegin]).toEqual([true, false]);
    await vi.waitFor(() => expect(bench.claims.at(-1)?.provenBy).toBeNull(), 30_000);
    expect(await bench.keeper.confirm()).toBe(false);
    bench.lockState = 'held';
    await bench.clock.run(1_000);
    expect(bench.keeper.mayBegin).toBe(true);
    expect(await bench.keeper.confirm()).toBe(true);
    expect(bench.roles.at(-1)).toEqual(['holder', false]);
  });

  it('makes it stand down at once when another process keeps it and its lease is over, although the store does not answer', async () => {
    await bench.beat(held(100));
    bench.clock.pass(15_000);
    const [beat, open] = await bench.slowBeat('away');
    bench.lockState = 'other';
    expect(await bench.keeper.confirm()).toBe(false);
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
    open();
    await beat;
    expect([bench.keeper.role, bench.released]).toEqual(['standby', [['env_a', 'one', 100]]]);
  });

  it('is not asked what the server says: a session that ended while it was frozen is found out before a boot', async () => {
    bench.lockState = 'other';
    expect(bench.keeper.mayBegin).toBe(true);
    expect(await bench.keeper.confirm()).toBe(false);
  });

  it('begins nothing after a freeze that was longer than its lease before it has beaten, and tells then', async () => {
    bench.clock.pass(15_000);
    expect([bench.keeper.mayBegin, await bench.keeper.confirm()]).toEqual([false, false]);
    const { length } = bench.roles;
    await bench.beat('away');
    expect([bench.keeper.mayBegin, bench.roles.slice(length)]).toEqual([true, [['holder', false]]]);
  });

  it.each<[string, () => Promise<void>]>([
    [
      'after a freeze',
      async () => {
        bench.clock.pass(15_000);
        await bench.beat(held(100));
      },
    ],
    [
      'once it has its lock again',
      async () => {
        await bench.beat(held(100), { lock: 'unknown' });
        await bench.beat(held(100));
      },
    ],
  ])('says in its log what could not go on %s', async (_, goOn) => {
    bench.refuses = true;
    await goOn();
    await bench.clock.run(0);
    expect(bench.log.at('warn').at(-1)).toBe('Environment env_a could not go on: Command timed out');
  });

  it('asks again where it was frozen while the server answered', async () => {
    const confirmed = bench.keeper.confirm();
    bench.lockState = 'other';
    bench.clock.pass(3_001);
    expect(await confirmed).toBe(false);
  });

  it('stands down when another process keeps the lock', async () => {
    await bench.beat(held(100), { lock: 'other' });
    bench.clock.pass(9_999);
    await bench.beat(held(100), { lock: 'other' });
    expect(bench.keeper.role).toBe('holder');
    bench.clock.pass(1);
    const { length } = bench.claims;
    await bench.beat(held(100), { lock: 'other' });
    // The beat that finds that out does not ask for the lease that it has just given back.
    expect(bench.claims).toHaveLength(length);
    expect(bench.released).toEqual([['env_a', 'one', 100]]);
    expect(bench.keeper.role).toBe('standby');
    expect(bench.log.at('warn').at(-1)).toMatch(/another process, which has its lock; .* hosts nothing/);
  });
});

describe('a holder that has its lock again', () => {
  /** What happens while this process is frozen. */
  const thaw = async (answer: LeaseAnswer, host: LastHost | null) => {
    if (!bench.keeper.hosts) await bench.beat(held(100, true));
    bench.lockState = 'unknown';
    bench.losses.emit();
    Object.assign(bench, { answer, stored: host, lockState: 'held' });
    await bench.clock.run(1_000);
  };

  it('ends what it runs and takes over anew if another process hosted meanwhile', async () => {
    await thaw(held(301, true), { instance: 'two', epoch: 300 });
    await vi.waitFor(() => expect(bench.roles.length).toBeGreaterThanOrEqual(3), 30_000);
    expect(bench.roles.slice(0, 3)).toEqual([
      ['holder', true],
      ['standby', false],
      ['holder', true],
    ]);
    expect(bench.claims.at(-1)).toMatchObject({ above: 300, mayTake: true });
    expect([bench.released, bench.keeper.mayBegin]).toEqual([[['env_a', 'one', 100]], true]);
  });

  it('does not keep the lock while what it runs takes long to end, if another process hosted meanwhile', async () => {
    await bench.beat(held(100, true));
    let end = () => {};
    const ends = new Promise<void>((resolve) => (end = resolve));
    bench.keeper.roles.listen(({ role }) => (role === 'standby' ? ends : undefined));
    await thaw(held(301, true), { instance: 'two', epoch: 300 });
    await bench.clock.run(2_000);
    expect([bench.keeper.role, bench.lockReleased, bench.keeper.lock.state]).toEqual(['standby', true, 'unknown']);
    end();
    await bench.clock.run(10_000);
    expect(bench.keeper.role).toBe('holder');
  });

  it('gives it back also if it was granted too late to be heard of', async () => {
    await bench.beat(held(100, true));
    bench.keeper.roles.listen(({ role }) => (role === 'standby' ? new Promise(() => undefined) : undefined));
    void bench.beat(other(300), { lock: 'unknown' });
    await bench.clock.run(2_000);
    expect([bench.keeper.role, bench.lockReleased]).toEqual(['standby', true]);
  });

  it('does not keep it either while it does not know who hosted, and hears of a holder', async () => {
    await bench.beat(held(100, true));
    bench.clock.pass(60_000);
    Object.assign(bench, { isUnreadable: true, left: 14_000 });
    bench.keeper.roles.listen(({ role }) => (role === 'standby' ? new Promise(() => undefined) : undefined));
    await thaw(other(300), null);
    await bench.clock.run(2_000);
    expect([bench.keeper.role, bench.lockReleased, bench.keeper.lock.state]).toEqual(['standby', true, 'unknown']);
  });

  it('goes on if its database fell back to a copy from before it, and says there again that it hosts', async () => {
    await thaw(held(100), { instance: 'two', epoch: 50 });
    expect(bench.roles.map(([role]) => role)).toEqual(['holder', 'holder']);
    expect([bench.stored, bench.keeper.mayBegin]).toEqual([{ instance: 'one', epoch: 100 }, true]);
  });

  it('begins nothing before it knows who hosted', async () => {
    bench.isUnreadable = true;
    await thaw(held(100), { instance: 'two', epoch: 300 });
    expect([bench.keeper.role, bench.keeper.mayBegin, await bench.keeper.confirm()]).toEqual(['holder', false, false]);
    bench.isUnreadable = false;
    await bench.beat(held(301, true));
    expect(bench.roles).toContainEqual(['standby', false]);
  });

  it('goes on as soon as a later beat finds that no other one hosted', async () => {
    bench.isUnreadable = true;
    await thaw(held(100), { instance: 'one', epoch: 100 });
    expect([bench.roles, bench.keeper.mayBegin]).toEqual([[['holder', true]], false]);
    bench.isUnreadable = false;
    await bench.beat(held(100));
    expect([bench.roles.at(-1), bench.keeper.mayBegin]).toEqual([['holder', false], true]);
  });

  it('goes on behind a pooler, where no lock is there again, once the database answers', async () => {
    await bench.beat(held(100, true), { lock: 'none' });
    await bench.beat(held(100), { lock: 'unknown' });
    expect(bench.keeper.mayBegin).toBe(false);
    await bench.beat(held(100), { lock: 'none' });
    expect([bench.keeper.mayBegin, bench.roles.at(-1)]).toEqual([true, ['holder', false]]);
  });

  it('begins nothing with a lease that it got without it, and goes on then', async () => {
    await bench.beat(held(100, true), { lock: 'unknown' });
    expect([bench.keeper.role, bench.keeper.mayBegin]).toEqual(['holder', false]);
    await bench.beat(held(100));
    expect([bench.keeper.mayBegin, bench.roles.at(-1)]).toEqual([true, ['holder', false]]);
  });

  it('asks once more who hosted if its session ended again before that is answered', async () => {
    await bench.beat(held(100, true));
    let open!: () => void;
    bench.readGate = new Promise((resolve) => {
      open = resolve;
    });
    await thaw(held(100), { instance: 'one', epoch: 100 });
    bench.losses.emit();
    await bench.clock.run(1_000);
    expect(bench.keeper.lock.state).toBe('held');
    Object.assign(bench, { readGate: null, stored: { instance: 'two', epoch: 300 } });
    open();
    await bench.clock.run(0);
    expect(bench.roles).toContainEqual(['standby', false]);
  });

  it('begins nothing after it stood down meanwhile before it knows who hosted', async () => {
    await bench.beat(held(100, true));
    await bench.beat(held(100), { lock: 'unknown' });
    await bench.beat(other(200), { lock: 'other' });
    bench.isUnreadable = true;
    await bench.beat(held(201, true));
    expect([bench.keeper.role, bench.keeper.mayBegin]).toEqual(['holder', false]);
    bench.isUnreadable = false;
    await bench.beat(held(201));
    expect([bench.keeper.mayBegin, bench.roles.at(-1)]).toEqual([true, ['holder', false]]);
  });
});

describe('a holder that was displaced while it did not reach the store', () => {
  it('stands down as soon as it hears of its session, if its lease cannot last any more', async () => {
    await bench.beat(held(100, true));
    for (const passed of [14_999, 1]) {
      bench.clock.pass(passed);
      bench.answer = 'away';
      bench.lockState = 'other';
      expect(bench.keeper.role).toBe('holder');
      await bench.keeper.confirm();
    }
    await vi.waitFor(() => expect(bench.keeper.role).toBe('standby'), 30_000);
  });

  it('counts its lease from when it claimed it', async () => {
    await bench.beat(held(100, true));
    const [beat, open] = await bench.slowBeat(held(100));
    bench.clock.pass(2_000);
    open();
    await beat;
    bench.clock.pass(13_000);
    bench.lockState = 'other';
    await bench.keeper.confirm();
    expect(bench.keeper.role).toBe('standby');
  });

  it('stays a standby, whatever it was given by what it asked before it stood down', async () => {
    await bench.beat(held(100, true));
    bench.clock.pass(15_000);
    const [beat, open] = await bench.slowBeat(held(101, true));
    bench.lockState = 'other';
    await bench.keeper.confirm();
    bench.losses.emit();
    open();
    await beat;
    expect([bench.keeper.role, bench.keeper.epoch, bench.released.at(-1)]).toEqual([
      'standby',
      0,
      ['env_a', 'one', 101],
    ]);
  });

  it('stays a standby, although it stood down while it wrote its epoch into the main database', async () => {
    await bench.beat(held(100, true));
    bench.lockState = 'other';
    await bench.keeper.confirm();
    bench.clock.pass(9_500);
    let open!: () => void;
    bench.databaseGate = new Promise((resolve) => {
      open = resolve;
    });
    const beat = bench.beat(held(101, true), { lock: 'other' });
    await vi.waitFor(() => expect(bench.stored?.epoch).toBe(101), 30_000);
    bench.clock.pass(500);
    await bench.keeper.confirm();
    expect(bench.roles.at(-1)).toEqual(['standby', false]);
    open();
    await beat;
    expect([bench.roles.at(-1), bench.keeper.epoch]).toEqual([['standby', false], 0]);
  });

  it('says nothing of a registration that it wrote while it stood down', async () => {
    await bench.beat(held(100, true));
    await bench.beat(other(101), { lock: 'other' });
    bench.keeper.announceRegistration();
    expect((await bench.beat(held(102, true))).lease.registered).toBe(0);
  });

  it('hosts without the store once it got the lock so often that the other would have stood down', async () => {
    await bench.beat(other(200), { lock: 'other' });
    for (const role of ['standby', 'standby', 'standby', 'alone']) {
      bench.lockReleased = false;
      bench.clock.pass(5_000);
      await bench.beat('away');
      expect(bench.keeper.role).toBe(role);
      // A live holder, which reaches the store, takes it again in between.
      expect(bench.lockReleased).toBe(role === 'standby');
    }
  });

  it('sees that the other one had the lock that it lent, however slow the store is', async () => {
    await bench.beat(other(200), { lock: 'other' });
    await bench.beat('away');
    // A beat at the interval, in the seconds for which the lock is lent: the next one must not wait for what it waits for.
    await bench.clock.run(1_000);
    bench.lockState = 'other';
    let open!: () => void;
    bench.gate = new Promise((resolve) => {
      open = resolve;
    });
    void bench.keeper.beatNow();
    await bench.clock.run(2_000);
    Object.assign(bench, { gate: null, lockState: 'held' });
    open();
    for (const role of ['standby', 'standby', 'alone']) {
      await bench.clock.run(3_000);
      await bench.keeper.beatNow();
      await bench.clock.run(3_000);
      expect(bench.keeper.role).toBe(role);
    }
  });

  it('does not go by a lock that it lent and did not look at for long, as one that was frozen', async () => {
    await bench.beat(other(200), { lock: 'other' });
    for (let turn = 0; turn < 6; turn++) {
      bench.clock.pass(6_001);
      await bench.beat('away');
      expect(bench.keeper.role).toBe('standby');
    }
  });
});

describe('an epoch', () => {
  it('is above that of the last host in the database, and is written there', async () => {
    bench.stored = { instance: 'two', epoch: 500 };
    expect((await bench.beat(held(501, true))).above).toBe(500);
    expect(bench.stored).toEqual({ instance: 'one', epoch: 501 });
  });

  it('of a process without a store is above it, too, and above what it has then when the store is back', async () => {
    const { wall } = bench.clock.now();
    bench.stored = { instance: 'two', epoch: wall + 5_000 };
    await bench.goAlone();
    expect(bench.keeper.epoch).toBe(wall + 5_001);
    expect(await bench.beat(held(wall + 6_000, true))).toMatchObject({ above: wall + 5_001, lease: { epoch: 0 } });
  });

  it('is raised above that of another process that hosted', async () => {
    await bench.beat(held(100, true));
    bench.answer = held(701, true);
    await bench.keeper.exceed(700);
    expect(bench.claims.at(-1)?.above).toBe(700);
    expect(bench.keeper.epoch).toBe(701);
  });

  it.each([1e14, 2 ** 63, Number.NaN])('is not raised by an epoch that no process can have had (%s)', async (epoch) => {
    await bench.beat(held(100, true));
    const claims = bench.claims.length;
    await bench.keeper.exceed(epoch);
    expect([bench.keeper.epoch, bench.claims.length]).toEqual([100, claims]);
    expect((await bench.beat(held(100))).above).toBe(0);
  });

  it('keeps no boot waiting for what the loss of the environment waits for: the end of this boot', async () => {
    await bench.beat(held(100, true));
    bench.keeper.roles.listen(() => new Promise(() => undefined));
    bench.answer = other(800);
    const boot = bench.keeper.exceed(700);
    await bench.clock.run(10_000);
    await boot;
    expect([bench.keeper.role, bench.keeper.epoch]).toEqual(['standby', 0]);
  });
});

describe('without a store', () => {
  it('invariant 6: the lock on the main database decides who starts from the snapshot', async () => {
    await bench.goAlone();
    expect(bench.roles).toEqual([['alone', false]]);
    const second = new Bench();
    await second.beat('away', { lock: 'other' });
    expect(second.roles).toEqual([]);
  });

  it('the only process takes the lease when the store is back', async () => {
    await bench.goAlone();
    await bench.beat('away', { lock: 'unknown' });
    expect(bench.keeper.role).toBe('alone');
    expect((await bench.beat(held(100, true), { lock: 'unknown' })).mayTake).toBe(true);
    expect(bench.keeper.role).toBe('holder');
  });

  it('is alone soon, however short its interval', async () => {
    bench = new Bench(500);
    bench.answer = 'away';
    await bench.keeper.start();
    await bench.clock.run(4_000);
    expect(bench.keeper.role).toBe('alone');
    await bench.keeper.stop();
    expect(bench.clock.waiting).toBe(0);
  });

  it('leaves the lock to a live holder whose session was cut just when this process started', async () => {
    await bench.beat('away');
    expect(bench.lockReleased).toBe(true);
    bench.lockState = 'other';
    await bench.clock.run(3_000);
    bench.lockState = 'held';
    await bench.beat('away');
    expect(bench.keeper.role).toBe('waiting');
  });

  it('the only process gives way to a live holder', async () => {
    await bench.goAlone();
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
    await bench.beat(other(100), { lock: 'other' });
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
