import type { DatabaseConnection, Place } from './connection';
import type { Session } from './session';

/** What a driver's error means to us. `missing`: the database is not there. `denied`: signed in, but may not. */
export type Fault = 'unreachable' | 'signIn' | 'missing' | 'denied' | 'exists' | 'inUse' | 'other';

/** What may be made: the app's database, its schema, or tables inside of them. */
export type Creatable = 'database' | 'schema' | 'tables';

/** A table or view in an app's place; `kind` is the SQL word that drops it. */
export interface Relation {
  name: string;
  kind: 'TABLE' | 'VIEW' | 'MATERIALIZED VIEW' | 'FOREIGN TABLE';
}

/** A lock that lives as long as its session. */
export interface SessionLock {
  /** Makes the server notice that the holder's machine is gone, when no packet says so; by itself it takes hours. */
  watch?(session: Session): Promise<void>;
  tryTake(session: Session, key: bigint): Promise<boolean>;
  /** Who the server says the session is, and whether that one holds the lock. */
  poll(session: Session, key: bigint): Promise<{ backend: string; held: boolean }>;
  giveBack(session: Session, key: bigint): Promise<void>;
  /**
   * Whether two sessions of ours turn out to be one on the server: a pooler lends connections by the transaction. Absent
   * where poolers bind a client that takes a lock (ProxySQL, MaxScale), or where there are none.
   */
  isShared?(first: Session, second: Session): Promise<boolean>;
  /** Ends whoever holds the lock: the only way to free what a pooler took along. */
  evict?(session: Session, key: bigint): Promise<void>;
}

/** What differs between databases, and nothing that does not. Names come from a `Place`, so they are checked. */
export interface Dialect {
  /** @param database null: the server itself. `label` is shown in the server's list of connections. */
  connect(connection: DatabaseConnection, database: string | null, label: string): Promise<Session>;
  /** Where to connect for what cannot be done from within the app's database; tried in order. */
  serverDatabases(connection: DatabaseConnection, main?: string): Array<string | null>;
  faultOf(error: unknown): Fault;
  /** Quotes any name. */
  quote(name: string): string;
  /** A table of the app, quoted and with its schema. */
  table(place: Place, name: string): string;
  insertIgnore(table: string, columns: string, values: string): string;

  hasSchema(session: Session, place: Place): Promise<boolean>;
  mayCreate(session: Session, place: Place, what: Creatable): Promise<boolean>;
  /** Runs outside of the app's database when `what` is a database. */
  create(session: Session, place: Place, what: 'database' | 'schema'): Promise<void>;
  /** What an administrator can run so that `create` is not needed, or allowed. */
  adminSql(place: Place, what: Creatable): string;
  /** Tables and views in the app's place, but those of extensions. */
  relations(session: Session, place: Place): Promise<Relation[]>;
  /** Drops all that is in the app's place except the table `keep`. */
  empty(session: Session, place: Place, keep: string): Promise<void>;
  /** A schema beside the app's own in its database that holds tables; null if there is none. */
  otherTenant(session: Session, place: Place): Promise<string | null>;
  /** Drops the database, ending what is still connected to it (from outside of it), or the schema (from within). */
  drop(session: Session, place: Place): Promise<void>;

  lock: SessionLock;
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

/** Whether the network and not the database failed, as every driver reports it. */
export const isNetworkError = (error: unknown) => NETWORK.has(String((error as { code?: unknown } | null)?.code));

/** False when somebody else was faster. */
export async function made(dialect: Dialect, create: () => Promise<unknown>): Promise<boolean> {
  try {
    await create();
    return true;
  } catch (error) {
    if (dialect.faultOf(error) === 'exists') return false;
    throw error;
  }
}
