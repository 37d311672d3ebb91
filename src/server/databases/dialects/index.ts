import type { DialectName } from '../../../shared/dialects';
import type { Place } from '../connection';
import type { Dialect } from '../dialect';
import { mysql } from './mysql';
import { postgres } from './postgres';
import { sqlite } from './sqlite';

/** The implementation of every dialect. */
export const dialects: Record<DialectName, Dialect> = { postgres, kingbase: postgres, mysql, mariadb: mysql, sqlite };

export const dialectOf = ({ connection }: Pick<Place, 'connection'>): Dialect => dialects[connection.dialect];
