import { isDeepStrictEqual } from 'node:util';
import type { CollectionOptions, Database } from '@nocobase/database';
import { copyOf } from './copy';
import { RowLocks } from './row-locks';

/**
 * The part of NocoBase's `Database` that the plugin's own tables use, in memory, with what PostgreSQL promises of it: read committed,
 * row locks that a conditional update waits for and looks at its row again after, unique columns, rollback. It passes the contract
 * tests of `contracts/database-suite.ts` and `contracts/leadership-suite.ts`, as PostgreSQL does.
 */

type Row = Record<string, unknown>;
type Test = (row: Row) => boolean;

export interface Table {
  key: string;
  unique: string[];
  hidden: string[];
  defaults: Row;
  timestamps: boolean;
  rows: Map<unknown, Row>;
}

/** Passes each statement to the server and its answer back: a simulation delays it, loses it, or refuses it. */
export type Gate = <T>(statement: () => Promise<T>) => Promise<T>;

export class MemoryTransaction {
  readonly LOCK = { UPDATE: 'UPDATE', SHARE: 'SHARE' } as const;
  readonly writes = new Map<string, Map<unknown, Row | null>>();
  isOver = false;
  /** After how long between two statements the server undoes it, in ms. */
  idleLimit = Number.POSITIVE_INFINITY;
  /** How many statements have begun or ended. */
  uses = 0;

  /** @param owner the process whose session it is in */
  constructor(readonly owner: string) {}
}

/** The server: tables, sessions and locks. */
export class MemoryDatabase {
  readonly tables = new Map<string, Table>();
  private readonly locks = new RowLocks<MemoryTransaction>();
  private readonly open = new Set<MemoryTransaction>();
  /** Called before the writes of a transaction become visible. */
  onCommit: (transaction: MemoryTransaction) => void = () => undefined;
  /** Does something later, by the server's clock. */
  later: (ms: number, work: () => void) => unknown = (ms, work) => setTimeout(work, ms).unref();

  constructor(collections: CollectionOptions[]) {
    for (const { name, fields = [], timestamps } of collections) {
      const columns = fields as Array<Row & { name: string }>;
      const namesOf = (property: string) => columns.filter((field) => field[property]).map((field) => field.name);
      this.tables.set(name, {
        key: namesOf('primaryKey')[0],
        unique: [...namesOf('primaryKey'), ...namesOf('unique')],
        hidden: namesOf('hidden'),
        defaults: Object.fromEntries(columns.map((field) => [field.name, field.defaultValue ?? null])),
        timestamps: timestamps !== false,
        rows: new Map(),
      });
    }
  }

  /**
   * One process's connection.
   * @param wall what the process takes the time to be, in ms since 1970: it writes when a row was made and changed
   */
  connect(owner = 'test', gate: Gate = (statement) => statement(), wall: () => number = Date.now): Database {
    const run = <T>(given: MemoryTransaction | undefined, work: (transaction: MemoryTransaction) => Promise<T>) =>
      gate(() => this.run(owner, given, work));
    const models = (name: string) => new MemoryModel(this, this.tableOf(name), name, run, wall);
    const connected = {
      options: { dialect: 'postgres' },
      inDialect: (...dialects: string[]) => dialects.includes('postgres'),
      hasCollection: (name: string) => this.tables.has(name),
      getModel: models,
      getRepository: (name: string) => new MemoryRepository(models(name), this.tableOf(name).key),
      sequelize: {
        transaction: <T>(work: (own: MemoryTransaction) => Promise<T>) => this.inOne(owner, gate, work),
        query: (sql: string, { transaction }: { transaction: MemoryTransaction }) =>
          run(transaction, async () => {
            const [, seconds] = sql.match(/^SET LOCAL idle_in_transaction_session_timeout = '(\d+)s'$/) ?? [];
            if (!seconds) throw new Error(`There is no statement in memory as: ${sql}`);
            transaction.idleLimit = Number(seconds) * 1_000;
          }),
      },
      close: async () => undefined,
    };
    return Object.assign(connected, { openAnother: () => connected }) as unknown as Database;
  }

  /** Ends the sessions of a process, as when it dies or an administrator does it: what it has not committed is undone. */
  cut(owner: string): void {
    for (const transaction of [...this.open]) if (transaction.owner === owner) this.rollBack(transaction);
  }

