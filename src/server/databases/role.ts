import { createHash } from 'node:crypto';
import type { DbConnType } from '../../shared/types';
import { AppSupervisorError, hasCode } from '../errors';
import { aboutOf, type DatabaseConnection, type Place, type Protected, placeOf, serverOf } from './connection';
import { assertNotMain, readContent, readHosts, refuseMain } from './content';
import { ensureDatabase, explainDenied, orDenied } from './create';
import { dialectOf } from './dialects';
import type { HostRow } from './host-rows';
import { inExisting, inPlace, LABEL, OpenPlace, withSessions } from './open';
import { type Owner, refuseForeignMarker } from './ownership-marker';

/**
 * The database role of an app. Host and port are the environment's, role and password are the app's. The Worker's own
 * role owns the database, and the app's role owns what is in it: it can neither drop the database nor open it to others.
 *
 * Tables and functions in an app's database are written by its administrator, and a trigger, a rule or a view runs as
 * whoever uses it. So the Worker reads and writes there as the app's role only; as itself it changes owners and
 * permissions, and reads locked tables, which runs nothing of the app.
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
  /** The one that the role is about to get: it may have it already. */
  nextPassword?: string;
}

export interface RoleRepairer extends RoleMaker {
  /** Whether a role that exists may get another password, by what the rows of its app say. What it throws ends the work. */
  maySet(hosts: HostRow[]): boolean;
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

/**
 * Makes an app's role, and its database or schema if that is missing, and gives the role what it needs there. A repeated
 * call changes nothing, and a place with anything else in it stays as it is.
 *
 * @returns whether the place was made
 * @throws DATABASE_CREATE_DENIED, DATABASE_ROLE_DENIED with the SQL for an administrator, DATABASE_RESERVED, DATABASE_OTHER_APP,
 * DATABASE_FOREIGN, and what `withSessions` throws
 */
export async function makeOwnPlace(
  maker: RoleRepairer,
  dbConnType: 'new_database' | 'new_schema',
  owner: Owner,
  main?: Protected,
): Promise<boolean> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  return withSessions(worker, DEADLINE, async (open) => {
    const server = await open.server(main?.database);
    // Undefined if another environment's Worker made it, whose databases this one may not enter: that one repairs it.
    const found = await open.app().catch(ignoreRefusal(place));
    // Before anything of it is given away.
    const isMarked = found ? await refuseTaken(new OpenPlace(place, found), owner) : false;
    const at = new OpenPlace(place, found ?? server);
    const isLeft = found === undefined && (await at.roles.exists?.(at.session, role));
    if (!isLeft) await ensureRole(maker, at, isMarked);
    // A schema's is shared, and made for the first of them.
    const { at: own, created } = await ensureDatabase(open, place, main);
    // Somebody else has made it in the meantime.
    if (!found && !created) await refuseTaken(own, owner);
    await explainDenied(place, 'owner', () => own.roles.give(own.session, place, role));
    const givesSchema = place.kind === 'schema' && !(await own.hasSchema());
    if (givesSchema) await own.roles.giveSchema?.(own.session, place, role);
    return place.kind === 'schema' ? givesSchema : created;
  });
}

/** Refuses a place in which there is anything but this app. @returns whether it is marked as this app's */
async function refuseTaken(at: OpenPlace, { app, uid }: Owner): Promise<boolean> {
  const { place, session, dialect } = at;
  const foreign = () => new AppSupervisorError('DATABASE_FOREIGN', aboutOf(place, app));
  // It may belong to a role that is not this Worker's.
  const { isMain, mark, empty } = await orDenied(place, () => readContent(at, true), foreign);
  if (isMain) refuseMain(place);
  if (mark) {
    refuseForeignMarker(place, mark, { uid });
    return true;
  }
  const tenant = place.kind === 'database' ? await dialect.otherTenant(session, place) : null;
  if (!empty || tenant) throw foreign();
  return false;
}

/**
 * Makes the role, or sets its password.
 * @throws DATABASE_ROLE_DENIED with the SQL for an administrator
 */
const makeRole = ({ role, password }: RoleMaker, { place, roles, session }: OpenPlace): Promise<void> =>
  orDenied(
    place,
    () => roles.make(session, role, password),
    () => roleDenied(place.connection),
  );

/** The Worker's role may not make roles. */
export const roleDenied = (worker: DatabaseConnection): AppSupervisorError =>
  new AppSupervisorError('DATABASE_ROLE_DENIED', {
    user: worker.username ?? '',
    server: serverOf(worker),
    sql: dialectOf(worker).roles?.adminSql(worker.username ?? '') ?? '-',
  });

/**
 * What in an existing place belongs to the Worker, which made or restored it there, is given to the app's role. If the
 * app has changed its own password, it is set again.
 *
 * @throws DATABASE_NOT_OWNED if the place is not the role's, or contains what somebody else owns; DATABASE_MISSING
 */
