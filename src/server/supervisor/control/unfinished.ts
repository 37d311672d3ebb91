import type { StatusEntry } from '../../../shared/messages';
import type { AppDefinition, Published } from '../apps/repository';
import { askedOf } from '../rollout/uploads';
import { isDone, misplacedIn, type Operation, type Placed, type Step } from './rollout';

/**
 * The rest of a failed operation that nothing blocks any more: the app has recovered by itself wherever the change was
 * published; other environments have not received it, or still have the app.
 *
 * @param skipped environments whose turn never came: what was published there before is not what the operation wanted
 * @returns environments that still need the app; null if there is nothing to do, or not yet
 */
export function leftUndone(
  app: Placed & Pick<AppDefinition, 'uid' | 'desired'>,
  entryIn: (environment: string) => StatusEntry | null,
  skipped: string[] = [],
): string[] | null {
  const { environments, published } = app;
  const isTold = (environment: string) =>
    (askedOf(published, environment)?.desired ?? 'removed') !== 'removed' && !skipped.includes(environment);
  const missing = environments.filter((environment) => !isTold(environment));
  // Where it rests on purpose, it says nothing about the change.
  const rests = (environment: string) => app.desired !== 'stopped' && published[environment].desired === 'stopped';
  const notified = environments.filter((environment) => isTold(environment) && !rests(environment));
  // Where all that are left were skipped, the one that failed has no more to say.
  if ((!notified.length && !skipped.length) || (!missing.length && !misplacedIn(app).length)) return null;
  const isWell = (environment: string) => {
    const entry = entryIn(environment);
    const { generation, boot } = published[environment];
    if (entry?.uid !== app.uid || entry.generation < generation) return false;
    return isDone(app.desired === 'stopped' ? 'stop' : 'boot', entry, boot.generation);
  };
  return notified.every(isWell) ? missing : null;
}

/** Environments in which an app rests that should run: drained, or skipped by an operation that failed before their turn. */
export const restingIn = ({ desired, environments, published }: Placed & Pick<AppDefinition, 'desired'>): string[] =>
  desired === 'stopped'
    ? []
    : environments.filter((environment) => askedOf(published, environment)?.desired === 'stopped');

/** Whether nothing was published where an app belongs. */
export const isNowhere = ({ environments, published }: Placed): boolean =>
  environments.length > 0 && environments.every((environment) => !published[environment]);

/**
 * The newest operation that has decided about an environment: a move between others has not, nor has a change of settings.
 * @param operations of the app, the newest first
 */
export const decisionOn = (operations: readonly Operation[], environment: string): Operation | undefined =>
  operations.find(({ steps }) => steps.some((step) => step.environment === environment && step.kind !== 'apply'));

/**
 * Whether a failed operation would have started the app in an environment, whose turn did not come, and none has decided about that since.
 * @param operations of the app, the newest first
 */
export function hasSkipped(operations: readonly Operation[], environment: string): boolean {
  const last = decisionOn(operations, environment);
  return last?.state === 'failed' && last.steps.some((step) => step.environment === environment && isSkipped(step));
}

/**
 * The rest of a failed operation, when the app is well by now.
 * @param operations of the app, the newest first
 */
export function resumable(
  app: Placed & Pick<AppDefinition, 'uid' | 'desired'>,
  operations: readonly Operation[],
  entryIn: (environment: string) => StatusEntry | null,
): { failed: Operation; missing: string[] } | null {
  const failed = operations.find(({ state }) => state === 'failed');
  // A change of its settings does not decide where it runs.
  const newest = operations.find(({ action, state }) => action !== 'update' || state !== 'succeeded');
  const isOver = ({ environment, state }: Step) =>
    state !== 'failed' || !(app.environments.includes(environment) || app.published[environment]);
  // Where it failed was forgotten since, and nobody has to wait for that.
  const begun = isNowhere(app) && failed === newest && failed?.steps.every(isOver) ? app.environments : restingIn(app);
  const skipped = begun.filter((environment) => hasSkipped(operations, environment));
  const missing = leftUndone(app, entryIn, skipped);
  if (!failed || !missing) return null;
  if (failed === newest) return { failed, missing };
  // What a newer one was to begin elsewhere stays as it is: a person may have cancelled that.
  const left = missing.filter((environment) => skipped.includes(environment));
  return left.length ? { failed, missing: left } : null;
}

const isSkipped = ({ kind, state }: Step): boolean => kind === 'boot' && state === 'cancelled';

/**
 * An app came up with a claim that no operation has ended: its create failed or was cancelled, and the worker retried
 * by itself. What was to be created exists now.
 */
export function claimMet(
  { uid, published }: Pick<AppDefinition, 'uid' | 'published'>,
  entryIn: (environment: string) => StatusEntry | null,
): Record<string, Published> | null {
  const met = Object.entries(published).filter(
    ([
      environment,
      {
        claim,
        generation,
        boot: { generation: boot },
      },
    ]) => {
      const entry = claim === 'none' ? null : entryIn(environment);
      return entry?.uid === uid && entry.generation >= generation && isDone('boot', entry, boot);
    },
  );
  const ended = met.map(([environment, wish]) => [environment, { ...wish, claim: 'none' as const }] as const);
  return ended.length ? Object.fromEntries(ended) : null;
}

/** A move that the control loop makes. */
export interface Return {
  from: string;
  to: string;
}

/** Whether a move of the app may have failed halfway: it failed where it should run, or was never requested there. */
export function mayBeBetween(
  app: Placed & Pick<AppDefinition, 'uid' | 'desired'>,
  entryIn: (environment: string) => StatusEntry | null,
): boolean {
  const { environments, published, uid, desired } = app;
  if (desired === 'stopped') return false;
  if (environments.length === 1 && !askedOf(published, environments[0])) return true;
  if (environments.length > 1 && !misplacedIn(app).length) return false;
  return environments.some((environment) => {
    const entry = entryIn(environment);
    return entry?.uid === uid && (entry.status === 'error' || entry.error !== undefined);
  });
}

/**
 * How a failed move is undone, so that the app runs where it ran before: its boot failed at the new place, which is that of the first step.
 * A boot elsewhere is left over from what the move has superseded, and undoes nothing. A move that nobody requested and that has no cause
 * was itself made to undo one.
 */
export function returnOf(
  { action, state, cause, createdById, steps }: Operation,
  { environments }: Pick<AppDefinition, 'environments'>,
): Return | null {
  if (action !== 'move' || state !== 'failed' || (createdById === null && cause === null)) return null;
  const place = steps.find(({ kind }) => kind !== 'copy');
  const failed = place?.kind === 'boot' && place.state === 'failed' ? place : null;
  const left = steps.find(({ kind, state }) => kind === 'remove' && state !== 'failed');
  if (!failed || !left) return null;
  const isThere = environments.includes(failed.environment) && !environments.includes(left.environment);
  return isThere ? { from: failed.environment, to: left.environment } : null;
}

/** Whether a move ended because the app could not be removed where it was: it was started nowhere since. */
export const isInterrupted = ({ action, state, steps }: Operation): boolean =>
  action === 'move' &&
  state === 'failed' &&
  steps.some((step) => step.kind === 'remove' && step.state === 'failed') &&
  steps.some(isSkipped);
