import { type CountedStatus, WORST_FIRST } from '../../../shared/words';
import type { AppDefinition } from '../definitions/repository';

/** An app as it is sorted. */
export interface Sorted {
  app: Pick<AppDefinition, 'name' | 'title' | 'labels'>;
  /** The worst one in all of its environments. */
  readonly status: CountedStatus;
}

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const rankOf = ({ status }: Sorted): number => WORST_FIRST.indexOf(status);
const byTitle = ({ app: one }: Sorted, { app: other }: Sorted) => natural.compare(one.title, other.title);

/** By the labels in their order; apps without labels come last. */
function byLabels({ app: { labels: one } }: Sorted, { app: { labels: other } }: Sorted): number {
  if (!one.length || !other.length) return other.length - one.length;
  const [mine, theirs] = [one, other].map((labels) => labels.toSorted(natural.compare));
  const first = mine.findIndex((label, index) => natural.compare(label, theirs[index] ?? '') !== 0);
  return first === -1 ? mine.length - theirs.length : natural.compare(mine[first], theirs[first] ?? '');
}

/** Fields of the list that people expect in an order that databases do not have: `cluster-2` before `cluster-10`, and the worst status first. */
export const ORDERS: Partial<Record<string, (one: Sorted, other: Sorted) => number>> = {
  name: ({ app: one }, { app: other }) => natural.compare(one.name, other.name),
  title: byTitle,
  labels: (one, other) => byLabels(one, other) || byTitle(one, other),
  status: (one, other) => rankOf(one) - rankOf(other) || byTitle(one, other),
};
