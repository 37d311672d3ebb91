import type { ContainerStatus } from '../../../shared/container';

/**
 * An upgrade puts the former container aside until the new one has shown that it works. What is aside is known by its name alone, so a
 * Supervisor that ends in the middle leaves nothing that the next one does not understand. Pure functions.
 */

/** Names of environments' containers have no dot. */
const ASIDE = '.former';
export const asideOf = (name: string): string => `${name}${ASIDE}`;
export const isAside = (name: string): boolean => name.endsWith(ASIDE);

/** Starts of a new container that end by themselves. */
const TRIES = 3;
/** Within this time an upgrade goes from one container to the other, unless its Supervisor has ended, in ms. */
const UNDER_WAY = 120_000;

/** What becomes of the former container: `wait`: nothing yet; `restore`: it takes the place of the new one; `remove`: it goes. */
export type Verdict = 'wait' | 'restore' | 'remove';

export interface NewContainer {
  status: ContainerStatus;
  /** Whether it has ever been started. */
  hasRun: boolean;
  restarts: number;
}

/**
 * @param next null: there is no new one
 * @param since for how long the former one is aside and nothing else has changed, in ms
 */
export function verdictOn(next: NewContainer | null, since: number): Verdict {
  if (!next?.hasRun) return since > UNDER_WAY ? 'restore' : 'wait';
  switch (next.status) {
    case 'running':
      return 'remove';
    case 'unhealthy':
    case 'died':
      return 'restore';
    case 'restarting':
    case 'starting':
      return next.restarts >= TRIES ? 'restore' : 'wait';
    // Somebody wanted that.
    case 'stopped':
      return 'wait';
  }
}