  /** Of a table, as a transaction sees it. */
  visible(name: string, transaction?: MemoryTransaction): Row[] {
    const writes = transaction?.writes.get(name);
    if (!writes) return [...this.tableOf(name).rows.values()];
    const rows = new Map(this.tableOf(name).rows);
    for (const [key, row] of writes) {
      if (row) rows.set(key, row);
      else rows.delete(key);
    }
    return [...rows.values()];
  }

  /** The rows that match, as a transaction sees them; one that is named by its key is not looked for. */
  matching(name: string, query: Query, transaction: MemoryTransaction): Row[] {
    const test = testOf(query);
    const { key } = this.tableOf(name);
    const named = query.filter?.[key] ?? query.where?.[key];
    const isNamed = typeof named === 'string' || typeof named === 'number';
    const rows = isNamed ? [this.rowOf(name, named, transaction)] : this.visible(name, transaction);
    return rows.filter((row): row is Row => row !== undefined && test(row));
  }

  private rowOf(name: string, key: unknown, { writes }: MemoryTransaction): Row | undefined {
    const written = writes.get(name)?.get(key);
    return written === undefined ? this.tableOf(name).rows.get(key) : (written ?? undefined);
  }

  /** Locks the rows that match, one after the other; each is looked at again once it is locked. */
  async lock(transaction: MemoryTransaction, name: string, query: Query, mode: 'UPDATE' | 'SHARE'): Promise<Row[]> {
    const { key } = this.tableOf(name);
    const test = testOf(query);
    const found: Row[] = [];
    for (const candidate of this.matching(name, query, transaction)) {
      await this.acquire(transaction, `${name} ${candidate[key]}`, mode);
      const now = this.rowOf(name, candidate[key], transaction);
      if (now && test(now)) found.push(now);
    }
    return found;
  }

  async acquire(transaction: MemoryTransaction, lock: string, mode: 'UPDATE' | 'SHARE'): Promise<void> {
    // What is over gives back nothing any more.
    assertOpen(transaction);
    await this.locks.acquire(transaction, lock, mode);
    assertOpen(transaction);
  }

  write(transaction: MemoryTransaction, name: string, key: unknown, row: Row | null): void {
    const writes = transaction.writes.get(name) ?? new Map();
    transaction.writes.set(name, writes.set(key, row && copyOf(row)));
  }

  private tableOf(name: string): Table {
    const table = this.tables.get(name);
    if (!table) throw new Error(`There is no table ${name}.`);
    return table;
  }

  begin(owner: string): MemoryTransaction {
    const transaction = new MemoryTransaction(owner);
    this.open.add(transaction);
    return transaction;
  }

  /** A statement: in the given transaction, or in one of its own. */
  async run<T>(
    owner: string,
    given: MemoryTransaction | undefined,
    work: (transaction: MemoryTransaction) => Promise<T>,
  ): Promise<T> {
    if (given) {
      assertOpen(given);
      given.uses++;
      try {
        return await work(given);
      } finally {
        this.limitIdle(given, ++given.uses);
      }
    }
    const own = this.begin(owner);
    try {
      const result = await work(own);
      this.commit(own);
      return result;
    } catch (error) {
      this.rollBack(own);
      throw error;
    }
  }

  private limitIdle(transaction: MemoryTransaction, uses: number): void {
    const { idleLimit } = transaction;
    const end = () => transaction.uses === uses && this.rollBack(transaction);
    if (Number.isFinite(idleLimit)) this.later(idleLimit, end);
  }

  private async inOne<T>(owner: string, gate: Gate, work: (own: MemoryTransaction) => Promise<T>): Promise<T> {
    const transaction = await gate(async () => this.begin(owner));
    try {
      const result = await work(transaction);
      await gate(async () => this.commit(transaction));
      return result;
    } catch (error) {
      // A connection that is lost ends its session.
      await gate(async () => this.rollBack(transaction)).catch(() => this.rollBack(transaction));
      throw error;
    }
  }

