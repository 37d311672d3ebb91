import { type Message, say } from '../../shared/message';
import { AppSupervisorError, fail } from '../errors';
import { aboutOf, type Place, type Protected } from './connection';
import { type Creatable, tryCreate } from './dialect';
import { dialectOf } from './dialects';
import { type Opener, OpenPlace } from './open';

export interface Ensured {
  /** On the app's own database. */
  at: OpenPlace;
  /** Whether we just created it. */
  created: boolean;
}

/**
 * Opens the app's place, and creates it if it is missing and creation is allowed.
 * @throws DATABASE_MISSING if it is not allowed, DATABASE_CREATE_DENIED with the SQL for an administrator
 */
export async function ensurePlace(
  open: Opener,
  place: Place,
  { app, mayCreate, main }: { app: string; mayCreate: boolean; main?: Protected },
): Promise<Ensured> {
  const missing = () => new AppSupervisorError('DATABASE_MISSING', aboutOf(place, app));
  // A schema needs a database that others maintain.
  const ensured = await ensureDatabase(open, place, main, mayCreate && place.kind !== 'schema' ? undefined : missing);
  const { at } = ensured;
  if (await at.hasSchema()) return ensured;
  if (!mayCreate) throw missing();
  const isMade = await explainDenied(place, 'schema', () =>
    tryCreate(at.dialect, () => at.dialect.create(at.session, place, 'schema')),
  );
  return { at, created: place.kind === 'schema' ? isMade : ensured.created };
}

/**
 * Opens the database of a place, and creates it if it is missing.
 * @param missing thrown instead
 * @throws DATABASE_CREATE_DENIED with the SQL for an administrator
 */
export async function ensureDatabase(
  open: Opener,
  place: Place,
  main?: Protected,
  missing?: () => AppSupervisorError,
): Promise<Ensured> {
  const dialect = dialectOf(place.connection);
  // MySQL and MariaDB report "denied" for a database that does not exist, too.
  const found = await explainDenied(place, 'database', () => open.app());
  if (found) return { at: new OpenPlace(place, found), created: false };
  if (missing) throw missing();
  const created = await explainDenied(place, 'database', () =>
    tryCreate(dialect, async () => dialect.create(await open.server(main?.database), place, 'database')),
  );
  const cause = say('VANISHED', { object: place.label });
  const session = (await open.app()) ?? fail('DATABASE_FAILED', { server: place.server, cause });
  return { at: new OpenPlace(place, session), created };
}

/** Converts a missing permission into an error that says how to get it. */
export const explainDenied = <T>(place: Place, what: Creatable, work: () => Promise<T>): Promise<T> =>
  orDenied(place, work, () => createDenied(place, what));

/** @param denied the error instead of a missing permission */
export async function orDenied<T>(place: Place, work: () => Promise<T>, denied: () => AppSupervisorError): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppSupervisorError || dialectOf(place.connection).faultOf(error) !== 'denied') throw error;
    throw denied();
  }
}

export function createDenied(place: Place, what: Creatable): AppSupervisorError {
  const objects: Record<Creatable, Message> = {
    database: say('DATABASE', { name: place.database }),
    schema: say('SCHEMA', { schema: place.schema ?? '', database: place.database }),
    tables: say('TABLES_IN', { object: place.label }),
    owner: say('ROLE_IN', { object: place.label }),
  };
  const sql = dialectOf(place.connection).adminSql(place, what);
  return new AppSupervisorError('DATABASE_CREATE_DENIED', {
    user: place.user,
    object: objects[what],
    server: place.server,
    sql,
  });
}
