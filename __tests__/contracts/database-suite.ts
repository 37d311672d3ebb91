import type { Database, Transaction } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { systemRandom } from '../../src/server/core/system';
import { EnvironmentRegistry, isKnown } from '../../src/server/supervisor/definitions/environment-registry';
import { EventStore } from '../../src/server/supervisor/definitions/event-store';
import { newOperationId, OperationStore } from '../../src/server/supervisor/definitions/operation-store';
import { AppRepository } from '../../src/server/supervisor/definitions/repository';
import { NotifierStore } from '../../src/server/supervisor/notices/notifier-store';
import { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import { failed, say, verbatim } from '../../src/shared/message';
import { appOf, eventOf, operationOf, placementOf, publishedOf, recordOf, registrationOf } from '../support/fixtures';

/** What is written into a database is what is read from it. @param open makes the database, with all tables of the plugin in it */
export function databaseSuite(open: () => Promise<Database>): void {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  beforeEach(async () => {
    for (const { name } of collections) await db.getModel(name).destroy({ truncate: true });
  });
  afterAll(() => db?.close());

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
      placements: { env_a: placementOf({ generation: NOW, boot: { generation: NOW, how: 'restart' } }) },
      paused: { environment: 'env_a', boot: NOW, cause: say('NO_CAUSE') },
      icon: 'data:image/png;base64,iVBORw0KGgo=',
      cname: 'crm.example.com',
      jwtSecret: 'sealed:x',
      sso: { enabled: true },
      published: { env_a: publishedOf({ generation: NOW, provision: 'create' }) },
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

    it('that are gone, or are another incarnation, are not changed', async () => {
      const appRepository = new AppRepository({ db });
      await appRepository.create(app);
      expect(await appRepository.updateLiving({ ...app, uid: 'uid-0' }, { title: 'Of another' })).toBe(false);
      expect(await appRepository.updateLiving({ ...app, name: 'shop' }, { title: 'Of nobody' })).toBe(false);
      const before = { ...app, generation: NOW - 1 };
      expect(await appRepository.updateLiving(before, { title: 'Of an older one' }, undefined, true)).toBe(false);
      expect(await appRepository.updateLiving(before, { title: 'Sales' })).toBe(true);
      expect((await appRepository.all()).map(({ title }) => title)).toEqual(['Sales']);
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
      await appRepository.bury({
        uid: app.uid,
        name: 'crm',
        definition,
        environments: ['env_a', 'env_b'],
        data: 'drop',
      });
      expect(await appRepository.all()).toEqual([]);
      expect(await appRepository.allTombstones()).toMatchObject([
        { uid: 'uid-1', name: 'crm', definition, data: 'drop' },
      ]);
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
    it('are read as they were written, with their progress', async () => {
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
        progress: operation.progress.map((item) => ({ ...item, state: 'failed' as const, finishedAt: NOW })),
      };
      const waiting = { ...operation, waitingFor: say('WAITS_FOR_BEGIN', { environment: 'env_a' }) };
      expect(await store.save(waiting)).toBe(true);
      expect(await store.find(operation.id)).toMatchObject({ ...waiting, createdAt: expect.any(Number) });
      expect(await store.active({ appUid: operation.appUid })).toMatchObject([
        { id: operation.id, waitingFor: waiting.waitingFor },
      ]);
      expect(await store.save(ended)).toBe(true);
      expect(await store.save(waiting)).toBe(false);
      expect(await store.find(operation.id)).toMatchObject({ ...ended, createdAt: expect.any(Number) });
      expect(await store.find('nobody')).toBeNull();
    });

    it('of a release before 0.2.0 are read with its sentences', async () => {
      const item = { environment: 'env_a', of: 'boot', state: 'failed', message: 'Installing.' };
      await db.getRepository('appOperations').create({
        values: {
          ...operationOf([]),
          waitingFor: 'environment env_a to begin',
          progress: [{ ...item, error: { code: 'DEADLINE', message: 'It has not finished.' } }],
        },
      });
      expect(await new OperationStore({ db }).find('op-1')).toMatchObject({
        waitingFor: verbatim('environment env_a to begin'),
        progress: [{ ...item, message: verbatim('Installing.'), error: failed('It has not finished.') }],
      });
    });

    it('that are not over are driven in the order they came', async () => {
      const store = new OperationStore({ db });
      const ids = [NOW, NOW + 1, NOW + 2].map((now) => newOperationId(now, systemRandom));
      for (const id of ids) await store.create(operationOf(['env_a boot'], { id }));
      await store.save({ ...operationOf([]), id: ids[1], state: 'succeeded', finishedAt: NOW });
      expect((await store.active()).map(({ id }) => id)).toEqual([ids[0], ids[2]]);
      await store.create(operationOf(['env_a boot'], { id: 'op-shop', appName: 'shop' }));
      expect((await store.active({ appName: { $in: ['crm'] } })).map(({ id }) => id)).toEqual([ids[0], ids[2]]);
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

  describe('events', () => {
    const cause = failed('connect ECONNREFUSED');
    const failure = eventOf({
      id: 'b',
      kind: 'failure',
      appName: 'crm',
      appUid: 'uid-1',
      cause,
      at: NOW,
      endedAt: NOW,
    });

    it('are read as they were written, the newest first, by page and filter', async () => {
      const store = new EventStore({ db });
      const down = eventOf({ id: 'a', at: NOW - 1 });
      await store.append([down, failure]);
      expect(await store.page({}, ['-at'], 1, 10)).toEqual([[failure, down], 2]);
      expect(await store.page({}, ['-at'], 2, 1)).toEqual([[down], 2]);
      expect(await store.page({ kind: 'failure', at: { $gt: NOW - 1 } }, ['-at'], 1, 10)).toEqual([[failure], 1]);
      expect(await store.page({ appName: 'shop' }, ['-at'], 1, 10)).toEqual([[], 0]);
    });

    it('are written once, whoever writes them again', async () => {
      const store = new EventStore({ db });
      await store.append([failure]);
      await store.append([{ ...failure, at: NOW + 1 }, eventOf({ id: 'c', at: NOW })]);
      const [found] = await store.page({}, ['id'], 1, 10);
      expect(found.map(({ id, at }) => [id, at])).toEqual([
        ['b', NOW],
        ['c', NOW],
      ]);
    });

    it('that last are found until they end', async () => {
      const store = new EventStore({ db });
      await store.append([eventOf({ id: 'a', at: NOW }), failure]);
      expect((await store.open()).map(({ id }) => id)).toEqual(['a']);
      await store.end('a', NOW + 5);
      await store.end('b', NOW + 5);
      expect(await store.open()).toEqual([]);
      const [found] = await store.page({}, ['id'], 1, 10);
      expect(found.map(({ endedAt }) => endedAt)).toEqual([NOW + 5, NOW]);
    });

    it('are known by what each notifier has told of them', async () => {
      const store = new EventStore({ db });
      await store.append([eventOf({ id: 'lasts', at: NOW }), failure, eventOf({ id: 'old', at: NOW - 9 })]);
      const untold = async (id: 'channel' | 'webhook') => (await store.untold(id, NOW - 5, 9)).map((event) => event.id);
      expect(await untold('webhook')).toEqual(['b', 'lasts']);
      await store.markTold(
        'webhook',
        new Map([
          ['lasts', 'begun'],
          ['b', 'no'],
        ]),
      );
      expect([await untold('webhook'), await untold('channel')]).toEqual([[], ['b', 'lasts']]);
      expect(await store.over('webhook', NOW - 5, 9)).toEqual([]);
      await store.end('lasts', NOW + 5);
      expect((await store.over('webhook', NOW - 5, 9)).map(({ id }) => id)).toEqual(['lasts']);
      expect(await store.over('channel', NOW - 5, 9)).toEqual([]);
      // Whoever records it again changes nothing of that.
      await store.append([failure]);
      expect(await untold('webhook')).toEqual([]);
      expect((await store.some(['b', 'gone'])).map(({ id }) => id)).toEqual(['b']);
    });

    it('that ended long ago are deleted, some at a time; what lasts is kept', async () => {
      const store = new EventStore({ db });
      const old = (id: string) => eventOf({ id, at: NOW - 2, endedAt: NOW - 1 });
      await store.append([old('x'), old('y'), old('z'), eventOf({ id: 'lasts', at: NOW - 9 }), failure]);
      expect(await store.removeEndedBefore(NOW, 2)).toBe(2);
      expect(await store.removeEndedBefore(NOW, 2)).toBe(1);
      expect((await store.page({}, ['id'], 1, 10))[0].map(({ id }) => id)).toEqual(['b', 'lasts']);
    });
  });

  describe('notifiers', () => {
    it('are off until somebody sets them, and keep what is being sent', async () => {
      const store = new NotifierStore({ db });
      expect(await store.all()).toMatchObject([
        { id: 'channel', enabled: false, kinds: [], delivery: null, secret: null },
        { id: 'webhook', enabled: false, since: 0 },
      ]);
      const events = [{ id: 'lasts', phase: 'begun' as const }];
      const delivery = { id: 'd', events, at: NOW, failures: 2, nextAt: NOW + 9, done: ['zh-CN'] };
      const error = say('WEBHOOK_STATUS', { status: 500 });
      const values = { enabled: true, kinds: ['takeover' as const], secret: 'sealed:x', since: NOW, delivery, error };
      await store.save('webhook', values);
      await store.save('webhook', { url: 'https://example.com/' });
      expect(await store.get('webhook')).toMatchObject({ ...values, url: 'https://example.com/', receivers: [] });
      expect(await store.get('channel')).toMatchObject({ enabled: false });
      await store.save('webhook', { delivery: null, error: null });
      expect(await store.get('webhook')).toMatchObject({ delivery: null, error: null, secret: 'sealed:x' });
    });
  });

  describe('environments', () => {
    it('are remembered as they last said, with what the operator decided about them', async () => {
      const registry = new EnvironmentRegistry({ db });
      await registry.remember(registrationOf('env_a'), NOW);
      // Also when it changes nothing.
      for (const _ of [1, 2]) expect(await registry.change('env_a', 0, { cordoned: true })).toBe(true);
      await registry.remember(registrationOf('env_a', { url: 'http://moved' }), NOW + 1);
      expect(await registry.remember(registrationOf('env_b'), NOW, ['http://named'])).toEqual(['http://named']);
      expect(await registry.remember(registrationOf('env_b'), NOW, ['http://other'])).toEqual(['http://named']);
      const all = await registry.all();
      expect(all.map(({ name, cordoned }) => [name, cordoned])).toEqual([
        ['env_a', true],
        ['env_b', false],
      ]);
      expect(all[0]).toMatchObject({ registration: { url: 'http://moved' }, lastSeenAt: NOW + 1 });
      await registry.forget('env_b', NOW + 2);
      expect([await registry.has('env_a'), await registry.has('env_b'), await registry.has('env_c')]).toEqual([
        true,
        false,
        false,
      ]);
      expect((await registry.all()).map(({ name, floor, isRemoved }) => [name, floor, isRemoved])).toEqual([
        ['env_a', 0, false],
        ['env_b', NOW + 2, true],
      ]);
      expect(await registry.stateOf('env_b')).toMatchObject({ registration: null, proxyUrls: [] });
      await registry.noteRemoved('env_b');
      expect(await registry.has('env_b')).toBe(false);
      expect(await registry.stateOf('env_b')).toMatchObject({ floor: NOW + 2, isRemoved: false });
      expect(await registry.names()).toEqual(['env_a', 'env_b']);
      expect((await registry.all()).filter(isKnown).map(({ name }) => name)).toEqual(['env_a']);
    });

    it('that were forgotten come back in their new floor, without what was decided about them', async () => {
      const registry = new EnvironmentRegistry({ db });
      expect(await registry.stateOf('env_c')).toMatchObject({ floor: 0, isRemoved: false });
      await registry.remember(registrationOf('env_c'), NOW);
      await registry.change('env_c', 0, { cordoned: true });
      expect(await registry.stateOf('env_c')).toMatchObject({ floor: 0, isRemoved: false });
      expect(await registry.forget('env_c', NOW + 2)).toBe(NOW + 2);
      // Through another Supervisor, at the same time.
      expect(await registry.forget('env_c', NOW + 3)).toBeNull();
      for (const floor of [0, NOW + 2])
        expect(await registry.change('env_c', floor, { cordoned: true, proxyUrls: ['http://env_c'] })).toBe(false);
      expect(await registry.stateOf('env_c')).toMatchObject({ floor: NOW + 2, isRemoved: true });
      // What another Supervisor had found before, and writes only now.
      await registry.remember(registrationOf('env_c'), NOW + 3);
      expect((await registry.all()).filter(isKnown).map(({ name }) => name)).not.toContain('env_c');
      await registry.noteRemoved('env_c');
      await registry.remember(registrationOf('env_c'), NOW + 3);
      // Of somebody who has not read since.
      expect(await registry.change('env_c', 0, { cordoned: true })).toBe(false);
      const [found] = (await registry.all()).filter(({ name }) => name === 'env_c');
      expect(found).toMatchObject({ cordoned: false, floor: NOW + 2, registration: { name: 'env_c' } });
    });

    it('of which nothing sensible is known are left out', async () => {
      await db.getRepository('appEnvironments').create({ values: { name: 'x', registration: { name: 'x' } } });
      expect((await new EnvironmentRegistry({ db }).all()).filter(isKnown)).toEqual([]);
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

    it('has a header, with which apps leave it', async () => {
      const store = new SnapshotStore({ db });
      for (const name of ['crm', 'shop']) await store.save(name, recordOf({ name }), applied);
      expect(await store.loadHeader()).toBeNull();
      await store.saveHeader({ floor: 0, publicKey: null, removed: [] }, []);
      const removed = [{ uid: 'uid-1', generation: 5, at: NOW }];
      const header = { floor: NOW, publicKey: 'public', removed };
      await store.saveHeader(header, ['crm']);
      expect(await store.loadHeader()).toEqual(header);
      expect((await store.load()).map(({ record }) => record.name)).toEqual(['shop']);
      await store.remove('shop');
      await store.remove(':environment');
    });

    it('has an id of its database, which stays, whoever asks, and is no app', async () => {
      const asked = await Promise.all(['one', 'two'].map((id) => new SnapshotStore({ db }).databaseId(id)));
      expect(asked).toEqual([asked[0], asked[0]]);
      expect(['one', 'two']).toContain(asked[0]);
      const store = new SnapshotStore({ db });
      await store.saveHeader({ floor: 0, publicKey: null, removed: [] }, []);
      expect([await store.databaseId('three'), await store.load()]).toEqual([asked[0], []]);
    });

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
      await db
        .getRepository('appSnapshots')
        .create({ values: { name: 'crm', record: { name: 'crm' }, applied: null } });
      expect(await new SnapshotStore({ db }).load()).toEqual([]);
    });
  });

  describe('transactions', () => {
    const rename = (title: string, transaction?: Transaction) =>
      new AppRepository({ db }).update('crm', { title }, transaction);
    const titleNow = async () => (await new AppRepository({ db }).find('crm'))?.title;
    const patience = () => new Promise((resolve) => setTimeout(resolve, 100));

    it('are seen by others as a whole, or not at all', async () => {
      const appRepository = new AppRepository({ db });
      await appRepository.create(appOf());
      const seen: unknown[] = [];
      await db.sequelize.transaction(async (transaction) => {
        await rename('Sales', transaction);
        seen.push(await titleNow(), (await appRepository.find('crm', transaction))?.title);
      });
      expect([...seen, await titleNow()]).toEqual(['CRM', 'Sales', 'Sales']);
      const failing = db.sequelize.transaction(async (transaction) => {
        await rename('Half', transaction);
        await appRepository.create(appOf({ name: 'shop', uid: 'uid-2' }), transaction);
        throw new Error('No.');
      });
      await expect(failing).rejects.toThrow('No.');
      expect([await titleNow(), (await appRepository.all()).length]).toEqual(['Sales', 1]);
    });

    it('wait for a row that another one has locked, and look at it again', async () => {
      await new AppRepository({ db }).create(appOf());
      const story: string[] = [];
      let conditional: Promise<unknown> = Promise.resolve();
      await db.sequelize.transaction(async (transaction) => {
        await db.getModel('apps').findOne({ where: { name: 'crm' }, transaction, lock: transaction.LOCK.UPDATE });
        conditional = db
          .getModel('apps')
          .update({ title: 'Second' }, { where: { name: 'crm', title: 'CRM' } })
          .then(([count]) => story.push(`changed ${count}`));
        await patience();
        await rename('First', transaction);
        story.push('first ends');
      });
      await conditional;
      expect([story, await titleNow()]).toEqual([['first ends', 'changed 0'], 'First']);
    });

    it('that wait for each other in a circle do not wait for ever', async () => {
      // The core prints the deadlock.
      const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      const appRepository = new AppRepository({ db });
      await appRepository.create(appOf());
      await appRepository.create(appOf({ name: 'shop', uid: 'uid-2' }));
      const both = (first: string, second: string) =>
        db.sequelize.transaction(async (transaction) => {
          await appRepository.update(first, { title: 'x' }, transaction);
          await patience();
          await appRepository.update(second, { title: 'x' }, transaction);
        });
      const ends = await Promise.allSettled([both('crm', 'shop'), both('shop', 'crm')]);
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      print.mockRestore();
    });
  });
}
