import type { EnvironmentSummary } from '../../shared/summary';
import type { Health, Status } from '../../shared/types';

/** What needs somebody first. */
const HEALTH_RANK: Record<Health, number> = { down: 0, unknown: 2, suspect: 3, stopping: 4, online: 6 };
const FAILED_RANK = 1;
/** Cordoned: somebody works there. */
const CORDONED_RANK = 5;
const WELL = HEALTH_RANK.online;

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Smaller is worse. */
function rankOf({ health, apps, cordoned }: EnvironmentSummary): number {
  const failed = apps.error ? FAILED_RANK : WELL;
  return Math.min(HEALTH_RANK[health], failed, cordoned ? CORDONED_RANK : WELL);
}

export const countOf = (apps: Partial<Record<Status, number>>): number =>
  Object.values(apps).reduce((sum, count) => sum + count, 0);

/** Environments in the order in which somebody has to look at them. */
export const worstFirst = (environments: readonly EnvironmentSummary[]): EnvironmentSummary[] =>
  [...environments].sort(
    (one, other) =>
      rankOf(one) - rankOf(other) ||
      (other.apps.error ?? 0) - (one.apps.error ?? 0) ||
      natural.compare(one.name, other.name),
  );

/** So many are shown at once, and all that are not well. */
const SHOWN = 10;

/** How many of the sorted environments are shown until somebody asks for all: no single one is left out. */
export function shownAtFirst(sorted: readonly EnvironmentSummary[]): number {
  const unwell = sorted.filter((environment) => rankOf(environment) < WELL).length;
  const shown = Math.max(SHOWN, unwell);
  return sorted.length - shown <= 1 ? sorted.length : shown;
}
