import { type Admission, admitConnection } from '../../databases';
import { AppSupervisorError } from '../../errors';
import type { HostingAuthority } from './claim';
import type { HostDatabase } from './host-database';

/** A connection as Sequelize's hooks get it from any driver. */
interface Opened {
  end(): unknown;
}

/**
 * Database options with which each new connection of the pool has to find this process as the app's host. So an app that was taken over
 * cannot write any more, even if its process does not know.
 *
 * @param uid the incarnation of the app
 * @param told called for each connection that is refused, or that finds no row of this process
 */
export function guardPool(
  connection: HostDatabase,
  uid: string,
  authority: HostingAuthority,
  told: (found: Admission) => void,
): HostDatabase {
  // A file belongs to one process; Sequelize opens it without a pool.
  if (connection.dialect === 'sqlite') return connection;
  const hooks = connection.hooks as { afterConnect?: unknown } | undefined;
  const before = [hooks?.afterConnect ?? []].flat();
  const afterConnect = async (opened: Opened) => {
    const { environment, holder } = authority;
    let found: Admission = 'refused';
    try {
      found = await admitConnection(connection, opened, { environment, holder, term: authority.term() }, uid);
    } finally {
      if (found === 'refused') void Promise.resolve(opened.end()).catch(() => undefined);
    }
    if (found !== 'own') told(found);
    if (found === 'refused') throw new AppSupervisorError('HOSTING_LOST', { environment });
  };
  return {
    ...connection,
    hooks: { ...hooks, afterConnect: [...before, afterConnect] },
  };
}
