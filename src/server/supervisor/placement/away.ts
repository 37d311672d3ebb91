import type { Away } from '../../../shared/environment';
import { say } from '../../../shared/message';
import type { MovePreview } from '../../../shared/move';
import type { DrainMode } from '../../../shared/words';
import type { AppDefinition } from '../apps/repository';
import { arrivingAt } from '../rollout/spec';
import type { Refused } from './moves';

export interface DrainPlan {
  moved: Array<MovePreview & { to: string }>;
  stopped: AppDefinition[];
  /** What stays as it is. */
  left: Refused[];
}

/** @param previews of the moves of these apps; not used with `stop` */
export function drainPlan(
  environment: string,
  mode: DrainMode,
  apps: readonly AppDefinition[],
  previews: readonly MovePreview[],
): DrainPlan {
  if (mode === 'stop') return { moved: [], stopped: apps.filter((app) => isWantedIn(app, environment)), left: [] };
  const moved = previews.filter(isMovable);
  const others = apps.filter(({ name }) => !moved.some(({ app }) => app === name));
  const stopped = mode === 'move' ? [] : others.filter((app) => isWantedIn(app, environment));
  const reasonOf = (name: string) => previews.find(({ app }) => app === name)?.refused ?? say('MOVE_NO_PLACE');
  const left = others.filter((app) => !stopped.includes(app)).map(({ name }) => ({ app: name, ...reasonOf(name) }));
  return { moved, stopped, left };
}

const isMovable = (preview: MovePreview): preview is DrainPlan['moved'][number] =>
  preview.refused === null && preview.to !== null;

const isWantedIn = ({ desired, placements }: AppDefinition, environment: string): boolean =>
  desired === 'running' && placements[environment]?.want !== 'stopped';

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

/** Those of a former drain, and those of a new one, which knows better. */
export const mergeAway = (before: readonly Away[], now: readonly Away[]): Away[] => [
  ...before.filter(({ uid }) => !now.some((each) => each.uid === uid)),
  ...now,
];
