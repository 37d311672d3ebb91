import { createHash } from 'node:crypto';
import { hasSchemas } from '../../shared/dialects';
import { say } from '../../shared/message';
import { AppSupervisorError } from '../errors';
import { PATIENCE } from '../timing';
import type { Place } from './connection';
import type { OpenPlace } from './open';

/**
 * A process may freeze between the check of a place and its drop, and go on when the place has another owner. So the session that drops a
 * place is marked before the check. Whoever drops, creates or adopts there first ends the sessions with that mark: what is frozen then has no
 * session any more, and checks anew on the next one.
 */

const BETWEEN = 50;

/**
 * Marks the session that is to drop a place, and ends others with the mark. Call it before the check that allows the drop, and drop on this
 * session alone.
 *
 * @throws DATABASE_FAILED if another drop cannot be ended
 */
export async function beginDrop(at: OpenPlace): Promise<void> {
  const { place, session, dialect } = at;
  const [name] = namesOf(place);
  await patiently(at, async () => {
    const isMarked = await dialect.drops?.mark(session, name);
    const ended = await dialect.drops?.endOthers(session, name);
    return isMarked !== false && !ended;
  });
}

/**
 * Ends the drops of a place, and waits until their sessions are gone. Call it before a marker of a new owner is written there.
 *
 * @param at in a session of the user that drops there
 * @throws DATABASE_FAILED if one cannot be ended
 */
export async function endDrops(at: OpenPlace): Promise<void> {
  const { place, session, dialect } = at;
  for (const name of namesOf(place)) await patiently(at, async () => !(await dialect.drops?.endOthers(session, name)));
}

async function patiently({ place, dialect }: OpenPlace, isDone: () => Promise<boolean>): Promise<void> {
  const { clock } = dialect;
  const since = clock.now().mono;
  while (!(await isDone())) {
    if (clock.now().mono - since > PATIENCE) {
      const cause = say('DROP_UNDER_WAY', { object: place.label, seconds: PATIENCE / 1000 });
      throw new AppSupervisorError('DATABASE_FAILED', { server: place.server, cause });
    }
    await clock.sleep(BETWEEN);
  }
}

/**
 * The names of the marks of drops that would drop the place: its own, and that of the database that its schema is in.
 * @param place with the sign-in of the user that drops there
 */
function namesOf({ connection, kind, database, schema }: Place): string[] {
  // Any user of MariaDB and MySQL can hold a lock whose name he knows, and only its holder could be ended.
  const secret = hasSchemas(connection.dialect) ? '' : (connection.password ?? '');
  const nameOf = (...place: Array<string | null>) =>
    createHash('sha256')
      .update(['drop', secret, ...place].join('\0'))
      .digest('hex')
      .slice(0, 32);
  return kind === 'schema' ? [nameOf(database, schema), nameOf(database)] : [nameOf(database)];
}
