import type { Message } from '../../shared/message';
import type { AppRow } from '../../shared/types';
import { isUnderway } from '../common/status';
import { key } from '../common/text';

/** What can be done about an error of an app; each is a button. */
export type AppRemedy =
  /** Edit the app's connection to its database. */
  | 'connection'
  /** Edit the app. */
  | 'edit'
  /** The newest operation once more, or a restart. */
  | 'retry'
  /** Take over what is in the database. */
  | 'adopt'
  | 'restart'
  | 'upgrade'
  /** To another environment, or to its first one. */
  | 'move'
  | 'assign'
  | 'resetAdmin'
  /** Read the log. */
  | 'log'
  /** See the environments. */
  | 'environments';

export const REMEDY_LABELS: Record<AppRemedy, string> = {
  connection: key('Edit the connection'),
  edit: key('Edit'),
  retry: key('Retry'),
  adopt: key('Adopt'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  move: key('Move'),
  assign: key('Assign'),
  resetAdmin: key('New password'),
  log: key('Log'),
  environments: key('Environments'),
};

const CONNECTION: AppRemedy[] = ['connection', 'retry'];
const ENVIRONMENT: AppRemedy[] = ['environments', 'retry'];
const START: AppRemedy[] = ['log', 'retry'];

/** By the code of the error; any other one: try again. What the text of the error advises comes first. */
export const REMEDIES: Record<string, AppRemedy[]> = {
  DATABASE_UNREACHABLE: CONNECTION,
  DATABASE_SIGN_IN: CONNECTION,
  DATABASE_FAILED: CONNECTION,
  LOCK_POOLED: CONNECTION,
  DATABASE_FOREIGN: ['adopt', 'retry'],
  APP_UPGRADE_FORBIDDEN: ['upgrade', 'edit'],
  APP_TOO_NEW: ['move', 'environments'],
  APP_CRASH_LOOP: ['log', 'restart'],
  APP_START_FAILED: START,
  FAILED: START,
  DEADLINE: START,
  APP_STUCK: ['environments', 'log'],
  HOSTING_TAKEN: ['restart'],
  HOSTING_FOREIGN: ['restart'],
  KEY_MISSING: ENVIRONMENT,
  KEY_DIFFERS: ENVIRONMENT,
  OUTDATED: ENVIRONMENT,
  VERSION_DIFFERS: ENVIRONMENT,
  PLUGINS_MISSING: ENVIRONMENT,
  ENVIRONMENTS_DIFFER: ENVIRONMENT,
  DATABASE_ROLE_UNKNOWN: ENVIRONMENT,
};

/** What begins an operation that would take the place of the one that goes on. */
const BEGINS: AppRemedy[] = ['retry', 'adopt', 'restart', 'upgrade'];

/** What can be done about an error of an app, the best first. @param isLocal there is one environment only */
export function remediesOf(
  { code }: Message,
  app: Pick<AppRow, 'options' | 'version' | 'operation'>,
  isLocal: boolean,
): AppRemedy[] {
  // The server of another kind of connection is the environment's.
  const isOwn = app.options.dbConnType === 'new_connection';
  return (REMEDIES[code] ?? ['retry']).filter(
    (remedy) =>
      (remedy !== 'connection' || isOwn) &&
      (!BEGINS.includes(remedy) || !isUnderway(app.operation)) &&
      // One that has run has a database of its own: another one's is in its place.
      (remedy !== 'adopt' || app.version === null) &&
      (!isLocal || (remedy !== 'move' && remedy !== 'environments')),
  );
}

/** The same for what is not wrong yet. */
export const remediesOfWarning = ({ code }: Message): AppRemedy[] =>
  code === 'APP_ADMIN_LOCKED' || code === 'APP_ADMIN_KNOWN' ? ['resetAdmin'] : [];
