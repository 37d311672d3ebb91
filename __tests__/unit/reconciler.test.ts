import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type AppDefinition, recordFor, type Tombstone } from '../../src/server/supervisor/apps/repository';
import { Reconciler, type ReconcilerOptions } from '../../src/server/supervisor/control/reconciler';
import type { StatusEntry } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { appOf, entryOf, publishedOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { TestStores } from '../support/stores';

let store: TestStores;
let apps: Map<string, AppDefinition>;
let tombstones: Map<string, Tombstone>;
let entries: Map<string, StatusEntry>;
let wakes: string[];
/** How often an app was looked at, in whatever way. */
let looks: number;
let busy: Set<string>;
let reconciler: Reconciler;

const app = (name: string, values: Partial<AppDefinition> = {}) =>
  appOf({ name, uid: `uid-${name}`, environments: ['env_a'], published: { env_a: publishedOf() }, ...values });
const set = (...appRepository: AppDefinition[]) => {
  for (const definition of appRepository) apps.set(definition.name, definition);
};
const stored = async (environment = 'env_a') =>
  (await store.records.read(environment)).map(({ name, generation }) => `${name} ${generation}`).sort();

beforeEach(() => {
  store = new TestStores();
  apps = new Map();
  tombstones = new Map();
  entries = new Map();
  wakes = [];
  looks = 0;
  busy = new Set();
  const appCache = { apps, tombstones, load: async () => undefined, refresh: async () => undefined };
  const appRepository = {
    update: async (name: string, values: Partial<AppDefinition>) => Object.assign(apps.get(name)!, values),
  };
  const observer = {
    names: () => ['env_a', 'env_b'],
    observed: (_: string, name: string) => {
      looks++;
      const entry = entries.get(name);
      return entry ? { entry, at: 1 } : null;
    },
  };
  reconciler = new Reconciler({
    appCache,
    appRepository,
    observer,
    leadership: { fleet: 'fleet-1' },
    records: store.records,
    fleet: store.fleet,
    bus: { notify: ({ environment }: { environment: string }) => wakes.push(environment) },
    clock: new FakeClock(),
    log: recordedLog(),
    busy: () => busy,
    isGone: () => true,
  } as unknown as ReconcilerOptions);
});

/** Until a round finds that there is nothing to do. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) expect(await reconciler.round()).toBe(true);
  wakes.length = 0;
  store.calls.length = 0;
  looks = 0;
}

describe('a round', () => {
  it('publishes what is missing, takes away what is too much, and wakes whom it is about', async () => {
    set(app('crm'), app('shop', { environments: ['env_b'], published: { env_b: publishedOf() } }));
    await store.records.publish('env_a', [recordFor(app('old'), publishedOf())]);
    expect(await reconciler.round()).toBe(true);
    expect([await stored('env_a'), await stored('env_b'), wakes]).toEqual([
      ['crm 10'],
      ['shop 10'],
      ['env_a', 'env_b'],
    ]);
  });

  it('at rest reads no record and looks at no app, however many there are', async () => {
    set(...Array.from({ length: 1_000 }, (_, i) => app(`app${i}`)));
    await settle();
    const read = vi.spyOn(store.records, 'readSince');
    await reconciler.round();
    const found = await Promise.all(read.mock.results.map(({ value }) => value));
    expect([found.length, found.filter((one) => one?.records.length)]).toEqual([2, []]);
    expect([looks, wakes, store.timesCalled('records.publish')]).toEqual([0, [], 0]);
  });

  it('invariant 1: after a flush writes everything again', async () => {
    set(app('crm'), app('shop'));
    await settle();
    store.flush();
    await reconciler.round();
    expect(await stored()).toEqual(['crm 10', 'shop 10']);
  });

  it('undoes what somebody else has written', async () => {
    set(app('crm'), app('shop'));
    await settle();
    await store.records.unpublish('env_a', ['crm']);
    await store.records.publish('env_a', [recordFor(app('shop'), publishedOf({ generation: 11 }))]);
    await reconciler.round();
    expect(await stored()).toEqual(['crm 10', 'shop 10']);
  });

  it('compares where a definition has changed, though nobody has touched the store', async () => {
    set(app('crm'), app('shop'));
    await settle();
    apps.delete('shop');
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    reconciler.noteApps({ names: ['crm', 'shop'], environments: new Set(['env_a']) });
    await reconciler.round();
    expect(await stored()).toEqual(['crm 12']);
  });

  it('that could not reach the store is done again, whatever changed meanwhile', async () => {
    set(app('crm'));
    await settle();
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    reconciler.noteApps({ names: ['crm'], environments: new Set(['env_a']) });
    store.away = true;
    expect(await reconciler.round()).toBe(false);
    store.away = false;
    // It goes away again in the middle.
    store.fails = 'records.readSince';
    expect(await reconciler.round()).toBe(false);
    store.fails = null;
    expect(await reconciler.round()).toBe(true);
    expect(await stored()).toEqual(['crm 12']);
  });

  it('wakes for what a frozen store carried out later, though it said that it could not', async () => {
    set(app('crm'));
    await settle();
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    reconciler.noteUntold('env_a', ['crm']);
    reconciler.invalidate();
    const record = recordFor(apps.get('crm')!, publishedOf({ generation: 12 }));
    await store.records.publish('env_a', [record]);
    store.away = true;
    expect([await reconciler.round(), wakes]).toEqual([false, []]);
    store.away = false;
    expect([await reconciler.round(), wakes]).toEqual([true, ['env_a']]);
    await reconciler.round();
    expect(wakes).toEqual(['env_a']);
  });

  it('wakes for what it wrote itself, though the store said that it could not', async () => {
    set(app('crm'));
    const { publish } = store.records;
    vi.spyOn(store.records, 'publish').mockImplementationOnce(async (...args) => {
      await publish.apply(store.records, args);
      throw new Error('Command timed out');
    });
    expect([await reconciler.round(), await stored(), wakes]).toEqual([false, ['crm 10'], []]);
    expect([await reconciler.round(), wakes]).toEqual([true, ['env_a']]);
  });

  it('publishes anew what a worker is ahead of, once its operation is over', async () => {
    set(app('crm'));
    await settle();
    entries.set('crm', entryOf({ uid: 'uid-crm', generation: 50 }));
    busy.add('uid-crm');
    reconciler.noteStatuses(['crm']);
    await reconciler.round();
    expect(apps.get('crm')?.generation).toBe(10);
    busy.clear();
    await reconciler.round();
    const { generation, published } = apps.get('crm')!;
    expect(generation).toBeGreaterThan(50);
    expect(published.env_a.generation).toBe(generation);
  });

  it('is due at once when a worker says that it is ahead, and at no other word of it', async () => {
    set(app('crm'));
    await settle();
    entries.set('crm', entryOf({ uid: 'uid-crm', generation: 10 }));
    expect(reconciler.noteStatuses(['crm', 'stranger'])).toBe(false);
    entries.set('crm', entryOf({ uid: 'uid-other', generation: 50 }));
    expect(reconciler.noteStatuses(['crm'])).toBe(false);
    entries.set('crm', entryOf({ uid: 'uid-crm', generation: 50 }));
    expect(reconciler.noteStatuses(['stranger', 'crm'])).toBe(true);
    await reconciler.round();
    expect(reconciler.noteStatuses(['crm'])).toBe(false);
  });

  it('begins anew with everything once another process has led', async () => {
    set(app('crm'));
    await settle();
    entries.set('crm', entryOf({ uid: 'uid-crm', generation: 50 }));
    set(app('crm', { title: 'Sales' }));
    await reconciler.round();
    expect([looks, store.timesCalled('records.publish')]).toEqual([0, 0]);
    reconciler.invalidate();
    await reconciler.round();
    expect((await store.records.read('env_a'))[0]).toMatchObject({ title: 'Sales' });
    expect(apps.get('crm')?.generation).toBeGreaterThan(50);
  });
});
