import { type Message, say, sayAction } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import { mayRestartEnd } from '../../../shared/remedies';
import type { Problem, Remedy } from '../../../shared/summary';
import type { Health, ShownStatus } from '../../../shared/types';
import { NO_ENVIRONMENT } from '../../../shared/words';
import { isAlive } from '../../protocol/health';
import type { AppDefinition } from '../definitions/repository';
import type { DoorTrouble } from '../fleet/door-troubles';

/** What problems are found in. */
export interface ProblemFacts {
  environments: Array<{ name: string; health: Health; since: number; warnings: Message[] }>;
  apps: ProblemApp[];
  doors: readonly DoorTrouble[];
  /** The environment that the apps of another one best move to; null if there is none. */
  placeFor(environment: string): string | null;
}

export interface ProblemApp {
  app: Pick<AppDefinition, 'name' | 'title' | 'environments' | 'desired'>;
  statuses: Array<[environment: string, shown: ShownStatus]>;
  operation: Pick<Operation, 'action' | 'waitingFor' | 'createdAt'> | null;
}

/** More problems of one kind are told as one. */
const MOST = 3;
/** Most apps that one remedy is for. */
const MOST_APPS = 100;
/** An operation that waits for longer is a problem, in ms. */
const PATIENCE = 120_000;

/** What is wrong, with what can be done about it: what visitors notice first. @param now ms since 1970 */
export function problemsOf(facts: ProblemFacts, now: number): Problem[] {
  const found = [
    ...ofEnvironments(facts),
    ...facts.doors.map(ofDoors),
    ...homeless(facts),
    ...failed(facts),
    ...waiting(facts, now),
    ...warnings(facts),
  ];
  return [...found.filter(({ level }) => level === 'red'), ...found.filter(({ level }) => level === 'yellow')];
}

function ofEnvironments({ environments, apps, placeFor }: ProblemFacts): Problem[] {
  const healthOf = new Map(environments.map(({ name, health }) => [name, health]));
  const unknown = environments.filter(({ health }) => health === 'unknown');
  const isBlind = unknown.length > 1 && unknown.length === environments.length;
  const blindness: Problem = {
    level: 'yellow',
    message: say('PROBLEM_UNOBSERVED'),
    since: Math.min(...unknown.map(({ since }) => since)),
    remedies: [],
  };
  const lost = environments.filter(({ health }) => health === 'down' || (health === 'unknown' && !isBlind));
  const isCutOff = ({ app }: ProblemApp) =>
    isWanted(app) && !app.environments.some((name) => isAlive(healthOf.get(name) ?? 'unknown'));
  return [
    ...(isBlind ? [blindness] : []),
    ...lost.map(({ name: environment, health, since }): Problem => {
      const problem = (level: Problem['level'], message: Message, ...remedies: Remedy[]) => ({
        level,
        message,
        since,
        remedies,
      });
      const why: Remedy = { kind: 'why', environment };
      if (health === 'unknown') return problem('yellow', say('PROBLEM_ENVIRONMENT_UNKNOWN', { environment }), why);
      const count = apps.filter((each) => each.app.environments.includes(environment) && isCutOff(each)).length;
      if (!count)
        return problem('yellow', say('PROBLEM_ENVIRONMENT_DOWN', { environment }), why, { kind: 'environments' });
      const to = placeFor(environment);
      const move: Remedy = to === null ? { kind: 'addEnvironment' } : { kind: 'move', environment, to };
      return problem('red', say('PROBLEM_APPS_CUT_OFF', { environment, count }), move, why);
    }),
  ];
}

const isWanted = ({ desired }: ProblemApp['app']) => desired === 'running';

const ofDoors = ({ level, message, app, environment }: DoorTrouble): Problem => ({
  level,
  message,
  since: null,
  remedies: [
    ...(app ? [{ kind: 'open' as const, apps: [app.name] }] : []),
    ...(environment ? [{ kind: 'environments' as const }] : []),
  ],
});

