import { hasRoles } from '../../../shared/dialects';
import { say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { pick } from '../../../shared/pick';
import { type DatabaseConnection, isAllowedHost, isHost, roleNameOf } from '../../databases';
import { AppSupervisorError } from '../../errors';

/** Database options of the host's main app; options that this type does not name are passed on unchanged. */
export type HostDatabase = DatabaseConnection & Record<string, unknown>;

/**
 * Settings of the environment's own server, in addition to those that every separate connection has: they make no sense
 * for another server.
 */
const OWN = ['username', 'schema', 'ssl', 'dialectOptions'];

/**
 * How this environment reaches an app's database. The server is the environment's own; names, and the role of a database
 * that this plugin made, are the app's. A separate connection defines everything. Other values in a record are ignored:
 * whoever can write one could otherwise have the environment's password sent to his own server.
 *
 * @param open the stored password
 * @param allowedHosts as in `HostConfig`
 * @throws AppSupervisorError KEY_MISSING if the password was sealed with another key, INVALID_INPUT if a separate
 * connection names no host, or one that is not allowed
 */
export function connectionOf(
  record: Pick<AppRecord, 'name' | 'database'> & Partial<Pick<AppRecord, 'uid'>>,
  main: HostDatabase,
  open: (password: string) => string,
  allowedHosts: readonly string[] = [],
): HostDatabase {
  const { dbConnType, password, ...given } = record.database;
  if (dbConnType !== 'new_connection') {
    const place = workerConnectionOf(record, main);
    if (!hasOwnRole(record, main)) return place;
    return { ...place, username: given.username, password: open(password ?? '') };
  }
  const base = baseOf(main);
  if (main.dialect === 'sqlite') return sqliteOf(record, main);
  if (!isHost(given.host ?? '')) {
    const problem = say('CONNECTION_HOST', { app: record.name });
    throw new AppSupervisorError('INVALID_INPUT', { problem }, 'database.host');
  }
  if (!isAllowedHost(given.host ?? '', allowedHosts)) {
    const problem = say('CONNECTION_HOST_DENIED', { app: record.name, host: given.host ?? '' });
    throw new AppSupervisorError('INVALID_INPUT', { problem }, 'database.host');
  }
  // The port stays: up to 0.1.0 none was stored if none was entered, and the environment's port was used.
  const rest = Object.fromEntries(Object.entries(base).filter(([key]) => !OWN.includes(key)));
  return { ...rest, ...filled(given), password: open(password ?? ''), isSeparate: true } as HostDatabase;
}

/** Another role than the app's own is ignored, as other values are. */
const hasOwnRole = (
  { name, uid, database }: Pick<AppRecord, 'name' | 'database'> & Partial<Pick<AppRecord, 'uid'>>,
  main: HostDatabase,
): boolean => uid !== undefined && hasRoles(main.dialect) && database.username === roleNameOf({ name, uid });

/**
 * The same place with the environment's own user: the Worker itself, which makes, hands over and drops databases.
 * Meaningless for a separate connection.
 */
export function workerConnectionOf(
  record: Pick<AppRecord, 'name' | 'database'> & Partial<Pick<AppRecord, 'uid'>>,
  main: HostDatabase,
): HostDatabase {
  if (main.dialect === 'sqlite') return sqliteOf(record, main);
  const { dbConnType, ...given } = record.database;
  const place = { ...baseOf(main), ...filled(pick(given, ['database', 'schema', 'tablePrefix'])) } as HostDatabase;
  // Roles of apps may not enter the main database. One that was moved there has its database stored.
  if (dbConnType === 'new_schema' && !given.database && hasOwnRole(record, main))
    place.database = schemasDatabaseOf(main);
  return place;
}

/** Without the main app's migrator, and with the app's own prefix. */
function baseOf(main: HostDatabase): HostDatabase {
  const { migrator: _, ...inherited } = main;
  return { ...inherited, tablePrefix: '' };
}

const sqliteOf = ({ name }: Pick<AppRecord, 'name'>, main: HostDatabase): HostDatabase => ({
  ...baseOf(main),
  dialect: 'sqlite',
  storage: `${String(main.storage ?? '').replace(/[^/\\]*$/, '')}${name}.sqlite`,
});

/** The database of an environment for apps that have a schema and a role, next to its main database. */
export const schemasDatabaseOf = ({ database = '' }: Pick<HostDatabase, 'database'>): string =>
  `${database.slice(0, 58)}_apps`;

/**
 * The connection for a check. Its password is used as entered: a sealed one belongs to some app and was entered for
 * some server, so it is not opened.
 */
export const connectionToCheck = (
  { name, database }: Pick<AppRecord, 'name' | 'database'>,
  main: HostDatabase,
  allowedHosts: readonly string[] = [],
) => connectionOf({ name, database }, main, (password) => password, allowedHosts);

/** Without the fields that were left empty in a form. */
const filled = (from: object): object =>
  Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined && value !== ''));
