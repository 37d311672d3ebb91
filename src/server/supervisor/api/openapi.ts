import type { ErrorCode } from '../../errors';
import {
  adoptInput,
  checkInput,
  commandInput,
  createInput,
  destroyInput,
  drainInput,
  forgetInput,
  migrateInput,
  moveInput,
  uncordonInput,
  updateInput,
} from '../apps/input';
import { arrivalInput, joinInput } from '../joining/input';
import { type DescribedAction, describe } from './openapi-action';
import { CONTAINER_ACTIONS } from './openapi-containers';
import { FLEET_ACTIONS } from './openapi-fleet';
import { NOTIFIER_ACTIONS } from './openapi-notifiers';
import { ROWS, rowSchema } from './openapi-schemas';

/**
 * The HTTP API as NocoBase's API documentation shows it; generated at build time, with bodies from the schemas that
 * parse them.
 */

type ActionDescription = DescribedAction<keyof typeof ROWS>;

const ONE_APP = { filterByTk: 'Identifier of the app.' };
const SOME_APPS = { filterByTk: 'Identifier of the app, or several.' };
const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };
const ONE_OPERATION = { filterByTk: 'Id of the operation.' };
const LIST = {
  filter: 'NocoBase filter.',
  sort: 'Fields; `-` before one turns it round.',
  page: 'From 1 on.',
  pageSize: 'At most 200.',
};
const EVENT_FILTER =
  'NocoBase filter: `kind`, `appName`, `appUid`, `environment`, `createdById`, `operationId`, `at`, `endedAt`.';
const ONLY_UNTIL = 'Only lines until this time, in ms since 1970.';
const RESET = '`{username, email, password, unconfirmed: [environment]}`; the password is in this answer only.';
const MOVED =
  '`{operations, refused: [{app, code, params, message}]}`: what was begun, and what cannot be moved, with its reason.';
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
];
const NAMES_APP: ErrorCode[] = ['NAME_TAKEN', 'DROP_PENDING'];