export async function repairOwnPlace(
  maker: RoleRepairer,
  dbConnType: 'new_database' | 'new_schema',
  app: string,
): Promise<void> {
  const { worker, role } = maker;
  const place = placeOf(worker, dbConnType);
  const ignore = ignoreRefusal(place);
  await withSessions(worker, DEADLINE, async (open) => {
    const session = await open.app().catch(ignore);
    if (session === undefined) return;
    const at = session && new OpenPlace(place, session);
    // Without it the app's role is gone, too, and its sign-in would fail for a reason that says nothing.
    if (!at || !(await at.hasSchema())) throw new AppSupervisorError('DATABASE_MISSING', aboutOf(place, app));
    await assertNotMain(at);
    await repairSignIn(maker, at).catch(ignore);
    await at.roles.takeOver?.(at.session, place, role, 'own').catch(ignore);
    await refuseForeign(at, role, app);
  });
}

/** @throws DATABASE_NOT_OWNED if anything in the place is not the role's */
export async function refuseForeign({ place, roles, session }: OpenPlace, role: string, app: string): Promise<void> {
  const what = (await roles.foreign(session, place, role)).slice(0, 5).join(', ');
  if (what) throw new AppSupervisorError('DATABASE_NOT_OWNED', { ...aboutOf(place, app), role, what });
}

/** What this user may not do, or where it may not sign in, is undefined. */
const ignoreRefusal = (place: Place) => (error: unknown) => {
  if (
    !hasCode(error, 'DATABASE_ROLE_DENIED') &&
    !['denied', 'signIn'].includes(dialectOf(place.connection).faultOf(error))
  )
    throw error;
};

/** An app can change the password of its own role: then it is set again. @returns false: there is no such role */
async function repairSignIn(maker: RoleRepairer, at: OpenPlace): Promise<boolean> {
  const { worker, role, password, nextPassword = password, maySet } = maker;
  if ((await at.roles.exists?.(at.session, role)) === false) return false;
  await resetSettings(role, at);
  // In this order: a role goes from the one to the other, perhaps meanwhile.
  for (const known of new Set([password, nextPassword]))
    if (await signsIn({ ...worker, username: role, password: known })) return true;
  if (maySet(await readHosts(at))) await makeRole(maker, at);
  return true;
}

/** The role may have given itself settings with which it cannot sign in. */
const resetSettings = async (role: string, { place, roles, session }: OpenPlace): Promise<void> =>
  roles.resetSettings?.(session, role).catch(ignoreRefusal(place));

/**
 * Makes the role where it is missing, and else repairs its sign-in.
 * @param isMarked whether the place is the app's already: others may host it there
 * @throws DATABASE_ROLE_DENIED with the SQL for an administrator
 */
export async function ensureRole(maker: RoleRepairer, at: OpenPlace, isMarked: boolean): Promise<void> {
  if (!isMarked || !(await repairSignIn(maker, at))) await makeRole(maker, at);
}

/**
 * Whether a user signs in with the password of a connection, whether or not it may use the database.
 * @throws what else the server answers: it says nothing of the password
 */
export async function signsIn(connection: DatabaseConnection): Promise<boolean> {
  const dialect = dialectOf(connection);
  try {
    const session = await dialect.connect(connection, connection.database ?? null, LABEL);
    await session.close();
    return true;
  } catch (error) {
    const fault = dialect.faultOf(error);
    // MySQL and MariaDB check the right to the database after the password.
    if (fault === 'denied') return true;
    if (fault !== 'signIn') throw error;
    return false;
  }
}

/**
 * Gives an app's role another password. Its sessions stay, unless one of them blocks the change. A repeated call changes nothing.
 * @throws DATABASE_ROLE_DENIED, DATABASE_MISSING, and what `withSessions` throws
 */
export async function setRolePassword(maker: RoleMaker, dbConnType: DbConnType, app: string): Promise<void> {
  const { worker, role, password } = maker;
  await inExisting(placeOf(worker, dbConnType), DEADLINE, app, async (at) => {
    await resetSettings(role, at);
    if (!(await signsIn({ ...worker, username: role, password }))) await makeRole(maker, at);
  });
}

/**
 * Whether an app's database (and schema) is there; then its role can sign in. Its role is dropped after it.
 * @throws what `withSessions` throws
 */
export const isPlaceThere = (maker: RoleMaker, dbConnType: DbConnType): Promise<boolean> =>
  inPlace(placeOf(maker.worker, dbConnType), DEADLINE, async (at) => {
    // A drop goes by confirmed records alone.
    if (at) await repairSignIn({ ...maker, maySet: () => true }, at);
    return at !== null;
  });
