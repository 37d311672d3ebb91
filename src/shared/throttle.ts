/** Calls `work` once, after `ms`. */
export type StartTimer = (ms: number, work: () => void) => { cancel(): void };

export interface Throttled {
  (): void;
  /** Cancels the pending call. */
  cancel(): void;
}

export interface ThrottleOptions {
  /** Whether the first call runs immediately; otherwise it runs after `ms`, together with those that follow it. */
  leading: boolean;
  timeout: StartTimer;
}

/** Creates a function that runs `work` at most once every `ms` milliseconds; the last call is never lost. */
export function throttle(work: () => void, ms: number, { leading, timeout }: ThrottleOptions): Throttled {
  let timer: { cancel(): void } | undefined;
  let waits = false;

  const wait = () => {
    timer = timeout(ms, () => {
      timer = undefined;
      if (waits) run();
    });
  };
  const run = () => {
    waits = false;
    if (leading) wait();
    work();
  };
  const throttled = () => {
    if (timer !== undefined) waits = true;
    else if (leading) run();
    else {
      waits = true;
      wait();
    }
  };
  throttled.cancel = () => {
    timer?.cancel();
    timer = undefined;
    waits = false;
  };
  return throttled;
}
