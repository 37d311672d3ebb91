import { isAlive } from '../../protocol/health';
import type { Rule, Sight } from './sight';
import { renewing } from './spec';
import { isAhead } from './uploads';

/** The rules of the plan about what is to be gone: which record is needed no more, and the end of a deleted app. */

/** 4. What has left, or was forgotten, needs no record any more. Of a deleted app it is counted. */
export const confirmed: Rule = (sight) => {
  const { app, planned } = sight;
  const isGone = (environment: string) => {
    const { wish, isGone, isKnown } = sight.see(environment);
    return !isKnown || planned.taken.includes(environment) || (wish?.desired === 'removed' && isGone);
  };
  if (planned.ending) {
    const { environments, data } = planned.ending;
    const isEnded = (environment: string) =>
      isGone(environment) && (app.published[environment]?.desired ?? 'removed') === 'removed';
    const left = environments.filter((environment) => !isEnded(environment));
    const isDataAsked = Object.values(app.published).some((wish) => wish.data !== 'keep');
    if (left.length || (data !== 'keep' && !isDataAsked)) return left.length < environments.length ? { left } : null;
    return { ends: true };
  }
  const withdraw = Object.keys(app.published).filter((name) => !app.environments.includes(name) && isGone(name));
  if (!withdraw.length) return null;
  const change = renewing(
    app,
    withdraw.map((name) => app.published[name]),
  );
  return { withdraw, ...(Object.keys(change).length ? { change } : {}) };
};

/** 5. A deleted app leaves all environments at once; then its data are ended in one of them, in which it was placed. */
export const deleted: Rule = (sight) => {
  const { app, planned } = sight;
  const { ending } = planned;
  if (!ending) return null;
  const again = ending.environments.filter((name) => isAskedAgain(sight, name));
  if (again.length) return { publish: sight.again(again) };
  const toLeave = ending.environments.filter((name) => (app.published[name]?.desired ?? 'running') !== 'removed');
  if (toLeave.length) return { publish: sight.removals(toLeave) };
  const isDataAsked = Object.values(app.published).some((wish) => wish.data !== 'keep');
  if (ending.environments.length || ending.data === 'keep' || isDataAsked) return {};
  // Its name is kept for it no longer than its request lasts, which may have failed.
  if (ending.data === 'drop' && planned.asked === 0) return {};
  // Only with an operation that placed it there the password of its database may go there.
  const places = Object.keys(app.published).filter(
    (name) => !app.published[name].stray && !isAhead(app.published[name]),
  );
  const known = places.filter((name) => sight.see(name).isKnown && !planned.taken.includes(name));
  if (!known.length) return { ends: true };
  const wanted = [app.targetEnvironment, ...known].find(
    (name) => name !== null && known.includes(name) && isAlive(sight.see(name).health),
  );
  if (!wanted) return {};
  return { publish: { [wanted]: { ...sight.removal(wanted), data: ending.data } }, left: [wanted] };
};

/** Whether the end of the app there has failed, and somebody has asked for it once more. */
export function isAskedAgain(sight: Sight, environment: string): boolean {
  const { wish, hasFailed } = sight.see(environment);
  return wish?.desired === 'removed' && hasFailed && wish.generation < sight.planned.asked;
}
