import http from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { Application } from '@nocobase/server';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort, query } from '../../scripts/fleet';
import type { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { expiryOf } from '../../src/server/timing';
import { say } from '../../src/shared/message';
import { recordsIn } from '../support/records';
import { BEAT, SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/** Processes that come, go, and come back as something else. */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('processes', { wakeUps: true });
});
afterEach(() => fleet.reset());
afterAll(() => fleet?.stop());

/** Between heartbeats, in ms: what happens sooner is not told by their absence. */
const LONG_BEAT = 600_000;

describe('a worker', () => {
  it('invariant 6: that begins with neither Redis nor a supervisor goes on from its snapshot, and corrects itself', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    const { service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_a'] }));
    await supervisor.ends(await service.command('shop', 'stop', '1'));
    await supervisor.ends(await supervisor.create({ name: 'wiki', environments: ['env_a'], startMode: 'onVisit' }));
    // What is still to be made is made by no snapshot.
    await until(
      'Its record as an app that is made',
      () => a.part.controller?.apps.get('wiki')?.record.provision === 'none',
    );
    await supervisor.kill();
    await a.kill();
    await fleet.redis.kill();

    const again = await fleet.worker('env_a');
    await until('The app', () => again.runs.includes('crm'));
    expect([again.role, again.runs]).toEqual(['alone', ['crm']]);
    await until('The others', () => again.status('wiki') === 'dormant' && again.status('shop') === 'stopped');
    expect(again.part.controller?.visit('wiki')).toBe(true);
    await until('The visited one', () => again.runs.includes('wiki'));
    // A second process of the same environment does not start them too.
    const second = await fleet.worker('env_a');
    await until('It to have looked', () => second.role === 'challenger');
    await setTimeout(3 * BEAT);
    expect([second.role, second.runs]).toEqual(['challenger', []]);
    await second.kill();

    await fleet.redis.start();
    await until('The lease', () => again.role === 'holder');
    await fleet.listening();
    const successor = await fleet.supervisor();
    await until('It to be seen', () => successor.shows('crm') === 'env_a running');
    await successor.ends(await successor.parts.service.command('crm', 'stop', '1'));
    expect(again.runs).toEqual(['wiki']);
  });

  it('that is killed and comes back at once takes its lease over once that has expired, and lies about nothing', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    fleet.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await a.kill(null);
    const again = await fleet.worker('env_a');
    const startedAt = performance.now();
    await until('The lease', () => again.role === 'holder');
    expect(performance.now() - startedAt).toBeGreaterThan(expiryOf(BEAT) - 2 * BEAT);
    await until('The new process to be seen', async () => {
      await supervisor.parts.observer.poll();
      return supervisor.parts.view.environmentRows()[0].instance === again.instance;
    });
    expect(supervisor.shows('crm')).not.toContain('running');
  });

  it('that leaves is seen to be gone by its goodbye, not by its silence', async () => {
    // Its silence would tell nothing for minutes.
    fleet.beat = LONG_BEAT;
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await a.stop();
    await until('It to be down', () => supervisor.health('env_a') === 'down');
    await supervisor.toShow('crm', 'env_a unknown');
  });

  it('that leaves serves an app that lies elsewhere, too, until the Supervisor sends visitors there', async () => {
    // Its silence would tell nothing for minutes, nor does its end come within this test.
    fleet.beat = LONG_BEAT;
    fleet.leaving = LONG_BEAT;
    const [supervisor, a, , c] = await fleet.begin('env_a', 'env_b', 'env_c');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a', 'env_b'] }));
    await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_c'] }));
    let hasLeft = false;
    void a.part.prepareToLeave().then(() => {
      hasLeft = true;
    });
    const ranked = () => supervisor.parts.view.routeEnvironments().map(({ name, health }) => `${name} ${health}`);
    await until('It to be seen leaving', () => ranked().includes('env_a stopping'));
    expect([hasLeft, a.runs]).toEqual([false, ['crm']]);
    // Whose visitors have nowhere else to go need not wait.
    await c.part.prepareToLeave();
  });

  it('that refuses a connection is suspect within 2 s, in list, routing and for open pages, until it answers', async () => {
    const port = await freePort();
    const told: string[] = [];
    const rank = ({ parts }: SupervisorPart) =>
      parts.view.routeEnvironments().find(({ name }) => name === 'env_a')?.health;
    const supervisor = await fleet.supervisor({ onChange: (part) => part.loaded && told.push(rank(part) ?? '') });
    await fleet.worker('env_a', { proxyUrl: `http://127.0.0.1:${port}` });
    await until('It to be seen', () => supervisor.health('env_a') === 'online');
    told.length = 0;
    const at = performance.now();
    supervisor.part.noteUnreachable('env_a');
    await until('The pages to be told', () => told.includes('suspect'));
    expect(performance.now() - at).toBeLessThan(2_000);
    expect([supervisor.health('env_a'), rank(supervisor.part)]).toEqual(['suspect', 'suspect']);
    const [{ warnings }] = supervisor.parts.view.environmentRows();
    expect(warnings.map(({ code }) => code)).toEqual(['ENVIRONMENT_REFUSES']);
    const server = http.createServer((_, res) => res.end()).listen(port, '127.0.0.1');
    await until('It to be well', () => supervisor.health('env_a') === 'online');
    server.close();
  });

  it('that begins again knows when its apps were last visited', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    a.host.coreApps.lastSeenAt.set('crm', 1_700_000_000);
    await a.stop();
    await fleet.worker('env_a');
    const lastVisit = () => supervisor.parts.view.appRow(supervisor.part.app('crm')!).lastVisitAt;
    await until('Its last visit', () => lastVisit() === 1_700_000_000_000);
  });

  it('whose work on an app does not end warns that it has to be restarted, until it has ended', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const { limits, apps } = a.part.controller!;
    const warnings = () => supervisor.parts.view.environmentRows()[0].warnings.map(({ code }) => code);
    limits.noteStuck('crm', apps.get('crm')!, 60_000);
    await until('The warning', () => warnings().includes('APPS_STUCK'));
    await supervisor.toShow('crm', 'env_a error');
    limits.noteEnd(apps.get('crm')!);
    await until('Its end', () => !warnings().includes('APPS_STUCK'));
  });

  it('that comes back with other addresses is shown with them, and remembered', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await a.stop();
    await fleet.worker('env_a', { proxyUrl: 'http://elsewhere' });
    await until('The new address', () => supervisor.parts.view.environmentRows()[0]?.proxyUrl === 'http://elsewhere');
    await until('It to be remembered', async () => {
      const { registration } = await supervisor.parts.registry.stateOf('env_a');
      return registration?.proxyUrl === 'http://elsewhere';
    });
    // By a supervisor that comes while the worker is away, too.
    const other = await fleet.supervisor();
    expect(other.parts.environmentCache.all().map(({ name }) => name)).toEqual(['env_a']);
  });

  it('whose database cannot be read at first begins nothing before it can', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await a.stop();
    const rename = (from: string, to: string) =>
      query(inject('postgres'), fleet.database('env_a'), `ALTER TABLE "${from}" RENAME TO "${to}"`);
    await rename('appSnapshots', 'elsewhere');
    try {
      const again = await fleet.worker('env_a');
      await until('It to fail', () => again.log.at('warn').some((line) => line.includes('snapshot could not be read')));
      expect(again.runs).toEqual([]);
      await rename('elsewhere', 'appSnapshots');
      await until('It to begin', () => again.runs.includes('crm'));
    } finally {
      await rename('elsewhere', 'appSnapshots').catch(() => undefined);
    }
  });
});

