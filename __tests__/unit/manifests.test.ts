import { beforeEach, describe, expect, it } from 'vitest';
import { Manifests, SAVED_WITHIN } from '../../src/server/core/manifests';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { TestStores } from '../support/stores';
import { Table } from '../support/table';
import { until } from '../support/wait';

/** Two processes with a database each, and one store between them. */

let store: TestStores;
let clock: FakeClock;
/** Apps there are, by name their uid; null: it has ended, absent: not heard of. */
let apps: Record<string, string | null>;
let supervisor: Manifests;
let worker: Manifests;
let workerTable: Table;

const log = recordedLog();
const processWith = (table: Table | null, hasMain = false) =>
  new Manifests({
    store: store.manifests,
    main: () => table?.app ?? null,
    uidOf: (name) => (name === 'main' ? name : apps[name]),
    hasMain,
    clock,
    log,
  });
const of = async (manifests: Manifests, app = 'crm') => (await manifests.values('ns', [app])).get(app) ?? [];

beforeEach(() => {
  store = new TestStores();
  clock = new FakeClock();
  apps = { crm: 'uid-1', shop: 'uid-2' };
  workerTable = new Table();
  supervisor = processWith(new Table(), true);
  worker = processWith(workerTable);
});

describe('data that plugins set on an app', () => {
  it('is known to every process, by namespace', async () => {
    await worker.change('crm', 'ns', 'a', { x: 1 });
    await worker.change('crm', 'ns', 'b', null);
    await worker.change('crm', 'other', 'a', 2);
    await worker.change('shop', 'ns', 'a', 3);
    for (const manifests of [worker, supervisor]) {
      expect(await of(manifests)).toEqual([{ x: 1 }, null]);
      expect(await manifests.values('ns', ['crm', 'shop', 'wiki'])).toEqual(
        new Map<string, unknown[]>([
          ['crm', [{ x: 1 }, null]],
          ['shop', [3]],
        ]),
      );
    }
    await supervisor.change('crm', 'ns', 'b');
    expect(await of(worker)).toEqual([{ x: 1 }]);
    await supervisor.clear('crm', 'ns');
    for (const manifests of [worker, supervisor]) expect(await of(manifests)).toEqual([]);
    expect(await worker.values('other', ['crm'])).toEqual(new Map([['crm', [2]]]));
  });

  it('costs one read of the changes, for any number of apps', async () => {
    await worker.change('crm', 'ns', 'a', 1);
    store.calls.length = 0;
    const many = Array.from({ length: 1_000 }, (_, i) => `app-${i}`);
    await supervisor.values('ns', [...many, 'crm']);
    expect(store.calls).toEqual(['manifests.read']);
  });

  it('invariant 1: survives a flush, also the last write of another process to the same item', async () => {
    await worker.change('crm', 'ns', 'kept', 'by the worker');
    await worker.change('crm', 'ns', 'changed', 'old');
    await worker.change('crm', 'ns', 'removed', 'old');
    clock.jump(-500); // another machine's clock
    await supervisor.change('crm', 'ns', 'changed', 'new');
    await supervisor.change('crm', 'ns', 'removed');
    store.flush();
    // In either order.
    await worker.round();
    await supervisor.round();
    expect(await of(supervisor)).toEqual(['by the worker', 'new']);
    expect(await of(worker)).toEqual(['by the worker', 'new']);
    store.flush();
    await supervisor.round();
    await worker.round();
    for (const manifests of [worker, supervisor])
      expect((await of(manifests)).sort()).toEqual(['by the worker', 'new']);
  });

  it('invariant 1: survives a restart, also if the store is a memory that ended with the process', async () => {
    await worker.change('crm', 'ns', 'a', 1);
    store.flush();
    const again = processWith(workerTable);
    await again.round();
    expect(await of(again)).toEqual([1]);
    expect(await of(supervisor)).toEqual([1]);
  });

  it('is known to its process while the store is down, and written once when it is back; known data stays', async () => {
    await supervisor.change('crm', 'ns', 'before', 0);
    expect(await of(worker)).toEqual([0]);
    store.away = true;
    await worker.change('crm', 'ns', 'a', 1);
    expect((await of(worker)).sort()).toEqual([0, 1]);
    expect(await of(supervisor)).toEqual([0]);
    await worker.round();
    store.away = false;
    await worker.round();
    expect((await of(supervisor)).sort()).toEqual([0, 1]);
  });

  it('is not written again while the store has it', async () => {
    await worker.change('crm', 'ns', 'a', 1);
    await worker.round();
    await worker.round();
    expect(store.timesCalled('manifests.write')).toBe(1);
    expect(await supervisor.round()).toBeUndefined();
    expect(store.timesCalled('manifests.write')).toBe(1);
  });

  it('ends with the app, and does not apply to a successor', async () => {
    await worker.change('crm', 'ns', 'a', 1);
    await supervisor.change('crm', 'ns', 'b', 2);
    apps.crm = 'uid-3';
    for (const manifests of [worker, supervisor]) expect(await of(manifests)).toEqual([]);
    await worker.change('crm', 'ns', 'b', 'its own');
    await supervisor.forget('uid-1');
    await worker.round();
    expect([...workerTable.rows.values()].map(({ item }) => item)).toMatchObject([{ uid: 'uid-3', key: 'b' }]);
    expect((await store.manifests.read(''))?.items).toMatchObject([{ uid: 'uid-3', key: 'b' }]);
    expect(await of(supervisor)).toEqual(['its own']);
  });

  it('is dropped by a worker only if the app is known to be deleted', async () => {
    await worker.change('crm', 'ns', 'a', 1);
    delete apps.crm;
    await worker.round();
    expect(workerTable.rows.size).toBe(1);
    apps.crm = null;
    await worker.round();
    expect(workerTable.rows.size).toBe(0);
    expect((await store.manifests.read(''))?.items).toEqual([]);
  });

  it.each<[string, () => Manifests, string]>([
    ['of an app that there is not', () => worker, 'nobody'],
    ['of `main` by a worker: that is the Supervisor’s main app', () => worker, 'main'],
    ['by a command-line run', () => processWith(null), 'crm'],
  ])('is not kept %s', async (_, manifests, app) => {
    await manifests().change(app, 'ns', 'a', 1);
    expect(store.timesCalled('manifests.write')).toBe(0);
    expect(workerTable.rows.size).toBe(0);
  });

  it('of `main` is written by the Supervisor, and readable for all', async () => {
    await supervisor.change('main', 'ns', 'a', 1);
    expect(await of(worker, 'main')).toEqual([1]);
  });

  it('is known at once, and stored with the newest value when the database takes it; a failed round does no harm', async () => {
    workerTable.broken = true;
    await worker.change('crm', 'ns', 'a', 1);
    await worker.change('crm', 'ns', 'a', 2);
    await worker.round();
    for (const manifests of [worker, supervisor]) expect(await of(manifests)).toEqual([2]);
    expect(workerTable.rows.size).toBe(0);
    workerTable.broken = false;
    await worker.round();
    store.flush();
    const again = processWith(workerTable);
    await again.round();
    expect(await of(again)).toEqual([2]);
  });

  it('does not wait for a database that its caller holds', async () => {
    const held = workerTable.hold();
    const changes = ['a', 'b'].map((key) => worker.change('crm', 'ns', key, key));
    await clock.run(SAVED_WITHIN);
    await Promise.all(changes);
    expect(await of(supervisor)).toEqual(['a', 'b']);
    expect(workerTable.rows.size).toBe(0);
    held.release();
    await until('both are stored', () => workerTable.rows.size === 2);
  });

  it('is not stored any more when its app has ended before', async () => {
    workerTable.broken = true;
    await worker.change('crm', 'ns', 'a', 1);
    workerTable.broken = false;
    apps.crm = null;
    await worker.forget('uid-1');
    await worker.round();
    expect(workerTable.rows.size).toBe(0);
    expect(await of(supervisor)).toEqual([]);
  });
});
