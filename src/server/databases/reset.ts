import { type Message, say } from '../../shared/message';
import { AppSupervisorError, fail } from '../errors';
import { type DatabaseConnection, placeOf } from './connection';
import { OWN_TABLES } from './content';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { MARKER_TABLE } from './ownership-marker';
import { readOwn } from './prepare';

/** Time limit for dropping some hundred tables, in ms. */
const DEADLINE = 60_000;

/**
 * Empties the place of an app whose installation was interrupted, except the marker, so that the installation can start
 * again. Call it under the database lock: an installation in progress elsewhere looks the same.
 *
 * @throws DATABASE_NOT_EMPTIED if the app did not create the place or was ever complete, and what `readOwn` throws
 */
export async function resetPartialInstall(connection: DatabaseConnection, owner: Owner): Promise<void> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  await withSessions(connection, DEADLINE, async (open) => {
    const details = { app: owner.app, object: place.label, server: place.server };
    const session = (await open.app()) ?? fail('DATABASE_MISSING', details);
    const { installed, mark } = await readOwn(dialect, session, place, owner);
    const refuse = (why: Message) => new AppSupervisorError('DATABASE_NOT_EMPTIED', { ...details, why });
    if (installed === 'none') return;
    if (installed === 'complete') throw refuse(say('INSTALL_WAS_COMPLETE'));
    if (!mark.created) {
      throw refuse(say('INSTALL_WAS_THERE', { table: MARKER_TABLE }));
    }
    await dialect.empty(session, place, OWN_TABLES);
  });
}
