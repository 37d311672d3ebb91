import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CUT_OFF_FOR, DISCONNECTED_AFTER } from '../../src/server/protocol/health';
import { FleetObserver } from '../../src/server/supervisor/fleet/observer';
import type { Lease, StatusEntry } from '../../src/shared/messages';
import { Announcing } from '../support/announcing';
import { FakeClock } from '../support/clock';
import { entryOf, registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { TestStores } from '../support/stores';

const FLEET = 'fleet-1';

let clock: FakeClock;
let store: TestStores;
let changes: string[][];
let flushes: number;
let observer: FleetObserver;
let announcing: Announcing;
let beats: number;
let versions: number;

beforeEach(async () => {
  clock = new FakeClock();
  store = new TestStores();
  announcing = new Announcing(() => store.leases);
  changes = [];
  flushes = 0;
  beats = 0;
  versions = 0;
  observer = newBoard();
  await store.fleet.nameFleet(FLEET);
});

const newBoard = () => {
  const board = new FleetObserver(store, clock, recordedLog(), () => FLEET);
  board.changes.listen(({ environments }) => changes.push([...environments].sort()));
  board.flushes.listen(() => flushes++);
  return board;
};

/** What a worker's process does: beats, and answers the epoch it has. */
async function beat(environment: string, values: Partial<Lease> = {}): Promise<number> {
  return announcing.beat(environment, { beat: ++beats, ...values });
}

async function tell(environment: string, epoch: number, entries: StatusEntry[], instance = 'one'): Promise<boolean> {
  const write = { environment, instance, epoch, entries, removed: [], version: ++versions, from: null };
  return store.statuses.write(write);
}

/** Looks a second apart, with beats in between or without. */
async function watch(ms: number, ...beating: string[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.pass(1_000);
    if (passed % 5_000 === 4_000) for (const environment of beating) await beat(environment);
    await observer.poll();
  }
}

const health = (name = 'env_a') => observer.environment(name)?.health;

describe('an observation', () => {
  it('is told when time alone changes it, also while a poll takes long', async () => {
    announcing.register(registrationOf('env_a'));
    await beat('env_a');
    await observer.poll();
    await watch(9_000);
    changes.length = 0;
    store.before = () => new Promise(() => undefined);
    void observer.poll();
    expect(health()).toBe('online');
    clock.pass(2_000);
    void observer.poll();
    expect([health(), changes]).toEqual(['suspect', [['env_a']]]);
    clock.pass(5_000);
    void observer.poll();
    expect([health(), changes.length]).toEqual(['unknown', 2]);
  });

  it('contains health, registration and the holder’s report', async () => {
    announcing.register(registrationOf('env_a'));
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf()]);
    await observer.poll();
    expect(observer.environment('env_a')).toMatchObject({
      health: 'online',
      registration: { url: 'http://env_a:15000' },
      lease: { instance: 'one', epoch },
      lastHeartbeatAt: clock.wall,
    });
    expect(observer.observed('env_a', 'crm')).toEqual({ entry: entryOf(), at: clock.wall });
    expect([...observer.entries('env_a')]).toEqual([entryOf()]);
    expect(observer.observed('env_a', 'shop')).toBeNull();
    expect(observer.observed('env_b', 'crm')).toBeNull();
    expect(observer.environment('env_b')).toBeNull();
    expect(changes).toEqual([['env_a']]);
  });

  describe('of many environments', () => {
    const names = Array.from({ length: 200 }, (_, i) => `env_${i}`);
    const appear = async () => {
      for (const name of names) {
        announcing.register(registrationOf(name));
        await tell(name, await beat(name), [entryOf()]);
      }
    };

    it('is made within a second, although every command takes 50 ms', async () => {
      await appear();
      store.before = () => clock.sleep(50);
      let done = false;
      void observer.poll().then(() => {
        done = true;
      });
      await clock.run(1_000);
      expect(done).toBe(true);
      expect(names.map(health)).toEqual(names.map(() => 'online'));
    });

    it('loses nothing of what it found before a command failed', async () => {
      await appear();
      store.before = async (method, environment) => {
        if (method === 'statuses.read' && environment === 'env_7') throw new Error('Connection is closed.');
      };
      await observer.poll();
      expect(changes).toEqual([]);
      store.before = async () => undefined;
      await observer.poll();
      expect(changes).toEqual([names.toSorted()]);
      expect(store.timesCalled('statuses.read')).toBe(names.length + 1);
    });
  });

  it('costs one poll if nothing changed, for any number of apps', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf()]);
    await watch(1_000);
    store.calls.length = 0;
    await watch(20_000, 'env_a');
    expect(store.timesCalled('fleet.poll')).toBe(20);
    expect(store.timesCalled('statuses.read')).toBe(0);
    expect(store.timesCalled('fleet.readRegistration')).toBe(0);
    expect(changes).toHaveLength(1);
  });

  it('is read again when it changed, and reported once', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf({ status: 'preparing' })]);
    await observer.poll();
    await tell('env_a', epoch, [entryOf({ status: 'running' })]);
    announcing.register(registrationOf('env_a', { url: 'http://moved' }));
    await beat('env_a', { registered: 2 });
    await observer.poll();
    expect(observer.observed('env_a', 'crm')?.entry.status).toBe('running');
    expect(observer.environment('env_a')?.registration?.url).toBe('http://moved');
    expect(changes).toHaveLength(2);
  });

  it('contains visits, which are no change', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf({ lastVisitAt: 1 }), entryOf({ name: 'shop' })]);
    await observer.poll();
    changes.length = 0;
    await tell('env_a', epoch, [entryOf({ lastVisitAt: 2 }), entryOf({ name: 'shop', lastVisitAt: 3 })]);
    await observer.poll();
    expect(observer.observed('env_a', 'crm')?.entry.lastVisitAt).toBe(2);
    expect(changes).toEqual([]);
    await tell('env_a', epoch, [
      entryOf({ lastVisitAt: 4, status: 'error' }),
      entryOf({ name: 'shop', lastVisitAt: 4 }),
    ]);
    await observer.poll();
    expect(changes).toEqual([['env_a']]);
  });

  it('of a new environment is hidden until it is reported, and is reported once it could be read', async () => {
    announcing.register(registrationOf('env_a'));
    await tell('env_a', await beat('env_a'), [entryOf()]);
    store.fails = 'statuses.read';
    await observer.poll();
    expect([observer.environment('env_a')?.registration, changes]).toEqual([null, []]);
    store.fails = null;
    await observer.poll();
    expect(observer.environment('env_a')?.registration).toMatchObject({ name: 'env_a' });
    expect(changes).toEqual([['env_a']]);
  });

  it('is told although the rest of its poll fails, since it is shown by then', async () => {
    const epochs = new Map<string, number>();
    for (const name of ['env_a', 'env_b']) {
      announcing.register(registrationOf(name));
      epochs.set(name, await beat(name));
    }
    await observer.poll();
    for (const [name, epoch] of epochs) await tell(name, epoch, [entryOf()]);
    store.before = async (method, environment) => {
      if (method === 'statuses.read' && environment === 'env_b') throw new Error('Connection is closed.');
    };
    changes.length = 0;
    await observer.poll();
    expect([observer.observed('env_a', 'crm')?.entry, changes]).toEqual([entryOf(), [['env_a']]]);
  });

  it('of apps stays until what a new holder says of them is read, which is news then', async () => {
    announcing.register(registrationOf('env_a'));
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf()]);
    await observer.poll();
    await store.leases.release('env_a', 'one', epoch);
    await tell('env_a', await beat('env_a', { instance: 'two' }), [entryOf()], 'two');
    store.fails = 'statuses.read';
    const apps: string[][] = [];
    observer.changes.listen((change) => apps.push([...change.apps]));
    await observer.poll();
    expect([observer.observed('env_a', 'crm')?.entry, apps]).toEqual([entryOf(), [[]]]);
    // It is shown, and nothing goes by it.
    expect(observer.evidence('env_a', 'crm')).toEqual({ health: 'online', entry: null });
    apps.length = 0;
    store.fails = null;
    await observer.poll();
    expect(apps).toEqual([['crm']]);
    expect(observer.evidence('env_a', 'crm')).toEqual({ health: 'online', entry: entryOf() });
  });

  it('of a process that replaced another is hidden while its registration is read', async () => {
    announcing.register(registrationOf('env_a', { url: 'http://former' }));
    const epoch = await beat('env_a', { registered: 7 });
    await observer.poll();
    await store.leases.release('env_a', 'one', epoch);
    await observer.poll();
    announcing.register(registrationOf('env_a', { url: 'http://successor' }));
    await beat('env_a', { instance: 'two', registered: 8 });
    const shown = () => [health(), observer.environment('env_a')?.registration?.url];
    let during: unknown;
    store.before = async (method) => {
      if (method === 'fleet.readRegistration') during = shown();
    };
    await observer.poll();
    expect(during).toEqual(['down', 'http://former']);
    expect(shown()).toEqual(['online', 'http://successor']);
  });

  it('of a process that replaced another is read also if both announce the same number', async () => {
    announcing.register(registrationOf('env_a', { url: 'http://former' }));
    await beat('env_a', { registered: 7 });
    await observer.poll();
    clock.pass(16_000);
    announcing.register(registrationOf('env_a', { url: 'http://successor' }));
    await beat('env_a', { instance: 'two', registered: 7 });
    await observer.poll();
    expect([health(), observer.environment('env_a')?.registration?.url]).toEqual(['online', 'http://successor']);
  });

  it('of a process that replaced another is read at once also if that of the other one was missing', async () => {
    announcing.register(registrationOf('env_a', { url: 'http://former' }));
    await beat('env_a', { registered: 1 });
    const missing = vi.spyOn(store.fleet, 'readRegistration').mockResolvedValueOnce(null);
    await observer.poll();
    missing.mockRestore();
    announcing.register(registrationOf('env_a', { url: 'http://successor' }));
    await beat('env_a', { instance: 'two', registered: 1 });
    await observer.poll();
    expect(observer.environment('env_a')?.registration?.url).toBe('http://successor');
  });

  it('of a process that replaced another is hidden until its registration can be read', async () => {
    announcing.register(registrationOf('env_a'));
    const epoch = await beat('env_a', { registered: 7 });
    await observer.poll();
    await store.leases.release('env_a', 'one', epoch);
    await observer.poll();
    announcing.register(registrationOf('env_a', { url: 'http://successor' }));
    await beat('env_a', { instance: 'two', registered: 8 });
    store.fails = 'fleet.readRegistration';
    await observer.poll();
    expect(health()).toBe('down');
    store.fails = null;
    await observer.poll();
    expect([health(), observer.environment('env_a')?.registration?.url]).toEqual(['online', 'http://successor']);
  });

  it('of an environment that is down contains what the database knows', async () => {
    observer.remember('env_a', registrationOf('env_a'));
    await watch(14_000);
    expect(observer.environment('env_a')).toMatchObject({ health: 'unknown', registration: { name: 'env_a' } });
    await watch(2_000);
    expect(health()).toBe('down');
    announcing.register(registrationOf('env_a', { url: 'http://newer' }));
    await beat('env_a');
    await observer.poll();
    observer.remember('env_a', registrationOf('env_a'));
    expect(observer.environment('env_a')?.registration?.url).toBe('http://newer');
  });

  it('of a forgotten environment is empty', async () => {
    await beat('env_a');
    await observer.poll();
    observer.forget('env_a');
    await store.fleet.forget('env_a', 1, 1);
    await observer.poll();
    expect(observer.environment('env_a')).toBeNull();
  });

  it('says by app which environments report it', async () => {
    const epochs = [await beat('env_a'), await beat('env_b')];
    await tell('env_a', epochs[0], [entryOf({ name: 'crm' }), entryOf({ name: 'wiki' })]);
    await tell('env_b', epochs[1], [entryOf({ name: 'crm' })]);
    await observer.poll();
    expect([observer.placesOf('crm'), observer.placesOf('wiki')]).toEqual([['env_a', 'env_b'], ['env_a']]);
    const gone = { environment: 'env_a', instance: 'one', epoch: epochs[0], entries: [], removed: ['crm'] };
    await store.statuses.write({ ...gone, version: ++versions, from: null });
    await observer.poll();
    expect(observer.placesOf('crm')).toEqual(['env_b']);
    observer.forget('env_b');
    expect([observer.placesOf('crm'), observer.placesOf('blog')]).toEqual([[], []]);
  });

  it('is repeated once after calls during a poll, not once for each call', async () => {
    await Promise.all([observer.poll(), observer.poll(), observer.poll(), observer.poll()]);
    expect(store.timesCalled('fleet.poll')).toBe(2);
  });
});

