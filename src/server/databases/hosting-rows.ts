import { z } from 'zod';
import type { DbConnType } from '../../shared/types';
import { fail } from '../errors';
import { type DatabaseConnection, type Place, placeOf } from './connection';
import { type Dialect, tryCreate } from './dialect';
import { dialects } from './dialects';
import { lockKey } from './lock';
import { withSessions } from './open';
import type { Session } from './session';

/** A table in an app's database and schema with one row for each environment that hosts the app, beside the ownership marker. */
export const HOSTING_TABLE = 'app_supervisor_hosting';

const COLUMNS =
  'environment VARCHAR(64) PRIMARY KEY, uid VARCHAR(64) NOT NULL, generation BIGINT NOT NULL, instance VARCHAR(255) NOT NULL, ' +
  'epoch BIGINT NOT NULL, taken BIGINT NOT NULL, boot VARCHAR(32) NOT NULL, installation VARCHAR(64) NOT NULL';

const HOST = ['uid', 'generation', 'instance', 'epoch', 'taken', 'boot', 'installation'] as const;
const ROW = ['environment', ...HOST].join(', ');
/** How many rows are read: whoever administers the app can write more than it has environments. */
const MOST_ROWS = 500;
/** A broken database fails within this time, in ms. Nothing waits for another environment meanwhile. */
const DEADLINE = 30_000;

/** Which process hosts an app for an environment. */
export interface HostingRow {
  environment: string;
  /** The incarnation of the app. */
  uid: string;
  /** Of the record by which the app last booted there. */
  generation: number;
  /** The process. */
  instance: string;
  epoch: number;
  /** The generation of the app in which it was taken from this environment; 0: it was not. */
  taken: number;
  /** The server's id of the session that held the lock for the last boot. */
  boot: string;
  /** Fingerprint of the main database of the process; empty where it is unknown. */
  installation: string;
}

/** PostgreSQL's driver gives a BIGINT as text. A number that is none of ours says nothing. */
const count = z.coerce.number().transform((value) => (Number.isSafeInteger(value) && value >= 0 ? value : 0));
const hostingRow = z.object({
  environment: z.string().max(64),
  uid: z.string().max(64),
  generation: count,
  instance: z.string().max(255),
  epoch: count,
  taken: count,
  boot: z.string().max(32),
  installation: z.string().max(64),
});

/** Rows as an app's role may have written them: those that cannot be read do not count. */
export const readRows = (rows: readonly unknown[]): HostingRow[] =>
  rows.map((row) => hostingRow.safeParse(row).data).filter((row) => row !== undefined);

/** The rows of one app, and the sessions of the processes that host it. */
export interface HostingRows {
  all(): Promise<HostingRow[]>;
  /** Replaces the row of its environment. Sessions that other processes of the environment have there end. */
  write(row: HostingRow): Promise<void>;
  /**
   * Takes an app from an environment: its process finds no row of its own any more, and its sessions end. The row of another app, which has
   * the database by now, stays.
   */
  take(place: Pick<HostingRow, 'environment' | 'uid'>, generation: number): Promise<void>;
}

/** A process as a connection of an app's pool proves itself. */
export type Host = Pick<HostingRow, 'environment' | 'instance' | 'epoch'>;

/**
 * Opens an app's rows. Call it under the database lock, or for a single `take`.
 *
 * @throws what `placeOf` and `withSessions` throw, DATABASE_MISSING
 */
export function withHostingRows<T>(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  app: string,
  work: (rows: HostingRows) => Promise<T>,
): Promise<T> {
  const place = placeOf(connection, dbConnType);
  const dialect = dialects[connection.dialect];
  return withSessions(connection, DEADLINE, async (open) => {
    const session = (await open.app()) ?? fail('DATABASE_MISSING', { object: place.label, server: place.server, app });
    // PostgreSQL's IF NOT EXISTS still fails when two sessions run it at the same time.
    await tryCreate(dialect, () => session.query(`CREATE TABLE IF NOT EXISTS ${tableOf(dialect, place)} (${COLUMNS})`));
    return work(new SqlHostingRows(dialect, session, tableOf(dialect, place)));
  });
}

/**
 * Ends the boot of a process that may not host the app any more, if it still holds the lock of the app: frozen in its boot, it would
 * keep everybody waiting.
 *
 * @param displacedOf of all rows, those of processes that may not host the app any more
 * @returns whether the lock was held by such a process
 */
