import type { Placement, Published } from '../../../shared/app';
import { type Message, say } from '../../../shared/message';
import { isAlive } from '../../protocol/health';
import { isPublished, startsBoot } from './observed';
import { type Rule, type Sight, type Step, steps } from './sight';
import { arrivingAt, isKeptOut, newestBoot, returned } from './spec';
import { isAhead } from './uploads';

/** The rules of boots: one after the other, where the app runs nowhere else that it may not, and back if they fail. */

/** What is published where an app begins: with what it has elsewhere. */
export function begin(sight: Sight, environment: string, desired: Placement['want']): Published {
  const { wish, place, health } = sight.see(environment);
  const { app } = sight;
  const generation = sight.next();
  const isThere = isPublished(wish);
  const uploads = isThere ? wish.uploads : uploadsOf(sight, environment, generation);
  const boot = desired === 'stopped' ? (wish?.boot ?? place?.boot) : place?.boot;
  return {
    generation,
    boot: boot ?? { generation: 0, how: 'start' },
    desired,
    // Only the first boot creates or takes over the database; its environment may have been forgotten before.
    provision: desired === 'stopped' ? (isThere ? wish.provision : 'none') : app.provision,
    data: 'keep',
    ...(uploads ? { uploads } : {}),
    ...(desired === 'stopped' ? {} : { sentTo: health === 'down' ? ('away' as const) : ('online' as const) }),
  };
}

/** From where its uploads are copied: from where it was before. An app with one environment waits for them, unless nobody can give them. */
function uploadsOf({ app, see }: Sight, target: string, generation: number): Published['uploads'] {
  const from = app.previous?.environments.find((name) => name !== target && !app.placements[name]);
  // Before its first start it has none.
  if (from === undefined || app.provision !== 'none') return undefined;
  const { health, address } = see(from);
  return { from, generation, wait: app.environments.length === 1 && health !== 'down', address };
}

/** Whether somebody has asked for a boot since. */
const isAsked = ({ placements }: Sight['app'], since: number): boolean =>
  Object.values(placements).some(({ boot }) => boot.isAsked && boot.generation > since);

/**
 * An app that has stopped the loop of a process is started nowhere, also where a failover has brought it before that process could say so.
 * Only somebody's newer boot lifts that, and no Worker says it of an app that was never placed there.
 */
export const stopsLoop: Rule = (sight) => {
  const { app, planned } = sight;
  if (planned.ending || isKeptOut(app)) return null;
  const newest = newestBoot(app);
  for (const [environment, wish] of Object.entries(app.published)) {
    const { entry, isMine, place } = sight.see(environment);
    if (!entry || !isMine || entry.error?.code !== 'APP_STOPS_LOOP' || wish.stray || isAhead(wish)) continue;
    const isStartedSince =
      wish.desired === 'removed'
        ? isAsked(app, wish.generation)
        : entry.bootGeneration < (place ?? wish).boot.generation;
    if (isStartedSince) continue;
    const kept = Object.keys(app.published).filter((name) => app.published[name].desired !== 'removed');
    return {
      change: { paused: { environment, boot: newest, cause: entry.error } },
      publish: sight.publishing(sight.again(kept)),
    };
  }
  return null;
};

/** 9. A boot that fails returns the app to where it ran, or keeps it from booting elsewhere until that boot is done. */
export const failed: Rule = (sight) => {
  const { app, planned } = sight;
  const unpaused = endsPause(sight);
  if (unpaused) return unpaused;
  const newest = newestBoot(app);
  const isNew = (name: string) =>
    app.placements[name]?.boot.generation === newest && app.placements[name].want !== 'stopped';
  const failing = sight.places.find((name) => isNew(name) && !startsBoot(app, name) && sight.see(name).hasFailed);
  const before = app.previous?.environments.filter((name) => !app.environments.includes(name)) ?? [];
  const added = sight.places.filter((name) => !app.previous?.environments.includes(name));
  // Another change of its environments waits for that boot: it has not left any yet.
  const isMove = before.length === 1 && added.length === 1;
  if (failing !== undefined && isMove && added.includes(failing) && !isKeptOut(app)) {
    // One that has still to leave it there may say of it that it stopped its process.
    if (before.every((name) => isAlive(sight.see(name).health) && app.published[name]?.desired !== 'removed')) {
      const change = returned(app, sight.next());
      return { change, heals: { action: 'move', environments: [...before, failing] } };
    }
  }
  const isNext = sight.places.some((name) => startsBoot(app, name));
  if (failing === undefined || !isNext || app.paused || !planned.stopsOnFailure) return arrives(sight);
  const { entry } = sight.see(failing);
  const cause = entry?.error ?? entry?.message ?? say('NO_CAUSE');
  return { change: { paused: { environment: failing, boot: newest, cause } } };
};

