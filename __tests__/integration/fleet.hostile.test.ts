import type RedisClient from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import type { Tenures } from '../../src/server/worker/tenures';
import { keyringOf, testEnvelope } from '../support/envelope';
import { entryOf, leaseOf, manifestItemOf, recordOf, registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { writeRecords } from '../support/records';
import { SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** Somebody else reads and writes all of Redis: nothing that he writes takes effect (finding S5). */

const EVIL = 'http://evil.example';
const LATER = Date.now() + 1_000_000_000;

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('hostile', { wakeUps: true });
});
afterEach(() => fleet.reset());
afterAll(() => fleet?.stop());

/** All that Redis holds of the fleet, by key. */
type Dump = Map<string, Buffer>;

async function dump(redis: RedisClient): Promise<Dump> {
  const prefix = fleet
    .keys()
    .fleet()
    .replace(/fleet$/, '');
  const keys = await redis.keys(`${prefix}*`);
  const values = await Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)] as const));
  return new Map(values.flatMap(([key, value]) => (value ? [[key, value] as const] : [])));
}

interface Scene {
  supervisor: SupervisorProcess;
  workers: WorkerProcess[];
  /** As it was before `crm` was started and renamed. */
  earlier: Dump;
}

/** `crm` in env_a, which was stopped earlier, and `shop` in env_b. */
async function begin(): Promise<Scene> {
  const [supervisor, ...workers] = await fleet.begin('env_a', 'env_b');
  const { service } = supervisor.parts;
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
  await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b'] }));
  await supervisor.ends(await service.command('crm', 'stop', '1'));
  await until('The index', () => workers.every(({ part }) => part.appIndex.uidOf('shop')));
  const earlier = await fleet.onRedis(dump);
  await supervisor.ends(await service.command('crm', 'start', '1'));
  await supervisor.ends(await service.update('crm', { title: 'Sales' }, '1'));
  return { supervisor, workers, earlier };
}

/** What would be different if something had taken effect. */
function facts({ supervisor, workers }: Scene) {
  const { environmentCache, appCache } = supervisor.parts;
  return {
    runs: workers.map(({ runs }) => runs),
    roles: workers.map(({ role }) => role),
    urls: ['env_a', 'env_b'].map((name) => environmentCache.registrationOf(name)?.proxyUrl),
    environments: environmentCache.names(),
    titles: workers.map(({ part }) =>
      part.appIndex
        .all()
        .map(({ name, title }) => `${name} ${title}`)
        .sort(),
    ),
    apps: [...appCache.apps.keys()].sort(),
    shown: ['crm', 'shop'].map((name) => supervisor.shows(name)),
    supervisors: workers.map(({ part }) => part.appIndex.supervisor?.publicUrl),
    drops: fleet.databases.journal.filter((line) => line.includes(' drops ')),
    floors: workers.map(({ part }) => part.controller?.floor.current),
    // A leader that believed it would go on from it.
    isTermFar: supervisor.parts.leadership.term > Date.now() + 60_000,
  };
}

const QUIET = {
  runs: [['crm'], ['shop']],
  roles: ['holder', 'holder'],
  urls: ['http://env_a', 'http://env_b'],
  environments: ['env_a', 'env_b'],
  titles: [
    ['crm Sales', 'shop shop'],
    ['crm Sales', 'shop shop'],
  ],
  apps: ['crm', 'shop'],
  shown: ['env_a running', 'env_b running'],
  supervisors: ['https://main.example.test', 'https://main.example.test'],
  drops: [],
  floors: [0, 0],
  isTermFar: false,
};