describe('a lease that is older than what the database knows', () => {
  it('was written again by somebody else, or by an older copy: it says nothing', async () => {
    const epoch = await beat('env_a');
    observer.remember('env_a', registrationOf('env_a', { url: 'http://known', epoch: epoch + 1 }));
    announcing.register(registrationOf('env_a', { url: 'http://former', epoch }));
    await beat('env_a', { registered: 2 });
    await watch(20_000, 'env_a');
    expect(observer.environment('env_a')).toMatchObject({ health: 'down', registration: { url: 'http://known' } });
    observer.forget('env_a');
    await watch(2_000, 'env_a');
    expect(observer.environment('env_a')).toMatchObject({ health: 'online', registration: { url: 'http://former' } });
  });
});

describe('a worker’s report', () => {
  it('invariant 2: ends with its holder, and does not count for another', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf({ status: 'running' })]);
    await observer.poll();
    // Killed; another process takes the lease, and has not said anything yet.
    const successor = await beat('env_a', { instance: 'two' });
    await observer.poll();
    expect(health()).toBe('online');
    expect(observer.observed('env_a', 'crm')).toBeNull();
    await tell('env_a', successor, [entryOf({ status: 'preparing' })], 'two');
    await observer.poll();
    expect(observer.observed('env_a', 'crm')?.entry.status).toBe('preparing');
    // The old process is not dead after all, and writes on.
    expect(await tell('env_a', epoch, [entryOf({ status: 'running' })])).toBe(false);
    await observer.poll();
    expect(observer.observed('env_a', 'crm')?.entry.status).toBe('preparing');
  });

  it('is kept while a worker is down, with the time when it was last true', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf()]);
    await observer.poll();
    const at = clock.wall;
    await watch(20_000);
    expect(health()).toBe('down');
    expect(observer.environment('env_a')?.lease).toBeNull();
    expect(observer.observed('env_a', 'crm')).toEqual({ entry: entryOf(), at });
  });
});

