import { type Database, DataTypes, type Model, type ModelStatic, Op, type Transaction } from '@nocobase/database';
import { isSameFleet } from '../../../shared/sso';

/**
 * Which account of an app is bound to which user of the main app: a table in the app's own database. It is no collection
 * of NocoBase, whose API would let every role change it that may change all data.
 *
 * Both are named by id and by when they were created: ids are given again by a restored database, and by another fleet
 * that adopts the app.
 */
const TABLE = 'app_supervisor_identities';

/** Of a table and a time of creation, in s since 1970; 0: not known. */
export interface Person {
  id: string;
  since: number;
}

export interface Identity {
  /** The user of the main app; `id` is `<fleet>:<id>`. */
  user: Person;
  /** The user of the app. */
  account: Person;
  /** When the sign-ins of the user last ended, as far as the app has ended its sessions; 0: never. */
  endedAt: number;
}

export class Identities {
  private readonly table: ModelStatic<any>;

  constructor(private readonly db: Database) {
    const { schema, tablePrefix = '' } = db.options as { schema?: string; tablePrefix?: string };
    const seconds = (field: string) => ({ type: DataTypes.BIGINT, allowNull: false, defaultValue: 0, field });
    this.table = db.sequelize.define(
      TABLE,
      {
        subject: { type: DataTypes.STRING(128), primaryKey: true, field: 'subject' },
        since: { ...seconds('since'), primaryKey: true },
        userId: { type: DataTypes.STRING(64), allowNull: false, unique: true, field: 'user_id' },
        userSince: seconds('user_since'),
        endedAt: seconds('ended_at'),
      },
      { tableName: `${tablePrefix}${TABLE}`, timestamps: false, ...(schema ? { schema } : {}) },
    ) as ModelStatic<any>;
  }

  async exists(): Promise<boolean> {
    const { tableName, schema } = this.table.options;
    return this.db.sequelize.getQueryInterface().tableExists(schema ? ({ tableName, schema } as never) : tableName!);
  }

  /** Creates the table if there is none. Two environments may do it at the same time, and one of them fails. */
  async prepare(): Promise<void> {
    if (await this.exists()) return;
    try {
      await this.table.sync();
    } catch (error) {
      if (!(await this.exists())) throw error;
    }
  }

  async ofUser({ id, since }: Person): Promise<Identity | null> {
    return toIdentity(await this.table.findOne({ where: { subject: id, since } }));
  }

  async ofAccount({ id, since }: Person): Promise<Identity | null> {
    return toIdentity(await this.table.findOne({ where: { userId: id, userSince: since } }));
  }

  /** The accounts of everybody who has had this id in the main app. */
  async accountsOf(subject: string): Promise<string[]> {
    const rows = await this.table.findAll({ where: { subject } });
    return rows.map((row: Model) => String(row.get('userId')));
  }

  /** All users of the main app that have an account here. */
  async users(): Promise<string[]> {
    const rows = await this.table.findAll({ attributes: ['subject'] });
    return [...new Set<string>(rows.map((row: Model) => String(row.get('subject'))))];
  }

  /**
   * Rejects if the user or the account is bound already. What is bound to an account that had this id before, or to a
   * user of another fleet, ends.
   */
  async bind({ user, account, endedAt }: Identity): Promise<void> {
    await this.db.sequelize.transaction(async (transaction: Transaction) => {
      const where = { userId: account.id };
      const before = toIdentity(await this.table.findOne({ where, transaction }));
      if (before && (before.account.since !== account.since || !isSameFleet(before.user.id, user.id)))
        await this.table.destroy({ where, transaction });
      await this.table.create(
        { subject: user.id, since: user.since, userId: account.id, userSince: account.since, endedAt },
        { transaction },
      );
    });
  }

  /** Forgets whom a user was bound to: the account is another one now. */
  async release({ id, since }: Person): Promise<void> {
    await this.table.destroy({ where: { subject: id, since } });
  }

  /** Notes the end of sign-ins; whether it is newer than what was noted, in one step. */
  async noteEnd(subject: string, at: number, transaction?: Transaction): Promise<boolean> {
    const [changed] = await this.table.update(
      { endedAt: at },
      { where: { subject, endedAt: { [Op.lt]: at } } as never, transaction },
    );
    return changed > 0;
  }
}

const toIdentity = (row: Model | null): Identity | null =>
  row && {
    user: { id: String(row.get('subject')), since: Number(row.get('since')) },
    account: { id: String(row.get('userId')), since: Number(row.get('userSince')) },
    endedAt: Number(row.get('endedAt')),
  };
