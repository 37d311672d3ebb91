import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { Manifests } from '../../src/server/core/manifests';
import { type Envelope, SUPERVISOR } from '../../src/server/protocol/envelope';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { Secrets } from '../../src/server/protocol/secrets';
import { COMMAND_METHOD } from '../../src/server/supervisor/requests/commands';
import { secretsOf } from '../support/envelope';
import { entryOf, manifestItemOf } from '../support/fixtures';
import { recordIn, recordsIn } from '../support/records';
import { KEY, SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A Worker that has the key of its environment and no other (`APP_SUPERVISOR_ENVIRONMENT_KEY`), beside one that has all. */

const keyring = new Keyring({
  fleetKey: null,
  environment: { name: 'env_a', key: environmentKeyOf(fleetKeyOf(KEY), 'env_a') },
  atRest: null,
});
/** Of the database of shop, which runs in env_b. */
const PASSWORD = 'of-its-database';
let fleet: SmallFleet;
let supervisor: SupervisorProcess;
let worker: WorkerProcess;
let other: WorkerProcess;
beforeAll(async () => {
  fleet = await SmallFleet.start('separated', { wakeUps: true });
  [supervisor, other] = await fleet.begin('env_b');
  worker = await fleet.worker('env_a', { keyring });
  await until('env_a', () => supervisor.health('env_a') === 'online');
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
  const database = { dialect: 'postgres', host: 'db', username: 'shop', password: PASSWORD, database: 'shop' };
  const options = { dbConnType: 'new_connection', database };
  await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b'], options }));
});
afterAll(() => fleet?.stop());

describe('a Worker with the key of its environment alone', () => {
  it('hosts its apps as any other, and is told of by the checklist', () => {
    expect(supervisor.shows('crm')).toBe('env_a running');
    expect(worker.runs).toEqual(['crm']);
    expect(supervisor.parts.environmentCache.registrationOf('env_a')).toMatchObject({ signs: true, hasOwnKey: true });
    expect(supervisor.parts.view.environmentRows().flatMap(({ warnings }) => warnings)).toEqual([]);
  });

  it('opens the secrets of its apps', async () => {
    const record = worker.host.running.get('crm')!;
    expect(new Secrets(keyring, 'env_a').open(record.jwtSecret!, record, 'jwtSecret')).toHaveLength(43);
  });

  it('answers requests', async () => {
    const answer = supervisor.wire.bus.request('env_a', 'nothing', {}, 30_000);
    await expect(answer).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  });

  it('knows the index of all apps', async () => {
    await until('The index', () => worker.part.appIndex.uidOf('shop'));
    expect(worker.part.appIndex.supervisor).not.toBeNull();
  });

  it('invariant 13: reads and writes nothing of another environment', async () => {
    const { stores, bus } = worker.wire;
    expect(await recordsIn(stores.records, 'env_b')).toEqual([]);
    expect(await stores.statuses.read('env_b')).toEqual([]);
    expect((await stores.fleet.poll()).environments.get('env_b')?.lease).toBeNull();
    await expect(bus.request('env_b', 'nothing', {}, 1_000)).rejects.toThrow('env_b');
    // Nobody wrote anything wrong: what it cannot check is no matter.
    expect(worker.log.at('warn').filter((line) => line.includes('is ignored'))).toEqual([]);
  });

  it('sets items of manifests on its apps, which count for all once the Supervisor has written them; on others it sets none', async () => {
    const accepts = (environment: string, app: string) =>
      supervisor.part.app(app)?.environments.includes(environment) ?? false;
    const manifests = new Manifests({
      store: supervisor.wire.stores.manifests,
      main: () => ({ db: supervisor.db }),
      uidOf: (name) => supervisor.part.app(name)?.uid,
      hasMain: true,
      accepts,
      clock: systemClock,
      log: supervisor.log,
    });
    const items = ['crm', 'shop'].map((app) => manifestItemOf({ app, uid: supervisor.part.app(app)!.uid }));
    await worker.wire.stores.manifests.write(items);
    expect((await other.wire.stores.manifests.read(''))?.items).toEqual([]);
    await manifests.round();
    await manifests.round();
    const read = async ({ wire }: WorkerProcess) =>
      (await wire.stores.manifests.read(''))?.items.map(({ app, at, value }) => ({ app, at, value }));
    const [crm] = items;
    for (const each of [worker, other])
      expect(await read(each)).toEqual([{ app: 'crm', at: crm.at + 1, value: crm.value }]);
    await manifests.forget(crm.uid);
    expect((await supervisor.wire.stores.manifests.read(''))?.offered).toMatchObject([{ item: { app: 'shop' } }]);
  });

  it('gets no secret of an app that no operation has placed there, whatever it reports', async () => {
    const { uid } = supervisor.part.app('shop')!;
    const { records, statuses, fleet: store } = worker.wire.stores;
    // It reports what it likes, under its own lease; its reporter mends that every 30 s only.
    const report = async () => {
      const lease = (await store.poll()).environments.get('env_a')?.lease;
      const { version } = await statuses.mark('env_a');
      const lie = entryOf({ name: 'shop', uid, generation: Date.now(), begun: 1, bootGeneration: 1 });
      const { instance = '', epoch = 0 } = lease ?? {};
      const write = { instance, epoch, entries: [lie], removed: [], version: version + 1, from: version };
      await statuses.write({ environment: 'env_a', ...write });
      await supervisor.parts.observer.poll();
      await supervisor.reconcile('shop');
      return recordIn(records, 'env_a', 'shop');
    };
    const record = await until('What is published of it', report);
    expect(record).toMatchObject({
      name: 'shop',
      uid,
      desired: 'removed',
      data: 'keep',
      jwtSecret: null,
      title: 'shop',
    });
    expect(record.database).toEqual({ dbConnType: 'new_database' });
    expect(JSON.stringify(record)).not.toContain('bound:');
    // Where it belongs, it is opened, and runs on.
    const own = (await recordIn(other.wire.stores.records, 'env_b', 'shop'))!;
    expect(secretsOf(KEY, 'env_b').open(own.database.password!, own, 'database')).toBe(PASSWORD);
    expect(supervisor.shows('shop')).toContain('env_b running');
  });

  describe('whose plugins dispatch commands', () => {
    const dispatch = (action: string, appName: string, environments: string[] = [], from = worker, ms = 60_000) =>
      from.wire.bus.ask(from.environment, COMMAND_METHOD, { requestId: 'r', appName, action, environments }, ms).then(
        () => 'accepted',
        (error) => (error.params.cause ?? error).code,
      );
    const operations = async (name: string) => {
      const [found] = await supervisor.parts.operations.page({ appName: name }, ['-createdAt'], 1, 100);
      return found.map(({ action, progress }) => `${action} ${progress.map(({ environment }) => environment)}`);
    };

    it('has apps stopped, started and restarted in its own environment', async () => {
      for (const [action, status] of [
        ['stop', 'stopped'],
        ['start', 'running'],
        ['restart', 'running'],
      ]) {
        expect(await dispatch(action, 'crm', action === 'start' ? ['env_a'] : [])).toBe('accepted');
        expect((await operations('crm'))[0]).toBe(`${action} env_a`);
        await supervisor.toShow('crm', `env_a ${status}`);
      }
    });

    it('invariant 13: has nothing else done, and nothing elsewhere; Activity says so', async () => {
      const before = [await operations('crm'), await operations('shop')];
      for (const [action, name, environments] of [
        ['stop', 'shop', []],
        ['stop', 'shop', ['env_b']],
        ['stop', 'crm', ['env_a', 'env_b']],
        ['stop', 'nobody', []],
        ['upgrade', 'crm', []],
        ['remove', 'crm', []],
        ['create', 'new', []],
      ] as Array<[string, string, string[]]>)
        expect(await dispatch(action, name, environments), `${action} ${name}`).toBe('COMMAND_ELSEWHERE');
      expect(await dispatch('format', 'crm')).toBe('COMMAND_UNKNOWN');
      expect(await dispatch('stop', 'no app name')).toBe('INVALID_INPUT');
      expect([await operations('crm'), await operations('shop')]).toEqual(before);
      const [events] = await supervisor.parts.events.page({ kind: 'refusal' }, ['-at'], 1, 100);
      expect(
        new Set(events.map(({ appName, environment, cause }) => `${appName} ${environment} ${cause?.code}`)),
      ).toEqual(
        new Set([
          'crm env_a COMMAND_ELSEWHERE',
          'null env_a COMMAND_ELSEWHERE',
          'crm env_a COMMAND_UNKNOWN',
          'null env_a INVALID_INPUT',
        ]),
      );
      expect(supervisor.log.at('warn').join()).toContain('(COMMAND_ELSEWHERE)');
    });

    it('invariant 13: is asked once, by nobody else, and not for another environment', async () => {
      const { publisher, listener } = await fleet.onRedis(async (redis) => ({
        publisher: redis.duplicate(),
        listener: redis.duplicate(),
      }));
      try {
        const channel = fleet.keys().requests(SUPERVISOR);
        const heard: string[] = [];
        listener.on('message', (_, text) => heard.push(text));
        await listener.subscribe(channel);
        expect(await dispatch('restart', 'crm')).toBe('accepted');
        expect(await dispatch('restart', 'shop', [], other)).toBe('accepted');
        await until('What was asked', () => heard.length === 2);
        const before = [await operations('crm'), await operations('shop')];
        const [ofCrm, ofShop] = heard;
        const refused: string[] = [];
        const { envelope } = supervisor.wire.bus as unknown as { envelope: Envelope };
        envelope.refusals.reasons.listen((reason) => refused.push(reason));
        const sent = [
          ofCrm,
          ofShop,
          ofCrm.replace('env_a', 'env_b'),
          ofShop.replace('env_b', 'env_a'),
          ofCrm.replace('env_a', 'nowhere'),
          'env_a',
          'x'.repeat(100_000),
        ];
        for (const text of sent) await publisher.publish(channel, text);
        await until('What was sent to be refused', () => refused.length === sent.length);
        expect(refused).toEqual(['replayed', 'replayed', 'forged', 'forged', 'unreadable', 'unreadable', 'unreadable']);
        expect([await operations('crm'), await operations('shop')]).toEqual(before);
      } finally {
        publisher.disconnect();
        listener.disconnect();
      }
    });

    it('is refused after many of them, and that is said once', async () => {
      const outcomes = new Set<string>();
      // What is asked while the lead changes is answered by nobody: whoever waits asks again.
      const asked = async () => {
        const outcome = await dispatch('format', 'crm', [], worker, 10_000);
        return outcome === 'SUPERVISOR_SILENT' ? dispatch('format', 'crm') : outcome;
      };
      for (let i = 0; i < 33; i++) outcomes.add(await asked());
      expect(outcomes).toEqual(new Set(['COMMAND_UNKNOWN', 'TOO_MANY_COMMANDS']));
      expect(supervisor.log.at('warn').filter((line) => line.includes('(TOO_MANY_COMMANDS)'))).toHaveLength(1);
      const [events] = await supervisor.parts.events.page({ kind: 'refusal' }, ['-at'], 1, 100);
      expect(events.filter(({ cause }) => cause?.code === 'TOO_MANY_COMMANDS')).toHaveLength(1);
      expect(await dispatch('format', 'shop', [], other)).toBe('COMMAND_UNKNOWN');
    });

    it('is told that no Supervisor answers', async () => {
      await supervisor.stop();
      expect(await dispatch('stop', 'crm', [], worker, 500)).toBe('SUPERVISOR_SILENT');
      expect(worker.runs).toEqual(['crm']);
    });
  });
});
