/** A series as it is drawn: its values, oldest first; null where nothing is known. */
export type Values = ReadonlyArray<number | null>;

/**
 * The lines of a plot: one for each stretch of known values, as points of an SVG polyline.
 * @param top the value at the upper edge
 */
export function linesOf(values: Values, top: number, width: number, height: number): string[] {
  const lines: string[][] = [[]];
  const step = width / Math.max(1, values.length - 1);
  const round = (value: number) => Math.round(value * 10) / 10;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      lines.push([]);
      continue;
    }
    const y = height - (Math.min(value, top) / (top || 1)) * height;
    lines[lines.length - 1].push(`${round(index * step)},${round(y)}`);
  }
  // A single value is a short line, so that it is seen.
  return lines.filter((line) => line.length).map((line) => (line.length > 1 ? line : [...line, line[0]]).join(' '));
}

export const highestOf = (values: Values): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
};

/** A limit that is further away than so many times the highest value would make the line flat: it is told, and not drawn. */
const NEAR_LIMIT = 4;

/** The highest value that a plot has room for. @param limit null: there is none, or it is not known */
export function reachOf(values: Values, limit: number | null): number {
  const highest = highestOf(values) ?? 0;
  return limit !== null && limit <= highest * NEAR_LIMIT ? Math.max(limit, highest) : highest;
}

/** How many parts an axis has at most. */
const PARTS = 4;

/**
 * The values at the lines of an axis: round ones, from 0 to one that is not below the highest.
 * @param base 1024 for bytes, so that they are round in the unit that is shown
 */
export function ticksOf(highest: number, base: 1000 | 1024 = 1000): number[] {
  if (highest <= 0) return [0, 1];
  const unit = base ** Math.floor(Math.log(highest) / Math.log(base));
  const least = highest / unit / PARTS;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = ([1, 2, 5, 10].find((each) => each * power >= least * 0.999) ?? 10) * power * unit;
  const count = Math.max(1, Math.ceil(highest / step - 0.001));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEPS = [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR];

/**
 * Round times within a span, in ms since 1970.
 * @param most how many there is room for
 * @param zone how much local time is ahead of UTC, in ms: midnight is round
 */
export function timeTicksOf(from: number, to: number, most: number, zone: number): number[] {
  const step = STEPS.find((each) => (to - from) / each <= most) ?? STEPS[STEPS.length - 1];
  const first = Math.ceil((from + zone) / step) * step - zone;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
}

/** The newest value may not have been taken yet: only from two missing ones on, nothing is known. */
const MISSING = 2;

/**
 * Since when nothing is known of a series that has ended, in ms since 1970; null if it goes on, or has no value at all.
 * @param end time of the last value; `step` between two, in ms
 */
export function endedAt(values: Values, end: number, step: number): number | null {
  const last = values.findLastIndex((value) => value !== null);
  return last < 0 || last >= values.length - MISSING ? null : end - (values.length - 1 - last) * step;
}

/** The value of now: the newest, or the one before it if that was not taken yet; null if nothing is known. */
export const nowOf = (values: Values): number | null =>
  values.slice(-MISSING).findLast((value) => value !== null) ?? null;

/** The value that a pointer is over. @param at from 0 at the left edge to 1 at the right one */
export const indexAt = (at: number, count: number): number =>
  Math.min(count - 1, Math.max(0, Math.round(at * (count - 1))));

/** The value that a key leads to; null for another key. */
export function nextIndex(key: string, index: number, count: number): number | null {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[key];
  if (step !== undefined) return Math.min(count - 1, Math.max(0, index + step));
  if (key === 'Home') return 0;
  return key === 'End' ? count - 1 : null;
}
