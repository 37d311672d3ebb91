import { randomUUID } from 'node:crypto';
import Redis from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { inEnglish } from '../../src/server/errors';
import { AppIndexReader, createAppIndexWriter } from '../../src/server/protocol/app-index';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { Keys } from '../../src/server/protocol/redis-keys';
import type { Stores } from '../../src/server/protocol/stores';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import type { AppRecord } from '../../src/shared/messages';
import { startRedis } from '../setup/services';
import { FLEET_SECRET, keyringOf, testEnvelope } from '../support/envelope';
import { appOf, leaseOf, recordOf, registrationOf, SSO_CODE } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { recordsIn, writeRecords } from '../support/records';
import { until } from '../support/wait';

/** What Redis adds to the contracts of stores and bus: its own clock, what others write there, other fleets, and being away. */

const closing: Array<() => unknown> = [];
const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  process.off('unhandledRejection', note);
  // Invariant 7: no promise and no socket of the wire is without somebody who minds it.
  expect(unhandled.splice(0)).toEqual([]);
});

async function connect({
  url = inject('redisUrl'),
  prefix = `wire-${randomUUID()}`,
  instance = 'one',
  keyring = keyringOf(),
} = {}) {
  const log = recordedLog();
  const keys = new Keys(prefix);
  const envelope = testEnvelope(log, keyring);
  const stores = new RedisStores(url, keys, envelope, log, systemRandom, systemClock);
  const bus = new RedisBus(url, keys, envelope, instance, log, systemClock, systemRandom);
  const raw = new Redis(url, { retryStrategy: () => 100 });
  raw.on('error', () => undefined);
  stores.open();
  bus.open();
  closing.push(() => {
    raw.disconnect();
    return Promise.all([bus.close(), stores.close()]);
  });
  await until('Redis', () => stores.fleet.poll().catch(() => null));
  return { stores, bus, raw, keys, log, envelope };
}

async function ownRedis(args: string[] = []) {
  const redis = await startRedis({ args });
  closing.push(() => redis.stop());
  return redis;
}

async function publish(records: Stores['records'], published: AppRecord[], floor = 0): Promise<void> {
  await writeRecords(records, 'env_a', published, { floor });
}

const announcement = {
  environment: 'env_a',
  lease: leaseOf({ epoch: 5 }),
  registration: registrationOf('env_a', { epoch: 5 }),
  ttl: 120_000,
};

describe('announcements', () => {
  it('run out by Redis’ own clock', async () => {
    const { stores } = await connect();
    await stores.leases.announce({ ...announcement, ttl: 60 });
    const lease = async () => (await stores.fleet.poll()).environments.get('env_a')?.lease;
    await until('The lease to run out', async () => (await lease()) === null);
  });

  it('are told apart from what is not ours: it does not keep an environment out for ever', async () => {
    const { stores, raw, keys, log } = await connect();
    const signed = `signed1.${'0'.repeat(64)}.99999999999999.{}`;
    for (const junk of ['not json', '5', '[]', '{"epoch":"x"}', '""', '{"epoch":1e300,"instance":"zero"}', signed]) {
      await raw.set(keys.lease('env_a'), junk);
      await raw.set(keys.registration('env_a'), junk);
      expect(await stores.leases.announce(announcement)).toEqual({ by: 'me', fresh: true });
      expect(await stores.fleet.readRegistration('env_a')).toEqual(announcement.registration);
    }
    expect(log.at('warn').some((line) => line.includes(keys.registration('env_a')))).toBe(true);
  });

  it('of a displaced process are no matter for the log', async () => {
    const { stores, log } = await connect();
    await stores.leases.announce(announcement);
    const lease = leaseOf({ instance: 'two', epoch: 4 });
    const answer = await stores.leases.announce({ ...announcement, lease });
    expect(answer).toEqual({ by: 'newer', epoch: 5, instance: 'one' });
    expect(log.at('warn')).toEqual([]);
  });

  it('of release 0.2.0 are known: it signed nothing', async () => {
    const { stores, raw, keys, envelope } = await connect();
    const seen: boolean[] = [];
    const signed = envelope.sign('env_a', keys.lease('env_a'), 7, '{"instance":"new","epoch":7}');
    for (const text of ['{"instance":"old","epoch":7}', 'not json', signed]) {
      await raw.set(keys.lease('env_a'), text);
      seen.push(await stores.leases.hasFormer('env_a'));
    }
    expect(seen).toEqual([true, false, false]);
  });

  it('read and write one value while nothing else has changed, and more for what somebody has removed', async () => {
    const { stores, raw, keys } = await connect({ url: (await ownRedis()).url });
    const calls = async () => {
      const stats = await raw.info('commandstats');
      return ['get', 'set', 'sadd'].map((name) =>
        Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1]),
      );
    };
    const announce = (beat: number) =>
      stores.leases.announce({ ...announcement, lease: { ...announcement.lease, beat } });
    await announce(1);
    const before = await calls();
    for (const beat of [2, 3, 4]) expect(await announce(beat)).toEqual({ by: 'me', fresh: false });
    expect((await calls()).map((count, i) => count - before[i])).toEqual([3, 3, 0]);
    await raw.del(keys.registration('env_a'), keys.environments());
    // What was reported went with the registration.
    expect(await announce(5)).toEqual({ by: 'me', fresh: true });
    expect(await stores.fleet.readRegistration('env_a')).toEqual(announcement.registration);
    expect((await stores.fleet.poll()).environments.has('env_a')).toBe(true);
  });
});

