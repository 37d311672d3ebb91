import type { Model, Transaction } from '@nocobase/database';
import { APP, type AppDefinition, type Boot, type Placement, type Previous, type Published } from '../../../shared/app';
import { fromTable } from '../../../shared/fields';
import { say } from '../../../shared/message';
import type { Operation, Progress } from '../../../shared/operation';
import { byName } from '../../../shared/pick';
import type { DataEnd } from '../../../shared/words';
import type { WithDatabase } from '../../nocobase/main-database';
import { retryWhenBusy } from '../../nocobase/undone';
import { newSecret, seal } from '../../protocol/secrets';
import { desiredOf, newestOf, nextGeneration, type Tombstone } from './repository';

/**
 * Rows of a Supervisor before 0.3.0, in which an operation drove steps and an app had one boot. What they want is written as placements, and
 * goes on as it was: nothing is published by it, and an unfinished operation stays unfinished.
 */

type FormerPublished = Omit<Published, 'provision'> & Partial<Record<'claim' | 'provision', Published['provision']>>;
export type FormerApp = Omit<
  AppDefinition,
  'placements' | 'previous' | 'paused' | 'provision' | 'published' | 'createdAt' | 'updatedAt'
> & { boot: Boot; claim?: Published['provision']; published: Record<string, FormerPublished> };

export interface FormerStep extends Omit<Progress, 'of'> {
  kind: 'boot' | 'stop' | 'apply' | 'remove' | 'drop' | 'release';
}
export type FormerOperation = Pick<Operation, 'id' | 'appUid' | 'action' | 'state' | 'finishedAt' | 'onFailure'> & {
  steps: FormerStep[];
};

const PROGRESS_OF = {
  boot: 'boot',
  stop: 'place',
  apply: 'place',
  remove: 'leave',
  drop: 'data',
  release: 'data',
} as const satisfies Record<FormerStep['kind'], Progress['of']>;

export const progressOf = (steps: readonly FormerStep[]): Progress[] =>
  steps.map(({ kind, ...step }) => ({ ...step, of: PROGRESS_OF[kind] }));

const isOpen = ({ state }: FormerStep): boolean => state === 'queued' || state === 'running';

/** What was to become of the data of a deleted app. */
export const dataOf = ({ action, steps }: FormerOperation): DataEnd | null => {
  if (action !== 'destroy') return null;
  const end = steps.find(({ kind }) => kind === 'drop' || kind === 'release');
  return end ? (end.kind as DataEnd) : 'keep';
};

/**
 * Where a stop was to stop an app; null: everywhere. A drain named the only environment of an app as well, which was to run as a whole.
 * @param app undefined if it was deleted
 */
export function namedOf(
  { action, state, steps }: FormerOperation,
  app: Pick<FormerApp, 'environments' | 'desired'> | undefined,
): string[] | null {
  if (action !== 'stop' || !app) return null;
  const named = steps.flatMap(({ kind, environment }) => (kind === 'stop' ? [environment] : []));
  const isWhole = app.desired === 'stopped' || state === 'cancelled';
  return isWhole && app.environments.every((name) => named.includes(name)) ? null : named;
}

/** Where a change of a table ends the transaction, a run that was cut off may have written it before. */
const publishedOf = (published: Record<string, FormerPublished>): Record<string, Published> =>
  Object.fromEntries(
    Object.entries(published).map(([environment, { claim, ...wish }]) => [
      environment,
      { ...wish, provision: claim ?? wish.provision ?? 'none' },
    ]),
  );

/** Steps of the newest operation that are still to be done: an app that has recovered went on with those that a failure kept from beginning. */
function stillToDo(newest: FormerOperation | undefined): FormerStep[] {
  if (!newest) return [];
  if (newest.finishedAt === null) return newest.steps.filter(isOpen);
  if (newest.state !== 'failed') return [];
  return newest.steps.filter(({ kind, message }) => kind === 'boot' && message?.code === 'STEP_NOT_BEGUN');
}

/** @param newest its newest operation */
export function appOf(
  former: FormerApp,
  newest: FormerOperation | undefined,
): Pick<AppDefinition, 'placements' | 'previous' | 'paused' | 'provision' | 'published'> {
  const published = publishedOf(former.published);
  const open = stillToDo(newest);
  const known = { ...former, published };
  const wanted = former.environments.flatMap((environment): [string, Placement][] => {
    const place = placementOf(known, environment, open);
    return place ? [[environment, place]] : [];
  });
  const placements = Object.fromEntries(wanted);
  return {
    placements,
    previous: previousOf(known, placements, open),
    paused: pauseOf(former, newest, open),
    provision: former.claim ?? 'none',
    published,
  };
}