  commit(transaction: MemoryTransaction): void {
    assertOpen(transaction);
    this.onCommit(transaction);
    for (const [name, writes] of transaction.writes) {
      const { rows } = this.tableOf(name);
      for (const [key, row] of writes) {
        if (row) rows.set(key, row);
        else rows.delete(key);
      }
    }
    this.end(transaction);
  }

  rollBack(transaction: MemoryTransaction): void {
    if (!transaction.isOver) this.end(transaction);
  }

  private end(transaction: MemoryTransaction): void {
    transaction.isOver = true;
    this.open.delete(transaction);
    this.locks.release(transaction);
  }
}

function assertOpen(transaction: MemoryTransaction): void {
  if (transaction.isOver) throw new Error('Connection terminated unexpectedly.');
}

interface Query {
  where?: Row;
  filter?: Row;
  filterByTk?: unknown;
  sort?: string[];
  order?: string[];
  limit?: number;
  offset?: number;
  transaction?: MemoryTransaction;
  lock?: 'UPDATE' | 'SHARE';
}

type Run = <T>(
  given: MemoryTransaction | undefined,
  work: (transaction: MemoryTransaction) => Promise<T>,
) => Promise<T>;

/** As a Sequelize model. */
class MemoryModel {
  constructor(
    private readonly database: MemoryDatabase,
    private readonly table: Table,
    private readonly name: string,
    readonly run: Run,
    private readonly wall: () => number,
  ) {}

  async findAll(query: Query & { raw?: boolean }): Promise<Row[]> {
    return (await this.find(query)).map((row) => row.values);
  }

  async findOne(query: Query): Promise<MemoryRow | null> {
    return (await this.find({ ...query, limit: 1 }))[0] ?? null;
  }

  find(query: Query): Promise<MemoryRow[]> {
    return this.run(query.transaction, async (transaction) => {
      const rows = query.lock
        ? await this.database.lock(transaction, this.name, query, query.lock)
        : this.database.matching(this.name, query, transaction);
      const sorted = sort(rows, query.sort ?? query.order ?? []);
      const { offset = 0, limit = rows.length } = query;
      return sorted.slice(offset, offset + limit).map((row) => new MemoryRow(copyOf(row), this.table.hidden));
    });
  }

  /** @returns how many rows were changed */
  async update(values: Row, query: Query): Promise<[number]> {
    return this.run(query.transaction, async (transaction) => {
      const rows = await this.database.lock(transaction, this.name, query, 'UPDATE');
      for (const row of rows) {
        const changed = { ...row, ...values, ...(this.table.timestamps ? { updatedAt: new Date(this.wall()) } : {}) };
        await this.assertUnique(transaction, changed, row);
        this.database.write(transaction, this.name, row[this.table.key], changed);
      }
      return [rows.length];
    });
  }

  async create(values: Row, given?: MemoryTransaction): Promise<void> {
    const { defaults, key, timestamps } = this.table;
    const now = new Date(this.wall());
    const row = { ...defaults, ...values, ...(timestamps ? { createdAt: now, updatedAt: now } : {}) };
    await this.run(given, async (transaction) => {
      await this.assertUnique(transaction, row, null);
      this.database.write(transaction, this.name, (row as Row)[key], row);
    });
  }

  /** @param options.ignoreDuplicates leaves out rows whose key there is already */
  async bulkCreate(
    rows: Row[],
    options: { ignoreDuplicates?: boolean; transaction?: MemoryTransaction } = {},
  ): Promise<void> {
    const { key } = this.table;
    await this.run(options.transaction, async (transaction) => {
      for (const row of rows) {
        await this.database.acquire(transaction, `${this.name}.${key} ${row[key]}`, 'UPDATE');
        const isThere = this.database.visible(this.name, transaction).some((one) => one[key] === row[key]);
        if (!isThere || !options.ignoreDuplicates) await this.create(row, transaction);
      }
    });
  }

  async destroy(query: Query & { truncate?: boolean }): Promise<void> {
    await this.run(query.transaction, async (transaction) => {
      for (const row of await this.database.lock(transaction, this.name, query, 'UPDATE'))
        this.database.write(transaction, this.name, row[this.table.key], null);
    });
  }

