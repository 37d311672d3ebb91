import { beforeEach, expect, it } from 'vitest';
import { FleetObserver } from '../../src/server/supervisor/fleet/observer';
import { ReachWatch } from '../../src/server/supervisor/fleet/reach-watch';
import { Announcing } from '../support/announcing';
import { FakeClock } from '../support/clock';
import { registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { TestStores } from '../support/stores';

let clock: FakeClock;
let stores: TestStores;
let observer: FleetObserver;
let watch: ReachWatch;
let changes: number;
let tried: string[];
let answers: boolean;
let announcing: Announcing;
let beats: number;

async function beat(values = {}): Promise<void> {
  await announcing.beat('env_a', { beat: ++beats, ...values });
  await observer.poll();
}

/** Its Worker beats and the Supervisor polls meanwhile. */
async function pass(seconds: number, beating = true, values = {}): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    await clock.run(1_000);
    if (beating) await beat(values);
    else await observer.poll();
  }
}

const health = () => observer.environment('env_a')?.health;

beforeEach(async () => {
  clock = new FakeClock();
  stores = new TestStores();
  announcing = new Announcing(() => stores.leases);
  changes = 0;
  tried = [];
  answers = false;
  beats = 0;
  observer = new FleetObserver(stores, clock, recordedLog(), () => null);
  const reaches = async (proxyUrl: string) => {
    tried.push(proxyUrl);
    return answers;
  };
  const addressOf = (name: string) => observer.environment(name)?.registration?.proxyUrl;
  watch = new ReachWatch({ observer, environmentCache: { addressOf }, clock, reaches });
  announcing.register(registrationOf('env_a', { proxyUrl: 'http://a:1' }));
  await beat();
  observer.changes.listen(() => changes++);
});

it('an environment that refuses a connection is suspect at once, whatever its lease says, until it answers', async () => {
  expect(health()).toBe('online');
  for (let i = 0; i < 100; i++) watch.doubt('env_a');
  expect([health(), changes, tried]).toEqual(['suspect', 1, ['http://a:1']]);
  await pass(20);
  expect([health(), changes, tried.length]).toEqual(['suspect', 1, 11]);
  answers = true;
  await pass(3);
  expect([health(), changes]).toEqual(['online', 2]);
  const { length } = tried;
  await pass(60);
  expect([tried.length, clock.waiting]).toEqual([length, 0]);
});

it('one that answers when it is checked was suspect for no time', async () => {
  answers = true;
  watch.doubt('env_a');
  await clock.run(0);
  expect([health(), changes, tried.length]).toEqual(['online', 2, 1]);
});

it('one that was refused while the store was away is still suspect when the store returns', async () => {
  watch.doubt('env_a');
  stores.away = true;
  await pass(40, false);
  expect(health()).toBe('unknown');
  stores.away = false;
  await beat();
  // The store may have kept that all the while.
  expect(health()).toBe('unknown');
  await pass(6);
  expect(health()).toBe('suspect');
  answers = true;
  await pass(3);
  expect(health()).toBe('online');
});

it('one that died is down by its lease, is not tried any longer, and is online when it comes back', async () => {
  watch.doubt('env_a');
  await pass(20, false);
  expect(health()).toBe('down');
  const { length } = tried;
  await pass(60, false);
  expect([tried.length, clock.waiting]).toEqual([length, 0]);
  await beat();
  expect(health()).toBe('online');
});

it('another process that takes it over is not doubted for what its predecessor refused', async () => {
  watch.doubt('env_a');
  await stores.fleet.forget('env_a', 1, 1);
  await observer.poll();
  await beat({ instance: 'two', registered: 2 });
  expect(health()).toBe('online');
});

it('another process that refuses a connection is doubted, too, while its predecessor is still being checked', async () => {
  watch.doubt('env_a');
  await stores.fleet.forget('env_a', 1, 1);
  await observer.poll();
  const two = { instance: 'two', registered: 2 };
  await beat(two);
  expect(watch.doubt('env_a')).toBe(true);
  expect(health()).toBe('suspect');
  await pass(20, true, two);
  expect([health(), tried.length]).toEqual(['suspect', 11]);
  answers = true;
  await pass(3, true, two);
  expect([health(), clock.waiting]).toEqual(['online', 0]);
});

it('what refuses a connection during a poll that reads its registration again is doubted after it, too', async () => {
  let goOn = () => {};
  stores.before = (method) =>
    method === 'statuses.read' ? new Promise((resolve) => (goOn = resolve)) : Promise.resolve();
  await announcing.beat('env_b');
  const polled = beat({ registered: 2 });
  await clock.run(0);
  watch.doubt('env_a');
  goOn();
  await polled;
  expect(health()).toBe('suspect');
});

it('is not asked of what is unknown, and ends with the process', async () => {
  watch.doubt('env_x');
  expect(tried).toEqual([]);
  watch.doubt('env_a');
  watch.stop();
  await pass(60);
  expect([tried.length, clock.waiting]).toEqual([1, 0]);
});
