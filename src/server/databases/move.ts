import { setTimeout as delay } from 'node:timers/promises';
import { AppSupervisorError, fail } from '../errors';
import { type DatabaseConnection, type Place, placeOf } from './connection';
import { type Dialect, readAsData } from './dialect';
import { dialects } from './dialects';
import { withSessions } from './open';
import type { Owner } from './ownership-marker';
import { MARKER_TABLE, readMarker, refuseForeignMarker } from './ownership-marker';
import type { Session } from './session';

/** Time limit for changing the owner of some hundred tables, in ms. */
const DEADLINE = 120_000;
/** A running app may hold a table for a moment. */
const ATTEMPTS = 5;
const BETWEEN = 1_000;

export interface Move {
  role: string;
  password: string;
  /** The roles of the Workers that host the app. */
  workers: string[];
}

/**
 * Gives an app's existing place to a role of its own, with the permissions of an administrator of the server. The app may
 * run: it goes on as the Worker's role until it is started again. A repeated call changes nothing but the password.
 *
 * @param admin an administrator's sign-in, for the app's place
 * @throws DATABASE_MISSING, DATABASE_UNMARKED, DATABASE_OTHER_APP, DATABASE_NOT_OWNED, and what `withSessions` throws
 */
export async function moveToRole(
  admin: DatabaseConnection,
  dbConnType: 'new_database' | 'new_schema',
  owner: Owner,
  { role, password, workers }: Move,
): Promise<void> {
  const place = placeOf(admin, dbConnType);
  const dialect = dialects[admin.dialect];
  const { roles } = dialect;
  const details = { app: owner.app, object: place.label, server: place.server };
  await withSessions(admin, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session || !roles || !(await dialect.hasSchema(session, place))) return fail('DATABASE_MISSING', details);
    await refuseOther(dialect, session, place, owner);
    const remaining = async () => {
      const what = (await roles.foreign(session, place, role)).slice(0, 5).join(', ');
      if (what) throw new AppSupervisorError('DATABASE_NOT_OWNED', { ...details, role, what });
    };
    // What cannot be moved is found before anything is changed.
    if (!roles.movesOwners) await remaining();
    await roles.make(session, role, password);
    for (const worker of workers) await roles.admit(session, place, role, worker);
    await patiently(dialect, () => roles.give(session, place, role));
    await patiently(dialect, () => roles.takeOver(session, place, role, 'all'));
    await remaining();
  });
}

/** Whether the place belongs to the app, by its marker alone. */
async function refuseOther(dialect: Dialect, session: Session, place: Place, owner: Owner): Promise<void> {
  const mark = await readAsData(dialect, session, place, MARKER_TABLE, () => readMarker(dialect, session, place));
  if (!mark)
    throw new AppSupervisorError('DATABASE_UNMARKED', { app: owner.app, object: place.label, server: place.server });
  refuseForeignMarker(dialect, place, mark, owner);
}

/** Repeats what failed only because the running app was in the way. */
async function patiently(dialect: Dialect, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !dialect.roles?.isInTheWay(error)) throw error;
      await delay(BETWEEN);
    }
  }
}
