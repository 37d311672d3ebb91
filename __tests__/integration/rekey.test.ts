import { randomBytes } from 'node:crypto';
import { Database } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import { rekey, rekeyWebhook } from '../../src/server/core/rekey';
import { seal, unseal } from '../../src/server/protocol/secrets';
import { AppRepository } from '../../src/server/supervisor/definitions/repository';
import { NotifierStore } from '../../src/server/supervisor/notices/notifier-store';
import { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import { secretsOf as openerOf } from '../support/envelope';
import { appOf, recordOf } from '../support/fixtures';

/** Every secret of a main database under another key, on a real database. */

const [OLD, NEW, OTHER] = [1, 2, 3].map(() => randomBytes(32));
let db: Database;
let appRepository: AppRepository;
let snapshot: SnapshotStore;

beforeAll(async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'rekey');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'rekey', logging: false };
  db = new Database(options as never);
  for (const collection of collections) db.collection(collection);
  await db.sync();
  appRepository = new AppRepository({ db });
  snapshot = new SnapshotStore({ db });
});
afterAll(() => db?.close());

const secretsOf = (app: string, key: Buffer | null) => ({
  database: {
    dbConnType: 'new_connection' as const,
    database: app,
    host: 'db',
    password: seal(`password of ${app}`, key),
    nextPassword: seal(`new password of ${app}`, key),
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
  for (const name of ['crm', 'gone']) await appRepository.create(app(name));
  await appRepository.create({
    ...app('open'),
    database: { dbConnType: 'new_database', database: 'open' },
    jwtSecret: null,
    initialAdmin: null,
  });
  const definition = (await appRepository.find('gone'))!;
  const tombstone = { uid: definition.uid, name: 'gone', generation: 1, data: 'keep' as const, definition };
  await appRepository.bury({ ...tombstone, environments: ['env_a'] } as never);
  await snapshot.save('hosted', recordOf({ name: 'hosted', ...secretsOf('hosted', key) }), null);
}

/** All that rests in the database, opened with a key. */
async function opened(key: Buffer | null): Promise<string[]> {
  const resting = [
    ...(await appRepository.all()),
    ...(await appRepository.allTombstones()).map(({ definition }) => definition),
    ...(await snapshot.load()).map(({ record }) => record),
  ];
  const secrets = resting.flatMap(({ database, jwtSecret, initialAdmin }) => [
    database.password,
    database.nextPassword,
    jwtSecret,
    initialAdmin?.password,
  ]);
  return secrets.filter((secret) => typeof secret === 'string').map((secret) => unseal(secret, key, 'any'));
}
const ALL = ['crm', 'gone', 'hosted'].flatMap((name) =>
  ['password', 'new password', 'secret', 'hash'].map((what) => `${what} of ${name}`),
);

describe('another key', () => {
  beforeEach(() => fill(OLD));

  it('seals all there is, once, and nothing but that', async () => {
    const before = await appRepository.find('open');
    expect(await rekey(appRepository, snapshot, openerOf(OLD), NEW)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
    expect(await appRepository.find('open')).toEqual(before);
    expect(await rekey(appRepository, snapshot, openerOf(OLD), NEW)).toEqual({ changed: 0, unreadable: [] });
  });

  it('goes on where an earlier run was cut off', async () => {
    await appRepository.update('crm', secretsOf('crm', NEW));
    expect(await rekey(appRepository, snapshot, openerOf(OLD), NEW)).toEqual({ changed: 2, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
  });

  it('names what is sealed with neither key, and leaves it as it is', async () => {
    const { database, jwtSecret, initialAdmin } = secretsOf('crm', OTHER);
    await appRepository.update('crm', { database, jwtSecret, initialAdmin });
    expect(await rekey(appRepository, snapshot, openerOf(OLD), NEW)).toEqual({ changed: 2, unreadable: ['crm'] });
    expect(await appRepository.find('crm')).toMatchObject({ database, jwtSecret, initialAdmin });
    await expect(rekey(appRepository, snapshot, openerOf(OTHER), NEW)).resolves.toEqual({ changed: 1, unreadable: [] });
  });

  it('can be the first one, or the last', async () => {
    await fill(null);
    expect(await rekey(appRepository, snapshot, openerOf(null), NEW)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(NEW)).sort()).toEqual([...ALL].sort());
    expect(await rekey(appRepository, snapshot, openerOf(NEW), null)).toEqual({ changed: 3, unreadable: [] });
    expect((await opened(null)).sort()).toEqual([...ALL].sort());
  });
});

it('seals the secret of the webhook with the new key, and leaves one that neither key opens', async () => {
  const notifiers = new NotifierStore({ db });
  const rekeyed = async (secret: string | null) => {
    await notifiers.save('webhook', { secret });
    const isRead = await rekeyWebhook(notifiers, openerOf(OLD), NEW);
    return { isRead, secret: (await notifiers.get('webhook')).secret };
  };
  expect(await rekeyed(null)).toEqual({ isRead: true, secret: null });
  for (const stored of [seal('whsec', OLD), seal('whsec', NEW), 'whsec']) {
    const { isRead, secret } = await rekeyed(stored);
    expect(isRead).toBe(true);
    expect(unseal(secret!, NEW, 'webhook')).toBe('whsec');
  }
  const other = seal('whsec', OTHER);
  expect(await rekeyed(other)).toEqual({ isRead: false, secret: other });
});
