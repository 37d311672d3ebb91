import { describe } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { databaseSuite } from '../contracts/database-suite';
import { leadershipSuite } from '../contracts/leadership-suite';
import { leaseSuite } from '../contracts/lease-suite';
import { MemoryDatabase } from '../support/memory-database';

/** What the simulator stores in passes the tests that PostgreSQL passes (integration/repositories.test.ts, lease.test.ts, leader.test.ts). */

const open = async () => new MemoryDatabase(collections).connect();

describe('tables in memory', () => databaseSuite(open));
describe('a lease in memory', () => leaseSuite(open));
describe('the lead in memory', () => leadershipSuite(open));
