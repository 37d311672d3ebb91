import type { AppDefinition, Published } from '../../../shared/app';
import { type Message, say, sayAction } from '../../../shared/message';
import type { StatusEntry } from '../../../shared/messages';
import type { Operation, Progress } from '../../../shared/operation';
import type { OperationState } from '../../../shared/types';
import type { Tombstone } from '../definitions/repository';
import { confirms, hasFailed, isDone, isPublished, isReported, type Observe, startsBoot } from './observed';
import { arrivingAt, isKeptOut } from './spec';
import { endsAhead, isAhead } from './uploads';

/**
 * What is shown of a request: how far it is in each environment. It follows from the spec, from what is published and from what is observed,
 * and nothing is decided by it.
 */

type App = Pick<AppDefinition, 'uid' | 'environments' | 'placements' | 'previous' | 'paused' | 'published'>;
/** Of a deleted app: what is left to be done. */
export type Ending = Pick<Tombstone, 'environments' | 'data'> | null;

/** What the progress of an operation follows from. */
interface Situation {
  app: App;
  ending: Ending;
  observe: Observe;
  /** ms since 1970 */
  now: number;
}

const isOver = (state: OperationState): boolean => state === 'succeeded' || state === 'failed' || state === 'cancelled';

/**
 * The environments that a new request is about, and those in which something of an earlier one is not over.
 * @param app with what was asked for
 * @param asked environments that the request names; all of the app by default
 * @param before the unfinished operations that it supersedes
 */
export function begunIn(app: App, asked: readonly string[], before: readonly Operation[]): Progress[] {
  const to = arrivingAt(app);
  const from = app.previous?.environments ?? [];
  // The new place comes first.
  const places = [...Object.keys(app.placements)].sort((one, other) => order(one, app) - order(other, app));
  const isOpen = (environment: string) =>
    before.some(({ progress }) => progress.some((one) => one.environment === environment && !isOver(one.state)));
  const items = places.flatMap((environment): Progress[] => {
    const isNext = startsBoot(app, environment);
    const isKept = isNext && isKeptFrom(app, environment);
    // Nothing is asked of it before the boot that failed elsewhere is done, whoever sees to that.
    if (isKept && !isPublished(app.published[environment])) return [];
    const boots =
      !isKept && (isNext || (app.placements[environment].want !== 'stopped' && bootsIn(before, environment)));
    const isAbout = boots || environment === to || asked.includes(environment) || isOpen(environment);
    return isAbout ? [{ environment, of: boots ? 'boot' : 'place', state: 'queued' }] : [];
  });
  // Where it was cancelled it stays as it is, and may be asked for again.
  const isOut = (environment: string) => !app.environments.includes(environment) && environment !== to;
  const left = Object.keys(app.published).filter(isOut);
  const leaving = [...new Set([...left, ...(to ? from : [])])].filter((one) => !app.placements[one]);
  // Several places leave none before the app is up where it is new: with this request, or without it.
  const arrives = ({ environment, of }: Progress) =>
    of === 'boot' || (app.placements[environment].want === 'stopped' && !from.includes(environment));
  const isAsked = (environment: string) =>
    app.environments.length < 2 ||
    !from.includes(environment) ||
    !isPublished(app.published[environment]) ||
    items.some(arrives);
  const leaves = leaving
    .filter(isAsked)
    .map((environment): Progress => ({ environment, of: 'leave', state: 'queued' }));
  return [...items, ...leaves];
}

/** Whether a boot that failed keeps an app from booting there. Kept out, it still goes where it is placed. */
const isKeptFrom = (app: App, environment: string): boolean =>
  app.paused !== null && (!isKeptOut(app) || isPublished(app.published[environment]));

const order = (environment: string, { environments, previous }: App): number =>
  environments.indexOf(environment) - (previous && !previous.environments.includes(environment) ? 1_000 : 0);

const bootsIn = (before: readonly Operation[], environment: string): boolean =>
  before.some(({ progress }) =>
    progress.some((one) => one.environment === environment && one.of === 'boot' && !isOver(one.state)),
  );

