import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { secretBytes } from '../../random';
import type { Place } from '../connection';
import type { Roles } from '../dialect';
import type { Session } from '../session';

/** The roles of apps on PostgreSQL. */

export const quote = (name: string) => `"${name.replace(/"/g, '""')}"`;
const literal = (text: string) => `'${text.replace(/'/g, "''")}'`;

/** Connections of one app at a time, from all its environments: a pool has 5 by default, and the server 100 in all. */
const CONNECTIONS = 50;
/** An app that has altered its own role in an open transaction would block us. */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'";
/** Found before anything that an app has created under the name of a built-in function. */
const SEARCH_PATH = 'SET LOCAL search_path = pg_catalog';

/** Condition on an owner in `changedOwnersSql`: the session's role, or one of which it is a member. */
const OURS = "pg_catalog.pg_has_role(f.o, 'USAGE')";
/** As the new owner in `changedOwnersSql`. */
const NOBODY = "'-'";

export const flag = async (session: Session, sql: string, params: unknown[] = []) =>
  (await session.query(`SELECT (${sql}) AS yes`, params))[0]?.yes === true;

/** Works with a pooler, too, which lends another connection after each transaction. */
async function inTransaction(session: Session, statements: string[]): Promise<void> {
  await session.query('BEGIN');
  try {
    for (const statement of statements) await session.query(statement);
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Reads in a transaction that changes nothing, and that finds no function of the app under the name of a built-in one. */
async function reading<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    await session.query(SEARCH_PATH);
    return await work();
  } finally {
    await session.query('ROLLBACK').catch(() => undefined);
  }
}

/**
 * What the server stores instead of the password (RFC 5803). A password in a statement is in the server's log and in
 * pg_stat_activity.
 */
