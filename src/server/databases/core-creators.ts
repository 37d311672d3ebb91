import type { DbConnType } from '../../shared/types';
import { AppSupervisorError } from '../errors';
import { type DatabaseConnection, placeOf } from './connection';
import { ensurePlace } from './create';
import { dialects } from './dialects';
import { withSessions } from './open';

/** Above the core's own, which are registered with 0. */
const PRIORITY = 100;
const DEADLINE = 15_000;

interface Creating {
  app: { name: string; options: { database?: unknown } };
  appOptions: { dbConnType?: string };
}

/** The part of the core's AppSupervisor that this file uses (server/src/app-supervisor/index.ts:289). */
export interface CreatorRegistry {
  registerAppDbCreator(
    condition: (context: any) => boolean,
    creator: (context: any) => Promise<void>,
    priority?: number,
  ): void;
}

/**
 * Registers our creator before all of the core's, which print errors and continue (nocobase-server.md T9). Our own
 * boots call `prepareDatabase`; this is for callers of the core's `createDatabase`. It writes no marker.
 */
export function replaceCoreCreators(supervisor: CreatorRegistry): void {
  supervisor.registerAppDbCreator(
    () => true,
    async ({ app, appOptions }: Creating) => {
      const connection = app.options.database as DatabaseConnection;
      const place = placeOf(connection, (appOptions.dbConnType ?? 'new_database') as DbConnType);
      await withSessions(connection, DEADLINE, (open) =>
        ensurePlace(dialects[connection.dialect], open, place, {
          mayCreate: true,
          missing: () =>
            new AppSupervisorError('DATABASE_MISSING', { object: place.label, server: place.server, app: app.name }),
        }),
      );
    },
    PRIORITY,
  );
}
