import { type Host, type HostRow, markConnection } from '../../databases';
import { AppSupervisorError } from '../../errors';
import type { HostingAuthority } from './claim';
import type { HostDatabase } from './host-database';

/** A connection as Sequelize's hooks get it from any driver. */
interface Opened {
  end(): unknown;
}

/**
 * What a new connection of an app's pool found.
 * - `own`: the row of this process.
 * - `lost`: none for this app, or one of an earlier process: other data were restored. This process claims the app again.
 * - `refused`: another process hosts the app, or it has left the environment.
 */
export type Admission = 'own' | 'lost' | 'refused';

/**
 * Whether a new connection of an app's pool may write. Pure.
 * @param row of its environment, as the app's database has it
 * @param uid the incarnation of the app
 */
export function judgeAdmission(
  row: HostRow | undefined,
  { holder, term }: Pick<Host, 'holder' | 'term'>,
  uid: string,
): Admission {
  if (row?.uid !== uid) return 'lost';
  if (row.gone) return 'refused';
  if (row.holder === holder) return 'own';
  return row.term < term ? 'lost' : 'refused';
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
      const term = authority.term();
      const row = await markConnection(connection, opened, { environment, holder }, uid);
      found = judgeAdmission(row, { holder, term }, uid);
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