describe('a supervisor', () => {
  it('with a database restored from a backup is believed, and goes on', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    const { appRepository, loop, service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const backup = await appRepository.find('crm');
    await supervisor.ends(await service.command('crm', 'stop', '1'));
    const { createdAt: _, updatedAt: __, ...values } = backup!;
    await appRepository.update('crm', values);
    loop.noteFlushed();
    await until('The store to say what the database says', async () => {
      await supervisor.reconcile('crm');
      return (await recordsIn(supervisor.wire.stores.records, 'env_a'))[0]?.desired === 'running';
    });
    // The worker has heard newer words than these, and what is told now is newer still.
    await until('The worker to follow', () => a.runs.includes('crm'));
    await supervisor.ends(await service.command('crm', 'start', '1'));
    expect(a.runs).toEqual(['crm']);
  });

  it('whose database fails while it begins begins again, and leaves nothing half begun', async () => {
    await fleet.begin('env_a');
    let failures = 0;
    const flaky = (main: Application) => {
      const { db } = main;
      const getRepository = (name: string) => {
        if (name === 'appEnvironments' && failures++ === 0) throw new Error('The connection was lost.');
        return db.getRepository(name);
      };
      const proxy = new Proxy(db, {
        get: (_, key) => (key === 'getRepository' ? getRepository : Reflect.get(db, key)),
      });
      return { ...main, db: proxy } as Application;
    };
    const supervisor = await fleet.supervisor({ wrap: flaky });
    expect(supervisor.log.at('error')).toEqual([
      expect.stringMatching(/could not begin, it is tried again: The connection/),
    ]);
    await until('It to see', () => supervisor.health('env_a') === 'online');
  });

  it('that begins is ready when it routes with sight of the fleet, and not before', async () => {
    const [supervisor] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await supervisor.kill();

    let routed: unknown = 'nothing';
    let ready: Promise<unknown> | undefined;
    await fleet.supervisor({
      beginning: (part) => {
        ready = (async () => {
          while (!part.loaded) await new Promise((resolve) => setImmediate(resolve));
          return routed;
        })();
      },
      // As the routing table is brought up to what is known.
      onChange: (part) => {
        if (!part.loaded) return;
        const [environment] = part.parts.view.routeEnvironments();
        routed = [environment?.name, environment?.health, part.statusIn(part.app('crm')!, 'env_a')?.status];
      },
    });
    expect(await ready).toEqual(['env_a', 'online', 'running']);
  });

  it('that leaves passes the lead on before its database is gone, and what it drove goes on', async () => {
    // By their expiry the lead would not pass on within this test.
    const one = await fleet.supervisor({ leadExpiry: 60_000 });
    const two = await fleet.supervisor({ leadExpiry: 60_000 });
    const a = await fleet.worker('env_a');
    await until('The lead', () => one.leads);
    await until('The worker', () => [one, two].every((each) => each.health('env_a') === 'online'));
    const operation = await one.create({ name: 'crm', environments: ['env_a'] });
    await one.stop();
    await until('The lead of the other', () => two.leads);
    expect(await two.ends(operation)).toBe('succeeded: env_a succeeded');
    expect(a.runs).toEqual(['crm']);
  });

  it('of another fleet with the same prefix on the same Redis touches nothing, and says so', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await until('The fleet to be marked', async () => (await supervisor.wire.stores.fleet.poll()).fleet !== null);
    // The operation may end a moment before its record says that the app is made, without its first administrator.
    const before = await until('Its record as of an app that is made', async () => {
      const records = await recordsIn(supervisor.wire.stores.records, 'env_a');
      return records[0]?.provision === 'none' && records;
    });
    const orphan = await fleet.supervisor({ database: 'stranger' });
    await until('It to notice', () => orphan.parts.observer.foreign);
    await until('It to say so', () => orphan.log.at('error').some((line) => line.includes('Another fleet')));
    expect(orphan.parts.view.environmentRows()).toEqual([]);
    expect(orphan.part.warnings()).toContainEqual(say('FOREIGN_FLEET'));
    expect(await recordsIn(supervisor.wire.stores.records, 'env_a')).toEqual(before);
    expect(a.runs).toEqual(['crm']);
    await supervisor.toShow('crm', 'env_a running');
  });
});

