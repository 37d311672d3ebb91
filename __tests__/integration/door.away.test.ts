import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { BOUNDS } from '../../src/server/config/bounds';
import { doorConfig } from '../../src/server/config/door';
import { type DoorFiles, filesOf } from '../../src/server/door/rules';
import { wantedOf } from '../../src/server/door/wanted';
import type { RouteSettings } from '../../src/shared/routes';
import { makeSelfSigned } from '../support/certificates';
import { PLACE, routesOf } from '../support/door';
import { ANSWERS, startWorld, type World } from '../support/door-world';
import { doorFolder, startHaproxy } from '../support/haproxy';
import { ask, bare, until } from './proxy-harness';

/** What the door does by itself: while a Supervisor or a Worker is away, and where a limit is reached. */

const started: Array<Pick<World, 'stop'>> = [];
afterEach(async () => {
  for (const world of started.splice(0)) await world.stop();
});
async function world(settings: Partial<RouteSettings> = {}, change?: (files: DoorFiles) => DoorFiles): Promise<World> {
  const begun = await startWorld(settings, change);
  started.push(begun);
  return begun;
}

const PAGE = { Host: 'main.test', Accept: 'text/html,*/*' };
const HTML = String(ANSWERS.findIndex(([, fields]) => fields.some(([, value]) => value.startsWith('text/html; '))));

/** HAProxy hears of its end from the first visitor: its own look comes too late. */
function lookingSeldom(files: DoorFiles): DoorFiles {
  const text = files['haproxy.cfg'].replace('check inter 1s fall 3', 'check inter 1h fall 3');
  expect(text).toContain('check inter 1h');
  return { ...files, 'haproxy.cfg': text };
}

async function withoutSupervisor(): Promise<World> {
  const one = await world({}, lookingSeldom);
  await one.end('supervisor');
  // The first visitor gets a page, even from the API; all later ones are told what is known.
  const { status, body } = await ask(one.door, '/api/app:getInfo', { headers: PAGE });
  expect([status, body]).toEqual([503, expect.stringContaining('The app is starting')]);
  return one;
}

describe('while no Supervisor is there', () => {
  it('main is said to start, as a page or as JSON, in the language of the visitor; apps are served', async () => {
    const { door } = await withoutSupervisor();
    const english = await ask(door, '/admin/', { headers: PAGE });
    expect([english.status, english.headers['retry-after'], english.headers['content-type']]).toEqual([
      503,
      '3',
      'text/html; charset=utf-8',
    ]);
    expect(english.body).toContain('The app is starting');
    const chinese = await ask(door, '/', { headers: { ...PAGE, 'Accept-Language': 'zh-CN,zh;q=0.9' } });
    expect(chinese.body).toContain('正在启动');
    expect((await ask(door, '/api/app:getInfo', { headers: PAGE })).code).toBe('APP_PREPARING');
    expect((await ask(door, '/api/__app/closed/app:getInfo', { headers: PAGE })).code).toBe(
      'APP_ENVIRONMENT_UNAVAILABLE',
    );
    expect((await ask(door, '/api/__app/shop/app:getInfo', { headers: PAGE })).body).toMatch(/^b GET/);
  });

  it('pages below main’s address are those of the app’s Worker, with their files, and a missing file is no page', async () => {
    const { door, atWorker } = await withoutSupervisor();
    const page = await ask(door, '/apps/shop/admin/', { headers: { ...PAGE, 'X-Id': 'page' } });
    expect(page.body).toMatch(/^b GET \/apps\/shop\/admin\/ /);
    expect(atWorker.get('page')?.fields).toContainEqual(['x-app', 'shop']);
    const Referer = 'http://main.test/apps/shop/admin/';
    const file = await ask(door, '/assets/x.js', { headers: { Host: 'main.test', Referer } });
    expect(file.body).toMatch(/^b GET \/assets/);
    const missing = await ask(door, '/assets/gone.js', { headers: { Host: 'main.test', Referer, 'X-Answer': HTML } });
    expect([missing.status, missing.body]).toEqual([404, 'Not Found']);
    expect((await ask(door, '/assets/x.js', { headers: PAGE })).status).toBe(503);
    expect((await ask(door, '/apps/closed/admin/', { headers: PAGE })).status).toBe(503);
  });

  it('visitors of an app that does not run read what is known of it, below main’s address and at its host', async () => {
    const { door } = await withoutSupervisor();
    const told = async (where: string, Host: string, more = {}) => {
      const { status, body } = await ask(door, where, { headers: { ...PAGE, Host, ...more } });
      return [status, /<h1>(.*)<\/h1>/.exec(body)?.[1]];
    };
    for (const [where, name] of [
      ['/apps/%/admin/', 'main.test'],
      ['/v/apps/%/admin/', 'main.test'],
      ['/admin/', '%.test'],
    ]) {
      const of = (app: string, more = {}) => told(where.replace('%', app), name.replace('%', app), more);
      expect(await of('halted')).toEqual([503, 'The app is stopped']);
      expect(await of('halted', { 'Accept-Language': 'zh-CN' })).toEqual([503, '该应用已停止']);
      expect(await of('closed')).toEqual([503, 'The app is unavailable right now']);
    }
    expect(await told('/apps/nosuch/admin/', 'main.test')).toEqual([404, 'There is no app at this address']);
    expect(await told('/apps/main/admin/', 'main.test')).toEqual([503, 'The app is starting']);
    const codeOf = async (app: string) => (await ask(door, `/api/__app/${app}/x:list`, { headers: PAGE })).code;
    expect([await codeOf('halted'), await codeOf('nosuch')]).toEqual(['APP_STOPPED', 'APP_NOT_FOUND']);
  });
});

