import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { withSessions } from './open';

/** Time limit in ms: less than whoever asks waits. */
const DEADLINE = 4_000;

/**
 * How much of its server's disk an app's database takes, in bytes, as the server knows it without reading the data; null
 * if there is none.
 * @throws AppSupervisorError as `withSessions`
 */
export async function databaseSize(connection: DatabaseConnection, dbConnType: DbConnType): Promise<number | null> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  return withSessions(connection, DEADLINE, async (open) => {
    const session = await open.app();
    return session && (await dialect.hasSchema(session, place)) ? dialect.size(session, place) : null;
  });
}
