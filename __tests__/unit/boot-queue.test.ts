import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BootstrapConfig } from '../../src/server/config';
import { BOOT } from '../../src/server/timing';
import { BootQueue, type Turn, type Waiting } from '../../src/server/worker/apps/boot-queue';
import { FakeClock } from '../support/clock';

/** Apps that boot for as long as the test lets them. */
function crowd({ oneByOne = false, ...pace }: Partial<BootstrapConfig> & { oneByOne?: boolean }) {
  const clock = new FakeClock();
  const queue = new BootQueue({ concurrency: 1, interval: 0, intervalCap: 1, ...pace }, clock);
  queue.isOneByOne = oneByOne;
  const late: string[] = [];
  const begun: string[] = [];
  const places = new Map<string, number[]>();
  const ends = new Map<string, () => void>();
  const boot = async (name: string, values: Partial<Waiting> = {}): Promise<Turn | null> => {
    const told: number[] = [];
    places.set(name, told);
    const turn = await queue.turn({
      onPlace: (place) => told.push(place),
      onLate: () => late.push(name),
      isNext: false,
      signal: new AbortController().signal,
      ...values,
    });
    if (turn) begun.push(name);
    if (turn) ends.set(name, () => turn.end());
    return turn;
  };
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const end = async (name: string) => {
    ends.get(name)!();
    await settle();
  };
  return { clock, queue, late, begun, boot, end, settle, placesOf: (name: string) => places.get(name) };
}

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
afterEach(() => vi.useRealTimers());

describe('booting many apps', () => {
  it('boots no more than allowed at the same time, in order, and reports changes of the queue position', async () => {
    const { begun, boot, end, settle, placesOf } = crowd({ concurrency: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) void boot(name);
    await settle();
    expect(begun).toEqual(['a', 'b']);
    expect(['a', 'b', 'c', 'd', 'e'].map(placesOf)).toEqual([[], [], [1], [2], [3]]);
    await end('a');
    expect(begun).toEqual(['a', 'b', 'c']);
    await end('c');
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    expect(['c', 'd', 'e'].map(placesOf)).toEqual([[1], [2, 1], [3, 2, 1]]);
    await end('b');
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
    // A second end makes no second room.
    void boot('f');
    await end('b');
    expect(begun).not.toContain('f');
  });

  it('lets no more begin within an interval than allowed, and reports the waiting', async () => {
    const { begun, boot, settle, placesOf } = crowd({ concurrency: 100, interval: 1_000, intervalCap: 2 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) void boot(name);
    await settle();
    expect(begun).toEqual(['a', 'b']);
    expect(placesOf('e')).toEqual([3]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    expect(placesOf('e')?.at(-1)).toBe(1);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(begun).toHaveLength(5);
  });

  it('can be switched to one boot at a time, and back', async () => {
    const { queue, begun, boot, end, settle } = crowd({ concurrency: 2, oneByOne: true });
    for (const name of ['a', 'b', 'c', 'd']) void boot(name);
    await settle();
    expect(begun).toEqual(['a']);
    await end('a');
    expect(begun).toEqual(['a', 'b']);
    queue.isOneByOne = false;
    await settle();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('lets others go on beside one that never ends, and says so', async () => {
    const { clock, late, begun, boot } = crowd({});
    void boot('a');
    void boot('b');
    await clock.run(BOOT - 1);
    expect([begun, late]).toEqual([['a'], []]);
    await clock.run(1);
    await vi.advanceTimersByTimeAsync(0);
    expect([begun, late]).toEqual([['a', 'b'], ['a']]);
  });

  it('lets go before the others what has begun before, and lets go of what is not wanted any more', async () => {
    const { begun, boot, end, placesOf } = crowd({});
    const unwanted = new AbortController();
    void boot('a');
    void boot('b');
    const c = boot('c', { signal: unwanted.signal });
    void boot('d', { isNext: true });
    expect(['b', 'c', 'd'].map(placesOf)).toEqual([[1, 2], [2, 3], [1]]);
    unwanted.abort();
    await expect(c).resolves.toBeNull();
    for (const name of ['a', 'd']) await end(name);
    expect(begun).toEqual(['a', 'd', 'b']);
  });

  it('lets nothing wait that is not wanted any more when it comes', async () => {
    const { boot, settle, placesOf } = crowd({});
    void boot('a');
    const b = boot('b', { signal: AbortSignal.abort() });
    await expect(Promise.race([b, settle().then(() => 'it waits')])).resolves.toBeNull();
    void boot('c');
    expect(placesOf('c')).toEqual([1]);
  });
});
