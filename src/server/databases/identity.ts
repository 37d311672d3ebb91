import { say } from '../../shared/message';
import { fail } from '../errors';
import { type DatabaseConnection, serverOf } from './connection';
import { dialectOf } from './dialects';
import { withSessions } from './open';

/** Time limit, in ms. */
const DEADLINE = 10_000;

/**
 * Tells a database from a copy of it, whatever addresses lead to both.
 * @throws what `withSessions` throws, DATABASE_MISSING
 */
export function identifyServer(connection: DatabaseConnection): Promise<string> {
  const dialect = dialectOf(connection);
  const { database, storage, schema = '' } = connection;
  return withSessions(connection, DEADLINE, async (open) => {
    const object = say('DATABASE', { name: String(database ?? storage) });
    const session =
      (await open.app()) ?? fail('DATABASE_MISSING', { object, server: serverOf(connection), app: 'main' });
    return `${connection.dialect} ${await dialect.identity(session)} ${schema}`;
  });
}
