import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import { busSuite } from '../contracts/bus-suite';
import { testEnvelope } from '../support/envelope';
import { recordedLog } from '../support/log';
import { onRedisAndValkey } from '../support/redis-servers';

/** What Redis adds to it is in stores.redis.test.ts. */

onRedisAndValkey((url) =>
  busSuite(async () => {
    const bus = new RedisBus(
      url(),
      new Keys(`bus-${randomUUID()}`),
      testEnvelope(),
      'one',
      recordedLog(),
      systemClock,
      systemRandom,
    );
    bus.open();
    return bus;
  }),
);
