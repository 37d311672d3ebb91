import type { AppDatabase } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import type { CreateInput } from './input';
import { seal } from './secrets';

/** Where the data will lie, in full, so that no later default can move it. */
export function placeOf({ name, options }: Pick<CreateInput, 'name' | 'options' | 'title'>): AppDatabase {
  const dbConnType = options?.dbConnType ?? 'new_database';
  const given = options?.database ?? {};
  if (dbConnType === 'new_database')
    return { dbConnType, ...pick(given, ['tablePrefix']), database: given.database ?? name };
  if (dbConnType === 'new_schema') {
    const schema = given.schema ?? name.toLowerCase().replaceAll('-', '_');
    return { dbConnType, ...pick(given, ['tablePrefix']), schema };
  }
  return { dbConnType, ...given };
}

/** With its password as it may rest. */
export function sealDatabase(database: AppDatabase, aesKey: Buffer | null): AppDatabase {
  return database.password ? { ...database, password: seal(database.password, aesKey) } : database;
}

/**
 * Where the data lies is fixed at creation; how it is reached may change. An empty password means the one it has.
 * @throws AppSupervisorError INVALID_INPUT
 */
export function changedDatabase(
  before: AppDatabase,
  wanted: Partial<AppDatabase> | undefined,
  aesKey: Buffer | null,
): AppDatabase {
  if (!wanted) return before;
  for (const field of ['dialect', 'database', 'schema', 'tablePrefix'] as const) {
    if (
      wanted[field] !== undefined &&
      wanted[field] !== before[field] &&
      !(wanted[field] === '' && before[field] === undefined)
    ) {
      throw new AppSupervisorError(
        'INVALID_INPUT',
        { problem: `options.database.${field} is fixed when the app is created; it cannot change.` },
        `options.database.${field}`,
      );
    }
  }
  if (before.dbConnType !== 'new_connection') return before;
  const { password, ...rest } = pick(wanted, ['host', 'port', 'username', 'password']);
  return { ...before, ...rest, ...(password ? { password: seal(password, aesKey) } : {}) };
}

/** Those of the given keys that there are. */
export function pick<T extends object, K extends keyof T>(from: T, keys: K[]): Partial<Pick<T, K>> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Partial<
    Pick<T, K>
  >;
}
