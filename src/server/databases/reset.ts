import { AppSupervisorError, fail } from '../errors';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { withSessions } from './open';
import { MARK_TABLE } from './ownership-marker';
import { type Owner, readOwn } from './prepare';

/** Dropping some hundred tables, in ms. */
const DEADLINE = 60_000;

/**
 * Empties the place of an app whose installation was cut off, all but the mark, so that it can begin anew. Call it under
 * the database lock: an installation that goes on elsewhere looks the same.
 *
 * @throws DATABASE_NOT_EMPTIED when the app did not create the place or was ever whole, and what `readOwn` throws
 */
export async function resetPartialInstall(connection: DatabaseConnection, owner: Owner): Promise<void> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  await withSessions(connection, DEADLINE, async (open) => {
    const details = { app: owner.app, object: place.label, server: place.server };
    const session = (await open.app()) ?? fail('DATABASE_MISSING', details);
    const { installed, mark } = await readOwn(dialect, session, place, owner);
    const refuse = (why: string) => new AppSupervisorError('DATABASE_NOT_EMPTIED', { ...details, why });
    if (installed === 'none') return;
    if (installed === 'complete') throw refuse('it holds an installation that was complete');
    if (!mark.created) {
      throw refuse(
        'it was there before the app. Make sure that it holds nothing you need, drop its tables except ' +
          `${MARK_TABLE}, and start the app again`,
      );
    }
    await dialect.empty(session, place, MARK_TABLE);
  });
}
