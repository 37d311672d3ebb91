import { afterAll, beforeAll, expect, it } from 'vitest';
import { usage } from '../../bench/lib/process';
import type { Redis } from '../../scripts/fleet';
import { startRedis } from '../setup/services';
import { Echo, TestDoor, TestRoutes } from '../support/door-process';
import { until } from '../support/wait';

/** A door of 10,000 apps in 200 environments: how soon a change is in force, and what it costs. */
const PREFIX = 'size';
const APPS = 10_000;

let redis: Redis;
let echoes: Echo[];
let door: TestDoor;
let routes: TestRoutes;

beforeAll(async () => {
  redis = await startRedis();
  echoes = await Promise.all(['module', 'worker', 'other'].map((name) => new Echo(name).start()));
  routes = new TestRoutes(redis.url, PREFIX);
  const env = { APP_SUPERVISOR_REDIS_URL: redis.url, APP_SUPERVISOR_KEY_PREFIX: PREFIX };
  door = await TestDoor.make({ supervisors: [echoes[0].url], env });
  await door.start();
});
afterAll(async () => {
  routes.close();
  await door.stop();
  await Promise.all(echoes.map((echo) => echo.stop()));
  await redis.stop();
});

const environmentOf = (i: number) => `env_${i % 200}`;
const apps = Array.from({ length: APPS }, (_, i) => ({
  name: `app${i}`,
  environments: [environmentOf(i), environmentOf(i + 1)],
}));
const addresses = () => Object.fromEntries(Array.from({ length: 200 }, (_, i) => [environmentOf(i), echoes[1].url]));

interface Taken {
  /** Processor time of the feeder, and of HAProxy's master, which reads the configuration, in ms. */
  cpu: number;
  /** In ms: on a machine that does much else, it says nothing of the door. */
  wall: number;
}

/** @returns what it took until a visit of `app` was answered by `who` */
async function inForce(app: string, who: string, places = addresses()): Promise<Taken> {
  const { feeder, haproxy } = door;
  const cpu = () => usage(feeder.pid!).cpu + usage(haproxy.pid!).cpu;
  const before = cpu();
  await routes.publish(apps, places);
  const began = performance.now();
  await until(`${app} is answered by ${who}`, async () => (await door.by(`/api/x?__appName=${app}`)) === who);
  return { cpu: cpu() - before, wall: Math.round(performance.now() - began) };
}

/** Until the feeder asks for changes, and the visitor is answered, in ms. */
const BESIDE = 200;

it('a whole table and a new environment take less than 5 s of processor time, a change of an app less than 0.5 s', async () => {
  const whole = await inForce(`app${APPS - 1}`, 'worker');
  const changes: Taken[] = [];
  for (let i = 0; i < 5; i++) {
    apps[i] = { name: `app${i}`, environments: [] };
    changes.push(await inForce(`app${i}`, 'module'));
  }
  const median = changes.sort((one, other) => one.cpu - other.cpu)[2];
  apps[0] = { name: 'app0', environments: ['env_new'] };
  const added = await inForce('app0', 'other', { ...addresses(), env_new: echoes[2].url });
  const { memory } = usage(door.feeder.pid!);
  console.log({ whole, median, added, feeder: `${Math.round(memory / 2 ** 20)} MiB` });
  expect(whole.cpu).toBeLessThan(5_000 - BESIDE);
  expect(median.cpu).toBeLessThan(500 - BESIDE);
  expect(added.cpu).toBeLessThan(5_000 - BESIDE);
});
