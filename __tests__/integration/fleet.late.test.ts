import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A tick of the driver works on what it has read; what is asked for meanwhile must not be written over by it. */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('late', { wakeUps: true });
});
afterEach(() => fleet.reset());
afterAll(() => fleet?.stop());

/** An app whose creation waits for an environment that was there once. */
async function waiting(): Promise<[SupervisorProcess, string]> {
  const [supervisor, worker] = await fleet.begin('env_a');
  await worker.stop();
  await until('env_a being down', () => supervisor.health('env_a') === 'down');
  const { id } = await supervisor.create({ name: 'crm', environments: ['env_a'] });
  await until('Its record', () => supervisor.part.app('crm')?.published.env_a);
  await until('Its waiting', async () => (await supervisor.operation(id)).waitingFor);
  return [supervisor, id];
}

/** Stops the driver's next tick right after it has read the operations, until the returned function is called. */
async function tickHeld({ parts: { operations, driver } }: SupervisorProcess): Promise<() => Promise<void>> {
  await driver.tick();
  const read = operations.active.bind(operations);
  let go!: () => void;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const hasRead = new Promise<void>((resolve) => {
    operations.active = async (...args) => {
      operations.active = read;
      const found = await read(...args);
      resolve();
      await gate;
      return found;
    };
  });
  const tick = driver.tick();
  await hasRead;
  return async () => {
    go();
    await tick;
    await driver.tick();
  };
}

it('an environment that is forgotten during a tick is published nothing by it', async () => {
  const [supervisor, id] = await waiting();
  const release = await tickHeld(supervisor);
  const forgotten = supervisor.parts.removal.takeOut('env_a');
  // As far as it gets by itself.
  await Promise.race([forgotten, new Promise((resolve) => setTimeout(resolve, 500))]);
  await release();
  await forgotten;
  expect(await supervisor.ends(await supervisor.operation(id))).toBe('cancelled: env_a cancelled');
  expect(supervisor.part.app('crm')).toMatchObject({ environments: [], published: {} });
  const { steps } = await supervisor.parts.service.destroy('crm', 'drop', null);
  expect(steps).toEqual([]);
});

it('an operation that is superseded during a tick stays over', async () => {
  const [supervisor, id] = await waiting();
  const release = await tickHeld(supervisor);
  // Its worker is back, which is news to that tick.
  const stop = await supervisor.parts.service.command('crm', 'stop', null);
  await fleet.worker('env_a');
  await until('env_a being back', () => supervisor.health('env_a') === 'online');
  await release();
  expect(await supervisor.ends(stop)).toBe('succeeded: env_a succeeded');
  expect(await supervisor.operation(id)).toMatchObject({ state: 'cancelled', finishedAt: expect.any(Number) });
  expect(await supervisor.parts.operations.active()).toEqual([]);
});
