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
    if (environment) this.add(environment, 1, isFailure(result) ? 1 : 0);
  }

  add(environment: string, requests: number, errors: number): void {
    const count = this.counts.get(environment);
    if (!count) {
      this.counts.set(environment, { requests, errors });
      return;
    }
    count.requests += requests;
    count.errors += errors;
  }

  totals(): ReadonlyMap<string, TrafficCount> {
    return this.counts;
  }
}