export function scramVerifier(password: string, salt: Buffer = secretBytes(16), iterations = 4096): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  const server = keyed('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}

const isBlocked = (error: unknown) => (error as { code?: unknown } | null)?.code === '55P03';
const denied = (message: string) => Object.assign(new Error(message), { code: '42501' });

/** A session of the role that is about to change it is in the way: then all of them end. */
async function alter(session: Session, role: string, statements: string[]): Promise<void> {
  const work = () => inTransaction(session, [LOCK_TIMEOUT, ...statements]);
  await work().catch(async (error) => {
    if (!isBlocked(error)) throw error;
    await session.query(
      'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = ?',
      [role],
    );
    await work();
  });
}

async function make(session: Session, role: string, password: string): Promise<void> {
  const settings = `LOGIN PASSWORD ${literal(scramVerifier(password))} CONNECTION LIMIT ${CONNECTIONS}`;
  // Without the membership the Worker could neither hand over a schema, nor end sessions, nor drop. Whoever may make
  // roles owns none by that, and INHERIT works one way: the app gains nothing.
  const join = `GRANT ${quote(role)} TO CURRENT_USER`;
  if (!(await roles.exists(session, role))) {
    await inTransaction(session, [`CREATE ROLE ${quote(role)} ${settings}`, join]);
    return;
  }
  await alter(session, role, [`ALTER ROLE ${quote(role)} ${settings}`]);
}

async function resetSettings(session: Session, role: string): Promise<void> {
  const rows = await session.query(
    `SELECT d.datname AS database FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
     LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE r.rolname = ?`,
    [role],
  );
  const places = rows.map(({ database }) => (database === null ? '' : `IN DATABASE ${quote(String(database))} `));
  if (!places.length) return;
  await alter(
    session,
    role,
    places.map((where) => `ALTER ROLE ${quote(role)} ${where}RESET ALL`),
  );
}

async function give(session: Session, place: Place, role: string): Promise<void> {
  const database = quote(place.database);
  const statements = [
    SEARCH_PATH,
    LOCK_TIMEOUT,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    // CREATE: NocoBase runs CREATE SCHEMA IF NOT EXISTS at each start, and PostgreSQL checks the right first.
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${database} TO ${quote(role)}`,
  ];
  if (place.kind === 'database') statements.push(...(await schemaStatements(session, place, role)));
  await inTransaction(session, statements);
  // Whoever does not own the database is told so by a notice only.
  const isGiven = await flag(
    session,
    `pg_catalog.has_database_privilege(?, pg_catalog.current_database(), 'CREATE')
     AND NOT pg_catalog.has_database_privilege('public', pg_catalog.current_database(), 'CONNECT')`,
    [role],
  );
  if (!isGiven) throw denied(`must be owner of database ${place.database}`);
}

/** Of a database of its own the app has every schema. */
async function schemaStatements(session: Session, place: Place, role: string): Promise<string[]> {
  const statements: string[] = [];
  for (const schema of new Set(['public', place.schema ?? 'public'])) {
    const [row] = await session.query(
      `SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS "isOwn", r.rolname AS owner
       FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner WHERE n.nspname = ?`,
      [schema],
    );
    if (!row) statements.push(`CREATE SCHEMA ${quote(schema)} AUTHORIZATION ${quote(role)}`);
    // Before PostgreSQL 14 `public` is the server's; then everybody may create in it who may connect: the app.
    else if (row.isOwn && row.owner !== role)
      statements.push(
        `REVOKE ALL ON SCHEMA ${quote(schema)} FROM PUBLIC`,
        `ALTER SCHEMA ${quote(schema)} OWNER TO ${quote(role)}`,
      );
  }
  return statements;
}

/**
 * Not of the server, and not of an extension, whose members keep their owner. Both sides of each comparison have the same type, as in
 * `notOfExtension`.
 */
const movable = (catalog: string, oid: string) =>
  `${oid} >= '16384'::oid AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '${catalog}'::regclass::oid AND d.objid = ${oid} AND d.deptype = 'e')`;

/**
 * Everything in a database whose owner is to change, as `kind` and `identity` of ALTER … OWNER TO. One by one: REASSIGN
 * OWNED also gives away every other database of the old owner, and is refused for the first superuser.
 * @param to the new owner, as a literal
 * @param owner condition on the old owner, `f.o`
 * @param schema only what is in this schema; null: in the whole database
 */
export function changedOwnersSql(to: string, owner: string, schema: string | null): string {
  const at = (column: string) => (schema ? ` AND ${column} = ${literal(schema)}::regnamespace` : '');
  const schemas = schema ? `nspname = ${literal(schema)}` : "nspname !~ '^pg_' AND nspname <> 'information_schema'";
  const largeObjects = schema
    ? ''
    : "\n    UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata";
  return `SELECT CASE i.type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics' ELSE i.type END AS kind, i.identity FROM (
    SELECT 'pg_namespace'::regclass AS c, oid, nspowner AS o FROM pg_namespace WHERE ${schemas}
    UNION ALL SELECT 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')${at('relnamespace')}
    UNION ALL SELECT 'pg_class'::regclass, s.oid, s.relowner FROM pg_class s WHERE s.relkind = 'S'${at('s.relnamespace')} AND NOT EXISTS (SELECT 1 FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = s.oid AND refobjsubid > 0 AND deptype IN ('a', 'i'))
    UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc WHERE true${at('pronamespace')}
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typtype IN ('e', 'd', 'r', 'c')${at('t.typnamespace')}
      AND (t.typtype <> 'c' OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
    UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation WHERE true${at('collnamespace')}
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext WHERE true${at('stxnamespace')}
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config WHERE true${at('cfgnamespace')}${largeObjects}
  ) f CROSS JOIN LATERAL pg_identify_object(f.c, f.oid, 0) i
  WHERE (f.oid >= 16384 OR i.type = 'schema') AND f.o <> ${to}::regrole AND ${owner}
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = f.c AND d.objid = f.oid AND d.deptype = 'e')
  ORDER BY i.type <> 'schema'`;
}

/** Changes these owners, all or none. Parameters as in `changedOwnersSql`, but `to` is a name. */
export const changeOwnersSql = (to: string, owner: string, schema: string | null): string =>
  `DO $do$ DECLARE x record; BEGIN FOR x IN ${changedOwnersSql(literal(to), owner, schema)}
  LOOP EXECUTE format('ALTER %s %s OWNER TO %I', x.kind, x.identity, ${literal(to)}); END LOOP; END $do$`;

async function isGiven(session: Session, place: Place, role: string): Promise<boolean> {
  if (!(await roles.exists(session, role))) return false;
  if (place.kind === 'database')
    return flag(session, "pg_catalog.has_database_privilege(?, pg_catalog.current_database(), 'CREATE')", [role]);
  return flag(
    session,
    `EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner WHERE n.nspname = ? AND r.rolname = ?)`,
    [place.schema, role],
  );
}

async function foreign(session: Session, place: Place, role: string): Promise<string[]> {
  const rows = await session.query(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
     WHERE n.nspname = ? AND r.rolname <> ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${movable('pg_catalog.pg_class', 'c.oid')}
     ORDER BY c.relname LIMIT 6`,
    [place.schema, role],
  );
  return rows.map(({ name }) => String(name));
}

