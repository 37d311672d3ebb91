import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Plan, PlannedEvent } from './plan';

/**
 * Plans in a file, one a line, so that they can be run when plans are drawn in another way: of an event its time, kind, `which`, `ms`
 * and `choice`.
 */

type StoredEvent = [PlannedEvent['at'], PlannedEvent['do'], number, number, number];

export function packPlan({ events, ...settings }: Plan): string {
  const packed = events.map(({ at, do: what, which, ms, choice }): StoredEvent => [at, what, which, ms, choice]);
  return JSON.stringify({ ...settings, events: packed });
}

export function unpackPlan(line: string): Plan {
  const { events, ...settings } = JSON.parse(line) as Omit<Plan, 'events'> & { events: StoredEvent[] };
  const unpacked = events.map(([at, what, which, ms, choice]): PlannedEvent => ({ at, do: what, which, ms, choice }));
  return { ...settings, events: unpacked };
}

/** @param file compressed if its name ends in `.gz` */
export function readPlans(file: string): Plan[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text.split('\n').filter(Boolean).map(unpackPlan);
}
