import type { Away } from '../../../shared/environment';
import { say } from '../../../shared/message';
import type { MovePreview } from '../../../shared/move';
import type { DrainMode } from '../../../shared/words';
import type { AppDefinition } from '../definitions/repository';
import type { Refused } from '../requests/bulk';

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
  const isServed = (app: AppDefinition) => previews.some((each) => each.app === app.name && each.servedIn.length > 0);
  const stopped = others.filter((app) => isWantedIn(app, environment) && (mode === 'moveOrStop' || isServed(app)));
  const reasonOf = (name: string) => previews.find(({ app }) => app === name)?.refused ?? say('MOVE_NO_PLACE');
  const left = others.filter((app) => !stopped.includes(app)).map(({ name }) => ({ app: name, ...reasonOf(name) }));
  return { moved, stopped, left };
}

export const isMovable = (preview: MovePreview): preview is DrainPlan['moved'][number] =>
  preview.refused === null && preview.to !== null;

const isWantedIn = ({ desired, placements }: AppDefinition, environment: string): boolean =>
  desired === 'running' && placements[environment]?.want !== 'stopped';

/** Those of a former drain, and those of a new one, which knows better. */
export const mergeAway = (before: readonly Away[], now: readonly Away[]): Away[] => [
  ...before.filter(({ uid }) => !now.some((each) => each.uid === uid)),
  ...now,
];