describe('a flushed store', () => {
  it('invariant 1: loses no observation, and is detected immediately', async () => {
    const epoch = await beat('env_a');
    await tell('env_a', epoch, [entryOf()]);
    await watch(3_000);
    const seen = observer.environment('env_a');
    store.flush();
    await observer.poll();
    expect(flushes).toBe(1);
    expect(observer.environment('env_a')).toMatchObject({ health: 'online', since: seen?.since });
    expect(observer.observed('env_a', 'crm')?.entry).toEqual(entryOf());
    await observer.poll();
    expect(flushes).toBe(1);
    // Everybody writes theirs again.
    await store.fleet.nameFleet(FLEET);
    await tell('env_a', await beat('env_a', { epoch }), [entryOf()]);
    await watch(10_000, 'env_a');
    expect(observer.environment('env_a')).toMatchObject({ health: 'online', since: seen?.since });
    store.flush();
    await observer.poll();
    expect(flushes).toBe(2);
  });

  it('that another Supervisor repaired before this one polled is no sign that workers have left', async () => {
    await beat('env_a');
    await watch(3_000);
    store.flush();
    await store.fleet.nameFleet(FLEET);
    await observer.poll();
    expect(health()).toBe('online');
    await watch(20_000);
    expect(health()).toBe('down');
  });
});

