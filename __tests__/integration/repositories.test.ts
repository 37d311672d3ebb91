import { inspect } from 'node:util';
import { Database } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { collections } from '../../src/server/core/collections';
import { systemRandom } from '../../src/server/core/system';
import { type AppDefinition, AppRepository } from '../../src/server/supervisor/apps/repository';
import { newOperationId, OperationStore } from '../../src/server/supervisor/control/store';
import { EnvironmentRegistry } from '../../src/server/supervisor/fleet/registry';
import { SnapshotStore } from '../../src/server/worker/snapshot';
import { failed, say, verbatim } from '../../src/shared/message';
import { appOf, operationOf, publishedOf, recordOf, registrationOf } from '../support/fixtures';

/** What is written into a real database is what is read from it. */

let db: Database;
beforeAll(async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'stores');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'stores', logging: false };
  db = new Database(options as never);
  for (const collection of collections) db.collection(collection);
  await db.sync();
});
beforeEach(async () => {
  for (const { name } of collections) await db.getModel(name).destroy({ truncate: true });
});
afterAll(() => db?.close());

const pick = ({ jwtSecret, database }: Pick<AppDefinition, 'jwtSecret' | 'database'>) => ({ jwtSecret, database });

/** Beyond 32 bits: generations are milliseconds since 1970. */
const NOW = Date.UTC(2026, 10, 24);

