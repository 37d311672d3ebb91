import type { BatchAction } from '../../../shared/batch';
import type { Operation } from '../../../shared/operation';
import { type ErrorCode, inEnglish } from '../../errors';
import { administratorOf } from '../../protocol/administrator';
import {
  adoptInput,
  checkInput,
  commandInput,
  configureInput,
  createInput,
  destroyInput,
  labelInput,
  logsInput,
  migrateInput,
  moveInput,
  namesInput,
  parseInput,
  previewCreateInput,
  restoreInput,
  sizeInput,
  updateInput,
} from '../definitions/input';
import { assertPermitted } from '../definitions/permissions';
import type { BulkResult } from '../requests/bulk';
import { type ActionContext, type Answer, action, knownApp, LIST, LOG_LINES, MOVED, RESET } from './action';
import { counted, listed } from './app-list';
import { askOf } from './batches';
import { deletedRows } from './deleted';

const ONE_APP = { filterByTk: 'Identifier of the app.' };
const SOME_APPS = { filterByTk: 'Identifier of the app, or several; of many as a list in the body, too.' };
const OPERATIONS_OF =
  'The operations; for several apps, `meta` has the id of the `batch`, and those that were `refused`.';
const CHANGES_APP: ErrorCode[] = ['UNKNOWN_APP', 'OPERATION_BEGUN'];
const ASKS_WORKER: ErrorCode[] = ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'];
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

/** Start, stop, restart and upgrade, for one app or several. */
const command = (what: 'start' | 'stop' | 'restart' | 'upgrade', summary: string) =>
  action({
    summary,
    query: SOME_APPS,
    body: commandInput,
    gives: OPERATIONS_OF,
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
    work: (context) => operationsOf(context, what, context.input),
  });

