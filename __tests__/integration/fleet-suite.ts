import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SnapshotStore } from '../../src/server/worker/apps/snapshot';
import { say } from '../../src/shared/message';
import { recordIn, recordsIn, writeRecords } from '../support/records';
import { SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/**
 * How the fleet agrees: once with wake-ups at production's pace, and once with every wake-up taken away (the command Redis is
 * nowhere), where what production does every 30 s is done more often. `npm test` does what wake-ups are for; `npm run test:long`
 * does all of it, with wake-ups and without, as the simulator does in virtual time.
 */
export const fleetSuite = (wakeUps: boolean, isWhole = true) =>
  describe(wakeUps ? 'with wake-ups' : 'without wake-ups', () => {
    /** A test that needs no wake-ups. */
    const itOfWhole: (title: string, work: () => Promise<void>) => void = isWhole ? it : () => undefined;
    let fleet: SmallFleet;
    beforeAll(async () => {
      fleet = await SmallFleet.start(wakeUps ? 'woken' : 'deaf', { wakeUps });
    });
    afterEach(async () => {
      expect(fleet.databases.overlaps).toEqual([]);
      await fleet.reset();
    });
    afterAll(() => fleet?.stop());

    const both = ['env_a', 'env_b'];
    /** Less than the regular round at production's pace, in ms. */
    const SOON = 20_000;
    /** A boot that ends when it is told to. */
    const held = () => {
      let end!: () => void;
      const takes = new Promise<void>((resolve) => {
        end = resolve;
      });
      return { takes, end };
    };

    it('invariant 4: an app is made in two environments one after the other, and from then on is what is asked for', async () => {
      fleet.bootScripts.set('crm', { takes: 100 });
      const [supervisor] = await fleet.begin(...both);
      const { service } = supervisor.parts;
      const story = () => fleet.databases.journal.splice(0);
      const shown = (expected: string) => until(expected, () => supervisor.shows('crm') === expected);

      const created = await supervisor.create({ name: 'crm', environments: both });
      expect(await supervisor.ends(created)).toBe('succeeded: env_a succeeded, env_b succeeded');
      expect(story()).toEqual([
        'env_a boots crm start',
        'env_a creates crm',
        'env_a runs crm',
        'env_b boots crm start',
        'env_b runs crm',
      ]);
      await shown('env_a running, env_b running');

      await supervisor.ends(await service.command('crm', 'stop', '1'));
      expect(story().sort()).toEqual(['env_a ends crm', 'env_b ends crm']);
      await shown('env_a stopped, env_b stopped');

      await supervisor.ends(await service.command('crm', 'start', '1'));
      await supervisor.ends(await service.command('crm', 'restart', '1'));
      expect(story()).toEqual([
        'env_a boots crm start',
        'env_a runs crm',
        'env_b boots crm start',
        'env_b runs crm',
        'env_a boots crm restart',
        'env_a runs crm',
        'env_b boots crm restart',
        'env_b runs crm',
      ]);

      const { uid } = supervisor.part.app('crm')!;
      const destroyed = await service.destroy('crm', 'keep', '1');
      expect(supervisor.shows('crm')).toBe('nothing');
      expect(await supervisor.ends(destroyed)).toMatch(/^succeeded/);
      expect(story().filter((line) => line.includes('drops'))).toEqual([]);
      expect([...fleet.databases.owners.keys()]).toEqual(['crm']);
      await until(
        'The tombstone to be gone',
        async () => !(await supervisor.parts.appRepository.openTombstones()).length,
      );
      await until(
        'The records to be gone',
        async () => !(await recordsIn(supervisor.wire.stores.records, 'env_a')).length,
      );
      expect(supervisor.ended).toEqual([uid]);
    });

    itOfWhole('invariant 1: a flush in the middle loses nothing', async () => {
      const slow = held();
      const [supervisor, a, b] = await fleet.begin(...both);
      await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
      await supervisor.ends(await supervisor.create({ name: 'gone', environments: ['env_b'] }));
      await b.kill();
      await supervisor.ends(await supervisor.parts.service.destroy('gone', 'keep', '1'));
      a.host.bootScripts.set('shop', { takes: slow.takes });
      const creating = await supervisor.create({ name: 'shop', environments: ['env_a'] });
      await until('The boot', () => fleet.databases.journal.includes('env_a boots shop start'));

      await fleet.onRedis((redis) => redis.flushall());
      slow.end();

      expect(await supervisor.ends(creating)).toMatch(/^succeeded/);
      const { stores } = supervisor.wire;
      await until('Every record', async () => (await recordsIn(stores.records, 'env_a')).length === 2);
      await until('The tombstone’s', async () => (await recordsIn(stores.records, 'env_b'))[0]?.desired === 'removed');
      await until('Every status', async () => (await stores.statuses.read('env_a')).length === 2);
      await until('The environment', async () => (await stores.fleet.readRegistration('env_a')) !== null);
      await supervisor.toShow('crm', 'env_a running');
      await supervisor.toShow('shop', 'env_a running');
      expect(fleet.databases.story('crm').filter((line) => /boots|ends/.test(line))).toEqual(['env_a boots crm start']);
      // And whoever was away hears of it all the same.
      const again = await fleet.worker('env_b');
      await until(
        'The tombstone to be gone',
        async () => !(await supervisor.parts.appRepository.openTombstones()).length,
      );
      expect(again.runs).toEqual([]);
    });

    itOfWhole(
      'a round during a slow look at the snapshot does not hide what was wished while the worker was away',
      async () => {
        const [supervisor, worker] = await fleet.begin('env_a');
        await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
        await worker.kill();
        const stop = await supervisor.parts.service.command('crm', 'stop', '1');
        await until(
          'Its record',
          async () => (await recordsIn(supervisor.wire.stores.records, 'env_a'))[0]?.desired === 'stopped',
        );
        const { load } = SnapshotStore.prototype;
        const loading = vi.spyOn(SnapshotStore.prototype, 'load').mockImplementation(async function (
          this: SnapshotStore,
        ) {
          const found = await load.call(this);
          // Long enough for some rounds of a fleet without wake-ups.
          await sleep(3_000);
          return found;
        });
        const again = await fleet.worker('env_a');
        expect(await supervisor.ends(stop)).toBe('succeeded: env_a succeeded');
        expect(again.runs).toEqual([]);
        expect(loading).toHaveBeenCalled();
        loading.mockRestore();
      },
    );

    itOfWhole(
      'invariant 6: with Redis away apps run on, changes are taken and wait, and with a new one all comes true',
      async () => {
        const [supervisor, a] = await fleet.begin('env_a');
        const { service } = supervisor.parts;
        await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
        await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_a'] }));
        await fleet.redis.kill();
        const stop = await service.command('crm', 'stop', '1');
        const created = await supervisor.create({ name: 'wiki', environments: ['env_a'] });
        await until('The change to wait', async () => (await supervisor.operation(stop.id)).state === 'running');
        expect(a.runs).toEqual(['crm', 'shop']);
        await fleet.redis.start();
        await fleet.listening();
        expect(await supervisor.ends(stop)).toMatch(/^succeeded/);
        expect(await supervisor.ends(created)).toMatch(/^succeeded/);
        expect(a.runs).toEqual(['shop', 'wiki']);
        await until(
          'All to be shown',
          () =>
            ['crm', 'shop', 'wiki'].map((name) => supervisor.shows(name)).join() ===
            'env_a stopped,env_a running,env_a running',
        );
        expect(fleet.databases.story('shop').filter((line) => line.includes('boots'))).toHaveLength(1);
      },
    );

    itOfWhole('a supervisor that dies in the middle is succeeded by one that goes on', async () => {
      const slow = held();
      const [supervisor, a] = await fleet.begin(...both);
      a.host.bootScripts.set('crm', { takes: slow.takes });
      const operation = await supervisor.create({ name: 'crm', environments: both });
      await until('The boot', () => fleet.databases.journal.includes('env_a boots crm start'));
      await supervisor.kill();
      slow.end();
      await until('The app', () => a.runs.includes('crm'));
      const successor = await fleet.supervisor();
      expect(await successor.ends(operation)).toBe('succeeded: env_a succeeded, env_b succeeded');
      expect(fleet.databases.story('boots')).toEqual(['env_a boots crm start', 'env_b boots crm start']);
    });

    it('of two supervisors one leads and drives, both answer and agree, and the lead passes on (#7849)', async () => {
      const [one] = await fleet.begin(...both);
      const two = await fleet.supervisor({ leadExpiry: 5_000 });
      await until('The other to see', () => two.health('env_b') === 'online');
      await until('One of them to lead', () => one.leads !== two.leads);
      const [leader, other] = one.leads ? [one, two] : [two, one];
      // Asked of the one that does not lead.
      const operation = await other.create({ name: 'crm', environments: both });
      await leader.ends(operation);
      // Sooner than with the regular round, where there are wake-ups.
      const agree = (expected: string) =>
        until(
          `Both to show ${expected}`,
          () => [one, two].every((supervisor) => supervisor.shows('crm') === expected),
          SOON,
        );
      await agree('env_a running, env_b running');
      for (const [asked, action, expected] of [
        [one, 'stop', 'stopped'],
        [two, 'start', 'running'],
      ] as const) {
        await asked.ends(await asked.parts.service.command('crm', action, '1'));
        await agree(`env_a ${expected}, env_b ${expected}`);
      }
      await one.parts.service.update('crm', { title: 'Sales' }, '1');
      await until('Both to know the title', () => [one, two].every((s) => s.part.app('crm')?.title === 'Sales'), SOON);

      await leader.kill();
      const stop = await other.parts.service.command('crm', 'stop', '1');
      expect(await other.ends(stop)).toMatch(/^succeeded/);
      expect(other.leads).toBe(true);
      // It would wait for minutes to take the lead from one that dies.
      const three = await fleet.supervisor({ leadExpiry: 600_000 });
      await other.stop();
      await until('The lead to pass on at once', () => three.leads);
    });

    itOfWhole(
      'a worker that dies in the middle of a boot holds up no other one, and begins it again when it is back',
      async () => {
        const [supervisor, a] = await fleet.begin(...both);
        a.host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
        const operation = await supervisor.create({ name: 'crm', environments: both });
        await until('The boot', () => fleet.databases.journal.includes('env_a creates crm'));
        await a.kill();
        await until('It to be seen', () => supervisor.health('env_a') === 'down');
        const back = say('WAITS_FOR_RETURN', { environment: 'env_a' });
        await until('The reason', () => supervisor.waitsFor(operation.id, back));
        await supervisor.toShow('crm', 'env_a unknown, env_b running');
        await fleet.worker('env_a');
        expect(await supervisor.ends(operation)).toBe('succeeded: env_a succeeded, env_b succeeded');
        expect(fleet.databases.story('boots')).toEqual([
          'env_a boots crm start',
          'env_b boots crm start',
          'env_a boots crm start',
        ]);
      },
    );

    itOfWhole('an environment that was away learns what was deleted, made and changed meanwhile', async () => {
      const [supervisor, , b] = await fleet.begin(...both);
      const { service } = supervisor.parts;
      await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
      await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b'] }));
      await b.kill();
      await until('It to be seen', () => supervisor.health('env_b') === 'down');
      const destroyed = await service.destroy('crm', 'keep', '1');
      expect(await supervisor.ends(destroyed)).toMatch(/^succeeded/);
      const stopped = await service.command('shop', 'stop', '1');
      const created = await supervisor.create({ name: 'wiki', environments: ['env_b'] });
      const back = say('WAITS_FOR_RETURN', { environment: 'env_b' });
      await until('The reason', () => supervisor.waitsFor(created.id, back));
      await until('The tombstone to wait for env_b alone', async () => {
        const [tombstone] = await supervisor.parts.appRepository.openTombstones();
        return tombstone.environments.join() === 'env_b';
      });

      fleet.databases.journal.length = 0;
      const again = await fleet.worker('env_b');
      expect(await supervisor.ends(stopped)).toMatch(/^succeeded/);
      expect(await supervisor.ends(created)).toMatch(/^succeeded/);
      await until(
        'The tombstone to be gone',
        async () => !(await supervisor.parts.appRepository.openTombstones()).length,
      );
      expect([again.runs, again.status('shop')]).toEqual([['wiki'], 'stopped']);
      // What was running when it died is not run again first.
      expect(fleet.databases.story('boots')).toEqual(['env_b boots wiki start']);
      expect([...fleet.databases.owners.keys()].sort()).toEqual(['crm', 'shop', 'wiki']);
    });

    itOfWhole(
      'an environment that returns to an empty store boots nothing that was stopped or moved meanwhile',
      async () => {
        const [supervisor, , b] = await fleet.begin(...both);
        const { service } = supervisor.parts;
        await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_b'] }));
        await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b'] }));
        await b.kill();
        await until('It to be seen', () => supervisor.health('env_b') === 'down');
        const moved = await service.update('crm', { environments: ['env_a'] }, '1');
        expect(await supervisor.ends(moved)).toMatch(/^succeeded/);
        const stopped = await service.command('shop', 'stop', '1');
        await supervisor.kill();
        await fleet.onRedis((redis) => redis.flushall());
        fleet.databases.journal.length = 0;
        fleet.recordsWithin = 60_000;
        const again = await fleet.worker('env_b');
        await until('env_b to hold its environment', () => again.role === 'holder');
        const successor = await fleet.supervisor();
        expect(await successor.ends(stopped)).toMatch(/^succeeded/);
        await until('It to be gone', () => again.status('crm') === undefined || again.status('crm') === 'not_found');
        expect(fleet.databases.story('boots')).toEqual([]);
      },
    );

    it('invariant 3: what belongs to an old generation, incarnation or epoch changes nothing', async () => {
      const [supervisor, a] = await fleet.begin('env_a');
      const { stores, bus } = supervisor.wire;
      await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
      await supervisor.ends(await supervisor.parts.service.command('crm', 'restart', '1'));
      const [record] = await recordsIn(stores.records, 'env_a');
      fleet.databases.journal.length = 0;
      // A former leader's words, late; and again; and without a word.
      const old = { ...record, generation: record.generation - 1, desired: 'stopped' as const };
      const { term } = supervisor.parts.leadership;
      for (let i = 0; i < 3; i++) {
        await writeRecords(stores.records, 'env_a', [old], { term });
        bus.notify({ environment: 'env_a' }, [old.uid]);
      }
      // An old copy of the store, in which the supervisor's newest words are missing.
      await until('The supervisor to mend it', async () => {
        // At production's pace: with the next round.
        if (wakeUps) supervisor.parts.loop.noteFlushed();
        return (await recordIn(stores.records, 'env_a', 'crm'))?.generation === record.generation;
      });
      // Words of a process whose lease is over, or that never was.
      const [entry] = await stores.statuses.read('env_a');
      const lie = { environment: 'env_a', removed: [], version: Date.now(), from: null };
      for (const [instance, epoch] of [
        [a.instance, 1],
        ['nobody', Date.now()],
      ] as const) {
        const written = await stores.statuses.write({
          ...lie,
          instance,
          epoch,
          entries: [{ ...entry, status: 'error' }],
        });
        expect(written).toBe(false);
      }
      await supervisor.parts.observer.poll();
      await supervisor.toShow('crm', 'env_a running');
      expect(fleet.databases.journal).toEqual([]);
    });

    itOfWhole(
      'a second live process of an environment is a standby, and takes over when the first is gone',
      async () => {
        const [supervisor, first] = await fleet.begin('env_a');
        await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
        const second = await fleet.worker('env_a');
        await until('The standby', () => second.role === 'challenger');
        await until('The page to name it', () => {
          const [row] = supervisor.parts.view.environmentRows();
          return row.standby === second.instance && row.instance === first.instance;
        });
        expect([first.runs, second.runs]).toEqual([['crm'], []]);
        await supervisor.toShow('crm', 'env_a running');
        await first.kill();
        await until('The second', () => second.role === 'holder' && second.runs.includes('crm'));
        await until('It to be shown', () => {
          const [row] = supervisor.parts.view.environmentRows();
          return row.instance === second.instance && supervisor.shows('crm') === 'env_a running';
        });
      },
    );
  });
