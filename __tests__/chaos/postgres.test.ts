import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Fleet } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { bootsOf } from '../support/boots';
import { ask } from '../support/http';
import { Manager } from '../support/manager';
import { allIsTrueAgain } from '../support/truth';

/** The one PostgreSQL of a fleet, with the data of every instance and of every app, away for longer than a lease lives. */

const AWAY = 20_000;

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('steady');
  await manager.create({ name: 'steady', environments: ['env_a', 'env_b'], startMode: 'withMain' });
});

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
});

afterAll(() => manager.clear('steady'));

it('PostgreSQL restarted: everybody lives and answers, and within 30 s everything is true again', async () => {
  const pids = () => fleet.instances.map(({ pid }) => pid);
  const before = { pids: pids(), boots: bootsOf(fleet, 'steady').length };
  const answers = new Map<string, number>();
  const visit = async (path: string) => {
    for (const { name, url } of fleet.instances) {
      // Throws unless it is answered in time, whatever the answer is.
      const { status, code } = await ask(url, `/api/__app/steady/${path}`, { timeout: 15_000 });
      const answer = `${name} ${path}: ${status} ${code ?? ''}`;
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };

  await fleet.postgres!.stop();
  for (const end = performance.now() + AWAY; performance.now() < end; await sleep(250)) {
    await visit('app:getInfo');
    await visit('systemSettings:get');
  }
  console.log([...answers].map(([answer, times]) => `${answer} (${times} times)`).join('\n'));
  await fleet.postgres!.start();
  await allIsTrueAgain(fleet, manager, ['steady'], 'PostgreSQL stopped for 20 s, then back');
  expect({ pids: pids(), boots: bootsOf(fleet, 'steady').length }).toEqual(before);
  await manager.command('restart', 'steady');
  await allIsTrueAgain(fleet, manager, ['steady'], 'An app restarted after PostgreSQL was away');
});
