import type { AdminPassword, Registration, StatusEntry } from '../../../shared/messages';
import type { ActiveConfig } from '../../config';
import type { AppDefinition } from '../definitions/repository';
import type { FleetViewOptions } from '../fleet/view';

/** What the security checklist is made of. A new check that needs more adds it here. */
export interface ChecklistFacts extends OwnFacts {
  apps: AppFacts[];
  environments: EnvironmentFacts[];
}

/** Of this process. */
export interface OwnFacts {
  config: ActiveConfig;
  /** The problem of the password of the main app's root user; null if there is none. */
  ownAdmin: AdminPassword | null;
  /** Whether anybody can sign up to the main app. */
  hasOpenSignUp: boolean;
}

export interface AppFacts {
  /** As stored: secrets are sealed. */
  app: AppDefinition;
  /** What its environments last reported of this incarnation; empty if none has. */
  reports: Array<{ environment: string; entry: StatusEntry }>;
}

export interface EnvironmentFacts {
  name: string;
  /** Its last registration; null if none is known. */
  registration: Registration | null;
}

/** Everything from memory, as of now. */
export function gatherFacts(
  { appCache, observer, environmentCache }: Pick<FleetViewOptions, 'appCache' | 'observer' | 'environmentCache'>,
  own: OwnFacts,
): ChecklistFacts {
  const apps = [...appCache.apps.values()].map((app) => ({ app, reports: observer.reportsOf(app) }));
  const environments = environmentCache.names().map((name) => ({
    name,
    registration: environmentCache.registrationOf(name),
  }));
  return { ...own, apps, environments };
}
