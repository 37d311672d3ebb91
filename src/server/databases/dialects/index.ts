import type { DialectName } from '../../../shared/dialects';
import type { DatabaseConnection } from '../connection';
import type { Dialect } from '../dialect';
import { mysql } from './mysql';
import { postgres } from './postgres';
import { sqlite } from './sqlite';

/** The implementation of every dialect. */
export const dialects: Record<DialectName, Dialect> = { postgres, kingbase: postgres, mysql, mariadb: mysql, sqlite };

/** @param connection may have a dialect of its own in tests (a server in memory); connections from outside are parsed by zod, which drops this field */
export const dialectOf = ({ driver, dialect }: DatabaseConnection & { driver?: Dialect }): Dialect =>
  driver ?? dialects[dialect];
