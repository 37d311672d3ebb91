import { fail } from '../errors';
import { aboutOf, type DatabaseConnection, placeOf } from './connection';
import { readContent } from './content';
import { inPlace, type OpenPlace } from './open';
import { type Owner, refuseForeignMarker } from './ownership-marker';
import { refuseForeign } from './role';

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
  const about = aboutOf(place, owner.app);
  await inPlace(place, DEADLINE, async (at) => {
    if (!at?.dialect.roles) return fail('DATABASE_MISSING', about);
    const { roles, session } = at;
    const { mark } = await readContent(at, true);
    refuseForeignMarker(place, mark ?? fail('DATABASE_UNMARKED', about), owner);
    // What cannot be moved is found before anything is changed.
    if (!roles.takeOver) await refuseForeign(at, role, owner.app);
    await roles.make(session, role, password);
    for (const worker of workers) await roles.admit?.(session, place, role, worker);
    await patiently(at, () => roles.give(session, place, role));
    await patiently(at, async () => roles.takeOver?.(session, place, role, 'all'));
    await refuseForeign(at, role, owner.app);
  });
}

/** Repeats what failed only because the running app was in the way. */
async function patiently({ roles, dialect }: OpenPlace, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !roles.isInTheWay?.(error)) throw error;
      await dialect.clock.sleep(BETWEEN);
    }
  }
}
