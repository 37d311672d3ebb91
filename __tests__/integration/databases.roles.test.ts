import { rolesOnMariadb, rolesOnPostgres } from './databases-roles-suite';

// The other driver and another PostgreSQL: faults/databases.roles.test.ts.
rolesOnPostgres('PostgreSQL of npm (18)');
rolesOnMariadb('mariadb');
