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

const CONNECTION: AppRemedy[] = ['connection', 'retry'];
const ENVIRONMENT: AppRemedy[] = ['environments', 'retry'];
const START: AppRemedy[] = ['log', 'retry'];

/** By the code of the error; any other one: try again. What the text of the error advises comes first. */
export const APP_REMEDIES: Record<string, AppRemedy[]> = {
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
  APP_STOPS_LOOP: ['log', 'restart'],
  APP_STUCK: ['environments', 'log'],
  NO_CAUSE: ['retry'],
  LOCK_LOST: ['retry'],
  HOSTING_LOST: ['retry'],
  HOSTING_TAKEN: ['restart'],
  HOSTING_HELD: ['retry'],
  KEY_MISSING: ENVIRONMENT,
  KEY_DIFFERS: ENVIRONMENT,
  OUTDATED: ENVIRONMENT,
  VERSION_DIFFERS: ENVIRONMENT,
  PLUGINS_MISSING: ENVIRONMENT,
  ENVIRONMENTS_DIFFER: ENVIRONMENT,
  DATABASE_ROLE_UNKNOWN: ENVIRONMENT,
};

const AGAIN: AppRemedy[] = ['log', 'retry', 'restart'];

/** Whether a restart may end an error, and nothing has to be changed before. */
export const mayRestartEnd = (code: string): boolean =>
  APP_REMEDIES[code]?.every((remedy) => AGAIN.includes(remedy)) ?? false;
