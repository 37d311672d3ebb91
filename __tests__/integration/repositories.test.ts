import { inspect } from 'node:util';
import { Database, type Filter } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import type { AppSupervisorError } from '../../src/server/errors';
import { filtering } from '../../src/server/supervisor/api/filter';
import { EventStore } from '../../src/server/supervisor/definitions/event-store';
import { type AppDefinition, AppRepository } from '../../src/server/supervisor/definitions/repository';
import { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import { APP } from '../../src/shared/app';
import { EVENT } from '../../src/shared/event';
import type { Fields } from '../../src/shared/fields';
import { databaseSuite } from '../contracts/database-suite';
import { appOf, recordOf } from '../support/fixtures';

async function open(): Promise<Database> {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'stores');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'stores', logging: false };
  const db = new Database(options as never);
  for (const collection of collections) db.collection(collection);
  await db.sync();
  return db;
}

databaseSuite(open);

describe('PostgreSQL', () => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  beforeEach(async () => {
    for (const { name } of collections) await db.getModel(name).destroy({ truncate: true });
  });
  afterAll(() => db?.close());

  const pick = ({ jwtSecret, database }: Pick<AppDefinition, 'jwtSecret' | 'database'>) => ({ jwtSecret, database });

  const app = appOf({ jwtSecret: 'sealed:x' });

  it('a filter is refused in words, or answered, whatever is in it', async () => {
    const apps = (filter: Filter) => new AppRepository({ db }).names(filter, ['name']);
    const events = (filter: Filter) => new EventStore({ db }).page(filter, ['id'], 1, 1);
    // One field of each kind that is filtered by.
    const fields: Array<[name: string, Fields, (filter: Filter) => Promise<unknown>]> = [
      ['title', APP, apps],
      ['pinned', APP, apps],
      ['createdAt', APP, apps],
      ['at', EVENT, events],
    ];
    const strange = ['x', 'a\0b', 'a\\', "'", '2026-13-45', '2026', null, true, 7, -1.5, 1e30, [], [1, 'x'], {}];
    const operators = [...db.operators.keys()].filter((name) => name !== '$and' && name !== '$or');
    const conditions = [...strange, ...operators.flatMap((name) => strange.map((value) => ({ [name]: value })))];
    const outcomes = { answered: 0, refused: 0, failed: [] as string[] };
    for (const [name, declared, ask] of fields)
      for (const condition of conditions) {
        const filter = { $and: [{ [name]: condition }] };
        try {
          await ask(filtering(filter, declared, [name]));
          outcomes.answered++;
        } catch (error) {
          if ((error as AppSupervisorError).code === 'INVALID_INPUT') outcomes.refused++;
          else outcomes.failed.push(`${JSON.stringify(filter)}: ${(error as Error).message}`);
        }
      }
    expect(outcomes.failed).toEqual([]);
    expect([outcomes.answered > 300, outcomes.refused > 1_000]).toEqual([true, true]);
  });

  it('invariant 8: what is refused says nothing of the secrets in it, to whomever logs it', async () => {
    const appRepository = new AppRepository({ db });
    const SECRET = 'in-the-clear';
    const secretive = { ...app, jwtSecret: SECRET, database: { ...app.database, password: SECRET } };
    await appRepository.create(secretive);
    const refusals = [
      () => appRepository.create(secretive),
      () => appRepository.update('crm', { title: 'x'.repeat(300), ...pick(secretive) }),
      () =>
        appRepository.bury({
          uid: 'x'.repeat(300),
          name: 'crm',
          definition: secretive as never,
          environments: [],
          data: 'keep',
        }),
      () => new SnapshotStore({ db }).save('x'.repeat(300), recordOf({ jwtSecret: SECRET }), null),
    ];
    const printed: unknown[] = [];
    const print = vi.spyOn(console, 'error').mockImplementation((...args) => void printed.push(args));
    for (const refused of refusals) {
      const error = await refused().then(
        () => expect.unreachable('It was let in.'),
        (thrown) => thrown,
      );
      expect(inspect(error, { depth: 8 })).not.toContain(SECRET);
      expect(error.message).toMatch(/unique|valid|too long/i);
    }
    print.mockRestore();
    expect(inspect(printed, { depth: 8 })).not.toContain(SECRET);
  });
});
