import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BootQueue } from '../../src/server/worker/hosting/boot-queue';

/** Apps that boot for as long as the test lets them. */
function crowd(queue: BootQueue) {
  const begun: string[] = [];
  const places = new Map<string, number[]>();
  const ends = new Map<string, (error?: Error) => void>();
  const boot = (name: string): Promise<void> => {
    const told: number[] = [];
    places.set(name, told);
    const work = () => {
      begun.push(name);
      return new Promise<void>((resolve, reject) => {
        ends.set(name, (error) => (error ? reject(error) : resolve()));
      });
    };
    return queue.add(work, (place) => told.push(place));
  };
  const end = async (name: string, error?: Error) => {
    ends.get(name)!(error);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { begun, boot, end, placesOf: (name: string) => places.get(name) };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('booting many apps', () => {
  it('boots no more than allowed at the same time, in order, and reports changes of the queue position', async () => {
    const { begun, boot, end, placesOf } = crowd(new BootQueue({ concurrency: 2, interval: 0, intervalCap: 1 }));
    const boots = ['a', 'b', 'c', 'd', 'e'].map(boot);
    boots[0].catch(() => undefined);
    expect(begun).toEqual(['a', 'b']);
    expect(['a', 'b', 'c', 'd', 'e'].map(placesOf)).toEqual([[], [], [1], [2], [3]]);
    // One that fails makes room like one that succeeds.
    await end('a', new Error('broken'));
    await expect(boots[0]).rejects.toThrow('broken');
    expect(begun).toEqual(['a', 'b', 'c']);
    await end('c');
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    expect(['c', 'd', 'e'].map(placesOf)).toEqual([[1], [2, 1], [3, 2, 1]]);
    await end('b');
    for (const name of ['d', 'e']) await end(name);
    await Promise.all(boots.slice(1));
  });

  it('lets no more begin within an interval than allowed, and reports the waiting', async () => {
    const { begun, boot, placesOf } = crowd(new BootQueue({ concurrency: 100, interval: 1_000, intervalCap: 2 }));
    for (const name of ['a', 'b', 'c', 'd', 'e']) void boot(name);
    expect(begun).toEqual(['a', 'b']);
    expect(placesOf('e')).toEqual([3]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    expect(placesOf('e')?.at(-1)).toBe(1);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(begun).toHaveLength(5);
  });

  it('can be switched to one boot at a time', async () => {
    const queue = new BootQueue({ concurrency: 4, interval: 0, intervalCap: 1 });
    queue.oneByOne();
    const { begun, boot, end } = crowd(queue);
    for (const name of ['a', 'b']) void boot(name);
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'b']);
  });
});
