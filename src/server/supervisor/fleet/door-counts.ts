import type { DoorReport } from '../../../shared/door-report';

/** What a door has counted between two of its reports. */
export interface DoorCounts {
  /** By uid of an app. */
  apps: Map<string, { requests: number; errors: number }>;
  /** By environment: answers by their first digit from 1 to 5, and requests without an answer. */
  environments: Map<string, number[]>;
}

/**
 * A door reports totals since its counters began, so that a report that nobody reads loses nothing, and none is counted twice.
 * @param before of the same beginning; null: all of it is new
 */
export function countedBetween(before: Pick<DoorReport, 'apps' | 'environments'> | null, now: DoorReport): DoorCounts {
  const more = (value: number, former = 0) => Math.max(0, value - former);
  const apps: DoorCounts['apps'] = new Map();
  for (const [uid, [requests, , errors]] of Object.entries(now.apps)) {
    const [formerRequests, , formerErrors] = before?.apps[uid] ?? [];
    const count = { requests: more(requests, formerRequests), errors: more(errors, formerErrors) };
    if (count.requests || count.errors) apps.set(uid, count);
  }
  const environments: DoorCounts['environments'] = new Map();
  for (const [name, answers] of Object.entries(now.environments)) {
    const counts = answers.map((answer, i) => more(answer, before?.environments[name]?.[i]));
    if (counts.some(Boolean)) environments.set(name, counts);
  }
  return { apps, environments };
}
