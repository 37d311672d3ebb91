import { say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { pick } from '../../../shared/pick';
import { type DatabaseConnection, isHost } from '../../databases';
import { AppSupervisorError } from '../../errors';

/** Database options of the host's main app; options that this type does not name are passed on unchanged. */
export type HostDatabase = DatabaseConnection & Record<string, unknown>;

/**
 * Settings of the environment's own server, in addition to those that every separate connection has: they make no sense
 * for another server.
 */
const OWN = ['username', 'schema', 'ssl', 'dialectOptions'];

/**
 * How this environment reaches an app's database. Server, user and password are the environment's own and names are the
 * app's, unless the app has a separate connection, which defines everything. Other values in a record are ignored:
 * whoever can write one could otherwise have the environment's password sent to his own server.
 *
 * @param open the stored password
 * @throws AppSupervisorError KEY_MISSING if the password was sealed with another key, INVALID_INPUT if a separate
 * connection names no host
 */
export function connectionOf(
  record: Pick<AppRecord, 'name' | 'database'>,
  main: HostDatabase,
  open: (password: string) => string,
): HostDatabase {
  const { dbConnType, password, ...given } = record.database;
  const { migrator: _, ...inherited } = main;
  const base: HostDatabase = { ...inherited, tablePrefix: '' };
  if (main.dialect === 'sqlite') {
    const folder = String(main.storage ?? '').replace(/[^/\\]*$/, '');
    return { ...base, dialect: 'sqlite', storage: `${folder}${record.name}.sqlite` };
  }
  if (dbConnType !== 'new_connection')
    return { ...base, ...filled(pick(given, ['database', 'schema', 'tablePrefix'])) };
  if (!isHost(given.host ?? '')) {
    const problem = say('CONNECTION_HOST', { app: record.name });
    throw new AppSupervisorError('INVALID_INPUT', { problem }, 'database.host');
  }
  // The port stays: up to 0.1.0 none was stored if none was entered, and the environment's port was used.
  const rest = Object.fromEntries(Object.entries(base).filter(([key]) => !OWN.includes(key)));
  return { ...rest, ...filled(given), password: open(password ?? '') } as HostDatabase;
}

/**
 * The connection for a check. Its password is used as entered: a sealed one belongs to some app and was entered for
 * some server, so it is not opened.
 */
export const connectionToCheck = ({ name, database }: Pick<AppRecord, 'name' | 'database'>, main: HostDatabase) =>
  connectionOf({ name, database }, main, (password) => password);

/** Without the fields that were left empty in a form. */
const filled = (from: object): object =>
  Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined && value !== ''));
