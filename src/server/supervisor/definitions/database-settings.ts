import { APP } from '../../../shared/app';
import type { DialectName } from '../../../shared/dialects';
import { pickIn } from '../../../shared/fields';
import type { AppDatabase } from '../../../shared/messages';
import { pick } from '../../../shared/pick';
import { portOf } from '../../databases/connection';
import { roleNameOf } from '../../databases/role';
import { AppSupervisorError } from '../../errors';
import { newSecret, seal } from '../../protocol/secrets';
import { type CreateInput, invalid, serverProblems, type UpdateInput } from './input';
import type { AppDefinition } from './repository';

/** The complete location of the data, so that no later default can change it. */
export function placeOf({ name, options }: { name: string } & Pick<CreateInput, 'options' | 'title'>): AppDatabase {
  const dbConnType = options?.dbConnType ?? 'new_database';
  const given = options?.database ?? {};
  if (dbConnType === 'new_database')
    return { dbConnType, ...pick(given, ['tablePrefix']), database: given.database ?? name };
  if (dbConnType === 'new_schema') {
    const schema = given.schema ?? name.toLowerCase().replaceAll('-', '_');
    return { dbConnType, ...pick(given, ['tablePrefix']), schema };
  }
  return { dbConnType, ...given, port: portOf({ dialect: given.dialect as DialectName, port: given.port }) };
}

/** The database role of a new app, with a random password. */
export const newRole = (app: { name: string; uid: string }) => ({ username: roleNameOf(app), password: newSecret() });

/** Whether a database that an environment made still belongs to the environment's own role. */
export const sharesRole = ({ database }: Pick<AppDefinition, 'database'>): boolean =>
  database.dbConnType !== 'new_connection' && !database.username;

/**
 * The location of the data is fixed at creation; the connection to it may change. An empty password keeps the stored
 * one, which is used for no other server and no other user than those it was entered for.
 * @throws AppSupervisorError INVALID_INPUT, PASSWORD_REQUIRED
 */
export function changedDatabase(
  { name, database: before }: Pick<AppDefinition, 'name' | 'database'>,
  { dbConnType = before.dbConnType, database: wanted = {} }: NonNullable<UpdateInput['options']>,
  aesKey: Buffer | null,
): AppDatabase {
  if (dbConnType !== before.dbConnType) throw invalid('options.dbConnType', 'INPUT_FIXED');
  // The role of an app's own database is none of its user's settings.
  const [problem] = serverProblems(dbConnType, dbConnType === 'new_connection' ? { ...before, ...wanted } : wanted);
  if (problem) throw invalid(`options.database.${problem.field}`, problem.problem);
  for (const field of ['dialect', 'database', 'schema', 'tablePrefix'] as const) {
    if (
      wanted[field] !== undefined &&
      wanted[field] !== before[field] &&
      !(wanted[field] === '' && before[field] === undefined)
    ) {
      throw invalid(`options.database.${field}`, 'INPUT_FIXED');
    }
  }
  const { password, ...rest } = pick(wanted, ['host', 'port', 'username', 'password']);
  if (dbConnType !== 'new_connection') return before;
  const isElsewhere = (['host', 'port', 'username'] as const).some(
    (field) => (rest[field] ?? before[field]) !== before[field],
  );
  if (isElsewhere && before.password && !password)
    throw new AppSupervisorError('PASSWORD_REQUIRED', { app: name }, 'options.database.password');
  return { ...before, ...rest, ...(password ? { password: seal(password, aesKey) } : {}) };
}

/** The settings that a request changes, as they are stored. @throws AppSupervisorError as `changedDatabase` */
export const settingsIn = (
  app: AppDefinition,
  { options, ...settings }: UpdateInput,
  aesKey: Buffer | null,
): Partial<AppDefinition> => ({
  ...pickIn(APP, 'table', settings),
  ...(options && { database: changedDatabase(app, options, aesKey), sso: options.sso ?? app.sso }),
});