/** A process whose event loop stands for 2.5 s after the first answer, with a queue for two connections. */
const BUSY = `const stand = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
const server = require('http').createServer((request, response) => {
  if (request.url === '/stand') response.once('finish', stand);
  response.end('here');
});
server.listen({ port: Number(process.argv[1]), host: '127.0.0.1', backlog: 1 }, () => console.log('ready'));`;

it('a Supervisor that is busy is waited for, although its queue is full', async () => {
  const folder = doorFolder();
  const [port, busy] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, ['-e', BUSY, String(busy)], { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push({ stop: async () => void child.kill('SIGKILL') });
  await once(child.stdout, 'data');
  const listeners = [{ address: `127.0.0.1:${port}`, certificates: null, proxyProtocol: false, redirects: false }];
  const place = { ...PLACE, folder, listeners, supervisors: [`http://127.0.0.1:${busy}`] };
  started.push(await startHaproxy(folder, lookingSeldom(filesOf(place, routesOf([], {}))), port));
  expect((await ask(port, '/stand', { headers: PAGE })).status).toBe(200);
  const visitors = Array.from({ length: 6 }, () => ask(port, '/admin/', { headers: PAGE }));
  expect((await Promise.all(visitors)).map(({ status }) => status)).toEqual(Array(6).fill(200));
});

it('before the first table no app is said not to exist', async () => {
  const folder = doorFolder();
  const port = await freePort();
  const config = doorConfig({
    APP_SUPERVISOR_REDIS_URL: 'redis://redis',
    APP_SUPERVISOR_PUBLIC_KEY: 'A'.repeat(43),
    APP_SUPERVISOR_DOOR_FOLDER: folder,
    APP_SUPERVISOR_DOOR_HTTP: `127.0.0.1:${port}`,
    APP_SUPERVISOR_DOOR_SUPERVISORS: `http://127.0.0.1:${await freePort()}`,
  });
  started.push(await startHaproxy(folder, wantedOf(config, null, new Map(), false).files, port));
  const { status, body } = await ask(port, '/apps/crm/admin/', { headers: PAGE });
  expect([status, /<h1>(.*)<\/h1>/.exec(body)?.[1]]).toEqual([503, 'The app is starting']);
});

it('a Supervisor with HTTPS is asked whether it is there, by the name in its certificate', async () => {
  const folder = doorFolder();
  makeSelfSigned(folder, 'localhost', ['localhost']);
  const authorities = path.join(folder, 'localhost.pem');
  const identity = { cert: readFileSync(authorities), key: readFileSync(path.join(folder, 'localhost.key')) };
  const names: string[] = [];
  const paths = new Set<string | undefined>();
  const SNICallback = (name: string, done: (error: null) => void) => {
    names.push(name);
    done(null);
  };
  const supervisor = https.createServer({ ...identity, SNICallback }, (req, res) => {
    paths.add(req.url);
    res.end('supervisor');
  });
  await new Promise<void>((resolve) => supervisor.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  const listeners = [{ address: `127.0.0.1:${port}`, certificates: null, proxyProtocol: false, redirects: false }];
  const supervisors = [`https://localhost:${(supervisor.address() as AddressInfo).port}`];
  const files = filesOf({ ...PLACE, folder, listeners, supervisors, authorities }, routesOf([], {}));
  started.push({ stop: async () => supervisor.close().closeAllConnections() });
  started.push(await startHaproxy(folder, files, port));
  await until('It was asked', () => paths.has('/api/__ready'));
  expect(new Set(names)).toEqual(new Set(['localhost']));
  await until('It answers', async () => (await ask(port, '/')).body === 'supervisor');
});

it('a Worker that is gone costs no visitor of an app that runs elsewhere, too', async () => {
  const { door, end } = await world();
  const headers = { Host: 'main.test' };
  expect((await ask(door, '/api/__app/crm/x:list', { headers })).body).toMatch(/^a /);
  await end('a');
  for (let i = 0; i < 20; i++) {
    const { status, headers: answered, body } = await ask(door, '/api/__app/crm/x:list', { headers });
    expect([status, answered['x-app-environment'], body.slice(0, 2)]).toEqual([200, 'b', 'b ']);
  }
});

it('what the nginx of a Worker says of its NocoBase is told as the module tells it', async () => {
  const { door, module } = await world();
  const away = String(ANSWERS.findIndex(([, fields]) => fields.some(([name]) => name === 'X-App-Supervisor-Away')));
  const headers = { Host: 'main.test', 'X-Answer': away };
  for (const port of [door, module])
    expect((await ask(port, '/api/__app/shop/x:create', { headers, method: 'POST' })).code).toBe('UPSTREAM_REFUSED');
});

describe('limits', () => {
  const bounds = { ...BOUNDS, webSocketsPerAddress: 2, webSocketsPerApp: 3, signInsPerAddress: 5 };
  const UPGRADE = (app: string, more = '') =>
    `GET /ws?__appName=${app} HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;

  it('of WebSockets count those of an address and of an app, behind a trusted proxy, too', async () => {
    const { door } = await world({ bounds, trustedProxies: ['loopback'] });
    const open = async (app: string, from: string) => {
      const socket = await bare(door);
      socket.write(UPGRADE(app, `X-Forwarded-For: ${from}, 127.0.0.1\r\n`));
      await until('an answer', () => socket.text().includes('\r\n\r\n'));
      return socket.text().slice(9, 12);
    };
    expect([await open('crm', '203.0.113.1'), await open('shop', '203.0.113.1')]).toEqual(['101', '101']);
    expect(await open('crm', '203.0.113.1')).toBe('429');
    expect([await open('crm', '2001:db8::1'), await open('crm', '2001:db8::2')]).toEqual(['101', '101']);
    expect(await open('crm', '203.0.113.9')).toBe('503');
  });

  it('of sign-ins count those of an address', async () => {
    const { door } = await world({ bounds });
    const signIn = () => ask(door, '/api/__app/crm/auth:signIn', { headers: { Host: 'main.test' }, method: 'POST' });
    for (let i = 0; i < 5; i++) expect((await signIn()).status).toBe(200);
    expect((await signIn()).code).toBe('ADDRESS_BUSY');
  });
});
