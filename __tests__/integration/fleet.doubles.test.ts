import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { failed, type Message, say, verbatim } from '../../src/shared/message';
import type { SimulatedWorker } from '../support/simulated-worker';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** Workers that are not as they should be, before a real Supervisor: slow, silent, wrong, dead, or behind. */

let fleet: SmallFleet;
let supervisor: SupervisorProcess;
const workers: SimulatedWorker[] = [];

beforeAll(async () => {
  fleet = await SmallFleet.start('doubles', { wakeUps: true });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.die()));
  await fleet.reset();
});
afterAll(() => fleet?.stop());

async function begin(environment = 'env_a'): Promise<SimulatedWorker> {
  supervisor = await fleet.supervisor();
  await until('The lead', () => supervisor.leads);
  return play(environment);
}

async function play(environment: string): Promise<SimulatedWorker> {
  const worker = await fleet.simulatedWorker(environment);
  workers.push(worker);
  await until(`${environment} online`, () => supervisor.health(environment) === 'online');
  return worker;
}

const waitsFor = (id: string, what: Message) => until(`Waiting for ${what.code}`, () => supervisor.waitsFor(id, what));
/** Several rounds in which nothing may come of it. */
const goesOn = async (id: string) => {
  for (let round = 0; round < 5; round++) {
    await supervisor.parts.observer.poll();
    await supervisor.reconcile('crm');
    expect(await supervisor.operation(id)).toMatchObject({ state: 'running', finishedAt: null });
  }
};

it('one that is slow is waited for, and what it says meanwhile is passed on', async () => {
  const worker = await begin();
  const operation = await supervisor.create({ name: 'crm', environments: ['env_a'] });
  const record = await worker.record('crm');
  const busy = { generation: 0, begun: record.generation, doing: 'create', status: 'initializing' } as const;
  for (const text of ['Looking for its database.', 'Installing.', 'Installing still.']) {
    const message = verbatim(text);
    await worker.report(record, { ...busy, message });
    await until(text, async () =>
      isDeepStrictEqual(
        supervisor.parts.view.operationRow(await supervisor.operation(operation.id)).progress[0].message,
        message,
      ),
    );
    await until('Nothing to be waited for', async () => (await supervisor.operation(operation.id)).waitingFor === null);
    expect(await supervisor.operation(operation.id)).toMatchObject({ state: 'running' });
  }
  // What it has begun is not to be cut off.
  await expect(supervisor.parts.service.command('crm', 'stop', '1')).rejects.toMatchObject({ code: 'OPERATION_BEGUN' });
  await worker.report(record, { status: 'running' });
  expect(await supervisor.ends(operation)).toBe('succeeded: env_a succeeded');
});

it('one that never answers is waited for by name, holds up no other, and can be given up', async () => {
  await begin();
  const able = await play('env_b');
  const unheard = await supervisor.create({ name: 'crm', environments: ['env_a'] });
  const heard = await supervisor.create({ name: 'shop', environments: ['env_b'] });
  await able.report(await able.record('shop'), { status: 'running' });
  expect(await supervisor.ends(heard)).toBe('succeeded: env_b succeeded');
  await waitsFor(unheard.id, say('WAITS_FOR_BEGIN', { environment: 'env_a' }));
  await goesOn(unheard.id);
  await supervisor.parts.service.cancel(unheard.id);
  expect(await supervisor.ends(unheard)).toBe('cancelled: env_a cancelled');
});

it('one that answers wrong is not believed', async () => {
  const worker = await begin();
  const operation = await supervisor.create({ name: 'crm', environments: ['env_a'] });
  const record = await worker.record('crm');
  // Of another incarnation of the app.
  await worker.report(record, { uid: 'another', status: 'running' });
  await goesOn(operation.id);
  // What is no status at all, and what is no JSON.
  await worker.report(record, { status: 'splendid' as never });
  await goesOn(operation.id);
  await fleet.onRedis(async (redis) => {
    await redis.hset(fleet.keys().statuses('env_a'), 'crm', '{"name": "crm", ');
    await redis.incrby(fleet.keys().version('env_a'), 1_000);
  });
  await goesOn(operation.id);
  await worker.connection.bus!.serve('env_a', { logs: async () => 'no list of lines' });
  const app = supervisor.part.app('crm')!;
  await until('Its answer', () =>
    supervisor.parts.requests.logs(app, 'env_a', 10).then(
      () => expect.unreachable(),
      ({ code, message }) => code === 'WORKER_FAILED' && message.includes('is not valid'),
    ),
  );
  // Right after all.
  await worker.report(record, { status: 'running' });
  expect(await supervisor.ends(operation)).toBe('succeeded: env_a succeeded');
});

it('one that claims an app and dies is missed, and whoever comes in its place ends the work', async () => {
  const worker = await begin();
  const operation = await supervisor.create({ name: 'crm', environments: ['env_a'] });
  const record = await worker.record('crm');
  await worker.report(record, { generation: 0, begun: record.generation, doing: 'create', status: 'initializing' });
  await until('Its begin', async () => (await supervisor.operation(operation.id)).progress[0].startedAt !== undefined);
  await worker.die();
  await until('Its end', () => supervisor.health('env_a') === 'down');
  await supervisor.toShow('crm', 'env_a unknown');
  await waitsFor(operation.id, say('WAITS_FOR_RETURN', { environment: 'env_a' }));
  // Its word died with it: it is in nobody's way.
  const stop = await supervisor.parts.service.command('crm', 'stop', '1');
  const start = await supervisor.parts.service.command('crm', 'start', '1');
  const real = await fleet.worker('env_a');
  expect(await supervisor.ends(start)).toBe('succeeded: env_a succeeded');
  expect((await supervisor.operation(stop.id)).state).toBe('cancelled');
  expect(real.runs).toEqual(['crm']);
});

it('one that reports an old generation has not done what came since', async () => {
  const worker = await begin();
  await supervisor.ends(
    await (async () => {
      const operation = await supervisor.create({ name: 'crm', environments: ['env_a'] });
      await worker.report(await worker.record('crm'), { status: 'running' });
      return operation;
    })(),
  );
  const old = await worker.record('crm');
  const restart = await supervisor.parts.service.command('crm', 'restart', '1');
  // Between the two may be one that says only that it has its database now.
  const record = await worker.record('crm', ({ boot }) => boot.generation > old.boot.generation);
  await worker.report(old, { status: 'running', message: verbatim('As before.') });
  await goesOn(restart.id);
  await worker.report(old, { status: 'error', error: failed('Of an older start.') });
  await goesOn(restart.id);
  await worker.report(record, { status: 'running' });
  expect(await supervisor.ends(restart)).toBe('succeeded: env_a succeeded');
});
