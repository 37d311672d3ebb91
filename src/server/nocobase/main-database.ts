import type { Database, Transaction } from '@nocobase/database';

/**
 * The database of the host's main app. Read it each time: the core creates a new database object and closes the old one
 * whenever the app is reloaded, for example after a plugin was enabled (application.ts:627, :657).
 */
export interface WithDatabase {
  readonly db: Database;
}

/**
 * Writes rows that may contain plain-text secrets (without a key they do). An error of Sequelize contains the
 * statement, its parameters and the whole row, and a log would contain them; this function removes them from the error.
 */
export async function redactSqlErrors<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    for (const layer of [error, (error as { parent?: unknown })?.parent, (error as { original?: unknown })?.original]) {
      if (!layer || typeof layer !== 'object') continue;
      for (const key of ['sql', 'parameters', 'errors', 'where']) Reflect.deleteProperty(layer, key);
    }
    throw error;
  }
}

/**
 * How long a database waits for this process between two statements of a transaction, until it undoes it: nobody waits longer for what a
 * process has locked that is frozen, or whose machine is gone. MySQL has no such limit.
 */
const IDLE_LIMITS = {
  postgres: { set: "SET LOCAL idle_in_transaction_session_timeout = '5s'", reset: null },
  mariadb: { set: 'SET SESSION idle_transaction_timeout = 5', reset: 'SET SESSION idle_transaction_timeout = DEFAULT' },
};

/** A transaction of this plugin, which the database undoes if its process does not go on with it. */
export async function transact<T>({ db }: WithDatabase, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const dialect = (['postgres', 'mariadb'] as const).find((one) => db.inDialect(one));
  let written: { result: T } | null = null;
  try {
    return await db.sequelize.transaction(async (transaction: Transaction) => {
      if (!dialect) return work(transaction);
      const { set, reset } = IDLE_LIMITS[dialect];
      if (!reset) {
        await db.sequelize.query(set, { transaction });
        return work(transaction);
      }
      // A server of MySQL, which the driver of MariaDB also reaches, refuses this, and the transaction goes on.
      await db.sequelize.query(set, { transaction }).catch(() => undefined);
      try {
        const result = await work(transaction);
        // Before the limit ends; Sequelize's own COMMIT does nothing then.
        await db.sequelize.query('COMMIT', { transaction });
        written = { result };
        return result;
      } finally {
        // The session is used by others then. After a deadlock Sequelize has ended the transaction, and refuses statements in it.
        const { connection } = transaction as { connection?: { query(sql: string): Promise<unknown> } };
        await connection?.query(reset).catch(() => undefined);
      }
    });
  } catch (error) {
    // The connection may be lost before Sequelize's own COMMIT.
    const done = written as { result: T } | null;
    if (done) return done.result;
    throw error;
  }
}

/**
 * Runs in the given transaction, or in one of ours: the core's repositories print errors of their own transactions
 * including secrets (database/src/decorators/transaction-decorator.ts).
 */
export const inTransaction = (
  app: WithDatabase,
  given: Transaction | undefined,
  write: (transaction: Transaction) => Promise<unknown>,
): Promise<unknown> => (given ? write(given) : transact(app, write));
