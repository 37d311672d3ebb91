import type { Model, Transaction } from '@nocobase/database';
import { fromTable } from '../../../shared/fields';
import { delivery, NOTIFIER, NOTIFIERS, type Notifier, type NotifierId } from '../../../shared/notice';
import { schemaOf } from '../../../shared/schema';
import type { WithDatabase } from '../../nocobase/main-database';
import { storedMessage } from '../definitions/stored-message';

const deliverySchema = schemaOf(delivery);

/** The `appNotifiers` table: one row for each notifier that was ever set. */
export class NotifierStore {
  constructor(private readonly app: WithDatabase) {}

  /** All of them; those that were never set are off. */
  async all(): Promise<Notifier[]> {
    const rows = await this.app.db.getRepository('appNotifiers').find();
    const found = new Map<string, Model>(rows.map((row: Model) => [row.get('id') as string, row]));
    return NOTIFIERS.map((id) => {
      const row = found.get(id);
      return read(id, row ? { ...row.toJSON(), secret: row.get('secret') } : {});
    });
  }

  async get(id: NotifierId): Promise<Notifier> {
    const all = await this.all();
    return all.find((each) => each.id === id) as Notifier;
  }

  /** Only these values change: settings are changed by people, the rest by the leader. */
  async save(id: NotifierId, values: Partial<Notifier>, transaction?: Transaction): Promise<void> {
    const { error, ...rest } = values;
    const row = { ...rest, ...(error === undefined ? {} : { error: error && JSON.stringify(error) }) };
    const model = this.app.db.getModel('appNotifiers');
    await model.bulkCreate([{ id }], { ignoreDuplicates: true, transaction });
    await model.update(row, { where: { id }, transaction });
  }
}

/** What a newer release wrote, and does not parse, is not sent. */
function read(id: NotifierId, row: object): Notifier {
  const stored = fromTable(NOTIFIER, { ...row, id });
  const error = typeof stored.error === 'string' ? storedMessage(stored.error) : stored.error;
  const parsed = deliverySchema.safeParse(stored.delivery);
  return { ...stored, delivery: parsed.success ? parsed.data : null, error };
}
