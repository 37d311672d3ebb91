import { createHash } from 'node:crypto';
import type { DbConnType } from '../../shared/types';
import { AppSupervisorError } from '../errors';
import { type DatabaseConnection, type Place, type Protected, placeOf, serverOf } from './connection';
import { assertNotMain, readContent, refuseMain } from './content';
import { createDenied, explainDenied } from './create';
import { type Dialect, type Roles, tryCreate } from './dialect';
import { dialects } from './dialects';
import { LABEL, type Opener, withSessions } from './open';
import { type Owner, refuseForeignMarker } from './ownership-marker';
import type { Session } from './session';

/**
 * The database role of an app. Host and port are the environment's, role and password are the app's. The Worker's own
 * role owns the database, and the app's role owns what is in it: it can neither drop the database nor open it to others.
 *
 * Tables and functions in an app's database are written by its administrator, and a trigger, a rule or a view runs as
 * whoever uses it. So the Worker reads and writes there as the app's role only; as itself it changes owners and
 * permissions, which runs nothing of the app.
 */

/** Time limit for making a role and a database, in ms. */
const DEADLINE = 15_000;
/** Names that every supported server accepts: at most 32 characters in MySQL, and none of PostgreSQL's own `pg_…`. */
const READABLE = 15;

/**
 * The name of an app's role. It follows from the app's uid, so that whoever can write a record cannot name the role of
 * another app, or the Worker's, and have its password changed.
 */
export function roleNameOf({ name, uid }: { name: string; uid: string }): string {
  const readable = name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '_')
    .slice(0, READABLE);
  return `app_${readable}_${createHash('sha256').update(uid).digest('hex').slice(0, 12)}`;
}

/** Makes, repairs and drops the role of one app. */
export interface RoleMaker {
  /** The Worker's own sign-in, for the same place. */
  worker: DatabaseConnection;
  /** The app's role; the connection of the app has it as its user. */
  role: string;
  password: string;
  /** False: a role that exists keeps the password that it has; it may be newer. */
  setsPassword?: boolean;
}

/**
 * The maker of an app's role.
 * @param connection with the role as its user
 * @returns null if the app has no role of its own
 */
export function roleMakerOf(
  app: { name: string; uid: string },
  connection: DatabaseConnection,
  worker: DatabaseConnection,
): RoleMaker | null {
  const role = roleNameOf(app);
  if (connection.username !== role || worker.username === role) return null;
  return { worker, role, password: connection.password ?? '' };
}

/** @throws if the dialect has no roles, which `roleMakerOf` excludes */
export function rolesOf(dialect: Dialect): Roles {
  if (!dialect.roles) throw new Error('This dialect has no roles.');
  return dialect.roles;
}

/**
 * Makes an app's role, and its database or schema if that is missing, and gives the role what it needs there. A repeated
 * call changes nothing, and a place with anything else in it stays as it is.
 *
 * @returns whether the place was made
 * @throws DATABASE_CREATE_DENIED, DATABASE_ROLE_DENIED with the SQL for an administrator, DATABASE_RESERVED, DATABASE_OTHER_APP,
 * DATABASE_FOREIGN, and what `withSessions` throws
 */
export async function makeOwnPlace(
  maker: RoleMaker,
  dbConnType: 'new_database' | 'new_schema',
  owner: Owner,
  main?: Protected,
): Promise<boolean> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  const dialect = dialects[worker.dialect];
  const roles = rolesOf(dialect);
  return withSessions(worker, DEADLINE, async (open) => {
    const server = await open.server(main?.database);
    const found = await openOwn(open, dialect);
    // Before anything of it is given away.
    if (found) await refuseTaken(dialect, found, place, owner);
    await makeRole(maker, place, server);
    const { session, created } = await openPlace(dialect, open, server, place);
    // Somebody else has made it in the meantime.
    if (!found && !created) await refuseTaken(dialect, session, place, owner);
    await explainDenied(dialect, place, 'owner', () => roles.give(session, place, role));
    const givesSchema = place.kind === 'schema' && !(await dialect.hasSchema(session, place));
    if (givesSchema) await roles.giveSchema(session, place, role);
    return place.kind === 'schema' ? givesSchema : created;
  });
}

/** Refuses a place in which there is anything but this app. */
async function refuseTaken(dialect: Dialect, session: Session, place: Place, { app, uid }: Owner): Promise<void> {
  const foreign = () => new AppSupervisorError('DATABASE_FOREIGN', { object: place.label, server: place.server, app });
  const { isMain, mark, empty } = await readContent(dialect, session, place, true).catch((error) => {
    // It belongs to a role that is not this Worker's.
    throw dialect.faultOf(error) === 'denied' ? foreign() : error;
  });
  if (isMain) refuseMain(place);
  if (mark) return refuseForeignMarker(dialect, place, mark, { uid });
  const tenant = place.kind === 'database' ? await dialect.otherTenant(session, place) : null;
  if (!empty || tenant) throw foreign();
}

/** The app's database, which is made if it is missing. A schema's is shared, and made for the first of them. */
async function openPlace(
  dialect: Dialect,
  open: Opener,
  server: Session,
  place: Place,
): Promise<{ session: Session; created: boolean }> {
  // MySQL and MariaDB report "denied" for a database that does not exist, too.
  const found = await explainDenied(dialect, place, 'database', () => open.app());
  if (found) return { session: found, created: false };
  const created = await explainDenied(dialect, place, 'database', () =>
    tryCreate(dialect, () => dialect.create(server, place, 'database')),
  );
  const session = await open.app();
  if (!session) throw createDenied(dialect, place, 'database');
  return { session, created };
}

