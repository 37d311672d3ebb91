import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import Redis from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Redis as RedisServer } from '../../scripts/fleet';
import { startRedis } from '../setup/services';
import { Echo, TestDoor, TestRoutes, TestSocket, Visitors } from '../support/door-process';
import { allowOpenFiles } from '../support/limits';
import { until } from '../support/wait';

/** A real door before echoing Workers: what visitors notice when its parts, and what is around it, end and come back. */
const CRM = '/api/x?__appName=crm';
/** What is asked again where a Worker ends meanwhile. */
const READ = '/api/x:list?__appName=crm';
const PREFIX = 'survival';

let redis: RedisServer;
let module: Echo;
let one: Echo;
let two: Echo;
let door: TestDoor;
let routes: TestRoutes;
let sockets: TestSocket[] = [];
const running: Visitors[] = [];

beforeEach(async () => {
  redis = await startRedis({ persistent: true });
  [module, one, two] = await Promise.all(['module', 'env_a', 'env_b'].map((name) => new Echo(name).start()));
  routes = new TestRoutes(redis.url, PREFIX);
  const env = { APP_SUPERVISOR_REDIS_URL: redis.url, APP_SUPERVISOR_KEY_PREFIX: PREFIX };
  door = await TestDoor.make({ supervisors: [module.url], env });
  await routes.publish([CRM_ROUTE], { env_a: one.url, env_b: two.url });
  await door.start();
  await answers(CRM, 'env_a');
  sockets = await TestSocket.openMany(door.port, 'crm', 20);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((visitors) => visitors.end()));
  for (const socket of sockets.splice(0)) socket.close();
  routes.close();
  await door.stop();
  await Promise.all([module, one, two].map((echo) => echo.stop().catch(() => undefined)));
  await redis.stop();
});

const CRM_ROUTE = { name: 'crm', environments: ['env_a', 'env_b'] };
const answers = (path: string, by: string) =>
  until(`${by} answers`, () =>
    door.by(path).then(
      (found) => found === by,
      () => false,
    ),
  );
const visitors = (path = CRM, perSecond: number | null = null) => {
  const begun = new Visitors(`${door.url}${path}`, (by) => by === 'env_a' || by === 'env_b', { perSecond });
  running.push(begun);
  return begun;
};
/** @param more requests that have been answered meanwhile */
const goesOn = (visits: Visitors, more = 200) => {
  const from = visits.done;
  return until('Visitors are served', () => visits.done >= from + more);
};
/** A process of HAProxy that serves; a former one may still be there. */
const newest = () => {
  const file = `/proc/${door.haproxy.pid}/task/${door.haproxy.pid}/children`;
  return Number(readFileSync(file, 'utf8').trim().split(' ').at(-1));
};
/** As an operator does, who comes in the way of no reload of the feeder. */
async function reloadByHand(): Promise<void> {
  const found = () =>
    Number(readFileSync(`${door.folder}/logs/feeder.log`, 'utf8').split('runs as process ').at(-1)?.split('.')[0]);
  const before = await until('The feeder has found it', () => found() === newest() && newest());
  await door.reload();
  await until('The feeder has found another one', () => newest() !== before && found() === newest());
}
const areOpen = async () => expect(await Promise.all(sockets.map((socket) => socket.echoes()))).not.toContain(false);

it('the Supervisor ends and comes back: apps are served, and visitors of the main app are told', async () => {
  const visits = visitors();
  const { port } = module;
  await module.stop();
  await until('The Supervisor is missed', async () => (await fetch(`${door.url}/`)).status === 503);
  expect((await fetch(`${door.url}/`)).headers.get('retry-after')).not.toBeNull();
  await goesOn(visits);
  await module.start(port);
  await answers('/', 'module');
  await areOpen();
  expect(visits.failures).toEqual([]);
});

it('20 restarts and 5 upgrades of the Supervisor, with 500 requests a second and 1,000 open WebSockets: none fails', async () => {
  sockets.push(...(await TestSocket.openMany(door.port, 'crm', 1_000 - sockets.length)));
  const visits = visitors(CRM, 500);
  const began = performance.now();
  const { port } = module;
  for (let i = 0; i < 25; i++) {
    await module.stop();
    await goesOn(visits, 100);
    if (i % 5 === 4) {
      // Another one leads, and environments come and go meanwhile.
      const places = { env_a: one.url, env_b: two.url, [`env_${i}`]: two.url };
      await routes.publish([{ name: `app${i}`, environments: [`env_${i}`] }, CRM_ROUTE], places, 2 + i);
      await answers(`/api/x?__appName=app${i}`, 'env_b');
    }
    await module.start(port);
    await answers('/', 'module');
  }
  await visits.end();
  const seconds = (performance.now() - began) / 1_000;
  console.log(`${visits.done} requests, ${Math.round(visits.done / seconds)} a second; sent again: ${visits.again}`);
  expect(visits.failures).toEqual([]);
  expect(sockets.length).toBe(1_000);
  await areOpen();
});

