/**
 * Two readings of time: decisions use differences of `mono` (ms, monotonic), people are shown `wall` (ms since 1970).
 */
export interface Now {
  mono: number;
  wall: number;
}

/** Something that is to happen later. */
export interface Timer {
  /** It will not happen any more. Does nothing to what is over. */
  cancel(): void;
}

/**
 * The time of one process: what it reads and what it waits for. `core/` makes the real one and injects it; tests inject one that they turn by
 * hand. No method depends on `this`.
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

/** What `work` resolves to, or `instead` when that takes longer than `ms`. */
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
