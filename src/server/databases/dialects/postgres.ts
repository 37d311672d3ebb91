import { createHash } from 'node:crypto';
import { systemClock } from '../../clock';
import { secretBytes } from '../../random';
import { type DatabaseConnection, type Place, portOf, sslOf } from '../connection';
import {
  type Dialect,
  type DropMarks,
  type Fault,
  isNetworkError,
  type PooledConnection,
  type Relation,
  type SessionLock,
} from '../dialect';
import { loadDriver } from '../drivers';
import { CONNECT_TIMEOUT, ConnectionLoss, closeWithin, KEEP_ALIVE_DELAY, type Row, type Session } from '../session';
import { flag, quote, roles } from './postgres-roles';

/**
 * PostgreSQL ≥ 12, and Kingbase, which uses the same protocol (from its documentation; not tested on a Kingbase
 * server).
 */

async function connect(connection: DatabaseConnection, database: string | null, label: string): Promise<Session> {
  const { Client } = await loadDriver('pg', () => import('pg'));
  const client = new Client({
    host: connection.host,
    port: portOf(connection),
    user: connection.username,
    password: connection.password,
    database: database ?? connection.dialect,
    ssl: sslOf(connection) as never,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY,
    application_name: label.slice(0, 63),
  });
  const loss = new ConnectionLoss();
  client.on('error', loss.emit);
  client.on('end', () => loss.emit(new Error('The server closed the connection.')));
  await client.connect().catch((error) => {
    // Missing CONNECT permission, which would later look like a missing permission to create.
    throw error.code === '42501' ? Object.assign(error, { code: '28000' }) : error;
  });
  return {
    query: async (sql, params = []) => (await client.query(numbered(sql), [...params])).rows,
    close: () => closeWithin(client.end(), () => (client as unknown as PgInternals).connection.stream.destroy()),
    onLost: loss.listen,
  };
}

/** With the placeholders of the driver. */
function numbered(sql: string): string {
  let index = 0;
  return sql.replace(/\?/g, () => `$${++index}`);
}

interface PgInternals {
  connection: { stream: { destroy(): void } };
}

const FAULTS: Record<string, Fault> = {
  '28P01': 'signIn', // invalid_password
  '28000': 'signIn', // invalid_authorization_specification: no such role, or no line in pg_hba.conf
  '3D000': 'missing', // invalid_catalog_name
  '42501': 'denied', // insufficient_privilege
  '42P04': 'exists', // duplicate_database
  '42P06': 'exists', // duplicate_schema
  '42P07': 'exists', // duplicate_table
  '42710': 'exists', // duplicate_object: a table's row type, if two sessions create the table at the same time
  '23505': 'exists', // two at the same time: the second one violates the catalog's unique index
  '55006': 'inUse', // object_in_use
  '25006': 'readOnly', // read_only_sql_transaction
  '42P01': 'noTable', // undefined_table
  '57P01': 'unreachable', // admin_shutdown
  '57P03': 'unreachable', // cannot_connect_now: starting up
};

function faultOf(error: unknown): Fault {
  const { code, message = '' } = (error ?? {}) as { code?: string; message?: string };
  if (isNetworkError(error) || /^timeout expired|^Connection terminated|is not queryable$/.test(message))
    return 'unreachable';
  // PgBouncer reports a wrong password as a protocol violation, the driver a missing one as its own error.
  if (/password authentication failed|client password must be/.test(message)) return 'signIn';
  return FAULTS[code ?? ''] ?? 'other';
}

const schemaOf = (place: Place) => quote(place.schema as string);

const KINDS: Record<string, Relation['kind']> = {
  r: 'TABLE',
  p: 'TABLE',
  v: 'VIEW',
  m: 'MATERIALIZED VIEW',
  f: 'FOREIGN TABLE',
};
/**
 * Objects of the catalog `c` that belong to an extension (PostGIS creates tables in `public`). Both sides of each comparison have the same
 * type: between two types PostgreSQL prefers an operator that the app has made for them, and a Worker would run its code.
 */
const notOfExtension = (catalog: string) =>
  `NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '${catalog}'::regclass::oid AND d.objid = c.oid AND d.deptype = 'e')`;

