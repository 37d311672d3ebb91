import { isDeepStrictEqual } from 'node:util';
import type { AppDefinition, Placement, Published } from '../../../src/shared/app';
import type { AppRecord, StatusEntry } from '../../../src/shared/messages';

/**
 * What should happen, by what the docs say. Nothing that judges imports a decision of the product, which `npm run check` enforces: a wrong
 * one would be expected.
 */

/** docs/errors.md, APP_START_FAILED: five attempts in total. */
export const ATTEMPTS = 5;
/** docs/failure-modes.md: after the third crash an app is not booted any more. */
export const CRASHES = 3;
/** docs/failover.md: for how long most of a fleet is silent before it is shown as down, in ms. */
export const MOST_ARE_SILENT = 180_000;
/** docs/failover.md: an app returns by itself at most once an hour, in ms. */
const RETURNS_EVERY = 3_600_000;

/** docs/failover.md, "When an app moves by itself": it should run, its database exists, and this is its only environment. */
export function shouldLeave(app: AppDefinition, environment: string): boolean {
  const { environments, failover, desired, provision, placements } = app;
  const isOnly = environments.length === 1 && environments[0] === environment;
  const isWanted = desired === 'running' && isStartable(placements[environment]);
  return failover === 'automatic' && isOnly && isWanted && provision === 'none';
}

/** docs/failover.md, "When it returns". */
export const shouldReturn = ({ environments, failback, home }: AppDefinition): boolean =>
  failback === 'automatic' && home !== null && environments.length === 1 && environments[0] !== home;

/** @param ago how long ago it returned, in ms */
export const hasJustReturned = (ago: number): boolean => ago < RETURNS_EVERY;

const isStartable = (place: Placement | undefined): boolean => place !== undefined && place.want !== 'stopped';

/** Whether an environment has been told to run an app, or to let it rest. */
const isTold = (wish: Published | undefined): wish is Published =>
  wish !== undefined && wish.desired !== 'removed' && !wish.uploads?.ahead;

/** Whether the boot that is wanted in an environment has not been published there yet. */
export function isStillToBoot({ placements, published }: AppDefinition, environment: string): boolean {
  const wish = published[environment];
  if (!isStartable(placements[environment])) return false;
  return !isTold(wish) || wish.boot.generation < placements[environment].boot.generation;
}

/** Whether an environment says that all is as it was told. */
export function isAsTold(uid: string, wish: Published, entry: StatusEntry | null): boolean {
  if (entry?.uid !== uid || entry.generation < wish.generation) return false;
  if (wish.desired === 'stopped' || entry.status !== 'dormant') return entry.status === restOf(wish);
  return !entry.error && entry.bootGeneration >= wish.boot.generation;
}

const restOf = ({ desired }: Published): StatusEntry['status'] => (desired === 'stopped' ? 'stopped' : 'running');

/** Which event lasts as long as an app is so, by docs/activity.md; null if that does not tell. */
export function lastingOf({ status, error }: StatusEntry): 'failure' | 'crash' | 'well' | null {
  if (status === 'error') return error?.code === 'APP_CRASH_LOOP' ? 'crash' : 'failure';
  if (status === 'dormant') return error ? null : 'well';
  return status === 'running' || status === 'stopped' || status === 'not_found' ? 'well' : null;
}

/** What says that two events are of the same state. */
export const eventKey = (kind: string, environment: string | null, appUid: string | null): string =>
  [kind, environment, appUid].join(' ');

/** What only the Supervisor knows of what it publishes. */
const KEPT_BACK = ['stray', 'sentTo'];
/** What an environment needs of an app's settings. */
const SETTINGS = ['title', 'language', 'cname', 'pinned', 'sort', 'environments', 'startMode', 'autoUpgrade'] as const;

/**
 * What is wrong in a record, which says what was published, and no more than its environment may know: all of an app that is placed there,
 * no secret of one whose uploads are only copied ahead, and of one that leaves nothing but the database whose data are to end.
 */
export function faultOf(record: AppRecord, app: AppDefinition, wish: Published): string | undefined {
  const isLeft = wish.desired === 'removed';
  const { generation, desired, data } = wish;
  const wanted = {
    ...(isLeft ? { generation, desired, data, initialAdmin: null } : { ...wish, ...settingsOf(app) }),
    name: app.name,
    uid: app.uid,
    jwtSecret: isLeft || wish.uploads?.ahead ? null : app.jwtSecret,
    database: databaseFor(app, wish),
  };
  const told = Object.entries(wanted).filter(([name]) => !KEPT_BACK.includes(name));
  return told.find(([name, value]) => !isSame(record[name as keyof AppRecord], value))?.[0];
}

const settingsOf = (app: AppDefinition) => Object.fromEntries(SETTINGS.map((name) => [name, app[name]]));

function databaseFor(app: AppDefinition, { desired, data, uploads }: Published) {
  // That a password is still to be made is the Supervisor's.
  const { renewsPassword: _, ...database } = app.database;
  if (desired === 'removed') return data === 'keep' ? { dbConnType: 'new_database' } : database;
  const { password: __, nextPassword: ___, ...place } = database;
  return uploads?.ahead ? place : database;
}

const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one ?? null, other ?? null);
