import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { AppSupervisorError } from '../../src/server/errors';
import type { MessageBus } from '../../src/server/protocol/bus';
import { MemoryBus } from '../../src/server/protocol/bus/memory';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/keys';
import type { Stores } from '../../src/server/protocol/stores';
import type { LeaseAnswer } from '../../src/server/protocol/stores/leases';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { failed, verbatim } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import { entryOf, leaseOf, manifestItemOf, recordOf, registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';

/** What both implementations of the wire promise to those who use it; what is Redis' alone is in wire.redis.test.ts. */

/** For a request that is answered at once, unless the machine is starved; in ms. */
const PATIENCE = 60_000;

interface Wire {
  stores: Stores;
  bus: MessageBus;
}

const IMPLEMENTATIONS: Record<string, () => Promise<Wire>> = {
  memory: async () => ({ stores: new MemoryStores({ clock: systemClock, isAlone: true }), bus: new MemoryBus() }),
  redis: async () => {
    const log = recordedLog();
    const keys = new Keys(`wire-${randomUUID()}`);
    const stores = new RedisStores(inject('redisUrl'), keys, log);
    const bus = new RedisBus(inject('redisUrl'), keys, 'one', log);
    stores.open();
    bus.open();
    // Nobody waits for a connection anywhere else: callers try again.
    await until('Redis', () => stores.fleet.look().catch(() => null));
    await until('The bus', () => stores.records.read('x').catch(() => null));
    return { stores, bus };
  },
};

describe.each(Object.keys(IMPLEMENTATIONS))('%s', (name) => {
  let stores: Stores;
  let bus: MessageBus;

  beforeEach(async () => {
    ({ stores, bus } = await IMPLEMENTATIONS[name]());
  });
  afterEach(async () => {
    await bus.close();
    await stores.close();
  });

  const claim = async (environment: string, values: Parameters<typeof leaseOf>[0] = {}): Promise<LeaseAnswer> =>
    stores.leases.claim({ environment, lease: leaseOf(values), ttl: 120_000, mayTake: true, provenBy: null });
  const hold = async (environment: string, instance = 'one'): Promise<number> => {
    const answer = await claim(environment, { instance });
    if (!answer.held) throw new Error('The lease was not given.');
    return answer.epoch;
  };
  const tell = (epoch: number, version: number, entries: StatusEntry[], more: object = {}) =>
    stores.statuses.write({
      environment: 'env_a',
      instance: 'one',
      epoch,
      version,
      entries,
      removed: [],
      complete: false,
      ...more,
    });
  const statuses = async () =>
    (await stores.statuses.read('env_a')).map(({ name, status }) => `${name} ${status}`).sort();

  describe('records', () => {
    const crm = recordOf();
    const shop = recordOf({ name: 'shop', uid: 'uid-2', sso: { enabled: true }, icon: '☕' });
    const names = async (environment = 'env_a') => (await stores.records.read(environment)).map((r) => r.name).sort();

    it('are read as they were published, all of them or by name', async () => {
      await stores.records.publish('env_a', [crm, shop]);
      expect((await stores.records.read('env_a')).sort((a, b) => a.name.localeCompare(b.name))).toEqual([crm, shop]);
      expect(await stores.records.read('env_a', ['shop', 'nobody'])).toEqual([shop]);
      expect(await stores.records.read('env_a', [])).toEqual([]);
      expect(await stores.records.read('env_b')).toEqual([]);
    });

    it('invariant 3: an older one does not replace a newer one; the same one, and a newer one, do', async () => {
      await stores.records.publish('env_a', [recordOf({ generation: 10, title: 'ten' })]);
      await stores.records.publish('env_a', [recordOf({ generation: 9, title: 'nine' }), shop]);
      expect((await stores.records.read('env_a', ['crm']))[0].title).toBe('ten');
      expect(await names()).toEqual(['crm', 'shop']);
      await stores.records.publish('env_a', [recordOf({ generation: 10, title: 'ten again' })]);
      expect((await stores.records.read('env_a', ['crm']))[0].title).toBe('ten again');
      await stores.records.publish('env_a', [recordOf({ generation: 11, title: 'eleven' })]);
      expect((await stores.records.read('env_a', ['crm']))[0].title).toBe('eleven');
      // Generations are milliseconds since 1970, and compared as numbers.
      const today = Date.now();
      await stores.records.publish('env_a', [recordOf({ generation: today, title: 'today' })]);
      await stores.records.publish('env_a', [recordOf({ generation: today - 1, title: 'yesterday' })]);
      expect((await stores.records.read('env_a', ['crm']))[0]).toMatchObject({ title: 'today', generation: today });
    });

    it('are taken away', async () => {
      await stores.records.publish('env_a', [crm, shop]);
      await stores.records.publish('env_b', [crm]);
      await stores.records.unpublish('env_a', ['crm', 'nobody']);
      await stores.records.unpublish('env_a', []);
      expect([await names(), await names('env_b')]).toEqual([['shop'], ['crm']]);
    });

    it('come in thousands', async () => {
      const many = Array.from({ length: 1_200 }, (_, i) => recordOf({ name: `app${i}`, uid: `uid-${i}` }));
      await stores.records.publish('env_a', many);
      expect(await stores.records.read('env_a')).toHaveLength(1_200);
    });
  });

  describe('a lease', () => {
    it('has some of its time left, and none when it is gone', async () => {
      const epoch = await hold('env_a');
      await hold('env_b');
      await stores.leases.release('env_b', 'one', await hold('env_b'));
      const left = await stores.leases.left(['env_a', 'env_b', 'nobody']);
      expect([...left.keys()]).toEqual(['env_a', 'env_b', 'nobody']);
      expect(left.get('env_a')).toBeGreaterThan(60_000);
      expect([left.get('env_b'), left.get('nobody')]).toEqual([0, 0]);
      if (name === 'redis') expect(left.get('env_a')).toBeLessThanOrEqual(120_000);
      await stores.leases.release('env_a', 'one', epoch);
    });

    it('is taken, renewed and seen', async () => {
      expect((await stores.fleet.look()).environments.size).toBe(0);
      const before = Date.now();
      const first = await claim('env_a', { memory: 5 });
      expect(first).toMatchObject({ held: true, fresh: true });
      const { epoch } = first as { epoch: number };
      // By Redis' clock, which is this machine's.
      expect(epoch).toBeGreaterThanOrEqual(before - 1_000);
      expect(await claim('env_a', { epoch, beat: 2 })).toEqual({ held: true, epoch, fresh: false });
      const sight = await stores.fleet.look();
      expect(sight.environments.get('env_a')).toEqual({
        lease: leaseOf({ epoch, beat: 2 }),
        statusVersion: 0,
        standby: null,
      });
    });

    it('given up is gone at once, with its statuses; another’s is not', async () => {
      const epoch = await hold('env_a');
      await tell(epoch, 1, [entryOf()]);
      await stores.leases.release('env_a', 'two', epoch);
      await stores.leases.release('env_a', 'one', epoch - 1);
      expect((await stores.fleet.look()).environments.get('env_a')?.lease?.epoch).toBe(epoch);
      await stores.leases.release('env_a', 'one', epoch);
      expect((await stores.fleet.look()).environments.get('env_a')).toEqual({
        lease: null,
        statusVersion: 0,
        standby: null,
      });
      expect(await statuses()).toEqual([]);
      await stores.leases.release('env_a', 'one', epoch);
    });

    it('has a higher epoch with every holder', async () => {
      const first = await hold('env_a', 'one');
      await stores.leases.release('env_a', 'one', first);
      const second = await hold('env_a', 'two');
      expect(second).toBeGreaterThan(first);
    });

    it('invariant 2: passes on nothing that its last holder said', async () => {
      const first = await hold('env_a', 'one');
      await tell(first, 1, [entryOf()]);
      await stores.leases.release('env_a', 'one', first);
      await hold('env_a', 'two');
      expect(await statuses()).toEqual([]);
      expect((await stores.fleet.look()).environments.get('env_a')?.statusVersion).toBe(0);
    });
  });

  describe('statuses', () => {
    it('are written and read, each on its own', async () => {
      const epoch = await hold('env_a');
      const entry = entryOf({ message: verbatim('m'), error: failed('e'), pendingChanges: ['plugins'] });
      expect(await tell(epoch, 7, [entry, entryOf({ name: 'shop', status: 'stopped' })])).toBe(true);
      expect(await stores.statuses.read('env_a')).toContainEqual(entry);
      expect((await stores.fleet.look()).environments.get('env_a')?.statusVersion).toBe(7);
      await tell(epoch, 8, [entryOf({ status: 'error' })]);
      expect(await statuses()).toEqual(['crm error', 'shop stopped']);
      await tell(epoch, 9, [], { removed: ['crm', 'nobody'] });
      expect(await statuses()).toEqual(['shop stopped']);
    });

    it('that are all there is replace the rest', async () => {
      const epoch = await hold('env_a');
      await tell(epoch, 1, [entryOf(), entryOf({ name: 'shop' })]);
      await tell(epoch, 2, [entryOf({ name: 'wiki' })], { complete: true });
      expect(await statuses()).toEqual(['wiki running']);
      await tell(epoch, 3, [], { complete: true });
      expect(await statuses()).toEqual([]);
    });

    it('invariant 2: are written by the holder of the lease only', async () => {
      expect(await tell(1, 1, [entryOf()])).toBe(false);
      const epoch = await hold('env_a');
      expect(await tell(epoch - 1, 1, [entryOf()])).toBe(false);
      expect(await tell(epoch, 1, [entryOf()], { instance: 'two' })).toBe(false);
      expect(await statuses()).toEqual([]);
      expect(await tell(epoch, 1, [entryOf()])).toBe(true);
      await stores.leases.release('env_a', 'one', epoch);
      expect(await tell(epoch, 2, [entryOf()])).toBe(false);
      expect(await statuses()).toEqual([]);
    });
  });

  it('a registration is what was written last', async () => {
    expect(await stores.fleet.readRegistration('env_a')).toBeNull();
    await stores.fleet.writeRegistration(registrationOf('env_a'));
    await stores.fleet.writeRegistration(registrationOf('env_a', { url: 'http://moved', plugins: ['acl@1'] }));
    expect(await stores.fleet.readRegistration('env_a')).toEqual(
      registrationOf('env_a', { url: 'http://moved', plugins: ['acl@1'] }),
    );
  });

  it('a forgotten environment leaves nothing, and may come back', async () => {
    await stores.records.publish('env_a', [recordOf()]);
    await stores.fleet.writeRegistration(registrationOf('env_a'));
    await tell(await hold('env_a'), 1, [entryOf()]);
    await hold('env_b');
    await stores.fleet.forget('env_a');
    expect([...(await stores.fleet.look()).environments.keys()]).toEqual(['env_b']);
    expect(await stores.fleet.readRegistration('env_a')).toBeNull();
    expect([await stores.records.read('env_a'), await statuses()]).toEqual([[], []]);
    await hold('env_a');
    expect([...(await stores.fleet.look()).environments.keys()].sort()).toEqual(['env_a', 'env_b']);
  });

  it('the fleet is whose it was first', async () => {
    expect((await stores.fleet.look()).fleet).toBeNull();
    expect(await stores.fleet.claim('one')).toBe('one');
    expect(await stores.fleet.claim('two')).toBe('one');
    expect((await stores.fleet.look()).fleet).toBe('one');
  });

  it('records are read, all together, when one of them changed', async () => {
    expect(await stores.records.readSince('env_a', null)).toEqual({ version: null, records: [] });
    await stores.records.publish('env_a', [recordOf()]);
    const first = (await stores.records.readSince('env_a', null))!;
    expect(first.records.map(({ name }) => name)).toEqual(['crm']);
    expect(first.version).not.toBeNull();
    expect(await stores.records.readSince('env_a', first.version)).toBeNull();
    await stores.records.publish('env_a', [recordOf({ generation: 11 })]);
    const second = (await stores.records.readSince('env_a', first.version))!;
    expect(second.records[0].generation).toBe(11);
    await stores.records.unpublish('env_a', ['crm']);
    const third = (await stores.records.readSince('env_a', second.version))!;
    expect(third.records).toEqual([]);
    await stores.fleet.forget('env_a');
    expect(await stores.records.readSince('env_a', third.version)).toEqual({ version: null, records: [] });
  });

  it('of statuses it can be asked how many there are, and of which write', async () => {
    expect(await stores.statuses.mark('env_a')).toEqual({ version: 0, count: 0 });
    const epoch = await hold('env_a');
    await tell(epoch, 7, [entryOf(), entryOf({ name: 'shop' })]);
    expect(await stores.statuses.mark('env_a')).toEqual({ version: 7, count: 2 });
    await stores.leases.release('env_a', 'one', epoch);
    expect(await stores.statuses.mark('env_a')).toEqual({ version: 0, count: 0 });
  });

  describe('the directory', () => {
    const entries = (...names: string[]) => new Map(names.map((name) => [name, JSON.stringify({ name })]));
    const write = (from: string | null, version: string, names: string[], gone: string[] = []) =>
      stores.appIndex.write({
        from,
        version,
        entries: entries(...names),
        gone,
        supervisor: `{"instance":"${version}"}`,
      });
    /** What a reader of a version is given, in short. */
    const read = async (version: string) => {
      const found = await stores.appIndex.read(version);
      return found && { ...found, entries: [...found.entries.keys()].sort(), gone: found.gone.sort() };
    };

    it('is not there until it was written', async () => {
      expect(await stores.appIndex.read('')).toBeNull();
    });

    it('is read whole by those who have none or whose version nobody knows', async () => {
      expect(await write(null, 'v1', ['crm', 'shop'])).toBe(true);
      const whole = {
        version: 'v1',
        complete: true,
        entries: ['crm', 'shop'],
        gone: [],
        supervisor: { instance: 'v1' },
      };
      expect(await read('')).toEqual(whole);
      expect(await read('v0')).toEqual(whole);
    });

    it('a reader that has it is given who manages the fleet and nothing else', async () => {
      await write(null, 'v1', ['crm', 'shop']);
      const supervisor = { instance: 'v1' };
      expect(await read('v1')).toEqual({ version: 'v1', complete: false, entries: [], gone: [], supervisor });
    });

    it('a reader that has followed comes to the same as one that reads it whole', async () => {
      await write(null, 'v1', ['crm', 'shop']);
      await write('v1', 'v2', ['wiki'], ['crm']);
      await write('v2', 'v3', ['crm'], ['shop']);
      for (const from of ['v1', 'v2', '']) {
        const found = await stores.appIndex.read(from);
        const before = { v1: ['crm', 'shop'], v2: ['shop', 'wiki'], '': [] }[from]!;
        const now = new Set(found!.complete ? [] : before);
        for (const name of found!.gone) now.delete(name);
        for (const name of found!.entries.keys()) now.add(name);
        expect([found!.version, ...[...now].sort()]).toEqual(['v3', 'crm', 'wiki']);
      }
    });

    it('is not changed by whoever left it as something else', async () => {
      await write(null, 'v1', ['crm']);
      await write('v1', 'v2', ['shop']);
      expect(await write('v1', 'late', ['wiki'], ['crm'])).toBe(false);
      expect(await read('')).toMatchObject({ version: 'v2', entries: ['crm', 'shop'] });
    });

    it('written anew, has nothing of what was there; whoever had the same content reads nothing', async () => {
      await write(null, 'v1', ['crm', 'shop']);
      await write('v1', 'v2', ['wiki']);
      await write(null, 'v1', ['crm', 'shop']);
      expect(await read('v1')).toMatchObject({ complete: false, entries: [] });
      expect(await read('v2')).toMatchObject({ version: 'v1', complete: true, entries: ['crm', 'shop'] });
    });

    it('can be large', async () => {
      const names = Array.from({ length: 1_201 }, (_, i) => `app${i}`);
      await write(null, 'v1', names);
      expect((await read(''))?.entries).toEqual(names.sort());
    });
  });

  describe('manifests', () => {
    const [first, second] = [manifestItemOf(), manifestItemOf({ key: 'b', value: null })];
    const read = async () => {
      const found = await stores.manifests.read('');
      return found?.items.sort((one, two) => (one.key < two.key ? -1 : 1)) ?? [];
    };

    it('are what there is, until it changes', async () => {
      expect(await stores.manifests.read('')).toBeNull();
      await stores.manifests.write([first, second]);
      const found = await stores.manifests.read('');
      expect(await read()).toEqual([first, second]);
      expect(await stores.manifests.read(found!.version)).toBeNull();
      await stores.manifests.write([manifestItemOf({ at: 11, value: 'new' })]);
      expect((await stores.manifests.read(found!.version))?.items).toHaveLength(2);
    });

    it('hold the newest word on each item, also that it was removed', async () => {
      await stores.manifests.write([second, manifestItemOf({ at: 12, value: undefined })]);
      const { version } = (await stores.manifests.read(''))!;
      await stores.manifests.write([first, manifestItemOf({ at: 12, value: 'the same moment' })]);
      expect(await stores.manifests.read(version)).toBeNull();
      expect(await read()).toMatchObject([{ key: 'a', at: 12 }, second]);
      expect((await read())[0].value).toBeUndefined();
    });

    it('of an app that has ended are gone, and no other’s', async () => {
      const successor = manifestItemOf({ uid: 'uid-2', key: 'c' });
      await stores.manifests.write([first, second, successor]);
      const { version } = (await stores.manifests.read(''))!;
      await stores.manifests.forget(['uid-1']);
      expect((await stores.manifests.read(version))?.items).toEqual([successor]);
    });
  });

  describe('wake-ups', () => {
    it('reach whom they are for, with the names they are about', async () => {
      const heard: string[] = [];
      await bus.onNotify('supervisors', (names) => heard.push(`supervisors ${names}`));
      await bus.onNotify({ environment: 'env_a' }, (names) => heard.push(`env_a ${names}`));
      await until('A wake-up', () => {
        if (heard.length === 0) bus.notify({ environment: 'env_a' }, ['crm', 'shop']);
        return heard.length;
      });
      expect(new Set(heard)).toEqual(new Set(['env_a crm,shop']));
      bus.notify({ environment: 'env_b' }, ['crm']);
      bus.notify('supervisors', []);
      await until('The supervisors’', () => heard.includes('supervisors '));
      expect(heard.some((line) => line.startsWith('env_b'))).toBe(false);
    });

    it('never come in the turn of the caller', async () => {
      let heard = false;
      await bus.onNotify('supervisors', () => {
        heard = true;
      });
      bus.notify('supervisors', ['crm']);
      expect(heard).toBe(false);
    });
  });

  describe('requests', () => {
    const failure = async (work: Promise<unknown>): Promise<AppSupervisorError> => {
      const error = await work.then(
        () => null,
        (thrown) => thrown,
      );
      expect(error).toBeInstanceOf(AppSupervisorError);
      return error;
    };

    beforeEach(async () => {
      await bus.serve('env_a', {
        double: async (payload) => ({ twice: 2 * (payload as number) }),
        nothing: async () => undefined,
        fail: async () => {
          throw new Error('No disk.');
        },
        failAtOnce: (() => {
          throw new Error('No disk.');
        }) as never,
        never: () => new Promise(() => undefined),
      });
      // A subscription takes its time.
      await until('The worker', () => bus.request('env_a', 'double', 1, 1_000).catch(() => null));
    });

    it('are answered', async () => {
      expect(await bus.request('env_a', 'double', 21, PATIENCE)).toEqual({ twice: 42 });
      expect(await bus.request('env_a', 'nothing', null, PATIENCE)).toBeUndefined();
      const many = await Promise.all(Array.from({ length: 50 }, (_, i) => bus.request('env_a', 'double', i, PATIENCE)));
      expect(many).toEqual(Array.from({ length: 50 }, (_, i) => ({ twice: 2 * i })));
    });

    it.each(['fail', 'failAtOnce'])('that %s say why', async (method) => {
      const error = await failure(bus.request('env_a', method, null, PATIENCE));
      const params = { environment: 'env_a', cause: failed('No disk.') };
      expect(error).toMatchObject({ code: 'WORKER_FAILED', status: 502, params });
    });

    it.each(['unknown', 'constructor', '__proto__'])('of a method that nobody knows (%s) say so', async (method) => {
      const error = await failure(bus.request('env_a', method, null, PATIENCE));
      const cause = { code: 'UNKNOWN_REQUEST', params: { request: method } };
      expect(error).toMatchObject({ code: 'WORKER_FAILED', params: { environment: 'env_a', cause } });
    });

    it('fail by their deadline, and not before', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const failed = failure(bus.request('env_a', 'never', null, 60_000));
        const over = vi.fn();
        void failed.then(over, over);
        // It is on its way when another one behind it was answered.
        await bus.request('env_a', 'double', 1, PATIENCE);
        await vi.advanceTimersByTimeAsync(59_900);
        expect(over).not.toHaveBeenCalled();
        await vi.advanceTimersByTimeAsync(100);
        expect(await failed).toMatchObject({ code: 'WORKER_SILENT', status: 504 });
      } finally {
        vi.useRealTimers();
      }
    });

    it('to nobody fail', async () => {
      expect((await failure(bus.request('env_b', 'double', 1, 3_600_000))).code).toBe('WORKER_SILENT');
    });
  });
});
