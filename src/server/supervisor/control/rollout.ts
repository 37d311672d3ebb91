import { type Message, say, sayAction } from '../../../shared/message';
import type { StatusEntry } from '../../../shared/messages';
import type { Operation, Step } from '../../../shared/operation';
import type { Action, Health, OperationState, StepKind } from '../../../shared/types';
import { AppSupervisorError, describeError } from '../../errors';
import { type AppDefinition, desiredOf, type Published } from '../apps/repository';
import { endsAhead, isAhead, uploadsAhead, uploadsFor } from '../rollout/uploads';
import { arrivalOf, arrives, endWithoutPlace, mayBegin, type Place, type PlacedApp } from './arrival';
import { heldElsewhere } from './leaving';

/** What is known about one environment by its lease: `entry` only under a live one. */
export interface StepObservation {
  health: Health;
  entry: StatusEntry | null;
  /** Of its Worker; absent or null if it is not known. */
  address?: string | null;
}
type Observe = (environment: string) => StepObservation;

/**
 * How long a Worker may work on a step, in ms. Time in a queue or without the Worker does not count; a step that has not
 * begun waits without a limit.
 */
const DEADLINES: Record<StepKind, number> = {
  // Without progress: its Worker ends it much sooner.
  copy: 900_000,
  boot: 300_000,
  stop: 60_000,
  apply: 60_000,
  remove: 60_000,
  drop: 120_000,
  release: 60_000,
};
/** Steps that install or migrate. */
const LONG_DEADLINE = 900_000;
const LONG_ACTIONS = new Set<Action>(['create', 'adopt', 'upgrade', 'move']);

export type { Operation, Step, StepKind };

export const deadlineOf = (operation: Operation, step: Step): number =>
  step.kind === 'boot' && LONG_ACTIONS.has(operation.action) ? LONG_DEADLINE : DEADLINES[step.kind];

const isOver = (state: OperationState): boolean => state === 'succeeded' || state === 'failed' || state === 'cancelled';

const isGivenUp = ({ onFailure, steps }: Operation): boolean =>
  onFailure === 'stop' && steps.some(({ state }) => state === 'failed');

const hasBooted = (step: Step): boolean => step.kind === 'boot' && step.state === 'succeeded';

/** The message of a removal that no operation waits for; a tombstone does. */
const AWAY = say('STEP_AWAY');
const isAway = (step: Step): boolean => step.message?.code === AWAY.code;

export interface Advance {
  operation: Operation;
  /** By environment: what has to be published now. */
  publish: Record<string, Published>;
  /** The app has its database by now: this publication ends its claim. */
  claimed: boolean;
  /** Where the app is placed from now on; null if that stays. */
  placed: Place | null;
}

/**
 * One step of a rollout: the new state of the operation, given the observations, and what to publish next. Pure; called
 * by the leader in every pass until the operation has finished, also after any crash.
 *
 * @param published what is currently published for the app
 * @param now ms since 1970, the Supervisor's clock
 * @param worked how long a step's Worker could work on it so far, in ms
 */
