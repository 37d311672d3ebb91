import { randomUUID } from 'node:crypto';
import Redis from 'ioredis';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { storesSuite } from '../contracts/stores-suite';
import { testEnvelope } from '../support/envelope';
import { recordedLog } from '../support/log';
import { onRedisAndValkey } from '../support/redis-servers';
import { until } from '../support/wait';

/** What Redis adds to it is in stores.redis.test.ts. */

onRedisAndValkey((url) =>
  storesSuite(async () => {
    const prefix = `stores-${randomUUID()}`;
    const stores = new RedisStores(url(), new Keys(prefix), testEnvelope(), recordedLog(), systemRandom, systemClock);
    const raw = new Redis(url());
    stores.open();
    // Nobody waits for a connection anywhere else: callers try again.
    await until('Redis', () => stores.fleet.poll().catch(() => null));
    const keys = () => raw.keys(`${prefix}:*`);
    return {
      stores,
      pass: async (ms) => {
        for (const key of await keys()) {
          const left = await raw.pttl(key);
          if (left >= 0) await raw.pexpire(key, left - ms);
        }
      },
      flush: async () => void (await raw.del('none', ...(await keys()))),
      wall: Date.now,
      unreachable: () =>
        new RedisStores(
          'redis://127.0.0.1:1',
          new Keys(prefix),
          testEnvelope(),
          recordedLog(),
          systemRandom,
          systemClock,
        ),
      end: async () => {
        raw.disconnect();
        await stores.close();
      },
    };
  }),
);
