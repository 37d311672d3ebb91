import { describe } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { dialectOf } from '../../src/server/databases/dialects';
import { appDatabaseSuite } from '../contracts/app-database-suite';
import { type Line, MemoryServer } from '../support/memory-server';

/** The server in memory is trusted because it passes what PostgreSQL passes (integration/databases.hosting.test.ts). */

const server = new MemoryServer(systemClock);
server.users.set('worker', 'secret');
// Sessions end a moment after somebody has ended them.
server.endsAfter = () => 20;
const line: Line = {
  clock: systemClock,
  owner: 'a process',
  ask: async (statement) => statement(),
  tell: (news) => news(),
};

describe('in memory', () =>
  appDatabaseSuite(() => ({
    connectionOf: (database) => server.connectionOf(line, { username: 'worker', password: 'secret', database }, true),
    openPooled: (connection) => dialectOf(connection).connect(connection, connection.database ?? null, 'pool') as never,
  })));
