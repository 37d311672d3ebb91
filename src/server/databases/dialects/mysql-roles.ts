import type { Roles } from '../dialect';

/** The roles of apps on MariaDB and MySQL: users that sign in from anywhere, with one database each. */

export const quote = (name: string) => `\`${name.replace(/`/g, '``')}\``;
/** The name in a grant is a LIKE pattern: unescaped, `a_b` also means the database `axb`. */
const pattern = (database: string) => quote(database.replace(/[\\_%]/g, '\\$&'));
const text = (value: string) => `'${value.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`;
const user = (role: string) => `${text(role)}@'%'`;

/** As in PostgreSQL. */
const CONNECTIONS = 50;

/**
 * Whether lines of SHOW GRANTS let the user make users, and give them permissions on new databases. A line without `ON`
 * grants a role, whose permissions the server does not show here: that counts as permitted, and the attempt decides.
 */
export function grantsRoles(lines: string[]): boolean {
  if (lines.some((line) => /^GRANT (?!.* ON )/.test(line))) return true;
  const isGranted = (right: RegExp) => lines.some((line) => /ON \*\.\* TO/.test(line) && right.test(line));
  const everything = /^GRANT ALL( PRIVILEGES)? ON/;
  const maySetGrants = lines.some((line) => /^GRANT (ALL|.*CREATE\b)/.test(line) && / WITH .*GRANT OPTION/.test(line));
  return (isGranted(/\bCREATE USER\b/) || isGranted(everything)) && maySetGrants;
}

export const roles: Roles = {
  async rights(session) {
    const lines = (await session.query('SHOW GRANTS')).map((row) => String(Object.values(row)[0]));
    const isSuperuser = lines.some((line) => /^GRANT (ALL( PRIVILEGES)?|.*\b(SUPER|FILE)\b.*) ON \*\.\* TO/.test(line));
    return { isSuperuser, mayMakeRoles: grantsRoles(lines) };
  },
  adminSql: (worker) =>
    `GRANT CREATE USER ON *.* TO ${user(worker)}; GRANT ALL ON \`%\`.* TO ${user(worker)} WITH GRANT OPTION;`,
  async make(session, role, password) {
    // At no time without a password.
    await session.query(`CREATE USER IF NOT EXISTS ${user(role)} IDENTIFIED BY ${text(password)}`);
    await session.query(
      `ALTER USER ${user(role)} IDENTIFIED BY ${text(password)} WITH MAX_USER_CONNECTIONS ${CONNECTIONS}`,
    );
  },
  async give(session, place, role) {
    await session.query(`GRANT ALL ON ${pattern(place.database)}.* TO ${user(role)}`);
  },
  async closeToFormer(session, place, role) {
    const database = pattern(place.database).slice(1, -1);
    const rows = await session.query(
      "SELECT User AS name, Host AS host FROM mysql.db WHERE Db IN (?, ?) AND User LIKE 'app\\_%' AND User <> ?",
      [place.database, database, role],
    );
    for (const { name, host } of rows)
      await session.query(
        `REVOKE ALL PRIVILEGES ON ${pattern(place.database)}.* FROM ${text(String(name))}@${text(String(host))}`,
      );
  },
  // These run with the rights of whoever made them.
  async foreign(session, place, role) {
    const made = (table: string, name: string, schema: string) =>
      `SELECT ${name} AS name, definer FROM information_schema.${table} WHERE ${schema} = ? AND definer NOT LIKE ?`;
    const sources = [
      made('views', 'table_name', 'table_schema'),
      made('triggers', 'trigger_name', 'trigger_schema'),
      made('routines', 'routine_name', 'routine_schema'),
      made('events', 'event_name', 'event_schema'),
    ];
    const like = `${role.replace(/_/g, '\\_')}@%`;
    const rows = await session.query(
      sources.join(' UNION ALL '),
      sources.flatMap(() => [place.database, like]),
    );
    return rows.map((row) => `${row.name} (${row.definer ?? row.DEFINER})`);
  },
  async drop(session, _place, role) {
    await session.query(`DROP USER IF EXISTS ${user(role)}`);
  },
  open: async () => [],
  closeSql: () => '',
};