function homeless({ apps }: ProblemFacts): Problem[] {
  const found = apps.map(({ app }) => app).filter((app) => isWanted(app) && !app.environments.length);
  if (!found.length) return [];
  const remedies: Remedy[] = [
    { kind: 'assign', apps: found.slice(0, MOST_APPS).map(({ name }) => name) },
    { kind: 'list', filter: NO_ENVIRONMENT },
  ];
  const message = say('PROBLEM_NO_ENVIRONMENT', { apps: titlesOf(found), count: found.length });
  return [{ level: 'red', message, since: null, remedies }];
}

function failed({ apps }: ProblemFacts): Problem[] {
  const found = apps.flatMap(({ app, statuses }) => {
    const broken = isWanted(app) ? statuses.find(([, { status }]) => status === 'error') : undefined;
    const runs = statuses.some(([, { status }]) => status === 'running');
    return broken
      ? [{ app, environment: broken[0], shown: broken[1], level: runs ? ('yellow' as const) : ('red' as const) }]
      : [];
  });
  if (found.length > MOST) {
    const level = found.some((each) => each.level === 'red') ? 'red' : 'yellow';
    const message = say('PROBLEM_APPS_FAILED', { apps: titlesOf(found.map(({ app }) => app)), count: found.length });
    const since = Math.max(...found.map(({ shown }) => shown.since));
    return [{ level, message, since, remedies: [{ kind: 'list', filter: 'error' }] }];
  }
  return found.map(({ app, environment, shown, level }) => {
    const cause = shown.error ?? say('NO_CAUSE');
    return {
      level,
      message: say('PROBLEM_APP_FAILED', { app: app.title, environment, cause }),
      since: shown.since,
      remedies: [
        // What has to be done first is on the page of the app.
        { kind: mayRestartEnd(cause.code) ? 'restart' : 'open', apps: [app.name] },
        { kind: 'log', apps: [app.name] },
      ],
    };
  });
}

function waiting({ apps }: ProblemFacts, now: number): Problem[] {
  const found = apps.flatMap(({ app, operation }) =>
    operation?.waitingFor && now - operation.createdAt > PATIENCE
      ? [{ app, ...operation, cause: operation.waitingFor }]
      : [],
  );
  if (found.length > MOST) {
    const message = say('PROBLEM_OPERATIONS_WAIT', { count: found.length, cause: found[0].cause });
    const since = Math.min(...found.map(({ createdAt }) => createdAt));
    return [{ level: 'yellow', message, since, remedies: [{ kind: 'list', filter: 'waiting' }] }];
  }
  return found.map(({ app, action, createdAt, cause }) => ({
    level: 'yellow',
    message: say('PROBLEM_OPERATION_WAITS', { app: app.title, action: sayAction(action), cause }),
    since: createdAt,
    remedies: [{ kind: 'open', apps: [app.name] }],
  }));
}

/** One for each text: what is wrong with one environment is often wrong with all. */
function warnings({ environments }: ProblemFacts): Problem[] {
  const byText = new Map<string, { warning: Message; names: string[] }>();
  for (const { name, health, warnings } of environments) {
    for (const warning of health === 'down' ? [] : warnings) {
      const { names } = byText.get(warning.code) ?? { names: [] };
      byText.set(warning.code, { warning, names: [...names, name] });
    }
  }
  return [...byText.values()].map(({ warning, names }) => ({
    level: 'yellow',
    message: say('PROBLEM_WARNING', { environments: names.join(', '), cause: warning }),
    since: null,
    remedies: [{ kind: 'environments' }],
  }));
}

const titlesOf = (apps: readonly ProblemApp['app'][]): string => {
  const shown = apps.slice(0, MOST).map(({ title }) => title);
  return apps.length > MOST ? `${shown.join(', ')}, …` : shown.join(', ');
};
