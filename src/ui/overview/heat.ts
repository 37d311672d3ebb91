import type { EventRow } from '../../shared/types';

/** What was worst in a part of the time: of a part that was not read, nothing is known. */
export type HeatState = 'quiet' | 'failure' | 'outage' | 'unread';

export interface HeatCell {
  /** In ms since 1970. */
  from: number;
  to: number;
  state: HeatState;
  /** Number of outages and of failures that were in it. */
  outages: number;
  failures: number;
}

/** Number of parts of the whole time. */
export const CELLS = 24;

/** Kinds of events that are looked at. */
export const HEAT_KINDS = ['health', 'crash', 'failure'] as const;

/**
 * The parts of a time, by environment, with what happened there in each.
 * @param events newest first
 * @param readFrom since when all events are among them; null: all
 * @param now ms since 1970; the end of the time
 */
export function heatOf(
  events: readonly EventRow[],
  span: number,
  now: number,
  readFrom: number | null,
): Map<string, HeatCell[]> {
  const cells = new Map<string, HeatCell[]>();
  const width = span / CELLS;
  for (const { environment, kind, at, endedAt } of events) {
    if (environment === null) continue;
    const own = cells.get(environment) ?? quiet(span, now, readFrom);
    cells.set(environment, own);
    // A failure counts when it came, an outage as long as it lasted.
    const end = kind === 'health' ? (endedAt ?? now) : at;
    const placeOf = (time: number) => Math.floor((time - now + span) / width);
    for (let place = Math.max(0, placeOf(at)); place <= Math.min(CELLS - 1, placeOf(end)); place++) {
      const cell = own[place];
      if (kind === 'health') cell.outages++;
      else cell.failures++;
      cell.state = cell.outages ? 'outage' : 'failure';
    }
  }
  return cells;
}

/** Of an environment to which nothing happened. */
export const quiet = (span: number, now: number, readFrom: number | null): HeatCell[] =>
  Array.from({ length: CELLS }, (_, index) => {
    const from = now - span + (index * span) / CELLS;
    const state = readFrom !== null && from < readFrom ? 'unread' : 'quiet';
    return { from, to: from + span / CELLS, state, outages: 0, failures: 0 };
  });
