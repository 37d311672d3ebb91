import { type Status, WORST_FIRST, worstOf } from '../../../shared/words';

/** An app as it is sorted. */
export interface Sorted {
  name: string;
  title: string;
  /** In all of its environments. */
  statuses: readonly Status[];
  labels: readonly string[];
}

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const rankOf = ({ statuses }: Sorted): number => WORST_FIRST.indexOf(worstOf(statuses));

/** By the labels in their order; apps without labels come last. */
function byLabels({ labels: one }: Sorted, { labels: other }: Sorted): number {
  if (!one.length || !other.length) return other.length - one.length;
  const [mine, theirs] = [one, other].map((labels) => labels.toSorted(natural.compare));
  const first = mine.findIndex((label, index) => natural.compare(label, theirs[index] ?? '') !== 0);
  return first === -1 ? mine.length - theirs.length : natural.compare(mine[first], theirs[first] ?? '');
}

/** Fields of the list that people expect in an order that databases do not have: `cluster-2` before `cluster-10`, and the worst status first. */
export const ORDERS: Record<string, (one: Sorted, other: Sorted) => number> = {
  name: (one, other) => natural.compare(one.name, other.name),
  title: (one, other) => natural.compare(one.title, other.title),
  labels: (one, other) => byLabels(one, other) || natural.compare(one.title, other.title),
  status: (one, other) => rankOf(one) - rankOf(other) || natural.compare(one.title, other.title),
};
