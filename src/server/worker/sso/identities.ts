import { type Database, DataTypes, type Model, type ModelStatic, Op } from '@nocobase/database';

/**
 * Which account of an app is bound to which user of the main app: a table in the app's own database. It is no collection
 * of NocoBase, whose API would let every role change it that may change all data.
 */
const TABLE = 'app_supervisor_identities';

export interface Identity {
  /** The user of the main app. */
  user: string;
  /** The user of the app. */
  account: string;
  /** When the sign-ins of the user last ended, as far as the app has ended its sessions; 0: never. */
  endedAt: number;
}

export class Identities {
  private readonly table: ModelStatic<any>;

  constructor(private readonly db: Database) {
    const { schema, tablePrefix = '' } = db.options as { schema?: string; tablePrefix?: string };
    this.table = db.sequelize.define(
      TABLE,
      {
        subject: { type: DataTypes.STRING(64), primaryKey: true, field: 'subject' },
        userId: { type: DataTypes.STRING(64), allowNull: false, unique: true, field: 'user_id' },
        endedAt: { type: DataTypes.BIGINT, allowNull: false, defaultValue: 0, field: 'ended_at' },
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

  async ofUser(user: string): Promise<Identity | null> {
    return toIdentity(await this.table.findByPk(user));
  }

  async ofAccount(account: string): Promise<Identity | null> {
    return toIdentity(await this.table.findOne({ where: { userId: account } }));
  }

  /** All users of the main app that have an account here. */
  async users(): Promise<string[]> {
    const rows = await this.table.findAll({ attributes: ['subject'] });
    return rows.map((row: Model) => String(row.get('subject')));
  }

  /** Rejects if the user or the account is bound already. */
  async bind({ user, account, endedAt }: Identity): Promise<void> {
    await this.table.create({ subject: user, userId: account, endedAt });
  }

  /** Notes the end of sign-ins; whether it is newer than what was noted, in one step. */
  async noteEnd(user: string, at: number): Promise<boolean> {
    const [changed] = await this.table.update(
      { endedAt: at },
      { where: { subject: user, endedAt: { [Op.lt]: at } } as never },
    );
    return changed > 0;
  }
}

const toIdentity = (row: Model | null): Identity | null =>
  row && {
    user: String(row.get('subject')),
    account: String(row.get('userId')),
    endedAt: Number(row.get('endedAt')),
  };
