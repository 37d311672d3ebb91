import { expect, it } from 'vitest';
import { KeyedQueue } from '../../src/server/keyed-queue';

/** Work that is done when it is told to be. */
function task(log: string[], name: string) {
  let resolve = () => {};
  const told = new Promise<void>((end) => {
    resolve = end;
  });
  const work = async () => {
    log.push(`${name} begins`);
    await told;
    log.push(`${name} ends`);
  };
  return { work, resolve };
}

it('runs work for one key in sequence, and work for other keys in parallel', async () => {
  const log: string[] = [];
  const queue = new KeyedQueue();
  const [first, second, other] = ['first', 'second', 'other'].map((name) => task(log, name));
  const done = [queue.add('a', first.work), queue.add('a', second.work), queue.add('b', other.work)];
  other.resolve();
  await done[2];
  second.resolve();
  expect(log).toEqual(['first begins', 'other begins', 'other ends']);
  first.resolve();
  await Promise.all(done);
  expect(log.slice(3)).toEqual(['first ends', 'second begins', 'second ends']);
});

it('continues after failed work, whose error only its caller gets', async () => {
  const queue = new KeyedQueue();
  const failing = queue.add('a', () => Promise.reject(new Error('no')));
  const next = queue.add('a', async () => 7);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(7);
});

it('is busy with a key until its last work has ended, and then keeps nothing', async () => {
  const queue = new KeyedQueue();
  const { work, resolve } = task([], 'one');
  void queue.add('a', work);
  void queue.add('a', async () => undefined);
  expect([queue.isBusy('a'), queue.isBusy('b')]).toEqual([true, false]);
  let isIdle = false;
  const idle = queue.idle('a').then(() => {
    isIdle = true;
  });
  await queue.idle('b');
  expect(isIdle).toBe(false);
  resolve();
  await idle;
  expect(queue.isBusy('a')).toBe(false);
});