describe('a store that is down', () => {
  it('makes everything unknown, never down, and is reported', async () => {
    await beat('env_a');
    await observer.poll();
    changes.length = 0;
    store.away = true;
    await watch(5_000);
    expect([health(), observer.sees]).toEqual(['online', true]);
    await watch(1_000);
    expect([health(), observer.sees]).toEqual(['unknown', false]);
    expect(changes).toEqual([['env_a']]);
    await watch(600_000);
    expect(health()).toBe('unknown');
    expect(changes).toHaveLength(1);
  });

  it('returns without the leases, which have expired: nobody is reported as down for that', async () => {
    const epoch = await beat('env_a');
    await watch(2_000);
    store.away = true;
    await watch(60_000);
    store.away = false;
    await store.leases.release('env_a', 'one', epoch);
    await observer.poll();
    // Nor is anybody shown as alive of whom nothing has been heard since.
    expect(health()).toBe('unknown');
    await beat('env_a', { epoch });
    await watch(1_000);
    // It may have been sent long before.
    expect(health()).toBe('unknown');
    await watch(1_000);
    await beat('env_a', { epoch });
    await watch(1_000);
    expect(health()).toBe('online');
    expect(changes.at(-1)).toEqual(['env_a']);
  });

  it('returns, and a worker that is silent from then on is down in time', async () => {
    await beat('env_a');
    await observer.poll();
    store.away = true;
    await watch(60_000);
    store.away = false;
    await watch(14_000);
    expect(health()).toBe('unknown');
    await watch(2_000);
    expect(health()).toBe('down');
  });

  it('invariant 2: a heartbeat that arrived while nobody polled is as old as its lease', async () => {
    await beat('env_a');
    await observer.poll();
    store.away = true;
    await watch(20_000);
    store.away = false;
    await beat('env_a');
    store.left = 2_000;
    await observer.poll();
    // It may be older still: see below.
    expect(health()).toBe('unknown');
    await watch(2_000);
    expect(health()).toBe('down');
    // One that has just begun to look knows no more.
    await beat('env_a');
    observer = newBoard();
    await observer.poll();
    expect(health()).toBe('suspect');
    // A beat that is seen in time is not asked for its age.
    await watch(5_000, 'env_a');
    expect(health()).toBe('online');
    expect(store.timesCalled('leases.left')).toBe(3);
  });

  it('returns, and is found so by polls that cannot read the rest: a dead worker is down a lease after the first that can', async () => {
    await beat('env_a');
    await observer.poll();
    store.away = true;
    await watch(60_000);
    store.away = false;
    store.fails = 'leases.left';
    await watch(3_000);
    store.fails = null;
    await watch(15_000);
    expect(health()).toBe('unknown');
    await watch(1_000);
    expect(health()).toBe('down');
  });

  it('cannot be read whole from the start: a worker that dies meanwhile is down a lease after the first poll that can', async () => {
    store.fails = 'leases.left';
    await watch(4_000);
    store.fails = 'statuses.read';
    await tell('env_a', await beat('env_a'), [entryOf()]);
    await watch(8_000);
    store.fails = null;
    await watch(15_000);
    expect(health()).toBe('unknown');
    await watch(1_000);
    expect(health()).toBe('down');
  });

  it('returns with a heartbeat that it had kept: an observer that began meanwhile takes it for no proof of life either', async () => {
    await beat('env_a');
    store.away = true;
    observer = newBoard();
    await watch(20_000);
    store.away = false;
    await observer.poll();
    expect(health()).toBe('unknown');
    await watch(5_000, 'env_a');
    expect(health()).toBe('online');
  });

  it('returns, and a worker that shuts down right then is down at once', async () => {
    const epoch = await beat('env_a');
    await observer.poll();
    store.away = true;
    await watch(20_000);
    store.away = false;
    await beat('env_a', { epoch });
    await watch(1_000);
    await beat('env_a', { epoch, state: 'stopping' });
    await observer.poll();
    await store.leases.release('env_a', 'one', epoch);
    await watch(1_000);
    expect([health(), observer.environment('env_a')?.released]).toEqual(['down', true]);
  });

  it('returns, and a worker that follows another one right then is online at once', async () => {
    await beat('env_a');
    await observer.poll();
    store.away = true;
    await watch(20_000);
    store.away = false;
    await observer.poll();
    await beat('env_a', { instance: 'two' });
    await watch(1_000);
    expect(health()).toBe('online');
  });

  it('is away twice: a heartbeat that it had kept the second time is no proof of life either', async () => {
    await beat('env_a');
    await observer.poll();
    for (const seconds of [20, 30]) {
      store.away = true;
      await watch(seconds * 1_000);
      store.away = false;
      await beat('env_a');
      await watch(1_000);
      expect(health()).toBe('unknown');
      await watch(10_000, 'env_a');
      expect(health()).toBe('online');
    }
  });

  it('is detected by an observer that has just started, too', async () => {
    store.away = true;
    observer = newBoard();
    observer.remember('env_a', registrationOf('env_a'));
    await watch(60_000);
    expect(health()).toBe('unknown');
    expect(DISCONNECTED_AFTER).toBe(5_000);
  });
});

