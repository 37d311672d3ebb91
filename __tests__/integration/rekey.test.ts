import { randomBytes } from 'node:crypto';
import { Database } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import { rekey } from '../../src/server/core/rekey';
import { seal, unseal } from '../../src/server/protocol/secrets';
import { Definitions } from '../../src/server/supervisor/apps/repository';
import { SnapshotStore } from '../../src/server/worker/snapshot';
import { appOf, recordOf } from '../support/fixtures';

/** Every secret of a main database under another key, on a real database. */

const [OLD, NEW, OTHER] = [1, 2, 3].map(() => randomBytes(32));
let db: Database;
let definitions: Definitions;
let snapshot: SnapshotStore;

beforeAll(async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'rekey');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'rekey', logging: false };
  db = new Database(options as never);
  for (const collection of collections) db.collection(collection);
  await db.sync();
  definitions = new Definitions({ db });
  snapshot = new SnapshotStore({ db });
});
afterAll(() => db?.close());

const secretsOf = (app: string, key: Buffer | null) => ({
  database: {
    dbConnType: 'new_connection' as const,
    database: app,
    host: 'db',
    password: seal(`password of ${app}`, key),
  },
  jwtSecret: seal(`secret of ${app}`, key),
  initialAdmin: { username: 'ada', email: null, password: seal(`hash of ${app}`, key) },
});

async function fill(key: Buffer | null): Promise<void> {
  for (const { name } of collections) await db.getModel(name).destroy({ truncate: true });
  const app = (name: string) => {
    const { createdAt: _, updatedAt: __, sort: ___, ...values } = appOf({ name, uid: `uid-${name}` });
    return { ...values, ...secretsOf(name, key) };
  };
  for (const name of ['crm', 'gone']) await definitions.create(app(name));
  await definitions.create({
    ...app('open'),
    database: { dbConnType: 'new_database', database: 'open' },
    jwtSecret: null,
    initialAdmin: null,
  });
  const definition = (await definitions.find('gone'))!;
  const tombstone = { uid: definition.uid, name: 'gone', generation: 1, data: 'keep' as const, definition };
  await definitions.bury({ ...tombstone, environments: ['env_a'] } as never);
  await snapshot.save('hosted', recordOf({ name: 'hosted', ...secretsOf('hosted', key) }), null);
}

/** All that rests in the database, opened with a key. */
async function opened(key: Buffer | null): Promise<string[]> {
  const resting = [
    ...(await definitions.all()),
    ...(await definitions.allTombstones()).map(({ definition }) => definition),
    ...(await snapshot.load()).map(({ record }) => record),
  ];
  const secrets = resting.flatMap(({ database, jwtSecret, initialAdmin }) => [
    database.password,
    jwtSecret,
    initialAdmin?.password,
  ]);
  return secrets.filter((secret) => typeof secret === 'string').map((secret) => unseal(secret, key, 'any'));
}
const ALL = ['crm', 'gone', 'hosted'].flatMap((name) =>
  ['password', 'secret', 'hash'].map((what) => `${what} of ${name}`),
);

describe('another key', () => {
  beforeEach(() => fill(OLD));

  it('seals all there is, once, and nothing but that', async () => {
    const before = await definitions.find('open');
    expect(await rekey(definitions, snapshot, OLD, NEW)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
    expect(await definitions.find('open')).toEqual(before);
    expect(await rekey(definitions, snapshot, OLD, NEW)).toEqual({ changed: 0, unreadable: [] });
  });

  it('goes on where an earlier run was cut off', async () => {
    await definitions.update('crm', secretsOf('crm', NEW));
    expect(await rekey(definitions, snapshot, OLD, NEW)).toEqual({ changed: 2, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
  });

  it('names what is sealed with neither key, and leaves it as it is', async () => {
    const { database, jwtSecret, initialAdmin } = secretsOf('crm', OTHER);
    await definitions.update('crm', { database, jwtSecret, initialAdmin });
    expect(await rekey(definitions, snapshot, OLD, NEW)).toEqual({ changed: 2, unreadable: ['crm'] });
    expect(await definitions.find('crm')).toMatchObject({ database, jwtSecret, initialAdmin });
    await expect(rekey(definitions, snapshot, OTHER, NEW)).resolves.toEqual({ changed: 1, unreadable: [] });
  });

  it('can be the first one, or the last', async () => {
    await fill(null);
    expect(await rekey(definitions, snapshot, null, NEW)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
    expect(await rekey(definitions, snapshot, NEW, null)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(null)).sort()).toEqual([...ALL].sort());
  });
});
