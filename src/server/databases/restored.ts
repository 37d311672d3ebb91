import { type DatabaseConnection, placeOf } from './connection';
import { readContent } from './content';
import { dialects } from './dialects';
import { withSessions } from './open';
import { rewriteMark } from './ownership-marker';
import type { Owner } from './prepare';

/**
 * Puts an app's mark back where its database may have been replaced while it ran: a backup of another app that is restored
 * here brings that one's mark along, and this app would be refused its own database at its next start.
 *
 * @param created as the mark had it: what lies in the place says nothing of who made it
 * @returns whether it was not this app's any more
 */
export async function keepMark(connection: DatabaseConnection, owner: Owner, created: boolean): Promise<boolean> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  return withSessions(connection, 15_000, async (open) => {
    const session = await open.app();
    if (!session) return false;
    const { mark } = await readContent(dialect, session, place);
    if (mark?.uid === owner.uid) return false;
    await rewriteMark(dialect, session, place, { ...owner, created, installed: true });
    return true;
  });
}
