import { type Message, say } from '../../shared/message';
import type { DbConnType } from '../../shared/types';
import { AppSupervisorError, fail } from '../errors';
import { aboutOf, type DatabaseConnection, placeOf } from './connection';
import { type FoundContent, OWN_TABLES, readContent } from './content';
import { HOSTS_TABLE } from './host-rows';
import { inExisting, inPlace, type LockedSession, type OpenPlace } from './open';
import {
  MARKER_TABLE,
  type Owner,
  type OwnershipMarker,
  reassignMarker,
  record,
  refuseForeignMarker,
  removeMarkerSql,
} from './ownership-marker';

/** Work on a place that belongs to an app already. */

/** A broken database fails within this time, in ms. */
const DEADLINE = 15_000;
/** Time limit for dropping some hundred tables, in ms. */
const RESET_DEADLINE = 60_000;

/** @throws DATABASE_MISSING, DATABASE_UNMARKED, DATABASE_FOREIGN, DATABASE_OTHER_APP */
async function readOwn(at: OpenPlace, owner: Owner): Promise<FoundContent & { mark: OwnershipMarker }> {
  const content = await readContent(at);
  const { mark, empty } = content;
  if (!mark) return fail(empty ? 'DATABASE_UNMARKED' : 'DATABASE_FOREIGN', aboutOf(at.place, owner.app));
  refuseForeignMarker(at.place, mark, owner);
  return { ...content, mark };
}

/**
 * Records in an app's marker that its upgrade begins (`true`) or has ended: an interrupted or failed upgrade is
 * repeated.
 *
 * @param lock of the database
 * @throws what `readOwn` throws
 */
export async function markUpgrading(
  connection: DatabaseConnection,
  owner: Owner,
  isUpgrading: boolean,
  lock: LockedSession,
): Promise<void> {
  const mark = async (at: OpenPlace) => {
    await readOwn(at, owner);
    await record(at, 'upgrading', isUpgrading);
  };
  await inExisting(placeOf(connection), DEADLINE, owner.app, mark, lock);
}

/**
 * Empties the place of an app whose installation was interrupted, except the marker, so that the installation can start
 * again.
 *
 * @param lock of the database: an installation in progress elsewhere looks the same
 * @throws DATABASE_NOT_EMPTIED if the app did not create the place or was ever complete, and what `readOwn` throws
 */
export async function resetPartialInstall(
  connection: DatabaseConnection,
  owner: Owner,
  lock: LockedSession,
): Promise<void> {
  const place = placeOf(connection);
  const reset = async (at: OpenPlace) => {
    const { installed, mark } = await readOwn(at, owner);
    const about = aboutOf(place, owner.app);
    const refuse = (why: Message) => new AppSupervisorError('DATABASE_NOT_EMPTIED', { ...about, why });
    if (installed === 'none') return;
    if (installed === 'complete') throw refuse(say('INSTALL_WAS_COMPLETE'));
    if (!mark.created) throw refuse(say('INSTALL_WAS_THERE', { table: MARKER_TABLE }));
    const { first, each, dropRest } = at.dialect.emptying;
    if (first) await at.query(first);
    // A statement may already have dropped others.
    for (const { name, kind } of await at.relations())
      if (!OWN_TABLES.includes(name)) await at.query(`DROP ${kind} IF EXISTS ${at.table(name)}${each}`);
    await dropRest?.(at.session, place);
  };
  await inExisting(place, RESET_DEADLINE, owner.app, reset, lock);
}

/**
 * Restores an app's marker if its database may have been replaced while it ran: restoring a backup of another app
 * brings that app's marker, and this app would be refused its own database at its next start.
 *
 * @param created as in the marker: the content of the place does not show who created it
 * @returns whether the marker belonged to another app
 */
export const keepMark = (connection: DatabaseConnection, owner: Owner, created: boolean): Promise<boolean> =>
  inPlace(placeOf(connection), DEADLINE, async (at) => {
    if (!at || (await readContent(at)).mark?.uid === owner.uid) return false;
    await reassignMarker(at, { ...owner, created, installed: true });
    return true;
  });

/**
 * Removes the app's marker, so that another app can adopt the database that was kept when the app was deleted. What the
 * deleted app created then belongs to nobody and is never dropped.
 */
export async function releaseDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  owner: Owner,
): Promise<void> {
  const place = placeOf(connection, dbConnType);
  await inPlace(place, DEADLINE, async (at) => {
    if (!at) return;
    await readOwn(at, owner);
    await at.query(`DROP TABLE IF EXISTS ${at.table(HOSTS_TABLE)}`);
    await at.query(removeMarkerSql(place));
  });
}