/**
 * A JWT secret for an app that a Supervisor before 0.1.1 has stored without one. Its environments take it at its next start, and hear of it
 * now.
 * @param secret sealed @param now ms since 1970
 */
export function givenSecret(
  app: Pick<AppDefinition, 'generation' | 'placements' | 'published'>,
  secret: string,
  now: number,
): Pick<AppDefinition, 'jwtSecret' | 'generation' | 'placements'> {
  const generation = nextGeneration(newestOf(app), now);
  const placements = byName(Object.keys(app.placements), (name) => ({ ...app.placements[name], generation }));
  return { jwtSecret: secret, generation, placements };
}

type Known = Pick<
  AppDefinition,
  'environments' | 'targetEnvironment' | 'desired' | 'startMode' | 'generation' | 'published'
> & {
  boot: Boot;
};

/** What is wanted where it belongs; null where nothing was begun, and nothing was to be. */
function placementOf(app: Known, environment: string, open: readonly FormerStep[]): Placement | null {
  const wish = app.published[environment];
  const isThere = wish !== undefined && wish.desired !== 'removed';
  const step = open.find((one) => one.environment === environment);
  if (!isThere && !step) return null;
  const rests = step ? step.kind === 'stop' : wish?.desired === 'stopped';
  const want = rests && step?.kind !== 'boot' ? 'stopped' : (desiredOf(app) as Placement['want']);
  const boot = step?.kind === 'boot' || !isThere ? app.boot : wish.boot;
  return { generation: step || !isThere ? app.generation : wish.generation, want, boot };
}

/** Where it was before a move that is not over. */
function previousOf(app: Known, placements: Record<string, Placement>, open: readonly FormerStep[]): Previous | null {
  const isNew = (name: string) => (app.published[name]?.desired ?? 'removed') === 'removed';
  const added = app.environments.filter((name) => isNew(name) || open.some((step) => step.environment === name));
  const isAdded = open.some(({ environment, kind }) => kind === 'boot' && added.includes(environment));
  const left = open.flatMap(({ environment, kind }) => (kind === 'remove' ? [environment] : []));
  if (!isAdded || !left.length) return null;
  const environments = [...left, ...app.environments.filter((name) => !isNew(name))];
  const entries = left.flatMap((name): [string, Placement][] => {
    const wish = app.published[name];
    const want = desiredOf(app) as Placement['want'];
    return wish ? [[name, { generation: wish.generation, want, boot: wish.boot }]] : [];
  });
  const target = app.targetEnvironment;
  return {
    environments,
    targetEnvironment: target && environments.includes(target) ? target : left[0],
    home: null,
    placements: { ...placements, ...Object.fromEntries(entries) },
  };
}

/** A boot that failed keeps the app from booting where its turn had not come. */
function pauseOf(
  { boot }: FormerApp,
  newest: FormerOperation | undefined,
  open: readonly FormerStep[],
): AppDefinition['paused'] {
  if (newest?.state !== 'failed' || !open.length) return null;
  const failed = newest.steps.find(({ kind, state }) => kind === 'boot' && state === 'failed');
  if (!failed) return null;
  return { environment: failed.environment, boot: boot.generation, cause: failed.error ?? say('NO_CAUSE') };
}

/** @param destroy its newest operation */
export function tombstoneOf(
  { uid, name, environments, definition }: Omit<Tombstone, 'data' | 'definition'> & { definition: FormerApp },
  destroy: FormerOperation | undefined,
): Tombstone {
  const { boot: _, claim: __, ...kept } = definition;
  const end = destroy?.steps.find(({ kind }) => PROGRESS_OF[kind] === 'data');
  const nowhere = { environments: [], placements: {}, previous: null, paused: null, provision: 'none' as const };
  return {
    uid,
    name,
    environments,
    definition: {
      ...(kept as unknown as AppDefinition),
      ...nowhere,
      targetEnvironment: end?.environment ?? definition.targetEnvironment ?? definition.environments[0] ?? null,
      published: publishedOf(definition.published),
    },
    data: destroy && destroy.finishedAt === null ? (dataOf(destroy) ?? 'keep') : 'keep',
  };
}

/** A table, and its columns of a former release, which no field declares. */
interface FormerTable {
  name: string;
  columns: string[];
}
const APPS: FormerTable = { name: 'apps', columns: ['boot', 'claim'] };
const OPERATIONS: FormerTable = { name: 'appOperations', columns: ['steps'] };

/** Whether rows are as a former release has written them. */
export const areFormer = (main: WithDatabase): Promise<boolean> => hasColumns(main, APPS);

/**
 * Writes former rows as they are today, in one transaction. It comes before anything is read, so that nobody sees the others, and does nothing
 * where there are none.
 */
