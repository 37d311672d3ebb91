import { BATCH, type BatchAction } from '../../../shared/batch';
import { keysIn } from '../../../shared/fields';
import type { Operation } from '../../../shared/operation';
import { AppSupervisorError } from '../../errors';
import type { Permissions } from '../definitions/permissions';
import type { Again, Ask } from '../requests/batches';
import type { Refused } from '../requests/bulk';
import { type ActionContext, action, LIST, pageMeta, paging } from './action';
import { filtering } from './filter';

type Supervisor = ActionContext['supervisor'];

/** What is asked for of apps, and by whom. */
interface Request {
  supervisor: Supervisor;
  service: Supervisor['parts']['service'];
  apps: readonly { name: string }[];
  input: any;
  userId: string | null;
  may: Permissions;
}

type Prepare = (request: Request) => Promise<Ask<Operation | null>> | Ask<Operation | null>;

const command =
  (what: 'start' | 'stop' | 'restart' | 'upgrade'): Prepare =>
  ({ service, userId, input }) =>
  (name) =>
    service.command(name, what, userId, input);

/** How each action asks for one app. */
export const ASKS: Record<BatchAction, Prepare> = {
  start: command('start'),
  stop: command('stop'),
  restart: command('restart'),
  upgrade: command('upgrade'),
  renewSecrets:
    ({ service, userId }) =>
    (name) =>
      service.renewSecrets(name, userId),
  async move({ supervisor, service, apps, input, userId }) {
    const { moves } = supervisor.parts;
    const plan = await moves.preview(known(supervisor, apps), input);
    return async (name) => {
      const { operations, refused } = await moves.begin(
        plan.apps.filter(({ app }) => app === name),
        userId,
        service,
      );
      return operations[0] ?? refused[0] ?? unknown(name);
    };
  },
  label:
    ({ service, input, userId }) =>
    async (name) => {
      await service.label(name, input, userId);
      return null;
    },
  configure:
    ({ service, input, userId, may }) =>
    (name) =>
      service.update(name, input, userId, may),
  destroy:
    ({ service, input, userId }) =>
    (name) =>
      service.destroy(name, input.database, userId),
  drain: ({ supervisor, service, apps, input, userId }) =>
    supervisor.parts.drains.drain(known(supervisor, apps), input, userId, service),
};

/** An app has left the list since. */
function unknown(app: string): never {
  throw new AppSupervisorError('UNKNOWN_APP', { app });
}

const known = (supervisor: Supervisor, apps: readonly { name: string }[]) =>
  apps.flatMap(({ name }) => supervisor.app(name) ?? []);

/**
 * A single app that is refused is an error; for several it is a batch.
 * @param environment of which these are all apps: then it is a batch for a single app, too
 */
export async function askOf(
  what: BatchAction,
  { supervisor, userId, may }: Pick<ActionContext, 'supervisor' | 'userId' | 'may'>,
  names: readonly string[],
  input: object,
  environment: string | null = null,
): Promise<{ batch: string | null; done: (Operation | null)[]; refused: Refused[] }> {
  const { batches, service } = supervisor.parts;
  const apps = names.map((name) => supervisor.app(name) ?? unknown(name));
  const request = { supervisor, service, apps, input, userId, may };
  if (environment === null && names.length === 1) {
    const ask = await ASKS[what](request);
    const result = await ask(apps[0].name);
    return result && 'code' in result
      ? { batch: null, done: [], refused: [result] }
      : { batch: null, done: [result], refused: [] };
  }
  const asked = apps.map(({ name, title, uid }) => ({ name, title, uid }));
  const batch = { action: what, environment, input: { ...input }, apps: asked, createdById: userId };
  return batches.begin(batch, async (id) => ASKS[what]({ ...request, service: service.inBatch(id) }));
}

/** What has failed by an operation is asked for by a retry of it, what has never become one by the action itself. */
async function askAgain(
  { supervisor, userId, may }: Pick<ActionContext, 'supervisor' | 'userId' | 'may'>,
  { batch, apps, failed }: Again,
): Promise<Ask> {
  const service = supervisor.parts.service.inBatch(batch.id);
  const again = apps.filter(({ name, uid }) => !failed.has(uid) && supervisor.app(name)?.uid === uid);
  const ask = await ASKS[batch.action]({ supervisor, service, apps: again, input: batch.input, userId, may });
  return async (name) => {
    const operation = failed.get(apps.find((app) => app.name === name)?.uid ?? '');
    if (batch.environment !== null && batch.action === 'drain')
      supervisor.parts.drains.assertCordoned(batch.environment);
    // The new one takes its place in the batch.
    if (operation !== undefined) return service.retry(operation, userId);
    return again.some((app) => app.name === name) ? ask(name) : unknown(name);
  };
}

const ONE_BATCH = { filterByTk: 'Id of the batch.' };
const { page, pageSize } = LIST;

export const BATCHES = {
  list: action({
    summary: 'Requests about several apps, newest first: how far each is, and what has failed for which cause',
    reads: 'get',
    query: { page, pageSize, filter: 'NocoBase filter: `environment`.' },
    gives: 'Batch rows, and `meta`.',
    rows: ['appSupervisorBatch'],
    async work({ supervisor: { parts }, params }) {
      const { page, pageSize } = paging(params);
      const filter = filtering(params.filter, BATCH, keysIn(BATCH, 'filter'));
      const [data, count] = await parts.batches.page(filter, page, pageSize);
      return { data, meta: pageMeta(count, page, pageSize) };
    },
  }),
  get: action({
    summary: 'One batch',
    reads: 'get',
    query: ONE_BATCH,
    gives: 'The row.',
    rows: 'appSupervisorBatch',
    errors: ['UNKNOWN_BATCH'],
    work: async ({ supervisor: { parts }, name }) => ({ data: await parts.batches.row(name) }),
  }),
  retry: action({
    summary: 'Ask again for what was refused, has failed, or was never asked for; the rest of the batch stays as it is',
    query: ONE_BATCH,
    gives: 'The batch.',
    rows: 'appSupervisorBatch',
    errors: ['UNKNOWN_BATCH', 'BATCH_UNDER_WAY', 'NEEDS_SECURITY', 'NOT_CORDONED'],
    async work(context) {
      const { ctx, supervisor, name, may } = context;
      const { batches, drains } = supervisor.parts;
      const { action, environment } = await batches.find(name);
      if (action === 'renewSecrets' && !may.security)
        throw new AppSupervisorError('NEEDS_SECURITY', { field: action }, 'action');
      // What begins it for a whole environment needs another permission than this action.
      if (environment !== null && !ctx.can?.({ resource: 'appEnvironments', action })) ctx.throw(403, 'No permissions');
      if (environment !== null && action === 'drain') drains.assertCordoned(environment);
      await batches.retry(name, (again) => askAgain(context, again));
      return { data: await batches.row(name) };
    },
  }),
};