const relationsSql = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${notOfExtension('pg_class')}`;

async function relations(session: Session, place: Place): Promise<Relation[]> {
  const rows = await session.query(`${relationsSql} AND n.nspname = ? ORDER BY c.relname`, [place.schema]);
  return rows.map((row) => ({ name: String(row.name), kind: KINDS[String(row.kind)] as Relation['kind'] }));
}

/** What remains of a schema without its tables: sequences, functions and types. */
const leftoversSql = `
  SELECT 'SEQUENCE ' || c.oid::regclass AS object FROM pg_class c
    WHERE c.relkind = 'S' AND c.relnamespace = to_regnamespace(?) AND ${notOfExtension('pg_class')}
  UNION ALL
  SELECT CASE c.prokind WHEN 'p' THEN 'PROCEDURE ' WHEN 'a' THEN 'AGGREGATE ' ELSE 'FUNCTION ' END || c.oid::regprocedure FROM pg_proc c
    WHERE c.pronamespace = to_regnamespace(?) AND ${notOfExtension('pg_proc')}
  UNION ALL
  SELECT 'TYPE ' || c.oid::regtype FROM pg_type c
    WHERE c.typnamespace = to_regnamespace(?) AND ${notOfExtension('pg_type')}
    AND (c.typtype IN ('e', 'r', 'd') OR (c.typtype = 'c' AND (SELECT relkind FROM pg_class k WHERE k.oid = c.typrelid) = 'c'))`;

async function dropRest(session: Session, place: Place): Promise<void> {
  const schema = schemaOf(place);
  for (const { object } of await session.query(leftoversSql, [schema, schema, schema])) {
    await session.query(`DROP ${object} CASCADE`).catch((error) => {
      if (!/does not exist/.test(String(error))) throw error; // dropped together with an earlier one
    });
  }
}

/**
 * A new database is open to every role of the server. It gets its name when it is closed: whoever knows its name by then may not enter,
 * and a process that ends in the middle leaves none of that name.
 */
async function createClosed(session: Session, database: string): Promise<void> {
  const unnamed = quote(`new_${secretBytes(12).toString('hex')}`);
  // A session in template1, which every role may open, would fail it.
  await session.query(`CREATE DATABASE ${unnamed} TEMPLATE template0 ALLOW_CONNECTIONS false`);
  try {
    await session.query(`REVOKE CONNECT, TEMPORARY ON DATABASE ${unnamed} FROM PUBLIC`);
    await session.query(`ALTER DATABASE ${unnamed} ALLOW_CONNECTIONS true`);
    await session.query(`ALTER DATABASE ${unnamed} RENAME TO ${quote(database)}`);
  } catch (error) {
    await session.query(`DROP DATABASE IF EXISTS ${unnamed}`);
    throw error;
  }
}

async function drop(session: Session, place: Place): Promise<void> {
  if (place.kind === 'schema') {
    await session.query(`DROP SCHEMA IF EXISTS ${schemaOf(place)} CASCADE`);
    return;
  }
  // Not WITH (FORCE), which PostgreSQL 12 and Kingbase lack. A pool may reconnect in between, hence the retries.
  for (let round = 1; ; round++) {
    await session.query(
      // Those of other roles, too, such as the app's; one that we may not end would fail the whole statement.
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ? AND pg_has_role(usesysid, 'USAGE') AND pid <> pg_backend_pid()",
      [place.database],
    );
    try {
      await session.query(`DROP DATABASE IF EXISTS ${quote(place.database)}`);
      return;
    } catch (error) {
      if (faultOf(error) !== 'inUse' || round === 5) throw error;
      await systemClock.sleep(200);
    }
  }
}

const KEY =
  "((classid::bigint << 32) | objid::bigint) = ?::bigint AND objsubid = 1 AND locktype = 'advisory' AND granted";
const backendOf = async (session: Session) => String((await session.query('SELECT pg_backend_pid() AS pid'))[0]?.pid);

const lock: SessionLock = {
  // About 25 s. Not an idle timeout: a frozen process continues later and must still hold the lock.
  async watch(session) {
    await session.query('SET tcp_keepalives_idle = 10');
    await session.query('SET tcp_keepalives_interval = 5');
    await session.query('SET tcp_keepalives_count = 3');
  },

  tryTake: (session, key) => flag(session, 'SELECT pg_try_advisory_lock(?::bigint)', [String(key)]),
  async poll(session, key) {
    const sql = `SELECT pg_backend_pid() AS pid, EXISTS (SELECT 1 FROM pg_locks WHERE pid = pg_backend_pid() AND ${KEY}) AS held`;
    const row = (await session.query(sql, [String(key)]))[0];
    return { backend: String(row?.pid), held: row?.held === true };
  },
  async release(session, key) {
    await session.query('SELECT pg_advisory_unlock(?::bigint)', [String(key)]);
  },
  async isShared(first, second) {
    const before = await backendOf(first);
    await second.query('BEGIN'); // pins the connection that the pooler lends
    try {
      return (await backendOf(second)) === before || (await backendOf(first)) !== before;
    } finally {
      await second.query('COMMIT');
    }
  },
  async holder(session, key) {
    const row = (await session.query(`SELECT pid FROM pg_locks WHERE ${KEY}`, [String(key)]))[0];
    return row ? String(row.pid) : null;
  },
  async evict(session, key) {
    await session.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE ${KEY}`, [String(key)]);
  },
};

const dropLabel = (name: string) => `nocobase drop ${name}`;

