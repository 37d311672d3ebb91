import type { RouteSettings } from '../../src/shared/routes';
import type { Outcome, Visitors } from './door-compare';
import { makeRequest } from './door-requests';
import type { World } from './door-world';

/** Settings under which requests are compared, and the seed of the first one. */
export const WORLDS: Record<string, { settings: Partial<RouteSettings>; seed: number }> = {
  'apps below one address': { settings: {}, seed: 1 },
  'apps with a domain, below a path': {
    settings: {
      appsDomain: 'apps.test',
      publicPath: '/nb/',
      apiBase: '/nb/api',
      wsPath: '/nb/ws',
      frameAncestors: { main: "'self'", apps: "'self' https://a.test" },
    },
    seed: 1_000_000,
  },
};

/** Visitors at the same time. */
const AT_ONCE = 12;
interface More {
  /** Differences after which nobody asks on. */
  enough?: number;
  /** How many of a hundred have something odd about them. */
  oddOnes?: number;
  /** By seed; what has another one is a difference. */
  outcomes?: Record<number, Outcome>;
}

/** Sends requests both ways. */
export async function compareAll(
  world: World,
  visitors: Visitors,
  seed: number,
  count: number,
  { enough = 5, oddOnes, outcomes: expected }: More = {},
) {
  const counted: Record<string, number> = {};
  const different: unknown[] = [];
  const outcomes: Record<number, Outcome> = {};
  let [next, taken] = [seed, 0];
  const visit = async () => {
    while (next < seed + count && different.length < enough) {
      const own = next++;
      const asked = makeRequest(own, world.apps, world.settings, oddOnes);
      const compared = await visitors.compare(String(own), asked);
      outcomes[own] = compared.outcome;
      const isOther = expected !== undefined && expected[own] !== compared.outcome;
      if (compared.different.length || isOther) different.push({ seed: own, ...asked, ...compared });
      const kind = `${compared.outcome} ${asked.odd.length ? 'with something odd' : 'as a browser sends it'}`;
      counted[kind] = (counted[kind] ?? 0) + 1;
      if (compared.outcome === 'taken') taken++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visit));
  return { different, outcomes, counted, taken: taken / count };
}
