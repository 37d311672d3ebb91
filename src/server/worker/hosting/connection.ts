import { say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { pick } from '../../../shared/pick';
import { type DatabaseConnection, isHost } from '../../databases';
import { AppSupervisorError } from '../../errors';
import { sealDatabase, unseal } from '../../protocol/secrets';

/** Database options as the host's main app has them; more than what we name is passed on untouched. */
export type HostDatabase = DatabaseConnection & Record<string, unknown>;

/** Of the environment's own server, beside what every connection of its own brings: means nothing at another one. */
const OWN = ['username', 'schema', 'ssl', 'dialectOptions'];

/**
 * How this environment reaches an app's database: server, user and password are the environment's own and names are the app's,
 * unless it has a connection of its own, which brings everything. What a record says beyond that is not looked at: whoever can
 * write one would have the environment's password sent to a server of his.
 *
 * @throws AppSupervisorError KEY_MISSING when the password was sealed with another key, INVALID_INPUT when a connection of its
 *   own names no host
 */
export function connectionOf(
  record: Pick<AppRecord, 'name' | 'database'>,
  main: HostDatabase,
  aesKey: Buffer | null,
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
  // The port stays: up to 0.1.0 none was stored where none was entered, and the environment's stood in for it.
  const rest = Object.fromEntries(Object.entries(base).filter(([key]) => !OWN.includes(key)));
  return { ...rest, ...filled(given), password: unseal(password ?? '', aesKey, record.name) } as HostDatabase;
}

/**
 * The connection that a check asks about. Its password comes as it was entered: a sealed one is some app's, entered for some
 * other server, and is not opened.
 */
export const connectionToCheck = ({ name, database }: Pick<AppRecord, 'name' | 'database'>, main: HostDatabase) =>
  connectionOf({ name, database: sealDatabase(database, null) }, main, null);

/** Without what was left empty in a form. */
const filled = (from: object): object =>
  Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined && value !== ''));
