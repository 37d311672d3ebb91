import type { DbConnType } from '../../shared/types';
import { type DatabaseConnection, placeOf } from './connection';
import { inPlace } from './open';

/** Time limit in ms: less than whoever asks waits. */
const DEADLINE = 4_000;

/**
 * How much of its server's disk an app's database takes, in bytes, as the server knows it without reading the data; null
 * if there is none.
 * @throws AppSupervisorError as `withSessions`
 */
export const databaseSize = (connection: DatabaseConnection, dbConnType: DbConnType): Promise<number | null> =>
  inPlace(placeOf(connection, dbConnType), DEADLINE, async (at) => (at ? at.dialect.size(at.session, at.place) : null));
