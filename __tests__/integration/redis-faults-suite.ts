import { randomUUID } from 'node:crypto';
import dns from 'node:dns';
import Redis from 'ioredis';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { freePort, type Redis as RedisServer } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { say } from '../../src/shared/message';
import { startRedis } from '../setup/services';
import { testEnvelope } from '../support/envelope';
import { faultyLink } from '../support/faulty-link';
import { recordedLog } from '../support/log';
import { stopwatch } from '../support/measure';
import { until } from '../support/wait';

/**
 * Servers that fail without closing a connection, and are used again afterwards. `unit/redis-connection` shows that either
 * takes at most 10 s; here it is only measured, because a starved machine takes longer. They are waited for beside each
 * other: almost all of it is waiting.
 */

/** What runs here: each file calls the suite once. */
let program: 'redis' | 'valkey';
const closing: Array<() => unknown> = [];
afterAll(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

/** What one process has of Redis. */
async function connect(address: string, prefix = `fault-${randomUUID()}`) {
  const log = recordedLog();
  const instance = randomUUID();
  const keys = new Keys(prefix);
  const stores = new RedisStores(address, keys, testEnvelope(), log, systemRandom, systemClock);
  const bus = new RedisBus(address, keys, testEnvelope(), instance, log, systemClock, systemRandom);
  let returns = 0;
  stores.returns.listen(() => returns++);
  stores.open();
  bus.open();
  closing.push(() => Promise.all([bus.close(), stores.close()]));
  await bus.serve(instance, { hello: async () => 'hello' });
  const isUsable = async () => {
    const [poll, answer] = await Promise.all([
      stores.fleet.poll().catch(() => null),
      bus.request(instance, 'hello', null, 6_000).catch(() => null),
    ]);
    return poll !== null && answer === 'hello';
  };
  await until('Redis', isUsable);
  await until('The first contact', () => returns === 1);
  return { stores, bus, log, prefix, instance, isUsable, returns: () => returns };
}
type Process = Awaited<ReturnType<typeof connect>>;

const CONNECTIONS = ['state', 'commands', 'commands, listening'];

async function seen({ log }: Process, text: RegExp, connections = CONNECTIONS) {
  const took = stopwatch();
  const lines = () => log.lines.join('\n');
  const all = () => connections.every((name) => new RegExp(`Redis \\(${name}\\) ${text.source}`).test(lines()));
  await until(`${text} to be seen`, all).catch((error) => {
    throw new Error(`${error.message}\n${lines()}`);
  });
  took(`${program} ${text.source}, seen by ${connections.join(' and ')}`);
}

/** @param after what has just ended */
async function healed(process: Process, after: string) {
  const took = stopwatch();
  await until('Redis to be used again', process.isUsable);
  await until('The return', () => process.returns() >= 2);
  took(`${program} used again after ${after}`);
}

/** @param of the program of the servers */
export const redisFaultsSuite = (of: 'redis' | 'valkey') => {
  program = of;
  describe.runIf(findProgram(program))(program, { concurrent: true }, () => {
    async function server(...args: string[]): Promise<RedisServer> {
      const started = await startRedis({ program, args });
      closing.push(() => started.stop());
      return started;
    }

    async function link(to: number, host?: string, port?: number) {
      const made = await faultyLink(to, host, port);
      closing.push(() => made.close());
      return made;
    }

    async function client(to: RedisServer) {
      const made = new Redis(to.url);
      closing.push(() => made.disconnect());
      return made;
    }

    it('that vanishes without a reset is missed by every connection', async () => {
      const way = await link((await server()).port);
      const process = await connect(`redis://127.0.0.1:${way.port}`);
      way.swallow();
      await seen(process, /is away: it does not answer/);
      expect(await process.isUsable()).toBe(false);
      way.pass();
      await healed(process, 'silence');
    });

    it('that is demoted and keeps its connections is left for the new primary', async () => {
      const [old, next] = [await server(), await server()];
      const way = await link(old.port);
      const process = await connect(`redis://127.0.0.1:${way.port}`);
      const [onOld, onNext] = [await client(old), await client(next)];
      await onNext.replicaof('127.0.0.1', old.port);
      await until('The replica', async () => (await onNext.info('replication')).includes('master_link_status:up'));
      await onNext.replicaof('NO', 'ONE');
      await onOld.replicaof('127.0.0.1', next.port);
      // The address still leads to the old one, as a name does whose change takes its time.
      await seen(process, /cannot be used: it is a replica/, ['commands']);
      await until('It not to be used', async () => !(await process.isUsable()));
      way.leadTo(next.port);
      await healed(process, 'its demotion');
      // A process that only listens hears what is published on the new one.
      const other = await connect(next.url, process.prefix);
      expect(await other.bus.request(process.instance, 'hello', null, 4_000)).toBe('hello');
    });

    /** Counts as away: what is missing there may only be what could not be written. */
    async function refuses(
      process: Process,
      refusal: RegExp,
      during: () => Promise<unknown>,
      end: () => Promise<unknown>,
    ) {
      await during();
      await seen(process, new RegExp(`refuses commands: ${refusal.source}`), ['state']);
      await expect(process.stores.fleet.poll()).rejects.toThrow(refusal);
      await end();
      await healed(process, refusal.source);
    }

    it.each([
      ['is full', 'maxmemory', '1', '0', /OOM/],
      ['lost its replicas', 'min-replicas-to-write', '1', '0', /NOREPLICAS/],
    ])('that %s counts as away until it accepts changes', async (_, setting, bad, good, refusal) => {
      const redis = await server();
      const admin = await client(redis);
      const set = (value: string) => () => admin.config('SET', setting, value);
      await refuses(await connect(redis.url), refusal, set(bad), set(good));
    });

    it('that loads its data counts as away until they are there', async () => {
      const redis = await server('--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024');
      const admin = await client(redis);
      const process = await connect(redis.url);
      await admin.mset(Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`key${i}`, 'x'.repeat(100)])));
      await admin.config('SET', 'key-load-delay', '2000');
      let reloaded: Promise<unknown> = Promise.resolve();
      const reload = async () => {
        reloaded = admin.call('DEBUG', 'RELOAD');
      };
      await refuses(process, /LOADING/, reload, () => reloaded);
    });

    it('that answers late is used as long as it answers', async () => {
      const way = await link((await server()).port);
      const process = await connect(`redis://127.0.0.1:${way.port}`);
      for (const latency of [50, 500, 2_000]) {
        way.delay(latency);
        const start = performance.now();
        expect(await process.isUsable()).toBe(true);
        expect(performance.now() - start).toBeGreaterThan(latency);
      }
      // A process that begins meanwhile gets there, too.
      await connect(`redis://127.0.0.1:${way.port}`, process.prefix);
      way.delay(0);
      expect(process.returns()).toBe(1);
      expect(process.log.at('warn')).toEqual([]);
    });

    it('of a cluster is refused in words', async () => {
      // The bus would listen 10,000 ports higher, where the system gives ports to connections.
      const bus = String(await freePort());
      const config = `nodes-${randomUUID()}.conf`;
      const node = await server('--cluster-enabled', 'yes', '--cluster-config-file', config, '--cluster-port', bus);
      const admin = await client(node);
      await admin.cluster('ADDSLOTSRANGE', 0, 16_383);
      const log = recordedLog();
      const keys = new Keys('cluster');
      const stores = new RedisStores(node.url, keys, testEnvelope(), log, systemRandom, systemClock);
      const commands = new RedisBus(node.url, keys, testEnvelope(), 'one', log, systemClock, systemRandom);
      stores.open();
      commands.open();
      closing.push(() => Promise.all([commands.close(), stores.close()]));
      for (const name of CONNECTIONS) {
        const line = `Redis (${name}) cannot be used: it is a node of a Redis Cluster, which is not supported. Use one Redis, or Redis with Sentinel.`;
        await until(line, () => log.at('error').includes(line));
      }
      await expect(stores.fleet.nameFleet('one')).rejects.toThrow();
      expect(await stores.warnings()).toEqual([say('REDIS_CLUSTER')]);
      expect(await admin.dbsize()).toBe(0);
    });

    it.runIf(process.platform === 'linux')(
      'whose name leads to another address by now is left, although it still answers',
      async () => {
        const [old, next] = [await server(), await server()];
        const moved = await link(next.port, '127.0.0.2', old.port);
        let address = '127.0.0.1';
        // Connections call the same function of the system's resolver.
        vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, options: { all?: boolean }, done: any) =>
          options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)) as never);
        const one = await connect(`redis://redis.example:${old.port}`);
        address = '127.0.0.2';
        // The third connection goes with the second, if that is the first of them to see it.
        await seen(one, /is away: redis\.example is no longer 127\.0\.0\.1/, ['state', 'commands']);
        await healed(one, 'its name moved');
        expect(moved.open()).toBeGreaterThan(0);
      },
    );
  });
};