describe('plugins of an app', () => {
  it('that changed in one environment restart the others, one after the other', async () => {
    const hurried = await SmallFleet.start('plugins', { wakeUps: false });
    try {
      const [supervisor, a, b] = await hurried.begin('env_a', 'env_b', 'env_c');
      const workers = [a, b];
      for (const worker of workers) worker.host.plugins.set('crm', 'kanban@1');
      await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a', 'env_b'] }));
      await supervisor.ends(await supervisor.create({ name: 'alone', environments: ['env_c'] }));
      hurried.databases.journal.length = 0;
      // Enabled in env_a, which loaded itself anew; the database that both share says so.
      for (const worker of workers) worker.host.plugins.set('crm', 'kanban@1,gantt@1');
      a.host.coreApps.setStatus('crm', 'commanding');
      a.host.coreApps.setStatus('crm', 'running');
      await until('The other to restart', () => hurried.databases.journal.includes('env_b runs crm'));
      expect(hurried.databases.overlaps).toEqual([]);
      expect(hurried.databases.story('env_a').filter((line) => line.includes('boots')).length).toBeLessThanOrEqual(1);
      await until(
        'Nothing more to be pending',
        () => !supervisor.parts.view.appRow(supervisor.part.app('crm')!).pendingChanges.length,
      );
      expect(hurried.databases.story('alone')).toEqual([]);
    } finally {
      await hurried.stop();
    }
  });
});
