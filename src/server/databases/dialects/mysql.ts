import { createHash } from 'node:crypto';
import { systemClock } from '../../clock';
import { type DatabaseConnection, portOf, sslOf } from '../connection';
import {
  type Dialect,
  type DropMarks,
  type Fault,
  isNetworkError,
  type PooledConnection,
  type SessionLock,
} from '../dialect';
import { loadDriver } from '../drivers';
import { CONNECT_TIMEOUT, ConnectionLoss, closeWithin, KEEP_ALIVE_DELAY, type Row, type Session } from '../session';
import { quote, roles } from './mysql-roles';

/** MariaDB and MySQL: one language, two drivers. */

/** Common part of both drivers' connections; mysql2 wraps its results in `[rows, fields]`. */
interface DriverConnection {
  query(sql: string, params?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
  destroy(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
}

async function connect(connection: DatabaseConnection, database: string | null, label: string): Promise<Session> {
  const options = {
    host: connection.host,
    port: portOf(connection),
    user: connection.username,
    password: connection.password,
    database: database ?? undefined,
    ssl: sslOf(connection) as never,
    connectTimeout: CONNECT_TIMEOUT,
    connectAttributes: { program_name: label },
  };
  const mariadb = connection.dialect === 'mariadb';
  const opened = (await (mariadb ? openByMariadb(options) : openByMysql(options))) as DriverConnection;
  const loss = new ConnectionLoss();
  opened.on('error', loss.emit);
  opened.on('end', () => loss.emit(new Error('The server closed the connection.')));
  return {
    async query(sql, params = []) {
      const answer = await opened.query(sql, [...params]);
      const rows = mariadb ? answer : (answer as unknown[])[0];
      return Array.isArray(rows) ? (rows as Row[]) : []; // for statements without rows the result is an object
    },
    close: () => closeWithin(opened.end(), () => opened.destroy()),
    onLost: loss.listen,
  };
}

async function openByMariadb(options: object): Promise<unknown> {
  const driver = await loadDriver('mariadb', () => import('mariadb'));
  return driver.createConnection({ ...options, keepAliveDelay: KEEP_ALIVE_DELAY });
}

async function openByMysql(options: object): Promise<unknown> {
  const driver = await loadDriver('mysql2', () => import('mysql2/promise'));
  return driver.createConnection({ ...options, enableKeepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY });
}

const FAULTS: Record<number, Fault> = {
  1045: 'signIn', // ER_ACCESS_DENIED_ERROR
  1698: 'signIn', // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1130: 'signIn', // ER_HOST_NOT_PRIVILEGED
  1049: 'missing', // ER_BAD_DB_ERROR
  1044: 'denied', // ER_DBACCESS_DENIED_ERROR: also reported for a database that does not exist
  1142: 'denied', // ER_TABLEACCESS_DENIED_ERROR
  1227: 'denied', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1007: 'exists', // ER_DB_CREATE_EXISTS
  1290: 'readOnly', // ER_OPTION_PREVENTS_STATEMENT: --read-only
  1792: 'readOnly', // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1146: 'noTable', // ER_NO_SUCH_TABLE
};

/** The texts of the two drivers for a lost connection; the last one has no code. */
const GONE =
  /^(ER_CONNECTION_TIMEOUT|ER_SOCKET_|ER_CMD_CONNECTION_CLOSED|PROTOCOL_CONNECTION_LOST)|connection is in closed state/;

function faultOf(error: unknown): Fault {
  const { code, errno, message } = (error ?? {}) as { code?: string; errno?: number; message?: string };
  if (isNetworkError(error) || GONE.test(`${code} ${message}`)) return 'unreachable';
  return FAULTS[errno ?? 0] ?? 'other';
}

/**
 * Whether one line of SHOW GRANTS lets the user create `database`; the name in a grant is a LIKE pattern. A line
 * without `ON` grants a role, whose permissions the server does not show here: that counts as permitted, and the
 * attempt to create decides.
 */
export function grantsCreate(line: string, database: string): boolean {
  const [, rights, target] = /^GRANT (.+?) ON (.+?)\.\* TO /.exec(line) ?? [];
  if (!rights || !target) return /^GRANT (?!.* ON )/.test(line);
  if (!/^ALL( PRIVILEGES)?$/.test(rights) && !rights.split(', ').includes('CREATE')) return false;
  if (target === '*') return true;
  const pattern = target
    .replace(/`/g, '')
    .replace(/\\?[^\w\\]|\\?_/g, (part) => (part === '%' ? '.*' : part === '_' ? '.' : `\\${part.at(-1)}`));
  return new RegExp(`^${pattern}$`).test(database);
}

const take = async (session: Session, name: string): Promise<boolean> =>
  Number((await session.query('SELECT GET_LOCK(?, 0) AS taken', [name]))[0]?.taken) === 1;

/** The id of another session that has the lock. */
async function holderOf(session: Session, name: string): Promise<string | null> {
  const [row] = await session.query('SELECT NULLIF(IS_USED_LOCK(?), CONNECTION_ID()) AS id', [name]);
  return row?.id ? String(row.id) : null;
}

/** At most 64 characters. */
const nameOf = (key: bigint) => `app_supervisor:${BigInt.asUintN(64, key).toString(16)}`;

const lock: SessionLock = {
  // A session cannot configure the server's own TCP probes; our polls keep a live session from being idle that long.
  async watch(session) {
    await session.query('SET SESSION wait_timeout = 300');
  },

  tryTake: (session, key) => take(session, nameOf(key)),
  async poll(session, key) {
    const sql = 'SELECT CONNECTION_ID() AS id, COALESCE(IS_USED_LOCK(?) = CONNECTION_ID(), 0) AS held';
    const row = (await session.query(sql, [nameOf(key)]))[0];
    return { backend: String(row?.id), held: Number(row?.held) === 1 };
  },
  async release(session, key) {
    await session.query('SELECT RELEASE_LOCK(?)', [nameOf(key)]);
  },
  holder: (session, key) => holderOf(session, nameOf(key)),
};

const dropLock = (name: string) => `app_supervisor:drop:${name}`;

/** By a lock, whose name contains a secret: what a session calls itself is not seen by others. */
const drops: DropMarks = {
  mark: (session, name) => take(session, dropLock(name)),
  async endOthers(session, name) {
    const id = await holderOf(session, dropLock(name));
    if (id) await kill(session, id);
    return id !== null;
  },
};

async function kill(session: Session, id: string): Promise<void> {
  // 1094: it has ended meanwhile.
  await session.query(`KILL ${Number(id)}`).catch((error) => {
    if (error?.errno !== 1094) throw error;
  });
}

/** Names of locks are the server's: each session takes one of its own. At most 40 characters, without its id. */
const markName = (...texts: string[]): string =>
  `app_supervisor:${createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 24)}:`;

export const mysql: Dialect = {
  clock: systemClock,
  connect,
  serverDatabases: () => [null],
  faultOf,
  quote,
  table: (_place, name) => quote(name),
  insertIgnore: (table, columns, values) => `INSERT IGNORE INTO ${table} (${columns}) VALUES (${values})`,
  async identity(session) {
    const row = (await session.query('SELECT @@hostname AS host, @@port AS port, DATABASE() AS place'))[0];
    return `${row?.host} ${row?.port} ${row?.place}`;
  },
  hasSchema: async () => true,
  async mayCreate(session, place) {
    const grants = await session.query('SHOW GRANTS');
    return grants.some((row) => grantsCreate(String(Object.values(row)[0]), place.database));
  },
  async create(session, place) {
    // Servers before MariaDB 11.6 may default to latin1, which cannot store Chinese.
    await session.query(`CREATE DATABASE ${quote(place.database)} CHARACTER SET utf8mb4`);
  },
  adminSql(place, what) {
    const create = what === 'database' ? `CREATE DATABASE ${quote(place.database)} CHARACTER SET utf8mb4; ` : '';
    return `${create}GRANT ALL ON ${quote(place.database)}.* TO '${place.user.replace(/'/g, "''")}'@'%'${what === 'owner' ? ' WITH GRANT OPTION' : ''};`;
  },
  async relations(session, place) {
    const sql =
      'SELECT table_name AS name, table_type AS kind FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name';
    const rows = await session.query(sql, [place.database]);
    return rows.map((row) => ({ name: String(row.name), kind: /VIEW/i.test(String(row.kind)) ? 'VIEW' : 'TABLE' }));
  },
  emptying: { first: 'SET FOREIGN_KEY_CHECKS = 0', each: '' },
  async size(session, place) {
    const sql = 'SELECT SUM(data_length + index_length) AS size FROM information_schema.tables WHERE table_schema = ?';
    const [row] = await session.query(sql, [place.database]);
    return Number(row?.size ?? 0);
  },
  otherTenant: async () => null,
  async drop(session, place) {
    await session.query(`DROP DATABASE IF EXISTS ${quote(place.database)}`);
  },
  lock,
  drops,
  roles,
  transaction: {
    begin: 'START TRANSACTION',
    locking: ' FOR UPDATE',
    table: ' ENGINE=InnoDB',
    // The second one is MariaDB's alone.
    limits: ['SET SESSION innodb_lock_wait_timeout = 25', 'SET SESSION idle_transaction_timeout = 20'],
  },
  async mark(query, { group, holder }) {
    const lock = 'GET_LOCK(CONCAT(?, CONNECTION_ID()), 0)';
    const [row] = await query(`SELECT ${lock} AS one, ${lock} AS two`, [markName(group), markName(group, holder)]);
    return Number(row?.one) === 1 && Number(row?.two) === 1;
  },
  async marked(session, group, exceptOf) {
    const has = 'IFNULL(IS_USED_LOCK(CONCAT(?, id)), 0)';
    const others = exceptOf === null ? '' : `AND ${has} <> id`;
    const rows = await session.query(
      `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND ${has} = id ${others}`,
      [markName(group), ...(exceptOf === null ? [] : [markName(group, exceptOf)])],
    );
    return rows.map(({ id }) => String(id));
  },
  async endSessions(session, ids) {
    if (!ids.length) return 0;
    const open = await session.query(
      `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()
       AND user = SUBSTRING_INDEX(USER(), '@', 1) AND id IN (${ids.map(() => '?').join()})`,
      ids,
    );
    for (const row of open) await kill(session, String(row.id));
    return open.length;
  },
  async queryBy(opened, sql, params) {
    const connection = opened as PooledConnection;
    const result = connection.promise
      ? (await connection.promise().query(sql, params))[0]
      : await connection.query(sql, params);
    return Array.isArray(result) ? result : [];
  },
};
