import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { spaced } from '../../src/server/parts/spaced';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('the first call is done at once, the others together, and the last of them is not lost', () => {
  let done = 0;
  const call = spaced(() => done++, 50);
  call();
  expect(done).toBe(1);
  for (let i = 0; i < 10; i++) call();
  expect(done).toBe(1);
  vi.advanceTimersByTime(50);
  expect(done).toBe(2);
  vi.advanceTimersByTime(1_000);
  expect(done).toBe(2);
  call();
  expect(done).toBe(3);
  for (let ms = 0; ms < 500; ms++) {
    vi.advanceTimersByTime(1);
    call();
  }
  expect(done).toBe(13);
});
