import type { EnvironmentRow } from '../../shared/environment';

/** A limit that holds for the process of an environment. */
export interface Limit {
  of: 'heap' | 'container' | 'machine' | 'cpu';
  used: number;
  limit: number;
  /** In percent. */
  share: number;
  /** Whether so much is used that it is told. */
  isNear: boolean;
}

/** From this share on it is near, in percent: as for the events "near limit". */
const NEAR = 90;

/** What is used of each limit. A container that has one ends its process there, so that of its machine does not count. */
export function limitsOf({ heap, container, machine, cpu }: NonNullable<EnvironmentRow['usage']>): Limit[] {
  const limit = (of: Limit['of'], { used, limit }: { used: number; limit: number }): Limit[] => {
    const share = Math.round((100 * used) / limit);
    return limit > 0 ? [{ of, used, limit, share, isNear: share >= NEAR }] : [];
  };
  return [
    ...limit('heap', heap),
    ...(container ? limit('container', container) : limit('machine', machine)),
    ...limit('cpu', cpu),
  ];
}

/** The limit of which most is used; null if nothing is known of them. */
export const nearestLimit = ({ usage }: Pick<EnvironmentRow, 'usage'>): Limit | null =>
  usage ? (limitsOf(usage).sort((one, other) => other.share - one.share)[0] ?? null) : null;
