import { AppSupervisorError } from '../errors';
import { type Place, placeOf } from './connection';
import { assertNotMain } from './content';
import { explainDenied } from './create';
import { type Dialect, readAsData } from './dialect';
import { dialects } from './dialects';
import { endDrops } from './drop-fence';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { MARKER_TABLE, readMarker, refuseForeignMarker } from './ownership-marker';
import { makeRole, type RoleMaker, rolesOf } from './role';
import type { Session } from './session';

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
  maker: RoleMaker,
  dbConnType: 'new_database' | 'new_schema',
  owner: Owner,
): Promise<void> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  const dialect = dialects[worker.dialect];
  const roles = rolesOf(dialect);
  const details = { app: owner.app, object: place.label, server: place.server };
  await withSessions(worker, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place)))
      throw new AppSupervisorError('DATABASE_MISSING', details);
    await assertNotMain(dialect, session, place);
    await refuseOther(dialect, session, place, owner);
    await endDrops(session, place);
    const left = (await roles.left(session, place, role)).slice(0, 5).join(', ');
    if (left)
      throw new AppSupervisorError('DATABASE_NOT_OURS', { ...details, user: worker.username ?? '', what: left });
    await makeRole(maker, place, session);
    await explainDenied(dialect, place, 'owner', () => roles.give(session, place, role));
    await roles.takeOver(session, place, role, 'ours');
    // A database of schemas is shared with other apps, which stay in it.
    if (place.kind === 'database') await roles.closeToFormer(session, place, role);
  });
}

/** Whether there is a NocoBase app, of no app of a fleet or of this one. */
async function refuseOther(dialect: Dialect, session: Session, place: Place, owner: Owner): Promise<void> {
  const details = { app: owner.app, object: place.label, server: place.server };
  const names = (await dialect.relations(session, place)).map(({ name }) => name);
  if (names.includes(MARKER_TABLE)) {
    const mark = await readAsData(dialect, session, place, MARKER_TABLE, () => readMarker(dialect, session, place));
    if (!mark) throw new AppSupervisorError('DATABASE_FOREIGN', details);
    return refuseForeignMarker(dialect, place, mark, owner);
  }
  if (!names.length) throw new AppSupervisorError('DATABASE_UNMARKED', details);
  const [versions] = ['applicationVersion', 'application_version']
    .map((name) => place.prefix + name)
    .filter((name) => names.includes(name));
  const read = () => session.query(`SELECT value FROM ${dialect.table(place, versions)}`);
  const found = versions ? await readAsData(dialect, session, place, versions, read) : null;
  if (!found?.[0]?.value) throw new AppSupervisorError('DATABASE_FOREIGN', details);
}
