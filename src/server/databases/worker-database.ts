import { DIALECTS } from '../../shared/dialects';
import { type DatabaseConnection, placeOf } from './connection';
import { explainDenied } from './create';
import { tryCreate } from './dialect';
import { dialects } from './dialects';
import { withSessions } from './open';

/** The main database of a Worker that does not run yet. */

const DEADLINE = 10_000;

/**
 * Creates it, unless it exists, as the role that the Worker will have.
 * @throws AppSupervisorError DATABASE_UNREACHABLE, DATABASE_SIGN_IN, DATABASE_CREATE_DENIED, DATABASE_FAILED
 */
export async function createMainDatabase(connection: DatabaseConnection): Promise<void> {
  const place = placeOf(connection);
  const dialect = dialects[connection.dialect];
  await withSessions(connection, DEADLINE, async (open) => {
    if (await open.app()) return;
    await explainDenied(dialect, place, 'database', () =>
      tryCreate(dialect, async () => dialect.create(await open.server(), place, 'database')),
    );
  });
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
    `CREATE DATABASE ${database} OWNER ${role} TEMPLATE template0;`,
    'REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;',
    `GRANT CONNECT ON DATABASE postgres TO ${role};`,
  ].join('\n');
}

export type WorkerDatabase = Required<
  Pick<DatabaseConnection, 'dialect' | 'host' | 'port' | 'username' | 'password' | 'database'>
>;
