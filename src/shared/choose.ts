import type { Health, Status } from './types';

/** What is known of an app that a visitor asks for. */
interface Asked {
  desired: 'running' | 'onDemand' | 'stopped';
  /** In the app's own order. */
  environments: readonly string[];
  targetEnvironment: string | null;
  /** By environment. */
  statuses: { get(environment: string): Status | undefined };
}

interface Candidate {
  name: string;
  serves: boolean;
  health: Health;
}

/** Environments that do not answer. */
interface Quarantined<E> {
  has(environment: E, now: number): boolean;
}

/**
 * Chooses the environment for a request. Pure; `now` is monotonic. No Node here: pages import this file.
 *
 * Candidates are environments that the app is assigned to, that serve requests, and that are not in quarantine. Order:
 * 1. environments that are stopping or down come last, because they would only cost a refused connection;
 * 2. the requested environment, if the app runs there or this visit would start it;
 * 3. running before a Worker that is not heard of, such as one of an older release, before in transition before unknown
 * before dormant before failed before stopped: a visit that another environment can serve does not wake an app, so one
 * visit never wakes two;
 * 4. otherwise: online before other health, then the requested environment, then `targetEnvironment`, then the app's
 * own order. A visitor who requested an environment keeps it during its restart only if no other environment runs the
 * app meanwhile.
 *
 * @param requested environment named by header or cookie, already validated; ignored if the app is not assigned to it
 * @param except environment that this request has already tried
 */
export function choose<E extends Candidate>(
  app: Asked,
  environmentOf: (name: string) => E | undefined,
  requested: string | null,
  quarantine: Quarantined<E>,
  now: number,
  except: string | null = null,
): E | null {
  if (app.desired === 'stopped') return null;
  let best: E | null = null;
  let bestRank = Number.POSITIVE_INFINITY;
  for (let i = 0; i < app.environments.length; i++) {
    const name = app.environments[i];
    if (name === except) continue;
    const environment = environmentOf(name);
    if (!environment?.serves || quarantine.has(environment, now)) continue;
    const rank = rankOf(app, environment, requested, i);
    if (rank < bestRank) {
      best = environment;
      bestRank = rank;
    }
  }
  return best;
}

/**
 * Where `choose` sends visitors who request no environment as long as the app runs: the environments that run it, the best one first. If
 * none does, those that are not heard of and probably do.
 */
export function runningIn(app: Asked, environmentOf: (name: string) => Candidate | undefined): string[] {
  if (app.desired === 'stopped') return [];
  const known = app.environments.flatMap((name, i) => {
    const environment = environmentOf(name);
    if (!environment?.serves || leavingRank(environment.health) > 0) return [];
    const state = stateRank(app.statuses.get(name), environment.health);
    return [{ name, state, rank: rankOf(app, environment, null, i) }];
  });
  const best = Math.min(UNHEARD, ...known.map(({ state }) => state));
  return known
    .filter(({ state }) => state === best)
    .sort((one, other) => one.rank - other.rank)
    .map(({ name }) => name);
}

/** Smaller is better. The steps leave room for 9,000 environments for each app. */
function rankOf(app: Asked, environment: Candidate, requested: string | null, index: number): number {
  const { name, health } = environment;
  const state = stateRank(app.statuses.get(name), health);
  const isRequested = name === requested;
  const leaving = leavingRank(health);
  if (isRequested && leaving === 0 && (state === RUNNING || state === DORMANT)) return -1;
  const preference = isRequested ? 0 : name === app.targetEnvironment ? 1 : 2 + index;
  return leaving * 1_000_000 + state * 100_000 + (health === 'online' ? 0 : 10_000) + preference;
}

const RUNNING = 0;
const UNHEARD = 1;
const DORMANT = 4;

function stateRank(status: Status | undefined, health: Health): number {
  switch (status) {
    case 'running':
      return RUNNING;
    case 'preparing':
    case 'initializing':
    case 'initialized':
    case 'commanding':
    case 'waiting':
      return 2;
    case 'unknown':
    case undefined:
      // It serves probably; one in transition does not.
      return health === 'unknown' ? UNHEARD : 3;
    case 'dormant':
      return DORMANT;
    case 'error': // a visit may start it again
      return 5;
    default: // stopped, not_found: it answers, but not with the app
      return 6;
  }
}

function leavingRank(health: Health): number {
  return health === 'down' ? 2 : health === 'stopping' ? 1 : 0;
}