describe('the app index', () => {
  it('is believed again where an older copy says what is wanted anew, by a reader of what was lost', async () => {
    const prefix = `wire-${randomUUID()}`;
    const [{ stores, raw, keys }, other] = [await connect({ prefix }), await connect({ prefix })];
    const writer = createAppIndexWriter(stores.appIndex, { instance: 'one', publicUrl: null }, systemClock);
    const reader = new AppIndexReader(other.stores.appIndex);
    const titles = () => reader.all().map(({ title }) => title);
    const write = async (title: string) => {
      writer.note(null);
      await writer.write(new Map([['crm', { ...appOf(), title }]]), 1);
      await reader.read();
    };
    await write('before');
    const older = await raw.hgetall(keys.appIndex());
    await write('after');
    expect(titles()).toEqual(['after']);
    await raw.multi().del(keys.appIndex()).hset(keys.appIndex(), older).exec();
    writer.invalidate();
    await write('before');
    expect(titles()).toEqual(['before']);
  });
});

describe('what is not ours', () => {
  it('is left out, said in the log, and overwritten', async () => {
    const { stores, raw, keys, log } = await connect();
    await publish(stores.records, [recordOf()]);
    await raw.hset(keys.records('env_a'), 'uid-2', 'not json', 'uid-3', '{"name":"wiki"}');
    expect((await recordsIn(stores.records, 'env_a')).map(({ name }) => name)).toEqual(['crm']);
    expect(log.at('warn').some((line) => line.includes(keys.records('env_a')))).toBe(true);
    await publish(stores.records, [recordOf({ name: 'shop', uid: 'uid-2' }), recordOf({ name: 'wiki', uid: 'uid-3' })]);
    expect(await recordsIn(stores.records, 'env_a')).toHaveLength(3);
    await raw.set(keys.registration('env_a'), '{}');
    expect(await stores.fleet.readRegistration('env_a')).toBeNull();
    await stores.leases.announce(announcement);
    expect(await stores.fleet.readRegistration('env_a')).toEqual(announcement.registration);
  });

  it('invariant 8: is not repeated in the log: it may hold a secret', async () => {
    const { stores, raw, keys, log } = await connect();
    await raw.hset(keys.records('env_a'), 'uid-1', JSON.stringify({ ...recordOf(), jwtSecret: { hunter2: 1 } }));
    await recordsIn(stores.records, 'env_a');
    expect(log.lines.join()).not.toContain('hunter2');
  });

  it('on a channel is ignored', async () => {
    const { bus, raw, keys, log, envelope } = await connect();
    const heard: string[][] = [];
    await bus.onNotify('supervisors', (names) => heard.push(names));
    await bus.serve('env_a', { x: async () => 1 });
    await until('The subscription', () => bus.request('env_a', 'x', null, 1_000).catch(() => null));
    for (const channel of [keys.notifications('supervisors'), keys.requests('env_a'), keys.replies('one')]) {
      for (const junk of ['', 'not json', '{}', '{"names":["../x"]}', '{"id":1}']) await raw.publish(channel, junk);
    }
    bus.notify('supervisors', ['crm']);
    await until('The real one', () => heard.length);
    expect(heard).toEqual([['crm']]);
    // Replies to requests that nobody sent, 5 of them, are no matter.
    expect([...envelope.refusals.all()]).toEqual([
      ['unreadable', 7],
      ['unsigned', 3],
    ]);
    expect(log.at('warn').length).toBe(3);
    expect(await bus.request('env_a', 'x', null, 60_000)).toBe(1);
  });
});

