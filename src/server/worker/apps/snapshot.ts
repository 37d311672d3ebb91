import type { Model } from '@nocobase/database';
import { z } from 'zod';
import { problem } from '../../../shared/message-schema';
import { type AppRecord, appRecord } from '../../../shared/messages';
import { inTransaction, redactSqlErrors, type WithDatabase } from '../../nocobase/main-database';
import type { Applied } from './decide';
import { type SnapshotHeader, snapshotHeader } from './floor';

export interface Remembered {
  record: AppRecord;
  applied: Applied | null;
}

/** What an app controller stores about its apps. */
export type Snapshot = Pick<SnapshotStore, 'load' | 'save' | 'remove' | 'loadHeader' | 'saveHeader'>;

/** The rows of the header and of the database itself: no app can have these names. */
const HEADER = ':environment';
const DATABASE = ':database';

const databaseEntry = z.object({ id: z.string().min(1).max(64) });

/** The `appSnapshots` table in a worker's own main database, from which it starts when it reaches nobody else. */
export class SnapshotStore {
  constructor(private readonly app: WithDatabase) {}

  async load(): Promise<Remembered[]> {
    const rows = await this.repository.find();
    return rows.flatMap((row: Model) => parse(row) ?? []);
  }

  async find(name: string): Promise<Remembered | null> {
    const row = await this.repository.findOne({ filterByTk: name });
    return row ? parse(row) : null;
  }

  async save(name: string, record: AppRecord, applied: Applied | null): Promise<void> {
    const values = { name, record, applied };
    await redactSqlErrors(() =>
      inTransaction(this.app, undefined, (transaction) =>
        this.repository.updateOrCreate({ filterKeys: ['name'], values, transaction }),
      ),
    );
  }

  async remove(name: string): Promise<void> {
    await this.repository.destroy({ filterByTk: name });
  }

  /** Null if none was stored, or none that parses: the environment was never forgotten. */
  async loadHeader(): Promise<SnapshotHeader | null> {
    const row = await this.repository.findOne({ filterByTk: HEADER });
    return row ? (snapshotHeader.safeParse(row.toJSON().record).data ?? null) : null;
  }

  /** @param gone apps that are removed in the same transaction */
  async saveHeader(header: SnapshotHeader, gone: string[]): Promise<void> {
    const values = { name: HEADER, record: header, applied: null };
    await inTransaction(this.app, undefined, async (transaction) => {
      for (const name of gone) await this.repository.destroy({ filterByTk: name, transaction });
      await this.repository.updateOrCreate({ filterKeys: ['name'], values, transaction });
    });
  }

  /**
   * An id of this database, which the first process that asks writes into it. A copy of the database has the same one.
   * @param made the id if it has none yet
   */
  async databaseId(made: string): Promise<string> {
    const stored = await this.findDatabaseId();
    if (stored) return stored;
    const values = { name: DATABASE, record: { id: made }, applied: null };
    const writing = inTransaction(this.app, undefined, (transaction) =>
      this.repository.create({ values, transaction }),
    );
    // Another process may have written one at the same time.
    const failure = await writing.then(
      () => null,
      (error) => error,
    );
    const found = await this.findDatabaseId();
    if (!found) throw failure ?? new Error('The id of the main database cannot be read.');
    return found;
  }

  private async findDatabaseId(): Promise<string | null> {
    const row = await this.repository.findOne({ filterByTk: DATABASE });
    return row ? (databaseEntry.safeParse(row.toJSON().record).data?.id ?? null) : null;
  }

  private get repository() {
    return this.app.db.getRepository('appSnapshots');
  }
}

function parse(row: Model): Remembered | null {
  const { record, applied } = row.toJSON();
  // Releases before 0.3.0 named it so.
  const parsed = appRecord.safeParse({ provision: record?.claim, ...record });
  return parsed.success ? { record: parsed.data, applied: applied ? toApplied(applied) : null } : null;
}

/** Releases before 0.2.0 stored `{code, message}`. */
const toApplied = (applied: Applied): Applied => ({
  ...applied,
  failure: problem.nullable().catch(null).parse(applied.failure),
});