export function advance(
  before: Operation,
  app: Pick<AppDefinition, 'uid' | 'environments' | 'desired' | 'startMode' | 'boot' | 'claim'>,
  published: Record<string, Published>,
  observe: Observe,
  now: number,
  worked: (step: Step) => number,
): Advance {
  const operation: Operation = { ...before, steps: before.steps.map((step) => ({ ...step })) };
  const publish: Record<string, Published> = {};
  let claimed = false;
  let waitingFor: Message | null = null;

  for (const [index, step] of operation.steps.entries()) {
    if (isOver(step.state)) continue;
    if (step.state === 'queued' && isGivenUp(operation)) continue;
    if (!itsTurn(operation, index, app, observe)) continue;
    const begins = step.kind === 'boot' || step.kind === 'apply';
    const held = begins ? heldElsewhere(app, step.environment, published, observe) : null;
    if (held !== null) {
      waitingFor ??= say('WAITS_FOR_LEAVING', { environment: held });
      continue;
    }
    const ended = step.kind === 'copy' ? endsAhead(app, step.environment, observe) : null;
    if (ended) {
      Object.assign(step, { state: 'succeeded', message: say('UPLOADS_NOT_AHEAD', { cause: ended }), finishedAt: now });
      continue;
    }
    const { health, entry } = observe(step.environment);
    const current = published[step.environment];
    const uploads = () =>
      step.kind === 'copy'
        ? uploadsAhead(generationOf(operation, 'copy'), app, observe)
        : uploadsFor(operation, app, step.environment, published, observe);
    const desired = desiredFor(operation, step, app, current, uploads);
    if (!current || current.generation < desired.generation) {
      publish[step.environment] = desired;
      step.state = 'running';
    } else {
      step.state = 'running';
      judge(operation, step, app.uid, current.boot.generation, entry, now, worked(step));
      // It has its database: from now on a missing database is an error, and is not created again.
      if (hasBooted(step) && current.claim !== 'none') {
        for (const [environment, wish] of Object.entries({ ...published, ...publish }))
          if (wish.claim !== 'none') publish[environment] = { ...wish, claim: 'none' };
        claimed = true;
      }
    }
    if (step.state !== 'running') continue;
    if (step.kind === 'release' && (health === 'down' || operation.steps.some(isAway))) {
      Object.assign(step, { state: 'succeeded', message: say('STEP_KEEPS_MARKER'), finishedAt: now });
      continue;
    }
    if (step.kind === 'remove' && health === 'down' && !operation.steps.some((other) => other.kind === 'drop')) {
      // The tombstone stays until the environment is back; no operation has to wait for that.
      Object.assign(step, { state: 'succeeded', message: AWAY, finishedAt: now });
      continue;
    }
    waitingFor ??= waiting(step, health);
  }
  // Also steps before the one that failed.
  for (const step of isGivenUp(operation) ? operation.steps : []) {
    if (step.state === 'queued')
      Object.assign(step, { state: 'cancelled', message: say('STEP_NOT_BEGUN'), finishedAt: now });
  }

  operation.steps = endWithoutPlace(operation, app, now);
  operation.state = stateOf(operation.steps);
  operation.waitingFor = isOver(operation.state) ? null : waitingFor;
  operation.finishedAt = isOver(operation.state) ? now : null;
  const placed = arrives(operation, app);
  if (!placed) return { operation, publish, claimed, placed };
  // In the same write: an app that is placed elsewhere is asked to leave, whatever becomes of its move.
  const next = advance(operation, { ...app, ...placed }, { ...published, ...publish }, observe, now, worked);
  return { ...next, publish: { ...publish, ...next.publish }, claimed: claimed || next.claimed, placed };
}

/**
 * Ends the steps of a deleted app in environments that have a newer app of its name by now: their Workers replace the one by the
 * other, and answer for the newer one alone.
 * @param environments in which the newer app was published
 */
export function giveWay(operation: Operation, environments: string[], now: number): Operation {
  const steps = operation.steps.map((step): Step => {
    if (isOver(step.state) || !environments.includes(step.environment)) return step;
    if (step.kind === 'remove') return { ...step, state: 'succeeded', finishedAt: now };
    if (step.kind === 'release')
      return { ...step, state: 'succeeded', message: say('STEP_KEEPS_MARKER'), finishedAt: now };
    const taken = new AppSupervisorError('NAME_TAKEN', { app: operation.appName });
    return { ...step, state: 'failed', error: describeError(taken), finishedAt: now };
  });
  return { ...operation, steps };
}

/**
 * The generation that a step publishes and waits for. The data step comes after the removal there, and a boot after the copy: they
 * must differ.
 */
const generationOf = (operation: Operation, kind: StepKind): number =>
  operation.generation + (kind === 'drop' || kind === 'release' ? 1 : kind === 'copy' ? -1 : 0);

/** Whether a Worker is observed to work on a step: it is heard of, it has begun, and the step is not queued there. */
export function isWorkedOn(operation: Operation, step: Step, { health, entry }: StepObservation): boolean {
  if (step.state !== 'running' || health !== 'online') return false;
  return hasBegun(operation, step, entry) && (step.kind === 'copy' || entry?.status !== 'waiting');
}

/** Progress of a running step, as its Worker reports it. */
export const progressOf = (operation: Operation, step: Step, entry: StatusEntry | null): Message | undefined =>
  step.state === 'running' && hasBegun(operation, step, entry) ? entry?.message : undefined;

const hasBegun = (operation: Operation, { kind }: Step, entry: StatusEntry | null): boolean =>
  entry?.uid === operation.appUid && entry.begun >= generationOf(operation, kind);

/** Actions on an app that runs: what they end in one environment must not end in the next. */
const ROLLING = new Set<Action>(['restart', 'upgrade']);

/** Whether an environment that is down has begun what may have crashed it, and would crash the next one. */
const hasLost = ({ action, onFailure }: Operation, { startedAt }: Step): boolean =>
  ROLLING.has(action) && onFailure === 'stop' && startedAt !== undefined;

