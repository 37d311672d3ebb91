import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { DIALECT_NAMES, DIALECTS, type DialectName, hasSchemas } from '../../shared/dialects';
import { type Message, type Param, say } from '../../shared/message';
import { SCHEMA_NAME, SQL_IDENTIFIER } from '../../shared/names';
import type { DbConnType } from '../../shared/types';
import { fail } from '../errors';

/**
 * The location and the credentials of an app's database. The core's own database options are compatible
 * (`dialectOptions.ssl`, a port as text). `ssl` is passed to the driver; `storage` is SQLite's file.
 */
export interface DatabaseConnection {
  dialect: DialectName;
  host?: string;
  port?: number | string;
  username?: string;
  password?: string;
  database?: string;
  schema?: string;
  tablePrefix?: string;
  ssl?: unknown;
  dialectOptions?: { ssl?: unknown };
  storage?: string;
  /**
   * A person has named the server. Answers then do not tell what is there, if it is no database: nobody looks around in
   * the Worker's network with them.
   */
  isSeparate?: boolean;
}

/**
 * The environment's own main database, which no app may use or drop. Without `host` it is assumed to be on every
 * server.
 */
export type Protected = Pick<DatabaseConnection, 'host' | 'port' | 'database' | 'schema' | 'storage'>;

/** The location of an app on a server, with validated names: SQL contains no other names. */
export interface Place {
  connection: DatabaseConnection;
  /** What belongs to the app: a whole database (or file), or one schema of a shared database. */
  kind: 'database' | 'schema';
  /** Name of the database; path of the file for SQLite. */
  database: string;
  /** Schema that contains the app's tables; null if the dialect has none. */
  schema: string | null;
  /** Prepended to the core's table names. */
  prefix: string;
  /** For people: `host:port`. */
  server: Param;
  user: string;
  /** For people: `database "x"`, `schema "y" of database "x"`. */
  label: Message;
}

/** What errors say of the place of an app. */
export const aboutOf = ({ label, server }: Place, app: string) => ({ app, object: label, server });

export const portOf = (connection: Pick<DatabaseConnection, 'dialect' | 'port'>) =>
  Number(connection.port) || (DIALECTS[connection.dialect].port ?? 0);

const HOST_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Whether it names a machine. Drivers also accept other values as a host, such as the path of a local socket. */
export const isHost = (host: string): boolean => isIP(host) > 0 || HOST_NAME.test(host);

/**
 * @param allowed hosts (`db.example.com`, `10.0.0.5`), names below a domain (`*.db.example.com`) and networks
 * (`10.0.0.0/8`); empty: every host
 */
export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  if (!allowed.length) return true;
  const name = host.toLowerCase().replace(/\.$/, '');
  const family = isIP(host);
  return allowed.some((entry) => {
    const [network, bits] = entry.toLowerCase().split('/');
    if (bits === undefined) return entry.startsWith('*.') ? name.endsWith(network.slice(1)) : name === network;
    const kind = isIP(network);
    if (family === 0 || kind !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > (kind === 4 ? 32 : 128))
      return false;
    const list = new BlockList();
    list.addSubnet(network, Number(bits), kind === 4 ? 'ipv4' : 'ipv6');
    return list.check(host, kind === 4 ? 'ipv4' : 'ipv6');
  });
}

export const sslOf = (connection: DatabaseConnection) => connection.ssl ?? connection.dialectOptions?.ssl;

/** For people: `host:port`, or the file. */
export const serverOf = (connection: DatabaseConnection) =>
  connection.dialect === 'sqlite'
    ? String(connection.storage)
    : `${connection.host ?? 'localhost'}:${portOf(connection)}`;

/**
 * Validates every name before it can reach SQL.
 * @param dbConnType absent if only the location of the tables matters
 * @throws DATABASE_DIALECT, DATABASE_NAME_INVALID
 */
export function placeOf(connection: DatabaseConnection, dbConnType?: DbConnType): Place {
  const { dialect, schema } = connection;
  const dialectError = (why: Message) =>
    fail('DATABASE_DIALECT', { dialect: String(dialect), why }, 'database.dialect');
  if (!DIALECT_NAMES.includes(dialect)) dialectError(say('DIALECT_UNKNOWN', { dialects: DIALECT_NAMES.join(', ') }));
  const prefix = connection.tablePrefix ?? '';
  if (prefix) checkName(prefix, SQL_IDENTIFIER, 'NAME_OF_PREFIX', 'tablePrefix');

  if (dialect === 'sqlite') {
    if (dbConnType === 'new_schema') dialectError(say('DIALECT_NO_SCHEMAS'));
    const { storage } = connection;
    if (!storage || storage === ':memory:') return dialectError(say('DIALECT_NO_FILE'));
    const file = resolve(storage);
    return {
      connection,
      kind: 'database',
      database: file,
      schema: null,
      prefix,
      server: say('THIS_MACHINE'),
      user: '',
      label: say('FILE', { name: file }),
    };
  }

  const database = checkName(connection.database, SQL_IDENTIFIER, 'NAME_OF_DATABASE', 'database');
  const base = {
    connection,
    database,
    prefix,
    server: serverOf(connection),
    user: connection.username ?? '',
  };
  if (!hasSchemas(dialect)) {
    if (dbConnType === 'new_schema') dialectError(say('DIALECT_NO_SCHEMAS'));
    return { ...base, kind: 'database', schema: null, label: say('DATABASE', { name: database }) };
  }
  // Without this the core runs `CREATE SCHEMA undefined`, and the app's tables are mixed with the main app's (T10).
  if (schema || dbConnType === 'new_schema') checkName(schema, SCHEMA_NAME, 'NAME_OF_SCHEMA', 'schema');
  const kind = dbConnType === 'new_schema' || (dbConnType === 'new_connection' && schema) ? 'schema' : 'database';
  const label =
    schema && (kind === 'schema' || !dbConnType)
      ? say('SCHEMA', { schema, database })
      : say('DATABASE', { name: database });
  return { ...base, kind, schema: schema || 'public', label };
}

type NameKind = 'NAME_OF_DATABASE' | 'NAME_OF_SCHEMA' | 'NAME_OF_PREFIX';

function checkName(value: string | undefined, pattern: RegExp, what: NameKind, field: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  return fail('DATABASE_NAME_INVALID', { value: value ?? '', what: say(what) }, `database.${field}`);
}

/** The owner of the place if no app may use it; otherwise null. */
export function ownerOf(place: Place, main?: Protected): Message | null {
  if (place.kind === 'schema') {
    if (place.schema === 'public') return say('OWNER_SHARED_SCHEMA');
  } else if (DIALECTS[place.connection.dialect].systemDatabases.includes(place.database.toLowerCase())) {
    return say('OWNER_SERVER');
  }
  return main && isMain(place, main) ? say('OWNER_MAIN') : null;
}

function isMain(place: Place, main: Protected): boolean {
  if (place.connection.dialect === 'sqlite')
    return Boolean(main.storage) && resolve(main.storage as string) === place.database;
  const hostOf = (name = 'localhost') => (/^(localhost|127\..*|::1)$/i.test(name) ? 'localhost' : name.toLowerCase());
  const { dialect } = place.connection;
  const sameServer =
    !main.host ||
    (hostOf(main.host) === hostOf(place.connection.host) && portOf({ ...main, dialect }) === portOf(place.connection));
  const sameSchema = place.kind === 'database' || (main.schema || 'public') === place.schema;
  return sameServer && main.database === place.database && sameSchema;
}
