import { say } from '../../../shared/message';
import type { Operation, Step } from '../../../shared/operation';
import type { AppDefinition } from '../apps/repository';

/**
 * A move that begins with a copy: the app is placed at its old place, and runs there, until the copy is over. Then it is placed at its
 * new place, and the move goes on as one that copies nothing ahead. So whatever happens before that finds the app where it runs.
 */

type Moving = Pick<Operation, 'steps'>;
export type PlacedApp = Pick<AppDefinition, 'environments'>;
/** Where an app is placed. */
export type Place = Pick<AppDefinition, 'environments' | 'targetEnvironment' | 'home'>;

/** The copy with which a move begins, as long as the app is not placed where it goes; null if it is, or nothing is copied ahead. */
export function arrivalOf({ steps }: Moving, { environments }: PlacedApp): Step | null {
  const copy = steps.find(({ kind }) => kind === 'copy');
  return copy && !environments.includes(copy.environment) ? copy : null;
}

/** The operation that moves an app to an environment, as long as the app is placed elsewhere. */
export const arrivalIn = <O extends Moving>(
  operations: readonly O[],
  app: PlacedApp,
  environment: string,
): O | undefined =>
  operations.find((operation) => {
    const copy = arrivalOf(operation, app);
    return copy?.environment === environment && copy.state !== 'cancelled';
  });

/** Where the app is placed when the copy is over: it has one environment, and is not there because another one is down. */
export const placeAfter = ({ environment }: Pick<Step, 'environment'>): Place => ({
  environments: [environment],
  targetEnvironment: environment,
  home: null,
});

/** Where the app is placed from now on; null if nothing changes, or its new place was forgotten. */
export function arrives(operation: Moving, app: PlacedApp): Place | null {
  const copy = arrivalOf(operation, app);
  const isOpen = ({ kind, finishedAt }: Step) => kind === 'boot' && finishedAt === undefined;
  return copy?.state === 'succeeded' && operation.steps.some(isOpen) ? placeAfter(copy) : null;
}

/** Whether a step may begin before the app is placed where it goes: it stays where it runs. */
export const mayBegin = ({ kind, environment }: Step, { environments }: PlacedApp): boolean =>
  kind === 'copy' || (kind === 'remove' && !environments.includes(environment));

/** What is left of a move whose new place was forgotten before the app was placed there: it stays. */
export function endWithoutPlace(operation: Operation, app: PlacedApp, now: number): Step[] {
  if (arrivalOf(operation, app)?.state !== 'cancelled') return operation.steps;
  const end = { state: 'cancelled' as const, message: say('STEP_NOT_BEGUN'), finishedAt: now };
  return operation.steps.map((step) => (step.state === 'queued' && !mayBegin(step, app) ? { ...step, ...end } : step));
}
