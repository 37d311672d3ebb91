import type { DialectName } from '../connection';
import type { Dialect } from '../dialect';
import { mysql } from './mysql';
import { postgres } from './postgres';
import { sqlite } from './sqlite';

export const dialects: Record<DialectName, Dialect> = { postgres, kingbase: postgres, mysql, mariadb: mysql, sqlite };
