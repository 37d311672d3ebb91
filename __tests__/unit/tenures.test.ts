import type { Database } from '@nocobase/database';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { Lease } from '../../src/server/lease/lease';
import { OwnConnection } from '../../src/server/lease/own-connection';
import { workerLeases } from '../../src/server/lease/tables';
import { expiryOf, INTERVAL } from '../../src/server/timing';
import { stateOf, Tenures } from '../../src/server/worker/tenures';
import { FakeClock } from '../support/clock';
import { registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';
import { transitions } from '../support/pictures';
import { SeededRandom } from '../support/random';
import { TestStores } from '../support/stores';

const EXPIRY = expiryOf(INTERVAL);

let clock: FakeClock;
let stores: TestStores;
let server: MemoryDatabase;

beforeEach(() => {
  clock = new FakeClock();
  stores = new TestStores({ clock, random: new SeededRandom(), isAlone: false });
  server = new MemoryDatabase(collections);
});

interface Process {
  tenures: Tenures;
  lease: Lease;
  log: ReturnType<typeof recordedLog>;
  /** What happened, in its order. */
  story: string[];
  /** The terms of its tenures. */
  terms: Set<number>;
  /** Called when it ends what it runs. */
  ending(): void;
  /** Answers that an app ends; null: it takes until the test says so. */
  ends: boolean;
  isOff: boolean;
  /** Whether its key is one of before. */
  hasEnded: boolean;
  /** How long a statement takes, in ms. */
  latency: number;
  /** What its main app says of it; null: nothing, ever. */
  describes: (() => Promise<void>) | null;
}

/** A process of an environment, on one clock with all others. */
function process(instance: string, place = 'here', database = server): Process {
  const log = recordedLog();
  const made = {
    log,
    story: [] as string[],
    terms: new Set<number>(),
    ends: true,
    ending: () => undefined,
    isOff: false,
    hasEnded: false,
    latency: 0,
    describes: async () => undefined,
  } as unknown as Process;
  const gate = async <T>(statement: () => Promise<T>): Promise<T> => {
    if (made.isOff) throw new Error('connect ECONNREFUSED');
    if (made.latency) await clock.sleep(made.latency);
    return statement();
  };
  const db: Database = database.connect(instance, gate);
  made.lease = new Lease({
    connection: new OwnConnection({ db }, workerLeases),
    table: workerLeases.name,
    key: { environment: 'env_a' },
    what: 'env_a',
    instance,
    interval: INTERVAL,
    clock,
    log,
  });
  made.lease.changes.listen(() => made.lease.isHeld && made.terms.add(made.lease.term));
  made.tenures = new Tenures({
    lease: made.lease,
    leases: stores.leases,
    environment: 'env_a',
    instance,
    interval: INTERVAL,
    clock,
    random: new SeededRandom(),
    log,
    vitals: () => ({ memory: 1, eventLoopDelay: 1 }),
    place: async () => place,
    hasEnded: () => made.hasEnded,
    describe: async (epoch) => {
      await (made.describes ? made.describes() : new Promise(() => undefined));
      return registrationOf('env_a', { epoch, url: `http://${instance}` });
    },
    end: async () => {
      made.story.push('ends');
      made.ending();
      return made.ends;
    },
  });
  for (const event of ['begins', 'losses', 'resumes', 'spends'] as const)
    made.tenures[event].listen(() => made.story.push(event));
  return made;
}

async function started(instance: string, place?: string, database?: MemoryDatabase): Promise<Process> {
  const made = process(instance, place, database);
  await made.tenures.start();
  await clock.run(0);
  return made;
}

const sight = async () => (await stores.fleet.poll()).environments.get('env_a');
const change = (values: object) =>
  server
    .connect()
    .getModel(workerLeases.name)
    .update(values, { where: { environment: 'env_a' } });

describe('the state of a process', () => {
  it.each([
    ['challenger', { isHeld: false, leads: false, isEnding: false, isSpent: false }],
    ['holder', { isHeld: true, leads: true, isEnding: false, isSpent: false }],
    ['holding', { isHeld: true, leads: false, isEnding: false, isSpent: false }],
    ['ending', { isHeld: false, leads: false, isEnding: true, isSpent: false }],
    ['spent', { isHeld: false, leads: false, isEnding: false, isSpent: true }],
  ])('is %s', (state, facts) => {
    expect(stateOf(facts)).toBe(state);
  });
});

it('goes through the states as docs/architecture.md draws them, and in no other way', async () => {
  const seen = new Set<string>();
  const random = new SeededRandom();
  for (let round = 0; round < 40; round++) {
    clock = new FakeClock();
    stores = new TestStores({ clock, random: new SeededRandom(), isAlone: false });
    server = new MemoryDatabase(collections);
    const one = process('one');
    let state = '[*]';
    const note = () => {
      if (one.tenures.state !== state) seen.add(`${state} --> ${one.tenures.state}`);
      state = one.tenures.state;
    };
    one.ending = note;
    one.tenures.spends.listen(() => {
      note();
      seen.add('spent --> [*]');
    });
    note();
    one.ends = random.fraction() < 0.7;
    await one.tenures.start();
    for (let passed = 0; passed < 120_000; passed += 250) {
      note();
      const chance = random.fraction();
      if (chance < 0.02) one.isOff = !one.isOff;
      else if (chance < 0.03) await change({ holder: 'two', beat: passed });
      else if (chance < 0.05) await change({ holder: null });
      await clock.run(250);
    }
  }
  expect([...seen].sort()).toEqual(transitions().sort());
});

it('invariant 4: another process is known to hold the environment, and not where nobody does', async () => {
  const one = process('one');
  expect(one.tenures.isElsewhere).toBe(false);
  await one.tenures.start();
  await clock.run(INTERVAL);
  const two = await started('two');
  expect([one, two].map(({ tenures }) => tenures.isElsewhere)).toEqual([false, true]);
  await one.tenures.stop();
  await clock.run(2 * INTERVAL);
  expect([one, two].map(({ tenures }) => [tenures.state, tenures.isElsewhere])).toEqual([
    ['challenger', false],
    ['holder', false],
  ]);
});

describe('a tenure', () => {
  it('begins with the lease, and is announced with its registration and term', async () => {
    const { tenures, story } = await started('one');
    expect([tenures.state, tenures.mayBegin, story]).toEqual(['holder', true, ['begins']]);
    expect((await sight())?.lease).toMatchObject({ instance: 'one', epoch: tenures.term, place: 'here' });
    expect(await stores.fleet.readRegistration('env_a')).toMatchObject({ url: 'http://one', epoch: tenures.term });
    await clock.run(60_000);
    expect([tenures.state, story, (await sight())?.lease?.instance]).toEqual(['holder', ['begins'], 'one']);
  });

  it('invariant 6: begins and goes on without the store, however long, and is announced when that is back', async () => {
    stores.away = true;
    const { tenures, story } = await started('one');
    await clock.run(300_000);
    expect([tenures.state, tenures.mayBegin, story]).toEqual(['holder', true, ['begins']]);
    stores.away = false;
    await clock.run(6_000);
    expect([story, (await sight())?.lease?.epoch]).toEqual([['begins', 'losses'], tenures.term]);
  });

  it('begins also where the answer to its first announcement was lost', async () => {
    const { announce } = stores.leases;
    vi.spyOn(stores.leases, 'announce').mockImplementationOnce(async (...announcement) => {
      await announce.apply(stores.leases, announcement);
      await clock.sleep(3_000);
      throw new Error('Command timed out');
    });
    const { tenures, story } = process('one');
    void tenures.start();
    await clock.run(4_000);
    expect([tenures.announcer.announced, story]).toEqual([tenures.term, ['begins']]);
  });

  it('is told anew where the store has lost it', async () => {
    const { tenures, story } = await started('one');
    stores.flush();
    await clock.run(6_000);
    expect([story, (await sight())?.lease?.epoch]).toEqual([['begins', 'losses'], tenures.term]);
    expect(await stores.fleet.readRegistration('env_a')).toMatchObject({ epoch: tenures.term });
  });

  it('invariant 6: goes on while the main database is away, begins nothing then, and goes on when it is back', async () => {
    const one = await started('one');
    one.isOff = true;
    await clock.run(60_000);
    expect([one.tenures.state, one.tenures.mayBegin, await one.tenures.confirm()]).toEqual(['holding', false, false]);
    expect((await sight())?.lease?.instance).toBe('one');
    one.isOff = false;
    await clock.run(6_000);
    expect([one.tenures.state, one.story]).toEqual(['holder', ['begins', 'resumes']]);
  });

  it('is not confirmed by a database that does not answer, however short before it was renewed', async () => {
    const one = await started('one');
    one.isOff = true;
    expect([one.tenures.state, await one.tenures.confirm()]).toEqual(['holder', false]);
  });

  it.each<[string, Process['describes']]>([
    ['refuses', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['hangs', null],
  ])('invariant 6: is announced as it was while the main app’s database %s', async (_, describes) => {
    const one = await started('one');
    one.isOff = true;
    one.describes = describes;
    void one.tenures.announcer.refresh();
    for (let passed = 0; passed < 6 * EXPIRY; passed += INTERVAL) {
      await clock.run(INTERVAL);
      expect((await sight())?.lease).toMatchObject({ instance: 'one', epoch: one.tenures.term });
    }
    one.isOff = false;
    one.describes = async () => undefined;
    const { beat } = (await sight())!.lease!;
    await clock.run(EXPIRY);
    expect((await sight())?.lease?.beat).toBeGreaterThan(beat);
  });

  it('invariant 3: ends what it runs when another process has the environment, and waits for it as a challenger', async () => {
    const [one, two] = [await started('one'), await started('two')];
    expect([two.tenures.state, (await sight())?.standby]).toEqual(['challenger', 'two']);
    one.isOff = true;
    await clock.run(EXPIRY + 2 * INTERVAL);
    expect([two.tenures.state, two.story]).toEqual(['holder', ['begins']]);
    one.isOff = false;
    await clock.run(2 * INTERVAL);
    expect([one.tenures.state, one.story]).toEqual(['challenger', ['begins', 'ends']]);
    expect([(await sight())?.lease?.instance, (await sight())?.standby]).toEqual(['two', 'one']);
    await two.tenures.stop();
    await clock.run(2 * INTERVAL);
    expect([one.tenures.state, one.story]).toEqual(['holder', ['begins', 'ends', 'begins']]);
  });

  it('begins within a lease and an interval after the last renewal of one that died', async () => {
    const one = await started('one');
    await clock.run(4_900);
    const two = process('two');
    two.latency = 3;
    void two.tenures.start();
    await clock.run(2 * INTERVAL + 200);
    one.lease.stop();
    one.tenures.announcer.stop();
    // It renewed 100 ms before.
    await clock.run(EXPIRY + INTERVAL - 100);
    expect([two.tenures.state, two.story]).toEqual(['holder', ['begins']]);
  });

  it('is over where the store knows a newer one, and the database does not answer', async () => {
    const [one, two] = [await started('one'), await started('two')];
    one.isOff = true;
    await clock.run(EXPIRY + 3 * INTERVAL);
    expect([one.tenures.state, one.story]).toEqual(['challenger', ['begins', 'ends']]);
    expect(two.tenures.state).toBe('holder');
  });

  it('invariant 4: ends for good where an app could not be ended', async () => {
    const one = await started('one');
    one.ends = false;
    await change({ holder: 'two', beat: 1 });
    await clock.run(INTERVAL);
    await change({ holder: null });
    await clock.run(100_000);
    expect([one.tenures.state, one.tenures.mayBegin, one.story]).toEqual([
      'spent',
      false,
      ['begins', 'ends', 'spends'],
    ]);
    expect(one.log.at('error').join()).toContain('Restart this process');
  });

  it('goes on in a new term where the database is an older copy', async () => {
    const one = await started('one');
    const { term } = one.tenures;
    await change({ beat: 0 });
    await clock.run(INTERVAL);
    expect([one.tenures.state, one.tenures.term > term]).toEqual(['holder', true]);
    expect(one.story).toEqual(['begins', 'losses']);
    expect((await sight())?.lease?.epoch).toBe(one.tenures.term);
  });

  it('is raised above a term that something else knows, if a process can have had that', async () => {
    const one = await started('one');
    const { term } = one.tenures;
    expect([await one.tenures.raise(term + 1e12), one.tenures.term]).toEqual([false, term]);
    expect([await one.tenures.raise(term + 50), one.tenures.term]).toEqual([true, term + 51]);
    one.isOff = true;
    clock.pass(EXPIRY / 2);
    expect([await one.tenures.raise(term + 90), one.tenures.term]).toEqual([false, term + 51]);
  });

  it('is raised by the row of an app once, and by that of another app still', async () => {
    const { tenures } = await started('one');
    const { raise } = tenures.authority('env_a');
    const { term } = tenures;
    expect([await raise(term + 10, 'crm'), await raise(term + 20, 'crm'), tenures.term]).toEqual([
      true,
      false,
      term + 11,
    ]);
    expect([await raise(term + 20, 'shop'), tenures.term]).toEqual([true, term + 21]);
    await change({ holder: 'two', beat: 1 });
    await clock.run(INTERVAL);
    await change({ holder: null });
    await clock.run(INTERVAL);
    expect([tenures.state, await raise(tenures.term + 10, 'crm')]).toEqual(['holder', true]);
  });

  it('is contested by a process of another copy of the database twice: then one of them begins nothing, and says so', async () => {
    const one = await started('one');
    const two = await started('two', 'here', new MemoryDatabase(collections));
    await clock.run(300_000);
    const raises = [one, two].map(({ terms }) => terms.size - 1);
    expect(Math.max(...raises)).toBeLessThanOrEqual(2);
    expect([one, two].filter(({ tenures }) => tenures.mayBegin)).toHaveLength(1);
    const [loser, winner] = one.tenures.mayBegin ? [two, one] : [one, two];
    expect([loser.tenures.state, loser.log.at('error').length]).toEqual(['holding', 1]);
    expect(loser.log.at('error')[0]).toContain('two copies');
    // The other one turns out to be the copy that goes.
    await winner.tenures.stop();
    await clock.run(2 * INTERVAL);
    expect([loser.tenures.state, (await sight())?.lease?.instance]).toEqual(['holder', loser.lease.options.instance]);
  });

  it('is not announced where the store knows a term that no clock can have, which is said once', async () => {
    const epoch = clock.wall + 3 * 86_400_000;
    const lease = { instance: 'x', epoch, place: 'here', beat: 1, interval: INTERVAL, state: 'serving' as const };
    await stores.leases.announce({
      environment: 'env_a',
      lease: { ...lease, registered: 1, memory: 1, eventLoopDelay: 1 },
      registration: registrationOf('env_a', { epoch }),
      ttl: 1_000,
    });
    const one = await started('one');
    await clock.run(600_000);
    expect([one.tenures.state, one.tenures.announcer.announced]).toEqual(['holder', null]);
    expect(one.log.at('warn').filter((line) => line.includes('ahead of this clock'))).toHaveLength(1);
  });

  it('is raised above one that the store knows and the database has lost', async () => {
    const registration = registrationOf('env_a', { epoch: clock.wall + 5_000 });
    const lease = { instance: 'former', epoch: clock.wall + 5_000, place: 'here' };
    const rest = {
      beat: 1,
      interval: INTERVAL,
      state: 'serving' as const,
      registered: 1,
      memory: 1,
      eventLoopDelay: 1,
    };
    await stores.leases.announce({ environment: 'env_a', lease: { ...lease, ...rest }, registration, ttl: 1_000 });
    const one = await started('one');
    await clock.run(INTERVAL);
    expect(one.tenures.term).toBe(lease.epoch + 1);
    expect((await sight())?.lease).toMatchObject({ instance: 'one', epoch: lease.epoch + 1 });
  });
});

describe('a second installation on one store', () => {
  it('begins nothing, is named, and leaves the first one alone, however new it is', async () => {
    const one = await started('one');
    await clock.run(1_000);
    const two = await started('two', 'elsewhere', new MemoryDatabase(collections));
    await clock.run(60_000);
    expect([two.tenures.state, two.tenures.mayBegin]).toEqual(['holder', false]);
    expect(two.log.at('warn').filter((line) => line.includes('another installation'))).toHaveLength(1);
    expect([one.tenures.state, one.tenures.mayBegin]).toEqual(['holder', true]);
    expect(await sight()).toMatchObject({ lease: { instance: 'one' }, standby: 'two', isForeign: true });
    await one.tenures.stop();
    await clock.run(EXPIRY + 2 * INTERVAL);
    expect([two.tenures.mayBegin, (await sight())?.lease?.instance]).toEqual([true, 'two']);
  });

  it.each([1_000, 1_500, 2_000, 3_000, 3_700])(
    'begins nothing where the store has lost its content, also if it began %i ms after the first one',
    async (delay) => {
      const one = await started('one');
      await clock.run(delay);
      const two = await started('two', 'elsewhere', new MemoryDatabase(collections));
      await clock.run(60_000);
      for (let flush = 0; flush < 3; flush++) {
        stores.flush();
        await clock.run(2 * INTERVAL);
        expect([one.tenures.mayBegin, two.tenures.mayBegin]).toEqual([true, false]);
        expect((await sight())?.lease?.instance).toBe('one');
      }
    },
  );
});

describe('a process that leaves', () => {
  it('gives its lease back and takes its announcement away, and takes nothing any more', async () => {
    const one = await started('one');
    await one.tenures.announcer.stopping();
    expect((await sight())?.lease?.state).toBe('stopping');
    await one.tenures.stop();
    await clock.run(60_000);
    expect([(await sight())?.lease, server.visible(workerLeases.name)[0].holder]).toEqual([null, null]);
    expect((await started('two')).tenures.state).toBe('holder');
  });

  it('is not kept by a main app’s database that hangs', async () => {
    const one = await started('one');
    one.describes = null;
    void one.tenures.announcer.refresh();
    const left: string[] = [];
    void one.tenures.announcer.stopping().then(() => left.push('stopping'));
    await clock.run(EXPIRY / 2);
    expect([left, (await sight())?.lease?.state]).toEqual([['stopping'], 'stopping']);
    void one.tenures.announcer.refresh();
    void one.tenures.stop().then(() => left.push('left'));
    await clock.run(0);
    expect([left, server.visible(workerLeases.name)[0].holder]).toEqual([['stopping', 'left'], null]);
  });

  it('gives its lease back at once, whatever the store still does', async () => {
    const one = await started('one');
    one.describes = null;
    void one.tenures.announcer.refresh();
    void one.tenures.stop();
    await clock.run(0);
    expect(server.visible(workerLeases.name)[0].holder).toBeNull();
  });

  it('never rejects, and is not kept by a database or a store that is away', async () => {
    const one = await started('one');
    one.isOff = true;
    stores.away = true;
    await one.tenures.stop();
    expect(one.log.at('warn').join()).toContain('The lease was not given back');
    one.isOff = stores.away = false;
    await clock.run(EXPIRY);
    expect([one.story, server.visible(workerLeases.name)[0].holder]).toEqual([['begins'], 'one']);
    expect((await sight())?.lease).toBeNull();
  });
});

it('a process says so of each announcement whose key has ended', async () => {
  const announced = vi.spyOn(stores.leases, 'announce');
  const one = await started('one');
  one.hasEnded = true;
  await clock.run(2 * INTERVAL);
  const said = announced.mock.calls.map(([{ hasEnded }]) => hasEnded);
  expect([said[0], said.at(-1)]).toEqual([false, true]);
  await one.tenures.stop();
});