/** Writes once, wakes everybody, and looks until all of them have read and beaten. */
async function attack(scene: Scene, write: (redis: RedisClient) => Promise<unknown>): Promise<void> {
  await until('Peace', () => JSON.stringify(facts(scene)) === JSON.stringify(QUIET));
  await fleet.onRedis(async (redis) => {
    const keys = fleet.keys();
    const wake = async (names: string[]) => {
      const message = JSON.stringify({ names });
      const channels = [
        keys.notifications('supervisors'),
        keys.notifications('definitions'),
        ...['env_a', 'env_b'].map((environment) => keys.notifications({ environment })),
      ];
      for (const channel of channels) await redis.publish(channel, message);
    };
    for (let round = 0; round < 4; round++) {
      await write(redis);
      await wake(['crm', 'shop', 'evil', ...[...scene.supervisor.parts.appCache.apps.values()].map(({ uid }) => uid)]);
      await wake([]);
      await Promise.all(scene.workers.map(({ part }) => inside(part).reader.readAll()));
      await Promise.all(scene.workers.map(({ part }) => inside(part).tenures.announcer.announce()));
      await scene.supervisor.parts.observer.poll();
      await scene.supervisor.reconcile('crm', 'shop').catch(() => undefined);
      expect({ ...facts(scene), shown: null }).toEqual({ ...QUIET, shown: null });
    }
  });
  // And changes still arrive.
  await until('Peace', () => JSON.stringify(facts(scene)) === JSON.stringify(QUIET));
  const { service } = scene.supervisor.parts;
  expect(await scene.supervisor.ends(await service.command('shop', 'stop', '1'))).toBe('succeeded: env_b succeeded');
  expect(await scene.supervisor.ends(await service.command('shop', 'start', '1'))).toBe('succeeded: env_b succeeded');
}

const inside = (part: WorkerProcess['part']) =>
  (part as unknown as { running: { reader: { readAll(): Promise<void> }; tenures: Tenures } }).running;

/** What every kind of value would have to say, to drop, stop, redirect, or take over. */
const wishes = (uid: string) => ({
  record: recordOf({ uid, desired: 'removed', data: 'drop', generation: LATER }),
  newcomer: recordOf({ name: 'evil', uid: 'evil', generation: LATER, jwtSecret: 'known to him' }),
  lease: leaseOf({ instance: 'evil', epoch: LATER, beat: 1_000_000, registered: LATER }),
  registration: registrationOf('env_a', { url: EVIL, proxyUrl: EVIL, epoch: LATER }),
  status: entryOf({ uid, status: 'stopped', generation: LATER, bootGeneration: LATER, begun: LATER }),
  item: manifestItemOf({ uid, at: LATER, value: EVIL }),
  supervisor: { instance: 'evil', publicUrl: EVIL },
});

