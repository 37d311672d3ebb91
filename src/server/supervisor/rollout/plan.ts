import { isDeepStrictEqual } from 'node:util';
import type { Published } from '../../../shared/app';
import { byName } from '../../../shared/pick';
import { isCredible } from '../../credible';
import { begin, boot, failed, isBooting, stopsLoop, waiting } from './boots';
import { confirmed, deleted, isAskedAgain } from './deletion';
import { hostsOf } from './hosts';
import { isPublished, startsBoot } from './observed';
import { type Plan, type Planned, type Rule, Sight, steps } from './sight';
import { arrived, arrivingAt } from './spec';
import { staleIn } from './stale';
import { endsAhead, isAhead, uploadsPublished } from './uploads';
import { work } from './work';

/**
 * What the leader does about an app: one list of rules, of which the first that applies is carried out. Nothing else decides what is
 * published.
 */

/**
 * 1. A Worker knows more than the database, which was restored; it wins, by a newer record. So does a former app of that name, of which no
 * Supervisor knows any more how it ended. None is believed that is far in the future.
 */
const above: Rule = (sight) => {
  const { app, planned } = sight;
  const found = Object.keys(app.published).flatMap((environment) => {
    const { wish, entry, isMine } = sight.see(environment);
    if (!wish || !entry) return [];
    const isFormer = entry.status === 'not_found' && isPublished(wish) && app.environments.includes(environment);
    if (!isMine && !isFormer) return [];
    const isBelieved = (value: number) => value <= app.generation || isCredible(value, planned.now);
    const mayStart = wish.desired === 'running' || wish.desired === 'onDemand';
    // An app does not start by the generation in which it was taken, so it needs the next one.
    const newest = mayStart && entry.newest !== undefined && isBelieved(entry.newest) ? entry.newest + 1 : 0;
    const reported = Math.max(isBelieved(entry.generation) ? entry.generation : 0, newest);
    return reported > wish.generation ? [[environment, reported] as const] : [];
  });
  const only = app.environments.length <= 1 ? app.environments : null;
  const publish = found.map(([environment, reported]) => {
    const isElsewhere = only !== null && !only.includes(environment) && !isAhead(app.published[environment]);
    if (isElsewhere) return [environment, sight.removal(environment, reported)] as const;
    return [environment, { ...app.published[environment], generation: sight.next(reported) }] as const;
  });
  return steps(sight.publishing(Object.fromEntries(publish)));
};

/** 2. An environment has the app, where nothing is published and nothing is wanted. */
const stray: Rule = (sight) => {
  const { app, planned } = sight;
  const isWanted = (name: string) => Boolean(app.placements[name]) || app.environments.includes(name);
  const strays = planned.names.filter((environment) => {
    if (app.published[environment] || isWanted(environment)) return false;
    const { entry, isMine } = sight.see(environment);
    return isMine && entry !== null && entry.status !== 'not_found';
  });
  const publish = byName(strays, (environment) => {
    const { entry } = sight.see(environment);
    return sight.removal(environment, entry && isCredible(entry.generation, planned.now) ? entry.generation : 0);
  });
  const step = steps(publish);
  return step && planned.ending ? { ...step, left: [...planned.ending.environments, ...strays] } : step;
};

/** 3. It has its database: from now on a missing one is an error, and the first administrator is not needed any more. */
const firstRun: Rule = (sight) => {
  const { app } = sight;
  const making = Object.keys(app.published).filter((name) => app.published[name].provision !== 'none');
  if (!making.some((name) => sight.see(name).isUp)) return null;
  const publish = sight.publishing(sight.again(making, { provision: 'none' }));
  return { publish, change: { provision: 'none', initialAdmin: null } };
};

/** 6. What rests, and new settings, at once. What is to boot there has its turn. */
const rest: Rule = (sight) => {
  const { app } = sight;
  const publish = sight.places.flatMap((environment): [string, Published][] => {
    const { wish, place } = sight.see(environment);
    if (!place) return [];
    if (!isPublished(wish))
      return place.want === 'stopped' ? [[environment, begin(sight, environment, 'stopped')]] : [];
    const want = startsBoot(app, environment) ? wish.desired : place.want;
    const isKnown = wish.generation >= place.generation && wish.desired === want;
    return isKnown ? [] : [[environment, { ...wish, desired: want, generation: sight.next() }]];
  });
  return steps(sight.publishing(Object.fromEntries(publish)));
};

