import type { Clock, Timer } from '../../clock';
import type { Random } from '../../random';

/**
 * The first and the longest delay after a failure, in ms; each delay is twice the previous one, minus up to a half at
 * random.
 */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

export interface WorkQueueOptions {
  clock: Clock;
  /** Maximum number of keys processed at the same time. */
  concurrency: number;
  onFailure(key: string, error: unknown): void;
  /** For the delays after failures. */
  random: Random;
}

/**
 * One pass for one key. It reads the desired and the observed state, and moves one step.
 *
 * @returns ms after which the key needs another pass, 0 for immediately; null if only an event can change the result
 */
export type Pass = (key: string) => Promise<number | null>;

/**
 * A keyed, level-triggered work queue, in the manner of Kubernetes' controllers. An event only adds a key; equal keys
 * are merged into one pass; a key is never processed twice at the same time, and a key that is added during its pass
 * gets another one after it. A failed pass is repeated after a growing delay, which affects only this key.
 */
export class WorkQueue {
  /** Keys whose pass is due, in the order in which they became due. */
  private readonly due = new Set<string>();
  /** When the next pass of a key is due, by the monotonic clock, and what adds the key then. Such a key is not due. */
  private readonly later = new Map<string, { at: number; timer: Timer }>();
  private readonly running = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly waiting = new Map<string, Array<() => void>>();
  /** Null while it is stopped. */
  private work: Pass | null = null;

  constructor(private readonly options: WorkQueueOptions) {}

  /** Starts the work; keys that were added before are dropped. */
  start(work: Pass): void {
    this.work = work;
  }

  /** Begins no further pass, and drops all keys. Passes in progress end by themselves. */
  stop(): void {
    this.work = null;
    this.due.clear();
    for (const key of [...this.later.keys()]) this.drop(key);
    this.failures.clear();
    for (const resolve of [...this.waiting.values()].flat()) resolve();
    this.waiting.clear();
  }

  /** @param after ms until its pass is due; an earlier one stays */
  add(key: string, after = 0): void {
    if (!this.work || this.due.has(key)) return;
    const { clock } = this.options;
    const at = clock.now().mono + after;
    if (after > 0 && at >= (this.later.get(key)?.at ?? Number.POSITIVE_INFINITY)) return;
    this.drop(key);
    if (after > 0) this.later.set(key, { at, timer: clock.timeout(after, () => this.makeDue(key)) });
    else this.makeDue(key);
  }

  /** Adds a key. @returns when a pass that begins from now on has ended, whatever its result; never rejects */
  run(key: string): Promise<void> {
    if (!this.work) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.set(key, [...(this.waiting.get(key) ?? []), resolve]);
      this.add(key);
    });
  }

  /** Number of keys that wait for a pass or are in one. */
  get size(): number {
    return new Set([...this.due, ...this.later.keys(), ...this.running]).size;
  }

  private makeDue(key: string): void {
    this.later.delete(key);
    this.due.add(key);
    this.pump();
  }

  /** Its pass is not needed any more. */
  private drop(key: string): void {
    this.due.delete(key);
    this.later.get(key)?.timer.cancel();
    this.later.delete(key);
  }

  private pump(): void {
    for (const key of this.due) {
      if (this.running.size >= this.options.concurrency) return;
      if (this.running.has(key)) continue;
      this.due.delete(key);
      this.running.add(key);
      if (this.work) void this.pass(key, this.work);
    }
  }

  private async pass(key: string, work: Pass): Promise<void> {
    const waiting = this.waiting.get(key) ?? [];
    this.waiting.delete(key);
    try {
      const after = await work(key);
      this.failures.delete(key);
      if (after !== null) this.add(key, after);
    } catch (error) {
      this.options.onFailure(key, error);
      // Whatever added the key during its pass, perhaps the failure itself, waits with it.
      this.drop(key);
      const failures = (this.failures.get(key) ?? 0) + 1;
      if (this.work) this.failures.set(key, failures);
      this.add(
        key,
        Math.min(FIRST_RETRY * 2 ** (failures - 1), LONGEST_RETRY) * (1 - this.options.random.fraction() / 2),
      );
    } finally {
      for (const resolve of waiting) resolve();
      this.running.delete(key);
      this.pump();
    }
  }
}
