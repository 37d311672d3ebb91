import { expect, it, vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { EnvironmentRegistry } from '../../src/server/supervisor/definitions/environment-registry';
import { EnvironmentCache } from '../../src/server/supervisor/fleet/environment-cache';
import { FakeClock } from '../support/clock';
import { registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';

type Options = ConstructorParameters<typeof EnvironmentCache>[0];

it('a transaction that places an app does not wait for a read, which needs a connection of the same pool', async () => {
  let answer = () => {};
  const registry = {
    all: () => new Promise((resolve) => (answer = () => resolve([]))),
    has: async () => true,
  };
  const observer = { names: () => [], environment: () => null };
  const cache = new EnvironmentCache({
    registry,
    observer,
    addressesOf: (name: string) => [`http://${name}`],
    clock: new FakeClock(),
    log: recordedLog(),
  } as unknown as Options);
  const loaded = cache.load();
  await cache.assertStored(['env_a'], 'environments', {} as never);
  let isSettled = false;
  const settled = cache.settled().then(() => {
    isSettled = true;
  });
  await cache.assertStored(['env_a'], 'environments', {} as never);
  expect(isSettled).toBe(false);
  answer();
  await Promise.all([loaded, settled]);
});

it('drops what is observed of an environment that was forgotten, and not of one that an older copy lacks', async () => {
  const names = ['env_a', 'env_b', 'env_c', 'env_d'];
  const rowOf = (name: string) => ({ name, registration: registrationOf(name), floor: 10, isRemoved: false });
  const forgotten: string[] = [];
  let rows = names.map(rowOf);
  const registry = {
    all: async () => rows,
  };
  const observer = {
    names: () => [],
    environment: () => null,
    remember: () => undefined,
    forget: (name: string) => forgotten.push(name),
  };
  const raised: string[] = [];
  const keyring = { raise: (name: string, floor: number) => void raised.push(`${name} ${floor}`) };
  const options = { registry, observer, keyring, clock: new FakeClock(), log: recordedLog() };
  const cache = new EnvironmentCache(options as unknown as Options);
  await cache.load();
  const gone = { registration: null as never };
  rows = [
    { ...rowOf('env_a'), ...gone, floor: 20, isRemoved: true },
    { ...rowOf('env_b'), ...gone, floor: 20 },
    { ...rowOf('env_c'), ...gone },
  ];
  await cache.load();
  expect([forgotten.sort(), cache.all(), [...cache.forgotten]]).toEqual([['env_a', 'env_b'], [], ['env_a']]);
  expect(raised.slice(-3)).toEqual(['env_a 20', 'env_b 20', 'env_c 10']);
});

/** One environment whose floor is 10, in a cache that has read it. @param registry what the database answers */
async function knownEnvironment(
  registry: { all(): Promise<object[]> } & Record<string, (...args: never[]) => Promise<unknown>>,
) {
  const seen = new Map<string, object>();
  const raised: string[] = [];
  const clock = new FakeClock();
  const cache = new EnvironmentCache({
    registry: { remember: async () => [], ...registry, all: () => registry.all() },
    observer: {
      names: () => [...seen.keys()],
      environment: (name: string) => seen.get(name) ?? null,
      remember: () => undefined,
      forget: () => undefined,
      poll: async () => true,
    },
    stores: { fleet: { forget: async () => true }, leases: { left: async () => new Map() } },
    leadership: { newestTerm: async () => 1 },
    bus: { notify: () => undefined },
    keyring: { raise: (name: string, floor: number) => void raised.push(`${name} ${floor}`) },
    clock,
    log: recordedLog(),
  } as unknown as Options);
  await cache.load();
  return { cache, clock, seen, known: () => [raised, cache.all(), [...cache.forgotten]] };
}

const KNOWN = { name: 'env_a', registration: registrationOf('env_a'), floor: 10, isRemoved: false };
const FORGOTTEN = [['env_a 10', 'env_a 20'], [], ['env_a']];

it('knows the floor of an environment that it has had forgotten and that came back', async () => {
  let row: object = KNOWN;
  const { cache, seen, known } = await knownEnvironment({
    all: async () => [row],
    forget: async () => {
      row = { ...KNOWN, registration: null, floor: 20, isRemoved: true };
      return 20;
    },
  });
  await cache.forget('env_a');
  expect(known()).toEqual(FORGOTTEN);
  row = { ...KNOWN, registration: null, floor: 20 };
  await cache.load();
  seen.set('env_a', { health: 'online', registration: registrationOf('env_a') });
  await cache.remember(new Set(['env_a']));
  expect(cache.all()).toMatchObject([{ name: 'env_a', floor: 20 }]);
});

it('writes an expected address after a registration that is being written, which keeps the addresses that it has read', async () => {
  const written: string[] = [];
  let end: (() => void) | undefined;
  const { cache, seen } = await knownEnvironment({
    all: async () => [KNOWN],
    remember: async () => {
      if (!end) await new Promise<void>((resolve) => (end = resolve));
      written.push('registration');
      return [];
    },
    expect: async () => void written.push('address'),
  });
  seen.set('env_b', { health: 'online', registration: registrationOf('env_b') });
  const remembered = cache.remember(new Set(['env_b']));
  await vi.waitFor(() => expect(end).toBeDefined());
  const expected = cache.expect('env_b', ['http://worker']);
  await new Promise(setImmediate);
  end?.();
  await Promise.all([remembered, expected]);
  expect(written.slice(0, 2)).toEqual(['registration', 'address']);
});

it('keeps a change beside a read that began before it', async () => {
  let database: 'answers' | 'is slow' | 'is away' = 'answers';
  let answer = () => {};
  let read: Promise<void> | undefined;
  const { cache } = await knownEnvironment({
    all: async () => {
      if (database === 'is away') throw new Error('connect ECONNREFUSED');
      if (database === 'is slow') await new Promise<void>((resolve) => (answer = resolve));
      return [KNOWN];
    },
    change: async () => {
      database = 'is slow';
      read = cache.load().catch(() => undefined);
      await new Promise(setImmediate);
      database = 'is away';
      return true;
    },
  });
  const changed = cache.change('env_a', { cordoned: true });
  await new Promise((resolve) => setTimeout(resolve, 20));
  answer();
  await Promise.all([changed, read]);
  expect(cache.all()).toMatchObject([{ cordoned: true }]);
});

it('forgets an environment also where the database cannot be read after that', async () => {
  let isAway = false;
  const { cache, known } = await knownEnvironment({
    all: async () => {
      if (isAway) throw new Error('connect ECONNREFUSED');
      return [KNOWN];
    },
    forget: async () => {
      isAway = true;
      return 20;
    },
  });
  await cache.forget('env_a');
  expect(known()).toEqual(FORGOTTEN);
});

type Call = (cache: EnvironmentCache) => Promise<void>;
it.each<[string, object, Call, boolean]>([
  ['was changed', { cordoned: true }, (cache) => cache.change('env_a', { cordoned: true }), true],
  ['somebody expects', { proxyUrls: ['http://worker'] }, (cache) => cache.expect('env_a', ['http://worker']), false],
])('reads what %s as soon as the database can be read', async (_, stored, call, isKnown) => {
  let row: object = KNOWN;
  let isAway = false;
  const write = async () => {
    row = { ...KNOWN, ...stored };
    isAway = true;
    return true;
  };
  const { cache, clock } = await knownEnvironment({
    all: async () => {
      if (isAway) throw new Error('connect ECONNREFUSED');
      return [row];
    },
    change: write,
    expect: write,
  });
  await call(cache);
  expect(cache.all()).toMatchObject([isKnown ? stored : KNOWN]);
  isAway = false;
  await clock.run(500);
  expect(cache.all()).toMatchObject([stored]);
});

it('keeps the address of a row that another Supervisor has made while a registration was written', async () => {
  const db = new MemoryDatabase(collections).connect();
  const [registry, other] = [new EnvironmentRegistry({ db }), new EnvironmentRegistry({ db })];
  const repository = db.getRepository('appEnvironments');
  const findOne = repository.findOne.bind(repository);
  let isFirst = true;
  vi.spyOn(repository, 'findOne').mockImplementation(async (options) => {
    const row = await findOne(options);
    if (isFirst) {
      isFirst = false;
      await other.expect('env_a', ['http://worker']);
    }
    return row;
  });
  Object.assign(db, { getRepository: () => repository });
  await registry.remember(registrationOf('env_a'), 1);
  expect(await registry.all()).toMatchObject([{ registration: { name: 'env_a' }, proxyUrls: ['http://worker'] }]);
});

it('finds the row that it changes also where only changed values count, as on MySQL', async () => {
  const db = new MemoryDatabase(collections).connect();
  const registry = new EnvironmentRegistry({ db });
  await registry.remember(registrationOf('env_a'), 1);
  const model = db.getModel('appEnvironments');
  const counts = { findOne: model.findOne.bind(model), update: async () => [0] };
  Object.assign(db, { getModel: () => counts });
  expect(await registry.change('env_a', 0, { cordoned: false })).toBe(true);
  expect(await registry.change('env_a', 1, { cordoned: false })).toBe(false);
  expect(await registry.change('env_b', 0, { cordoned: false })).toBe(false);
});
