import type { EnvironmentLoad } from '../../../shared/summary';

/** Time between two values, in ms. */
export const LOAD_STEP = 30_000;
/** Number of values of each series: one hour. */
export const LOAD_POINTS = 120;
/** Number of values that one coarse value stands for. */
const COARSE = 10;
/** Number of environments whose history is kept: it takes 2 kB of memory for each. */
const MOST_ENVIRONMENTS = 500;

const SERIES = ['memory', 'delay', 'requests', 'errors'] as const;
type Series = (typeof SERIES)[number];
/** Null where nothing is known. */
export type LoadSample = Record<Series, number | null>;

/** A history with one value for each five minutes, as it is stored. */
export type CoarseLoad = { end: number } & Record<Series, Array<number | null>>;

interface Ring {
  /** Number of the newest slot, counted from 1970. */
  last: number;
  /** The value of a slot is at `slot % LOAD_POINTS` of its series; NaN where nothing is known. */
  values: Record<Series, Float32Array>;
}

/** The last hour of each environment, within fixed memory. The time is an argument: ms since 1970. */
export class LoadHistory {
  private readonly rings = new Map<string, Ring>();

  add(name: string, sample: LoadSample, now: number): void {
    const slot = slotOf(now);
    const ring = this.ringAt(name, slot);
    if (!ring) return;
    for (const series of SERIES) ring.values[series][slot % LOAD_POINTS] = sample[series] ?? Number.NaN;
  }

  /** Forgets the others. */
  keep(names: readonly string[]): void {
    for (const name of this.rings.keys()) if (!names.includes(name)) this.rings.delete(name);
  }

  of(name: string, now: number): EnvironmentLoad {
    const slot = slotOf(now);
    const series = (each: Series) =>
      Array.from({ length: LOAD_POINTS }, (_, index) => this.at(name, each, slot - LOAD_POINTS + 1 + index));
    return {
      name,
      memory: series('memory'),
      delay: series('delay'),
      requests: series('requests'),
      errors: series('errors'),
    };
  }

  /** To be stored. */
  coarse(name: string, now: number): CoarseLoad {
    const load = this.of(name, now);
    const means = (values: Array<number | null>) =>
      Array.from({ length: LOAD_POINTS / COARSE }, (_, index) =>
        meanOf(values.slice(index * COARSE, (index + 1) * COARSE)),
      );
    return {
      end: slotOf(now) * LOAD_STEP,
      memory: means(load.memory),
      delay: means(load.delay),
      requests: means(load.requests),
      errors: means(load.errors),
    };
  }

  /** Fills what is not known since a restart. What is not of the last hour is ignored. */
  restore(name: string, stored: CoarseLoad, now: number): void {
    const [newest, end] = [slotOf(now), slotOf(stored.end)];
    if (end > newest) return;
    const ring = this.ringAt(name, newest);
    if (!ring) return;
    for (let slot = Math.max(newest - LOAD_POINTS, end - LOAD_POINTS) + 1; slot <= end; slot++) {
      const index = Math.floor((slot - end + LOAD_POINTS - 1) / COARSE);
      for (const series of SERIES) {
        const values = ring.values[series];
        if (Number.isNaN(values[slot % LOAD_POINTS])) values[slot % LOAD_POINTS] = stored[series][index] ?? Number.NaN;
      }
    }
  }

  private at(name: string, series: Series, slot: number): number | null {
    const ring = this.rings.get(name);
    if (!ring || slot > ring.last || slot <= ring.last - LOAD_POINTS) return null;
    const value = ring.values[series][slot % LOAD_POINTS];
    return Number.isNaN(value) ? null : Math.round(value * 100) / 100;
  }

  /** The ring of an environment, with empty slots up to this one; undefined if there are too many, or the clock went back. */
  private ringAt(name: string, slot: number): Ring | undefined {
    const ring = this.rings.get(name) ?? (this.rings.size < MOST_ENVIRONMENTS ? newRing(slot) : undefined);
    if (!ring) return undefined;
    // A clock that was set back: what is known is of a time that has not come.
    if (slot < ring.last - 1) this.rings.set(name, newRing(slot));
    else this.rings.set(name, ring);
    const current = this.rings.get(name) as Ring;
    for (let empty = Math.max(current.last, slot - LOAD_POINTS) + 1; empty <= slot; empty++)
      for (const series of SERIES) current.values[series][empty % LOAD_POINTS] = Number.NaN;
    current.last = Math.max(current.last, slot);
    return current;
  }
}

const slotOf = (now: number): number => Math.floor(now / LOAD_STEP);

const newRing = (slot: number): Ring => {
  const empty = () => new Float32Array(LOAD_POINTS).fill(Number.NaN);
  return { last: slot, values: { memory: empty(), delay: empty(), requests: empty(), errors: empty() } };
};

function meanOf(values: Array<number | null>): number | null {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  return Math.round((known.reduce((sum, value) => sum + value, 0) / known.length) * 100) / 100;
}
