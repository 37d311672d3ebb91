import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { removeHostsSql } from './hosts';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { removeMarkerSql } from './ownership-marker';
import { readOwn } from './prepare';

/**
 * Removes the app's marker, so that another app can adopt the database that was kept when the app was deleted. What the
 * deleted app created then belongs to nobody and is never dropped.
 */
export async function releaseDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  owner: Owner,
): Promise<void> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  await withSessions(connection, 15_000, async (open) => {
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place))) return;
    await readOwn(dialect, session, place, owner);
    await session.query(removeHostsSql(dialect, place));
    await session.query(removeMarkerSql(dialect, place));
  });
}
