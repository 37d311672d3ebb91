import type { Filter, Model, Transaction } from '@nocobase/database';
import { EVENT, type Event } from '../../../shared/event';
import { fromTable, pickIn } from '../../../shared/fields';
import type { NotifierId } from '../../../shared/notice';
import { Feed } from '../../feed';
import type { WithDatabase } from '../../nocobase/main-database';
import { storedMessage } from './stored-message';

/** How long events are kept after they ended, in ms. */
export const KEEP_EVENTS = 90 * 24 * 3_600_000;
/** How many events are kept; beyond that the oldest are deleted. */
export const MOST_EVENTS = 100_000;

/** The column that says what a notifier has told of an event. */
export const toldColumn = (id: NotifierId): string => `${id}Told`;

/** The `appEvents` table. */
export class EventStore {
  /** Something was written, or is about to be committed. */
  readonly changes = new Feed<void>();

  constructor(private readonly app: WithDatabase) {}

  /** Events that last. */
  async open(): Promise<Event[]> {
    const rows = await this.repository.find({ filter: { endedAt: null }, sort: ['at', 'id'] });
    return rows.map(toEvent);
  }

  async page(filter: Filter, sort: string[], page: number, pageSize: number): Promise<[Event[], number]> {
    const offset = (page - 1) * pageSize;
    const [rows, count] = await this.repository.findAndCount({ filter, sort, limit: pageSize, offset });
    return [rows.map(toEvent), count];
  }

  /** Writes new events; those whose id is stored are left as they are. */
  async append(events: readonly Event[], transaction?: Transaction): Promise<void> {
    if (!events.length) return;
    const rows = events.map((event) => ({
      ...pickIn(EVENT, 'table', event),
      message: JSON.stringify(event.message),
      cause: event.cause && JSON.stringify(event.cause),
    }));
    await this.model.bulkCreate(rows, { ignoreDuplicates: true, transaction });
    this.changes.emit();
  }

  /** @param endedAt in ms since 1970; an event that has ended is left as it is */
  async end(id: string, endedAt: number, transaction?: Transaction): Promise<void> {
    await this.model.update({ endedAt }, { where: { id, endedAt: null }, transaction });
    this.changes.emit();
  }

  /**
   * Events of which a notifier knows nothing yet, in the order in which they happened.
   * @param since in ms since 1970
   */
  async untold(notifier: NotifierId, since: number, limit: number): Promise<Event[]> {
    const filter = { [toldColumn(notifier)]: null, at: { $gt: since } };
    const rows = await this.repository.find({ filter, sort: ['at', 'id'], limit });
    return rows.map(toEvent);
  }

  /** Events that a notifier has told as they began, and that are over. @param since in ms since 1970 */
  async over(notifier: NotifierId, since: number, limit: number): Promise<Event[]> {
    const filter = { [toldColumn(notifier)]: 'begun', endedAt: { $gt: since } };
    const rows = await this.repository.find({ filter, sort: ['endedAt', 'id'], limit });
    return rows.map(toEvent);
  }

  /** Stores by event what a notifier has told of it. */
  async markTold(notifier: NotifierId, told: ReadonlyMap<string, string>, transaction?: Transaction): Promise<void> {
    for (const value of new Set(told.values())) {
      const ids = [...told].filter(([, each]) => each === value).map(([id]) => id);
      await this.model.update({ [toldColumn(notifier)]: value }, { where: { id: ids }, transaction });
    }
  }

  async some(ids: readonly string[]): Promise<Event[]> {
    const rows = ids.length ? await this.repository.find({ filter: { id: { $in: ids } } }) : [];
    return rows.map(toEvent);
  }

  /**
   * @param time in ms since 1970; what lasts is kept
   * @param most rows
   * @returns number of deleted rows
   */
  async removeEndedBefore(time: number, most: number, transaction?: Transaction): Promise<number> {
    return this.removeOldest({ endedAt: { $lt: time } }, most, transaction);
  }

  /**
   * Deletes the oldest of those that have ended.
   * @param keep rows
   * @param most rows that are deleted at once
   * @returns number of deleted rows
   */
  async removeBeyond(keep: number, most: number, transaction?: Transaction): Promise<number> {
    const excess = (await this.repository.count({ transaction })) - keep;
    if (excess <= 0) return 0;
    return this.removeOldest({ endedAt: { $ne: null } }, Math.min(excess, most), transaction);
  }

  private async removeOldest(filter: Filter, limit: number, transaction?: Transaction): Promise<number> {
    const old = await this.repository.find({ filter, sort: ['endedAt'], fields: ['id'], limit, transaction });
    const ids = old.map((row: Model) => row.get('id') as string);
    if (ids.length) await this.repository.destroy({ filter: { id: { $in: ids } }, transaction });
    return ids.length;
  }

  private get model() {
    return this.app.db.getModel('appEvents');
  }

  private get repository() {
    return this.app.db.getRepository('appEvents');
  }
}

function toEvent(row: { toJSON(): object }): Event {
  const stored = fromTable(EVENT, row.toJSON());
  return {
    ...stored,
    message: storedMessage(String(stored.message)),
    cause: stored.cause && storedMessage(String(stored.cause)),
  };
}