export async function upgradeRows(main: WithDatabase, aesKey: Buffer | null, now: number): Promise<void> {
  const isFormer = await areFormer(main);
  await retryWhenBusy(() =>
    main.db.sequelize.transaction(async (transaction: Transaction) => {
      if (isFormer) await upgrade(main, transaction);
      await giveSecrets(main, aesKey, now, transaction);
    }),
  );
}

async function upgrade(main: WithDatabase, transaction: Transaction) {
  await lockTable(main, APPS.name, transaction);
  // Another Supervisor may have done it meanwhile.
  for (const table of [APPS, OPERATIONS]) if (!(await hasColumns(main, table, transaction))) return;
  const requests = await rowsOf<FormerOperation>(main, OPERATIONS, transaction);
  const newest = new Map(requests.map((operation) => [operation.appUid, operation]));
  const apps = await rowsOf<FormerApp>(main, APPS, transaction);
  for (const app of apps)
    await main.db.getModel('apps').update(appOf(app, newest.get(app.uid)), { where: { uid: app.uid }, transaction });
  const tombstones = main.db.getModel('appTombstones');
  for (const row of await tombstones.findAll({ transaction })) {
    const former = row.toJSON() as Omit<Tombstone, 'definition'> & { definition: FormerApp };
    if (former.definition.boot === undefined) continue;
    const { definition, data } = tombstoneOf(former, newest.get(former.uid));
    await tombstones.update({ definition, data }, { where: { uid: former.uid }, transaction });
  }
  const living = new Map(apps.map((app) => [app.uid, app]));
  for (const operation of requests) {
    const environments = namedOf(operation, living.get(operation.appUid));
    const values = { progress: progressOf(operation.steps), data: dataOf(operation), environments };
    await main.db.getModel('appOperations').update(values, { where: { id: operation.id }, transaction });
  }
  for (const table of [APPS, OPERATIONS]) await dropColumns(main, table, transaction);
}

async function giveSecrets(main: WithDatabase, aesKey: Buffer | null, now: number, transaction: Transaction) {
  const model = main.db.getModel('apps');
  const lock = transaction.LOCK.UPDATE;
  for (const row of await model.findAll({ where: { jwtSecret: null }, lock, transaction })) {
    const app = fromTable(APP, row.get());
    const values = givenSecret(app, seal(newSecret(), aesKey), now);
    await model.update(values, { where: { uid: app.uid, jwtSecret: null }, transaction });
  }
}

/** With the lock that a change of its columns needs: two that lock rows first would wait for each other with that. */
async function lockTable(main: WithDatabase, name: string, transaction: Transaction): Promise<void> {
  if (!main.db.isPostgresCompatibleDialect()) return;
  const table = quoting(main).quoteTable(main.db.getModel(name).getTableName());
  await main.db.sequelize.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`, { transaction });
}

const quoting = (main: WithDatabase) =>
  main.db.sequelize.getQueryInterface().queryGenerator as unknown as {
    quoteTable(table: unknown): string;
    quoteIdentifier(name: string): string;
  };

async function hasColumns(main: WithDatabase, { name, columns }: FormerTable, transaction?: Transaction) {
  const queries = main.db.sequelize.getQueryInterface();
  // Its types know no transaction.
  const options = { transaction } as never;
  const table = await queries.describeTable(main.db.getModel(name).getTableName(), options);
  return columns.every((column) => column in table);
}

/** In the order of their generations, with the columns of before. */
async function rowsOf<T>(main: WithDatabase, { name, columns }: FormerTable, transaction: Transaction): Promise<T[]> {
  const rows: Model[] = await main.db.getModel(name).findAll({
    attributes: { include: [...columns] },
    order: ['generation'],
    lock: transaction.LOCK.UPDATE,
    transaction,
  });
  // Big numbers, and JSON that no field declares, are texts with some databases.
  const isJson = (value: unknown): value is string => typeof value === 'string' && /^[[{]/.test(value);
  return rows.map((row) => {
    const values: Record<string, unknown> = row.get();
    const former = byName(columns, (column) => {
      const value = values[column];
      return isJson(value) ? JSON.parse(value) : value;
    });
    return { ...values, generation: Number(values.generation), ...former } as T;
  });
}

/** From now on it has none: what a newer row is given in them by the database would be taken for that of a former one. */
async function dropColumns(main: WithDatabase, { name, columns }: FormerTable, transaction: Transaction) {
  const quote = quoting(main);
  const table = quote.quoteTable(main.db.getModel(name).getTableName());
  // Not Sequelize's own: with SQLite it makes the table anew, without what it does not know of it.
  for (const column of columns) {
    const statement = `ALTER TABLE ${table} DROP COLUMN ${quote.quoteIdentifier(column)}`;
    await main.db.sequelize.query(statement, { transaction });
  }
}
