import type { Clock } from '../clock';
import type { DatabaseConnection, Place } from './connection';
import type { Row, Session } from './session';

/**
 * The meaning of a driver's error. `missing`: the database does not exist. `denied`: signed in, but without permission. `noTable`: the
 * statement names a table that does not exist.
 */
export type Fault =
  | 'unreachable'
  | 'signIn'
  | 'missing'
  | 'denied'
  | 'exists'
  | 'inUse'
  | 'readOnly'
  | 'noTable'
  | 'other';

/**
 * What can be created: the app's database, its schema, or tables in them. `owner`: the right to give the place to the
 * app's role.
 */
export type Creatable = 'database' | 'schema' | 'tables' | 'owner';

/** A table or view in an app's place; `kind` is the SQL keyword that drops it. */
export interface Relation {
  name: string;
  kind: 'TABLE' | 'VIEW' | 'MATERIALIZED VIEW' | 'FOREIGN TABLE';
}

/** A lock that lives as long as its session. */
export interface SessionLock {
  /**
   * Makes the server notice that the holder's machine is gone although no packet says so; by default that takes hours.
   */
  watch?(session: Session): Promise<void>;
  tryTake(session: Session, key: bigint): Promise<boolean>;
  /** The server's id of the session, and whether that session holds the lock. */
  poll(session: Session, key: bigint): Promise<{ backend: string; held: boolean }>;
  release(session: Session, key: bigint): Promise<void>;
  /**
   * Whether two of our sessions are one session on the server: a pooler in transaction mode is in between. Absent if
   * poolers bind a client that takes a lock (ProxySQL, MaxScale), or if there are none.
   */
  isShared?(first: Session, second: Session): Promise<boolean>;
  /** The server's id of the session that holds the lock; null if none does. Absent if there are no sessions to end. */
  holder?(session: Session, key: bigint): Promise<string | null>;
  /** Ends the session that holds the lock: the only way to release a lock that a pooler has kept. */
  evict?(session: Session, key: bigint): Promise<void>;
}

/** How the session that drops a place is found and ended (drop-fence.ts). */
export interface DropMarks {
  /** False while another session has the mark. */
  mark(session: Session, name: string): Promise<boolean>;
  /** Ends the other sessions of this session's user that have the mark, wherever on the server they are. @returns whether there were any */
  endOthers(session: Session, name: string): Promise<boolean>;
}

/** Runs one statement, with `?` for each of `params`. */
export type Query = (sql: string, params?: readonly unknown[]) => Promise<Row[]>;

/** What says of a session whose it is. Texts of any length. */
export interface SessionMark {
  group: string;
  holder: string;
}

/** Everything that differs between databases, and nothing else. Names come from a `Place`, so they are validated. */
export interface Dialect {
  /** By which everything that waits for the server measures time. */
  clock: Clock;
  /**
   * @param database null: the server itself
   * @param label shown in the server's list of connections
   */
  connect(connection: DatabaseConnection, database: string | null, label: string): Promise<Session>;
  /** Databases to connect to for work that cannot be done from within the app's database; tried in order. */
  serverDatabases(connection: DatabaseConnection, main?: string): Array<string | null>;
  faultOf(error: unknown): Fault;
  /** Quotes any name. */
  quote(name: string): string;
  /** A table of the app, quoted and with its schema. */
  table(place: Place, name: string): string;
  insertIgnore(table: string, columns: string, values: string): string;

  /** What tells the session's database from a copy of it: of its server, and of its place there. */
  identity(session: Session): Promise<string>;
  hasSchema(session: Session, place: Place): Promise<boolean>;
  mayCreate(session: Session, place: Place, what: Creatable): Promise<boolean>;
  /** Runs outside of the app's database if `what` is a database. */
  create(session: Session, place: Place, what: 'database' | 'schema'): Promise<void>;
  /** SQL with which an administrator makes `create` unnecessary, or permits it. */
  adminSql(place: Place, what: Creatable): string;
  /** Tables and views in the app's place, without those of extensions. */
  relations(session: Session, place: Place): Promise<Relation[]>;
  /**
   * How a place is emptied of its tables and views: what is said first, what follows each statement that drops one, and what drops the rest of
   * what an installation may have made.
   */
  emptying: { first?: string; each: string; dropRest?(session: Session, place: Place): Promise<void> };
  /** Bytes that the app's place takes, indexes included, without reading the data. */
  size(session: Session, place: Place): Promise<number>;
  /** Another schema with tables in the app's database; null if there is none. */
  otherTenant(session: Session, place: Place): Promise<string | null>;
  /** Drops the database and ends its connections (from outside of it), or the schema (from within). */
  drop(session: Session, place: Place): Promise<void>;

