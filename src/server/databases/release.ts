import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { withSessions } from './open';
import { removeMarkSql } from './ownership-marker';
import { type Owner, readOwn } from './prepare';

/**
 * Takes the app's mark away, so that its database, kept when the app was deleted, can be adopted by another one. What
 * was created for the deleted app is then nobody's, and never dropped.
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
    await session.query(removeMarkSql(dialect, place));
  });
}
