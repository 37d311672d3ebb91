import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** In milliseconds. */
  timeout: number;
  interval?: number;
  /** What is awaited, for the message if it does not happen. */
  what: string;
}

/** What takes long is asked for this seldom in the end, in ms. */
const SELDOM = 250;

/**
 * Polls until the answer is truthy.
 *
 * @param probe may throw to stop immediately
 */
export async function waitFor<T>(probe: () => T | Promise<T>, options: WaitOptions): Promise<NonNullable<T>> {
  const { timeout, interval = 100, what } = options;
  const begun = performance.now();
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    const waited = performance.now() - begun;
    if (waited >= timeout) throw new Error(`${what} did not happen within ${timeout / 1000} s.`);
    // Asking costs something, and who has waited for long does not notice a tenth more.
    await sleep(Math.max(interval, Math.min(waited / 10, SELDOM)));
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