/**
 * One environment boots at a time, and one that is down does so when it returns: the next one waits for it only where it went down in a
 * restart or upgrade. Removals wait until the app runs where it should, unless it
 * has one environment: then they come first (leaving.ts). Data steps wait for all removals.
 */
function itsTurn(operation: Operation, index: number, app: PlacedApp, observe: Observe): boolean {
  const { steps } = operation;
  const { environments } = app;
  const earlier = steps.slice(0, index);
  if (arrivalOf(operation, app) && !mayBegin(steps[index], app)) return false;
  switch (steps[index].kind) {
    case 'boot': {
      const isAwaited = (step: Step) =>
        step.state === 'queued' || observe(step.environment).health !== 'down' || hasLost(operation, step);
      return !earlier.some((step) => step.kind === 'boot' && !isOver(step.state) && isAwaited(step));
    }
    case 'remove':
      return environments.length === 1 || steps.every((step) => step.kind !== 'boot' || isOver(step.state));
    case 'drop':
    case 'release':
      // A cancelled removal belongs to a forgotten environment, which nothing can wait for.
      return earlier.every((step) => step.state === 'succeeded' || step.state === 'cancelled');
    default:
      return true;
  }
}

function desiredFor(
  operation: Operation,
  step: Step,
  app: Pick<AppDefinition, 'desired' | 'startMode' | 'boot' | 'claim'>,
  found: Published | undefined,
  uploadsElsewhere: () => Published['uploads'],
): Published {
  const current = isAhead(found) ? undefined : found;
  const generation = generationOf(operation, step.kind);
  const ended = { generation, boot: current?.boot ?? app.boot, claim: current?.claim ?? 'none', data: 'keep' as const };
  const isThere = current !== undefined && current.desired !== 'removed';
  const uploads = isThere ? current.uploads : uploadsElsewhere();
  const kept = { ...ended, ...(uploads ? { uploads } : {}) };
  switch (step.kind) {
    case 'boot': {
      // A boot that was taken over and already requested is not requested again.
      const asked = current && current.boot.generation >= app.boot.generation;
      const boot = asked ? current.boot : { generation, how: app.boot.how };
      // Only the first boot creates or takes over the database; its environment may have been forgotten before. An unused
      // claim stays: a start may supersede a create that never began or failed.
      const isFirst = !operation.steps.some((other) => other !== step && hasBooted(other));
      return { ...kept, boot, desired: desiredOf(app), claim: isFirst ? app.claim : 'none' };
    }
    case 'copy':
    case 'stop':
      return { ...kept, desired: 'stopped' };
    case 'apply':
      // Its desired state there does not change, but the effect of its worker's boot may. A drained environment stays
      // drained.
      return { ...kept, desired: current?.desired === 'stopped' ? 'stopped' : desiredOf(app) };
    case 'remove':
      // It has never run there, and left no uploads.
      return {
        ...ended,
        desired: 'removed',
        claim: 'none',
        ...(isAhead(found) ? { uploads: found?.uploads } : {}),
        ...(found === undefined || found.stray ? { stray: true } : {}),
      };
    case 'drop':
    case 'release':
      return { ...ended, desired: 'removed', claim: 'none', data: step.kind };
  }
}

/** Accepts a worker's report only for its own app and this generation. */
function judge(
  operation: Operation,
  step: Step,
  uid: string,
  /** Of the newest boot requested there. */
  bootGeneration: number,
  entry: StatusEntry | null,
  now: number,
  worked: number,
): void {
  if (!entry || entry.uid !== uid) return;
  const generation = generationOf(operation, step.kind);
  if (entry.begun >= generation) step.startedAt ??= now;
  if (entry.generation >= generation) {
    const done = isDone(step.kind, entry, bootGeneration);
    if (done) {
      Object.assign(step, {
        state: 'succeeded',
        startedAt: step.startedAt ?? now,
        finishedAt: now,
        message: outcomeOf(step.kind, entry),
      });
      return;
    }
    // A dormant app reports the error of its last boot, in an earlier process of its worker.
    if (entry.status === 'error' || (step.kind === 'boot' && entry.error)) {
      const error = entry.error ?? entry.message ?? say('NO_CAUSE');
      Object.assign(step, { state: 'failed', startedAt: step.startedAt ?? now, finishedAt: now, error });
      return;
    }
  }
  const deadline = deadlineOf(operation, step);
  if (worked > deadline && step.kind === 'copy') {
    Object.assign(step, { state: 'succeeded', finishedAt: now, message: entry.message });
  } else if (worked > deadline) {
    const late = new AppSupervisorError('DEADLINE', { environment: step.environment, seconds: deadline / 1000 });
    Object.assign(step, { state: 'failed', finishedAt: now, error: describeError(late) });
  }
}

