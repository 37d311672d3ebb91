/** Time between two values, in ms. */
export const LOAD_STEP = 30_000;
/** Number of values of each series: one hour. */
export const LOAD_POINTS = 120;

/** Null where nothing is known. */
export type Sample<S extends string> = Record<S, number | null>;
/** Oldest first. */
export type SeriesValues<S extends string> = Record<S, Array<number | null>>;

interface Ring<S extends string> {
  /** Number of the newest slot, counted from 1970. */
  last: number;
  /** The value of a slot is at `slot % LOAD_POINTS` of its series; NaN where nothing is known. */
  values: Record<S, Float32Array>;
}

/**
 * The last hour of many things, each with the same series, within fixed memory: 500 bytes for each series of each. The
 * time is an argument: ms since 1970.
 */
export class SeriesHistory<S extends string> {
  private readonly rings = new Map<string, Ring<S>>();

  /** @param most number of things; a further one is ignored */
  constructor(
    private readonly series: readonly S[],
    private readonly most: number,
  ) {}

  get isFull(): boolean {
    return this.rings.size >= this.most;
  }

  has(id: string): boolean {
    return this.rings.has(id);
  }

  add(id: string, sample: Sample<S>, now: number): void {
    const slot = slotOf(now);
    const ring = this.ringAt(id, slot);
    if (!ring) return;
    for (const series of this.series) ring.values[series][slot % LOAD_POINTS] = sample[series] ?? Number.NaN;
  }

  /** As `add`, for an earlier slot of the last hour, where nothing is known yet. */
  fill(id: string, sample: Sample<S>, slot: number, now: number): void {
    const ring = this.ringAt(id, slotOf(now));
    if (!ring) return;
    for (const series of this.series) {
      const values = ring.values[series];
      if (Number.isNaN(values[slot % LOAD_POINTS])) values[slot % LOAD_POINTS] = sample[series] ?? Number.NaN;
    }
  }

  /** Forgets the others. */
  keep(isKept: (id: string) => boolean): void {
    for (const id of this.rings.keys()) if (!isKept(id)) this.rings.delete(id);
  }

  of(id: string, now: number): SeriesValues<S> {
    const slot = slotOf(now);
    const values = (series: S) =>
      Array.from({ length: LOAD_POINTS }, (_, index) => this.at(id, series, slot - LOAD_POINTS + 1 + index));
    return Object.fromEntries(this.series.map((series) => [series, values(series)])) as SeriesValues<S>;
  }

  private at(id: string, series: S, slot: number): number | null {
    const ring = this.rings.get(id);
    if (!ring || slot > ring.last || slot <= ring.last - LOAD_POINTS) return null;
    const value = ring.values[series][slot % LOAD_POINTS];
    return Number.isNaN(value) ? null : Math.round(value * 100) / 100;
  }

  /** With empty slots up to this one; undefined if there are too many. */
  private ringAt(id: string, slot: number): Ring<S> | undefined {
    const known = this.rings.get(id);
    if (!known && this.isFull) return undefined;
    // A clock that was set back: what is known is of a time that has not come.
    const ring = known && slot >= known.last - 1 ? known : this.newRing(slot);
    this.rings.set(id, ring);
    for (let empty = Math.max(ring.last, slot - LOAD_POINTS) + 1; empty <= slot; empty++)
      for (const series of this.series) ring.values[series][empty % LOAD_POINTS] = Number.NaN;
    ring.last = Math.max(ring.last, slot);
    return ring;
  }

  private newRing(slot: number): Ring<S> {
    const empty = () => new Float32Array(LOAD_POINTS).fill(Number.NaN);
    return {
      last: slot,
      values: Object.fromEntries(this.series.map((series) => [series, empty()])) as Ring<S>['values'],
    };
  }
}

export const slotOf = (now: number): number => Math.floor(now / LOAD_STEP);

export function meanOf(values: Array<number | null>): number | null {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  return Math.round((known.reduce((sum, value) => sum + value, 0) / known.length) * 100) / 100;
}
