import { fail } from '../errors';
import { type DatabaseConnection, placeOf } from './connection';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { recordUpgrading } from './ownership-marker';
import { readOwn } from './prepare';

/** A broken database fails within this time, in ms. */
const DEADLINE = 15_000;

/**
 * Records in an app's marker that its upgrade begins (`true`) or has ended: an interrupted or failed upgrade is
 * repeated. Call it under the database lock.
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
    await recordUpgrading(dialect, session, place, upgrading);
  });
}
