import type { Model } from '@nocobase/database';
import { ENVIRONMENT, type StoredEnvironment } from '../../../shared/environment';
import { fromTable } from '../../../shared/fields';
import { type Registration, registration } from '../../../shared/messages';
import type { WithDatabase } from '../../nocobase/main-database';

export type CachedEnvironment = StoredEnvironment;

/** The `appEnvironments` table. The row of an environment that was forgotten stays, without a registration, for its incarnation. */
export class EnvironmentRegistry {
  constructor(private readonly app: WithDatabase) {}

  async all(): Promise<CachedEnvironment[]> {
    const rows = await this.repository.find({ sort: ['name'] });
    return rows.flatMap((row: Model) => {
      const stored = fromTable(ENVIRONMENT, row.toJSON());
      const parsed = registration.safeParse(stored.registration);
      return parsed.success ? [{ ...stored, registration: parsed.data }] : [];
    });
  }

  async remember(value: Registration, now: number): Promise<void> {
    const values = { name: value.name, registration: value, lastSeenAt: now };
    await this.repository.updateOrCreate({ filterKeys: ['name'], values });
  }

  async setCordoned(name: string, cordoned: boolean): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { cordoned } });
  }

  /** @param incarnation newer than its last one */
  async forget(name: string, incarnation: number): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { registration: {}, cordoned: false, incarnation } });
  }

  /** The incarnation of an environment, which may be unknown or forgotten. */
  async incarnationOf(name: string): Promise<number> {
    const row = await this.repository.findOne({ filterByTk: name });
    return row ? fromTable(ENVIRONMENT, row.toJSON()).incarnation : 0;
  }

  private get repository() {
    return this.app.db.getRepository('appEnvironments');
  }
}
