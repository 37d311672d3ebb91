import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A pass of the control loop works on what it has read; what is asked for meanwhile must not be written over by it. */

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

/** Keeps the next pass over an app from writing what it has found, until the returned function is called. */
async function holdWrite(
  { parts: { apps, leadership } }: SupervisorProcess,
  begin: () => Promise<unknown>,
): Promise<() => void> {
  // Others write in this lead, too, such as what has happened.
  const inPass = new AsyncLocalStorage<boolean>();
  const pass = apps.reconcile.bind(apps);
  apps.reconcile = (name, uid) => inPass.run(true, () => pass(name, uid));
  const write = leadership.write.bind(leadership);
  let release = () => {};
  const released = new Promise<void>((go) => (release = go));
  // Before its transaction begins: in it, it holds locks that others wait for.
  const held = new Promise<void>((writing) => {
    leadership.write = async (work) => {
      if (!inPass.getStore()) return write(work);
      apps.reconcile = pass;
      leadership.write = write;
      writing();
      await released;
      return write(work);
    };
  });
  await begin();
  await held;
  return release;
}

it('an environment that is forgotten during a pass over an app is published nothing by it', async () => {
  const [supervisor] = await waiting();
  let id = '';
  const release = await holdWrite(supervisor, async () => {
    id = (await supervisor.parts.service.update('crm', { title: 'Sales' }, null)).id;
  });
  await supervisor.part.forget('env_a');
  // The request waits for this no longer than it has to.
  await until('Its removal', () => supervisor.part.app('crm')?.environments.length === 0);
  release();
  expect(await supervisor.ends(await supervisor.operation(id))).toBe('cancelled: env_a cancelled');
  expect(supervisor.part.app('crm')).toMatchObject({ environments: [], published: {} });
  const { progress } = await supervisor.parts.service.destroy('crm', 'drop', null);
  expect(progress).toEqual([]);
});

it('an operation that is superseded during a pass stays over', async () => {
  const [supervisor, id] = await waiting();
  const { operations, service } = supervisor.parts;
  // Its Worker is back, which is news to a pass.
  const release = await holdWrite(supervisor, () => fleet.worker('env_a'));
  // Refused while its Worker reports that it has begun to create it.
  const stop = await until('The stop to be accepted', () => service.command('crm', 'stop', null).catch(() => null));
  release();
  expect(await supervisor.ends(stop)).toBe('succeeded: env_a succeeded');
  expect(await supervisor.operation(id)).toMatchObject({ state: 'cancelled', finishedAt: expect.any(Number) });
  expect(await operations.active()).toEqual([]);
});
