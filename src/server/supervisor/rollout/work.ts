import type { Message } from '../../../shared/message';
import { byName } from '../../../shared/pick';
import { isCredible } from '../../credible';
import { isAlive } from '../../protocol/health';
import { isBooting } from './boots';
import { isPublished, startsBoot } from './observed';
import type { Rule, Sight, Step } from './sight';
import { arrivingAt, hasOwnRole } from './spec';

/**
 * Work on data, of which there is one kind: another password for the database role of an app. All its places are told both passwords before
 * the first one sets the new one, so that each of them can sign in whenever that happens, and whoever has died meanwhile.
 */

/** 12. Work is done in one place after the other, where nothing boots, moves or leaves. */
export const work: Rule = (sight) => {
  const { app, places } = sight;
  if (!places.length || !hasOwnRole(app) || app.provision !== 'none' || !isQuiet(sight)) return null;
  const { nextPassword } = app.database;
  const asked = places.filter((name) => app.placements[name].work);
  if (!nextPassword || !asked.length) return begins(sight);
  const left = asked.filter((name) => doneIn(sight, name) < newestIn(sight, name));
  if (!left.length) return ends(sight, nextPassword);
  // Another place may be permitted what one is not, which then finds it done: it goes on trying.
  const next = left.find((name) => !hasFailedIn(sight, name));
  if (next === undefined) return null;
  const { wish, place } = sight.see(next);
  if (!isPublished(wish) || !place?.work || (wish.work?.generation ?? 0) >= place.work.generation) return null;
  // A place that does not know the new password yet would lose the database.
  if (!places.every((name) => name === next || sight.see(name).isReported)) return null;
  return { publish: sight.publishing(sight.again([next], { work: place.work })) };
};

/** The password is made, and told to all places: to a single one with its work. */
function begins(sight: Sight): Step | null {
  const { app, places, planned } = sight;
  const { renewsPassword, ...database } = app.database;
  const isWanted = database.nextPassword !== undefined || renewsPassword || isBehind(sight);
  if (!isWanted || !places.every((name) => isThere(sight, name))) return null;
  const generation = sight.next(Math.max(...places.map((name) => doneIn(sight, name))));
  const work = { generation, kind: 'password' as const };
  const asked = byName(places, (name) => ({ ...app.placements[name], work }));
  // An environment that the app has left knows the password that was being set.
  const access = database.nextPassword ? app.database : { ...database, nextPassword: planned.newPassword() };
  return {
    change: { database: access, placements: { ...app.placements, ...asked } },
    publish: places.length > 1 ? sight.publishing(sight.again(places)) : {},
  };
}

/** It is the password of the role everywhere. */
function ends(sight: Sight, password: string): Step {
  const { nextPassword: _, ...database } = sight.app.database;
  return { change: { database: { ...database, password } }, publish: sight.publishing(sight.again(sight.places)) };
}

const newestIn = ({ app }: Sight, environment: string): number => app.placements[environment].work?.generation ?? 0;

/** The newest work that a Worker has begun there, as it says. */
function toldOf(sight: Sight, environment: string): { generation: number; error: Message | null } {
  const { isMine, entry } = sight.see(environment);
  return (isMine && entry?.work) || { generation: 0, error: null };
}

/** The newest work that a Worker has done there, as far as it can be believed. */
function doneIn(sight: Sight, environment: string): number {
  const { generation, error } = toldOf(sight, environment);
  return error === null && isCredible(generation, sight.planned.now) ? generation : 0;
}

/** Whether it has failed there, and its Worker goes on trying: the record of a boot does not ask for it. */
function hasFailedIn(sight: Sight, environment: string): boolean {
  const { generation, error } = toldOf(sight, environment);
  const asked = sight.see(environment).wish?.work?.generation ?? 0;
  return error !== null && Math.min(generation, asked) >= newestIn(sight, environment);
}

/** The database of the Supervisors was restored: the role has a password that is not known any more. */
const isBehind = (sight: Sight): boolean => sight.places.some((name) => doneIn(sight, name) > newestIn(sight, name));

function isThere(sight: Sight, environment: string): boolean {
  const { health, isCurrent, isReported } = sight.see(environment);
  return isAlive(health) && isCurrent && isReported;
}

function isQuiet(sight: Sight): boolean {
  const { app, places } = sight;
  if (app.previous !== null || arrivingAt(app) !== null) return false;
  if (places.some((name) => startsBoot(app, name) || isBooting(sight, name))) return false;
  // What leaves may still write, with the password that it has.
  const leaving = Object.keys(app.published).filter((name) => !places.includes(name));
  return leaving.every((name) => sight.see(name).health === 'down');
}
