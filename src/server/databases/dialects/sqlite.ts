import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemClock } from '../../clock';
import type { DatabaseConnection } from '../connection';
import { type Dialect, isNetworkError, type SessionLock } from '../dialect';
import { loadDriver } from '../drivers';
import { ConnectionLoss, closeWithin, type Session } from '../session';

/** SQLite: the database is a file, for one process only. */

/** Means `missing` for `faultOf`. */
class NoSuchFile extends Error {}

/** Without a file: a session on nothing, because there is no server. */
async function connect(_connection: DatabaseConnection, file: string | null): Promise<Session> {
  if (file && !existsSync(file)) throw new NoSuchFile(`There is no file ${file}.`);
  const { Database, OPEN_READWRITE } = await loadDriver('sqlite3', () => import('sqlite3'));
  const db = await new Promise<InstanceType<typeof Database>>((resolve, reject) => {
    const opened = new Database(file ?? ':memory:', OPEN_READWRITE, (error) =>
      error ? reject(error) : resolve(opened),
    );
  });
  db.configure('busyTimeout', 3_000);
  const loss = new ConnectionLoss();
  const close = () =>
    new Promise<void>((resolve) => {
      db.close(() => resolve());
    });
  return {
    query: (sql, params = []) =>
      new Promise((resolve, reject) => {
        db.all(sql, params, (error, rows) => (error ? reject(error) : resolve(rows)));
      }),
    close: () => closeWithin(close(), () => loss.emit(new Error('The file was closed.'))),
    onLost: loss.listen,
  };
}

const quote = (name: string) => `"${name.replace(/"/g, '""')}"`;

/** The lock holders in this process: SQLite has no lock that lives as long as a session. */
const holders = new Map<bigint, Session>();

const lock: SessionLock = {
  async tryTake(session, key) {
    if (holders.has(key)) return false;
    holders.set(key, session);
    session.onLost(() => holders.get(key) === session && holders.delete(key));
    return true;
  },
  poll: async (session, key) => ({ backend: 'this process', held: holders.get(key) === session }),
  async release(session, key) {
    if (holders.get(key) === session) holders.delete(key);
  },
};

export const sqlite: Dialect = {
  clock: systemClock,
  connect,
  serverDatabases: () => [null],
  faultOf(error) {
    const { code, message = '' } = (error ?? {}) as { code?: string; message?: string };
    if (error instanceof NoSuchFile) return 'missing';
    if (code === 'EEXIST') return 'exists';
    if (/no such table/.test(message)) return 'noTable';
    if (code === 'SQLITE_READONLY' || code === 'SQLITE_PERM' || code === 'EACCES') return 'denied';
    return isNetworkError(error) || code === 'SQLITE_CANTOPEN' ? 'unreachable' : 'other';
  },
  quote,
  table: (_place, name) => quote(name),
  insertIgnore: (table, columns, values) => `INSERT OR IGNORE INTO ${table} (${columns}) VALUES (${values})`,
  // A file belongs to one machine.
  identity: async () => hostname(),
  hasSchema: async () => true,
  mayCreate: async () => true,
  async create(_session, place) {
    await writeFile(place.database, '', { flag: 'wx' }); // SQLite treats an empty file as an empty database
  },
  adminSql: (place) => `-- let the user that runs NocoBase write to ${place.database} and its folder`,
  async relations(session) {
    const rows = await session.query(
      "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    );
    return rows.map((row) => ({ name: String(row.name), kind: row.type === 'view' ? 'VIEW' : 'TABLE' }));
  },
  emptying: { first: 'PRAGMA foreign_keys = OFF', each: '' },
  async size(session) {
    const sql = 'SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()';
    const [row] = await session.query(sql);
    return Number(row?.size ?? 0);
  },
  otherTenant: async () => null,
  async drop(_session, place) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(place.database + suffix, { force: true });
  },
  lock,
  transaction: { begin: 'BEGIN IMMEDIATE', locking: '', table: '', limits: [] },
  // One process, and no sessions that another one could end.
  mark: async () => true,
  marked: async () => [],
  endSessions: async () => 0,
  queryBy: async () => [],
};
