import { beforeEach, describe, expect, it } from 'vitest';
import { type Pass, WorkQueue } from '../../src/server/supervisor/control/work-queue';
import { FakeClock } from '../support/clock';
import { SeededRandom } from '../support/random';

let clock: FakeClock;
let passes: string[];
let failures: string[];
let queue: WorkQueue;
let work: Pass;

const started = (concurrency = 2): WorkQueue => {
  const made = new WorkQueue({
    clock,
    random: Object.assign(new SeededRandom(), { fraction: () => 0 }),
    concurrency,
    onFailure: (key) => failures.push(key),
  });
  made.start((key) => {
    passes.push(key);
    return work(key);
  });
  return made;
};

/** A pass that is under way until it is let go. */
function held(): { pass: Pass; release(): void } {
  let release = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  return { pass: () => gate.then(() => null), release };
}

const settle = () => clock.run(0);

beforeEach(() => {
  clock = new FakeClock();
  passes = [];
  failures = [];
  work = async () => null;
  queue = started();
});

describe('a key', () => {
  it('that is added several times before its pass gets one', async () => {
    const { pass, release } = held();
    work = pass;
    for (const key of ['a', 'b', 'c', 'c', 'c']) queue.add(key);
    await settle();
    expect(passes).toEqual(['a', 'b']);
    release();
    await settle();
    expect(passes).toEqual(['a', 'b', 'c']);
    expect(queue.size).toBe(0);
  });

  it('that is added during its pass gets another one after it, and never two at a time', async () => {
    const { pass, release } = held();
    work = pass;
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    expect(passes).toEqual(['a']);
    release();
    await settle();
    expect(passes).toEqual(['a', 'a']);
  });

  it('comes again after the time that its pass asked for, or at once', async () => {
    const answers = [0, 5_000, null];
    work = async () => answers.shift() ?? null;
    queue.add('a');
    await settle();
    expect(passes).toHaveLength(2);
    await clock.run(4_900);
    expect(passes).toHaveLength(2);
    await clock.run(200);
    expect(passes).toHaveLength(3);
    await clock.run(3_600_000);
    expect([passes.length, queue.size]).toEqual([3, 0]);
  });

  it('that is due later is not put off by one that is due later still, and is taken by an event', async () => {
    queue.add('a', 10_000);
    queue.add('a', 60_000);
    queue.add('b', 60_000);
    queue.add('b', 1_000);
    await clock.run(1_100);
    expect(passes).toEqual(['b']);
    queue.add('a');
    await settle();
    expect(passes).toEqual(['b', 'a']);
    await clock.run(60_000);
    expect(passes).toEqual(['b', 'a']);
  });

  it('that fails comes again after a growing wait, and delays no other', async () => {
    work = async (key) => {
      if (key === 'bad' && passes.filter((one) => one === 'bad').length < 4) throw new Error('No.');
      return null;
    };
    queue.add('bad');
    await settle();
    for (const [wait, times] of [
      [499, 1],
      [21, 2],
      [960, 2],
      [61, 3],
      [1_900, 3],
      [121, 4],
    ]) {
      await clock.run(wait);
      queue.add(`good ${wait} ${times}`);
      await settle();
      expect(passes.filter((one) => one === 'bad')).toHaveLength(times);
    }
    expect(passes.filter((one) => one.startsWith('good'))).toHaveLength(6);
    expect(failures).toEqual(['bad', 'bad', 'bad']);
    await clock.run(3_600_000);
    expect(passes.filter((one) => one === 'bad')).toHaveLength(4);
  });
});

describe('a pass that fails', () => {
  it('waits also if it has added its own key before it failed', async () => {
    work = async (key) => {
      if (passes.length > 20) return null;
      queue.add(key);
      throw new Error('The disk is full.');
    };
    queue.add('a');
    await clock.run(10_000);
    // After 0, 0.5, 1.5, 3.5 and 7.5 s.
    expect(passes).toHaveLength(5);
  });
});

it('keys that are due later do not look at each other, however many there are', async () => {
  // More than a call can have arguments, and too many to compare each with all others.
  for (let i = 0; i < 200_000; i++) queue.add(`${i}`, 60_000 + i);
  expect(queue.size).toBe(200_000);
});

describe('a run', () => {
  it('ends with a pass that began after it was asked for, however that ends', async () => {
    const { pass, release } = held();
    work = pass;
    queue.add('a');
    await settle();
    work = async () => {
      throw new Error('No.');
    };
    let ended = false;
    void queue.run('a').then(() => {
      ended = true;
    });
    await settle();
    expect([passes.length, ended]).toEqual([1, false]);
    release();
    await settle();
    expect([passes.length, ended]).toEqual([2, true]);
  });
});

describe('a queue that is stopped', () => {
  it('begins nothing, forgets what it had to do, and lets nobody wait', async () => {
    const { pass, release } = held();
    work = pass;
    queue.add('a');
    queue.add('b', 1_000);
    await settle();
    const run = queue.run('a');
    queue.stop();
    await run;
    await queue.run('c');
    queue.add('d');
    release();
    await clock.run(60_000);
    expect([passes, queue.size]).toEqual([['a'], 0]);
  });

  it('works again once it is started again', async () => {
    queue.stop();
    queue.start(async (key) => {
      passes.push(`again ${key}`);
      return null;
    });
    queue.add('a');
    await settle();
    expect(passes).toEqual(['again a']);
  });
});
