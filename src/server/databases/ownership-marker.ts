import { z } from 'zod';
import { say } from '../../shared/message';
import { AppSupervisorError, fail } from '../errors';
import type { Place } from './connection';
import { tryCreate } from './dialect';
import { dialectOf } from './dialects';
import type { OpenPlace } from './open';

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

const flag = z.unknown().transform((value) => Number(value) === 1);
const marker = z.object({
  uid: z.coerce.string(),
  /** The app's name when the marker was written, for people. */
  app: z.coerce.string(),
  /** Whether this app created the place, so that it may empty and drop it. */
  created: flag,
  /**
   * Whether a complete installation was ever seen here. An upgrade empties the version table before it writes it again
   * (server/src/helpers/application-version.ts:44), so a missing version alone proves nothing.
   */
  installed: flag,
  /**
   * Whether an upgrade has begun and not ended. The core writes the new version of a built-in plugin before that
   * plugin's migrations run (preset-nocobase, `upgrade`), so versions alone do not show a failed upgrade.
   */
  upgrading: flag,
});
export type OwnershipMarker = z.infer<typeof marker>;

/** @param locking see `Dialect.transaction` */
export async function readMarker(at: OpenPlace, locking = ''): Promise<OwnershipMarker | null> {
  const table = at.table(MARKER_TABLE);
  const sql = `SELECT uid, app, created, installed, upgrading FROM ${table} WHERE id = 1${locking}`;
  const row = (await at.query(sql))[0];
  return row ? marker.parse(row) : null;
}

/** @throws DATABASE_OTHER_APP if the marker belongs to another app */
export function refuseForeignMarker(place: Place, mark: OwnershipMarker, { uid }: Pick<Owner, 'uid'>): void {
  if (mark.uid === uid) return;
  const sql = removeMarkerSql(place);
  throw new AppSupervisorError('DATABASE_OTHER_APP', {
    object: place.label,
    server: place.server,
    owner: mark.app,
    uid: mark.uid,
    sql,
  });
}

/** Writes the marker if there is none, and returns the current one: of two concurrent writers the first one wins. */
export async function writeMarker(at: OpenPlace, mark: Omit<OwnershipMarker, 'upgrading'>): Promise<OwnershipMarker> {
  const { dialect } = at;
  const table = at.table(MARKER_TABLE);
  // PostgreSQL's IF NOT EXISTS still fails when two sessions run it at the same time.
  await tryCreate(dialect, () => at.query(`CREATE TABLE IF NOT EXISTS ${table} (${COLUMNS})`));
  const insert = dialect.insertIgnore(table, 'id, uid, app, created, installed, created_at', '1, ?, ?, ?, ?, ?');
  await at.query(insert, [...valuesOf(mark), new Date(dialect.clock.now().wall).toISOString()]);
  const cause = say('MARKER_VANISHED', { table });
  return (await readMarker(at)) ?? fail('DATABASE_FAILED', { server: at.place.server, cause });
}

/** Assigns the marker to another app, whoever owned it. */
export async function reassignMarker(at: OpenPlace, mark: Omit<OwnershipMarker, 'upgrading'>): Promise<void> {
  await writeMarker(at, mark);
  const set = 'uid = ?, app = ?, created = ?, installed = ?';
  await at.query(`UPDATE ${at.table(MARKER_TABLE)} SET ${set} WHERE id = 1`, valuesOf(mark));
}

const valuesOf = ({ uid, app, created, installed }: Omit<OwnershipMarker, 'upgrading'>) => [
  uid,
  app,
  Number(created),
  Number(installed),
];

/** Records that a complete installation was seen, or that an upgrade begins or has ended. */
export async function record(at: OpenPlace, what: 'installed' | 'upgrading', isSo: boolean): Promise<void> {
  await at.query(`UPDATE ${at.table(MARKER_TABLE)} SET ${what} = ${Number(isSo)} WHERE id = 1`);
}

/** SQL that removes the marker from a place. */
export const removeMarkerSql = (place: Place) =>
  `DROP TABLE ${dialectOf(place.connection).table(place, MARKER_TABLE)};`;
