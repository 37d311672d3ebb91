import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** In milliseconds. */
  timeout: number;
  interval?: number;
  /** What is awaited, for the message if it does not happen. */
  what: string;
}

/**
 * Polls until the answer is truthy.
 *
 * @param probe may throw to stop immediately
 */
export async function waitFor<T>(probe: () => T | Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const { timeout, interval = 100, what } = options;
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (performance.now() >= deadline) throw new Error(`${what} did not happen within ${timeout / 1000} s.`);
    await sleep(interval);
  }
}

export interface HttpOptions extends RequestInit {
  timeout?: number;
  /** Whether the answer is the expected one; by default any 2xx. */
  accept?(response: Response): boolean | Promise<boolean>;
}

/** Waits until an address gives the expected answer; refused connections and other answers only mean "not yet". */
export async function waitForHttp(url: string, options: HttpOptions = {}): Promise<Response> {
  const { timeout = 60_000, accept = (response) => response.ok, ...init } = options;
  return waitFor(
    async () => {
      try {
        const response = await fetch(url, { ...init, signal: AbortSignal.timeout(5_000) });
        return (await accept(response)) ? response : null;
      } catch {
        return null;
      }
    },
    { timeout, interval: 200, what: `The wanted answer of ${url}` },
  );
}