export async function endDisplacedBoot(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  app: string,
  displacedOf: (rows: HostingRow[]) => HostingRow[],
): Promise<boolean> {
  const dialect = dialects[connection.dialect];
  const { holder } = dialect.lock;
  if (!holder) return false;
  return withHostingRows(connection, dbConnType, app, async (rows) => {
    const displaced = displacedOf(await rows.all());
    if (!displaced.length) return false;
    return withSessions(connection, DEADLINE, async (open) => {
      const session = await open.app();
      const backend = session && (await holder(session, lockKey(connection)));
      if (!backend || !displaced.some(({ boot }) => boot === backend)) return false;
      await dialect.endSessions(session, [backend]);
      return true;
    });
  });
}

/** SQL that removes the rows from a place. */
export const removeHostingSql = (dialect: Dialect, place: Place) => `DROP TABLE IF EXISTS ${tableOf(dialect, place)}`;

const tableOf = (dialect: Dialect, place: Place) => dialect.table(place, HOSTING_TABLE);

class SqlHostingRows implements HostingRows {
  constructor(
    private readonly dialect: Dialect,
    private readonly session: Session,
    private readonly table: string,
  ) {}

  async all(): Promise<HostingRow[]> {
    const rows = await this.session.query(`SELECT ${ROW} FROM ${this.table} ORDER BY environment LIMIT ${MOST_ROWS}`);
    return readRows(rows);
  }

  async write(row: HostingRow): Promise<void> {
    const { dialect, session, table } = this;
    const { environment, uid, instance } = row;
    const host = HOST.map((column) => row[column]);
    await session.query(dialect.insertIgnore(table, ROW, `?${', ?'.repeat(HOST.length)}`), [environment, ...host]);
    const values = HOST.map((column) => `${column} = ?`).join(', ');
    await session.query(`UPDATE ${table} SET ${values} WHERE environment = ?`, [...host, environment]);
    // After the row: a session that begins now is refused.
    await dialect.endMarked(session, markGroup(uid, environment), instance);
  }

  async take({ environment, uid }: Pick<HostingRow, 'environment' | 'uid'>, generation: number): Promise<void> {
    const { dialect, session, table } = this;
    await session.query(`UPDATE ${table} SET taken = ? WHERE environment = ? AND uid = ? AND taken < ?`, [
      generation,
      environment,
      uid,
      generation,
    ]);
    await dialect.endMarked(session, markGroup(uid, environment), null);
  }
}

/** By the incarnation, which users of other apps do not know: on MariaDB they could hold locks of the same names. */
const markGroup = (uid: string, environment: string): string => `${uid} ${environment}`;

/** What a new connection of an app's pool found: `own`, or a row that says that another process hosts the app, or none does. */
export type Admission = 'own' | 'refused';

/**
 * What the row of an environment means for a process that runs an app there. Who takes an app over writes it into the row: where the app
 * has none, the data of another environment or app were restored. `adopt`: a row of an earlier epoch is from a backup, too.
 *
 * @param uid the incarnation of the app
 */
export function judgeAdmission(
  row: HostingRow | undefined,
  { instance, epoch }: Pick<Host, 'instance' | 'epoch'>,
  uid: string,
): Admission | 'adopt' {
  if (row?.uid !== uid) return 'own';
  if (row.taken > 0) return 'refused';
  if (row.instance === instance) return 'own';
  return row.epoch < epoch ? 'adopt' : 'refused';
}

/**
 * Lets a new connection of an app's pool in only if the app's row of its environment is this process's. It is marked before that: whoever
 * replaces the row ends all that are marked. A row of an earlier epoch is from a backup that was restored meanwhile, and becomes this
 * process's again.
 *
 * @param uid the incarnation of the app
 * @throws errors of the driver
 */
export async function admitConnection(
  connection: DatabaseConnection,
  opened: unknown,
  { environment, instance, epoch }: Host,
  uid: string,
): Promise<Admission> {
  const dialect = dialects[connection.dialect];
  const table = tableOf(dialect, placeOf(connection));
  const query = (sql: string, ...params: unknown[]) => dialect.queryBy(opened, sql, params);
  await dialect.mark(opened, { group: markGroup(uid, environment), holder: instance });
  try {
    const { rows } = await query(`SELECT ${ROW} FROM ${table} WHERE environment = ?`, environment);
    const verdict = judgeAdmission(readRows(rows)[0], { instance, epoch }, uid);
    if (verdict !== 'adopt') return verdict;
    const adopt = `UPDATE ${table} SET instance = ?, epoch = ? WHERE environment = ? AND taken = 0 AND epoch < ?`;
    return (await query(adopt, instance, epoch, environment, epoch)).changed > 0 ? 'own' : 'refused';
  } catch (error) {
    const fault = dialect.faultOf(error);
    // A backup is being restored, from before there was such a table: the next start writes the row. Or nobody can write one.
    if (fault === 'noTable' || fault === 'readOnly') return 'own';
    throw error;
  }
}
