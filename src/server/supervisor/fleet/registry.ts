import type { Model } from '@nocobase/database';
import { type Registration, registration } from '../../../shared/messages';
import type { WithDatabase } from '../../nocobase/main-database';

/** An environment as the supervisor's database remembers it. */
export interface CachedEnvironment {
  name: string;
  registration: Registration;
  cordoned: boolean;
  lastSeenAt: number;
}

/** The `appEnvironments` table. */
export class EnvironmentRegistry {
  constructor(private readonly app: WithDatabase) {}

  async all(): Promise<CachedEnvironment[]> {
    const rows = await this.repository.find({ sort: ['name'] });
    return rows.flatMap((row: Model) => {
      const json = row.toJSON();
      const parsed = registration.safeParse(json.registration);
      return parsed.success ? [{ ...json, registration: parsed.data, lastSeenAt: Number(json.lastSeenAt ?? 0) }] : [];
    });
  }

  async remember(value: Registration, now: number): Promise<void> {
    const values = { name: value.name, registration: value, lastSeenAt: now };
    await this.repository.updateOrCreate({ filterKeys: ['name'], values });
  }

  async setCordoned(name: string, cordoned: boolean): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { cordoned } });
  }

  async forget(name: string): Promise<void> {
    await this.repository.destroy({ filterByTk: name });
  }

  private get repository() {
    return this.app.db.getRepository('appEnvironments');
  }
}
