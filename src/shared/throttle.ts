export interface Throttled {
  (): void;
  /** Forgets the call that waits. */
  cancel(): void;
}

/**
 * Makes a function that does its work at most once every `ms` milliseconds; the last call is never lost.
 *
 * @param leading whether the first call is done at once; else it is done after `ms`, together with those that follow it
 */
export function throttle(work: () => void, ms: number, { leading }: { leading: boolean }): Throttled {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waits = false;

  const wait = () => {
    timer = setTimeout(() => {
      timer = undefined;
      if (waits) run();
    }, ms);
    // A number in browsers.
    if (typeof timer === 'object') timer.unref();
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
    clearTimeout(timer);
    timer = undefined;
    waits = false;
  };
  return throttled;
}
