import type { DbConnType } from '../../shared/types';
import { AppSupervisorError } from '../errors';
import { adoptOwnPlace } from './adopt';
import { type DatabaseConnection, ownerOf, type Place, type Protected, placeOf } from './connection';
import { type DatabaseContent, type FoundContent, readContent, refuseMain } from './content';
import { ensurePlace, explainDenied } from './create';
import type { Dialect } from './dialect';
import { dialects } from './dialects';
import { endDrops } from './drop-fence';
import { withSessions } from './open';
import {
  type Owner,
  type OwnershipMarker,
  recordInstalled,
  refuseForeignMarker,
  writeMarker,
} from './ownership-marker';
import { makeOwnPlace, type RoleMaker, repairOwnPlace } from './role';
import type { Session } from './session';

/** A broken database fails within this time, in ms. */
const DEADLINE = 15_000;

export interface PrepareOptions extends Owner {
  /** Only the first boot of a new app may create the database and its marker. */
  mayCreate: boolean;
  /** Takes over the database of a NocoBase app without a marker. */
  adopt?: boolean;
  protect?: Protected;
  /** Null if the app has no database role of its own: then `connection` is the Worker's. */
  maker?: RoleMaker | null;
  /** Called before a missing place is created: another plugin may create it. */
  createByOther?: () => Promise<void>;
}

export interface PreparedDatabase extends DatabaseContent {
  /** Whether the database or schema was just created. */
  created: boolean;
  mark: Pick<OwnershipMarker, 'uid' | 'created' | 'upgrading'>;
}

/**
 * Makes sure that the app's database (and schema) exists and belongs to the app, and returns its content. A repeated
 * call changes nothing. Call it without the database lock, which needs an existing database.
 *
 * @throws DATABASE_MISSING, DATABASE_UNMARKED, DATABASE_FOREIGN, DATABASE_OTHER_APP, DATABASE_RESERVED,
 * DATABASE_CREATE_DENIED and what `placeOf` and `withSessions` throw
 */
export async function prepareDatabase(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  options: PrepareOptions,
): Promise<PreparedDatabase> {
  const place = placeOf(connection, dbConnType);
  const reserved = ownerOf(place, options.protect);
  if (reserved)
    throw new AppSupervisorError('DATABASE_RESERVED', { object: place.label, server: place.server, owner: reserved });
  const dialect = dialects[connection.dialect];
  const worker = options.maker?.worker ?? connection;
  // Without our deadline: another plugin may order a database somewhere.
  if (options.mayCreate && options.createByOther && !(await exists(dialect, worker, placeOf(worker, dbConnType))))
    await options.createByOther();
  const isMade = await prepareRole(dbConnType, options);
  return withSessions(connection, DEADLINE, async (open) => {
    const missing = () =>
      new AppSupervisorError('DATABASE_MISSING', { object: place.label, server: place.server, app: options.app });
    const ensured = await ensurePlace(dialect, open, place, {
      mayCreate: options.mayCreate && !options.maker,
      missing,
      main: options.protect,
    });
    const { session } = ensured;
    const created = ensured.created || isMade;
    const { mark: found, empty: _, isMain, ...content } = await readContent(dialect, session, place);
    if (isMain) refuseMain(place);
    const mark = found ?? (await markPlace(dialect, session, place, { ...content, created }, options, worker));
    refuseForeignMarker(dialect, place, mark, options);
    if (content.installed === 'complete' && !mark.installed) await recordInstalled(dialect, session, place);
    return { ...content, created, mark: { uid: mark.uid, created: mark.created, upgrading: mark.upgrading } };
  });
}

/** @returns whether the place was made for the app's role */
async function prepareRole(dbConnType: DbConnType, options: PrepareOptions): Promise<boolean> {
  const { maker, mayCreate, adopt, app, protect } = options;
  if (!maker || dbConnType === 'new_connection') return false;
  if (mayCreate) return makeOwnPlace(maker, dbConnType, options, protect);
  if (adopt) await adoptOwnPlace(maker, dbConnType, options);
  await repairOwnPlace(maker, dbConnType, app);
  return false;
}

const exists = (dialect: Dialect, connection: DatabaseConnection, place: Place): Promise<boolean> =>
  withSessions(connection, DEADLINE, async (open) => {
    const session = await open.app();
    return session !== null && (await dialect.hasSchema(session, place));
  });

/** The same without creating or adopting anything: what to do next with a prepared database. */
export const inspectDatabase = (
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  owner: Owner,
): Promise<PreparedDatabase> =>
  prepareDatabase(connection, dbConnType, { app: owner.app, uid: owner.uid, mayCreate: false });

/**
 * Writes our marker into a place without one, or refuses the place.
 * @param worker the sign-in that drops there
 */
async function markPlace(
  dialect: Dialect,
  session: Session,
  place: Place,
  content: DatabaseContent & { created: boolean },
  { app, uid, mayCreate, adopt }: PrepareOptions,
  worker: DatabaseConnection,
): Promise<OwnershipMarker> {
  const details = { object: place.label, server: place.server, app };
  const isEmpty = content.installed === 'none';
  if (isEmpty && !mayCreate) throw new AppSupervisorError('DATABASE_UNMARKED', details);
  if (!isEmpty && !(adopt && content.version)) throw new AppSupervisorError('DATABASE_FOREIGN', details);
  const mark = { uid, app, created: content.created, installed: !isEmpty };
  // A drop that begins from now on finds the place unmarked, or another app's.
  await withSessions(worker, DEADLINE, async (open) => {
    const own = await open.app();
    if (own) await endDrops(own, place);
  });
  return explainDenied(dialect, place, 'tables', () => writeMarker(dialect, session, place, mark));
}

/** For work on a place that already belongs to the app. */
export async function readOwn(
  dialect: Dialect,
  session: Session,
  place: Place,
  owner: Owner,
): Promise<FoundContent & { mark: OwnershipMarker }> {
  const content = await readContent(dialect, session, place);
  if (!content.mark) {
    const code = content.empty ? 'DATABASE_UNMARKED' : 'DATABASE_FOREIGN';
    throw new AppSupervisorError(code, { object: place.label, server: place.server, app: owner.app });
  }
  refuseForeignMarker(dialect, place, content.mark, owner);
  return { ...content, mark: content.mark };
}
