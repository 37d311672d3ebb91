import { AppSupervisorError, fail } from '../errors';
import { aboutOf, placeOf } from './connection';
import { assertNotMain, readContent } from './content';
import { explainDenied } from './create';
import { endDrops } from './drop-fence';
import { inExisting, type OpenPlace } from './open';
import { MARKER_TABLE, type Owner, refuseForeignMarker } from './ownership-marker';
import { ensureRole, type RoleRepairer } from './role';

/** Time limit for changing the owner of some hundred tables, in ms. */
const DEADLINE = 120_000;

/**
 * Gives a place with a NocoBase app in it, which belongs to no app or to this one already, to the app's role. What is refused is
 * refused before anything is changed. A repeated call changes nothing.
 *
 * @throws DATABASE_MISSING, DATABASE_RESERVED, DATABASE_OTHER_APP, DATABASE_UNMARKED, DATABASE_FOREIGN, DATABASE_NOT_OURS,
 * DATABASE_CREATE_DENIED, DATABASE_ROLE_DENIED, and what `withSessions` throws
 */
export async function adoptOwnPlace(
  maker: RoleRepairer,
  dbConnType: 'new_database' | 'new_schema',
  owner: Owner,
): Promise<void> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  await inExisting(place, DEADLINE, owner.app, async (at) => {
    const { roles, session } = at;
    await assertNotMain(at);
    const isMarked = await refuseOther(at, owner);
    await endDrops(at);
    const what = (await (roles.left ?? roles.foreign)(session, place, role)).slice(0, 5).join(', ');
    const about = { ...aboutOf(place, owner.app), user: worker.username ?? '', what };
    if (what) throw new AppSupervisorError('DATABASE_NOT_OURS', about);
    await ensureRole(maker, at, isMarked);
    await explainDenied(place, 'owner', () => roles.give(session, place, role));
    await roles.takeOver?.(session, place, role, 'ours');
    // A database of schemas is shared with other apps, which stay in it.
    if (place.kind === 'database') await roles.closeToFormer(session, place, role);
  });
}

/** Refuses what is no NocoBase app, or another app of a fleet. @returns whether it is marked as this app's */
async function refuseOther(at: OpenPlace, owner: Owner): Promise<boolean> {
  const { mark, empty, version } = await readContent(at, true);
  if (mark) {
    refuseForeignMarker(at.place, mark, owner);
    return true;
  }
  if (empty) fail('DATABASE_UNMARKED', aboutOf(at.place, owner.app));
  // What has the name of the marker and is none is no sign of an app without one.
  const isOdd = (await at.relations()).some(({ name }) => name === MARKER_TABLE);
  if (isOdd || !version) fail('DATABASE_FOREIGN', aboutOf(at.place, owner.app));
  return false;
}
