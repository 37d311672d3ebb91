import pg from 'pg';
import { changeOwnersSql } from '../../src/server/databases/dialects/postgres-roles';
import type { InstanceConfig } from './config';
import { type PostgresServer, query } from './postgres';

/** The database roles of a fleet's instances on its own PostgreSQL: none is a superuser. */

const SUPERVISOR = 'nocobase_supervisor';
/** All Workers have one role, so that any of them can host the apps that another one created. */
const WORKER = 'nocobase_worker';

export const roleOf = ({ part }: Pick<InstanceConfig, 'part'>): string => (part === 'supervisor' ? SUPERVISOR : WORKER);

/** Of both roles. A Worker must not be able to sign in as the Supervisor. */
export interface RolePasswords {
  supervisor: string;
  worker: string;
}

/**
 * Makes both roles, closes the server's databases to the roles of apps, and gives what fleets of earlier releases have
 * created as the superuser to the roles. At each start: a repeated call changes nothing.
 * @param server with a superuser
 */
export async function makeRoles(server: PostgresServer, passwords: RolePasswords): Promise<void> {
  const { user } = server;
  const run = (sql: string, database = 'postgres') => query(server, database, sql);
  for (const [role, rights, password] of [
    [SUPERVISOR, '', passwords.supervisor],
    [WORKER, 'CREATEDB CREATEROLE', passwords.worker],
  ]) {
    const { rowCount } = await query(server, 'postgres', 'SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
    await run(`${rowCount ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN ${rights} PASSWORD ${pg.escapeLiteral(password)}`);
  }
  await run('REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC');
  await run(`GRANT CONNECT ON DATABASE postgres TO ${WORKER}`);
  const { rows } = await query(
    server,
    'postgres',
    "SELECT datname FROM pg_database WHERE datdba = $1::regrole AND datname NOT IN ('postgres', 'template0', 'template1')",
    [user],
  );
  for (const { datname } of rows) {
    const owner = datname === SUPERVISOR ? SUPERVISOR : WORKER;
    const database = pg.escapeIdentifier(datname);
    await run(`ALTER DATABASE ${database} OWNER TO ${owner}`);
    await run(`REVOKE CONNECT, TEMPORARY ON DATABASE ${database} FROM PUBLIC`);
    await run(changeOwnersSql(owner, `f.o = ${pg.escapeLiteral(user)}::regrole`, null), datname);
  }
}
