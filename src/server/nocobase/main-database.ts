import type { Database, Transaction } from '@nocobase/database';

/**
 * The host's main app, as far as tables are concerned. Asked for its database each time: the core makes a new one, and closes
 * the old, whenever the app is loaded again, as after a plugin was enabled (application.ts:627, :657).
 */
export interface WithDatabase {
  readonly db: Database;
}

/**
 * Writes rows that may hold secrets in the clear, as without a key they do. What Sequelize throws has the statement, its
 * parameters and the whole row on it, and whoever logs the error writes them down: they are taken off.
 */
export async function redactSqlErrors(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    for (const layer of [error, (error as { parent?: unknown })?.parent, (error as { original?: unknown })?.original]) {
      if (!layer || typeof layer !== 'object') continue;
      for (const key of ['sql', 'parameters', 'errors', 'where']) Reflect.deleteProperty(layer, key);
    }
    throw error;
  }
}

/**
 * In the given transaction, or one of ours: the core's repositories print what fails in one of theirs, secrets and all
 * (database/src/decorators/transaction-decorator.ts).
 */
export const inTransaction = (
  app: WithDatabase,
  given: Transaction | undefined,
  write: (transaction: Transaction) => Promise<unknown>,
): Promise<unknown> => (given ? write(given) : app.db.sequelize.transaction((own: Transaction) => write(own)));
