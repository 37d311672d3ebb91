import { drainInput, forgetInput, moveInput, uncordonInput } from '../definitions/input';
import { arrivalInput, confirmInput, joinInput } from '../joining/join-input';
import { type DescribedAction, describe, LIST, MOVED, RESET } from './openapi-action';
import { APP_ACTIONS } from './openapi-apps';
import { CONTAINER_ACTIONS } from './openapi-containers';
import { FLEET_ACTIONS } from './openapi-fleet';
import { NOTIFIER_ACTIONS } from './openapi-notifiers';
import { ROWS, rowSchema } from './openapi-schemas';
import { VIEW_ACTIONS } from './openapi-views';

/**
 * The HTTP API as NocoBase's API documentation shows it; generated at build time, with bodies from the schemas that
 * parse them.
 */

type ActionDescription = DescribedAction<keyof typeof ROWS>;

const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };
const ONE_OPERATION = { filterByTk: 'Id of the operation.' };
const EVENT_FILTER =
  'NocoBase filter: `kind`, `appName`, `appUid`, `environment`, `createdById`, `operationId`, `at`, `endedAt`.';
const ACTIONS: Record<string, Record<string, ActionDescription>> = {
  apps: APP_ACTIONS,
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
      gives:
        'The row; `meta` is `{operations, refused}` of the apps that come home. One that has stopped a process is refused (`APP_STOPS_LOOP`).',
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
    confirmAddress: {
      summary: 'Confirm the proxy address that the Worker of an environment reports: visitors are sent there',
      query: ONE_ENVIRONMENT,
      body: confirmInput,
      gives: 'The row.',
      rows: 'appSupervisorEnvironment',
      errors: ['UNKNOWN_ENVIRONMENT', 'ADDRESS_DIFFERS'],
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
      summary: 'Ask again for what the newest operation of an app asked for, if that failed or was cancelled',
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
      summary: 'Cancel an operation: what has begun stays, and nothing else is begun',
      query: ONE_OPERATION,
      gives: 'The operation.',
      rows: 'appSupervisorOperation',
      errors: ['UNKNOWN_OPERATION', 'OPERATION_OVER', 'OPERATION_BEGUN'],
    },
  },
  appViews: VIEW_ACTIONS,
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
        client:
          '`v1`: addresses of the classic client, `v2`: of the modern one; by default of the one that `APP_CLIENT_ENTRY_MODE` names.',
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
