import type { Status } from '../../../shared/words';

/** An app as it is sorted. */
export interface Sorted {
  name: string;
  title: string;
  /** In all of its environments. */
  statuses: readonly Status[];
}

/** What needs somebody first; an app without an environment comes before all of them. */
const WORST_FIRST: readonly Status[] = [
  'error',
  'unknown',
  'waiting',
  'preparing',
  'initializing',
  'initialized',
  'commanding',
  'not_found',
  'stopped',
  'dormant',
  'running',
];

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const rankOf = ({ statuses }: Sorted): number =>
  Math.min(
    ...statuses.map((status) => WORST_FIRST.indexOf(status) + 1),
    statuses.length ? Number.POSITIVE_INFINITY : 0,
  );

/** Fields of the list that people expect in an order that databases do not have: `cluster-2` before `cluster-10`, and the worst status first. */
export const ORDERS: Record<string, (one: Sorted, other: Sorted) => number> = {
  name: (one, other) => natural.compare(one.name, other.name),
  title: (one, other) => natural.compare(one.title, other.title),
  status: (one, other) => rankOf(one) - rankOf(other) || natural.compare(one.title, other.title),
};