  /** Whoever writes the same value of a unique column at the same time is waited for. */
  private async assertUnique(transaction: MemoryTransaction, row: Row, before: Row | null): Promise<void> {
    for (const column of this.table.unique) {
      const value = row[column];
      if (value === null || value === undefined || value === before?.[column]) continue;
      await this.database.acquire(transaction, `${this.name}.${column} ${value}`, 'UPDATE');
      const other = this.database.visible(this.name, transaction).some((one) => one[column] === value);
      if (!other) continue;
      const error = new Error(`Validation error: ${column} must be unique`);
      throw Object.assign(error, { name: 'SequelizeUniqueConstraintError', fields: { [column]: value } });
    }
  }
}

/** As a NocoBase repository. */
class MemoryRepository {
  constructor(
    readonly model: MemoryModel,
    private readonly key: string,
  ) {}

  buildQueryOptions(query: Query): Query {
    return query;
  }

  find(query: Query = {}): Promise<MemoryRow[]> {
    return this.model.find(this.byKey(query));
  }

  findOne(query: Query = {}): Promise<MemoryRow | null> {
    return this.model.findOne(this.byKey(query));
  }

  async findAndCount({ limit, offset, ...query }: Query): Promise<[MemoryRow[], number]> {
    const all = await this.find(query);
    return [all.slice(offset ?? 0, (offset ?? 0) + (limit ?? all.length)), all.length];
  }

  async count(query: Query = {}): Promise<number> {
    return (await this.find(query)).length;
  }

  create({ values, transaction }: { values: Row; transaction?: MemoryTransaction }): Promise<void> {
    return this.model.create(values, transaction);
  }

  update({ values, ...query }: Query & { values: Row }): Promise<[number]> {
    return this.model.update(values, this.byKey(query));
  }

  destroy(query: Query): Promise<void> {
    return this.model.destroy(this.byKey(query));
  }

  async updateOrCreate(query: { filterKeys: string[]; values: Row; transaction?: MemoryTransaction }): Promise<void> {
    const { filterKeys, values, transaction } = query;
    const filter = Object.fromEntries(filterKeys.map((key) => [key, values[key]]));
    const [changed] = await this.model.update(values, { filter, transaction });
    if (!changed) await this.model.create(values, transaction);
  }

  private byKey({ filterByTk, filter, ...query }: Query): Query {
    return filterByTk === undefined
      ? { ...query, filter }
      : { ...query, filter: { ...filter, [this.key]: filterByTk } };
  }
}

class MemoryRow {
  constructor(
    readonly values: Row,
    private readonly hidden: string[],
  ) {}

  get(name: string): unknown {
    return this.values[name];
  }

  toJSON(): Row {
    return Object.fromEntries(Object.entries(this.values).filter(([name]) => !this.hidden.includes(name)));
  }
}

const OPERATORS: Record<string, (value: any, wanted: any) => boolean> = {
  $in: (value, wanted) => wanted.includes(value),
  $notIn: (value, wanted) => !wanted.includes(value),
  $ne: (value, wanted) => value !== wanted,
  // What is null is neither less nor more.
  $lt: (value, wanted) => value !== null && value < wanted,
  $gte: (value, wanted) => value !== null && value >= wanted,
  $gt: (value, wanted) => value !== null && value > wanted,
  $dateBefore: (value, wanted) => value !== null && value < wanted,
  $includes: (value, wanted) => String(value).toLowerCase().includes(wanted.toLowerCase()),
};

function testOf({ where, filter }: Query): Test {
  const conditions = Object.entries({ ...where, ...filter });
  return (row) =>
    conditions.every(([column, wanted]) => {
      if (Array.isArray(wanted)) return wanted.includes(row[column] ?? null);
      const entries = wanted && typeof wanted === 'object' ? Object.entries(wanted) : [];
      if (!entries.length) return isDeepStrictEqual(row[column] ?? null, wanted ?? null);
      return entries.every(([operator, value]) => {
        if (!OPERATORS[operator]) throw new Error(`There is no ${operator} in memory.`);
        return OPERATORS[operator](row[column] ?? null, value);
      });
    });
}

function sort(rows: Row[], by: string[]): Row[] {
  const compare = (a: any, b: any) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((a, b) => {
    for (const column of by) {
      const name = column.replace(/^-/, '');
      const order = compare(a[name], b[name]);
      if (order) return column === name ? order : -order;
    }
    return 0;
  });
}
