import { appAdminWarning } from '../../protocol/administrator';
import type { Catalog } from '../apps/cache';
import type { AppDefinition } from '../apps/repository';
import type { Fitness } from './compatibility-policy';
import type { KnownEnvironments } from './environment-cache';
import type { StatusBoard } from './observer';

export interface WarningsOptions {
  known: KnownEnvironments;
  fitness: Fitness;
  catalog: Catalog;
  board: StatusBoard;
  /** In shared memory the environment is this process, which says its own warnings. */
  isThisProcess: boolean;
}

/** What is wrong with an environment, in words that say what to do. */
export function warningsOf(environment: string, options: WarningsOptions): string[] {
  const { known, fitness, board, isThisProcess } = options;
  const registration = known.registrationOf(environment);
  const standby = board.environment(environment)?.standby;
  return [
    ...((!isThisProcess && registration?.warnings) || []),
    ...(registration ? fitness.findings(registration).map(({ error }) => error.message) : []),
    ...strangersIn(environment, options),
    ...(standby
      ? [
          `A second process of this environment is running (${standby}); it hosts nothing. Give it another ENVIRONMENT_NAME, or stop it.`,
        ]
      : []),
  ];
}

/** What is wrong with an app, in words that say what to do. */
export function appWarningsOf(
  app: AppDefinition,
  { fitness, board }: Pick<WarningsOptions, 'fitness' | 'board'>,
): string[] {
  const found = app.environments.flatMap((environment) => {
    const entry = board.observed(environment, app.name)?.entry;
    return entry?.uid === app.uid && entry.adminPassword ? [entry.adminPassword] : [];
  });
  return [...fitness.warningsOf(app), ...[...new Set(found)].map((each) => appAdminWarning(app.name, each))];
}

/** Apps that an environment has and the database does not know: they were made after the backup it was restored from. */
function strangersIn(environment: string, { board, catalog }: WarningsOptions): string[] {
  const strangers = [...board.entries(environment)].filter((entry) => catalog.isStranger(entry));
  if (!strangers.length) return [];
  const names = strangers.map(({ name }) => name).sort();
  return [
    `Apps lie here that this Supervisor does not know: ${names.join(', ')}. They go on as they are. Adopt them under the same names to manage them again.`,
  ];
}
