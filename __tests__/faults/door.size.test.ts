import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

/** @returns after how many ms of this call `app` was answered by `who` */
async function inForce(app: string, who: string): Promise<number> {
  const began = performance.now();
  await until(`${app} is answered by ${who}`, async () => (await door.by(`/api/x?__appName=${app}`)) === who);
  return performance.now() - began;
}

it('a whole table is in force within 5 s, a change of an app within 0.5 s, a new environment within 5 s', async () => {
  await routes.publish(apps, addresses());
  const whole = await inForce(`app${APPS - 1}`, 'worker');
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    apps[i] = { name: `app${i}`, environments: [] };
    await routes.publish(apps, addresses());
    times.push(await inForce(`app${i}`, 'module'));
  }
  const median = times.sort((one, other) => one - other)[2];
  apps[0] = { name: 'app0', environments: ['env_new'] };
  await routes.publish(apps, { ...addresses(), env_new: echoes[2].url });
  const added = await inForce('app0', 'other');
  const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${door.feeder.pid}/status`, 'utf8'))?.[1];
  const rounded = [whole, median, added].map((ms) => Math.round(ms));
  console.log(
    `whole table ${rounded[0]} ms, one app ${rounded[1]} ms, one environment ${rounded[2]} ms; feeder ${memory} kB`,
  );
  expect(whole).toBeLessThan(5_000);
  expect(median).toBeLessThan(500);
  expect(added).toBeLessThan(5_000);
});
