import type { AppLoad } from '../../../shared/summary';
import type { AppTrafficCount } from '../../observability/app-traffic';
import { LOAD_POINTS, LOAD_STEP, SeriesHistory, slotOf } from './series-history';

/** Number of apps whose history is kept, the busiest ones: it takes 1.6 kB of memory for each. */
const MOST_APPS = 1_000;
/** What earlier requests count after each sample, so that an app that was busy once makes room in time. */
const DECAY = 0.98;

const SERIES = ['requests', 'errors', 'latency'] as const;

interface Kept {
  /** Its requests; earlier ones count less. */
  weight: number;
  /** Slot of its last request. */
  usedAt: number;
}

/**
 * The last hour of the busiest apps, by their uids, within fixed memory. An app that got no request for an hour is not
 * kept: nothing is what there is to show. The time is an argument: ms since 1970.
 */
export class AppLoadHistory {
  private readonly history: SeriesHistory<(typeof SERIES)[number]>;
  private readonly kept = new Map<string, Kept>();
  /** Of the first sample; before it nothing is known of any app. */
  private begin: number | null = null;

  constructor(private readonly most = MOST_APPS) {
    this.history = new SeriesHistory(SERIES, most);
  }

  /**
   * Takes a sample of all apps.
   * @param counts requests since the last sample
   * @param elapsed ms since the last sample
   */
  sample(counts: ReadonlyMap<string, AppTrafficCount>, elapsed: number, now: number): void {
    const slot = slotOf(now);
    if (this.begin === null || slot < this.begin) this.begin = slot;
    this.choose(counts, slot);
    const rate = (count: number) => (count * 1_000) / Math.max(1, elapsed);
    for (const uid of this.kept.keys()) {
      const count = counts.get(uid);
      const sample = { requests: rate(count?.requests ?? 0), errors: rate(count?.errors ?? 0) };
      this.history.add(uid, { ...sample, latency: count?.latency(0.95) ?? null }, now);
    }
  }

  of(uid: string, now: number): AppLoad {
    const { requests, errors, latency } = this.history.of(uid, now);
    const isKept = this.history.has(uid);
    // Of an app that could have been kept it is known that it got no requests.
    const isKnown = isKept || !this.history.isFull;
    const idle = (values: Array<number | null>) => {
      const known = values.findIndex((value) => value !== null);
      const before = known < 0 ? values.length : known;
      return values.map((value, index) => (isKnown && index < before ? this.idleAt(index, now) : value));
    };
    return {
      step: LOAD_STEP,
      end: slotOf(now) * LOAD_STEP,
      isKept: isKnown,
      requests: idle(requests),
      errors: idle(errors),
      latency,
    };
  }

  /** 0 where a sample was taken, otherwise null. */
  private idleAt(index: number, now: number): number | null {
    const slot = slotOf(now) - LOAD_POINTS + 1 + index;
    // The sample of the current slot may not have been taken yet.
    return this.begin !== null && slot >= this.begin && slot < slotOf(now) ? 0 : null;
  }

  /** Keeps the busiest apps, and no others. */
  private choose(counts: ReadonlyMap<string, AppTrafficCount>, slot: number): void {
    for (const each of this.kept.values()) each.weight *= DECAY;
    for (const [uid, { requests }] of counts) {
      const each = this.kept.get(uid) ?? { weight: 0, usedAt: slot };
      this.kept.set(uid, { weight: each.weight + requests, usedAt: slot });
    }
    for (const [uid, { usedAt }] of this.kept) if (usedAt <= slot - LOAD_POINTS) this.kept.delete(uid);
    if (this.kept.size > this.most) {
      const byWeight = [...this.kept].sort(([, one], [, other]) => one.weight - other.weight);
      for (const [uid] of byWeight.slice(0, this.kept.size - this.most)) this.kept.delete(uid);
    }
    this.history.keep((uid) => this.kept.has(uid));
  }
}
