import type { AppRecord } from '../../shared/messages';
import type { DatabaseConnection } from '../apps/databases';
import { unseal } from '../apps/secrets';

/** Database options as the host's main app has them; more than what we name is passed on untouched. */
export type HostDatabase = DatabaseConnection & Record<string, unknown>;

/**
 * How this environment reaches an app's database: host and password are the environment's own, names are the app's, and a
 * connection of its own brings everything.
 *
 * @throws AppSupervisorError KEY_MISSING when the password was sealed with another key
 */
export function connectionOf(
  record: Pick<AppRecord, 'name' | 'database'>,
  main: HostDatabase,
  aesKey: Buffer | null,
): HostDatabase {
  const { dbConnType, password, ...place } = record.database;
  const given = Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined && value !== ''));
  const { migrator: _, ...inherited } = main;
  const base = { ...inherited, tablePrefix: '' };
  if (main.dialect === 'sqlite') {
    const folder = String(main.storage ?? '').replace(/[^/\\]*$/, '');
    return { ...base, dialect: 'sqlite', storage: `${folder}${record.name}.sqlite` };
  }
  if (dbConnType === 'new_connection') {
    // Another server: the environment's own schema and TLS settings mean nothing there.
    const { schema: _schema, ssl: _ssl, dialectOptions: _dialectOptions, ...rest } = base as HostDatabase;
    return { ...rest, ...given, password: unseal(password ?? '', aesKey, record.name) } as HostDatabase;
  }
  return { ...base, ...given } as HostDatabase;
}
