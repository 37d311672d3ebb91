import type { Message } from '../../../shared/message';

/** An environment as a place for an app. */
export interface Place {
  name: string;
  /** Why it gets no apps now, whichever app it is; null if it does. */
  refusal: Message | null;
  /** Number of apps that are assigned to it. */
  apps: number;
  /** 99th percentile of the event-loop delay, in ms; null if unknown. */
  delay: number | null;
  /** Database server of its apps; null if unknown. */
  server: string | null;
}

/** A longer event-loop delay means that an environment is busy, in ms. */
const BUSY = 500;

/**
 * The environments that fit, best first: those that use the same database server as before, because the data is there; those that are
 * not busy; those with the fewest apps.
 *
 * @param taken environments that are no place for it: the app runs there
 * @param server the database server that it uses now; null if unknown, or if the app has its own connection
 */
export function placesFor(places: readonly Place[], taken: readonly string[], server: string | null): string[] {
  const rank = ({ server: own, delay }: Place) =>
    (server !== null && own !== null && own !== server ? 2 : 0) + (delay !== null && delay > BUSY ? 1 : 0);
  return places
    .filter(({ name, refusal }) => refusal === null && !taken.includes(name))
    .sort((one, other) => rank(one) - rank(other) || one.apps - other.apps || (one.name < other.name ? -1 : 1))
    .map(({ name }) => name);
}

/**
 * The places that fit each of several apps, which are spread.
 * @param needs of each app: its environments, and the database server that it uses now
 * @returns by app, best first; empty if none fits
 */
export function spread(
  places: readonly Place[],
  needs: ReadonlyArray<{ app: string; taken: readonly string[]; server: string | null }>,
): Map<string, string[]> {
  const now = places.map((place) => ({ ...place }));
  return new Map(
    needs.map(({ app, taken, server }) => {
      const fitting = placesFor(now, taken, server);
      const place = now.find(({ name }) => name === fitting[0]);
      if (place) place.apps++;
      return [app, fitting];
    }),
  );
}
