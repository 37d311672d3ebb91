/** A longer time between two observations means that this process did not run, in ms. */
const LONGEST_GAP = 15_000;

/**
 * How long Workers could work on steps: only the time between two observations at each of which the step was being
 * worked on. Time in a queue or without the Worker does not count. Kept in memory: a new leader starts at zero, which
 * makes a deadline later and never earlier.
 */
export class StepTimer {
  private readonly steps = new Map<string, { worked: number; at: number | null }>();

  /**
   * @param isWorking whether the Worker is observed to work on the step now
   * @param now ms of the monotonic clock
   * @returns ms so far
   */
  look(operation: string, environment: string, isWorking: boolean, now: number): number {
    const key = `${operation} ${environment}`;
    const before = this.steps.get(key) ?? { worked: 0, at: null };
    const since = before.at === null || !isWorking ? 0 : Math.min(now - before.at, LONGEST_GAP);
    const worked = before.worked + since;
    this.steps.set(key, { worked, at: isWorking ? now : null });
    return worked;
  }

  /** The operation has finished. */
  forget(operation: string): void {
    for (const key of this.steps.keys()) if (key.startsWith(`${operation} `)) this.steps.delete(key);
  }

  clear(): void {
    this.steps.clear();
  }
}
