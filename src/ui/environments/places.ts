import type { ContainerRow } from '../../shared/container';
import type { EnvironmentRow, Health } from '../../shared/types';
import { nearestLimit } from './limits';

/** A row of the list: an environment, its container if this Supervisor has made one, or a container whose Worker has not joined yet. */
export interface Place {
  name: string;
  environment?: EnvironmentRow;
  container?: ContainerRow;
}

export function placesOf(environments: readonly EnvironmentRow[], containers: readonly ContainerRow[]): Place[] {
  const containerOf = (name: string) => containers.find(({ environment }) => environment === name);
  return [
    ...containers
      .filter(({ environment }) => !environments.some(({ name }) => name === environment))
      .map((container) => ({ name: container.environment, container })),
    ...environments.map((environment) => ({
      name: environment.name,
      environment,
      container: containerOf(environment.name),
    })),
  ];
}

/** What an environment may be, beside its health. */
export const TRAITS = ['near', 'cordoned', 'warned', 'notJoined'] as const;
export type Trait = Health | (typeof TRAITS)[number];

export function traitsOf({ environment }: Place): Trait[] {
  if (!environment) return ['notJoined'];
  const { health, cordoned, warnings } = environment;
  const has = { near: nearestLimit(environment)?.isNear, cordoned, warned: warnings.length > 0 };
  return [health, ...(['near', 'cordoned', 'warned'] as const).filter((trait) => has[trait])];
}

/**
 * Those that have all words of the text, in any order, and one of the traits.
 * @param traits none: any
 */
export function found(places: readonly Place[], text: string, traits: readonly string[]): Place[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return places.filter((place) => {
    const { name, environment } = place;
    const { url = '', proxyUrl = '', instance = null, appVersion = '' } = environment ?? {};
    const all = [name, url, proxyUrl, instance, appVersion, place.container?.image].join(' ').toLowerCase();
    return (
      words.every((word) => all.includes(word)) &&
      (traits.length === 0 || traitsOf(place).some((trait) => traits.includes(trait)))
    );
  });
}
