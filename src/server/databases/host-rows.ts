import { z } from 'zod';
import type { DbConnType } from '../../shared/types';
import { AppSupervisorError, fail } from '../errors';
import { PATIENCE } from '../timing';
import { aboutOf, type DatabaseConnection, placeOf } from './connection';
import { hasTable, type SessionMark, tryCreate } from './dialect';
import { dialectOf } from './dialects';
import { lockKey } from './lock';
import { inExisting, type LockedSession, type OpenPlace } from './open';
import { type Owner, readMarker, refuseForeignMarker } from './ownership-marker';

/** A table in an app's database and schema with one row for each environment that hosted the app, beside the ownership marker. */
export const HOSTS_TABLE = 'app_supervisor_hosts';

const COLUMNS =
  'environment VARCHAR(128) PRIMARY KEY, uid VARCHAR(64) NOT NULL, term BIGINT NOT NULL, holder VARCHAR(255) NOT NULL, ' +
  'generation BIGINT NOT NULL, gone INTEGER NOT NULL';
const VALUES = ['uid', 'term', 'holder', 'generation', 'gone'] as const;
const ROW = ['environment', ...VALUES].join(', ');
/** How many rows are read: whoever administers the app can write more than it has environments. */
const MOST_ROWS = 500;
/** A broken database fails within this time, in ms. Nothing waits for another environment meanwhile. */
const DEADLINE = 30_000;
/** In the session of the boot lock, in ms: the lock is lost with it, so that a slow server has more time. */
const LOCKED_DEADLINE = 45_000;
/** How often is looked for the end of other sessions, in ms. */
const LOOK_AGAIN = 100;

/** PostgreSQL's driver gives a BIGINT as text. A number that is none of ours says nothing. */
const count = z.coerce.number().transform((value) => (Number.isSafeInteger(value) && value >= 0 ? value : 0));
/** Which process may write to an app's database for an environment. */
const hostRow = z.object({
  environment: z.string().max(128),
  /** The incarnation of the app. */
  uid: z.string().max(64),
  /** Of the process that hosts the environment: a successor's is higher. */
  term: count,
  /** The process; empty if none has hosted the app there. */
  holder: z.string().max(255),
  /** Of the record by which the app was claimed there, or in which it left. */
  generation: count,
  /** Whether the app has left the environment. */
  gone: count.transform((value) => value > 0),
});
export type HostRow = z.infer<typeof hostRow>;

/** Rows as an app's role may have written them: those that cannot be read do not count. */
export const readRows = (rows: readonly unknown[]): HostRow[] =>
  rows.map((row) => hostRow.safeParse(row).data).filter((row) => row !== undefined);

export const rowsSql = (at: OpenPlace): string =>
  `SELECT ${ROW} FROM ${at.table(HOSTS_TABLE)} ORDER BY environment LIMIT ${MOST_ROWS}`;

/** What becomes of the rows of an app; absent: nothing. */
export interface RowChange {
  write?: HostRow[];
  /** Environments whose rows go. */
  remove?: string[];
}

/** The rows of one app, and the sessions that processes have in its database. */
export type HostPlace = Pick<SqlHostPlace, 'rows' | 'change' | 'endSessions' | 'endBoot'>;

/** A process as a connection of an app's pool proves itself. */
export type Host = Pick<HostRow, 'environment' | 'holder' | 'term'>;

/**
 * Opens the place of an app in a session of its own, or in that of the boot lock, which ends with the lock.
 *
 * @throws what `placeOf` and `withSessions` throw, DATABASE_MISSING
 */
export function withHostPlace<T>(
  connection: DatabaseConnection,
  dbConnType: DbConnType,
  owner: Owner,
  work: (place: HostPlace) => Promise<T>,
  lock?: LockedSession,
): Promise<T> {
  const place = placeOf(connection, dbConnType);
  const run = async (at: OpenPlace) => {
    // Before the table is made: nothing is made in a place of somebody else.
    await checkOwner(at, owner);
    await makeTable(at);
    for (const limit of at.dialect.transaction.limits) await at.query(limit).catch(() => undefined);
    return work(new SqlHostPlace(at, owner));
  };
  return inExisting(place, lock ? LOCKED_DEADLINE : DEADLINE, owner.app, run, lock);
}

/**
 * Before a transaction, which a change of tables commits in MySQL; and only if it is missing, because MySQL lets that wait for a transaction
 * in which somebody is frozen.
 */
async function makeTable(at: OpenPlace): Promise<void> {
  if (hasTable(await at.relations(), HOSTS_TABLE)) return;
  const sql = `CREATE TABLE IF NOT EXISTS ${at.table(HOSTS_TABLE)} (${COLUMNS})${at.dialect.transaction.table}`;
  // PostgreSQL's IF NOT EXISTS still fails when two sessions run it at the same time.
  await tryCreate(at.dialect, () => at.query(sql));
}

/**
 * @param locking as `Dialect.transaction`
 * @throws DATABASE_UNMARKED, DATABASE_OTHER_APP
 */
