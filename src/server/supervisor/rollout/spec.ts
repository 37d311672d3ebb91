import type { AppDefinition, Placement, Previous, Published } from '../../../shared/app';
import { byName } from '../../../shared/pick';
import { desiredOf } from '../definitions/repository';
import { isPublished } from './observed';
import { isAhead } from './uploads';

/**
 * The spec of an app: what a request changes. All functions are pure; each request takes the next generation of the app, and gives it to
 * what it asks for.
 *
 * `environments` says where an app is placed: where visitors are sent, and where it is shown. `placements` says what is wanted in each of
 * them. The two name the same environments, with two exceptions: an app that is about to move is still placed where it runs, as long as its
 * uploads are copied ahead (`arrivingAt`); and where a request was cancelled before anything was published, nothing is wanted.
 */
export type Spec = Pick<
  AppDefinition,
  | 'database'
  | 'environments'
  | 'targetEnvironment'
  | 'home'
  | 'desired'
  | 'startMode'
  | 'placements'
  | 'previous'
  | 'paused'
  | 'published'
>;
export type SpecChange = Partial<Spec>;
/** Where an app is placed. */
export type Place = Pick<AppDefinition, 'environments' | 'targetEnvironment' | 'home'>;
type Begun = Pick<Spec, 'desired' | 'startMode' | 'paused' | 'placements'>;
type How = Placement['boot']['how'];

const NEVER_BOOTED = { generation: 0, how: 'start' } as const;

/** The newest boot that was asked for anywhere; 0 if there was none. */
export const newestBoot = ({ placements }: Pick<Spec, 'placements'>): number =>
  Math.max(0, ...Object.values(placements).map(({ boot }) => boot.generation));

/** Whether an app is started nowhere, since it stopped the loop of a process: nobody has asked for a boot since. */
export const isKeptOut = ({ paused, placements }: Pick<Spec, 'paused' | 'placements'>): boolean =>
  paused?.cause.code === 'APP_STOPS_LOOP' && paused.boot >= newestBoot({ placements });

/** Where an app goes that is still placed where it runs, because its uploads are copied ahead; null if it goes nowhere. */
export const arrivingAt = ({ environments, placements }: Pick<Spec, 'environments' | 'placements'>): string | null =>
  Object.keys(placements).find((environment) => !environments.includes(environment)) ?? null;

/**
 * A start, restart or upgrade: in all environments, or only in some, as after a drain. An app that is kept out starts wherever it does not
 * rest: what its Workers say of former boots is over.
 * @param isAsked as in `Boot`
 */
export function booted(app: Spec, generation: number, how: How, only?: readonly string[], isAsked = true): SpecChange {
  const want = desiredOf({ ...app, desired: 'running' }) as Placement['want'];
  const isNamed = (name: string) =>
    !only || only.includes(name) || (isKeptOut(app) && (app.placements[name]?.want ?? 'stopped') !== 'stopped');
  const asked = byName(app.environments.filter(isNamed), (environment) => ({
    ...app.placements[environment],
    // Its settings are known there: nothing but the boot is to be published.
    generation: app.placements[environment]?.generation ?? generation,
    want,
    boot: { generation, how, ...(isAsked && { isAsked: true }) },
  }));
  return { placements: { ...app.placements, ...asked }, paused: null, ...(only ? {} : { desired: 'running' }) };
}

/** New secrets: they are told at once everywhere, and the app restarts where it does not rest. */
export function restartedWith(app: Spec, generation: number): SpecChange {
  const placements = byName(Object.keys(app.placements), (name) => ({ ...app.placements[name], generation }));
  const running = isKeptOut(app) ? [] : Object.keys(placements).filter((name) => placements[name].want !== 'stopped');
  return running.length ? booted({ ...app, placements }, generation, 'restart', running) : { placements };
}

/** A stop: everywhere, or only in some environments, as in a drain. */
export function rested(app: Spec, generation: number, only?: readonly string[]): SpecChange {
  const asked = byName(only ?? app.environments, (environment): Placement => {
    const place: Placement | undefined = app.placements[environment];
    return { ...place, generation, want: 'stopped', boot: place?.boot ?? NEVER_BOOTED };
  });
  return { placements: { ...app.placements, ...asked }, ...(only ? {} : { desired: 'stopped' }) };
}

/**
 * New settings, and perhaps other environments.
 * @param app with its new settings
 */
export function placed(app: Spec, place: Place, generation: number): SpecChange {
  const added = place.environments.filter((environment) => !app.environments.includes(environment));
  // What was cancelled before it began is asked for by no change of settings.
  const wanted = place.environments.filter((name) => app.placements[name] || added.includes(name));
  return {
    ...place,
    placements: byName(wanted, (name) => {
      const known: Placement | undefined = app.placements[name];
      return known ? applied(app, known, generation) : begun(app, generation);
    }),
    // Where it ran before the first of several changes of which none has arrived.
    previous: app.previous ?? (added.length ? previousOf(app) : null),
    // A boot that failed elsewhere does not keep it from where somebody has just asked for it.
    ...(added.length && !isKeptOut(app) ? { paused: null } : {}),
  };
}

/** A move that copies the uploads of an app ahead: until that is over, it stays placed where it runs. */
export const arriving = (app: Spec, to: string, generation: number): SpecChange => ({
  placements: { [to]: begun(app, generation) },
  previous: previousOf(app),
});

/** It is placed where it was about to go. */
export function arrived(app: Spec): SpecChange {
  const to = arrivingAt(app);
  return to === null ? {} : { environments: [to], targetEnvironment: to, home: null };
}

