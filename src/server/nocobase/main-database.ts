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
 * Runs in the given transaction, or in one of ours: the core's repositories print errors of their own transactions
 * including secrets (database/src/decorators/transaction-decorator.ts).
 */
export const inTransaction = (
  app: WithDatabase,
  given: Transaction | undefined,
  write: (transaction: Transaction) => Promise<unknown>,
): Promise<unknown> => (given ? write(given) : app.db.sequelize.transaction((own: Transaction) => write(own)));
