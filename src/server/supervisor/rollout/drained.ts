import type { Away } from '../../../shared/environment';
import type { AppDefinition } from '../definitions/repository';
import { arrivingAt } from './spec';

/** Of the apps that a drain has taken from an environment, those that are still as it left them, or are about to be. */
export const stillAway = (
  environment: string,
  away: readonly Away[],
  apps: ReadonlyMap<string, AppDefinition>,
): Away[] =>
  away.filter(({ app: name, uid, to }) => {
    const app = apps.get(name);
    if (app?.uid !== uid) return false;
    const isThere = app.environments.includes(environment);
    if (to !== null) return isThere ? arrivingAt(app) === to : app.environments.includes(to);
    return isThere && app.desired === 'running' && app.placements[environment]?.want === 'stopped';
  });
