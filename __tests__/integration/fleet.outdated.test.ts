import type RedisClient from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Registration } from '../../src/shared/messages';
import { entryOf, leaseOf, recordOf } from '../support/fixtures';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A Worker of a release before 0.3.0, which signs nothing, as its Supervisor sees it until it is upgraded. */

let fleet: SmallFleet;
let supervisor: SupervisorProcess;
let registration: Registration;

/** One beat of it, with all that it writes. */
async function beat(redis: RedisClient, number: number): Promise<void> {
  const keys = fleet.keys();
  const lease = leaseOf({ instance: 'old:1:1', epoch: Date.now(), beat: number, registered: 1 });
  await redis.set(keys.lease('env_a'), JSON.stringify(lease), 'PX', 3 * lease.interval);
  await redis.set(keys.registration('env_a'), JSON.stringify({ ...registration, proxyUrl: 'http://moved' }));
  const { uid, generation } = supervisor.part.app('crm')!;
  const status = entryOf({ uid, generation, status: 'error' });
  await redis.hset(keys.statuses('env_a'), 'crm', JSON.stringify(status));
  await redis.set(keys.version('env_a'), Date.now());
}

beforeAll(async () => {
  fleet = await SmallFleet.start('outdated', { wakeUps: true });
  const [before, worker] = await fleet.begin('env_a');
  await before.ends(await before.create({ name: 'crm', environments: ['env_a'] }));
  registration = before.parts.environmentCache.registrationOf('env_a')!;
  await worker.stop();
  // As the former release left it.
  await before.parts.registry.remember({ ...registration, signs: false }, Date.now());
  const former = recordOf({ uid: before.part.app('crm')!.uid, generation: Date.now() + 60_000, desired: 'removed' });
  await before.kill();
  await fleet.onRedis(async (redis) => {
    const key = fleet.keys().records('env_a');
    await redis.del(key);
    await redis.hset(key, 'crm', JSON.stringify(former), ':version', 'former');
  });
  supervisor = await fleet.supervisor();
});
afterAll(() => fleet?.stop());

describe('a Worker of an older release', () => {
  const row = () => supervisor.parts.view.environmentRows().find(({ name }) => name === 'env_a')!;

  it('invariant 13: is shown as outdated, and nothing that it says is believed', async () => {
    await fleet.onRedis(async (redis) => {
      let number = 0;
      await until('The warning', async () => {
        await beat(redis, ++number);
        await supervisor.parts.observer.poll();
        return row().warnings.some(({ code }) => code === 'OUTDATED');
      });
      await until('What it was before to be over', async () => {
        await beat(redis, ++number);
        return row().health === 'unknown';
      });
    });
    expect(supervisor.shows('crm')).toBe('env_a unknown');
    const [shown] = Object.values(supervisor.parts.view.appRow(supervisor.part.app('crm')!).statuses);
    expect(shown.message).toEqual({ code: 'OUTDATED', params: { environment: 'env_a' } });
  });

  it('gets its visits at the address that the Supervisor knows', () => {
    const [route] = supervisor.parts.view.routeEnvironments();
    expect(route).toMatchObject({ proxyUrl: registration.proxyUrl, serves: true, health: 'unknown' });
  });

  it('gets no app', async () => {
    const refused = { code: 'OUTDATED', field: 'environments' };
    await expect(supervisor.create({ name: 'shop', environments: ['env_a'] })).rejects.toMatchObject(refused);
  });

  it('finds nothing in its records that it can read: what its Supervisor left is gone, and written anew', async () => {
    const fields = [':count', supervisor.part.app('crm')!.uid].sort();
    const texts = await until('Nothing else', async () => {
      const found = await fleet.onRedis((redis) => redis.hgetall(fleet.keys().records('env_a')));
      return Object.keys(found).sort().join() === fields.join() ? Object.values(found) : null;
    });
    for (const text of texts) expect(() => JSON.parse(text)).toThrow();
  });

  it('is as any other once it is upgraded', async () => {
    await fleet.worker('env_a');
    await supervisor.toShow('crm', 'env_a running');
    expect(row().warnings).toEqual([]);
  });
});