export const roles = {
  async rights(session) {
    const [row] = await session.query(
      'SELECT rolsuper AS "isSuperuser", rolsuper OR rolcreaterole AS "mayMakeRoles" FROM pg_catalog.pg_roles WHERE rolname = current_user',
    );
    return { isSuperuser: row?.isSuperuser === true, mayMakeRoles: row?.mayMakeRoles === true };
  },
  adminSql: (worker) => `ALTER ROLE ${quote(worker)} CREATEROLE;`,
  exists: (session, role) => flag(session, 'EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = ?)', [role]),
  make,
  resetSettings,
  give,
  async closeToFormer(session, place, role) {
    const rows = await session.query(
      `SELECT DISTINCT r.rolname AS name FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(d.datacl) a
         JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
       WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND r.rolname OPERATOR(pg_catalog.~) '^app_'
         AND r.rolname OPERATOR(pg_catalog.<>) ?`,
      [role],
    );
    for (const { name } of rows)
      await session.query(`REVOKE ALL ON DATABASE ${quote(place.database)} FROM ${quote(String(name))}`);
  },
  async giveSchema(session, place, role) {
    await session.query(`CREATE SCHEMA ${quote(place.schema ?? '')} AUTHORIZATION ${quote(role)}`);
  },
  async takeOver(session, place, role, from) {
    if (from === 'own' && !(await isGiven(session, place, role))) return;
    const owner = { own: 'f.o = current_user::regrole', ours: OURS, all: 'true' }[from];
    const schema = place.kind === 'schema' ? place.schema : null;
    await inTransaction(session, [SEARCH_PATH, LOCK_TIMEOUT, changeOwnersSql(role, owner, schema)]);
  },
  async left(session, place) {
    const schema = place.kind === 'schema' ? place.schema : null;
    // Before PostgreSQL 14 `public` is the server's, and stays so.
    const others = changedOwnersSql(NOBODY, `NOT ${OURS} AND f.oid <> 2200`, schema ?? null);
    const sql = `SELECT kind, identity FROM (${others}) AS others LIMIT 6`;
    const rows = await reading(session, () => session.query(sql));
    return rows.map(({ kind, identity }) => `${kind} ${identity}`);
  },
  async admit(session, place, role, worker) {
    await session.query(`GRANT ${quote(role)} TO ${quote(worker)} WITH ADMIN OPTION`);
    // A shared database stays whose it is.
    const isOwner = await flag(
      session,
      "EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = ? AND pg_catalog.pg_has_role(?, datdba, 'USAGE'))",
      [place.database, worker],
    );
    if (place.kind === 'database' && !isOwner)
      await session.query(`ALTER DATABASE ${quote(place.database)} OWNER TO ${quote(worker)}`);
  },
  lockTable: (session, table, work) =>
    reading(session, async () => {
      // The condition of a policy is a function of the app. An administrator's session sees all rows anyway.
      await session.query('SET LOCAL row_security = off');
      await session.query(`LOCK TABLE ${table} IN ACCESS SHARE MODE`);
      return work();
    }),
  isInTheWay: (error) => isBlocked(error) || (error as { code?: unknown } | null)?.code === '40P01',
  foreign,
  async drop(session, place, role) {
    if (!(await roles.exists(session, role))) return;
    // What is left: its permissions on a database that it shared, and sessions that would hold the role.
    if (place.kind === 'schema') await session.query(`DROP OWNED BY ${quote(role)}`);
    await session.query(`DROP ROLE IF EXISTS ${quote(role)}`);
  },
  async open(session) {
    const rows = await session.query(
      `SELECT datname AS database, pg_catalog.pg_has_role(datdba, 'USAGE') AS "isOwn" FROM pg_catalog.pg_database
       WHERE datallowconn AND pg_catalog.has_database_privilege('public', oid, 'CONNECT') ORDER BY datname`,
    );
    return rows.map((row) => ({ database: String(row.database), isOwn: row.isOwn === true }));
  },
  closeSql: (databases) => `REVOKE CONNECT, TEMPORARY ON DATABASE ${databases.map(quote).join(', ')} FROM PUBLIC;`,
} satisfies Roles;
