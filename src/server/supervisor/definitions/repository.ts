import type { Filter, Model, Transaction } from '@nocobase/database';
import { APP, type AppDefinition, type Published } from '../../../shared/app';
import { fromTable, keysIn } from '../../../shared/fields';
import type { DataEnd } from '../../../shared/words';
import { inTransaction, redactSqlErrors, type WithDatabase } from '../../nocobase/main-database';

export type { AppDefinition, Published };

/** A deleted app that some environments have not confirmed yet. */
export interface Tombstone {
  uid: string;
  name: string;
  definition: AppDefinition;
  /** Environments that have not confirmed. */
  environments: string[];
  /** What becomes of its data when all have. */
  data: DataEnd;
}

/** The same with its times; also of one whose data were kept, and that can be restored. */
export interface DeletedApp extends Tombstone {
  /** When it was deleted, in ms since 1970. */
  deletedAt: number;
  /** When nothing was left to be done, in ms since 1970; null before that. */
  endedAt: number | null;
}

/** How long a deleted app whose data were kept can be restored after that, in ms. */
export const KEEP_DELETED = 30 * 24 * 3_600_000;

/** Whether there is anything to be restored: its data were kept, and it has run. */
export const isRestorable = ({ data, definition }: Tombstone): boolean =>
  data !== 'drop' && definition.provision !== 'create';

/** Where a deleted app was placed, the target of its visitors first. */
export function formerPlaces({ published, targetEnvironment }: AppDefinition): string[] {
  const places = Object.keys(published).filter((name) => !published[name].stray && !published[name].uploads?.ahead);
  return places.sort((one, other) => Number(other === targetEnvironment) - Number(one === targetEnvironment));
}

/** Increases with every change, also after a restored backup: never behind the clock. */
export const nextGeneration = (previous: number, now: number): number => Math.max(previous + 1, now);

/** The newest generation of an app. Where a Worker was found to be ahead of a restored database, it is that of its publication there. */
export const newestOf = ({ generation, published }: Pick<AppDefinition, 'generation' | 'published'>): number =>
  Math.max(generation, ...Object.values(published).map((wish) => wish.generation));

/** What a boot of the worker does with an app that should run. */
export const desiredOf = (app: Pick<AppDefinition, 'desired' | 'startMode'>): 'running' | 'onDemand' | 'stopped' =>
  app.desired === 'stopped' ? 'stopped' : app.startMode === 'withMain' ? 'running' : 'onDemand';

/** As in `AppRepository.versions`. */
export const versionOf = (app: Pick<AppDefinition, 'uid' | 'generation' | 'updatedAt'>): string =>
  `${app.uid} ${app.generation} ${new Date(app.updatedAt).getTime()}`;

/** The `apps` and `appTombstones` tables. */
export class AppRepository {
  constructor(private readonly app: WithDatabase) {}

  async all(transaction?: Transaction): Promise<AppDefinition[]> {
    const rows = await this.apps.find({ sort: ['sort', 'name'], transaction });
    return rows.map(toDefinition);
  }

  /** For every app, in display order, a value that changes with any change of the app: cheap compared to its row. */
  async versions(transaction?: Transaction): Promise<Map<string, string>> {
    const rows = (await this.apps.model.findAll({
      attributes: ['name', 'uid', 'generation', 'updatedAt'],
      order: ['sort', 'name'],
      raw: true,
      transaction,
    })) as unknown as AppDefinition[];
    return new Map(rows.map((row) => [row.name, versionOf(row)]));
  }

  /** The apps with the given names that exist. */
  async some(names: string[], transaction?: Transaction): Promise<AppDefinition[]> {
    const rows = names.length ? await this.apps.find({ filter: { name: { $in: names } }, transaction }) : [];
    return rows.map(toDefinition);
  }

  /** Names that match a NocoBase `filter`, in the order of `sort`; as plain rows, because 10,000 objects are slow. */
  async names(filter: Filter, sort: string[]): Promise<string[]> {
    const options = this.apps.buildQueryOptions({ filter, sort, fields: ['name'] });
    const rows = (await this.apps.model.findAll({ ...options, raw: true })) as unknown as Array<{ name: string }>;
    return rows.map(({ name }) => name);
  }

  async find(name: string, transaction?: Transaction): Promise<AppDefinition | null> {
    const row = await this.apps.findOne({ filterByTk: name, transaction });
    return row ? toDefinition(row) : null;
  }

  /** As `find`, and no other transaction changes the app until the end of this one. */
  async findLocked(name: string, transaction?: Transaction): Promise<AppDefinition | null> {
    const lock = transaction?.LOCK?.UPDATE;
    const row = await this.app.db.getModel('apps').findOne({ where: { name }, transaction, lock });
    return row && toDefinition(row);
  }

