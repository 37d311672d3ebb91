import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { placeRefusal } from './move-refusals';
import type { Place } from './places';

export type FleetPlaces = Parameters<typeof placeRefusal>[1] & {
  appCache: Pick<AppCache, 'apps'>;
  environmentCache: Pick<EnvironmentCache, 'names'>;
  observer: Pick<FleetObserver, 'environment'>;
};

/** All environments of the fleet, as places for apps. */
export function placesIn(fleet: FleetPlaces): Place[] {
  const { environmentCache, observer, appCache } = fleet;
  const counts = new Map<string, number>();
  for (const { environments } of appCache.apps.values())
    for (const name of environments) counts.set(name, (counts.get(name) ?? 0) + 1);
  return environmentCache.names().map((name) => ({
    name,
    refusal: placeRefusal(name, fleet),
    apps: counts.get(name) ?? 0,
    delay: observer.environment(name)?.lease?.eventLoopDelay ?? null,
    server: environmentCache.registrationOf(name)?.databaseRole?.server || null,
  }));
}
