import Redis from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { makeUser, ROLES, refusals, urlOf } from '../support/redis-users';
import { KEY, SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A fleet whose processes have the Redis users of docs/redis.md, one for each role. */

let fleet: SmallFleet;
let admin: Redis;
let supervisor: SupervisorProcess;
let worker: WorkerProcess;
beforeAll(async () => {
  fleet = await SmallFleet.start('roles', { wakeUps: true });
  admin = new Redis(fleet.redis.url);
  for (const role of ROLES)
    await makeUser(
      admin,
      role,
      fleet
        .keys()
        .fleet()
        .replace(/:fleet$/, ''),
    );
  fleet.addressOf = (instance) =>
    urlOf(instance.startsWith('supervisor') ? 'fleet-supervisor' : 'fleet-worker', fleet.redis.port);
  supervisor = await fleet.supervisor();
  const environment = { name: 'env_a', key: environmentKeyOf(fleetKeyOf(KEY), 'env_a') };
  worker = await fleet.worker('env_a', { keyring: new Keyring({ fleetKey: null, environment, atRest: null }) });
  await until('env_a', () => supervisor.leads && supervisor.health('env_a') === 'online');
});
afterAll(async () => {
  admin?.disconnect();
  await fleet?.stop();
});

describe('processes with a Redis user of their role', () => {
  it('do all that a fleet does, and are refused nothing', async () => {
    const { service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await supervisor.ends(await service.command('crm', 'restart', '1'));
    await supervisor.toShow('crm', 'env_a running');
    await until('The index', () => worker.part.appIndex.uidOf('crm'));
    const { manifests, statuses, leases } = worker.wire.stores;
    const uid = supervisor.part.app('crm')!.uid;
    await manifests.write([{ app: 'crm', uid, namespace: 'a', key: 'b', at: 1, value: 1 }]);
    await manifests.forget([uid]);
    await statuses.mark('env_a');
    await expect(supervisor.wire.bus.request('env_a', 'nothing', {}, 30_000)).rejects.toMatchObject({
      code: 'WORKER_FAILED',
    });
    await supervisor.ends((await service.destroy('crm', 'drop', '1'))!);
    await supervisor.wire.stores.leases.left(['env_a']);
    await supervisor.wire.stores.warnings();
    await leases.release('env_a', 'somebody else', 1);
    expect(await refusals(admin)).toEqual([]);
  });

  it('a Worker writes nothing of another environment, and no record', async () => {
    const keys = fleet.keys();
    const redis = new Redis(urlOf('fleet-worker', fleet.redis.port));
    try {
      const writes = [
        () => redis.hset(keys.records('env_a'), 'crm', 'x'),
        () => redis.set(keys.lease('env_b'), 'x'),
        () => redis.set(keys.registration('env_b'), 'x'),
        () => redis.hset(keys.appIndex(), 'crm', 'x'),
        () => redis.set(keys.term(), 'x'),
        () => redis.get(keys.records('env_b')),
        () => redis.publish(keys.notifyEnvironment('env_b'), 'x'),
        () => redis.flushall(),
      ];
      for (const write of writes) await expect(write()).rejects.toThrow('NOPERM');
    } finally {
      redis.disconnect();
    }
  });
});