function endsPause(sight: Sight): Step | null {
  const { paused } = sight.app;
  if (!paused || isKeptOut(sight.app)) return null;
  const { place, isUp } = sight.see(paused.environment);
  const isOver = !place || place.want === 'stopped' || isUp || place.boot.generation > paused.boot;
  return isOver ? { change: { paused: null } } : null;
}

/** It is where it was to go: nothing leads back. */
function arrives(sight: Sight): Step | null {
  const { app } = sight;
  if (!app.previous || arrivingAt(app) !== null) return null;
  const isNew = (name: string) => !app.previous?.environments.includes(name);
  // Where its boot was cancelled it is not awaited. If all were cancelled, it has not arrived.
  const added = sight.places.filter(isNew);
  const isThere = (name: string) => {
    const { isReported, isUp, place } = sight.see(name);
    return !startsBoot(app, name) && (place?.want === 'stopped' ? isReported : isUp);
  };
  const isWanted = added.length > 0 || !app.environments.some(isNew);
  return isWanted && added.every(isThere) ? { change: { previous: null } } : null;
}

/** Where an app that has one environment may still run; null if it may start there. What was asked of it there before stands. */
function heldIn(sight: Sight, target: string): string | null {
  const { app } = sight;
  if (app.environments.length !== 1) return null;
  const { wish } = sight.see(target);
  if (isPublished(wish) && wish.desired !== 'stopped') return null;
  const isHeld = (environment: string) => {
    const { wish, health, isCurrent } = sight.see(environment);
    if (environment === target || isAhead(wish)) return false;
    return !(health === 'down' && isCurrent && wish?.desired === 'removed');
  };
  return Object.keys(app.published).find(isHeld) ?? null;
}

const ROLLING = new Set<string>(['restart', 'upgrade']);

/** Whether a boot is under way there, for which the next environment waits. */
export function isBooting(sight: Sight, environment: string): boolean {
  const { app, planned } = sight;
  const { wish, place, health, entry, isMine, isUp, hasFailed } = sight.see(environment);
  if (!wish || !place || place.want === 'stopped' || startsBoot(app, environment)) return false;
  // One that is away boots when it returns, unless it may have gone down by this boot.
  const mayHaveCrashed = wish.sentTo === 'online' && ROLLING.has(wish.boot.how) && planned.stopsOnFailure;
  if (health === 'down') return mayHaveCrashed && wish.boot.generation === newestBoot(app);
  if (!entry || !isMine || entry.bootGeneration < wish.boot.generation) return !hasFailed;
  return !isUp && !hasFailed && place.boot.generation === newestBoot(app);
}

/** 10 and 11. One environment boots at a time, in their order; an app with one not before it has ended elsewhere. */
export const boot: Rule = (sight) => {
  const { app } = sight;
  // Where an app is new that is kept out, its Worker learns that it is.
  const mayBoot = (name: string) => app.paused === null || (isKeptOut(app) && !isPublished(app.published[name]));
  if (sight.places.some((environment) => isBooting(sight, environment))) return null;
  const next = bootOrder(sight).find((environment) => startsBoot(app, environment) && mayBoot(environment));
  if (next === undefined || heldIn(sight, next) !== null) return null;
  const { place } = sight.see(next);
  return place ? steps(sight.publishing({ [next]: begin(sight, next, place.want) })) : null;
};

/** The new place of a move comes first, so that it returns without anything else having booted. */
function bootOrder({ places, app }: Sight): string[] {
  const isNew = (name: string) => app.previous !== null && !app.previous.environments.includes(name);
  return [...places.filter(isNew), ...places.filter((name) => !isNew(name))];
}

/** What an app waits for. */
export function waiting(sight: Sight): Message | null {
  const { app, planned } = sight;
  const held = bootOrder(sight).flatMap((name) => (startsBoot(app, name) ? (heldIn(sight, name) ?? []) : []));
  if (held.length && !app.paused) return say('WAITS_FOR_LEAVING', { environment: held[0] });
  const to = arrivingAt(app);
  const all = [...new Set([...(to === null ? [] : [to]), ...sight.places, ...Object.keys(app.published)])];
  // What is left of a deleted app: an end of its data, in one of the environments that it has left.
  const isData = planned.ending?.environments.length === 0 && planned.ending.data !== 'keep';
  const target = isData && app.targetEnvironment !== null ? [app.targetEnvironment] : [];
  for (const environment of isData ? [...target, ...all] : (planned.ending?.environments ?? all)) {
    const { wish, health, entry, isMine, isReported, isDone, isAdmitted } = sight.see(environment);
    if (wish && !isAdmitted) return say('WAITS_FOR_ADMISSION', { environment });
    if (!wish || (isReported && (isDone || entry?.status === 'not_found'))) continue;
    if (health === 'unknown') return say('WAITS_FOR_CONNECTION');
    if (health === 'down' || health === 'stopping') return say('WAITS_FOR_RETURN', { environment });
    if (!isMine || !entry || entry.begun < wish.generation) return say('WAITS_FOR_BEGIN', { environment });
  }
  return null;
}