describe('a Worker that has only the key of its environment', () => {
  it.each([
    ['all', ({ records }: Stores) => records.read('env_a', null)],
    ['some', ({ records }: Stores) => records.readSome('env_a', ['uid-1'])],
  ] as const)('believes what the Supervisor has signed once it has read %s of its records', async (_, read) => {
    const prefix = `wire-${randomUUID()}`;
    const { stores } = await connect({ prefix });
    const environment = { name: 'env_a', key: environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_a') };
    const worker = await connect({ prefix, keyring: new Keyring({ fleetKey: null, environment, atRest: null }) });
    await read(worker.stores);
    await publish(stores.records, [recordOf()]);
    await stores.sso.issue('early', SSO_CODE, 60_000);
    expect(await worker.stores.sso.redeem('early')).toBeNull();
    await read(worker.stores);
    await stores.sso.issue('late', SSO_CODE, 60_000);
    expect(await worker.stores.sso.redeem('late')).toEqual(SSO_CODE);
  });
});

/** A Worker that has the key of env_a of this floor, and no other. */
function workerOf(prefix: string, floor: number) {
  const environment = { name: 'env_a', key: environmentKeyOf(fleetKeyOf(FLEET_SECRET), 'env_a', floor) };
  return connect({ prefix, keyring: new Keyring({ fleetKey: null, environment, atRest: null }) });
}

describe('a Worker whose environment was forgotten', () => {
  it('invariant 13: learns that with the key of before, and can neither read nor write anything else', async () => {
    const prefix = `wire-${randomUUID()}`;
    const { stores } = await connect({ prefix });
    const [before, now] = [await workerOf(prefix, 0), await workerOf(prefix, 100)];
    await publish(stores.records, [recordOf()]);
    expect(await before.stores.records.read('env_a', null)).toMatchObject({ floor: 0, records: [{ name: 'crm' }] });
    await stores.fleet.forget('env_a', 100, 1);
    await publish(stores.records, [recordOf({ name: 'shop', uid: 'uid-2' })], 100);
    const read = await before.stores.records.read('env_a', null);
    expect(read).toMatchObject({ floor: 100, hasOtherKey: true, records: [], refused: ['uid-2'] });
    expect(await now.stores.records.read('env_a', null)).toMatchObject({ floor: 100, records: [{ name: 'shop' }] });
    await before.stores.leases.announce(announcement);
    expect((await stores.fleet.poll()).environments.get('env_a')).toMatchObject({ lease: null, doubt: 'key' });
    expect(await stores.fleet.readRegistration('env_a')).toBeNull();
    await now.stores.leases.announce(announcement);
    expect((await stores.fleet.poll()).environments.get('env_a')?.lease).not.toBeNull();
    // A Supervisor whose database fell back to before that learns it here, too.
    const restored = await connect({ prefix });
    expect((await restored.stores.fleet.poll()).environments.get('env_a')?.doubt).toBe('key');
    expect(await restored.stores.records.read('env_a', null)).toMatchObject({
      floor: 100,
      records: [{ name: 'shop' }],
    });
    await now.stores.leases.announce({ ...announcement, lease: leaseOf({ epoch: 5, beat: 2 }) });
    expect((await restored.stores.fleet.poll()).environments.get('env_a')?.lease).not.toBeNull();
  });
});

describe('the announcement of a Worker whose key has ended', () => {
  it.each([5, 15])('gives way to that of its successor, which takes its place (epoch %i)', async (epoch) => {
    const prefix = `wire-${randomUUID()}`;
    const { stores } = await connect({ prefix });
    const [before, now] = [await workerOf(prefix, 0), await workerOf(prefix, 100)];
    await publish(stores.records, [recordOf()], 100);
    const of = (instance: string, values: object, more: object) => ({
      ...announcement,
      lease: leaseOf({ instance, place: instance, ...values }),
      ...more,
    });
    const ended = () => before.stores.leases.announce(of('before', { epoch }, { hasEnded: true, isKnown: true }));
    const succeeds = (more = {}) => now.stores.leases.announce(of('now', { epoch: 10 }, more));
    const shown = async () => (await stores.fleet.poll()).environments.get('env_a')?.lease?.instance ?? null;
    // Nobody else is there: it is seen to be refused.
    expect(await ended()).toEqual({ by: 'me', fresh: true });
    expect([await succeeds(), await shown()]).toEqual([{ by: 'me', fresh: true }, 'now']);
    expect([await ended(), await shown()]).toEqual([{ by: 'otherInstallation', instance: expect.any(String) }, 'now']);
    expect([await succeeds({ isKnown: true }), await shown()]).toEqual([{ by: 'me', fresh: false }, 'now']);
  });
});

describe('two fleets on one Redis', () => {
  it('do not see each other', async () => {
    const [one, two] = [await connect(), await connect()];
    await one.stores.fleet.nameFleet('one');
    await publish(one.stores.records, [recordOf()]);
    await one.stores.leases.announce(announcement);
    expect(await two.stores.fleet.poll()).toMatchObject({ fleet: null, environments: new Map() });
    expect(await recordsIn(two.stores.records, 'env_a')).toEqual([]);
    const heard: string[] = [];
    await one.bus.onNotify('supervisors', () => heard.push('one'));
    await two.bus.onNotify('supervisors', () => heard.push('two'));
    await until('A wake-up', () => {
      two.bus.notify('supervisors', []);
      return heard.length;
    });
    expect(new Set(heard)).toEqual(new Set(['two']));
  });
});

describe('settings that break promises', () => {
  const warnings = async (...args: string[]) => {
    const redis = await ownRedis(args);
    return (await (await connect({ url: redis.url })).stores.warnings()).map(inEnglish);
  };

  it('are said in words, with what to set', async () => {
    expect(await warnings('--maxmemory-policy', 'allkeys-lru')).toEqual([
      'Redis evicts keys when its memory is full (maxmemory-policy allkeys-lru). Set it to noeviction.',
      'Redis does not store its data on disk. Set appendonly yes.',
    ]);
    expect(await warnings('--appendonly', 'yes')).toEqual([]);
    expect(await warnings('--save', '3600 1')).toEqual([]);
  });

  it('that may not be asked for cost nothing', async () => {
    const redis = await ownRedis(['--rename-command', 'CONFIG', '']);
    expect(await (await connect({ url: redis.url })).stores.warnings()).toEqual([]);
  });
});

describe('a Redis that is away', () => {
  it('is said at once, and used again when it is back, with scripts and subscriptions', async () => {
    const redis = await ownRedis();
    const { stores, bus, log } = await connect({ url: redis.url });
    const heard: string[] = [];
    await bus.onNotify('supervisors', (names) => heard.push(...names));
    await bus.serve('env_a', { x: async () => 1 });
    await redis.kill();
    await until('The first failure', () =>
      stores.fleet.poll().then(
        () => null,
        () => true,
      ),
    );
    bus.notify('supervisors', ['lost']);
    // By the connection that is gone, and not by this deadline, which is beyond the test's own.
    await expect(bus.request('env_a', 'x', null, 3_600_000)).rejects.toMatchObject({ code: 'WORKER_SILENT' });
    await expect(publish(stores.records, [recordOf()])).rejects.toThrow();
    const said = (level: 'warn' | 'info', text: string) => log.at(level).filter((line) => line.includes(text)).length;
    await until('Every connection to say so, once', () => said('warn', 'is away') === 3);

    await redis.start();
    await until('The state', () =>
      publish(stores.records, [recordOf()]).then(
        () => true,
        () => null,
      ),
    );
    expect(await recordsIn(stores.records, 'env_a')).toHaveLength(1);
    expect(await stores.leases.announce(announcement)).toMatchObject({ by: 'me' });
    await until('The bus', () => bus.request('env_a', 'x', null, 1_000).catch(() => null));
    bus.notify('supervisors', ['found']);
    await until('A wake-up', () => heard.includes('found'));
    expect(heard).not.toContain('lost');
    await until('Every connection to say so, once', () => said('info', 'is back') === 3);
    expect(said('warn', 'is away')).toBe(3);
  });

  it('frozen fails by time, and is used again when it thaws', async () => {
    const redis = await ownRedis();
    const { stores } = await connect({ url: redis.url });
    redis.pause();
    await expect(stores.fleet.poll()).rejects.toThrow(/timed out/i);
    redis.resume();
    await until('Redis', () => stores.fleet.poll().catch(() => null));
  });

  it('when a process begins holds nothing up', async () => {
    const log = recordedLog();
    const keys = new Keys('wire');
    const stores = new RedisStores('redis://127.0.0.1:1', keys, testEnvelope(), log, systemRandom, systemClock);
    const bus = new RedisBus('redis://127.0.0.1:1', keys, testEnvelope(), 'one', log, systemClock, systemRandom);
    closing.push(() => Promise.all([bus.close(), stores.close()]));
    await bus.onNotify('supervisors', () => undefined);
    await bus.serve('env_a', {});
    stores.open();
    bus.open();
    bus.notify('supervisors', ['crm']);
    await expect(stores.fleet.poll()).rejects.toThrow();
    await until('The log', () => log.at('warn').length >= 3);
  });

  it('when listeners come gets them when it is there', async () => {
    const redis = await ownRedis();
    await redis.kill();
    const bus = new RedisBus(
      redis.url,
      new Keys('wire'),
      testEnvelope(),
      'one',
      recordedLog(),
      systemClock,
      systemRandom,
    );
    closing.push(() => bus.close());
    bus.open();
    await bus.serve('env_a', { x: async () => 1 });
    await redis.start();
    await until('An answer', () => bus.request('env_a', 'x', null, 1_000).catch(() => null));
  });

  it('invariant 10: is not even looked for by a process that never opens its connections', async () => {
    // Other files of tests come and go on the shared one.
    const { url } = await ownRedis();
    const raw = new Redis(url);
    closing.push(() => raw.disconnect());
    const connections = async () => /^total_connections_received:(\d+)/m.exec(await raw.info('stats'))?.[1];
    const before = await connections();
    const keys = new Keys('wire');
    const stores = new RedisStores(url, keys, testEnvelope(), recordedLog(), systemRandom, systemClock);
    const bus = new RedisBus(url, keys, testEnvelope(), 'one', recordedLog(), systemClock, systemRandom);
    await bus.onNotify('supervisors', () => undefined);
    await bus.serve('env_a', {});
    // Long enough for a connection that is on its way.
    for (let looks = 0; looks < 10; looks++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await connections()).toBe(before);
    }
    await bus.close();
    await stores.close();
  });
});

describe('a look', () => {
  it('reads with two commands, however many environments there are', async () => {
    const { stores, raw } = await connect({ url: (await ownRedis()).url });
    for (let i = 0; i < 50; i++) {
      const environment = `env_${i}`;
      await stores.leases.announce({
        ...announcement,
        environment,
        registration: registrationOf(environment, { epoch: 5 }),
      });
    }
    const reads = async () => {
      const calls = (await raw.info('commandstats')).matchAll(/^cmdstat_(smembers|mget|get|hgetall):calls=(\d+)/gm);
      return [...calls].reduce((sum, [, , count]) => sum + Number(count), 0);
    };
    // The first one learns which environments there are.
    await stores.fleet.poll();
    const before = await reads();
    expect((await stores.fleet.poll()).environments.size).toBe(50);
    expect((await reads()) - before).toBe(2);
  });

  it('is never without an environment that has just come', async () => {
    const { stores } = await connect();
    await stores.fleet.poll();
    await stores.leases.announce(announcement);
    const { environments } = await stores.fleet.poll();
    expect(environments.get('env_a')?.lease).toMatchObject({ instance: 'one' });
    await stores.fleet.forget('env_a', 1, 1);
    expect((await stores.fleet.poll()).environments.size).toBe(0);
  });
});
