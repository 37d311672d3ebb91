import Redis from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { say } from '../../src/shared/message';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';
import { allIsTrueAgain as allIsTrueAgainIn } from '../support/truth';

/** Processes and stores taken away while they are in use. Each kill waits until what it interrupts is seen in progress. */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('steady', 'victim');
  await manager.create({ name: 'steady', environments: ['env_a', 'env_b'], startMode: 'withMain' });
});

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
  await manager.clear('victim');
});

afterAll(() => manager.clear('steady'));

/** Asks the app through the Supervisor ten times a second; tells which answers were not the app's. */
function watch(app: string) {
  const bad: string[] = [];
  let asked = 0;
  let ending = false;
  const done = (async () => {
    while (!ending) {
      asked++;
      const answer = await ask(fleet.supervisor.url, `/api/__app/${app}/app:getInfo`, { timeout: 5_000 }).catch(
        (error: Error) => ({ status: 0, text: error.message }),
      );
      if (answer.status !== 200) bad.push(`${answer.status} ${answer.text.slice(0, 120)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async end() {
      ending = true;
      await done;
      return { asked, bad };
    },
  };
}

/** To be called the moment that an outage is over. */
const allIsTrueAgain = (after: string) => allIsTrueAgainIn(fleet, manager, ['steady'], after);

describe('the state Redis', () => {
  it('invariant 1: flushed at any moment, everything is back within 30 s and nobody noticed', async () => {
    const visitors = watch('steady');
    const before = await manager.app('steady');
    const redis = new Redis(fleet.redis!.url);
    await redis.flushall();
    const took = stopwatch();
    await Promise.all([
      waitFor(async () => (await redis.keys('*lease:*')).length === 2, { timeout: 30_000, what: 'Both leases' }),
      waitFor(async () => (await redis.keys('*records:*')).length === 2, { timeout: 30_000, what: 'All records' }),
      waitFor(async () => (await redis.keys('*statuses:*')).length === 2, { timeout: 30_000, what: 'All statuses' }),
      allIsTrueAgain('Redis flushed'),
    ]);
    expect(took('Redis flushed, until leases, records and statuses are back in it')).toBeLessThan(30_000);
    redis.disconnect();
    const after = await manager.app('steady');
    expect(after.statuses.env_a.since).toBe(before.statuses.env_a.since);
    const { asked, bad } = await visitors.end();
    expect(bad).toEqual([]);
    expect(asked).toBeGreaterThan(5);
  });

  it('invariant 6: away, running apps answer, what is shown is unknown, and a change waits until it is back', async () => {
    await manager.create({ name: 'victim', environments: ['env_a'] });
    const visitors = watch('steady');
    const gone = stopwatch();
    await fleet.redis!.kill();
    await manager.untilApp('steady', (app) => statusIn(app, 'env_a') === 'unknown', { what: 'being unknown' });
    gone('Redis killed, until the pages say unknown');
    expect((await manager.environments()).map(({ health }) => health)).toEqual(['unknown', 'unknown']);

    const { data } = await manager.api.post('apps:stop?filterByTk=victim');
    await waitFor(async () => (await manager.operation(data[0].id)).waitingFor, {
      timeout: 10_000,
      what: 'Its waiting',
    });
    expect(await manager.operation(data[0].id)).toMatchObject({
      state: 'running',
      waitingFor: say('WAITS_FOR_CONNECTION'),
    });

    await fleet.redis!.start();
    const back = stopwatch();
    await allIsTrueAgain('Redis killed, then back');
    await manager.succeeded(data[0], 35_000);
    back('Redis started again, until the change that waited is made');
    expect((await visitors.end()).bad).toEqual([]);
  });

  it('frozen, nobody takes a silence for a death', async () => {
    const visitors = watch('steady');
    fleet.redis!.pause();
    await manager.untilApp('steady', (app) => statusIn(app, 'env_a') === 'unknown', { what: 'being unknown' });
    // Longer than a lease lives.
    const until = Date.now() + 17_000;
    await waitFor(
      async () => {
        const healths = (await manager.environments()).map(({ health }) => health);
        expect(healths).not.toContain('down');
        return Date.now() > until;
      },
      { timeout: 30_000, interval: 1_000, what: 'The end of the freeze' },
    );
    fleet.redis!.resume();
    await allIsTrueAgain('Redis frozen, then back');
    expect((await visitors.end()).bad).toEqual([]);
  });
});

describe('the command Redis', () => {
  it('invariant 3: away, every change still comes, only slower, and running apps answer', async () => {
    const visitors = watch('steady');
    await fleet.commandRedis!.kill();
    const { operation } = await manager.begin('create', { name: 'victim', environments: ['env_a'] });
    await manager.succeeded(operation!, 180_000);
    const took = stopwatch();
    await manager.command('stop', 'victim');
    took('Redis of commands away, until a stop is done');
    expect(statusIn(await manager.app('victim'), 'env_a')).toBe('stopped');
    await fleet.commandRedis!.start();
    await allIsTrueAgain('Redis of commands killed, then back');
    expect((await visitors.end()).bad).toEqual([]);
  });
});

describe('a Supervisor killed', () => {
  it('in the middle of an operation goes on with it when it is back', async () => {
    const { operation } = await manager.begin('create', { name: 'victim', environments: ['env_a', 'env_b'] });
    await manager.untilApp('victim', (app) => statusIn(app, 'env_a') === 'commanding', {
      timeout: 60_000,
      what: 'being installed in env_a',
    });
    await fleet.supervisor.kill();
    const took = stopwatch();
    await fleet.supervisor.start();
    await fleet.supervisor.waitForHttp('/api/__ready');
    took('Supervisor started again, until it is ready');
    manager = await Manager.of(fleet);
    const ended = await manager.succeeded(operation!);
    took('Supervisor started again, until the install that it was in the middle of is done in both environments');
    const [first, second] = ended.progress;
    expect(second.startedAt).toBeGreaterThanOrEqual(first.finishedAt!);
  });
});

describe('a worker killed', () => {
  it('in the middle of an installation begins it again, in the database that it made (#5127)', async () => {
    const { operation } = await manager.begin('create', { name: 'victim', environments: ['env_b'] });
    await manager.untilApp('victim', (app) => /install/.test(String(app.statuses.env_b?.message?.params?.text)), {
      timeout: 60_000,
      what: 'being installed',
    });
    await fleet.worker('env_b').kill();
    await manager.untilEnvironment('env_b', ({ health }) => health === 'down', { timeout: 25_000, what: 'being down' });
    await waitFor(async () => (await manager.operation(operation!.id)).waitingFor?.code === 'WAITS_FOR_RETURN', {
      timeout: 5_000,
      what: 'The operation waiting for env_b',
    });
    const took = stopwatch();
    await fleet.worker('env_b').start();
    await manager.succeeded(operation!);
    took('Worker killed while it installs, from its start until the app is installed');
    const api = await signInTo(fleet.supervisor, 'victim');
    expect((await api.get('users:list')).data).toHaveLength(1);
  });

  it('in the middle of a start comes up with the app started', async () => {
    await manager.create({ name: 'victim', environments: ['env_b'] });
    await manager.command('stop', 'victim');
    const { data } = await manager.api.post('apps:start?filterByTk=victim');
    await manager.untilApp('victim', (app) => !['stopped', 'running'].includes(statusIn(app, 'env_b') ?? ''), {
      what: 'starting',
    });
    await fleet.worker('env_b').kill();
    const took = stopwatch();
    await fleet.worker('env_b').start();
    await manager.succeeded(data[0]);
    took('Worker killed while it starts an app, from its start until the app runs');
    expect(statusIn(await manager.app('victim'), 'env_b')).toBe('running');
  });
});
