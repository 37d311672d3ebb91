import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Redis as RedisServer } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { DoorLink } from '../../src/server/protocol/door-link';
import { fleetKeyOf, publicKeyOf } from '../../src/server/protocol/keyring';
import { type RouteSource, RoutesWriter } from '../../src/server/protocol/published-routes';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import type { AppRoute } from '../../src/shared/routes';
import { startRedis } from '../setup/services';
import { FLEET_SECRET, testEnvelope } from '../support/envelope';
import { routeSettingsOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';

/** How soon a door has the routes of a large fleet, on a real Redis. */

const APPS = 10_000;
const ENVIRONMENTS = 200;
/** How often a door asks, in ms. */
const ASKS = 200;
/** Ms until a door has the whole table, and one change of it. */
const WHOLE = 5_000;
const CHANGE = 500;

let server: RedisServer;
let stores: RedisStores;
let link: DoorLink;
beforeAll(async () => {
  server = await startRedis();
  const prefix = `routes-${randomUUID()}`;
  const log = recordedLog();
  stores = new RedisStores(server.url, new Keys(prefix), testEnvelope(), log, systemRandom, systemClock);
  const publicKey = publicKeyOf(fleetKeyOf(FLEET_SECRET));
  link = new DoorLink({ address: server.url, prefix, publicKey, kept: null, log, clock: systemClock });
  stores.open();
  link.open();
  await until('Redis', () =>
    stores.routes.count().then(
      () => true,
      () => false,
    ),
  );
  await until('The door', () =>
    link.routes.read().then(
      () => true,
      () => false,
    ),
  );
});
afterAll(async () => {
  link?.close();
  await stores?.close();
  await server?.stop();
});

it(`of ${APPS} apps and ${ENVIRONMENTS} environments a door has all in ${WHOLE} ms, and a change in ${CHANGE}`, async () => {
  const environments = Array.from({ length: ENVIRONMENTS }, (_, i) => ({
    name: `env_${i}`,
    url: `http://worker_${i}`,
  }));
  const apps = new Map<string, AppRoute>();
  for (let i = 0; i < APPS; i++) {
    const [name, uid] = [`app${i}`, randomUUID()];
    apps.set(name, {
      uid,
      name,
      hosts: [`${name}.apps.example.com`],
      environments: [`env_${i % ENVIRONMENTS}`],
      stopped: false,
      signIn: false,
    });
  }
  const source: RouteSource = {
    keys: () => apps.keys(),
    get: (name) => apps.get(name),
    environments: () => environments,
  };
  const writer = new RoutesWriter(stores.routes, routeSettingsOf(), systemClock);
  const since = (begin: number) => Math.round(performance.now() - begin);

  let begin = performance.now();
  let cpu = process.cpuUsage();
  await writer.publish(source, 1);
  const written = since(begin);
  await link.routes.read();
  const whole = since(begin);
  const wholeCpu = process.cpuUsage(cpu);
  expect([link.routes.routes?.apps.size, link.routes.routes?.environments.size]).toEqual([APPS, ENVIRONMENTS]);

  const changes: number[] = [];
  cpu = process.cpuUsage();
  for (let i = 0; i < 20; i++) {
    const app = apps.get(`app${i}`)!;
    const changed = { ...app, environments: [] };
    apps.set(app.name, changed);
    begin = performance.now();
    writer.note([app.name]);
    await writer.publish(source, 1);
    for (;;) {
      // As a door does, at its worst: it has just asked.
      await systemClock.sleep(ASKS);
      if ((await link.routes.read()) === 'changed') break;
    }
    changes.push(since(begin));
    expect(link.routes.routes?.apps.get(app.uid)?.environments).toEqual([]);
  }
  const ms = ({ user, system }: NodeJS.CpuUsage) => Math.round((user + system) / 1_000);
  changes.sort((one, other) => one - other);
  console.info(
    `Whole table: written in ${written} ms, read in ${whole} ms, CPU of both ${ms(wholeCpu)} ms. One change: median ${changes[10]} ms, worst ${changes[19]} ms, ` +
      `of which a door waits ${ASKS} ms; CPU of both ${ms(process.cpuUsage(cpu)) / 20} ms.`,
  );
  // The time that passes says how busy the machine is; what it takes is the work of both, one after the other.
  expect(ms(wholeCpu)).toBeLessThan(WHOLE);
  expect(changes[10]).toBeLessThan(CHANGE);
});
