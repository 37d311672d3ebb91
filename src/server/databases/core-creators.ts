import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, placeOf } from './connection';
import { ensurePlace } from './create';
import { withSessions } from './open';

const DEADLINE = 15_000;

/** Set by our own boots, which create what is missing themselves, unless another plugin does. */
const BOOTS = Symbol('app-supervisor.boots');

interface Creating {
  app: { name: string; options: { database?: unknown } };
  appOptions: { dbConnType?: string };
  [BOOTS]?: true;
}

/** The part of the core's AppSupervisor that this file uses (server/src/app-supervisor/index.ts:289). */
export interface CreatorRegistry {
  registerAppDbCreator(
    condition: (context: any) => boolean,
    creator: (context: any) => Promise<void>,
    priority?: number,
  ): void;
}

/** The types for which the core has creators (db-creator.ts:63-71). */
const TYPES: ReadonlySet<string | undefined> = new Set([undefined, '', 'new_database', 'new_connection', 'new_schema']);

/**
 * Replaces the core's own creators, which print errors and continue (nocobase-server.md T9), and no other plugin's: with
 * the core's priority and before them, because the core registers its own after it has created the adapters. It writes no
 * ownership marker.
 */
export function replaceCoreCreators(supervisor: CreatorRegistry): void {
  supervisor.registerAppDbCreator(
    ({ appOptions }: Creating) => TYPES.has(appOptions?.dbConnType),
    async ({ app, appOptions, [BOOTS]: boots }: Creating) => {
      if (boots) return;
      const connection = app.options.database as DatabaseConnection;
      const place = placeOf(connection, (appOptions?.dbConnType || 'new_database') as DbConnType);
      await withSessions(connection, DEADLINE, (open) => ensurePlace(open, place, { app: app.name, mayCreate: true }));
    },
  );
}

/**
 * Lets another plugin create an app's missing database. Its creator gets `app.name`, `app.options.database` and
 * `appOptions`; there is no app object yet.
 */
export async function createByOtherPlugin(
  supervisor: { createDatabase(context: any): Promise<unknown> },
  name: string,
  database: DatabaseConnection,
  dbConnType: DbConnType,
): Promise<void> {
  const creating: Creating = { app: { name, options: { database } }, appOptions: { dbConnType }, [BOOTS]: true };
  await supervisor.createDatabase(creating);
}
