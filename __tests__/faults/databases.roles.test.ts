import { rolesOnMariadb, rolesOnPostgres } from '../integration/databases-roles-suite';
import { postgresPrograms } from '../support/postgres-programs';

/** As integration/databases.roles.test.ts, with the other driver of MariaDB and an older PostgreSQL. */

rolesOnPostgres('PostgreSQL of the system (15 on Debian)', postgresPrograms());
rolesOnMariadb('mysql');
