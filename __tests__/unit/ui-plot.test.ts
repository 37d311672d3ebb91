import { describe, expect, it } from 'vitest';
import { endedAt, indexAt, linesOf, nextIndex, nowOf, reachOf, ticksOf, timeTicksOf } from '../../src/ui/common/plot';
import { limitsOf } from '../../src/ui/environments/limits';

const HOUR = 3_600_000;
const MB = 1024 * 1024;

it('a plot is one line for each stretch of known values', () => {
  expect(linesOf([0, 10, null, 5, null], 10, 100, 50)).toEqual(['0,50 25,0', '75,25 75,25']);
  expect(linesOf([null, null], 0, 100, 50)).toEqual([]);
  expect(linesOf([0, 0], 0, 100, 50)).toEqual(['0,50 100,50']);
});

describe('the axis of values', () => {
  it('has at most four round parts, up to the highest value', () => {
    expect(ticksOf(7)).toEqual([0, 2, 4, 6, 8]);
    expect(ticksOf(100)).toEqual([0, 50, 100]);
    expect(ticksOf(0.4).map((tick) => Math.round(tick * 100) / 100)).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
    expect(ticksOf(0)).toEqual([0, 1]);
    for (const highest of [1, 3, 9.99, 12, 499, 501, 1_023, 99_999])
      expect([ticksOf(highest).length <= 5, (ticksOf(highest).at(-1) ?? 0) >= highest]).toEqual([true, true]);
  });

  it('is round in the unit that is shown', () => {
    expect(ticksOf(402 * MB, 1024).map((tick) => tick / MB)).toEqual([0, 200, 400, 600]);
    expect(ticksOf(1.5 * 1024 * MB, 1024).map((tick) => tick / 1024 / MB)).toEqual([0, 0.5, 1, 1.5]);
  });

  it('has room for a limit that is near, and for none that would make the line flat', () => {
    expect([reachOf([1, 4], 10), reachOf([1, 4], 17), reachOf([12], 10), reachOf([null], null)]).toEqual([
      10, 4, 12, 0,
    ]);
  });
});

it('the axis of time has round times of the place where it is read', () => {
  const at = Date.UTC(2026, 0, 1, 12, 7);
  const inUtc = timeTicksOf(at - HOUR, at, 5, 0).map((tick) => new Date(tick).toISOString().slice(11, 16));
  expect(inUtc).toEqual(['11:15', '11:30', '11:45', '12:00']);
  const [first] = timeTicksOf(at - 7 * 24 * HOUR, at, 5, 8 * HOUR);
  expect(new Date(first).toISOString().slice(11, 16)).toBe('16:00');
});

describe('a series that has ended', () => {
  it('says since when nothing is known, and has no value of now', () => {
    expect(endedAt([1, 2, null, null], 1_000, 100)).toBe(800);
    expect([nowOf([1, 2, null, null]), nowOf([])]).toEqual([null, null]);
  });

  it('goes on while only the newest value was not taken yet', () => {
    expect([endedAt([1, 2, null], 1_000, 100), nowOf([1, 2, null])]).toEqual([null, 2]);
    expect(endedAt([null, null, null], 1_000, 100)).toBeNull();
  });
});

it('the pointer and arrow keys lead to a value', () => {
  expect([indexAt(0, 120), indexAt(0.5, 120), indexAt(1.2, 120)]).toEqual([0, 60, 119]);
  const keys = ['ArrowRight', 'ArrowLeft', 'PageDown', 'Home', 'End', 'Tab'];
  expect(keys.map((key) => nextIndex(key, 5, 120))).toEqual([6, 4, 0, 0, 119, null]);
});

it('the limits of a process are those that end it: of its machine only where its container has none', () => {
  const half = { used: 50, limit: 100 };
  const usage = { heap: { used: 91, limit: 100 }, container: half, machine: half, cpu: { used: 0.1, limit: 2 } };
  expect(limitsOf(usage).map(({ of, share, isNear }) => [of, share, isNear])).toEqual([
    ['heap', 91, true],
    ['container', 50, false],
    ['cpu', 5, false],
  ]);
  expect(limitsOf({ ...usage, container: null }).map(({ of }) => of)).toEqual(['heap', 'machine', 'cpu']);
  expect(limitsOf({ ...usage, machine: { used: 1, limit: 0 }, container: null }).map(({ of }) => of)).not.toContain(
    'machine',
  );
});
