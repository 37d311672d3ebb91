import { say } from '../../shared/message';
import { AppSupervisorError, fail } from '../errors';
import type { Place } from './connection';
import { type Dialect, tryCreate } from './dialect';
import type { Session } from './session';

/** A table with one row in an app's database and schema that identifies its owner. No prefix: one place, one app. */
export const MARKER_TABLE = 'app_supervisor_mark';

const COLUMNS =
  'id INTEGER PRIMARY KEY, uid VARCHAR(64) NOT NULL, app VARCHAR(64) NOT NULL, created INTEGER NOT NULL, ' +
  'installed INTEGER NOT NULL, upgrading INTEGER NOT NULL DEFAULT 0, created_at VARCHAR(30) NOT NULL';

export interface Owner {
  /** Name of the app, for people. */
  app: string;
  /** Uid of this incarnation of the name, stored in the marker. */
  uid: string;
}

export interface OwnershipMarker {
  uid: string;
  /** The app's name when the marker was written, for people. */
  app: string;
  /** Whether this app created the place, so that it may empty and drop it. */
  created: boolean;
  /**
   * Whether a complete installation was ever seen here. An upgrade empties the version table before it writes it again
   * (server/src/helpers/application-version.ts:44), so a missing version alone proves nothing.
   */
  installed: boolean;
  /**
   * Whether an upgrade has begun and not ended. The core writes the new version of a built-in plugin before that
   * plugin's migrations run (preset-nocobase, `upgrade`), so versions alone do not show a failed upgrade.
   */
  upgrading: boolean;
}

/** @param locking see `Dialect.transaction` */
export async function readMarker(
  dialect: Dialect,
  session: Session,
  place: Place,
  locking = '',
): Promise<OwnershipMarker | null> {
  const sql = `SELECT uid, app, created, installed, upgrading FROM ${tableOf(dialect, place)} WHERE id = 1${locking}`;
  const row = (await session.query(sql))[0];
  if (!row) return null;
  return {
    uid: String(row.uid),
    app: String(row.app),
    created: Number(row.created) === 1,
    installed: Number(row.installed) === 1,
    upgrading: Number(row.upgrading) === 1,
  };
}

/** @throws DATABASE_OTHER_APP if the marker belongs to another app */
export function refuseForeignMarker(
  dialect: Dialect,
  place: Place,
  mark: OwnershipMarker,
  { uid }: Pick<Owner, 'uid'>,
): void {
  if (mark.uid === uid) return;
  const sql = removeMarkerSql(dialect, place);
  throw new AppSupervisorError('DATABASE_OTHER_APP', {
    object: place.label,
    server: place.server,
    owner: mark.app,
    uid: mark.uid,
    sql,
  });
}

/** Writes the marker if there is none, and returns the current one: of two concurrent writers the first one wins. */
export async function writeMarker(
  dialect: Dialect,
  session: Session,
  place: Place,
  mark: Omit<OwnershipMarker, 'upgrading'>,
): Promise<OwnershipMarker> {
  const table = tableOf(dialect, place);
  // PostgreSQL's IF NOT EXISTS still fails when two sessions run it at the same time.
  await tryCreate(dialect, () => session.query(`CREATE TABLE IF NOT EXISTS ${table} (${COLUMNS})`));
  await session.query(dialect.insertIgnore(table, 'id, uid, app, created, installed, created_at', '1, ?, ?, ?, ?, ?'), [
    mark.uid,
    mark.app,
    mark.created ? 1 : 0,
    mark.installed ? 1 : 0,
    new Date().toISOString(),
  ]);
  const written = await readMarker(dialect, session, place);
  if (!written) return fail('DATABASE_FAILED', { server: place.server, cause: say('MARKER_VANISHED', { table }) });
  return written;
}

/** Assigns the marker to another app, whoever owned it. */
export async function reassignMarker(
  dialect: Dialect,
  session: Session,
  place: Place,
  mark: Omit<OwnershipMarker, 'upgrading'>,
): Promise<void> {
  await writeMarker(dialect, session, place, mark);
  await session.query(
    `UPDATE ${tableOf(dialect, place)} SET uid = ?, app = ?, created = ?, installed = ? WHERE id = 1`,
    [mark.uid, mark.app, mark.created ? 1 : 0, mark.installed ? 1 : 0],
  );
}

/** Records that a complete installation was seen. */
export async function recordInstalled(dialect: Dialect, session: Session, place: Place): Promise<void> {
  await session.query(`UPDATE ${tableOf(dialect, place)} SET installed = 1 WHERE id = 1`);
}

/** Records that an upgrade begins, or that it has ended. */
export async function recordUpgrading(
  dialect: Dialect,
  session: Session,
  place: Place,
  upgrading: boolean,
): Promise<void> {
  await session.query(`UPDATE ${tableOf(dialect, place)} SET upgrading = ${upgrading ? 1 : 0} WHERE id = 1`);
}

/** SQL that removes the marker from a place. */
export const removeMarkerSql = (dialect: Dialect, place: Place) => `DROP TABLE ${tableOf(dialect, place)};`;

const tableOf = (dialect: Dialect, place: Place) => dialect.table(place, MARKER_TABLE);
