import type { Variables } from './variables';

export interface DatabaseRolesConfig {
  /** Whether apps may share the database role of an environment that may make none: `APP_SUPERVISOR_SHARED_DATABASE_ROLE`. */
  mayShare: boolean;
  /** An administrator of the database server, for the command `app-supervisor:database-roles`: `APP_SUPERVISOR_DATABASE_ADMIN_…`. */
  admin: { user: string; password: string } | null;
}

export function databaseRolesOf(variables: Variables): DatabaseRolesConfig {
  const { APP_SUPERVISOR_DATABASE_ADMIN_USER: user, APP_SUPERVISOR_DATABASE_ADMIN_PASSWORD: password = '' } =
    variables.env;
  return {
    mayShare: variables.flag('APP_SUPERVISOR_SHARED_DATABASE_ROLE'),
    admin: user ? { user, password } : null,
  };
}