const ACTIONS: Record<string, Record<string, ActionDescription>> = {
  apps: {
    list: {
      summary: 'Apps, with their status in each environment',
      query: { ...LIST, filter: 'NocoBase filter; `status` and `environment` are filters too.' },
      gives: 'App rows, and `meta` with count and paging.',
      rows: ['appSupervisorApp'],
    },
    counts: {
      summary: 'How many apps have a status, and how many are in an environment, of those that match the other filters',
      method: 'get',
      query: { filter: 'As of `list`. `statuses` are counted as if it had no `status`, `environments` likewise.' },
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
      errors: [...PLACES_APP, ...NAMES_APP, 'INITIAL_ADMIN_UNKNOWN'],
    },
    adopt: {
      summary: 'Create an app from a database that already contains a NocoBase app; it keeps its users',
      query: { filterByTk: 'An app that was to be created there, and was not; then without a body.' },
      body: adoptInput,
      gives: 'The app row with its operation.',
      rows: 'appSupervisorApp',
      errors: [...PLACES_APP, ...NAMES_APP],
    },
    update: {
      summary:
        'Change an app; changed environments add and remove it there. A changed host, port or user of a connection requires its password',
      query: ONE_APP,
      body: updateInput,
      gives: 'The app row. `pendingChanges` names the settings that take effect at the next restart.',
      rows: 'appSupervisorApp',
      errors: [...PLACES_APP, ...CHANGES_APP, 'PASSWORD_REQUIRED', 'INITIAL_ADMIN_UNKNOWN'],
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
      gives:
        '`{checks: [{name, ok, message: {code, params?}, remedy?}], verdict: free | adoptable | taken | unusable}`',
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
  },
  appEnvironments: {
    list: {
      summary: 'Environments, with health, lease and warnings',
      gives: 'Environment rows.',
      rows: ['appSupervisorEnvironment'],
    },
    cordon: {
      summary: 'Cordon: accept no new apps',
      query: ONE_ENVIRONMENT,
      gives: 'The row.',
      rows: 'appSupervisorEnvironment',
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    uncordon: {
      summary: 'Uncordon: accept apps again, and bring home what drains have moved or stopped, if asked',
      query: ONE_ENVIRONMENT,
      body: uncordonInput,
      gives: 'The row; `meta` is `{operations, refused}` of the apps that come home.',
      rows: 'appSupervisorEnvironment',
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    drain: {
      summary: 'Cordon it, and move or stop its apps',
      query: ONE_ENVIRONMENT,
      body: drainInput,
      gives:
        'The row; `meta` is `{operations, left: [{app, code, params, message}]}`: what was begun, and what stays there.',
      rows: 'appSupervisorEnvironment',
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    move: {
      summary: 'Move all apps of an environment to others',
      query: ONE_ENVIRONMENT,
      body: moveInput,
      gives: MOVED,
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    previewMove: {
      summary: 'What a move of all apps of an environment would do',
      method: 'post',
      query: ONE_ENVIRONMENT,
      body: moveInput,
      gives: 'The plan.',
      rows: 'appSupervisorMovePlan',
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    forget: {
      summary: 'Forget an environment that will not come back',
      query: ONE_ENVIRONMENT,
      body: forgetInput,
      gives: 'Its name; `meta` is `{operations, refused}` of the apps that are moved, if asked.',
      errors: ['UNKNOWN_ENVIRONMENT', 'ENVIRONMENT_ALIVE', 'REDIS_UNREACHABLE'],
    },
    check: {
      summary: 'Whether the Supervisor reaches the proxy address, by HTTP and by WebSocket',
      method: 'post',
      query: ONE_ENVIRONMENT,
      gives: '`{web: {ok, message: {code, params?}}, ws: {ok, message}}`',
      errors: ['UNKNOWN_ENVIRONMENT'],
    },
    join: {
      summary:
        'How the Worker of a new environment is started; makes its main database if the Supervisor has the role of Workers',
      body: joinInput,
      gives:
        '`{name, files: {compose, docker, kubernetes, shell}, steps: [{kind, commands}], warnings}`, with secrets of this environment.',
      errors: ['NOT_ON_THIS_PART'],
    },
    arrival: {
      summary: 'What is known of a Worker that should have joined',
      method: 'post',
      body: arrivalInput,
      gives: '`{state: waiting | wrong | arrived, messages: [{code, params?}]}`',
      errors: ['NOT_ON_THIS_PART'],
    },
    resetAdmin: {
      summary: "Give the administrator of a Worker's main app a new random password",
      query: ONE_ENVIRONMENT,
      gives: RESET,
      errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
    },
  },
  appContainers: CONTAINER_ACTIONS,
  appOperations: {
    list: {
      summary: 'Operations, newest first',
      query: LIST,
      gives: 'Operation rows, and `meta`.',
      rows: ['appSupervisorOperation'],
    },
    get: {
      summary: 'One operation',
      query: ONE_OPERATION,
      gives: 'The row.',
      rows: 'appSupervisorOperation',
      errors: ['UNKNOWN_OPERATION'],
    },
    retry: {
      summary: 'Retry a failed or cancelled operation',
      query: ONE_OPERATION,
      gives: 'The new operation.',
      rows: 'appSupervisorOperation',
      errors: [
        'UNKNOWN_OPERATION',
        'OPERATION_OVER',
        'OPERATION_SUPERSEDED',
        'UNKNOWN_APP',
        'UNKNOWN_ENVIRONMENT',
        'OPERATION_BEGUN',
      ],
    },
    cancel: {
      summary: 'Cancel an operation; steps that have not begun are dropped',
      query: ONE_OPERATION,
      gives: 'The operation.',
      rows: 'appSupervisorOperation',
      errors: ['UNKNOWN_OPERATION', 'OPERATION_OVER', 'OPERATION_BEGUN'],
    },
  },
  appEvents: {
    list: {
      summary: 'What happened to apps and environments, newest first; kept for 90 days',
      query: {
        ...LIST,
        filter: EVENT_FILTER,
      },
      gives: 'Event rows, and `meta`.',
      rows: ['appSupervisorEvent'],
    },
    export: {
      summary: 'The newest 10,000 events that match, as a file',
      method: 'get',
      query: { filter: EVENT_FILTER, format: '`csv` (default) or `json`.' },
      gives: 'Not in `data`: the file. `json` is a list of event rows; in `csv`, texts are in English.',
    },
  },
  appNotifiers: NOTIFIER_ACTIONS,
  appFleet: FLEET_ACTIONS,
  appEntries: {
    list: {
      summary: 'The apps that a signed-in user can open',
      query: {
        place:
          '`switcher`: what is shown in the app switcher, and from inside an app the main app. `action`: all that the user sees, and the main app.',
        client: '`v2`: addresses of the modern client.',
      },
      gives: '`{name, title, icon, url, target, status, pinned}` each; without `place`, what is not hidden.',
    },
  },
  appSupervisor: {
    info: {
      summary: 'The role of this instance',
      method: 'get',
      gives: '`{part, environment, warnings}`; of a worker also `supervisor` and `apps`',
    },
  },
};

/** An OpenAPI 3 document, without what the core adds to it. */
export const apiDescription = {
  info: { title: 'NocoBase API - App supervisor plugin' },
  paths: Object.fromEntries(
    Object.entries(ACTIONS).flatMap(([resource, actions]) =>
      Object.entries(actions).map(([name, action]) => [`/${resource}:${name}`, describe(action, resource, name)]),
    ),
  ),
  components: {
    schemas: {
      ...Object.fromEntries(Object.entries(ROWS).map(([name, row]) => [name, rowSchema(row)])),
      appSupervisorErrors: {
        type: 'object',
        properties: {
          errors: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                code: { type: 'string' },
                params: { type: 'object', description: 'What fills the text of the code.' },
                message: { type: 'string', description: 'In English.' },
                field: { type: 'string', description: 'The input it stands beside.' },
              },
            },
          },
        },
      },
    },
  },
};
