import dns from 'node:dns';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { testEnvelope } from '../support/envelope';
import { leaseOf, registrationOf } from '../support/fixtures';
import { type RecordedLog, recordedLog } from '../support/log';
import { RedisInMemory } from '../support/redis-in-memory';

/**
 * How long a Redis that fails without a word goes unnoticed at most, and how long its return does: by a clock turned by hand,
 * with ioredis' own timers. Integration tests show the same on real servers.
 */

const WITHIN = 10_000;
const STEP = 50;
const CONNECTIONS = ['state', 'commands', 'commands, listening'];
/** Where one Redis serves both, the stores' connection publishes, too. */
const SHARED = ['state', 'commands, listening'];
/** After the first contact, in ms: over as long as it takes until the name is looked up again and the next probe, and longer. */
const MOMENTS = [0, 50, 1_050, 1_950, 3_450, 4_050, 5_450, 5_950];

let redis: RedisInMemory;
let log: RecordedLog;
const closing: Array<() => Promise<void>> = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] });
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

let stores: RedisStores;

/** All connections of one process, in use. */
async function connect(isShared = false): Promise<void> {
  redis = new RedisInMemory().listen();
  log = recordedLog();
  const address = 'redis://redis.example:6379';
  const keys = new Keys('unit');
  const envelope = testEnvelope(log);
  stores = new RedisStores(address, keys, envelope, log, systemRandom, systemClock);
  const bus = new RedisBus(
    address,
    keys,
    envelope,
    'one',
    log,
    systemClock,
    systemRandom,
    isShared ? stores.shared : undefined,
  );
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
    seenByShared: SHARED,
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
    seenByShared: ['state'],
  },
  {
    what: 'is full',
    begins: () => (redis.refusal = 'OOM command not allowed when used memory > maxmemory.'),
    ends: () => (redis.refusal = null),
    says: 'refuses commands: OOM',
    seenBy: ['state'],
    seenByShared: ['state'],
  },
  {
    what: 'has another address by its name',
    begins: () => (redis.address = '127.0.0.2'),
    ends: () => undefined,
    says: 'is away: redis.example is no longer 127.0.0.1',
    // The third one goes with the second, if that is the first of them to see it.
    seenBy: ['state', 'commands'],
    seenByShared: ['state'],
  },
])('a Redis that $what', ({ begins, ends, says, ...of }) => {
  it.each(
    MOMENTS.flatMap((moment) => [
      { moment, isShared: false },
      { moment, isShared: true },
    ]),
  )(
    '$moment ms after it was reached: seen and used again within 10 s (one address: $isShared)',
    async ({ moment, isShared }) => {
      const [all, seenBy] = isShared ? [SHARED, of.seenByShared] : [CONNECTIONS, of.seenBy];
      await connect(isShared);
      await pass(moment);
      begins();
      const seen = await time(says, () => allSay(says, seenBy));
      ends();
      const isBack = () => allSay('is back.', seenBy) && redis.connections === all.length;
      const back = await time('The return', isBack);
      expect(Math.max(seen, back), `seen after ${seen} ms, back after ${back} ms`).toBeLessThanOrEqual(WITHIN);
      measured.push([seen, back]);
    },
  );
});

/** A heartbeat, as a Worker sends it. */
const heartbeat = () =>
  stores.leases.announce({
    environment: 'one',
    lease: leaseOf(),
    registration: registrationOf('one'),
    ttl: 15_000,
  });

describe('a connection that heartbeats prove', () => {
  it('is not probed', async () => {
    await connect(true);
    redis.commands.length = 0;
    for (let beats = 0; beats < 4; beats++) {
      await heartbeat();
      await pass(5_250);
    }
    // The connection that listens repeats its subscriptions.
    const probes = redis.commands.filter((name) => !name.startsWith('eval'));
    expect(new Set(probes)).toEqual(new Set(['subscribe']));
    expect(probes.length).toBeLessThanOrEqual(4);
  });

  it('is left within 10 s when its server vanishes right after a heartbeat', async () => {
    await connect(true);
    await pass(5_000);
    await heartbeat();
    redis.isSilent = true;
    const seen = await time('The silence', () => allSay('is away: it does not answer', ['state']));
    expect(seen).toBeLessThanOrEqual(WITHIN);
  });
});

it('is not left by a process that was held up while the answer came', async () => {
  await connect();
  const { stream } = stores.shared.redis as unknown as { stream: { bytesRead: number } };
  // The time limit is over before what has arrived is read.
  redis.isSilent = true;
  stream.bytesRead = 0;
  await pass(5_500 + 2_700);
  stream.bytesRead = 100;
  await pass(900);
  expect(log.lines.filter((line) => line.includes('(state)') && line.includes('away'))).toEqual([]);
});

it('says the cause of a trouble as long as it lasts, and not of the next one', async () => {
  await connect(true);
  redis.refusal = 'OOM command not allowed when used memory > maxmemory.';
  await time('The refusal', () => stores.shared.reason?.includes('OOM') ?? false);
  redis.refusal = null;
  await time('The return', () => allSay('is back.', ['state']));
  expect(stores.shared.reason).toBeNull();
});
