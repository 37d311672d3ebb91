import { DIALECTS } from '../../shared/dialects';
import { type DatabaseConnection, placeOf } from './connection';
import { explainDenied } from './create';
import { tryCreate } from './dialect';
import { dialectOf } from './dialects';
import { withSessions } from './open';

/** The main database of a Worker that does not run yet. */

const DEADLINE = 10_000;

/**
 * Creates it, unless it exists, as the role that the Worker will have.
 * @returns whether it was created
 * @throws AppSupervisorError DATABASE_UNREACHABLE, DATABASE_SIGN_IN, DATABASE_CREATE_DENIED, DATABASE_FAILED
 */
export async function createMainDatabase(connection: DatabaseConnection): Promise<boolean> {
  const place = placeOf(connection);
  const dialect = dialectOf(connection);
  return withSessions(connection, DEADLINE, async (open) => {
    if (await open.app()) return false;
    return explainDenied(place, 'database', () =>
      tryCreate(dialect, async () => dialect.create(await open.server(), place, 'database')),
    );
  });
}

/** Takes back what `createMainDatabase` has created just now, for a Worker that could not be made. */
export async function dropMainDatabase(connection: DatabaseConnection): Promise<void> {
  const dialect = dialectOf(connection);
  await withSessions(connection, DEADLINE, async (open) => dialect.drop(await open.server(), placeOf(connection)));
}

/**
 * The statements with which an administrator makes the role and the main database of a Worker.
 * @param role letters, digits and `_`, as `database`
 * @param password letters and digits
 */
export function workerSql({ dialect, username: role, password, database }: WorkerDatabase): string {
  if (!DIALECTS[dialect].port) return '';
  if (dialect === 'mysql' || dialect === 'mariadb')
    return [
      `CREATE DATABASE \`${database}\` CHARACTER SET utf8mb4;`,
      `CREATE USER '${role}'@'%' IDENTIFIED BY '${password}';`,
      `GRANT CREATE USER ON *.* TO '${role}'@'%';`,
      `GRANT ALL ON \`%\`.* TO '${role}'@'%' WITH GRANT OPTION;`,
    ].join('\n');
  return [
    `CREATE ROLE ${role} LOGIN CREATEDB CREATEROLE PASSWORD '${password}';`,
    // Nobody enters it before it is closed to the roles of apps.
    `CREATE DATABASE ${database} OWNER ${role} TEMPLATE template0 ALLOW_CONNECTIONS false;`,
    `REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1, ${database} FROM PUBLIC;`,
    `ALTER DATABASE ${database} ALLOW_CONNECTIONS true;`,
    `GRANT CONNECT ON DATABASE postgres TO ${role};`,
  ].join('\n');
}

export type WorkerDatabase = Required<
  Pick<DatabaseConnection, 'dialect' | 'host' | 'port' | 'username' | 'password' | 'database'>
>;
