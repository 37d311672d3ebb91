import type { MoveCause } from '../../../shared/words';
import type { AppDefinition } from '../definitions/repository';
import { isKeptOut } from './spec';

/**
 * When an app with one environment leaves it because that is down, and when it returns. Pure functions, with all times from
 * the monotonic clock as arguments.
 */

/** How long an environment has to be online without a break before apps return to it by themselves, in ms. */
export const FAILBACK_AFTER = 120_000;
/** The shortest time between two returns of an app by itself, in ms: one that is down again and again does not move it back and forth. */
export const FAILBACK_EVERY = 3_600_000;

/**
 * Whether an app leaves an environment by itself when that has been down for long enough: one that should run there, and nowhere else.
 * Not one that stopped its process, as it would the next one. Not before its first start, which makes its database: nobody can tell how far that has come.
 */
export const failsOver = (app: AppDefinition, environment: string): boolean => {
  const { environments, desired, published, provision, failover } = app;
  const [only, ...others] = environments;
  const isThere = only === environment && !others.length;
  const wish = published[environment]?.desired;
  const isWanted = desired === 'running' && (wish === 'running' || wish === 'onDemand');
  return failover === 'automatic' && isThere && isWanted && provision === 'none' && !isKeptOut(app);
};

/**
 * The apps that leave an environment now.
 * @param downFor how long it has been down without a break, in ms
 * @returns `next`: in how many ms another one will; null if none will
 */
export function leaving(
  apps: Iterable<AppDefinition>,
  environment: string,
  downFor: number,
): { due: AppDefinition[]; next: number | null } {
  const due: AppDefinition[] = [];
  let next: number | null = null;
  for (const app of apps) {
    if (!failsOver(app, environment)) continue;
    const left = app.failoverDelay * 1_000 - downFor;
    if (left <= 0) due.push(app);
    else next = Math.min(next ?? left, left);
  }
  return { due, next };
}

/** The environments that a failover of these apps may be about: those that they may leave, and their homes. */
export function failoverPlaces(
  apps: Iterable<Pick<AppDefinition, 'failover' | 'environments' | 'home'>>,
): ReadonlySet<string> {
  const places = new Set<string>();
  for (const { failover, environments, home } of apps) {
    if (failover === 'automatic') for (const environment of environments) places.add(environment);
    if (home !== null) places.add(home);
  }
  return places;
}

/** Whether an app returns to an environment by itself. */
export const returnsTo = (app: AppDefinition, environment: string): boolean => {
  const { environments, failback, home } = app;
  const isAway = home === environment && environments.length === 1 && environments[0] !== environment;
  return isAway && failback === 'automatic' && !isKeptOut(app);
};

/**
 * In how many ms an app may return; 0: now.
 * @param wellFor how long its home has been online without a break, in ms
 * @param returnedAgo how long ago it has last returned, in ms; null: never
 */
export const returnsIn = (wellFor: number, returnedAgo: number | null): number => {
  const apart = returnedAgo === null ? 0 : FAILBACK_EVERY - Math.max(0, returnedAgo);
  return Math.max(0, FAILBACK_AFTER - wellFor, apart);
};

/**
 * Why an app moves, whoever asks for it; null if it is for good.
 * @param isDown whether its source is down
 */
export function causeOf(
  { environments, home }: Pick<AppDefinition, 'environments' | 'home'>,
  source: string | null,
  to: string,
  isDown: boolean,
): MoveCause | null {
  if (to === home) return 'failback';
  return isDown && source !== null && environments.length === 1 ? 'failover' : null;
}

/** The home of an app after a move: a failover keeps that of the first one, and whatever else moves it gives it a new place. */
export function homeAfter(
  { home }: Pick<AppDefinition, 'home'>,
  source: string | null,
  to: string,
  cause: MoveCause | null,
): string | null {
  const kept = cause === 'failover' ? (home ?? source) : null;
  return kept === to ? null : kept;
}
