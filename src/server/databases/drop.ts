import { type Message, say } from '../../shared/message';
import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, ownerOf, type Place, type Protected, placeOf } from './connection';
import { readContent } from './content';
import type { Dialect } from './dialect';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Session } from './session';

/** In ms; the server deletes the files during this time. */
const DEADLINE = 120_000;

/**
 * Drops what the app created, and nothing else. A second call returns `dropped` again. Release the database lock first,
 * because the drop would end its connection.
 *
 * @param options.protect the environment's own main database
 * @returns what was done
 */
export async function dropDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  options: { uid: string; protect?: Protected },
): Promise<Message> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  const reserved = ownerOf(place, options.protect);
  if (reserved) return say('DATA_KEPT', { why: say('KEPT_RESERVED', { object: place.label, owner: reserved }) });
  return withSessions(connection, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place))) return say('DATA_DROPPED');
    const why = await whyKept(dialect, session, place, options.uid);
    if (why) return say('DATA_KEPT', { why });
    if (place.kind === 'schema') {
      await dialect.drop(session, place);
    } else {
      await session.close();
      await dialect.drop(await open.server(options.protect?.database), place);
    }
    return say('DATA_DROPPED');
  });
}

async function whyKept(dialect: Dialect, session: Session, place: Place, uid: string): Promise<Message | null> {
  const { mark } = await readContent(dialect, session, place);
  if (!mark) return say('KEPT_UNMARKED', { object: place.label });
  if (mark.uid !== uid) return say('KEPT_OTHER_APP', { object: place.label, app: mark.app, uid: mark.uid });
  if (!mark.created) return say('KEPT_NOT_CREATED', { object: place.label });
  const tenant = place.kind === 'database' ? await dialect.otherTenant(session, place) : null;
  return tenant ? say('KEPT_TENANT', { schema: tenant, object: place.label }) : null;
}
