/** The databases of apps: check, create, mark, lock, empty and drop them. */
export { checkDatabase, type DatabaseCheck, type Verdict } from './check';
export { type DatabaseConnection, isAllowedHost, isHost, type Protected } from './connection';
export type { DatabaseContent } from './content';
export { createByOtherPlugin, replaceCoreCreators } from './core-creators';
export { dropDatabase } from './drop';
export {
  type Host,
  type HostPlace,
  type HostRow,
  markConnection,
  markOf,
  readRows,
  withHostPlace,
} from './host-rows';
export { identifyServer } from './identity';
export { acquireLock, type DatabaseLock, type LockOptions, lockKey } from './lock';
export { type Move, moveToRole } from './move';
export { keepMark, markUpgrading, releaseDatabase, resetPartialInstall } from './own-place';
export type { Owner } from './ownership-marker';
export { inspectDatabase, prepareDatabase } from './prepare';
export { type RoleMaker, type RoleRepairer, roleMakerOf, roleNameOf, setRolePassword, signsIn } from './role';
export { inspectServer, type ServerRoles } from './server-roles';
export { databaseSize } from './size';
export { createMainDatabase, dropMainDatabase, type WorkerDatabase, workerSql } from './worker-database';