/** It does not go where it was about to go. */
export const stays = (app: Spec): SpecChange =>
  arrivingAt(app) === null ? {} : { placements: app.previous?.placements ?? {}, previous: null };

/** It is placed where it ran before a move, and starts there. */
export function returned(app: Spec, generation: number): SpecChange {
  const { previous } = app;
  if (!previous) return {};
  const { placements: before, ...place } = previous;
  const boot = { generation, how: 'start' as const };
  const placements = byName(
    place.environments,
    (name) => app.placements[name] ?? { ...(before[name] ?? begun(app, generation)), generation, boot },
  );
  return { ...place, placements, previous: null, paused: null };
}

/** Cancel: what is published is what is wanted. What was not published is wanted nowhere, and may be asked for again. */
export function cancelled(app: Spec): SpecChange {
  if (arrivingAt(app) !== null) return stays(app);
  const isThere = (environment: string) => isPublished(app.published[environment]);
  const back = Object.keys(app.published).filter((name) => isThere(name) && !app.environments.includes(name));
  // What replaces an environment is not begun before that is asked to leave, if it has to leave first.
  const gone = back.length ? app.environments.filter((name) => !isThere(name)) : [];
  const environments = [...app.environments.filter((name) => !gone.includes(name)), ...back];
  const placements = byName(environments.filter(isThere), (environment): Placement => {
    const { generation, desired, boot, work: published } = app.published[environment];
    // Nobody has asked for it: it goes on.
    const work = app.placements[environment]?.work ?? published;
    return { generation, want: desired as Placement['want'], boot, ...(work ? { work } : {}) };
  });
  const entries = Object.entries(placements);
  const { targetEnvironment: target, home, previous } = app;
  const place = {
    targetEnvironment: target && environments.includes(target) ? target : (environments[0] ?? null),
    home,
  };
  const before = previous && back.length ? { targetEnvironment: previous.targetEnvironment, home: previous.home } : {};
  // Where nothing is undone, an app that rests there for now goes on to do so.
  const wanted = { ...previous?.placements, ...app.placements };
  const isUndone = entries.some(([name, { want }]) => wanted[name] && wanted[name].want !== want);
  const isWanted = entries.some(([, { want }]) => want !== 'stopped');
  return {
    environments,
    ...place,
    ...before,
    placements,
    // Where something is begun, it is what is wanted now, and nothing leads back.
    previous: entries.length ? null : previous,
    desired: !isUndone ? app.desired : isWanted ? 'running' : 'stopped',
  };
}

/** An environment was forgotten: the app belongs there no more, nor does it return there. Null if it has nothing to do with it. */
export function forgotten(app: Spec, environment: string): SpecChange | null {
  const { environments, placements, previous, published, home } = app;
  const isNamed = [environments, Object.keys(placements), Object.keys(published), previous?.environments ?? []].some(
    (names) => names.includes(environment),
  );
  if (!isNamed && home !== environment) return null;
  const isArriving = arrivingAt(app) === environment;
  // Where it was about to go: it stays. Where it still runs: it goes on at once.
  const isLeft = arrivingAt(app) !== null && environments.includes(environment);
  const kept = { ...app, ...(isArriving ? stays(app) : isLeft ? arrived(app) : {}) };
  const before = kept.previous && without(kept.previous, environment);
  return {
    ...without(kept, environment),
    published: omit(published, environment),
    previous: before?.environments.length ? before : null,
    ...(app.paused?.environment === environment && !isKeptOut(app) ? { paused: null } : {}),
    ...renewing(app, [published[environment]]),
  };
}

/** Whether the role of its database is the app's own, whose password nobody has entered. */
export const hasOwnRole = ({ database }: Pick<AppDefinition, 'database'>): boolean =>
  database.dbConnType !== 'new_connection' && Boolean(database.username);

/** The role gets another password, if an environment that has the app no more was ever given the one that there is. */
export function renewing(app: Pick<AppDefinition, 'database'>, left: readonly (Published | undefined)[]): SpecChange {
  const isKnown = left.some((wish) => wish && !wish.stray && !isAhead(wish));
  return isKnown && hasOwnRole(app) ? { database: { ...app.database, renewsPassword: true } } : {};
}

const without = (from: Previous, environment: string): Previous => {
  const environments = from.environments.filter((other) => other !== environment);
  const { targetEnvironment: target, home } = from;
  return {
    environments,
    targetEnvironment: target === environment ? (environments[0] ?? null) : target,
    home: home === environment ? null : home,
    placements: omit(from.placements, environment),
  };
};

const omit = <T>(map: Record<string, T>, key: string): Record<string, T> => {
  const { [key]: _, ...others } = map;
  return others;
};

const previousOf = ({ environments, targetEnvironment, home, placements }: Spec): Previous => ({
  environments,
  targetEnvironment,
  home,
  placements,
});

/** What is wanted in an environment that is new. An app that is kept out is so there, too: nobody has asked for a boot. */
export function begun(app: Begun, generation: number): Placement {
  const want = desiredOf(app) as Placement['want'];
  const asked = isKeptOut(app) ? newestBoot(app) : generation;
  return { generation, want, boot: want === 'stopped' ? NEVER_BOOTED : { generation: asked, how: 'start' } };
}

/** What is wanted where it is by its new settings. What rests there, as after a drain, goes on to rest. */
const applied = (app: Spec, known: Placement, generation: number): Placement => ({
  ...known,
  generation,
  want: known.want === 'stopped' ? 'stopped' : (desiredOf({ ...app, desired: 'running' }) as Placement['want']),
});
