import { isDeepStrictEqual } from 'node:util';
import { type Model, Op, type Transaction } from '@nocobase/database';
import { ENVIRONMENT, type StoredEnvironment } from '../../../shared/environment';
import { fromTable } from '../../../shared/fields';
import { type Registration, registration } from '../../../shared/messages';
import type { WithDatabase } from '../../nocobase/main-database';

/** A row; one that was forgotten, or is only expected, has no registration. */
export type EnvironmentState = Omit<StoredEnvironment, 'registration'> & { registration: Registration | null };
/** What people change of an environment. */
export type EnvironmentSettings = Partial<Pick<StoredEnvironment, 'cordoned' | 'away' | 'proxyUrls'>>;

/** Most proxy addresses that are kept for one environment. */
const MOST_ADDRESSES = 8;

/** The `appEnvironments` table. The row of an environment that was forgotten stays, without a registration, for its floor. */
export class EnvironmentRegistry {
  constructor(private readonly app: WithDatabase) {}

  /** At one moment, also those that were forgotten or are only expected. */
  async all(): Promise<EnvironmentState[]> {
    const rows: Model[] = await this.repository.find({ sort: ['name'] });
    return rows.map(storedIn);
  }

  /** Also of those that were forgotten. */
  async names(): Promise<string[]> {
    const rows = await this.repository.find({ fields: ['name'] });
    return rows.map((row: Model) => row.get('name'));
  }

  /**
   * The row of an environment that was forgotten, and that something still refers to, stays without a registration.
   * @param named addresses of it that count as confirmed, if none does yet
   * @returns its proxy addresses that are confirmed
   */
  async remember(value: Registration, now: number, named: readonly string[] = []): Promise<string[]> {
    const { name } = value;
    const row: Model | null = await this.repository.findOne({ filterByTk: name });
    const stored = row ? (storedIn(row).proxyUrls ?? []) : [];
    const proxyUrls = stored.length ? stored : [...named];
    const values = { name, registration: value, lastSeenAt: now };
    // Where there was no row, another Supervisor may have made one meanwhile, with addresses of its own.
    const isWritten = !row || isDeepStrictEqual(row.get('proxyUrls'), proxyUrls);
    const where = { name, isRemoved: false };
    const [changed] = await this.app.db
      .getModel('appEnvironments')
      .update({ ...values, ...(isWritten ? {} : { proxyUrls }) }, { where });
    // Another Supervisor finds it at the same time.
    if (!changed && !(await this.repository.findOne({ filterByTk: name })))
      await this.repository.create({ values: { ...values, proxyUrls } });
    return proxyUrls;
  }

  /** What was given last comes first. */
  async expect(name: string, addresses: readonly string[]): Promise<void> {
    const row: Model | null = await this.repository.findOne({ filterByTk: name });
    const proxyUrls = [...new Set([...addresses, ...((row && storedIn(row).proxyUrls) || [])])].slice(
      0,
      MOST_ADDRESSES,
    );
    if (row) await this.repository.update({ filterByTk: name, values: { proxyUrls } });
    else await this.repository.create({ values: { name, registration: {}, proxyUrls, lastSeenAt: 0 } });
  }

  /**
   * @param floor as whoever asks knows it
   * @returns false if it was forgotten since; then nothing was written
   */
  async change(name: string, floor: number, settings: EnvironmentSettings): Promise<boolean> {
    const where = { name, floor, isRemoved: false };
    const model = this.app.db.getModel('appEnvironments');
    const [changed] = await model.update(settings, { where });
    // MySQL and MariaDB count only rows whose values have changed.
    return changed > 0 || (await model.findOne({ where })) !== null;
  }

  async saveLoad(name: string, load: StoredEnvironment['load'], transaction?: Transaction): Promise<void> {
    await this.repository.update({ filterByTk: name, values: { load }, transaction });
  }

  /**
   * @param now ms since 1970
   * @returns its next floor; null if another request has forgotten it meanwhile
   */
  async forget(name: string, now: number): Promise<number | null> {
    const { floor: last } = await this.stateOf(name);
    const floor = Math.max(last + 1, now);
    const values = {
      registration: {},
      cordoned: false,
      away: [],
      load: null,
      proxyUrls: [],
      floor,
      isRemoved: true,
    };
    const where = { name, floor: last, isRemoved: false };
    const [changed] = await this.app.db.getModel('appEnvironments').update(values, { where });
    return changed ? floor : null;
  }

  /** It was forgotten at this time, of which this copy of the database does not know. */
  async raise(name: string, floor: number): Promise<void> {
    const where = { name, floor: { [Op.lt]: floor } };
    await this.app.db.getModel('appEnvironments').update({ floor }, { where });
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

  /** Of one that has no row: that it was never forgotten. */
  async stateOf(name: string): Promise<Pick<EnvironmentState, 'floor' | 'isRemoved' | 'registration'>> {
    const row = await this.repository.findOne({ filterByTk: name });
    return row ? storedIn(row) : { floor: 0, isRemoved: false, registration: null };
  }

  private get repository() {
    return this.app.db.getRepository('appEnvironments');
  }
}

function storedIn(row: Model): EnvironmentState {
  const stored = fromTable(ENVIRONMENT, row.toJSON());
  const known = registration.safeParse(stored.registration).data ?? null;
  // A release that asked nobody went by what was reported, and what it used last counts.
  const used = known?.proxyUrl ? [known.proxyUrl] : [];
  return { ...stored, proxyUrls: stored.proxyUrls ?? used, registration: known };
}

/** Whether a Worker has registered it, and it was not forgotten since. */
export const isKnown = (row: EnvironmentState): row is StoredEnvironment => row.registration !== null;
