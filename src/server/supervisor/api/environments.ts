import type { BatchAction } from '../../../shared/batch';
import { say } from '../../../shared/message';
import { AppSupervisorError } from '../../errors';
import { drainInput, forgetInput, logsInput, moveInput, parseInput, uncordonInput } from '../definitions/input';
import { admitInput, arrivalInput, joinInput } from '../joining/join-input';
import { type ActionContext, action, LOG_LINES, MOVED, RESET } from './action';
import { asked, bulkRow } from './apps';

type Supervisor = ActionContext['supervisor'];

const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };

export const ENVIRONMENTS = {
  list: action({
    summary: 'Environments, with health, lease and warnings',
    reads: 'get',
    gives: 'Environment rows.',
    rows: ['appSupervisorEnvironment'],
    work: async ({ supervisor }) => ({ data: supervisor.parts.view.environmentRows() }),
  }),
  get: action({
    summary: 'One environment: its apps, and its load against its limits',
    reads: 'get',
    query: ONE_ENVIRONMENT,
    gives: 'The row, with `hosted` and `load`.',
    rows: 'appSupervisorEnvironmentDetails',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ supervisor, name }) {
      const { view, load } = supervisor.parts;
      return { data: { ...rowOf(supervisor, name), hosted: view.hostedIn(name), load: load.load([name]) } };
    },
  }),
  // It may say what Redis, databases and addresses are, so it needs the permission of whoever adds environments.
  logs: action({
    summary: 'Last lines of the log of its process, without secrets',
    reads: 'get',
    query: { ...ONE_ENVIRONMENT, ...LOG_LINES },
    gives: 'The lines.',
    errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
    async work({ supervisor, name, params }) {
      rowOf(supervisor, name);
      const { lines, until } = parseInput(logsInput, { lines: params.lines, until: params.until });
      return { data: await supervisor.parts.requests.processLogs(name, lines, until) };
    },
  }),
  cordon: action({
    summary: 'Cordon: accept no new apps',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    rows: 'appSupervisorEnvironment',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ supervisor, name, userId }) {
      await supervisor.parts.environmentCache.change(name, { cordoned: true });
      await supervisor.parts.journal.ofEnvironment(name, 'cordon', userId);
      return { data: rowOf(supervisor, name) };
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
    async work({ supervisor, name, input, userId }) {
      const result = await supervisor.parts.drains.uncordon(name, input.bringHome, userId);
      return { data: rowOf(supervisor, name), meta: bulkRow(supervisor, result) };
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
      const { supervisor, name, input, userId } = context;
      const apps = await supervisor.parts.drains.close(name, userId);
      const { refused: left, ...meta } = await ofAll('drain', context, apps, { environment: name, ...input });
      return { data: rowOf(supervisor, name), meta: { ...meta, left } };
    },
  }),
  move: action({
    summary: 'Move all apps of an environment to others',
    query: ONE_ENVIRONMENT,
    body: moveInput,
    gives: MOVED,
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work(context) {
      const { supervisor, name, input } = context;
      return { data: await ofAll('move', context, appsIn(supervisor, name), { from: name, to: input.to }) };
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
    work: async ({ supervisor, name, input: { to } }) => ({
      data: await supervisor.parts.moves.preview(appsIn(supervisor, name), { from: name, to }),
    }),
  }),
  forget: action({
    summary: 'Forget an environment that will not come back',
    query: ONE_ENVIRONMENT,
    body: forgetInput,
    gives: 'Its name; `meta` is `{operations, refused}` of the apps that are moved, if asked.',
    errors: ['UNKNOWN_ENVIRONMENT', 'ENVIRONMENT_ALIVE', 'REDIS_UNREACHABLE'],
    async work({ supervisor, name, input: { move, to }, userId }) {
      const { environmentCache, drains, journal } = supervisor.parts;
      await environmentCache.assertForgettable(name);
      const moved = move ? await drains.moveStranded(name, to, userId) : { operations: [], refused: [] };
      await supervisor.forget(name);
      await journal.ofEnvironment(name, 'forget', userId);
      return { data: { name }, meta: bulkRow(supervisor, moved) };
    },
  }),
  check: action({
    summary: 'Whether the Supervisor reaches the proxy address, by HTTP and by WebSocket',
    reads: 'post',
    query: ONE_ENVIRONMENT,
    gives: '`{web: {ok, message: {code, params?}}, ws: {ok, message}}`',
    errors: ['UNKNOWN_ENVIRONMENT'],
    async work({ supervisor, name }) {
      const row = rowOf(supervisor, name);
      // In shared memory there is no network between them.
      const here = { ok: true, message: say('REACH_THIS_PROCESS') };
      return { data: row.proxyUrl ? await supervisor.parts.checkReach(row.proxyUrl) : { web: here, ws: here } };
    },
  }),
  join: action({
    summary:
      'How the Worker of a new environment is started; makes its main database if the Supervisor has the role of Workers',
    body: joinInput,
    gives:
      '`{name, files: {compose, docker, kubernetes, shell}, steps: [{kind, commands}], warnings}`, with secrets of this environment.',
    errors: ['NOT_ON_THIS_PART'],
    work: async ({ supervisor, input, userId }) => ({ data: await supervisor.parts.joins.join(input, userId) }),
  }),
  arrival: action({
    summary: 'What is known of a Worker that should have joined',
    reads: 'post',
    body: arrivalInput,
    gives: '`{state: waiting | wrong | arrived, messages: [{code, params?}]}`',
    errors: ['NOT_ON_THIS_PART'],
    work: async ({ supervisor, input }) => ({ data: await supervisor.parts.joins.arrival(input) }),
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
    async work({ supervisor, name, input: { address }, userId }) {
      const { environmentCache, journal } = supervisor.parts;
      const code = (await environmentCache.admit(name, address)) ? 'ENVIRONMENT_ADMITTED' : 'ADDRESS_CONFIRMED';
      await journal.ofEnvironment(name, say(code, { environment: name, address }), userId);
      return { data: rowOf(supervisor, name) };
    },
  }),
  resetAdmin: action({
    summary: "Give the administrator of a Worker's main app a new random password",
    query: ONE_ENVIRONMENT,
    gives: RESET,
    errors: ['UNKNOWN_ENVIRONMENT', 'WORKER_SILENT', 'WORKER_FAILED'],
    work: async ({ supervisor, name, userId }) => ({
      data: await supervisor.parts.administrators.ofEnvironment(name, userId),
    }),
  }),
};

/** @throws AppSupervisorError UNKNOWN_ENVIRONMENT */
function rowOf(supervisor: Supervisor, name: string) {
  const row = supervisor.parts.view.environmentRows().find((each) => each.name === name);
  if (!row) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
  return row;
}

/** Asks for the same of all apps of an environment, as a batch. */
async function ofAll(what: BatchAction, context: ActionContext, apps: readonly { name: string }[], input: object) {
  const names = apps.map(({ name }) => name);
  return names.length ? asked(what, context, names, input, context.name) : { batch: null, operations: [], refused: [] };
}

function appsIn(supervisor: Supervisor, environment: string) {
  const isKnown = supervisor.parts.environmentCache.names().includes(environment);
  if (!isKnown) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
  return supervisor.apps().filter(({ environments }) => environments.includes(environment));
}
