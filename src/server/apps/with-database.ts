import type { Database } from '@nocobase/database';

/**
 * The host's main app, as far as tables are concerned. Asked for its database each time: the core makes a new one, and closes
 * the old, whenever the app is loaded again, as after a plugin was enabled (application.ts:627, :657).
 */
export interface WithDatabase {
  readonly db: Database;
}