/** 7. An app with one environment leaves all others at once; one with several when it runs where it is new. */
const leave: Rule = (sight) => {
  const { app, planned } = sight;
  if (planned.ending) return null;
  const to = arrivingAt(app);
  const left = Object.keys(app.published).filter((environment) => {
    const isOut = !app.environments.includes(environment) && environment !== to;
    if (!isOut) return false;
    if (app.published[environment].desired === 'removed') return isAskedAgain(sight, environment);
    const waits = app.environments.length > 1 && app.previous?.environments.includes(environment);
    return !waits || isAhead(app.published[environment]);
  });
  if (!left.length) return null;
  // Its place gets a newer record, by which it gives nothing more for a move that does not take place.
  const isCut = left.some((environment) => isAhead(app.published[environment]));
  const renewed = isCut ? sight.places.filter((name) => app.published[name]) : [];
  return { publish: { ...sight.removals(left), ...sight.publishing(sight.again(renewed)) } };
};

/** 8. Before an app leaves its only place, its uploads are copied to the next one, while it runs. */
const copyAhead: Rule = (sight) => {
  const { app } = sight;
  const to = arrivingAt(app);
  if (to === null) return null;
  const { wish, isReported } = sight.see(to);
  const [from] = app.environments;
  if (endsAhead(app, to, sight.see) || (isAhead(wish) && isReported)) return { change: arrived(app) };
  if (isAhead(wish)) return {};
  const generation = sight.next();
  const { address } = sight.see(from);
  const uploads = { from, generation, wait: false, address, ahead: true };
  const boot = { generation: 0, how: 'start' as const };
  return {
    publish: { [to]: { generation, boot, desired: 'stopped', provision: 'none', data: 'keep', uploads } },
  };
};

/** 13. Who may host it is in each record; and from where uploads are copied that an environment still lacks. */
const hosts: Rule = (sight) => {
  const { app, planned, see } = sight;
  if (planned.ending) return null;
  const uploads = uploadsPublished(app, see);
  if (uploads) {
    const again = byName(Object.keys(uploads), (name) => ({ ...uploads[name], generation: sight.next() }));
    return { publish: sight.publishing(again) };
  }
  const { hosts: may, left } = hostsOf(app, app.published, see);
  const isOutdated = ([, wish]: [string, Published]) =>
    isPublished(wish) && (!isDeepStrictEqual(wish.hosts, may) || left.some((name) => !wish.left?.includes(name)));
  const outdated = Object.entries(app.published).filter(isOutdated);
  return steps(sight.publishing(sight.again(outdated.map(([name]) => name))));
};

/** Where it runs without the plugins or the JWT secret that it has elsewhere, it restarts: nothing else tells it. */
const stale: Rule = (sight) => {
  const { app, planned } = sight;
  if (planned.ending || app.environments.length < 2 || app.desired === 'stopped' || app.paused) return null;
  if (sight.places.some((name) => startsBoot(app, name) || isBooting(sight, name))) return null;
  const { plugins, jwtSecret } = staleIn(app, (name) => sight.see(name).entry);
  // A Worker reports its plugins only if the app can start again; for the secret, that is checked here.
  const environments = [...new Set([...plugins, ...(jwtSecret.length && planned.agrees() ? jwtSecret : [])])];
  if (!environments.length) return null;
  const generation = sight.next();
  const boot = { generation, how: 'restart' as const };
  const again = byName(environments, (name) => ({ ...app.placements[name], boot }));
  return { change: { placements: { ...app.placements, ...again } }, heals: { action: 'restart', environments } };
};

const RULES: readonly Rule[] = [
  above,
  stray,
  firstRun,
  // Before a record is withdrawn: its environment may be the only one that reports that the app stopped a process.
  stopsLoop,
  confirmed,
  deleted,
  // Before anything is published that names fewer hosts.
  leave,
  rest,
  copyAhead,
  failed,
  boot,
  work,
  hosts,
  stale,
];

/**
 * What is to be done next about one app. Pure: the leader calls it with what is wanted, published and observed, writes what it says in one
 * transaction, and calls it again, until nothing is left. If the leader dies, the next one goes on from what is published.
 */
export function plan(planned: Planned): Plan {
  const sight = new Sight(planned);
  for (const rule of RULES) {
    const step = rule(sight);
    if (step) return { ...step, waits: Object.keys(step).length ? null : waiting(sight) };
  }
  return { waits: waiting(sight) };
}
