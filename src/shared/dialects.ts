/** What is known of a database dialect before anything connects to it. */
interface DialectFacts {
  /** The npm package of the driver, which the host NocoBase provides. */
  driver: string;
  /** The default port; null if the dialect has no server, so that one process at a time can use a database. */
  port: number | null;
  hasSchemas: boolean;
  /** Whether each new app gets a database role of its own. Not on Kingbase, where nobody has tried it. */
  hasRoles: boolean;
  /** Databases of the server itself, which no app may use, in lower case. */
  systemDatabases: readonly string[];
}

const MYSQL_SYSTEM = ['mysql', 'sys', 'information_schema', 'performance_schema'];

/** Every dialect, in the order of the form. Its implementation is registered in src/server/databases/dialects. */
// biome-ignore format: one line for each dialect
const FACTS = {
  postgres: { driver: 'pg', port: 5432, hasSchemas: true, hasRoles: true, systemDatabases: ['postgres', 'template0', 'template1'] },
  mysql: { driver: 'mysql2', port: 3306, hasSchemas: false, hasRoles: true, systemDatabases: MYSQL_SYSTEM },
  mariadb: { driver: 'mariadb', port: 3306, hasSchemas: false, hasRoles: true, systemDatabases: MYSQL_SYSTEM },
  kingbase: { driver: 'pg', port: 54321, hasSchemas: true, hasRoles: false, systemDatabases: ['kingbase', 'template0', 'template1', 'test', 'security'] },
  sqlite: { driver: 'sqlite3', port: null, hasSchemas: false, hasRoles: false, systemDatabases: [] },
} satisfies Record<string, DialectFacts>;

export type DialectName = keyof typeof FACTS;

export const DIALECTS: Readonly<Record<DialectName, DialectFacts>> = FACTS;

export const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[];

/** The dialects with a server, which an app can have a separate connection to. */
export const SERVER_DIALECTS = DIALECT_NAMES.filter((name) => DIALECTS[name].port !== null);

/** @param dialect unknown ones have none */
export const hasSchemas = (dialect: string): boolean => DIALECTS[dialect as DialectName]?.hasSchemas ?? false;

/** @param dialect unknown ones have none */
export const hasRoles = (dialect: string): boolean => DIALECTS[dialect as DialectName]?.hasRoles ?? false;
