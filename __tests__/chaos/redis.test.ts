import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keepAsking } from '../../scripts/chaos/requests';
import { type Fleet, type Instance, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { bootsOf } from '../support/boots';
import { ask } from '../support/http';
import { Manager, statusIn } from '../support/manager';
import { allIsTrueAgain as allIsTrueAgainIn } from '../support/truth';

/**
 * The state Redis away for longer than anything that is remembered of it lives, under load; restarted with and without its
 * data; and away while either side begins.
 */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('steady', 'changing');
  const common = { environments: ['env_a', 'env_b'], startMode: 'withMain' };
  await manager.create({ ...common, name: 'steady' });
  await manager.create({ ...common, name: 'changing' });
});

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
});

afterAll(() => manager.clear('steady', 'changing'));

/** Several visitors at once without a pause to speak of, ten through the Supervisor and one at each Worker. */
function visitors() {
  const begun = performance.now();
  const addresses = [...Array.from({ length: 10 }, () => fleet.supervisor), ...fleet.workers];
  const streams = addresses.map(({ name, url }) => keepAsking(name, url, 'steady', 50));
  return async () => {
    const seen = await Promise.all(streams.map((stream) => stream.end()));
    const total = seen.reduce((sum, { asked }) => sum + asked, 0);
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `${total} requests in ${Math.round(seconds)} s, slowest ${Math.max(...seen.map((one) => one.slowest))} ms`,
    );
    expect(seen.flatMap(({ failed }) => failed)).toEqual([]);
    expect(seen.every(({ asked }) => asked > 10)).toBe(true);
  };
}

/** To be called the moment that an outage is over. */
const allIsTrueAgain = (after: string) => allIsTrueAgainIn(fleet, manager, ['steady', 'changing'], after);

const boots = () => bootsOf(fleet, 'steady').length;

describe.each([
  ['frozen for 30 s', 30_000, async () => fleet.redis!.pause(), async () => fleet.redis!.resume()],
  ['away for a minute', 60_000, () => fleet.redis!.kill(), () => fleet.redis!.start()],
] as const)('the state Redis %s', (how, lasts, take, giveBack) => {
  it('invariant 6: nobody who visits an app notices, changes wait, and within 30 s everything is true again', async () => {
    const before = boots();
    const end = visitors();
    const taken = performance.now();
    await take();
    await manager.untilApp('steady', (app) => statusIn(app, 'env_a') === 'unknown', { what: 'unknown' });
    // The second takes the first one's place while that waits.
    const waits = async (action: string) => {
      const { data } = await manager.api.post(`apps:${action}?filterByTk=changing`);
      const operation = () => manager.operation(data[0].id);
      await waitFor(async () => (await operation()).waitingFor?.code === 'WAITS_FOR_CONNECTION', {
        timeout: 10_000,
        what: 'Saying what it waits for',
      });
      return operation();
    };
    const superseded = await waits('stop');
    const operation = await waits('restart');
    await sleep(lasts - (performance.now() - taken));
    expect(await manager.operation(operation.id)).toMatchObject({ finishedAt: null });
    await giveBack();
    await allIsTrueAgain(`Redis ${how}, then back`);
    await manager.succeeded(operation);
    expect(await manager.operation(superseded.id)).toMatchObject({ state: 'cancelled' });
    await end();
    // Nothing was started anew for it.
    expect(boots()).toBe(before);
  });
});

describe.each([
  ['with its data', false],
  ['without', true],
])('the state Redis restarted %s', (how, empty) => {
  it('invariant 1: everything is true again within 30 s, and no app was started anew', async () => {
    const before = boots();
    const end = visitors();
    await fleet.redis!.kill();
    if (empty) await fs.rm(path.join(fleet.home, 'redis'), { recursive: true });
    await fleet.redis!.start();
    const { data } = await manager.api.post('apps:restart?filterByTk=changing');
    await allIsTrueAgain(`Redis restarted ${how}`);
    await manager.succeeded(data[0]);
    await end();
    expect(boots()).toBe(before);
  });
});

describe('the state Redis away while', () => {
  it('invariant 6: the Supervisor begins: it serves by what its database says, and corrects itself', async () => {
    const before = boots();
    await Promise.all([fleet.supervisor.kill(), fleet.redis!.kill()]);
    await fleet.supervisor.start();
    manager = await Manager.of(fleet);
    const end = visitors();
    expect((await manager.environments()).map(({ name, health }) => [name, health])).toEqual([
      ['env_a', 'unknown'],
      ['env_b', 'unknown'],
    ]);
    const { data } = await manager.api.post('apps:restart?filterByTk=changing');
    await sleep(5_000);
    expect((await manager.operation(data[0].id)).finishedAt).toBeNull();
    await fleet.redis!.start();
    await allIsTrueAgain('Supervisor started without Redis, then Redis is back');
    await manager.succeeded(data[0]);
    await end();
    expect(boots()).toBe(before);
  });

  it('invariants 4 and 6: both Workers begin, without a Supervisor too: each app boots in one after the other', async () => {
    const APPS = ['steady', 'changing'];
    const bootsBefore = APPS.map((name) => bootsOf(fleet, name).length);
    await Promise.all([...fleet.instances, fleet.redis!, fleet.commandRedis!].map((part) => part.kill()));
    await Promise.all(fleet.workers.map((worker) => worker.start()));
    const serves = ({ url }: Instance, name: string) =>
      ask(url, `/api/__app/${name}/app:getInfo`).then(
        ({ status }) => status === 200,
        () => false,
      );
    const allServe = async () =>
      (await Promise.all(fleet.workers.flatMap((worker) => APPS.map((name) => serves(worker, name))))).every(Boolean);
    await waitFor(allServe, { timeout: 120_000, what: 'Both apps at both Workers' });
    for (const [index, name] of APPS.entries()) {
      const [one, two, ...more] = bootsOf(fleet, name).slice(bootsBefore[index]);
      expect(new Set([one.environment, two.environment])).toEqual(new Set(['env_a', 'env_b']));
      expect(two.addedAt).toBeGreaterThanOrEqual(one.runningAt!);
      expect(more).toEqual([]);
    }
    // With the others back, that is how it stays.
    const before = boots();
    await Promise.all([fleet.redis!.start(), fleet.commandRedis!.start()]);
    await fleet.supervisor.start();
    manager = await Manager.of(fleet);
    await allIsTrueAgain('All but the Workers away, then back');
    expect(boots()).toBe(before);
  });
});
