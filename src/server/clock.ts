import { setTimeout as sleep } from 'node:timers/promises';

/** Two readings of time: decisions use differences of `mono` (ms, monotonic); `wall` (ms since 1970) is for people. */
export interface Now {
  mono: number;
  wall: number;
}

/** A scheduled call. */
export interface Timer {
  /** Cancels the call. Does nothing if it is over. */
  cancel(): void;
}

/**
 * The time of one process: its readings and its timers. `core/` and the dialects of databases inject the real one; tests inject one that they
 * advance manually. No method depends on `this`.
 */
export interface Clock {
  now(): Now;
  /** Calls `work` once, after `ms`. Does not keep the process alive. */
  timeout(ms: number, work: () => void): Timer;
  /** Calls `work` every `ms` until it is cancelled. Does not keep the process alive. */
  interval(ms: number, work: () => void): Timer;
  /** Resolves after `ms`. Keeps the process alive until then. */
  sleep(ms: number): Promise<void>;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => ({ mono: performance.now(), wall: Date.now() }),
  timeout(ms, work): Timer {
    const timer = setTimeout(work, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  interval(ms, work): Timer {
    const timer = setInterval(work, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
  sleep: (ms) => sleep(ms),
};

/** The result of `work`, or `instead` if that takes longer than `ms`. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, instead: T): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<T>((resolve) => {
    timer = clock.timeout(ms, () => resolve(instead));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer?.cancel();
  }
}

/** Resolves after `ms`, or when the signal aborts. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.timeout(ms, end);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