  lock: SessionLock;
  /** Absent if there are no sessions to end. */
  drops?: DropMarks;
  /** The roles of apps; absent if apps have none (`hasRoles`). */
  roles?: Roles;
  /**
   * How a transaction begins, what locks the rows that a query reads in it, what a table needs for that, and what limits how long a session
   * that is frozen in one keeps others waiting: a server that does not know one of these goes without it.
   */
  transaction: { begin: string; locking: string; table: string; limits: string[] };
  /**
   * Marks a session: with a lock that ends with the session, also where a pooler gives the session to somebody else.
   * @returns whether it is marked
   */
  mark(query: Query, mark: SessionMark): Promise<boolean>;
  /** The server's ids of other sessions in this session's database that have a mark of this group, without those of one holder. */
  marked(session: Session, group: string, exceptOf: string | null): Promise<string[]>;
  /** Ends those of these sessions that are of this session's own user and database. */
  endSessions(session: Session, ids: readonly string[]): Promise<number>;
  /** Runs one statement on a connection that a pool has opened. */
  queryBy(opened: unknown, sql: string, params: readonly unknown[]): Promise<Row[]>;
}

/**
 * What the Worker does as itself with the role of an app. Nothing of it runs code that is stored in the app's place. What is absent
 * has no meaning there: objects of MariaDB and MySQL have no owner that could be changed, and what runs with others' rights has to be made anew.
 */
export interface Roles {
  /** What the session's own role may do. */
  rights(session: Session): Promise<{ isSuperuser: boolean; mayMakeRoles: boolean }>;
  /** SQL with which an administrator lets `worker` make roles. */
  adminSql(worker: string): string;
  /** Absent: it makes no difference. */
  exists?(session: Session, role: string): Promise<boolean>;
  /** Makes a role that may sign in and nothing else; if it exists, sets its password. */
  make(session: Session, role: string, password: string): Promise<void>;
  /** Takes back the settings that the role has given to its own sessions to come: some of them let no session begin. */
  resetSettings?(session: Session, role: string): Promise<void>;
  /**
   * Closes the session's database to everybody else, and lets the role create what it likes in it.
   * @throws an error that `faultOf` calls `denied`
   */
  give(session: Session, place: Place, role: string): Promise<void>;
  /** Closes an adopted database to the roles of apps that it belonged to before. */
  closeToFormer(session: Session, place: Place, role: string): Promise<void>;
  /** Makes the app's missing schema, which the role owns. */
  giveSchema?(session: Session, place: Place, role: string): Promise<void>;
  /**
   * Makes the role own what is in the place, if the place was given to it.
   * @param from `own`: what the session's own role owns; `ours`: also what roles own of which it is a member; `all`: what anybody owns
   */
  takeOver?(session: Session, place: Place, role: string, from: 'own' | 'ours' | 'all'): Promise<void>;
  /** What `takeOver` of `ours` would leave to others, for people. The role need not exist. */
  left?(session: Session, place: Place, role: string): Promise<string[]>;
  /** Makes a Worker's role a master of the app's role, and the owner of the app's database. */
  admit?(session: Session, place: Place, role: string, worker: string): Promise<void>;
  /** Runs `work` while nobody can replace a table. Fails rather than that a function of the app runs. Absent: the dialect cannot prevent that code of the app runs. */
  lockTable?<T>(session: Session, table: string, work: () => Promise<T>): Promise<T>;
  /** Whether another session holds what is needed. */
  isInTheWay?(error: unknown): boolean;
  /** What in the place belongs to others, for people. */
  foreign(session: Session, place: Place, role: string): Promise<string[]>;
  /** Drops a role that owns nothing any more. It need not exist. */
  drop(session: Session, place: Place, role: string): Promise<void>;
  /** Databases of the server that every role may connect to, and which of them the session's role may close. */
  open(session: Session): Promise<Array<{ database: string; isOwn: boolean }>>;
  /** SQL that closes databases to roles that were not let in. */
  closeSql(databases: string[]): string;
}

/** Sequelize's connections, as its hooks get them. */
export interface PooledConnection {
  query(sql: string, params: readonly unknown[]): Promise<unknown>;
  /** mysql2 only, whose connections call back. */
  promise?(): { query(sql: string, params: readonly unknown[]): Promise<unknown[]> };
}

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
]);

/** Whether the network failed and not the database, as every driver reports it. */
export const isNetworkError = (error: unknown) => NETWORK.has(String((error as { code?: unknown } | null)?.code));

/** False if somebody else created it first. */
export async function tryCreate(dialect: Dialect, create: () => Promise<unknown>): Promise<boolean> {
  try {
    await create();
    return true;
  } catch (error) {
    if (dialect.faultOf(error) === 'exists') return false;
    throw error;
  }
}

/** A view of that name is not ours. */
export const hasTable = (relations: Relation[], table: string): boolean =>
  relations.some(({ name, kind }) => name === table && kind === 'TABLE');
