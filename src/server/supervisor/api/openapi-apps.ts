import type { ErrorCode } from '../../errors';
import {
  adoptInput,
  checkInput,
  commandInput,
  createInput,
  destroyInput,
  labelInput,
  migrateInput,
  moveInput,
  updateInput,
} from '../definitions/input';
import { type DescribedAction, LIST, MOVED, RESET } from './openapi-action';
import type { ROWS } from './openapi-schemas';

const ONE_APP = { filterByTk: 'Identifier of the app.' };
const SOME_APPS = { filterByTk: 'Identifier of the app, or several.' };
const ONLY_UNTIL = 'Only lines until this time, in ms since 1970.';
const CHANGES_APP: ErrorCode[] = ['UNKNOWN_APP', 'OPERATION_BEGUN'];
const PLACES_APP: ErrorCode[] = [
  'UNKNOWN_ENVIRONMENT',
  'ENVIRONMENT_CORDONED',
  'KEY_DIFFERS',
  'OUTDATED',
  'VERSION_DIFFERS',
  'PLUGINS_MISSING',
  'ENVIRONMENTS_DIFFER',
  'DOMAIN_TAKEN',
  'DOMAIN_OF_WORKER',
  'PUBLIC_URL_MISSING',
];
const NAMES_APP: ErrorCode[] = ['NAME_TAKEN', 'DROP_PENDING'];

/** The actions of `apps` as NocoBase's API documentation shows them. */
export const APP_ACTIONS: Record<string, DescribedAction<keyof typeof ROWS>> = {
  list: {
    summary: 'Apps, with their status in each environment',
    query: { ...LIST, filter: 'NocoBase filter; `status`, `environment` and `label` are filters too.' },
    gives: 'App rows, and `meta` with count and paging.',
    rows: ['appSupervisorApp'],
  },
  counts: {
    summary:
      'How many apps have a status, how many are in an environment, and how many have a label, of those that match the other filters',
    method: 'get',
    query: {
      filter:
        'As of `list`. `statuses` are counted as if it had no `status`, `environments` likewise; `labels` in addition to its own.',
    },
    gives: 'The counts.',
    rows: 'appSupervisorAppCounts',
  },
  get: {
    summary: 'One app',
    query: ONE_APP,
    gives: 'The app row.',
    rows: 'appSupervisorApp',
    errors: ['UNKNOWN_APP'],
  },
  create: {
    summary: 'Create an app with its own database, and start it',
    body: createInput,
    gives: 'The app row with its operation and, in this answer only, `initialAdmin: {username, email, password}`.',
    rows: 'appSupervisorApp',
    errors: [...PLACES_APP, ...NAMES_APP, 'INITIAL_ADMIN_UNKNOWN', 'NEEDS_SECURITY'],
  },
  adopt: {
    summary: 'Create an app from a database that already contains a NocoBase app; it keeps its users',
    query: { filterByTk: 'An app that was to be created there, and was not; then without a body.' },
    body: adoptInput,
    gives: 'The app row with its operation.',
    rows: 'appSupervisorApp',
    errors: [...PLACES_APP, ...NAMES_APP, 'NEEDS_SECURITY'],
  },
  update: {
    summary:
      'Change an app; changed environments add and remove it there. A changed host, port or user of a connection requires its password',
    query: ONE_APP,
    body: updateInput,
    gives:
      'The app row. `pendingChanges` names the settings that take effect at the next restart. A change of nothing but labels is no operation.',
    rows: 'appSupervisorApp',
    errors: [...PLACES_APP, ...CHANGES_APP, 'PASSWORD_REQUIRED', 'INITIAL_ADMIN_UNKNOWN', 'NEEDS_SECURITY'],
  },
  label: {
    summary: 'Add and remove labels; no operation, and nothing reaches the environments',
    query: SOME_APPS,
    body: labelInput,
    gives: 'The app rows; for several apps, `meta.refused` has those that were refused, with the reason.',
    rows: ['appSupervisorApp'],
    errors: ['UNKNOWN_APP'],
  },
  start: {
    summary: 'Start',
    query: SOME_APPS,
    body: commandInput,
    gives: 'The operations.',
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
  },
  stop: {
    summary: 'Stop',
    query: SOME_APPS,
    body: commandInput,
    gives: 'The operations.',
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
  },
  restart: {
    summary: 'Restart',
    query: SOME_APPS,
    body: commandInput,
    gives: 'The operations.',
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
  },
  upgrade: {
    summary: 'Upgrade the data',
    query: SOME_APPS,
    body: commandInput,
    gives: 'The operations.',
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
  },
  move: {
    summary: 'Move to another environment; without `to` to the one that fits best',
    query: SOME_APPS,
    body: moveInput,
    gives: MOVED,
    errors: ['UNKNOWN_APP', 'NOT_IN_ENVIRONMENT', 'ALREADY_IN_ENVIRONMENT'],
  },
  previewMove: {
    summary: 'What a move would do: where each app would go, how long visitors wait, and what stays',
    method: 'post',
    query: SOME_APPS,
    body: moveInput,
    gives: 'The plan. `apps[].refused` says why an app cannot be moved.',
    rows: 'appSupervisorMovePlan',
    errors: ['UNKNOWN_APP'],
  },
  destroy: {
    summary: 'Delete; the database is kept unless `drop` is requested, and then only what the app created is dropped',
    query: SOME_APPS,
    body: destroyInput,
    gives: 'The operations.',
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
  },
  checkDatabase: {
    summary: 'Check a database on the worker that would use it',
    method: 'post',
    body: checkInput,
    gives: '`{checks: [{name, ok, message: {code, params?}, remedy?}], verdict: free | adoptable | taken | unusable}`',
    errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
  },
  logs: {
    summary: 'The last lines of the log of an app',
    method: 'get',
    query: {
      ...ONE_APP,
      environment: 'The environment; default: its first one.',
      lines: '1 to 1000; default 100.',
      until: ONLY_UNTIL,
    },
    gives: 'Lines.',
    errors: ['UNKNOWN_APP', 'UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
  },
  databaseSize: {
    summary: 'How many bytes the database of an app takes on its server, indexes included',
    method: 'get',
    query: { ...ONE_APP, environment: 'The environment that finds out; default: its first one.' },
    gives: '`{bytes}`; null if there is no database.',
    errors: ['UNKNOWN_APP', 'UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
  },
  load: {
    summary: 'The last hour of an app: requests, errors, and the time until answers began',
    method: 'get',
    query: ONE_APP,
    gives: 'The series; null in one process, where no request passes through the Supervisor.',
    rows: 'appSupervisorAppLoad',
    errors: ['UNKNOWN_APP'],
  },
  migrate: {
    summary: 'Take apps over from multi-app-manager',
    body: migrateInput,
    gives: '`{migrated: [name], skipped: [{name, reason}]}`; an app is skipped with a reason.',
  },
  resetAdmin: {
    summary: 'Give the administrator of an app a new random password, and end the sessions of that account',
    query: ONE_APP,
    gives: RESET,
    errors: ['UNKNOWN_APP', 'APP_NOT_RUNNING', 'WORKER_SILENT', 'WORKER_FAILED'],
  },
};
