import { DIALECTS } from '../../shared/dialects';
import { type Message, say } from '../../shared/message';
import { describeError } from '../errors';
import { type DatabaseConnection, serverOf } from './connection';
import { dialectOf } from './dialects';
import { withSessions } from './open';
import { roleDenied } from './role';

const DEADLINE = 10_000;

/** Whether a Worker gives new apps database roles of their own, and what an operator should know. */
export interface ServerRoles {
  /**
   * `made`: yes. `denied`: its own role may not make any, so it makes no apps. `shared`: the same, and the operator lets
   * apps share the Worker's role. `none`: the dialect has no roles.
   */
  mode: 'made' | 'denied' | 'shared' | 'none';
  /** The Worker's own role, and its server. */
  user: string;
  server: string;
  /** What lets the Worker make roles. */
  sql: string;
  warnings: Message[];
}

/**
 * What a Worker's own role may do on its server. Closes the main database, if the role owns it, to the roles of apps.
 * @param main the Worker's main database
 * @param mayShare `APP_SUPERVISOR_SHARED_DATABASE_ROLE`
 * @throws what `withSessions` throws
 */
export async function inspectServer(main: DatabaseConnection, mayShare: boolean): Promise<ServerRoles> {
  const { roles } = dialectOf(main);
  const user = main.username ?? '';
  const about = { user, server: serverOf(main), sql: roles?.adminSql(user) ?? '' };
  if (!roles || !DIALECTS[main.dialect].hasRoles) return { ...about, mode: 'none', warnings: [] };
  return withSessions(main, DEADLINE, async (open) => {
    const session = await open.app();
    if (!session) return { ...about, mode: 'denied', warnings: [] };
    const { isSuperuser, mayMakeRoles } = await roles.rights(session);
    const superuser = isSuperuser ? [say('WORKER_SUPERUSER', { user, server: about.server })] : [];
    if (!mayMakeRoles) {
      const warnings = mayShare ? [say('ROLE_SHARED', about)] : [describeError(roleDenied(main))];
      return { ...about, mode: mayShare ? 'shared' : 'denied', warnings: [...superuser, ...warnings] };
    }
    const isMain = ({ database }: { database: string }) => database === main.database;
    if ((await roles.open(session)).some((each) => isMain(each) && each.isOwn))
      await session.query(roles.closeSql([main.database ?? '']));
    const others = (await roles.open(session)).map(({ database }) => database);
    const server = { server: about.server, databases: others.join(', '), sql: roles.closeSql(others) };
    return {
      ...about,
      mode: 'made',
      warnings: [...superuser, ...(others.length ? [say('DATABASES_OPEN', server)] : [])],
    };
  });
}
