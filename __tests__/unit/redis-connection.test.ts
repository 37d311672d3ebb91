import dns from 'node:dns';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock, systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { type RecordedLog, recordedLog } from '../support/log';
import { RedisInMemory } from '../support/redis-in-memory';

/**
 * How long a Redis that fails without a word goes unnoticed at most, and how long its return does: by a clock turned by hand,
 * with ioredis' own timers. Integration tests show the same on real servers.
 */

const WITHIN = 10_000;
const STEP = 50;
const CONNECTIONS = ['state', 'commands', 'commands, listening'];
/** After a probe, in ms: over as long as it takes until the name is looked up again, and longer. */
const MOMENTS = [0, 50, 1_050, 1_950, 2_050, 3_050, 4_050, 5_050];

let redis: RedisInMemory;
let log: RecordedLog;
const closing: Array<() => Promise<void>> = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
}

/** @returns how long it takes, in ms */
async function time(what: string, isSo: () => boolean): Promise<number> {
  for (let ms = 0; ms <= 3 * WITHIN; ms += STEP) {
    if (isSo()) return ms;
    await pass(STEP);
  }
  throw new Error(`${what} takes longer than ${3 * WITHIN} ms:\n${log.lines.join('\n')}`);
}

/** All connections of one process, in use. */
async function connect(): Promise<void> {
  redis = new RedisInMemory().listen();
  log = recordedLog();
  const address = 'redis://redis.example:6379';
  const keys = new Keys('unit');
  const stores = new RedisStores(address, keys, log, systemRandom, systemClock);
  const bus = new RedisBus(address, keys, 'one', log, systemClock, systemRandom);
  closing.push(
    () => stores.close(),
    () => bus.close(),
  );
  let returns = 0;
  stores.returns.listen(() => returns++);
  bus.returns.listen(() => returns++);
  vi.spyOn(dns, 'lookup').mockImplementation(((_: string, __: unknown, done: any) =>
    done(null, [{ address: redis.address, family: 4 }])) as never);
  await bus.serve('one', {});
  stores.open();
  bus.open();
  await time('The first contact', () => returns === 2);
  // All of them are probed at the same moments from here on.
  await pass(2_000);
}

const allSay = (text: string, connections: string[]) =>
  connections.every((name) => log.lines.some((line) => line.includes(`Redis (${name}) ${text}`)));

/** For each fault, at each moment, how long it took until it was seen, and its end. */
const measured: Array<[number, number]> = [];
afterAll(() => {
  const most = measured[0].map((_, at) => Math.max(...measured.map((times) => times[at])) / 1000);
  console.log(
    `measured: a Redis that fails in silence, at most: seen after ${most[0]} s, used again after ${most[1]} s`,
  );
});

describe.each([
  {
    what: 'vanishes without a reset',
    begins: () => (redis.isSilent = true),
    ends: () => (redis.isSilent = false),
    says: 'is away: it does not answer',
    seenBy: CONNECTIONS,
  },
  {
    what: 'is demoted and keeps its connections',
    begins: () => {
      redis.role = 'slave';
      redis.refusal = 'READONLY You can not write against a read only replica.';
    },
    ends: () => {
      redis.role = 'master';
      redis.refusal = null;
    },
    says: 'cannot be used: it is a replica',
    seenBy: ['commands'],
  },
  {
    what: 'is full',
    begins: () => (redis.refusal = 'OOM command not allowed when used memory > maxmemory.'),
    ends: () => (redis.refusal = null),
    says: 'refuses commands: OOM',
    seenBy: ['state'],
  },
  {
    what: 'has another address by its name',
    begins: () => (redis.address = '127.0.0.2'),
    ends: () => undefined,
    says: 'is away: redis.example is no longer 127.0.0.1',
    // The third one goes with the second, if that is the first of them to see it.
    seenBy: ['state', 'commands'],
  },
])('a Redis that $what', ({ begins, ends, says, seenBy }) => {
  it.each(MOMENTS)('%i ms after a probe: seen within 10 s, and used again within 10 s of its end', async (moment) => {
    await connect();
    await pass(moment);
    begins();
    const seen = await time(says, () => allSay(says, seenBy));
    ends();
    const isBack = () => allSay('is back.', seenBy) && redis.connections === CONNECTIONS.length;
    const back = await time('The return', isBack);
    expect(Math.max(seen, back), `seen after ${seen} ms, back after ${back} ms`).toBeLessThanOrEqual(WITHIN);
    measured.push([seen, back]);
  });
});
