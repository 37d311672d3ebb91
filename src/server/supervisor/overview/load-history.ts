import {
  LOAD_POINTS,
  LOAD_STEP,
  meanOf,
  type Sample,
  SeriesHistory,
  type SeriesValues,
  slotOf,
} from './series-history';

/** Number of values that one coarse value stands for. */
const COARSE = 10;
/** Number of environments whose history is kept: it takes 2.5 kB of memory for each. */
const MOST_ENVIRONMENTS = 500;

const SERIES = ['memory', 'cpu', 'delay', 'requests', 'errors'] as const;
type Series = (typeof SERIES)[number];
export type LoadSample = Sample<Series>;

/** A history with one value for each five minutes, as it is stored. */
export type CoarseLoad = { end: number } & SeriesValues<Series>;

/** The last hour of each environment, within fixed memory. The time is an argument: ms since 1970. */
export class LoadHistory extends SeriesHistory<Series> {
  constructor() {
    super(SERIES, MOST_ENVIRONMENTS);
  }

  /** To be stored. */
  coarse(name: string, now: number): CoarseLoad {
    const series = this.of(name, now);
    const means = (values: Array<number | null>) =>
      Array.from({ length: LOAD_POINTS / COARSE }, (_, index) =>
        meanOf(values.slice(index * COARSE, (index + 1) * COARSE)),
      );
    const all = Object.fromEntries(SERIES.map((each) => [each, means(series[each])])) as SeriesValues<Series>;
    return { end: slotOf(now) * LOAD_STEP, ...all };
  }

  /** Fills what is not known since a restart. What is not of the last hour is ignored. */
  restore(name: string, stored: CoarseLoad, now: number): void {
    const [newest, end] = [slotOf(now), slotOf(stored.end)];
    if (end > newest) return;
    for (let slot = Math.max(newest - LOAD_POINTS, end - LOAD_POINTS) + 1; slot <= end; slot++) {
      const index = Math.floor((slot - end + LOAD_POINTS - 1) / COARSE);
      const sample = Object.fromEntries(SERIES.map((series) => [series, stored[series]?.[index] ?? null]));
      this.fill(name, sample as LoadSample, slot, now);
    }
  }
}
