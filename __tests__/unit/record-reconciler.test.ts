import { beforeEach, describe, expect, it, vi } from 'vitest';
import { RecordReconciler, type RecordReconcilerOptions } from '../../src/server/supervisor/control/record-reconciler';
import type { AppDefinition, Tombstone } from '../../src/server/supervisor/definitions/repository';
import { recordFor } from '../../src/server/supervisor/rollout/record';
import type { AppRecord } from '../../src/shared/messages';
import { Announcing } from '../support/announcing';
import { appOf, publishedOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { recordsIn, writeRecords } from '../support/records';
import { TestStores } from '../support/stores';

let store: TestStores;
let apps: Map<string, AppDefinition>;
let version: number;
let tombstones: Map<string, Tombstone>;
let wakes: string[];
/** Apps whose records were looked at. */
let seen: string[];
let leads: boolean;
let foreign: boolean;
/** Floors in the database, and for which environments they were looked up. */
let floors: Record<string, number>;
/** By the Workers. */
let reported: Record<string, number>;
let asked: string[];
/** Environments that were forgotten and have not come back. */
let gone: Set<string>;
/** Environments that nobody has admitted. */
let closed: Set<string>;
/** Environments that were forgotten, and that apps may still refer to. */
let removed: Set<string>;
/** What a read of definitions finds. */
let delays: number[];
let refresh: () => void;
let reconciler: RecordReconciler;

const app = (name: string, values: Partial<AppDefinition> = {}) =>
  appOf({ name, uid: `uid-${name}`, environments: ['env_a'], published: { env_a: publishedOf() }, ...values });
const set = (...definitions: AppDefinition[]) => {
  version++;
  for (const definition of definitions) apps.set(definition.name, definition);
  reconciler.noteApps(definitions.map(({ name }) => name));
};
const remove = (name: string) => {
  version++;
  apps.delete(name);
  reconciler.noteApps([name]);
};
const publish = (environment: string, records: AppRecord[], floor = 0) =>
  writeRecords(store.records, environment, records, { floor });
const stored = async (environment = 'env_a') =>
  (await recordsIn(store.records, environment)).map(({ name, generation }) => `${name} ${generation}`).sort();
const floorOf = async (environment: string) => (await store.records.read(environment, null))?.floor;

beforeEach(() => {
  store = new TestStores();
  apps = new Map();
  version = 0;
  tombstones = new Map();
  wakes = [];
  seen = [];
  leads = true;
  floors = {};
  reported = {};
  delays = [];
  asked = [];
  removed = new Set();
  gone = new Set();
  closed = new Set();
  refresh = () => undefined;
  reconciler = new RecordReconciler({
    appCache: {
      get version() {
        return version;
      },
      apps,
      tombstones,
      refresh: async () => refresh(),
      load: async () => refresh(),
    },
    observer: {
      names: () => ['env_a', 'env_b'],
      get foreign() {
        return foreign;
      },
      environment: (name: string) => ({ registration: { floor: reported[name] ?? 0 } }),
    },
    environmentCache: { isAdmitted: (name: string) => !closed.has(name) },
    leadership: {
      get leads() {
        return leads;
      },
    },
    registry: {
      raise: async (environment: string, floor: number) => {
        floors[environment] = floor;
      },
      stateOf: async (environment: string) => {
        asked.push(environment);
        const floor = floors[environment] ?? 0;
        return { floor, isRemoved: removed.has(environment), registration: gone.has(environment) ? null : {} };
      },
    },
    records: store.records,
    fleet: store.fleet,
    leases: store.leases,
    sealed: (_: string, record: AppRecord) => {
      seen.push(record.name);
      return record;
    },
    bus: { notify: ({ environment }: { environment: string }) => wakes.push(environment) },
    queue: { add: (_: string, after: number) => delays.push(after) },
    log: recordedLog(),
    clock: { now: () => ({ wall: 1_000_000, mono: 0 }) },
  } as unknown as RecordReconcilerOptions);
});

/** One pass over every environment. */
async function pass(): Promise<boolean> {
  let isDone = true;
  for (const environment of reconciler.names()) {
    await reconciler.reconcile(environment).catch(() => {
      isDone = false;
    });
  }
  return isDone;
}

/** Until a pass finds that there is nothing to do. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) expect(await pass()).toBe(true);
  wakes.length = 0;
  store.calls.length = 0;
}

describe('a pass over an environment', () => {
  it('publishes what is missing, takes away what is too much, and wakes whom it is about', async () => {
    set(app('crm'), app('shop', { environments: ['env_b'], published: { env_b: publishedOf() } }));
    await publish('env_a', [recordFor(app('old'), publishedOf())]);
    expect(await pass()).toBe(true);
    expect([await stored('env_a'), await stored('env_b'), wakes]).toEqual([
      ['crm 10'],
      ['shop 10'],
      ['env_a', 'env_b'],
    ]);
  });

  it('at rest reads no record, however many apps there are', async () => {
    set(...Array.from({ length: 1_000 }, (_, i) => app(`app${i}`)));
    await settle();
    await pass();
    expect([store.calls, wakes]).toEqual([['records.mark', 'records.mark'], []]);
  });

  it('says which floor of the environment its records are for, at rest without looking it up', async () => {
    const said = () => floorOf('env_b');
    floors = { env_b: 100 };
    await settle();
    expect([await said(), asked.sort()]).toEqual([100, ['env_a', 'env_b']]);
    await settle();
    expect(asked).toHaveLength(2);
    // A flush loses it; meanwhile another Supervisor has forgotten the environment.
    floors = { env_b: 200 };
    store.flush();
    await settle();
    expect(await said()).toBe(200);
    // A failover to an older copy brings back what was, with its records.
    floors = { env_b: 300 };
    reconciler.noteFloor('env_b', 300);
    await publish('env_b', [recordFor(app('old'), publishedOf())], 200);
    await pass();
    expect([await said(), await stored('env_b')]).toEqual([300, []]);
  });

  it('goes by its Worker where the database and the store went back to before it was forgotten, unless that cannot be', async () => {
    floors = { env_a: 100 };
    set(app('crm'));
    await settle();
    reported = { env_a: 200 };
    await settle();
    expect([await floorOf('env_a'), await stored(), floors.env_a]).toEqual([200, ['crm 10'], 200]);
    reported = { env_a: 10 ** 12 };
    await settle();
    expect(await floorOf('env_a')).toBe(200);
  });

  it.each([
    ['removes all that the store has of one', 0, [200, null]],
    ['removes only the records of one whose Worker has just come back', 5_000, [200, { name: 'env_b' }]],
  ])('that was forgotten %s', async (_, left, expected) => {
    await new Announcing(() => store.leases).beat('env_b');
    await publish('env_b', [recordFor(app('old'), publishedOf())]);
    floors = { env_b: 200 };
    gone.add('env_b');
    store.left = left;
    await settle();
    expect([await floorOf('env_b'), await store.fleet.readRegistration('env_b')]).toMatchObject(expected);
    expect(await stored('env_b')).toEqual([]);
  });

  it('publishes nothing for the next floor of an environment that another Supervisor has forgotten', async () => {
    set(app('crm'));
    await settle();
    let heard = 0;
    reconciler.forgotten.listen(() => {
      heard++;
    });
    floors = { env_a: 200 };
    removed.add('env_a');
    await store.fleet.forget('env_a', 200, 1);
    // It is back, and this process has not heard of it.
    for (let i = 0; i < 3; i++) await pass();
    expect([await stored(), heard]).toEqual([[], 3]);
    // Another leader has removed what was assigned to it, and something was assigned since.
    removed.delete('env_a');
    refresh = () => {
      remove('crm');
      set(app('shop'));
    };
    for (let i = 0; i < 3; i++) await pass();
    expect([await stored(), await floorOf('env_a')]).toEqual([['shop 10'], 200]);
  });

  it('invariant 1: writes everything again after a flush', async () => {
    set(app('crm'), app('shop'));
    await settle();
    store.flush();
    await pass();
    expect(await stored()).toEqual(['crm 10', 'shop 10']);
  });

  it('undoes foreign writes', async () => {
    set(app('crm'), app('shop'));
    await settle();
    const record = recordFor(app('shop'), publishedOf({ generation: 11 }));
    await writeRecords(store.records, 'env_a', [record], { removed: ['uid-crm'] });
    await pass();
    expect(await stored()).toEqual(['crm 10', 'shop 10']);
  });

  it('looks at what has changed, and compares nothing else, while the count is the one that it left', async () => {
    set(app('crm'), app('shop'));
    await settle();
    seen.length = 0;
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    await reconciler.publish('env_a');
    expect([await stored(), wakes]).toEqual([['crm 12', 'shop 10'], ['env_a']]);
    await pass();
    expect([...new Set(seen)]).toEqual(['crm']);
    remove('crm');
    await reconciler.publish('env_a');
    expect(await stored()).toEqual(['shop 10']);
    expect(store.timesCalled('records.write')).toBe(2);
  });

  it('looks at an app once for all environments where it is not', async () => {
    const published = vi.fn(() => ({}));
    set(Object.defineProperty(app('crm'), 'published', { get: published }));
    for (const environment of ['env_a', 'env_b', 'env_c']) await reconciler.reconcile(environment);
    expect(published).toHaveBeenCalledTimes(1);
  });

  it('compares everything where somebody else has written meanwhile', async () => {
    set(app('crm'), app('shop'));
    await settle();
    await publish('env_a', [recordFor(app('evil'), publishedOf())]);
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    await reconciler.publish('env_a');
    expect(await stored()).toEqual(['crm 10', 'evil 10', 'shop 10']);
    // Not at once: whoever writes there may write on.
    expect(delays).toEqual([500]);
    await pass();
    expect(await stored()).toEqual(['crm 12', 'shop 10']);
  });

  it('that are thousands are written in parts', async () => {
    set(...Array.from({ length: 1_200 }, (_, i) => app(`app${i}`)));
    await settle();
    expect(await stored()).toHaveLength(1_200);
  });

  it('compares where a definition has changed, although the store is unchanged', async () => {
    set(app('crm'), app('shop'));
    await settle();
    remove('shop');
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    await pass();
    expect(await stored()).toEqual(['crm 12']);
  });

  it('that could not reach the store is repeated, whatever changed meanwhile', async () => {
    set(app('crm'));
    await settle();
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    store.away = true;
    expect(await pass()).toBe(false);
    store.away = false;
    // It goes away again in the middle.
    store.fails = 'records.write';
    expect(await pass()).toBe(false);
    store.fails = null;
    expect(await pass()).toBe(true);
    expect(await stored()).toEqual(['crm 12']);
  });

  it('notifies of what a frozen store executed later, although it reported a failure', async () => {
    set(app('crm'));
    await settle();
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    store.fails = 'records.write';
    await reconciler.publish('env_a');
    store.fails = null;
    await publish('env_a', [recordFor(apps.get('crm')!, publishedOf({ generation: 12 }))]);
    store.fails = 'records.read';
    expect([await pass(), wakes]).toEqual([false, []]);
    store.fails = null;
    expect([await pass(), wakes]).toEqual([true, ['env_a']]);
    await pass();
    expect(wakes).toEqual(['env_a']);
  });

  it('notifies of what it wrote itself, although the store reported a failure', async () => {
    set(app('crm'));
    const { write } = store.records;
    await pass();
    set(app('crm', { published: { env_a: publishedOf({ generation: 12 }) } }));
    wakes.length = 0;
    vi.spyOn(store.records, 'write').mockImplementationOnce(async (...args) => {
      await write.apply(store.records, args);
      throw new Error('Command timed out');
    });
    expect([await pass(), await stored(), wakes]).toEqual([false, ['crm 12'], []]);
    expect([await pass(), wakes]).toEqual([true, ['env_a']]);
  });

  it('starts from scratch after another process has led', async () => {
    set(app('crm'));
    await settle();
    // It has not heard of this.
    apps.set('crm', app('crm', { title: 'Sales' }));
    version++; // of which nobody has told it
    await pass();
    expect(store.timesCalled('records.write')).toBe(0);
    reconciler.invalidate();
    await pass();
    expect((await recordsIn(store.records, 'env_a'))[0]).toMatchObject({ title: 'Sales' });
  });

  it('writes nothing for an environment that nobody has admitted, but the floor by which it begins empty', async () => {
    set(app('crm'));
    closed.add('env_a');
    floors.env_a = 200;
    await publish('env_a', [recordFor(app('former'), publishedOf())], 100);
    await pass();
    await reconciler.publish('env_a');
    expect([await stored(), await floorOf('env_a'), wakes]).toEqual([[], 200, []]);
    closed.delete('env_a');
    await pass();
    expect(await stored()).toHaveLength(1);
  });

  it('of a process that does not lead writes nothing', async () => {
    set(app('crm'));
    leads = false;
    await pass();
    expect(await stored()).toEqual([]);
    leads = true;
    // Lost between what was read and what is written.
    const { read: readNow } = store.records;
    vi.spyOn(store.records, 'read').mockImplementationOnce(async (...args) => {
      const read = await readNow.apply(store.records, args);
      leads = false;
      return read;
    });
    await pass();
    expect(await stored()).toEqual([]);
    leads = true;
    await pass();
    expect(await stored()).toEqual(['crm 10']);
  });

  it('leaves the records of another fleet alone', async () => {
    set(app('crm'));
    await publish('env_a', [recordFor(app('theirs'), publishedOf())]);
    foreign = true;
    await pass();
    expect(await stored()).toEqual(['theirs 10']);
    foreign = false;
    await pass();
    expect(await stored()).toEqual(['crm 10']);
  });
});