export const APPS = {
  list: action({
    summary: 'Apps, with their status in each environment',
    reads: 'get',
    query: { ...LIST, filter: 'NocoBase filter; `status`, `environment`, `label` and `search` are filters too.' },
    gives: 'App rows, and `meta` with count and paging.',
    rows: ['appSupervisorApp'],
    work: listed,
  }),
  counts: action({
    summary:
      'How many apps have a status, how many are in an environment, and how many have a label, of those that match the other filters',
    reads: 'get',
    query: {
      filter:
        'As of `list`. `statuses` are counted as if it had no `status`, `environments` likewise; `labels` in addition to its own.',
    },
    gives: 'The counts.',
    rows: 'appSupervisorAppCounts',
    work: counted,
  }),
  get: action({
    summary: 'One app',
    reads: 'get',
    query: ONE_APP,
    gives: 'The app row.',
    rows: 'appSupervisorApp',
    errors: ['UNKNOWN_APP'],
    work: async ({ parts, app }) => ({ data: parts.view.appRow(app) }),
  }),
  create: action({
    summary: 'Check the database of a new app, create the app, and start it; refused with the verdict of the check',
    body: createInput,
    gives:
      'The app row with its operation and, in this answer only, `initialAdmin: {username, email, password}`. `meta.unchecked`: environments that do not answer, where the database was not checked.',
    rows: 'appSupervisorApp',
    errors: [
      ...PLACES_APP,
      ...NAMES_APP,
      'UNKNOWN_ENVIRONMENT',
      'WORKER_FAILED',
      'NO_PLACE',
      'DATABASE_TAKEN',
      'DATABASE_ADOPTABLE',
      'DATABASE_UNUSABLE',
      'INITIAL_ADMIN_UNKNOWN',
      'NEEDS_SECURITY',
    ],
    async work({ supervisor, parts: { service, newApps }, input, userId, caller, may }) {
      assertPermitted(null, input, may);
      const initialAdmin = administratorOf(input.initialAdmin, caller);
      const app = await newApps.complete({ ...input, initialAdmin });
      const unchecked = await newApps.check(app, may.security);
      const operation = await service.create(app, userId);
      return { data: { ...newRow(supervisor, operation), initialAdmin }, meta: { unchecked } };
    },
  }),
  previewCreate: action({
    summary: 'What a new app would get that its request leaves open',
    reads: 'post',
    body: previewCreateInput,
    gives: 'Identifier and environment, and all environments as places. One `seed` makes one identifier.',
    rows: 'appSupervisorNewAppPlan',
    work: async ({ parts, input }) => ({ data: await parts.newApps.propose(input.title, input.seed) }),
  }),
  adopt: action({
    summary: 'Create an app from a database that already contains a NocoBase app; it keeps its users',
    query: { filterByTk: 'An app that was to be created there, and was not; then without a body.' },
    body: adoptInput,
    gives: 'The app row with its operation.',
    rows: 'appSupervisorApp',
    errors: [...PLACES_APP, ...NAMES_APP, 'NEEDS_SECURITY'],
    async work(context) {
      const { supervisor, params, userId, may } = context;
      const { service } = context.parts;
      if (params.filterByTk) return { data: newRow(supervisor, await service.adoptInstead(context.app.name, userId)) };
      const { input } = context;
      assertPermitted(null, input, may);
      return { data: newRow(supervisor, await service.create({ ...input, initialAdmin: null }, userId, 'adopt')) };
    },
  }),
  update: action({
    summary:
      'Change an app; changed environments add and remove it there. A changed host, port or user of a connection requires its password',
    query: ONE_APP,
    body: updateInput,
    gives:
      'The app row. `pendingChanges` names the settings that take effect at the next restart. A change of nothing but labels is no operation.',
    rows: 'appSupervisorApp',
    errors: [...PLACES_APP, ...CHANGES_APP, 'PASSWORD_REQUIRED', 'INITIAL_ADMIN_UNKNOWN', 'NEEDS_SECURITY'],
    async work({ supervisor, parts: { service, view }, app: { name }, input, userId, may }) {
      if (await service.relabel(name, input, userId)) return { data: view.appRow(knownApp(supervisor, name)) };
      return { data: newRow(supervisor, await service.update(name, input, userId, may)) };
    },
  }),
  label: action({
    summary: 'Add and remove labels; no operation, and nothing reaches the environments',
    query: SOME_APPS,
    body: labelInput,
    gives: 'The app rows; for several apps, `meta` has the id of the `batch`, and those that were `refused`.',
    rows: ['appSupervisorApp'],
    errors: ['UNKNOWN_APP'],
    async work(context) {
      const { supervisor, parts, input } = context;
      const names = namesOf(context);
      const { batch, refused } = await askOf('label', context, names, input);
      const labelled = names.filter((name) => !refused.some(({ app }) => app === name));
      const data = labelled.map((name) => parts.view.appRow(knownApp(supervisor, name)));
      return { data, meta: { batch, refused: refused.map(inWords) } };
    },
  }),
  configure: action({
    summary: 'Change settings that several apps can share',
    query: SOME_APPS,
    body: configureInput,
    gives: OPERATIONS_OF,
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
    work: (context) => operationsOf(context, 'configure', context.input),
  }),
  start: command('start', 'Start'),
  stop: command('stop', 'Stop'),
  restart: command('restart', 'Restart'),
  upgrade: command('upgrade', 'Upgrade the data'),
  renewSecrets: action({
    summary:
      'A new JWT secret, by which all users sign in again, with a restart; then another password for the database role',
    query: SOME_APPS,
    gives: OPERATIONS_OF,
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
    work: (context) => operationsOf(context, 'renewSecrets', {}),
  }),
  move: action({
    summary: 'Move to another environment; without `to` to the one that fits best',
    query: SOME_APPS,
    body: moveInput,
    gives: MOVED,
    errors: ['UNKNOWN_APP', 'NOT_IN_ENVIRONMENT', 'ALREADY_IN_ENVIRONMENT'],
    work: async (context) => ({ data: await asked('move', context, namesOf(context), context.input) }),
  }),
  previewMove: action({
    summary: 'What a move would do: where each app would go, how long visitors wait, and what stays',
    reads: 'post',
    query: SOME_APPS,
    body: moveInput,
    gives: 'The plan. `apps[].refused` says why an app cannot be moved.',
    rows: 'appSupervisorMovePlan',
    errors: ['UNKNOWN_APP'],
    work: async (context) => ({ data: await context.parts.moves.preview(appsOf(context), context.input) }),
  }),
  destroy: action({
    summary: 'Delete; the database is kept unless `drop` is requested, and then only what the app created is dropped',
    query: SOME_APPS,
    body: destroyInput,
    gives: OPERATIONS_OF,
    rows: ['appSupervisorOperation'],
    errors: CHANGES_APP,
    async work(context) {
      const { params, values } = context;
      const given = { ...(params.database ? { database: params.database } : {}), ...values };
      return operationsOf(context, 'destroy', parseInput(destroyInput, given));
    },
  }),
  deleted: action({
    summary: 'Deleted apps whose data were kept, for 30 days, the newest first',
    reads: 'get',
    gives: 'The apps; `until` is null while environments have not confirmed the deletion.',
    rows: ['appSupervisorDeletedApp'],
    work: async ({ parts }) => ({ data: deletedRows(await parts.appRepository.allTombstones()) }),
  }),
  restore: action({
    summary: 'Restore a deleted app whose data were kept, with everything that it had',
    query: { filterByTk: 'Its `uid`, as `deleted` says.' },
    body: restoreInput,
    gives: 'The app row with its operation; `cname` is null if the domain is taken by now.',
    rows: 'appSupervisorApp',
    errors: ['UNKNOWN_APP', 'DELETION_PENDING', ...PLACES_APP, ...NAMES_APP],
    work: async ({ supervisor, parts, name: uid, input, userId, may }) => ({
      data: newRow(supervisor, await parts.service.restore(uid, input.environments, userId, may.hosts)),
    }),
  }),
  checkDatabase: action({
    summary: 'Check a database on the worker that would use it',
    reads: 'post',
    body: checkInput,
    gives: '`{checks: [{name, ok, message: {code, params?}, remedy?}], verdict: free | adoptable | taken | unusable}`',
    errors: ASKS_WORKER,
    work: async ({ parts, input, may }) => ({ data: await parts.requests.checkDatabase(input, may.security) }),
  }),
  logs: action({
    summary: 'The last lines of the log of an app',
    reads: 'get',
    query: {
      ...ONE_APP,
      environment: 'The environment; default: its first one.',
      ...LOG_LINES,
    },
    gives: 'Lines.',
    errors: ['UNKNOWN_APP', ...ASKS_WORKER],
    async work({ parts, app, params }) {
      const { environment, lines, until } = parseInput(logsInput, params);
      return { data: await parts.requests.logs(app, environment ?? app.environments[0], lines, until) };
    },
  }),
  databaseSize: action({
    summary: 'How many bytes the database of an app takes on its server, indexes included',
    reads: 'get',
    query: { ...ONE_APP, environment: 'The environment that finds out; default: its first one.' },
    gives: '`{bytes}`; null if there is no database.',
    errors: ['UNKNOWN_APP', ...ASKS_WORKER],
    async work({ parts, app, params }) {
      const environment = parseInput(sizeInput, params).environment ?? app.environments[0];
      return { data: { bytes: await parts.requests.databaseSize(app, environment ?? '') } };
    },
  }),
  load: action({
    summary: 'The last hour of an app: requests, errors, and the time until answers began',
    reads: 'get',
    query: ONE_APP,
    gives: 'The series; null in one process, where no request passes through the Supervisor.',
    rows: 'appSupervisorAppLoad',
    errors: ['UNKNOWN_APP'],
    work: async ({ parts, app }) => ({ data: parts.load.ofApp(app) }),
  }),
  // The page of multi-app-manager calls it.
  migrate: action({
    summary: 'Take apps over from multi-app-manager',
    body: migrateInput,
    gives: '`{migrated: [name], skipped: [{name, reason}]}`; an app is skipped with a reason.',
    work: async ({ parts, input: { appNames, environments }, userId, may }) => ({
      data: await parts.migration.migrate(appNames, environments ?? null, userId, may),
    }),
  }),
  resetAdmin: action({
    summary: 'Give the administrator of an app a new random password, and end the sessions of that account',
    query: ONE_APP,
    gives: RESET,
    errors: ['UNKNOWN_APP', 'APP_NOT_RUNNING', 'WORKER_SILENT', 'WORKER_FAILED'],
    work: async ({ parts, app, userId }) => ({ data: await parts.administrators.ofApp(app, userId) }),
  }),
};

