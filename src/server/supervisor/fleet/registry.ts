import type { Model, Transaction } from '@nocobase/database';
import { ENVIRONMENT, type StoredEnvironment } from '../../../shared/environment';
import { fromTable } from '../../../shared/fields';
import { type Registration, registration } from '../../../shared/messages';
import type { WithDatabase } from '../../nocobase/main-database';

export type CachedEnvironment = StoredEnvironment;
export type EnvironmentState = Pick<StoredEnvironment, 'incarnation' | 'isRemoved'>;
/** What people change of an environment. */
export type EnvironmentSettings = Partial<Pick<StoredEnvironment, 'cordoned' | 'away'>>;

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

  /** The row of an environment that was forgotten, and that something still refers to, stays without a registration. */
  async remember(value: Registration, now: number): Promise<void> {
    const { name } = value;
    const values = { name, registration: value, lastSeenAt: now };
    const where = { name, isRemoved: false };
    const [changed] = await this.app.db.getModel('appEnvironments').update(values, { where });
    if (!changed && !(await this.repository.findOne({ filterByTk: name }))) await this.repository.create({ values });
  }

  async change(name: string, settings: EnvironmentSettings): Promise<void> {
    await this.repository.update({ filterByTk: name, values: settings });
  }

  async saveLoad(name: string, load: StoredEnvironment['load'], transaction?: Transaction): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { load }, transaction });
  }

  /**
   * @param now ms since 1970
   * @returns its next incarnation; null if another request has forgotten it meanwhile
   */
  async forget(name: string, now: number): Promise<number | null> {
    const { incarnation: last } = await this.stateOf(name);
    const incarnation = Math.max(last + 1, now);
    const values = { registration: {}, cordoned: false, away: [], load: null, incarnation, isRemoved: true };
    const where = { name, incarnation: last, isRemoved: false };
    const [changed] = await this.app.db.getModel('appEnvironments').update(values, { where });
    return changed ? incarnation : null;
  }

  /** Of all environments, as in `stateOf`, including those that were forgotten. */
  async states(): Promise<Map<string, EnvironmentState>> {
    const rows = await this.repository.find();
    return new Map(rows.map((row: Model) => [row.get('name'), fromTable(ENVIRONMENT, row.toJSON())]));
  }

  /** Nothing refers to a forgotten environment any more. */
  async noteRemoved(name: string, transaction?: Transaction): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { isRemoved: false }, transaction });
  }

  /** Whether apps may be placed there. In a transaction it stays so until the end of it. */
  async has(name: string, transaction?: Transaction): Promise<boolean> {
    const lock = transaction?.LOCK?.SHARE;
    const where = { name, isRemoved: false };
    const row = await this.app.db
      .getModel('appEnvironments')
      .findOne({ where, transaction, ...(lock ? { lock } : {}) });
    return row !== null && registration.safeParse(row.get('registration')).success;
  }

  /** Of an environment that may be unknown or forgotten: its incarnation, and whether apps may still refer to the one before. */
  async stateOf(name: string): Promise<EnvironmentState> {
    const row = await this.repository.findOne({ filterByTk: name });
    return row ? fromTable(ENVIRONMENT, row.toJSON()) : { incarnation: 0, isRemoved: false };
  }

  private get repository() {
    return this.app.db.getRepository('appEnvironments');
  }
}