/**
 * Makes the role, or sets its password.
 * @throws DATABASE_ROLE_DENIED with the SQL for an administrator
 */
export async function makeRole({ role, password }: RoleMaker, place: Place, session: Session): Promise<void> {
  const dialect = dialects[place.connection.dialect];
  try {
    await rolesOf(dialect).make(session, role, password);
  } catch (error) {
    if (error instanceof AppSupervisorError || dialect.faultOf(error) !== 'denied') throw error;
    throw roleDenied(place.connection);
  }
}

/** The Worker's role may not make roles. */
export const roleDenied = (worker: DatabaseConnection): AppSupervisorError =>
  new AppSupervisorError('DATABASE_ROLE_DENIED', {
    user: worker.username ?? '',
    server: serverOf(worker),
    sql: dialects[worker.dialect].roles?.adminSql(worker.username ?? '') ?? '-',
  });

/**
 * What in an existing place belongs to the Worker, which made or restored it there, is given to the app's role. If the
 * app has changed its own password, it is set again.
 *
 * @throws DATABASE_NOT_OWNED if the place is not the role's, or contains what somebody else owns; DATABASE_MISSING
 */
export async function repairOwnPlace(
  maker: RoleMaker,
  dbConnType: 'new_database' | 'new_schema',
  app: string,
): Promise<void> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  const dialect = dialects[worker.dialect];
  const roles = rolesOf(dialect);
  await withSessions(worker, DEADLINE, async (open) => {
    const ignoreRefusal = (error: unknown) => {
      if (!isRefused(dialect, error)) throw error;
    };
    const session = await open.app().catch(ignoreRefusal);
    if (session === undefined) return;
    // Without it the app's role is gone, too, and its sign-in would fail for a reason that says nothing.
    if (!session || !(await dialect.hasSchema(session, place)))
      throw new AppSupervisorError('DATABASE_MISSING', { object: place.label, server: place.server, app });
    await assertNotMain(dialect, session, place);
    await roles.resetSettings(session, role).catch(ignoreRefusal);
    if (maker.setsPassword !== false) await repairSignIn(maker, place, session).catch(ignoreRefusal);
    await roles.takeOver(session, place, role, 'own').catch(ignoreRefusal);
    const foreign = await roles.foreign(session, place, role);
    if (!foreign.length) return;
    const what = foreign.slice(0, 5).join(', ');
    throw new AppSupervisorError('DATABASE_NOT_OWNED', { app, object: place.label, server: place.server, role, what });
  });
}

/** Drops the role after its database or schema. */
export async function dropRole(
  open: Opener,
  { worker, role }: RoleMaker,
  place: Place,
  main?: Protected,
): Promise<void> {
  const dialect = dialects[worker.dialect];
  const session = place.kind === 'schema' ? await open.app() : await open.server(main?.database);
  if (session) await rolesOf(dialect).drop(session, place, role);
}

const isRefused = (dialect: Dialect, error: unknown) => ['denied', 'signIn'].includes(dialect.faultOf(error));

/**
 * The Worker's own session on the app's database. Null if there is no database, or if another environment's Worker made
 * it, whose databases this one may not enter: that one repairs it.
 */
const openOwn = (open: Opener, dialect: Dialect): Promise<Session | null> =>
  open.app().catch((error) => {
    if (!isRefused(dialect, error)) throw error;
    return null;
  });

/** An app can change the password of its own role: then it is set again. */
async function repairSignIn({ worker, role, password }: RoleMaker, place: Place, session: Session): Promise<void> {
  const dialect = dialects[worker.dialect];
  const roles = rolesOf(dialect);
  try {
    const own = await dialect.connect({ ...worker, username: role, password }, place.database, LABEL);
    await own.close();
  } catch (error) {
    if (dialect.faultOf(error) !== 'signIn') throw error;
    if (await roles.exists(session, role)) await roles.make(session, role, password);
  }
}

/** Whether the user of a connection signs in; a server that does not answer refuses nobody. */
export async function signsIn(connection: DatabaseConnection): Promise<boolean> {
  const dialect = dialects[connection.dialect];
  try {
    const session = await dialect.connect(connection, connection.database ?? null, LABEL);
    await session.close();
    return true;
  } catch (error) {
    return dialect.faultOf(error) !== 'signIn';
  }
}

/**
 * Gives an app's role another password. Its sessions stay, and a repeated call changes nothing.
 * @throws DATABASE_ROLE_DENIED, DATABASE_MISSING, and what `withSessions` throws
 */
export async function setRolePassword(maker: RoleMaker, dbConnType: DbConnType, app: string): Promise<void> {
  const { worker, role, password } = maker;
  const place = placeOf(worker, dbConnType);
  await withSessions(worker, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session) throw new AppSupervisorError('DATABASE_MISSING', { object: place.label, server: place.server, app });
    if (!(await signsIn({ ...worker, username: role, password }))) await makeRole(maker, place, session);
  });
}

/**
 * Whether an app's database (and schema) is there; then its role can sign in. Its role is dropped after it.
 * @throws what `withSessions` throws
 */
export const isPlaceThere = (maker: RoleMaker, dbConnType: DbConnType): Promise<boolean> =>
  withSessions(maker.worker, DEADLINE, async (open) => {
    const dialect = dialects[maker.worker.dialect];
    const place = placeOf(maker.worker, dbConnType);
    const session = await open.app();
    if (!session || !(await dialect.hasSchema(session, place))) return false;
    await repairSignIn(maker, place, session);
    return true;
  });
