import { type DatabaseConnection, placeOf } from './connection';
import { readContent } from './content';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { reassignMarker } from './ownership-marker';

/**
 * Restores an app's marker if its database may have been replaced while it ran: restoring a backup of another app
 * brings that app's marker, and this app would be refused its own database at its next start.
 *
 * @param created as in the marker: the content of the place does not show who created it
 * @returns whether the marker belonged to another app
 */
export async function restoreMarker(connection: DatabaseConnection, owner: Owner, created: boolean): Promise<boolean> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  return withSessions(connection, 15_000, async (open) => {
    const session = await open.app();
    if (!session) return false;
    const { mark } = await readContent(dialect, session, place);
    if (mark?.uid === owner.uid) return false;
    await reassignMarker(dialect, session, place, { ...owner, created, installed: true });
    return true;
  });
}
