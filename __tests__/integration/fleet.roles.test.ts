import Redis from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { DoorLink } from '../../src/server/protocol/door-link';
import { environmentKeyOf, fleetKeyOf, Keyring, publicKeyOf } from '../../src/server/protocol/keyring';
import { doorReportOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { makeUser, ROLES, refusals, urlOf } from '../support/redis-users';
import { KEY, SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A fleet whose processes have the Redis users of docs/redis.md, one for each role. */

const prefix = () =>
  fleet
    .keys()
    .fleet()
    .replace(/:fleet$/, '');

let fleet: SmallFleet;
let admin: Redis;
let supervisor: SupervisorProcess;
let worker: WorkerProcess;
beforeAll(async () => {
  fleet = await SmallFleet.start('roles', { wakeUps: true });
  admin = new Redis(fleet.redis.url);
  for (const role of [...ROLES, 'fleet-door'] as const) await makeUser(admin, role, prefix());
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
    await expect(worker.wire.bus.ask('env_a', 'nothing', {}, 30_000)).rejects.toMatchObject({
      code: 'SUPERVISOR_REFUSED',
    });
    await supervisor.ends((await service.destroy('crm', 'drop', '1'))!);
    await supervisor.wire.stores.leases.left(['env_a']);
    await supervisor.wire.stores.warnings();
    await leases.release('env_a', 'somebody else', 1);
    expect(await refusals(admin)).toEqual([]);
  });

  describe('a door', () => {
    const linkOf = (publicKey = publicKeyOf(fleetKeyOf(KEY)), log = recordedLog()) =>
      new DoorLink({
        address: urlOf('fleet-door', fleet.redis.port),
        prefix: prefix(),
        publicKey,
        kept: null,
        log,
        clock: systemClock,
      });

    it('is told where apps run as long as they do, by the public key alone, and says what it does', async () => {
      const link = linkOf();
      link.open();
      const found = (name: string) => [...(link.routes.routes?.apps.values() ?? [])].find((app) => app.name === name);
      const sees = (what: string, isSo: () => boolean) =>
        until(what, async () => {
          await link.routes.read().catch(() => undefined);
          return isSo();
        });
      try {
        await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_a'] }));
        await sees('shop runs', () => found('shop')?.environments.join() === 'env_a');
        expect(link.routes.routes?.environments.get('env_a')).toEqual({ name: 'env_a', url: 'http://env_a' });
        await supervisor.ends(await supervisor.parts.service.command('shop', 'stop', '1'));
        await sees('shop has stopped', () => found('shop')?.environments.length === 0);
        await link.reports.write(doorReportOf());
        expect(await supervisor.wire.stores.doors.read()).toEqual([doorReportOf()]);
        await link.reports.remove('door-1');
        expect(await supervisor.wire.stores.doors.read()).toEqual([]);
        await supervisor.ends((await supervisor.parts.service.destroy('shop', 'drop', '1'))!);
        await sees('shop is gone', () => found('shop') === undefined);
        expect(await refusals(admin)).toEqual([]);
      } finally {
        link.close();
      }
    });

    it('believes nothing by another key, and says so', async () => {
      const log = recordedLog();
      const link = linkOf(publicKeyOf(fleetKeyOf(Buffer.alloc(32, 1))), log);
      link.open();
      await until('An answer', () =>
        link.routes.read().then(
          (found) => found === 'none',
          () => false,
        ),
      );
      expect(log.lines.join()).toContain('is signed with another key');
      link.close();
    });

    it('is believed for no report that is long, or of another shape', async () => {
      const { doors } = supervisor.wire.stores;
      const key = fleet.keys().doors();
      await admin.hset(key, 'long-one', JSON.stringify(doorReportOf({ id: 'long-one' })).padEnd(2_000_001));
      await admin.hset(key, 'x'.repeat(5_000), '{}');
      await admin.hset(
        key,
        'other',
        JSON.stringify(doorReportOf()),
        'nothing',
        'x',
        'door-1',
        JSON.stringify({ ...doorReportOf(), seq: -1 }),
      );
      expect(await doors.read()).toEqual([]);
      await admin.hset(key, 'door-1', JSON.stringify(doorReportOf()));
      expect(await doors.read()).toEqual([doorReportOf()]);
      await admin.del(key);
    });

    it('reads nothing but the routes, and writes nothing but its report', async () => {
      const keys = fleet.keys();
      const redis = new Redis(urlOf('fleet-door', fleet.redis.port));
      const refused = [
        () => redis.hset(keys.routes(), 'crm', 'x'),
        () => redis.hgetall(keys.doors()),
        () => redis.hgetall(keys.appIndex()),
        () => redis.hgetall(keys.records('env_a')),
        () => redis.get(keys.term()),
        () => redis.publish(keys.notifications('definitions'), 'x'),
        () => redis.subscribe(keys.replies('x')),
        () => redis.flushall(),
      ];
      try {
        for (const one of refused) await expect(one()).rejects.toThrow('NOPERM');
      } finally {
        redis.disconnect();
      }
    });
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
        () => redis.get(keys.lease('env_b')),
        () => redis.publish(keys.notifications({ environment: 'env_b' }), 'x'),
        () => redis.publish(keys.requests('env_b'), 'x'),
        () => redis.subscribe(keys.requests('env_b')),
        () => redis.flushall(),
      ];
      for (const write of writes) await expect(write()).rejects.toThrow('NOPERM');
    } finally {
      redis.disconnect();
    }
  });
});