describe('another fleet with the same prefix', () => {
  it('is not shown as ours', async () => {
    store.flush();
    await store.fleet.nameFleet('fleet-2');
    announcing.register(registrationOf('theirs'));
    await beat('theirs');
    await observer.poll();
    expect(observer.foreign).toBe(true);
    expect(observer.names()).toEqual([]);
  });
});

describe('when most environments disappear at the same time', () => {
  const names = ['env_a', 'env_b', 'env_c', 'env_d'];

  it('the observer assumes that it is disconnected, and reports unknown', async () => {
    for (const name of names) await beat(name);
    await watch(20_000, 'env_d');
    expect(names.map(health)).toEqual(['unknown', 'unknown', 'unknown', 'online']);
    for (const name of names) await beat(name);
    await watch(1_000);
    expect(names.map(health)).toEqual(['online', 'online', 'online', 'online']);
  });

  it('but not for longer than three minutes', async () => {
    for (const name of names) await beat(name);
    await watch(15_000 + CUT_OFF_FOR - 1_000, 'env_d');
    expect(names.map(health)).toEqual(['unknown', 'unknown', 'unknown', 'online']);
    await watch(2_000, 'env_d');
    expect(names.map(health)).toEqual(['down', 'down', 'down', 'online']);
  });

  it('also where another one has been down for long', async () => {
    for (const name of [...names, 'env_e']) await beat(name);
    await watch(600_000, ...names);
    expect(health('env_e')).toBe('down');
    await watch(20_000, 'env_d');
    expect(names.map(health)).toEqual(['unknown', 'unknown', 'unknown', 'online']);
    expect(health('env_e')).toBe('down');
    await watch(CUT_OFF_FOR, 'env_d');
    expect([...names, 'env_e'].map(health)).toEqual(['down', 'down', 'down', 'online', 'down']);
  });

  it('also where one more is lost more than a minute later', async () => {
    for (const name of [...names, 'env_e']) await beat(name);
    await watch(65_000, 'env_d', 'env_e');
    expect(names.map(health)).toEqual(['unknown', 'unknown', 'unknown', 'online']);
    await watch(35_000, 'env_e');
    expect([...names, 'env_e'].map(health)).toEqual(['unknown', 'unknown', 'unknown', 'unknown', 'online']);
    await watch(15_000 + CUT_OFF_FOR - 101_000, 'env_e');
    expect([...names, 'env_e'].map(health)).toEqual(['unknown', 'unknown', 'unknown', 'unknown', 'online']);
    await watch(2_000, 'env_e');
    expect([...names, 'env_e'].map(health)).toEqual(['down', 'down', 'down', 'down', 'online']);
  });

  it('but half of them are down', async () => {
    for (const name of names) await beat(name);
    await watch(20_000, 'env_c', 'env_d');
    expect(names.map(health)).toEqual(['down', 'down', 'online', 'online']);
  });

  it('and one that announced its shutdown is nevertheless down', async () => {
    const epochs = new Map<string, number>();
    for (const name of names) epochs.set(name, await beat(name));
    await watch(2_000);
    await store.leases.release('env_a', 'one', epochs.get('env_a')!);
    await watch(20_000, 'env_d');
    expect(names.map(health)).toEqual(['down', 'unknown', 'unknown', 'online']);
  });

  it('but half of them stay down when another one announces its shutdown later', async () => {
    const epochs = new Map<string, number>();
    for (const name of names) epochs.set(name, await beat(name));
    await watch(20_000, 'env_c', 'env_d');
    await store.leases.release('env_c', 'one', epochs.get('env_c')!);
    await watch(2_000, 'env_d');
    expect(names.map(health)).toEqual(['down', 'down', 'down', 'online']);
    store.away = true;
    await watch(20_000);
    store.away = false;
    await watch(5_000, 'env_d');
    expect(names.map(health)).toEqual(['down', 'down', 'down', 'online']);
  });
});

it('goes on looking when what it tells fails', async () => {
  await beat('env_a');
  await observer.poll();
  observer.changes.listen(() => {
    throw new Error('No.');
  });
  store.away = true;
  clock.pass(DISCONNECTED_AFTER + 1);
  await observer.poll();
  expect(health()).toBe('unknown');
  store.away = false;
  await beat('env_a');
  await observer.poll();
  expect(health()).toBe('online');
});
