import type { DbConnType } from '../../shared/types';
import { AppSupervisorError, fail } from '../errors';
import { adoptOwnPlace } from './adopt';
import { aboutOf, type DatabaseConnection, ownerOf, type Place, type Protected, placeOf } from './connection';
import { type DatabaseContent, readContent, refuseMain } from './content';
import { ensurePlace, explainDenied } from './create';
import { endDrops } from './drop-fence';
import { inPlace, type LockedSession, type Opener, type OpenPlace, withSessions } from './open';
import { type Owner, type OwnershipMarker, record, refuseForeignMarker, writeMarker } from './ownership-marker';
import { makeOwnPlace, type RoleRepairer, repairOwnPlace } from './role';

/** A broken database fails within this time, in ms. */
const DEADLINE = 15_000;

export interface PrepareOptions extends Owner {
  /** Only the first boot of a new app may create the database and its marker. */
  mayCreate: boolean;
  /** Takes over the database of a NocoBase app without a marker. */
  adopt?: boolean;
  protect?: Protected;
  /** Null if the app has no database role of its own: then `connection` is the Worker's. */
  maker?: RoleRepairer | null;
  /** Called before a missing place is created: another plugin may create it. */
  createByOther?: () => Promise<void>;
  /** Of the database; absent: a session is opened, since a place that is to be made has no lock. */
  lock?: LockedSession;
}

export interface PreparedDatabase extends DatabaseContent {
  /** Whether the database or schema was just created. */
  created: boolean;
  mark: Pick<OwnershipMarker, 'uid' | 'created' | 'upgrading'>;
}

/**
 * Makes sure that the app's database (and schema) exists and belongs to the app, and returns its content. A repeated
 * call changes nothing.
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
  const worker = placeOf(options.maker?.worker ?? connection, dbConnType);
  // Without our deadline: another plugin may order a database somewhere.
  if (options.mayCreate && options.createByOther && !(await inPlace(worker, DEADLINE, async (at) => at !== null)))
    await options.createByOther();
  const isMade = await prepareRole(dbConnType, options);
  const prepare = async (open: Opener) => {
    const ensured = await ensurePlace(open, place, {
      app: options.app,
      mayCreate: options.mayCreate && !options.maker,
      main: options.protect,
    });
    const { at } = ensured;
    const created = ensured.created || isMade;
    const { mark: found, empty: _, isMain, ...content } = await readContent(at);
    if (isMain) refuseMain(place);
    const mark = found ?? (await markPlace(at, { ...content, created }, options, worker));
    refuseForeignMarker(place, mark, options);
    if (content.installed === 'complete' && !mark.installed) await record(at, 'installed', true);
    return { ...content, created, mark: { uid: mark.uid, created: mark.created, upgrading: mark.upgrading } };
  };
  return withSessions(connection, DEADLINE, prepare, options.lock);
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

/** The same without creating or adopting anything: what to do next with a prepared database. */
export const inspectDatabase = (
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  owner: Owner,
  lock?: LockedSession,
): Promise<PreparedDatabase> =>
  prepareDatabase(connection, dbConnType, { app: owner.app, uid: owner.uid, mayCreate: false, lock });

/**
 * Writes our marker into a place without one, or refuses the place.
 * @param worker by the sign-in that drops there
 */
async function markPlace(
  at: OpenPlace,
  content: DatabaseContent & { created: boolean },
  { app, uid, mayCreate, adopt }: PrepareOptions,
  worker: Place,
): Promise<OwnershipMarker> {
  const isEmpty = content.installed === 'none';
  if (isEmpty && !mayCreate) fail('DATABASE_UNMARKED', aboutOf(at.place, app));
  if (!isEmpty && !(adopt && content.version)) fail('DATABASE_FOREIGN', aboutOf(at.place, app));
  const mark = { uid, app, created: content.created, installed: !isEmpty };
  // A drop that begins from now on finds the place unmarked, or another app's.
  await inPlace(worker, DEADLINE, async (own) => own && endDrops(own));
  return explainDenied(at.place, 'tables', () => writeMarker(at, mark));
}
