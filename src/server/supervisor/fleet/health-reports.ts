import type { Health } from '../../../shared/types';

/** The health of environments as it was last reported, and what was shown of it since. All times are by the monotonic clock, in ms. */
export class HealthReports {
  private readonly last = new Map<string, { is: Health; since: number }>();
  /** Environments of which somebody was shown another one since. */
  private readonly shown = new Set<string>();

  /** Somebody is shown this. @returns for how long it has been so without a break: 0 until it is reported */
  show(environment: string, health: Health, now: number): number {
    const last = this.last.get(environment);
    if (health === last?.is) return now - last.since;
    this.shown.add(environment);
    return 0;
  }

  /** @returns whether this is to be reported: a page that was read in between shows what no report has named, even if it is over */
  take(environment: string, health: Health, now: number): boolean {
    const isSame = this.last.get(environment)?.is === health;
    const wasShown = this.shown.delete(environment);
    if (!isSame) this.last.set(environment, { is: health, since: now });
    return !isSame || wasShown;
  }

  forget(environment: string): void {
    this.last.delete(environment);
  }
}