it('the feeder is killed and started: nothing is noticed, changes go on, and so do the counts of who has open WebSockets', async () => {
  const visits = visitors();
  await door.feeder.kill();
  await goesOn(visits);
  await door.reload();
  await routes.publish([{ name: 'crm', environments: ['env_b'] }], { env_a: one.url, env_b: two.url });
  await door.feeder.start();
  await answers(CRM, 'env_b');
  await areOpen();
  expect(visits.failures).toEqual([]);
  const last = (await routes.reports())[0]?.seq ?? 0;
  await until('All WebSockets are reported', async () =>
    (await routes.reports()).some((report) => report.seq > last && report.sockets === sockets.length),
  );
});

it('HAProxy is reloaded, its master executed anew, and environments come and go', async () => {
  const visits = visitors();
  for (let i = 0; i < 10; i++) {
    const places = { env_a: one.url, env_b: two.url, ...(i % 2 ? {} : { [`env_${i}`]: two.url }) };
    await routes.publish(
      [
        { name: 'crm', environments: i % 2 ? ['env_a'] : ['env_b'] },
        { name: 'shop', environments: i % 2 ? [] : [`env_${i}`] },
      ],
      places,
    );
    await answers(CRM, i % 2 ? 'env_a' : 'env_b');
    await answers('/api/x?__appName=shop', i % 2 ? 'module' : 'env_b');
    if (i % 3 === 0) await door.reload();
  }
  await goesOn(visits);
  await areOpen();
  expect(visits.again).toBe(0);
  expect(visits.failures).toEqual([]);
});

it('HAProxy is reloaded again and again: each request is counted once', async () => {
  const apps = [CRM_ROUTE, { name: 'shop', environments: ['env_a'] }];
  const places = (more: string[]) => ({
    env_b: two.url,
    ...Object.fromEntries(['env_a', ...more].map((name) => [name, one.url])),
  });
  // Needs no reload: a former process, which may still take connections, would leave the first visits to the Supervisor.
  await routes.publish(apps, places([]));
  await answers('/api/x?__appName=shop', 'env_a');
  const visits = visitors('/api/x?__appName=shop');
  for (let i = 0; i < 6; i++) {
    await routes.publish([...apps, { name: `app${i}`, environments: [`env_${i}`] }], places([`env_${i}`]));
    await answers(`/api/x?__appName=app${i}`, 'env_a');
    await goesOn(visits);
    if (i % 3 === 0) await reloadByHand();
  }
  await visits.end();
  expect(visits.failures).toEqual([]);
  expect(visits.again).toBe(0);
  // And the one that found it there.
  const asked = visits.done + 1;
  const counted = await until('All are reported', async () => {
    const [report] = await routes.reports();
    const count = report?.apps['uid-shop']?.[0] ?? 0;
    return count >= asked && { count, sockets: report.sockets };
  });
  expect(counted).toEqual({ count: asked, sockets: sockets.length });
});

it('HAProxy is killed: what was under way ends, and it serves again from what is on disk, without the feeder', async () => {
  await door.feeder.kill();
  await door.haproxy.kill();
  await door.haproxy.start();
  const visits = visitors();
  await goesOn(visits);
  expect(visits.failures).toEqual([]);
  await door.feeder.start();
  await routes.publish([{ name: 'crm', environments: ['env_b'] }], { env_a: one.url, env_b: two.url });
  await answers(CRM, 'env_b');
});

it('a process of HAProxy is killed: its master ends, too, and both are found again', async () => {
  // 0 would be the group of this process.
  const child = await until('It has a process', newest);
  process.kill(child, 'SIGKILL');
  await until('HAProxy has ended', () => !door.haproxy.running);
  await door.haproxy.start();
  await answers(CRM, 'env_a');
  await routes.publish([{ name: 'crm', environments: ['env_b'] }], { env_a: one.url, env_b: two.url });
  await answers(CRM, 'env_b');
});

it('Redis is away, and comes back as an older copy: what is in force stays, until there is something newer', async () => {
  const admin = new Redis(redis.url);
  admin.on('error', () => undefined);
  const before = await admin.dumpBuffer(`${PREFIX}:routes`);
  await routes.publish([{ name: 'crm', environments: ['env_b'] }], { env_a: one.url, env_b: two.url });
  await answers(CRM, 'env_b');
  const visits = visitors();
  await redis.kill();
  await goesOn(visits);
  await redis.start();
  await until('Redis has the older copy', () =>
    admin.restore(`${PREFIX}:routes`, 0, before, 'REPLACE').then(
      () => true,
      () => false,
    ),
  );
  // The feeder has read the older copy many times.
  await goesOn(visits, 2_000);
  expect(await door.by(CRM)).toBe('env_b');
  await door.feeder.kill();
  await door.feeder.start();
  await goesOn(visits, 2_000);
  expect(await door.by(CRM)).toBe('env_b');
  await routes.publish([{ name: 'crm', environments: ['env_a'] }], { env_a: one.url, env_b: two.url });
  await answers(CRM, 'env_a');
  await areOpen();
  expect(visits.failures).toEqual([]);
  admin.disconnect();
});

