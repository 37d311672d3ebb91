import { fail } from '../errors';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { withSessions } from './open';
import { noteUpgrading } from './ownership-marker';
import { type Owner, readOwn } from './prepare';

/** A broken database fails within this, in ms. */
const DEADLINE = 15_000;

/**
 * Notes in an app's mark that its upgrade begins (`true`) or has ended: one that was cut off, or failed, is done again.
 * Call it under the database lock.
 *
 * @throws what `readOwn` throws
 */
export async function markUpgrading(connection: DatabaseConnection, owner: Owner, upgrading: boolean): Promise<void> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  await withSessions(connection, DEADLINE, async (open) => {
    const session =
      (await open.app()) ?? fail('DATABASE_MISSING', { app: owner.app, object: place.label, server: place.server });
    await readOwn(dialect, session, place, owner);
    await noteUpgrading(dialect, session, place, upgrading);
  });
}
