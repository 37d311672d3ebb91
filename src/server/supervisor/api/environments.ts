import type { BatchAction } from '../../../shared/batch';
import { say } from '../../../shared/message';
import { AppSupervisorError } from '../../errors';
import { drainInput, forgetInput, logsInput, moveInput, parseInput, uncordonInput } from '../definitions/input';
import { admitInput, arrivalInput, joinInput } from '../joining/join-input';
import { type ActionContext, action, LOG_LINES, MOVED, RESET } from './action';
import { asked, bulkRow } from './apps';

type Parts = ActionContext['parts'];

const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };

export const ENVIRONMENTS = {
  list: action({
    summary: 'Environments, with health, lease and warnings',
    reads: 'get',
    gives: 'Environment rows.',
    rows: ['appSupervisorEnvironment'],
    work: async ({ parts }) => ({ data: parts.view.environmentRows() }),
  }),
  get: action({
    summary: 'One environment: its apps, and its load against its limits',
    reads: 'get',
    query: ONE_ENVIRONMENT,
    gives: 'The row, with `hosted` and `load`.',
    rows: 'appSupervisorEnvironmentDetails',
    errors: ['UNKNOWN_ENVIRONMENT'],
    work: async ({ parts, name }) => ({
      data: { ...rowOf(parts, name), hosted: parts.view.hostedIn(name), load: parts.load.load([name]) },
    }),
  }),
  // It may say what Redis, databases and addresses are, so it needs the permission of whoever adds environments.
  logs: action({
    summary: 'Last lines of the log of its process, without secrets',
    reads: 'get',
    query: { ...ONE_ENVIRONMENT, ...LOG_LINES },
    gives: 'The lines.',
    errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
    async work({ parts, name, params }) {
      rowOf(parts, name);
      const { lines, until } = parseInput(logsInput, { lines: params.lines, until: params.until });
      return { data: await parts.requests.processLogs(name, lines, until) };
    },
  }),
  cordon: action({
    summary: 'Cordon: accept no new apps',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    rows: 'appSupervisorEnvironment',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ parts, name, userId }) {
      await parts.environmentCache.change(name, { cordoned: true });
      await parts.journal.ofEnvironment(name, 'cordon', userId);
      return { data: rowOf(parts, name) };
    },
  }),
  uncordon: action({
    summary: 'Uncordon: accept apps again, and bring home what drains have moved or stopped, if asked',
    query: ONE_ENVIRONMENT,
    body: uncordonInput,
    gives:
      'The row; `meta` is `{operations, refused}` of the apps that come home. One that has stopped a process is refused (`APP_STOPS_LOOP`).',
    rows: 'appSupervisorEnvironment',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ parts, name, input, userId }) {
      const result = await parts.drains.uncordon(name, input.bringHome, userId);
      return { data: rowOf(parts, name), meta: bulkRow(parts, result) };
    },
  }),
  drain: action({
    summary: 'Cordon it, and move or stop its apps',
    query: ONE_ENVIRONMENT,
    body: drainInput,
    gives:
      'The row; `meta` is `{operations, left: [{app, code, params, message}], batch}`: what was begun, what stays there, and the id of the batch; null if no app is there.',
    rows: 'appSupervisorEnvironment',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work(context) {
      const { parts, name, input, userId } = context;
      const apps = await parts.drains.close(name, userId);
      const { refused: left, ...meta } = await ofAll('drain', context, apps, { environment: name, ...input });
      return { data: rowOf(parts, name), meta: { ...meta, left } };
    },
  }),
  move: action({
    summary: 'Move all apps of an environment to others',
    query: ONE_ENVIRONMENT,
    body: moveInput,
    gives: MOVED,
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work(context) {
      const { parts, name, input } = context;
      return { data: await ofAll('move', context, appsIn(parts, name), { from: name, to: input.to }) };
    },
  }),
  previewMove: action({
    summary: 'What a move of all apps of an environment would do',
    reads: 'post',
    query: ONE_ENVIRONMENT,
    body: moveInput,
    gives: 'The plan.',
    rows: 'appSupervisorMovePlan',
    errors: ['UNKNOWN_ENVIRONMENT'],
    work: async ({ parts, name, input: { to } }) => ({
      data: await parts.moves.preview(appsIn(parts, name), { from: name, to }),
    }),
  }),
  forget: action({
    summary: 'Forget an environment that will not come back',
    query: ONE_ENVIRONMENT,
    body: forgetInput,
    gives: 'Its name; `meta` is `{operations, refused}` of the apps that are moved, if asked.',
    errors: ['UNKNOWN_ENVIRONMENT', 'ENVIRONMENT_ALIVE', 'REDIS_UNREACHABLE'],
    async work({ supervisor, parts, name, input: { move, to }, userId }) {
      const { environmentCache, drains, journal } = parts;
      await environmentCache.assertForgettable(name);
      const moved = move ? await drains.moveStranded(name, to, userId) : { operations: [], refused: [] };
      await supervisor.forget(name);
      await journal.ofEnvironment(name, 'forget', userId);
      return { data: { name }, meta: bulkRow(parts, moved) };
    },
  }),
  check: action({
    summary: 'Whether the Supervisor reaches the proxy address, by HTTP and by WebSocket',
    reads: 'post',
    query: ONE_ENVIRONMENT,
    gives: '`{web: {ok, message: {code, params?}}, ws: {ok, message}}`',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ parts, name }) {
      const { proxyUrl } = rowOf(parts, name);
      // In shared memory there is no network between them.
      const here = { ok: true, message: say('REACH_THIS_PROCESS') };
      return { data: proxyUrl ? await parts.checkReach(proxyUrl) : { web: here, ws: here } };
    },
  }),
  join: action({
    summary:
      'How the Worker of a new environment is started; makes its main database if the Supervisor has the role of Workers',
    body: joinInput,
    gives:
      '`{name, files: {compose, docker, kubernetes, shell}, steps: [{kind, commands}], warnings}`, with secrets of this environment.',
    errors: ['NOT_ON_THIS_PART'],
    work: async ({ parts, input, userId }) => ({ data: await parts.joins.join(input, userId) }),
  }),
  arrival: action({
    summary: 'What is known of a Worker that should have joined',
    reads: 'post',
    body: arrivalInput,
    gives: '`{state: waiting | wrong | arrived, messages: [{code, params?}]}`',
    errors: ['NOT_ON_THIS_PART'],
    work: async ({ parts, input }) => ({ data: await parts.joins.arrival(input) }),
  }),
  // Visitors with their sessions are sent there from now on, so it needs the permission of whoever adds environments.
  admit: action({
    summary:
      'Admit an environment, or confirm its new proxy address: apps may run there, and visitors are sent to the address that its Worker reports',
    query: ONE_ENVIRONMENT,
    body: admitInput,
    gives: 'The row.',
    rows: 'appSupervisorEnvironment',
    errors: ['UNKNOWN_ENVIRONMENT', 'ADDRESS_DIFFERS'],
    async work({ parts, name, input: { address }, userId }) {
      const isNew = await parts.environmentCache.admit(name, address);
      const message = say(isNew ? 'ENVIRONMENT_ADMITTED' : 'ADDRESS_CONFIRMED', { environment: name, address });
      await parts.journal.ofEnvironment(name, message, userId);
      return { data: rowOf(parts, name) };
    },
  }),
  resetAdmin: action({
    summary: "Give the administrator of a Worker's main app a new random password",
    query: ONE_ENVIRONMENT,
    gives: RESET,
    errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
    work: async ({ parts, name, userId }) => ({ data: await parts.administrators.ofEnvironment(name, userId) }),
  }),
};

/** @throws AppSupervisorError UNKNOWN_ENVIRONMENT */
function rowOf({ view }: Parts, name: string) {
  const row = view.environmentRows().find((each) => each.name === name);
  if (!row) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
  return row;
}

/** Asks for the same of all apps of an environment, as a batch. */
async function ofAll(what: BatchAction, context: ActionContext, apps: readonly { name: string }[], input: object) {
  const names = apps.map(({ name }) => name);
  return names.length ? asked(what, context, names, input, context.name) : { batch: null, operations: [], refused: [] };
}

/** @throws AppSupervisorError UNKNOWN_ENVIRONMENT */
function appsIn({ environmentCache, appCache }: Parts, environment: string) {
  const isKnown = environmentCache.names().includes(environment);
  if (!isKnown) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
  return [...appCache.apps.values()].filter(({ environments }) => environments.includes(environment));
}
