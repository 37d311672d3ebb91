import { isFailure } from './traffic';

/** The proxy's own answers that are no failure of the app: nobody is to reach it, or its visitors wait for it. */
const EXPECTED = /^APP_(STOPPED|PREPARING|MOVING)$/;

/** The bounds of the buckets are powers of this: what is said of a duration is at most 19 % too high. */
const RATIO = 2 ** 0.25;
/** Up to 55 s. */
const BUCKETS = 64;

/** The requests of one app since the last sample. */
export class AppTrafficCount {
  requests = 0;
  /** Those that failed: an answer of 500 to 599, or none from the app. */
  errors = 0;
  /** How many answers began within the bound of each bucket; made with the first one. */
  private durations: Uint32Array | null = null;
  /** Whether a door took some of them, which tells no durations. */
  private isPartly = false;

  /** @param ms until the Worker's answer began; null if it gave none */
  note(isFailed: boolean, ms: number | null): void {
    this.requests++;
    if (isFailed) this.errors++;
    if (ms === null) return;
    this.durations ??= new Uint32Array(BUCKETS);
    this.durations[Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log(ms) / Math.log(RATIO))))]++;
  }

  /** Adds what a door has counted. */
  add(requests: number, errors: number): void {
    this.requests += requests;
    this.errors += errors;
    this.isPartly = true;
  }

  /** Within how many ms this part of the answers began; null if there were none, or some are not known. @param part from 0 to 1 */
  latency(part: number): number | null {
    const { durations } = this;
    if (!durations || this.isPartly) return null;
    const wanted = durations.reduce((sum, count) => sum + count, 0) * part;
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      sum += durations[bucket];
      if (sum >= wanted) return RATIO ** bucket;
    }
    return null;
  }
}

/** How many requests each app got since the last sample, and how they went. Called once for each request. */
export class AppTraffic {
  private counts = new Map<string, AppTrafficCount>();

  /** @param app a name that the routing knows; empty if none was found @param result, ms as in `ProxyMetrics` */
  note(app: string, result: string, ms: number | null): void {
    if (app) this.of(app).note(isFailure(result) && !EXPECTED.test(result), ms);
  }

  /** Adds what a door has counted. */
  add(app: string, requests: number, errors: number): void {
    this.of(app).add(requests, errors);
  }

  private of(app: string): AppTrafficCount {
    const known = this.counts.get(app);
    if (known) return known;
    const count = new AppTrafficCount();
    this.counts.set(app, count);
    return count;
  }

  /** By the names of apps; begins anew. */
  take(): ReadonlyMap<string, AppTrafficCount> {
    const { counts } = this;
    this.counts = new Map();
    return counts;
  }
}
