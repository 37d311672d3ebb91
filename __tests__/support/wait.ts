import { vi } from 'vitest';
import { waitFor } from '../../scripts/fleet/wait';
import { AppSupervisorError } from '../../src/server/errors';

/** Where everything goes well it is never waited for; where a machine is starved it must not be what ends a test. */
const PATIENCE = 60_000;

/**
 * Asks every few ms until it is so; what is not so in time is an error that says what. A Supervisor whose start fails on a busy machine starts
 * again: until then it is not so.
 */
export const until = <T>(what: string, probe: () => T | Promise<T>, timeout = PATIENCE): Promise<NonNullable<T>> =>
  waitFor(() => Promise.resolve().then(probe).catch(ifNotReady), { what, timeout, interval: 15 });

function ifNotReady(error: unknown): null {
  if (error instanceof AppSupervisorError && error.code === 'NOT_READY') return null;
  throw error;
}

/**
 * How long something takes by a clock that is turned by hand: what it waits for by `setTimeout`, in ms. What really
 * happens meanwhile costs nothing of it.
 *
 * @param begin starts it; the clock is turned once what it answers with `ready` is so
 */
export async function fakeTimeOf<T>(
  begin: () => { work: Promise<T>; ready: () => boolean },
  most: number,
): Promise<{ result: T | Error; ms: number }> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { work, ready } = begin();
    let ended: { result: T | Error } | null = null;
    work.then(
      (result) => (ended = { result }),
      (error) => (ended = { result: error }),
    );
    await realTimeUntil(ready);
    for (let ms = 0; ms <= most; ms += STEP) {
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
      if (ended) return { ...(ended as { result: T | Error }), ms };
      await vi.advanceTimersByTimeAsync(STEP);
    }
    throw new Error(`It takes longer than ${most} ms.`);
  } finally {
    vi.useRealTimers();
  }
}

const STEP = 50;

async function realTimeUntil(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('It does not get so far.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
