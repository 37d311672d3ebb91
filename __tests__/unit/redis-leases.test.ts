import { expect, it } from 'vitest';
import { Keys } from '../../src/server/protocol/keys';
import type { StoreConnection } from '../../src/server/protocol/stores/redis/connection';
import { RedisLeases } from '../../src/server/protocol/stores/redis/leases';
import { FakeClock } from '../support/clock';
import { leaseOf } from '../support/fixtures';

/** What a process makes of how long its lease lasts, as the script answers it; the rest is tested with a Redis (integration/stores.redis). */

it.each([
  [250, 1],
  [251, 2],
])('takes a lease that is %i ms short after %i claims', async (short, claims) => {
  let calls = 0;
  const script = () => async () => {
    calls++;
    return ['0', 15_000 - short, 'renewed', '100'];
  };
  const connection = { script, keys: new Keys('late'), sign: () => '', connection: { proved: () => undefined } };
  const leases = new RedisLeases(connection as unknown as StoreConnection, new FakeClock());
  const lease = leaseOf({ epoch: 100 });
  const claim = { environment: 'env_a', lease, ttl: 15_000, mayTake: true, provenBy: null };
  expect(await leases.claim(claim)).toEqual({ held: true, epoch: 100, fresh: false });
  expect(calls).toBe(claims);
});