/** What is to be said of a step that is done. */
function outcomeOf(kind: StepKind, { message, uploads }: StatusEntry): Message | undefined {
  if (kind === 'drop' || kind === 'copy') return message;
  if (kind !== 'boot' || !uploads?.cause) return undefined;
  return say('UPLOADS_ELSEWHERE', { environment: uploads.from, cause: uploads.cause });
}

export function isDone(kind: StepKind, entry: StatusEntry, bootGeneration: number): boolean {
  switch (kind) {
    case 'boot':
      // Dormant: it had booted, and its worker restarted before anybody observed that.
      return (
        entry.status === 'running' ||
        (entry.status === 'dormant' && !entry.error && entry.bootGeneration >= bootGeneration)
      );
    case 'stop':
      return entry.status === 'stopped';
    case 'copy':
    case 'apply':
      return true;
    default:
      return entry.status === 'not_found';
  }
}

function waiting({ environment, startedAt }: Step, health: Health): Message | null {
  if (health === 'unknown') return say('WAITS_FOR_CONNECTION');
  if (health === 'down' || health === 'stopping') return say('WAITS_FOR_RETURN', { environment });
  return startedAt === undefined ? say('WAITS_FOR_BEGIN', { environment }) : null;
}

function stateOf(steps: Step[]): OperationState {
  const states = steps.map((step) => step.state);
  if (states.some((state) => !isOver(state))) return states.every((state) => state === 'queued') ? 'queued' : 'running';
  if (states.includes('failed')) return 'failed';
  return states.includes('cancelled') ? 'cancelled' : 'succeeded';
}

/**
 * Whether a new operation may supersede a running one: not while a live worker reports that it has begun a create, an
 * upgrade or a drop, because those would leave incomplete data.
 *
 * @returns the blocking step
 */
export function inTheWay(operation: Operation, observe: Observe): { environment: string; action: Message } | null {
  for (const step of operation.steps) {
    const { entry } = observe(step.environment);
    if (step.state !== 'running' || !entry || entry.uid !== operation.appUid) continue;
    const generation = generationOf(operation, step.kind);
    const begun = entry.begun >= generation && entry.generation < generation;
    if (begun && (entry.doing === 'create' || entry.doing === 'upgrade' || entry.doing === 'drop')) {
      return { environment: step.environment, action: sayAction(entry.doing) };
    }
  }
  return null;
}

/**
 * A new operation together with what it takes over from those that it supersedes: their remaining work in environments
 * in which it does nothing itself, or only applies a change. Otherwise a change of the title would undo the start
 * before it, and an app would run forever in an environment that it was just removed from; the same after an operation
 * that failed or was cancelled before it reached that step.
 *
 * @param app as it was before
 */
export function takeOver(made: Operation, superseded: Operation[], app: Placed): Operation {
  if (made.action === 'destroy') return made;
  const steps = made.steps.map((step) => ({ ...step }));
  const left = superseded
    // What has not moved the app yet is replaced as a whole.
    .filter((operation) => !arrivalOf(operation, app))
    .flatMap((operation) => operation.steps.filter((step) => !isOver(step.state) && step.kind !== 'copy'));
  for (const { environment, kind } of left) {
    const own = steps.find((step) => step.environment === environment);
    if (!own) steps.push({ environment, kind, state: 'queued' });
    else if (own.kind === 'apply' && (kind === 'boot' || kind === 'stop')) own.kind = kind;
  }
  for (const environment of misplacedIn(app)) {
    if (!steps.some((step) => step.environment === environment))
      steps.push({ environment, kind: 'remove', state: 'queued' });
  }
  return { ...made, steps };
}

/** The environments of an app, and what was published for them. */
export type Placed = Pick<AppDefinition, 'environments' | 'published'>;

/** Environments that an app no longer belongs to, and for which the removal was not published. */
export const misplacedIn = ({ environments, published }: Placed): string[] =>
  Object.keys(published).filter(
    (environment) => published[environment].desired !== 'removed' && !environments.includes(environment),
  );

/**
 * The final state of an operation that is cancelled: what was published stays desired; steps that have not begun are
 * dropped.
 */
export function cancelled(operation: Operation, why: Message, now: number): Operation {
  const steps = operation.steps.map((step) =>
    isOver(step.state) ? step : { ...step, state: 'cancelled' as const, message: why, finishedAt: now },
  );
  return { ...operation, steps, state: 'cancelled', waitingFor: null, finishedAt: now };
}
