import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keepAsking } from '../../scripts/chaos/requests';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { bootsOf } from '../support/boots';
import { Manager, statusIn } from '../support/manager';

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

/** Several visitors at once, through the Supervisor and at both Workers. */
function visitors() {
  const addresses = [fleet.supervisor, fleet.supervisor, fleet.supervisor, ...fleet.workers];
  const streams = addresses.map(({ name, url }) => keepAsking(name, url, 'steady'));
  return async () => {
    const seen = await Promise.all(streams.map((stream) => stream.end()));
    expect(seen.flatMap(({ failed }) => failed)).toEqual([]);
    expect(seen.every(({ asked }) => asked > 10)).toBe(true);
  };
}

const allIsTrue = (timeout = 30_000) =>
  waitFor(
    async () => {
      const [apps, environments] = await Promise.all([manager.apps(), manager.environments()]);
      const mine = apps.filter(({ name }) => name === 'steady' || name === 'changing');
      return (
        environments.every(({ health }) => health === 'online') &&
        mine.every((app) => ['env_a', 'env_b'].every((environment) => statusIn(app, environment) === 'running'))
      );
    },
    { timeout, interval: 300, what: 'Everything being shown as it is' },
  );

const boots = () => bootsOf(fleet, 'steady').length;

describe.each([['frozen for 30 s', 30_000, () => fleet.redis!.pause(), async () => fleet.redis!.resume()]] as const)(
  'the state Redis %s',
  (_, lasts, take, giveBack) => {
    it('invariant 6: nobody who visits an app notices, a change waits, and within 30 s everything is true again', async () => {
      const before = boots();
      const end = visitors();
      const taken = performance.now();
      await take();
      await manager.untilApp('steady', (app) => statusIn(app, 'env_a') === 'unknown', { what: 'unknown' });
      const { data } = await manager.api.post('apps:restart?filterByTk=changing');
      await waitFor(async () => (await manager.operation(data[0].id)).waitingFor !== null, {
        timeout: 10_000,
        what: 'Saying what it waits for',
      });
      await sleep(lasts - (performance.now() - taken));
      await giveBack();
      const back = performance.now();
      await manager.succeeded(data[0]);
      await allIsTrue(Math.max(5_000, 30_000 - (performance.now() - back)));
      await end();
      // Nothing was started anew for it.
      expect(boots()).toBe(before);
    });
  },
);

describe.each([
  ['with its data', false],
  ['without', true],
])('the state Redis restarted %s', (_, empty) => {
  it('invariant 1: everything is true again within 30 s, and no app was started anew', async () => {
    const before = boots();
    const end = visitors();
    await fleet.redis!.kill();
    if (empty) await fs.rm(path.join(fleet.home, 'redis'), { recursive: true });
    await fleet.redis!.start();
    await manager.command('restart', 'changing');
    await allIsTrue();
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
    await manager.succeeded(data[0]);
    await allIsTrue();
    await end();
    expect(boots()).toBe(before);
  });
});
