import type { Clock, Timer } from '../../clock';
import type { Random } from '../../random';

/**
 * The first and the longest delay after a failure, in ms; each delay is twice the previous one, minus up to a half at
 * random.
 */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;
/** Delays that end within this time of each other end together, in ms. */
const GRAIN = 20;

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
  /** When the next pass of a key is due, by the monotonic clock. */
  private readonly later = new Map<string, number>();
  private readonly running = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly waiting = new Map<string, Array<() => void>>();
  private timer: { handle: Timer; at: number } | null = null;
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
    this.clearTimer();
    this.due.clear();
    this.later.clear();
    this.failures.clear();
    for (const resolve of [...this.waiting.values()].flat()) resolve();
    this.waiting.clear();
  }

  /** @param after ms until its pass is due; an earlier one stays */
  add(key: string, after = 0): void {
    if (!this.work || this.due.has(key)) return;
    if (after <= 0) {
      this.later.delete(key);
      this.due.add(key);
      this.pump();
      return;
    }
    const at = this.options.clock.now().mono + after;
    if (at >= (this.later.get(key) ?? Number.POSITIVE_INFINITY)) return;
    this.later.set(key, at);
    if (!this.timer || at < this.timer.at) this.schedule();
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

  private pump(): void {
    for (const key of this.due) {
      if (this.running.size >= this.options.concurrency) return;
      if (this.running.has(key)) continue;
      this.due.delete(key);
      this.later.delete(key);
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
      this.due.delete(key);
      this.later.delete(key);
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

  private schedule(): void {
    if (!this.later.size) return;
    let at = Number.POSITIVE_INFINITY;
    for (const one of this.later.values()) at = Math.min(at, one);
    this.clearTimer();
    const { clock } = this.options;
    const handle = clock.timeout(Math.max(at - clock.now().mono, GRAIN), () => this.onTime());
    this.timer = { handle, at };
  }

  private clearTimer(): void {
    this.timer?.handle.cancel();
    this.timer = null;
  }

  private onTime(): void {
    this.timer = null;
    const now = this.options.clock.now().mono;
    for (const [key, at] of this.later) {
      if (at > now) continue;
      this.later.delete(key);
      this.due.add(key);
    }
    this.pump();
    this.schedule();
  }
}
