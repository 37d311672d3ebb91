import type { Away } from '../../../shared/environment';
import { say } from '../../../shared/message';
import type { MovePreview } from '../../../shared/move';
import type { DrainMode } from '../../../shared/words';
import type { AppDefinition } from '../apps/repository';
import { arrivalIn } from '../control/arrival';
import type { Operation } from '../control/rollout';
import { askedOf } from '../rollout/uploads';
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

const isWantedIn = ({ desired, published }: AppDefinition, environment: string): boolean =>
  desired === 'running' && askedOf(published, environment)?.desired !== 'stopped';

/**
 * Of the apps that a drain has taken from an environment, those that are still as it left them, or are about to be.
 * @param operationsOf an app, by its uid: those that are not finished
 */
export const stillAway = (
  environment: string,
  away: readonly Away[],
  apps: ReadonlyMap<string, AppDefinition>,
  operationsOf: (uid: string) => ReadonlyArray<Pick<Operation, 'steps'>>,
): Away[] =>
  away.filter(({ app: name, uid, to }) => {
    const app = apps.get(name);
    if (app?.uid !== uid) return false;
    const isThere = app.environments.includes(environment);
    if (to !== null)
      return isThere ? arrivalIn(operationsOf(uid), app, to) !== undefined : app.environments.includes(to);
    const rests = app.published[environment]?.desired === 'stopped';
    return isThere && app.desired === 'running' && (rests || isStopping(operationsOf(uid), environment));
  });

const isStopping = (operations: ReadonlyArray<Pick<Operation, 'steps'>>, environment: string): boolean =>
  operations.some(({ steps }) => steps.some((step) => step.environment === environment && step.kind === 'stop'));

/** Those of a former drain, and those of a new one, which knows better. */
export const mergeAway = (before: readonly Away[], now: readonly Away[]): Away[] => [
  ...before.filter(({ uid }) => !now.some((each) => each.uid === uid)),
  ...now,
];
