import type { Model } from '@nocobase/database';
import { type AppRecord, appRecord } from '../../shared/messages';
import type { WithDatabase } from '../apps/with-database';
import type { Applied } from './converge';

export interface Remembered {
  record: AppRecord;
  applied: Applied | null;
}

/** The `appSnapshots` table in a worker's own main database: what it starts from when nobody else answers. */
export class SnapshotStore {
  constructor(private readonly app: WithDatabase) {}

  async load(): Promise<Remembered[]> {
    const rows = await this.repository.find();
    return rows.flatMap((row: Model) => {
      const { record, applied } = row.toJSON();
      const parsed = appRecord.safeParse(record);
      return parsed.success ? [{ record: parsed.data, applied: applied ?? null }] : [];
    });
  }

  async save(name: string, record: AppRecord, applied: Applied | null): Promise<void> {
    await this.repository.updateOrCreate({ filterKeys: ['name'], values: { name, record, applied } });
  }

  async remove(name: string): Promise<void> {
    await this.repository.destroy({ filterByTk: name });
  }

  private get repository() {
    return this.app.db.getRepository('appSnapshots');
  }
}
