import type { Operation, Step } from './rollout';

/** A longer time between two observations means that this process did not run, in ms. */
const LONGEST_GAP = 15_000;

/**
 * How long Workers could work on steps: only the time between two observations at each of which the step was being
 * worked on. Time in a queue or without the Worker does not count. Kept in memory: a new leader starts at zero, which
 * makes a deadline later and never earlier.
 */
export class StepTimer {
  /** By uid of the app, operation and step. */
  private readonly apps = new Map<string, Map<string, { worked: number; at: number | null; mark: string }>>();

  /**
   * @param isWorking whether the Worker is observed to work on the step now
   * @param now ms of the monotonic clock
   * @param mark the time begins anew when it changes
   * @returns ms so far
   */
  observe({ appUid, id }: Operation, { environment, kind }: Step, isWorking: boolean, now: number, mark = ''): number {
    const steps = this.apps.get(appUid) ?? new Map();
    const key = `${id} ${environment} ${kind}`;
    const known = steps.get(key);
    const before = known?.mark === mark ? known : { worked: 0, at: null };
    const since = before.at === null || !isWorking ? 0 : Math.min(now - before.at, LONGEST_GAP);
    const worked = before.worked + since;
    this.apps.set(appUid, steps.set(key, { worked, at: isWorking ? now : null, mark }));
    return worked;
  }

  /** Forgets all but these operations of an app: the others have finished, whoever ended them. */
  keep(appUid: string, operations: readonly Operation[]): void {
    const steps = this.apps.get(appUid);
    if (!steps) return;
    const isKept = (key: string) => operations.some(({ id }) => key.startsWith(`${id} `));
    for (const key of steps.keys()) if (!isKept(key)) steps.delete(key);
    if (!steps.size) this.apps.delete(appUid);
  }

  clear(): void {
    this.apps.clear();
  }
}
