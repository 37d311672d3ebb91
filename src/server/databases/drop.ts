import { type Message, say } from '../../shared/message';
import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, ownerOf, type Place, type Protected, placeOf } from './connection';
import { readContent } from './content';
import type { Dialect } from './dialect';
import { dialects } from './dialects';
import { beginDrop } from './drop-fence';
import { type Opener, withSessions } from './open';
import { dropRole, isPlaceThere, type RoleMaker } from './role';
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
  options: { uid: string; protect?: Protected; maker?: RoleMaker | null },
): Promise<Message> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  const reserved = ownerOf(place, options.protect);
  if (reserved) return say('DATA_KEPT', { why: say('KEPT_RESERVED', { object: place.label, owner: reserved }) });
  const { maker } = options;
  const check = () => whetherToDrop(dialect, connection, place, options.uid, maker);
  // First without a session outside of the place, which a user that has created nothing may not be allowed.
  let verdict = !maker || (await isPlaceThere(maker, dbConnType)) ? await check() : null;
  const dropper = maker?.worker ?? connection;
  const openBy = (open: Opener) => (place.kind === 'schema' ? open.app() : open.server(options.protect?.database));
  return withSessions(dropper, DEADLINE, async (open) => {
    if (verdict === 'drop') {
      const session = await openBy(open);
      const isPooled = (other: Session | null) => session && other && dialect.lock.isShared?.(session, other);
      // Behind such a pooler the end of a session would not be the end of this process's connection.
      if (await withSessions(dropper, DEADLINE, async (second) => isPooled(await openBy(second)))) {
        verdict = say('KEPT_POOLED', { server: place.server });
      } else if (session) {
        await beginDrop(session, place);
        verdict = await check();
        if (verdict === 'drop') await dialect.drop(session, place);
      }
    }
    if (verdict && verdict !== 'drop') return say('DATA_KEPT', { why: verdict });
    if (maker) await dropRole(open, maker, place, options.protect);
    return say('DATA_DROPPED');
  });
}

/**
 * As the app's role: the Worker itself reads nothing that an app can have changed.
 * @returns why the place is kept; null if there is none
 */
const whetherToDrop = (
  dialect: Dialect,
  connection: DatabaseConnection,
  place: Place,
  uid: string,
  maker?: RoleMaker | null,
): Promise<Message | 'drop' | null> =>
  withSessions(connection, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place))) return null;
    return (await whyKept(dialect, session, place, uid, maker)) ?? 'drop';
  });

async function whyKept(
  dialect: Dialect,
  session: Session,
  place: Place,
  uid: string,
  maker?: RoleMaker | null,
): Promise<Message | null> {
  const { mark } = await readContent(dialect, session, place);
  if (!mark) return say('KEPT_UNMARKED', { object: place.label });
  if (mark.uid !== uid) return say('KEPT_OTHER_APP', { object: place.label, app: mark.app, uid: mark.uid });
  if (!mark.created) return say('KEPT_NOT_CREATED', { object: place.label });
  // Nobody else enters a database of a role of its own: whatever schemas are in it, the app made them.
  const tenant = place.kind === 'database' && !maker ? await dialect.otherTenant(session, place) : null;
  return tenant ? say('KEPT_TENANT', { schema: tenant, object: place.label }) : null;
}
