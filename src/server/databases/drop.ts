import { type Message, say } from '../../shared/message';
import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, ownerOf, type Protected, placeOf } from './connection';
import { readContent } from './content';
import { beginDrop } from './drop-fence';
import { inPlace, type Opener, OpenPlace, withSessions } from './open';
import { isPooled } from './pooler';
import { isPlaceThere, type RoleMaker } from './role';

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
  const reserved = ownerOf(place, options.protect);
  if (reserved) return say('DATA_KEPT', { why: say('KEPT_RESERVED', { object: place.label, owner: reserved }) });
  const { maker, uid } = options;
  // As the app's role: the Worker itself reads nothing that an app can have changed.
  const check = () =>
    inPlace<Message | 'drop' | null>(place, DEADLINE, async (at) => at && ((await whyKept(at, uid, maker)) ?? 'drop'));
  // First without a session outside of the place, which a user that has created nothing may not be allowed.
  let verdict = !maker || (await isPlaceThere(maker, dbConnType)) ? await check() : null;
  if (verdict !== 'drop' && (verdict || !maker)) return outcomeOf(verdict);
  const dropper = placeOf(maker?.worker ?? connection, dbConnType);
  const openBy = (open: Opener) => (place.kind === 'schema' ? open.app() : open.server(options.protect?.database));
  return withSessions(dropper.connection, DEADLINE, async (open) => {
    const session = await openBy(open);
    const at = session && new OpenPlace(dropper, session);
    if (verdict === 'drop' && at) {
      const askWith = (second: Opener) => isPooled(at.dialect, at.session, () => openBy(second));
      // Behind such a pooler the end of a session would not be the end of this process's connection.
      if (await withSessions(dropper.connection, DEADLINE, askWith)) {
        verdict = say('KEPT_POOLED', { server: place.server });
      } else {
        await beginDrop(at);
        verdict = await check();
        if (verdict === 'drop') await at.dialect.drop(at.session, place);
      }
    }
    if (maker && at && (verdict === 'drop' || !verdict)) await at.roles.drop(at.session, place, maker.role);
    return outcomeOf(verdict);
  });
}

/** @param verdict why it is kept; null if there is none */
const outcomeOf = (verdict: Message | 'drop' | null): Message =>
  verdict && verdict !== 'drop' ? say('DATA_KEPT', { why: verdict }) : say('DATA_DROPPED');

/** @returns why the place is kept */
async function whyKept(at: OpenPlace, uid: string, maker?: RoleMaker | null): Promise<Message | null> {
  const { place, session, dialect } = at;
  const { mark } = await readContent(at);
  if (!mark) return say('KEPT_UNMARKED', { object: place.label });
  if (mark.uid !== uid) return say('KEPT_OTHER_APP', { object: place.label, app: mark.app, uid: mark.uid });
  if (!mark.created) return say('KEPT_NOT_CREATED', { object: place.label });
  // Nobody else enters a database of a role of its own: whatever schemas are in it, the app made them.
  const tenant = place.kind === 'database' && !maker ? await dialect.otherTenant(session, place) : null;
  return tenant ? say('KEPT_TENANT', { schema: tenant, object: place.label }) : null;
}
