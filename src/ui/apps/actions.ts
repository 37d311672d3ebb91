import { choose } from '../../shared/choose';
import type { AppRow, EnvironmentRow, OperationRow } from '../../shared/types';
import type { OperateAction } from '../common/api';
import { inTransition, isUnderway } from '../common/status';
import { key, type Message } from '../common/text';

export type AppAction = OperateAction | 'visit' | 'edit' | 'move' | 'destroy' | 'resetAdmin';

/** The reason why an action is disabled; null if it is enabled. */
export type Refusal = Message | null;

const STARTING = ['create', 'adopt', 'start', 'restart', 'upgrade', 'renewSecrets'];
/** What would have no effect on an app without an environment. */
const NEEDS_ENVIRONMENT: AppAction[] = ['start', 'restart', 'upgrade', 'visit', 'resetAdmin'];
const doing = (app: AppRow): OperationRow['action'] | undefined =>
  app.operation && isUnderway(app.operation) ? app.operation.action : undefined;
const everywhere = (app: AppRow, ...statuses: string[]) =>
  app.environments.length > 0 && app.environments.every((name) => statuses.includes(app.statuses[name]?.status));
const somewhere = (app: AppRow, ...statuses: string[]) =>
  app.environments.some((name) => statuses.includes(app.statuses[name]?.status));
const refuse = (text: string, values?: Message['values']): Refusal => ({ text, values });

/** @param environments null if the user has no permission to see them */
export function refusal(action: AppAction, app: AppRow, environments: EnvironmentRow[] | null): Refusal {
  const now = doing(app);
  if (now === 'destroy') {
    return refuse(key('It is being deleted.'));
  }
  const isHomeless = !app.environments.length;
  if (isHomeless && NEEDS_ENVIRONMENT.includes(action))
    return refuse(key('It has no environment. Assign it to one first.'));
  switch (action) {
    case 'start':
      if (now && STARTING.includes(now)) return refuse(key('It is being started.'));
      return app.desiredState !== 'stopped' && everywhere(app, 'running')
        ? refuse(key('It is already running.'))
        : null;
    case 'stop':
      if (now === 'stop') return refuse(key('It is being stopped.'));
      return app.desiredState === 'stopped' && !now ? refuse(key('It is already stopped.')) : null;
    case 'restart':
      return app.desiredState === 'stopped' ? refuse(key('It is stopped. Start it instead.')) : null;
    case 'upgrade':
      return outdatedIn(app, environments)?.length === 0
        ? refuse(key('Its data already has the newest version ({{version}}).'), { version: app.version })
        : null;
    case 'move':
      return now === 'move' ? refuse(key('It is being moved.')) : null;
    case 'resetAdmin':
      return somewhere(app, 'running', 'dormant') ? null : refuse(key('It does not run. Start it first.'));
    case 'visit':
      if (app.desiredState === 'stopped') return refuse(key('It is stopped. Start it first.'));
      return visitRefusal(app, environments);
    default:
      return null;
  }
}

/** The reason why an action is disabled for all of several apps: the reason of the first one. */
export function refusalOfAll(action: AppAction, apps: AppRow[], environments: EnvironmentRow[] | null): Refusal {
  const refusals = apps.map((app) => refusal(action, app, environments));
  return refusals.every(Boolean) ? (refusals[0] ?? null) : null;
}

function visitRefusal(app: AppRow, environments: EnvironmentRow[] | null): Refusal {
  const places = servingEnvironments(app, environments);
  if (!places.length) {
    return refuse(key('None of its environments serves visitors.'));
  }
  if (!visitableEnvironments(app, environments).length) {
    return refuse(key('It failed. Open it to see the cause.'));
  }
  const isDown = (name: string) => environments?.find((each) => each.name === name)?.health === 'down';
  return places.every(isDown) ? refuse(key('All of its environments are down.')) : null;
}

/** Environments whose NocoBase version differs from the version of the app's data; null if a version is unknown. */
function outdatedIn(app: AppRow, environments: EnvironmentRow[] | null): string[] | null {
  const own = environments?.filter(({ name }) => app.environments.includes(name));
  if (!own?.length || !app.version) {
    return null;
  }
  return own.filter(({ appVersion }) => appVersion !== app.version).map(({ name }) => name);
}

/**
 * The environments that visitors of the app can reach: the target environment first, then the others in the app's
 * order.
 */
export function servingEnvironments(app: AppRow, environments: EnvironmentRow[] | null): string[] {
  const serves = (name: string) => environments?.find((each) => each.name === name)?.serves ?? true;
  const target = app.environments.filter((name) => name === app.targetEnvironment);
  const others = app.environments.filter((name) => name !== app.targetEnvironment);
  return [...target, ...others].filter(serves);
}

/** The serving environments in which the app has not failed. */
export const visitableEnvironments = (app: AppRow, environments: EnvironmentRow[] | null): string[] =>
  servingEnvironments(app, environments).filter((name) => app.statuses[name]?.status !== 'error');

/**
 * The environment in `places` that answers: the one selected last, or the first by the Supervisor's order (running
 * before starting).
 */
export function answeringEnvironment(app: AppRow, places: string[], chosen: string | null): string | undefined {
  if (chosen && places.includes(chosen)) return chosen;
  return places.find((name) => app.statuses[name]?.status === 'running') ?? places[0];
}

/** Names of the environments in which the app does not have its expected state although no operation is in progress. */
export function unexpectedEnvironments(app: AppRow): string[] {
  if (doing(app)) {
    return [];
  }
  const expected = { running: ['running'], onDemand: ['running', 'dormant'], stopped: ['stopped', 'not_found'] }[
    app.desiredState
  ];
  return app.environments.filter((name) => {
    const status = app.statuses[name]?.status;
    return ['running', 'dormant', 'stopped', 'not_found'].includes(status) && !expected.includes(status);
  });
}

/** How many parts of an operation are done, and how many it has. */
export const progressOf = ({ progress }: OperationRow): { done: number; total: number } => ({
  done: progress.filter(({ state }) => state === 'succeeded').length,
  total: progress.length,
});

/** Whether something of the app changes by itself right now. */
export const isAppBusy = (app: AppRow): boolean =>
  isUnderway(app.operation) || Object.values(app.statuses).some(({ status }) => inTransition(status));

/** Whether the newest operation of an app can be tried again; an older one would undo what came after it. */
export const isRetryable = ({ state }: OperationRow): boolean => state === 'failed' || state === 'cancelled';

/** The environment to which the Supervisor sends visitors who have asked for none. */
export function environmentForVisitors(app: AppRow, environments: readonly EnvironmentRow[]): string | null {
  const { desiredState: desired, statuses } = app;
  const asked = { ...app, desired, statuses: { get: (name: string) => statuses[name]?.status } };
  const known = new Map(environments.map((each) => [each.name, each]));
  return choose(asked, (name) => known.get(name), null, { has: () => false }, 0)?.name ?? null;
}