describe('definitions', () => {
  const {
    createdAt: _,
    updatedAt: __,
    sort: ___,
    ...app
  } = appOf({
    generation: NOW,
    boot: { generation: NOW, how: 'restart' },
    icon: 'data:image/png;base64,iVBORw0KGgo=',
    cname: 'crm.example.com',
    jwtSecret: 'sealed:x',
    sso: { enabled: true },
    published: { env_a: publishedOf({ generation: NOW, claim: 'create' }) },
  });

  it('are read as they were written, secrets and all', async () => {
    const appRepository = new AppRepository({ db });
    await appRepository.create(app);
    const read = await appRepository.find('crm');
    expect(read).toMatchObject(app);
    expect(typeof read?.generation).toBe('number');
    expect(Math.abs((read?.createdAt ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(await appRepository.all()).toEqual([read]);
    await appRepository.update('crm', { title: 'Sales', published: {} });
    expect(await appRepository.find('crm')).toMatchObject({ title: 'Sales', published: {}, jwtSecret: 'sealed:x' });
    expect(await appRepository.find('nobody')).toBeNull();
  });

  it('invariant 8: what is refused says nothing of the secrets in it, to whomever logs it', async () => {
    const appRepository = new AppRepository({ db });
    const SECRET = 'in-the-clear';
    const secretive = { ...app, jwtSecret: SECRET, database: { ...app.database, password: SECRET } };
    await appRepository.create(secretive);
    const refusals = [
      () => appRepository.create(secretive),
      () => appRepository.update('crm', { title: 'x'.repeat(300), ...pick(secretive) }),
      () => appRepository.bury({ uid: 'x'.repeat(300), name: 'crm', definition: secretive as never, environments: [] }),
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

  it('are found by name through filters and sorts of the API', async () => {
    const appRepository = new AppRepository({ db });
    for (const [name, title] of [
      ['b', 'Beta'],
      ['a', 'Alpha'],
      ['c', 'Gamma'],
    ])
      await appRepository.create({ ...app, name, title, uid: name, cname: null });
    expect(await appRepository.names({}, ['-title'])).toEqual(['c', 'b', 'a']);
    expect(await appRepository.names({ title: { $includes: 'eta' } }, ['name'])).toEqual(['b']);
  });

  it('that are buried are gone from the list, and remembered until everybody has let go', async () => {
    const appRepository = new AppRepository({ db });
    await appRepository.create(app);
    const definition = (await appRepository.find('crm'))!;
    await appRepository.bury({ uid: app.uid, name: 'crm', definition, environments: ['env_a', 'env_b'] });
    expect(await appRepository.all()).toEqual([]);
    expect(await appRepository.allTombstones()).toMatchObject([{ uid: 'uid-1', name: 'crm', definition }]);
    await appRepository.updateTombstone('uid-1', { environments: ['env_b'] });
    expect((await appRepository.allTombstones())[0].environments).toEqual(['env_b']);
    // The name may be used again meanwhile, by another incarnation.
    await appRepository.create({ ...app, uid: 'uid-2' });
    await appRepository.removeTombstone('uid-1');
    expect(await appRepository.allTombstones()).toEqual([]);
    expect((await appRepository.find('crm'))?.uid).toBe('uid-2');
  });

  it('with one name, uid or domain twice are refused by the database itself', async () => {
    // The core prints what it cannot write.
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const appRepository = new AppRepository({ db });
    await appRepository.create(app);
    await expect(appRepository.create({ ...app, uid: 'uid-2', cname: null })).rejects.toThrow();
    await expect(appRepository.create({ ...app, name: 'shop', cname: null })).rejects.toThrow();
    await expect(appRepository.create({ ...app, name: 'shop', uid: 'uid-2' })).rejects.toThrow();
    print.mockRestore();
    await appRepository.create({ ...app, name: 'shop', uid: 'uid-2', cname: null });
    await appRepository.create({ ...app, name: 'wiki', uid: 'uid-3', cname: null });
  });
});

describe('operations', () => {
  it('are read as they were written, step by step', async () => {
    const store = new OperationStore({ db });
    const operation = operationOf(['env_a boot', 'env_b boot'], {
      id: newOperationId(NOW, systemRandom),
      generation: NOW,
    });
    await store.create(operation);
    expect(await store.find(operation.id)).toMatchObject({ ...operation, createdAt: expect.any(Number) });
    const ended = {
      ...operation,
      state: 'failed' as const,
      finishedAt: NOW,
      waitingFor: null,
      steps: operation.steps.map((step) => ({ ...step, state: 'failed' as const, finishedAt: NOW })),
    };
    const waiting = { ...operation, waitingFor: say('WAITS_FOR_BEGIN', { environment: 'env_a' }) };
    await store.save(waiting);
    expect(await store.find(operation.id)).toMatchObject({ ...waiting, createdAt: expect.any(Number) });
    await store.save(ended);
    expect(await store.find(operation.id)).toMatchObject({ ...ended, createdAt: expect.any(Number) });
    expect(await store.find('nobody')).toBeNull();
  });

  it('of a release before 0.2.0 are read with its sentences', async () => {
    const step = { environment: 'env_a', kind: 'boot', state: 'failed', message: 'Installing.' };
    await db.getRepository('appOperations').create({
      values: {
        ...operationOf([]),
        waitingFor: 'environment env_a to begin',
        steps: [{ ...step, error: { code: 'DEADLINE', message: 'It has not finished.' } }],
      },
    });
    expect(await new OperationStore({ db }).find('op-1')).toMatchObject({
      waitingFor: verbatim('environment env_a to begin'),
      steps: [{ ...step, message: verbatim('Installing.'), error: failed('It has not finished.') }],
    });
  });

  it('that are not over are driven in the order they came', async () => {
    const store = new OperationStore({ db });
    const ids = [NOW, NOW + 1, NOW + 2].map((now) => newOperationId(now, systemRandom));
    for (const id of ids) await store.create(operationOf(['env_a boot'], { id }));
    await store.save({ ...operationOf([]), id: ids[1], state: 'succeeded', finishedAt: NOW });
    expect((await store.active()).map(({ id }) => id)).toEqual([ids[0], ids[2]]);
  });

  it('come by page and filter', async () => {
    const store = new OperationStore({ db });
    for (let i = 0; i < 5; i++)
      await store.create(
        operationOf([], { id: newOperationId(NOW + i, systemRandom), appName: i % 2 ? 'crm' : 'shop' }),
      );
    const [found, count] = await store.page({ appName: 'shop' }, ['-id'], 2, 2);
    expect([found.length, count]).toEqual([1, 3]);
    expect(found[0].id.startsWith(NOW.toString(36))).toBe(true);
  });

  it('that are over are kept for a while, those that are not for ever', async () => {
    const store = new OperationStore({ db });
    const old = operationOf([], { id: 'old', finishedAt: NOW - 1, state: 'succeeded' });
    await store.create(old);
    await store.create({ ...old, id: 'new', finishedAt: NOW });
    await store.create({ ...old, id: 'waiting', finishedAt: null, state: 'queued' });
    await store.removeOlderThan(NOW);
    expect((await store.page({}, ['id'], 1, 10))[0].map(({ id }) => id)).toEqual(['new', 'waiting']);
  });

  it('have ids that sort by time and never meet', () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => newOperationId(NOW + (i % 10), systemRandom));
    expect(new Set(ids).size).toBe(1_000);
    expect(newOperationId(NOW, systemRandom) < newOperationId(NOW + 1, systemRandom)).toBe(true);
  });
});

describe('environments', () => {
  it('are remembered as they last said, with what the operator decided about them', async () => {
    const registry = new EnvironmentRegistry({ db });
    await registry.remember(registrationOf('env_a'), NOW);
    await registry.setCordoned('env_a', true);
    await registry.remember(registrationOf('env_a', { url: 'http://moved' }), NOW + 1);
    await registry.remember(registrationOf('env_b'), NOW);
    const all = await registry.all();
    expect(all.map(({ name, cordoned }) => [name, cordoned])).toEqual([
      ['env_a', true],
      ['env_b', false],
    ]);
    expect(all[0]).toMatchObject({ registration: { url: 'http://moved' }, lastSeenAt: NOW + 1 });
    await registry.forget('env_b');
    expect(await registry.all()).toHaveLength(1);
  });

  it('of which nothing sensible is known are left out', async () => {
    await db.getRepository('appEnvironments').create({ values: { name: 'x', registration: { name: 'x' } } });
    expect(await new EnvironmentRegistry({ db }).all()).toEqual([]);
  });
});

describe('a worker’s snapshot', () => {
  const applied = {
    uid: 'uid-1',
    generation: NOW,
    bootGeneration: NOW,
    unfinished: { bootGeneration: NOW, count: 2 },
    version: '2.2.15',
    failure: null,
  };

  it('is read as it was written last', async () => {
    const store = new SnapshotStore({ db });
    await store.save('crm', recordOf(), null);
    await store.save('crm', recordOf({ generation: NOW }), applied);
    await store.save('shop', recordOf({ name: 'shop' }), null);
    expect(await store.load()).toEqual(
      expect.arrayContaining([
        { record: recordOf({ generation: NOW }), applied },
        { record: recordOf({ name: 'shop' }), applied: null },
      ]),
    );
    await store.remove('shop');
    expect(await store.load()).toHaveLength(1);
  });

  it('of a release before 0.2.0 is read with the sentence of its failure', async () => {
    const failure = { code: 'LOCK_LOST', message: 'The lock was lost.' };
    await db
      .getRepository('appSnapshots')
      .create({ values: { name: 'crm', record: recordOf(), applied: { ...applied, failure } } });
    expect(await new SnapshotStore({ db }).load()).toEqual([
      { record: recordOf(), applied: { ...applied, failure: failed('The lock was lost.') } },
    ]);
  });

  it('leaves out what an older version wrote and this one does not understand', async () => {
    await db.getRepository('appSnapshots').create({ values: { name: 'crm', record: { name: 'crm' }, applied: null } });
    expect(await new SnapshotStore({ db }).load()).toEqual([]);
  });
});