/** An operation after a pass. @param waits why nothing happens now, as `plan` says */
export function followed(before: Operation, situation: Situation, waits: Message | null): Operation {
  const { app, now } = situation;
  const seen = before.progress.map((item) => (isOver(item.state) ? item : judged(item, before, situation)));
  const hasFailedTo = (what: Progress['of']) => seen.some(({ of, state }) => of === what && state === 'failed');
  // An app with several environments does not wait for one that it leaves; the others do, and so do data.
  const isHeld = app.environments.length < 2 && hasFailedTo('leave');
  const hasStopped = isHeld || (before.onFailure === 'stop' && hasFailedTo('boot'));
  const isBooted = seen.every(({ of, state }) => of !== 'boot' || isOver(state));
  // No boot is left that could make it leave.
  const stays = hasFailedTo('boot') && isBooted;
  // Where it had started it may have ended by itself since.
  const lost = isBooted ? lostIn(situation) : null;
  const isVain = ({ of, environment }: Progress) =>
    hasStopped || (of === 'leave' ? stays : of === 'boot' && isKeptOut(app) && isKeptFrom(app, environment));
  // A boot that this operation does not wait for keeps the app from others: they would be queued for ever.
  const isAwaited = seen.some(({ environment, state }) => environment === app.paused?.environment && !isOver(state));
  const progress = seen.map((item): Progress => {
    if (item.state !== 'queued') return item;
    if (isVain(item)) return over(item, 'cancelled', now, { message: say('STEP_NOT_BEGUN') });
    if (item.of === 'leave' && lost) return over(item, 'failed', now, { error: lost });
    const isKept = item.of === 'boot' && isKeptFrom(app, item.environment) && !isAwaited;
    return isKept ? over(item, 'failed', now, { error: app.paused?.cause }) : item;
  });
  const isEnded = progress.every(({ state }) => isOver(state));
  const state = stateOf(progress);
  return { ...before, progress, state, waitingFor: isEnded ? null : waits, finishedAt: isEnded ? now : null };
}

/** Why an app does not run in a new place of several, which keeps it in those that it is to leave; null if nothing does. */
function lostIn({ app, observe }: Situation): Message | null {
  const { uid, environments, placements, previous, published } = app;
  if (!previous || environments.length < 2) return null;
  const isLost = (name: string) =>
    !previous.environments.includes(name) &&
    !startsBoot(app, name) &&
    placements[name]?.want !== 'stopped' &&
    isPublished(published[name]) &&
    hasFailed(uid, published[name], observe(name).entry);
  const lost = environments.find(isLost);
  return lost === undefined ? null : errorOf(observe(lost).entry);
}

function stateOf(progress: readonly Progress[]): OperationState {
  const states = progress.map(({ state }) => state);
  if (states.some((state) => !isOver(state))) return states.every((state) => state === 'queued') ? 'queued' : 'running';
  if (states.includes('failed')) return 'failed';
  return states.includes('cancelled') ? 'cancelled' : 'succeeded';
}

const over = (item: Progress, state: OperationState, now: number, said: Partial<Progress> = {}): Progress => ({
  ...item,
  ...said,
  state,
  finishedAt: now,
});

function judged(item: Progress, operation: Operation, situation: Situation): Progress {
  const { app, ending, observe, now } = situation;
  const { environment, of } = item;
  const { entry, health, isKnown } = observe(environment);
  const wish = app.published[environment];
  if (of === 'data') return ofData(item, operation, situation);
  if (of === 'leave') {
    if (app.placements[environment]) return over(item, 'cancelled', now, { message: say('STEP_NOT_BEGUN') });
    const isGone = ending ? !ending.environments.includes(environment) : !wish;
    if (!isKnown && isGone) return over(item, 'cancelled', now, { message: say('STEP_FORGOTTEN') });
    // During a copy ahead it is still to be asked.
    if (isGone && !app.environments.includes(environment)) return over(item, 'succeeded', now);
    if (wish?.desired !== 'removed') return item;
    if (confirms(app.uid, wish, entry)) return over(item, 'succeeded', now);
    if (hasFailedIn(operation, wish, entry)) return over(item, 'failed', now, { error: errorOf(entry) });
    // The record stays until the environment is back; nobody has to wait for that, unless the data are to be dropped.
    if (health === 'down' && ending?.data !== 'drop')
      return over(item, 'succeeded', now, { message: say('STEP_AWAY') });
    return running(item, wish.generation, entry, now);
  }
  const place = app.placements[environment];
  if (!place) return over(item, 'cancelled', now, { message: say(isKnown ? 'STEP_NOT_BEGUN' : 'STEP_FORGOTTEN') });
  if (isAhead(wish)) return arrivingAt(app) === null ? item : copying(item, app, wish, observe);
  const isAsked = wish && wish.desired !== 'removed' && wish.generation >= place.generation;
  if (!isAsked || (of === 'boot' && startsBoot(app, environment))) return item;
  if (!isReported(app.uid, wish, entry)) return running(item, wish.generation, entry, now);
  if (of === 'place' && place.want !== 'stopped') return over(item, 'succeeded', now);
  if (isDone(app.uid, wish, entry))
    return over(running(item, wish.generation, entry, now), 'succeeded', now, outcomeOf(entry));
  if (hasFailed(app.uid, wish, entry)) return over(item, 'failed', now, { error: errorOf(entry) });
  return running(item, wish.generation, entry, now);
}

