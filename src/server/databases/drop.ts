import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, ownerOf, type Place, type Protected, placeOf } from './connection';
import { readContent } from './content';
import type { Dialect } from './dialect';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Session } from './session';

/** The server removes the files while we wait, in ms. */
const DEADLINE = 120_000;

/**
 * Drops what the app created, and nothing else. Done twice it is `dropped` twice. Release the database lock first: its
 * connection would be ended with the database.
 *
 * @param options.protect the environment's own main database
 * @returns `dropped`, or `kept: ` and why in words
 */
export async function dropDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  options: { uid: string; protect?: Protected },
): Promise<string> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  const reserved = ownerOf(place, options.protect);
  if (reserved) return `kept: ${place.label} is ${reserved}`;
  return withSessions(connection, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place))) return 'dropped';
    const why = await whyKept(dialect, session, place, options.uid);
    if (why) return `kept: ${why}`;
    if (place.kind === 'schema') {
      await dialect.drop(session, place);
    } else {
      await session.close();
      await dialect.drop(await open.server(options.protect?.database), place);
    }
    return 'dropped';
  });
}

async function whyKept(dialect: Dialect, session: Session, place: Place, uid: string): Promise<string | null> {
  const { mark } = await readContent(dialect, session, place);
  if (!mark) return `${place.label} carries no mark of this app`;
  if (mark.uid !== uid) return `${place.label} belongs to app "${mark.app}" (uid ${mark.uid})`;
  if (!mark.created) return `${place.label} was there before this app`;
  const tenant = place.kind === 'database' ? await dialect.otherTenant(session, place) : null;
  return tenant && `schema "${tenant}" of ${place.label} holds tables that are not this app's`;
}
