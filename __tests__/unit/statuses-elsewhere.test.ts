import { beforeEach, expect, it } from 'vitest';
import { StatusesElsewhere } from '../../src/server/worker/statuses-elsewhere';
import type { StatusEntry } from '../../src/shared/messages';
import { Announcing } from '../support/announcing';
import { FakeClock } from '../support/clock';
import { entryOf } from '../support/fixtures';
import { TestStores } from '../support/stores';

let clock: FakeClock;
let stores: TestStores;
let remote: StatusesElsewhere;
let epoch: number;
let version: number;

const polls = () => stores.timesCalled('fleet.poll');
const read = async (isFresh = false) => (await remote.read(isFresh)).get('env_b')?.get('crm');

async function report(status: StatusEntry['status']): Promise<void> {
  const write = { environment: 'env_b', instance: 'one', epoch, removed: [], from: null, version: ++version };
  await stores.statuses.write({ ...write, entries: [entryOf({ status })] });
}

beforeEach(async () => {
  clock = new FakeClock();
  stores = new TestStores();
  remote = new StatusesElsewhere(stores, clock);
  version = 0;
  epoch = await new Announcing(() => stores.leases).beat('env_b');
  await report('running');
});

it('are read once for all who ask, and not again for a while', async () => {
  expect(await Promise.all(Array.from({ length: 50 }, () => read()))).toEqual(Array(50).fill('running'));
  for (let i = 0; i < 100; i++) {
    clock.pass(90);
    await read();
  }
  expect(polls()).toBe(1);
});

it('that may be old are answered with while they are read again', async () => {
  await read();
  await report('stopped');
  clock.pass(10_000);
  expect(await read()).toBe('running');
  await clock.run(0);
  expect([await read(), polls()]).toEqual(['stopped', 2]);
});

it('are read first after a time in which nobody asked, and where they have to be those of now', async () => {
  await read();
  await report('stopped');
  expect(await read(true)).toBe('stopped');
  await report('error');
  clock.pass(60_000);
  expect(await read()).toBe('error');
});

it('are unknown if they cannot be read, which is no error', async () => {
  await read();
  stores.away = true;
  expect(await read(true)).toBeUndefined();
  stores.away = false;
  expect(await read(true)).toBe('running');
});