/** Before it moves, an app is copied ahead; why nothing is, or what was, is said of its boot. */
function copying(item: Progress, app: App, wish: Published, observe: Observe): Progress {
  const { entry } = observe(item.environment);
  const cause = endsAhead(app, item.environment, observe);
  const message = cause
    ? say('UPLOADS_NOT_AHEAD', { cause })
    : isReported(app.uid, wish, entry)
      ? entry.message
      : undefined;
  return { ...item, state: 'running', ...(message ? { message } : {}) };
}

/** The end of the data of a deleted app. */
function ofData(item: Progress, operation: Operation, { app, ending, observe, now }: Situation): Progress {
  const { uid, published } = app;
  const { progress: all, data } = operation;
  // No environment is left in which it was placed.
  if (!ending)
    return data === 'drop'
      ? over(item, 'cancelled', now, { message: say('STEP_FORGOTTEN') })
      : over(item, 'succeeded', now, { message: say('STEP_KEEPS_MARKER') });
  const asked = Object.keys(published).find((name) => published[name].data !== 'keep');
  if (asked === undefined) {
    // The marker stays, and the app can be adopted only by its own uid.
    const isLater = all.some(({ of, message }) => of === 'leave' && message?.code === 'STEP_AWAY');
    const isEnded = ending.data === 'release' && isLater;
    return isEnded ? over(item, 'succeeded', now, { message: say('STEP_KEEPS_MARKER') }) : item;
  }
  const { entry, health } = observe(asked);
  const there = { ...item, environment: asked };
  const wish = published[asked];
  if (confirms(uid, wish, entry))
    return over(there, 'succeeded', now, entry?.message ? { message: entry.message } : {});
  if (hasFailedIn(operation, wish, entry)) return over(there, 'failed', now, { error: errorOf(entry) });
  if (ending.data === 'release' && health === 'down')
    return over(there, 'succeeded', now, { message: say('STEP_KEEPS_MARKER') });
  return running(there, wish.generation, entry, now);
}

/** Whether an end has failed. What has failed before is asked for once more. */
const hasFailedIn = ({ appUid, generation }: Operation, wish: Published, entry: StatusEntry | null): boolean =>
  wish.generation >= generation && hasFailed(appUid, wish, entry);

function running(item: Progress, generation: number, entry: StatusEntry | null, now: number): Progress {
  const hasBegun = entry !== null && entry.begun >= generation;
  return { ...item, state: 'running', ...(hasBegun && item.startedAt === undefined ? { startedAt: now } : {}) };
}

const errorOf = (entry: StatusEntry | null): Message => entry?.error ?? entry?.message ?? say('NO_CAUSE');

/** What is to be said of a boot that is done. */
function outcomeOf(entry: StatusEntry | null): Partial<Progress> {
  const { uploads } = entry ?? {};
  if (!uploads?.cause) return {};
  return { message: say('UPLOADS_ELSEWHERE', { environment: uploads.from, cause: uploads.cause }) };
}

/** What its Worker says now about a place that is under way. */
export function progressNow(
  operation: Operation,
  item: Progress,
  app: App | null,
  entry: StatusEntry | null,
): Message | undefined {
  const wish = app?.published[item.environment];
  const isUnderWay = item.state === 'running' && wish !== undefined && entry?.uid === operation.appUid;
  return isUnderWay && entry.begun >= wish.generation ? entry.message : undefined;
}

/** The final state of an operation that is cancelled or superseded. */
export function ended(operation: Operation, why: Message, now: number): Operation {
  const progress = operation.progress.map((item) =>
    isOver(item.state) ? item : over(item, 'cancelled', now, { message: why }),
  );
  return { ...operation, progress, state: 'cancelled', waitingFor: null, finishedAt: now };
}

/**
 * What a request may not supersede: a create, an upgrade or a drop that a live Worker has begun, since its data would be incomplete. The request
 * that began it may have ended before.
 * @returns the environment in which it is
 */
export function inTheWay(
  { uid, published }: Pick<App, 'uid' | 'published'>,
  entryIn: (environment: string) => StatusEntry | null,
): { environment: string; action: Message } | null {
  for (const [environment, { generation }] of Object.entries(published)) {
    const entry = entryIn(environment);
    if (entry?.uid !== uid) continue;
    const isUnderWay = entry.begun >= generation && entry.generation < generation;
    if (isUnderWay && (entry.doing === 'create' || entry.doing === 'upgrade' || entry.doing === 'drop'))
      return { environment, action: sayAction(entry.doing) };
  }
  return null;
}