describe('whoever writes to Redis', () => {
  it('under names of environments that nobody knows is named in a warning, and listed nowhere', async () => {
    const scene = await begin();
    const { supervisor } = scene;
    const refused = () => supervisor.part.warnings().filter(({ code }) => code === 'ENVIRONMENTS_REFUSED');
    expect(refused()).toEqual([]);
    const keys = fleet.keys();
    const strangers = Array.from({ length: 6 }, (_, index) => `stranger_${index}`);
    await attack(scene, async (redis) => {
      for (const name of strangers) {
        await redis.sadd(keys.environments(), name);
        await redis.set(keys.lease(name), JSON.stringify(leaseOf({ instance: name })));
        await redis.set(keys.registration(name), JSON.stringify(registrationOf(name, { url: EVIL, proxyUrl: EVIL })));
      }
    });
    const shown = 'stranger_0, stranger_1, stranger_2, stranger_3, stranger_4, …';
    await until('The warning', () => refused()[0]?.params?.environments === shown);
    await fleet.onRedis((redis) => redis.srem(keys.environments(), ...strangers));
    await until('Its end', () => refused().length === 0);
  });

  it('invariant 13: without a signature, as releases before 0.3.0 did, changes nothing', async () => {
    const scene = await begin();
    const keys = fleet.keys();
    const wish = wishes(scene.supervisor.part.app('crm')!.uid);
    await attack(scene, async (redis) => {
      const text = JSON.stringify;
      const { uid } = wish.record;
      await redis.hset(keys.records('env_a'), uid, text(wish.record), 'evil', text(wish.newcomer));
      await redis.hset(keys.records('env_a'), ':count', LATER);
      await redis.set(keys.lease('env_a'), text(wish.lease));
      await redis.set(keys.standby('env_a'), 'evil');
      await redis.sadd(keys.environments(), 'evil');
      await redis.set(keys.lease('evil'), text(wish.lease));
      await redis.set(keys.registration('evil'), text({ ...wish.registration, name: 'evil' }));
      await redis.set(keys.registration('env_a'), text(wish.registration));
      await redis.hset(keys.statuses('env_a'), 'crm', text(wish.status));
      await redis.set(keys.version('env_a'), LATER);
      await redis.hset(keys.appIndex(), uid, text({ name: 'crm', title: 'Evil', uid }));
      await redis.hset(keys.appIndex(), ':count', text({ count: { term: 9, n: 9 }, changes: [] }));
      await redis.hset(keys.appIndex(), ':supervisor', text(wish.supervisor));
      await redis.hset(keys.manifests(), '["crm","portals","a"]', text(wish.item));
      await redis.set(keys.manifestsVersion(), 'evil');
      await redis.set(keys.term(), LATER);
      await redis.publish(keys.requests('env_a'), text({ id: '1', replyTo: 'x', method: 'logs', payload: {}, at: 0 }));
    });
    for (const { log } of [scene.supervisor, scene.workers[0]])
      expect(log.at('warn').some((line) => line.includes('is not signed'))).toBe(true);
  });

  it('invariant 13: with another key changes nothing', async () => {
    const scene = await begin();
    const envelope = testEnvelope(recordedLog(), keyringOf('the key of somebody else'));
    const keys = fleet.keys();
    const stores = new RedisStores(fleet.address, keys, envelope, recordedLog(), systemRandom, systemClock);
    const bus = new RedisBus(fleet.address, keys, envelope, 'evil', recordedLog(), systemClock, systemRandom);
    stores.open();
    bus.open();
    const wish = wishes(scene.supervisor.part.app('crm')!.uid);
    try {
      await until('Redis', () => stores.fleet.poll().catch(() => null));
      await attack(scene, async (redis) => {
        await redis.del(keys.lease('env_a'), keys.term(), keys.records('env_a'), keys.manifests());
        const { lease, registration } = wish;
        await stores.leases.announce({ environment: 'env_a', lease, registration, ttl: 1_000 }).catch(() => undefined);
        for (const floor of [0, LATER])
          await writeRecords(stores.records, 'env_a', [wish.record, wish.newcomer], { term: 5, floor }).catch(
            () => undefined,
          );
        const write = { environment: 'env_a', instance: 'evil', epoch: LATER, version: LATER, removed: [], from: null };
        await stores.statuses.write({ ...write, entries: [wish.status] });
        const entries = new Map([[':supervisor', JSON.stringify(wish.supervisor)]]);
        const index = { count: { term: 5, n: 1 }, changes: [], entries, gone: [], term: 5 };
        await stores.appIndex
          .mark()
          .then((from) => stores.appIndex.write({ ...index, from }))
          .catch(() => undefined);
        await stores.manifests.write([wish.item]);
        await expect(bus.request('env_a', 'logs', {}, 50)).rejects.toMatchObject({ code: 'WORKER_SILENT' });
      });
    } finally {
      await bus.close();
      await stores.close();
    }
    expect(scene.workers[0].log.at('warn').some((line) => line.includes('signed with another key'))).toBe(true);
  });

  it('invariant 13: what belongs elsewhere changes nothing', async () => {
    const scene = await begin();
    const keys = fleet.keys();
    await attack(scene, async (redis) => {
      const of = { a: keys.records('env_a'), b: keys.records('env_b') };
      const records = { ...(await redis.hgetall(of.a)), ...(await redis.hgetall(of.b)) };
      const uids = Object.keys(records).filter((field) => field !== ':count');
      for (const field of [...uids, 'evil'])
        for (const text of Object.values(records)) if (text !== records[field]) await redis.hset(of.a, field, text);
      await redis.hset(of.a, ':count', (await redis.hget(of.b, ':count')) ?? '');
      for (const key of [keys.lease, keys.registration, keys.standby, keys.version])
        await redis.copy(key('env_b'), key('env_a'), 'REPLACE');
      await redis.copy(keys.statuses('env_b'), keys.statuses('env_a'), 'REPLACE');
      await redis.copy(keys.lease('env_b'), keys.lease('evil'), 'REPLACE');
      await redis.sadd(keys.environments(), 'evil');
      const entries = Object.entries(await redis.hgetall(keys.appIndex()));
      for (const [i, [field]] of entries.entries())
        await redis.hset(keys.appIndex(), field, entries[(i + 1) % entries.length][1]);
    });
    expect(scene.workers[0].log.at('warn').some((line) => line.includes('is signed wrongly'))).toBe(true);
    const warnings = await scene.supervisor.wire.stores.warnings();
    expect(warnings.map(({ code }) => code)).toContain('REDIS_FORGED');
  });

  it('invariant 13: again what was true before changes nothing', async () => {
    const scene = await begin();
    await attack(scene, async (redis) => {
      for (const [key, value] of scene.earlier) await redis.restore(key, 0, value, 'REPLACE');
    });
  });
});
