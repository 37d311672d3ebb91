import type { AppDatabase } from '../../shared/messages';
import { type DatabaseConnection, moveToRole, roleNameOf } from '../databases';
import { messageOf } from '../errors';
import { sealDatabase, unseal } from '../protocol/secrets';
import { newRole } from '../supervisor/definitions/database-settings';
import type { AppDefinition, AppRepository } from '../supervisor/definitions/repository';

/** Moves apps that share the database role of their environment to roles of their own. */

export interface RoleMove {
  appRepository: Pick<AppRepository, 'all' | 'updateLiving'>;
  /** The server, and an administrator's sign-in for it. */
  admin: Omit<DatabaseConnection, 'database'>;
  aesKey: Buffer | null;
  /** The database roles of the Workers, by environment. */
  workers: ReadonlyMap<string, string>;
  /** Only these; null: all apps without a role. */
  only: string[] | null;
  /** The main database of the Worker, for apps that are a schema in it; null if none was named. */
  main: string | null;
}

export interface RoleMoveResult {
  moved: string[];
  failed: Array<{ app: string; reason: string }>;
}

/** One app after the other; what fails is as it was, and a repeated run goes on with it. */
export async function moveToRoles(options: RoleMove): Promise<RoleMoveResult> {
  const result: RoleMoveResult = { moved: [], failed: [] };
  for (const app of await options.appRepository.all()) {
    if (!isWanted(app, options.only)) continue;
    try {
      await moveOne(app, options);
      result.moved.push(app.name);
    } catch (error) {
      result.failed.push({ app: app.name, reason: messageOf(error) });
    }
  }
  return result;
}

/** An app that has a role already is moved again if it is named: its database may have been restored. */
const isWanted = ({ name, database }: AppDefinition, only: string[] | null): boolean =>
  database.dbConnType !== 'new_connection' && (only ? only.includes(name) : !database.username);

async function moveOne(app: AppDefinition, { appRepository, admin, aesKey, workers, main }: RoleMove): Promise<void> {
  const { dbConnType, database = main } = app.database;
  if (dbConnType === 'new_connection') return;
  if (!database) throw new Error('It is a schema in a main database: name that database with --main-database.');
  const { name, uid } = app;
  const role = app.database.username
    ? { username: roleNameOf(app), password: unseal(app.database.password ?? '', aesKey, name) }
    : newRole(app);
  const known = app.environments.map((environment) => workers.get(environment) ?? unknownWorker(environment));
  const moved: AppDatabase = { ...app.database, database, ...role };
  const place = { ...admin, database, ...(moved.schema ? { schema: moved.schema } : {}) };
  await moveToRole(
    place,
    dbConnType,
    { app: name, uid },
    {
      role: role.username,
      password: role.password,
      workers: [...new Set(known)],
    },
  );
  if (!(await appRepository.updateLiving(app, { database: sealDatabase(moved, aesKey) }, undefined, true)))
    throw new Error('It was changed meanwhile; run the command again.');
}

function unknownWorker(environment: string): never {
  throw new Error(`Environment ${environment} has not registered its database role; start its Worker once.`);
}