const newRow = (supervisor: ActionContext['supervisor'], operation: Operation) => ({
  ...supervisor.parts.view.appRow(knownApp(supervisor, operation.appName)),
  operation: supervisor.parts.view.operationRow(operation),
});

/** Requests one operation for each of these apps. */
async function operationsOf(context: ActionContext, what: BatchAction, input: unknown): Promise<Answer> {
  const { operations, ...meta } = await asked(what, context, namesOf(context), input as object);
  return { data: operations, meta };
}

/** As in `askOf`, in the words of the API. */
export async function asked(...[what, context, ...request]: Parameters<typeof askOf>) {
  const { batch, done, refused } = await askOf(what, context, ...request);
  return { batch, ...bulkRow(context.supervisor.parts, { operations: done.flatMap((each) => each ?? []), refused }) };
}

/** The answer of an action for several apps. */
export const bulkRow = ({ view }: ActionContext['parts'], { operations, refused }: BulkResult) => ({
  operations: operations.map((operation) => view.operationRow(operation)),
  refused: refused.map(inWords),
});

const inWords = (refused: BulkResult['refused'][number]) => ({ ...refused, message: inEnglish(refused) });

/** The apps that a request is about. */
const appsOf = ({ supervisor, params }: ActionContext) =>
  parseInput(namesInput, params.filterByTk, 'filterByTk').map((name) => knownApp(supervisor, name));
const namesOf = (context: ActionContext) => appsOf(context).map(({ name }) => name);