async function checkOwner(at: OpenPlace, owner: Owner, locking = ''): Promise<void> {
  const mark = await readMarker(at, locking).catch((error) => {
    if (at.dialect.faultOf(error) === 'noTable') return null;
    throw error;
  });
  refuseForeignMarker(at.place, mark ?? fail('DATABASE_UNMARKED', aboutOf(at.place, owner.app)), owner);
}

/** Every change locks the row of the place's owner: two changes follow each other, also where there are no rows yet. */
class SqlHostPlace {
  constructor(
    private readonly at: OpenPlace,
    private readonly owner: Owner,
  ) {}

  /** The rows as they are now. Without `locking` it waits for nobody who changes them, and may be frozen. */
  async rows(locking = ''): Promise<HostRow[]> {
    return readRows(await this.at.query(`${rowsSql(this.at)}${locking}`));
  }

  /**
   * Reads the rows of the place and changes them, in one transaction in which nobody else does.
   * @throws DATABASE_OTHER_APP, DATABASE_UNMARKED if the place does not belong to the app, and DATABASE_…
   */
  async change<T extends object>(judge: (rows: HostRow[]) => T & RowChange): Promise<T> {
    const { at, owner } = this;
    const { begin, locking } = at.dialect.transaction;
    await at.query(begin);
    try {
      await checkOwner(at, owner, locking);
      const change = judge(await this.rows(locking));
      const remove = `DELETE FROM ${at.table(HOSTS_TABLE)} WHERE environment = ?`;
      for (const environment of change.remove ?? []) await at.query(remove, [environment]);
      for (const row of change.write ?? []) await this.write(row);
      await at.query('COMMIT');
      return change;
    } catch (error) {
      await at.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  private async write(row: HostRow): Promise<void> {
    const { at } = this;
    const table = at.table(HOSTS_TABLE);
    const { environment } = row;
    const values = VALUES.map((column) => (column === 'gone' ? Number(row.gone) : row[column]));
    const insert = at.dialect.insertIgnore(table, ROW, `?${', ?'.repeat(VALUES.length)}`);
    await at.query(insert, [environment, ...values]);
    const set = VALUES.map((column) => `${column} = ?`).join(', ');
    await at.query(`UPDATE ${table} SET ${set} WHERE environment = ?`, [...values, environment]);
  }

  /**
   * Ends the sessions that processes of an environment have there for the app, except of one holder, and waits until they are gone.
   * @throws HOSTING_HELD if one cannot be ended
   */
  async endSessions(environment: string, exceptOf: string | null): Promise<void> {
    const { at, owner } = this;
    const { dialect, session, place } = at;
    const group = markGroup(owner.uid, environment);
    const until = dialect.clock.now().mono + PATIENCE;
    for (;;) {
      const left = await dialect.marked(session, group, exceptOf);
      if (!left.length) return;
      await dialect.endSessions(session, left);
      if (dialect.clock.now().mono >= until) {
        const sessions = left.join(', ');
        throw new AppSupervisorError('HOSTING_HELD', { app: owner.app, environment, sessions, server: place.server });
      }
      await dialect.clock.sleep(LOOK_AGAIN);
    }
  }

  /**
   * Ends a session that has the boot lock, if it is of one of these environments, except of one holder.
   * @returns whether there was one
   */
  async endBoot(environments: string[], exceptOf: string): Promise<boolean> {
    const { dialect, session, place } = this.at;
    const backend = await dialect.lock.holder?.(session, lockKey(place.connection));
    if (!backend) return false;
    for (const environment of environments) {
      const marked = await dialect.marked(session, markGroup(this.owner.uid, environment), exceptOf);
      if (!marked.includes(backend)) continue;
      await dialect.endSessions(session, [backend]);
      return true;
    }
    return false;
  }
}

/** By the incarnation, which users of other apps do not know: on MariaDB they could hold locks of the same names. */
const markGroup = (uid: string, environment: string): string => `${uid} ${environment}`;

/** What says that a session belongs to a process that hosts an app. */
export const markOf = (uid: string, { environment, holder }: Pick<Host, 'environment' | 'holder'>): SessionMark => ({
  group: markGroup(uid, environment),
  holder,
});

/**
 * Marks a new connection of an app's pool, and then reads the app's row of its environment: whoever replaces the row ends all that are
 * marked. What the row says is judged in worker/hosting/guarded-pool.ts.
 *
 * @param uid the incarnation of the app
 * @returns undefined if there is no row
 * @throws errors of the driver, and an error if it cannot be marked
 */
export async function markConnection(
  connection: DatabaseConnection,
  opened: unknown,
  host: Pick<Host, 'environment' | 'holder'>,
  uid: string,
): Promise<HostRow | undefined> {
  const dialect = dialectOf(connection);
  const table = dialect.table(placeOf(connection), HOSTS_TABLE);
  const query = (sql: string, params: readonly unknown[] = []) => dialect.queryBy(opened, sql, params);
  if (!(await dialect.mark(query, markOf(uid, host)))) throw new Error('The session cannot be marked.');
  try {
    const rows = await query(`SELECT ${ROW} FROM ${table} WHERE environment = ?`, [host.environment]);
    return readRows(rows)[0];
  } catch (error) {
    // A backup is being restored, from before there was such a table.
    if (dialect.faultOf(error) === 'noTable') return undefined;
    throw error;
  }
}
