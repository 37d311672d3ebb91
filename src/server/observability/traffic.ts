export interface TrafficCount {
  requests: number;
  /** Those that failed: an answer of 500 to 599, or none. */
  errors: number;
}

/** Results that are no failure of the environment: an answer below 500, or a visitor who left. */
const FINE = /^[1-4]xx$|^ABORTED$/;
/** @param result as in `ProxyMetrics` */
export const isFailure = (result: string): boolean => !FINE.test(result);

/** How many requests each environment got since this process started, and how many failed. Called once for each request. */
export class Traffic {
  private readonly counts = new Map<string, TrafficCount>();

  /** @param environment empty if none was chosen; then it is not counted @param result as in `ProxyMetrics` */
  note(environment: string, result: string): void {
    if (!environment) return;
    let count = this.counts.get(environment);
    if (!count) {
      count = { requests: 0, errors: 0 };
      this.counts.set(environment, count);
    }
    count.requests++;
    if (isFailure(result)) count.errors++;
  }

  totals(): ReadonlyMap<string, TrafficCount> {
    return this.counts;
  }
}