it('all is away and started anew: apps are served from what is on disk, without Supervisor and Redis', async () => {
  await until('The table is on disk', () => existsSync(`${door.folder}/table.json`));
  await Promise.all([door.feeder.kill(), door.haproxy.kill(), redis.kill(), module.stop()]);
  await door.start();
  const visits = visitors();
  await goesOn(visits);
  expect(visits.failures).toEqual([]);
});

it('a Worker ends and refuses connections: visitors of apps that run elsewhere, too, are served there, all of them', async () => {
  const visits = visitors(READ);
  await goesOn(visits);
  const { port } = one;
  for (const socket of sockets) socket.close();
  await one.leave();
  await answers(CRM, 'env_b');
  await goesOn(visits);
  await one.start(port);
  await answers(CRM, 'env_a');
  await visits.end();
  console.log(`the longest answer took ${Math.round(visits.slowest)} ms; sent again: ${visits.again}`);
  // A second, and what a loaded machine adds.
  expect(visits.slowest).toBeLessThan(10_000);
  expect(visits.failures).toEqual([]);
});

it('a Worker is killed: it is left within 2 s, and no read of an app that runs elsewhere, too, fails', async () => {
  const apps = [
    { name: 'crm', environments: ['env_a', 'env_b'] },
    { name: 'shop', environments: ['env_a'] },
  ];
  await routes.publish(apps, { env_a: one.url, env_b: two.url });
  const shop = '/api/x?__appName=shop';
  await answers(shop, 'env_a');
  const visits = visitors(READ);
  await goesOn(visits);
  await one.stop();
  const began = performance.now();
  let left = 0;
  await until('The Supervisor is asked', async () => {
    left = performance.now() - began;
    return (await door.by(shop).catch(() => '')) === 'module';
  });
  await goesOn(visits);
  console.log(`left after ${Math.round(left)} ms; the longest answer took ${Math.round(visits.slowest)} ms`);
  expect(left).toBeLessThan(2_000);
  expect(visits.failures).toEqual([]);
});

it('10,000 silent connections, or as many as open files are allowed, endless headers, slow clients and a slow Worker: others are served, and memory stays', async () => {
  // HAProxy, which has been started with fewer, may have as many as this process at its next start.
  const silent = Math.min(10_000, Math.floor(allowOpenFiles(process.pid, 40_000) / 2) - 1_000);
  expect(silent).toBeGreaterThan(1_000);
  await door.haproxy.stop();
  await door.haproxy.start();
  await answers(CRM, 'env_a');
  const hostile: net.Socket[] = [];
  const open = (text: string) =>
    new Promise<net.Socket>((resolve, reject) => {
      const socket = net.connect(door.port, '127.0.0.1', () => {
        socket.write(text);
        resolve(socket);
      });
      socket.once('error', reject).on('error', () => undefined);
      hostile.push(socket);
    });
  const many = async (count: number, text: string) => {
    for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: 100 }, () => open(text)));
  };
  const visits = visitors();
  await goesOn(visits);
  const quiet = memoryOf(door.haproxy.pid!);
  await many(silent, '');
  await many(100, 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  // They take nothing of their answer, or wait for one.
  const asking = (what: string) => `GET ${CRM}&${what} HTTP/1.1\r\nHost: x\r\n\r\n`;
  await many(100, asking('big'));
  await many(100, asking('silence'));
  const headers = await open('GET / HTTP/1.1\r\nHost: x\r\n');
  const more = setInterval(() => headers.write(`X-${Math.random()}: ${'y'.repeat(1_000)}\r\n`), 1);
  await goesOn(visits);
  const before = memoryOf(door.haproxy.pid!);
  await goesOn(visits, 3_000);
  const after = memoryOf(door.haproxy.pid!);
  clearInterval(more);
  for (const socket of hostile) socket.destroy();
  console.log(
    `HAProxy has ${quiet} kB, with ${silent} silent connections and 301 others ${before} kB, later ${after} kB`,
  );
  expect(after).toBeLessThan(before * 1.1 + 5_000);
  expect(visits.failures).toEqual([]);
});

/** Resident memory of all its processes, in kB. */
function memoryOf(master: number): number {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return [master, ...children]
    .map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0))
    .reduce((sum, kB) => sum + kB, 0);
}