  async create(app: Omit<AppDefinition, 'createdAt' | 'updatedAt' | 'sort'>, transaction?: Transaction): Promise<void> {
    await this.write(transaction, (ours) => this.apps.create({ values: app, transaction: ours }));
  }

  async update(name: string, values: Partial<AppDefinition>, transaction?: Transaction): Promise<void> {
    // The repository's own update first reads the row, and processes associations, of which there are none.
    await redactSqlErrors(() => this.app.db.getModel('apps').update(values, { where: { name }, transaction }));
  }

  /**
   * Changes one incarnation of an app.
   * @param onlyUnchanged only if the app still has the given generation
   * @returns false if it was deleted meanwhile, or has changed; then nothing was written
   */
  async updateLiving(
    { name, uid, generation }: Pick<AppDefinition, 'name' | 'uid' | 'generation'>,
    values: Partial<AppDefinition>,
    transaction?: Transaction,
    onlyUnchanged = false,
  ): Promise<boolean> {
    const where = { name, uid, ...(onlyUnchanged ? { generation } : {}) };
    const [changed] = await redactSqlErrors(() => this.app.db.getModel('apps').update(values, { where, transaction }));
    return changed > 0;
  }

  /** Removes the app from the list; a tombstone keeps the remaining work. */
  async bury(tombstone: Tombstone, transaction?: Transaction): Promise<void> {
    await this.write(transaction, (ours) => this.tombstones.create({ values: tombstone, transaction: ours }));
    await this.apps.destroy({ filterByTk: tombstone.name, transaction });
  }

  /** The newest first. */
  async allTombstones(): Promise<DeletedApp[]> {
    const rows = await this.tombstones.find({ sort: ['-createdAt'] });
    return rows.map(toTombstone);
  }

  /** Names of deleted apps, as long as anything is left of them. */
  async deletedNames(): Promise<string[]> {
    const rows = (await this.tombstones.model.findAll({ attributes: ['name'], raw: true })) as unknown as Tombstone[];
    return rows.map(({ name }) => name);
  }

  /** Those of which something is left to be done. */
  async openTombstones(transaction?: Transaction): Promise<Tombstone[]> {
    const rows = await this.tombstones.find({ filter: { endedAt: null }, transaction });
    return rows.map(toTombstone);
  }

  /** No other transaction changes it until the end of this one. */
  async findLockedTombstone(uid: string, transaction?: Transaction): Promise<DeletedApp | null> {
    const lock = transaction?.LOCK?.UPDATE;
    const row = await this.app.db.getModel('appTombstones').findOne({ where: { uid }, transaction, lock });
    return row && toTombstone(row);
  }

  async updateTombstone(uid: string, values: Partial<DeletedApp>, transaction?: Transaction): Promise<void> {
    await this.write(transaction, (ours) => this.tombstones.update({ filterByTk: uid, values, transaction: ours }));
  }

  async removeTombstone(uid: string, transaction?: Transaction): Promise<void> {
    await this.tombstones.destroy({ filterByTk: uid, transaction });
  }

  /** @param created, ended in ms since 1970: those that were deleted, or have ended, before that */
  async removeTombstonesOlderThan(created: number, ended: number, transaction?: Transaction): Promise<void> {
    await this.tombstones.destroy({ filter: { createdAt: { $dateBefore: new Date(created) } }, transaction });
    await this.tombstones.destroy({ filter: { endedAt: { $lt: ended } }, transaction });
  }

  private write(given: Transaction | undefined, write: (transaction: Transaction) => Promise<unknown>) {
    return redactSqlErrors(() => inTransaction(this.app, given, write));
  }

  private get apps() {
    return this.app.db.getRepository('apps');
  }

  private get tombstones() {
    return this.app.db.getRepository('appTombstones');
  }
}

function toTombstone(row: Model): DeletedApp {
  const {
    createdAt,
    updatedAt: _,
    ...tombstone
  } = row.toJSON() as DeletedApp & Record<'createdAt' | 'updatedAt', string>;
  const endedAt = tombstone.endedAt === null ? null : Number(tombstone.endedAt);
  const deletedAt = new Date(createdAt).getTime();
  return { ...tombstone, deletedAt, endedAt, definition: fromTable(APP, tombstone.definition) };
}

function toDefinition(row: Model): AppDefinition {
  const columns = keysIn(APP, 'table').map((key) => [key, row.get(key)]);
  return fromTable(APP, Object.fromEntries(columns));
}