/** By the application name, which is seen from every database, and hidden from other users. An advisory lock is one database's. */
const drops: DropMarks = {
  async mark(session, name) {
    await session.query("SELECT set_config('application_name', ?, false)", [dropLabel(name)]);
    return true;
  },
  async endOthers(session, name) {
    // Of the same user only: apps may call their sessions as they like.
    const ended = await session.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ? AND pid <> pg_backend_pid()
       AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = current_user)`,
      [dropLabel(name)],
    );
    return ended.length > 0;
  },
};

/** Half of the key of an advisory lock. */
const half = (text: string): number => createHash('sha256').update(text).digest().readInt32BE();
/** As pg_locks shows it. */
const shown = (value: number): string => String(value >>> 0);

export const postgres: Dialect = {
  clock: systemClock,
  connect,
  serverDatabases: (connection, main) => [connection.dialect, ...(main && main !== connection.dialect ? [main] : [])],
  faultOf,
  quote,
  table: (place, name) => `${schemaOf(place)}.${quote(name)}`,
  insertIgnore: (table, columns, values) =>
    `INSERT INTO ${table} (${columns}) VALUES (${values}) ON CONFLICT DO NOTHING`,
  async identity(session) {
    // Of the cluster, with its replicas. Kingbase may not have it.
    const cluster = session.query('SELECT system_identifier AS id FROM pg_control_system()').catch(() => []);
    const place = 'SELECT oid FROM pg_database WHERE datname = current_database()';
    return `${(await cluster)[0]?.id} ${(await session.query(place))[0]?.oid}`;
  },
  hasSchema: (session, place) => flag(session, 'EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ?)', [place.schema]),
  mayCreate(session, place, what) {
    if (what === 'database')
      return flag(session, 'SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user');
    if (what === 'owner')
      return flag(session, "EXISTS (SELECT 1 FROM pg_database WHERE datname = ? AND pg_has_role(datdba, 'USAGE'))", [
        place.database,
      ]);
    if (what === 'schema') return flag(session, "has_database_privilege(current_database(), 'CREATE')");
    return flag(session, "has_schema_privilege(?, 'CREATE') AND has_schema_privilege(?, 'USAGE')", [
      place.schema,
      place.schema,
    ]);
  },
  async create(session, place, what) {
    if (what === 'database') await createClosed(session, place.database);
    else await session.query(`CREATE SCHEMA ${schemaOf(place)}`);
  },
  adminSql(place, what) {
    const user = quote(place.user);
    if (what === 'database')
      return `CREATE DATABASE ${quote(place.database)} OWNER ${user}; (or, for every app to come: ALTER ROLE ${user} CREATEDB;)`;
    if (what === 'owner') return `ALTER DATABASE ${quote(place.database)} OWNER TO ${user};`;
    const grant =
      what === 'schema'
        ? `CREATE SCHEMA ${schemaOf(place)} AUTHORIZATION ${user};`
        : `GRANT ALL ON SCHEMA ${schemaOf(place)} TO ${user};`;
    return `${grant} (connected to database ${quote(place.database)})`;
  },
  relations,
  emptying: { each: ' CASCADE', dropRest },
  async size(session, place) {
    const sql =
      place.kind === 'database'
        ? 'SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) AS size'
        : `SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)) AS size FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = ? AND c.relkind IN ('r', 'm')`;
    const [row] = await session.query(sql, place.kind === 'database' ? [] : [place.schema]);
    return Number(row?.size ?? 0);
  },
  async otherTenant(session, place) {
    const sql = `${relationsSql} AND n.nspname <> ? AND n.nspname <> 'information_schema' AND n.nspname !~ '^(pg|sys)_' AND n.nspname <> 'sys' LIMIT 1`;
    const row = (await session.query(sql, [place.schema]))[0];
    return row ? String(row.schema) : null;
  },
  drop,
  lock,
  drops,
  roles,
  transaction: {
    begin: 'BEGIN ISOLATION LEVEL READ COMMITTED',
    locking: ' FOR UPDATE',
    table: '',
    limits: ["SET idle_in_transaction_session_timeout = '20s'", "SET lock_timeout = '25s'"],
  },
  async mark(query, { group, holder }) {
    // Not waited for: nobody but the app itself can have it in its database.
    const sql = 'SELECT pg_try_advisory_lock_shared(?::int, ?::int) AS marked';
    return (await query(sql, [half(group), half(holder)]))[0]?.marked === true;
  },
  async marked(session, group, exceptOf) {
    const others = exceptOf === null ? '' : 'AND objid <> ?::oid';
    const rows = await session.query(
      `SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = ?::oid ${others}`,
      [shown(half(group)), ...(exceptOf === null ? [] : [shown(half(exceptOf))])],
    );
    return rows.map(({ pid }) => String(pid));
  },
  async endSessions(session, ids) {
    if (!ids.length) return 0;
    // One session of another user would let the whole statement fail.
    const ended = await session.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND pg_has_role(usesysid, 'USAGE') AND pid IN (${ids.map(() => '?::int').join()})`,
      ids,
    );
    return ended.length;
  },
  async queryBy(opened, sql, params) {
    const result = await (opened as PooledConnection).query(numbered(sql), params);
    return (result as { rows: Row[] }).rows;
  },
};
