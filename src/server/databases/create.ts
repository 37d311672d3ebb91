import { type Message, say } from '../../shared/message';
import { AppSupervisorError, fail } from '../errors';
import type { Place, Protected } from './connection';
import { type Creatable, type Dialect, tryCreate } from './dialect';
import type { Opener } from './open';
import type { Session } from './session';

export interface Ensured {
  /** On the app's own database. */
  session: Session;
  /** Whether we just created the place (`Place.kind`). */
  created: boolean;
}

/**
 * Opens the app's place, and creates it if it is missing and creation is allowed.
 * @param missing thrown if creation is not allowed
 * @throws DATABASE_CREATE_DENIED with the SQL for an administrator
 */
export async function ensurePlace(
  dialect: Dialect,
  open: Opener,
  place: Place,
  options: { mayCreate: boolean; missing: () => AppSupervisorError; main?: Protected },
): Promise<Ensured> {
  let created = false;
  let session = await explainDenied(dialect, place, 'database', () => open.app());
  if (!session) {
    // A schema needs a database that others maintain.
    if (!options.mayCreate || place.kind === 'schema') throw options.missing();
    created = await explainDenied(dialect, place, 'database', async () =>
      tryCreate(dialect, async () => dialect.create(await open.server(options.main?.database), place, 'database')),
    );
    session =
      (await open.app()) ??
      fail('DATABASE_FAILED', { server: place.server, cause: say('VANISHED', { object: place.label }) });
  }
  if (!(await dialect.hasSchema(session, place))) {
    if (!options.mayCreate) throw options.missing();
    const opened = session;
    const schemaMade = await explainDenied(dialect, place, 'schema', () =>
      tryCreate(dialect, () => dialect.create(opened, place, 'schema')),
    );
    if (place.kind === 'schema') created = schemaMade;
  }
  return { session, created };
}

/** Converts a missing permission into an error that says how to get it. */
export async function explainDenied<T>(
  dialect: Dialect,
  place: Place,
  what: Creatable,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppSupervisorError || dialect.faultOf(error) !== 'denied') throw error;
    throw createDenied(dialect, place, what);
  }
}

export function createDenied(dialect: Dialect, place: Place, what: Creatable): AppSupervisorError {
  const objects: Record<Creatable, Message> = {
    database: say('DATABASE', { name: place.database }),
    schema: say('SCHEMA', { schema: place.schema ?? '', database: place.database }),
    tables: say('TABLES_IN', { object: place.label }),
    owner: say('ROLE_IN', { object: place.label }),
  };
  const sql = dialect.adminSql(place, what);
  return new AppSupervisorError('DATABASE_CREATE_DENIED', {
    user: place.user,
    object: objects[what],
    server: place.server,
    sql,
  });
}
