import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort, type Redis } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { doorConfig } from '../../src/server/config/door';
import { systemRandom } from '../../src/server/core/system';
import { Feeder } from '../../src/server/door/feeder';
import { CONFIGURATION } from '../../src/server/door/rules';
import { doorTroubles, isUncertified } from '../../src/server/supervisor/fleet/door-troubles';
import type { DoorReport } from '../../src/shared/door-report';
import { startRedis } from '../setup/services';
import { makeSelfSigned } from '../support/certificates';
import { Echo, TestDoor, TestRoutes, TestSocket, tlsAnswer } from '../support/door-process';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';

/** HTTPS and HTTP/2 as visitors have them, with certificates of openssl in a folder that changes. The tests follow one another. */
const PREFIX = 'tls';
const CRM = '/api/x?__appName=crm';

let redis: Redis;
let module: Echo;
let worker: Echo;
let routes: TestRoutes;
let door: TestDoor;
let feeder: Feeder;
let certificates: string;
let https: number;

beforeAll(async () => {
  redis = await startRedis();
  [module, worker] = await Promise.all(['module', 'env_a'].map((name) => new Echo(name).start()));
  routes = new TestRoutes(redis.url, PREFIX);
  await routes.publish([{ name: 'crm', environments: ['env_a'] }], { env_a: worker.url });
  https = await freePort();
  door = await TestDoor.make({ supervisors: [module.url] });
  certificates = path.join(door.folder, 'of-the-operator');
  mkdirSync(certificates);
  make('b-crm', ['crm.example.com']);
  make('a-main', ['main.example.com', '*.apps.example.com']);
  const config = doorConfig({
    ...door.env,
    APP_SUPERVISOR_DOOR_FOLDER: door.folder,
    APP_SUPERVISOR_REDIS_URL: redis.url,
    APP_SUPERVISOR_KEY_PREFIX: PREFIX,
    APP_SUPERVISOR_DOOR_HTTPS: `127.0.0.1:${https}`,
    APP_SUPERVISOR_DOOR_CERTIFICATES: certificates,
    APP_SUPERVISOR_DOOR_REDIRECT: 'true',
    // More than most systems allow: it has as many as there are.
    APP_SUPERVISOR_DOOR_CONNECTIONS: '600000',
  });
  feeder = new Feeder(config, '1.0.0', recordedLog(), systemClock, systemRandom);
  feeder.start();
  await until('HAProxy has something to read', () => existsSync(path.join(door.folder, CONFIGURATION)));
  await door.haproxy.start();
});
afterAll(async () => {
  await feeder?.stop();
  routes?.close();
  await door?.stop();
  await Promise.all([module, worker].map((echo) => echo?.stop()));
  await redis?.stop();
});

const make = (file: string, names: string[], days: [number, number] = [-1, 90]) =>
  makeSelfSigned(certificates, file, names, days);
const remove = (file: string) => {
  for (const end of ['pem', 'key']) rmSync(path.join(certificates, `${file}.${end}`));
};

const shake = (servername: string, protocols?: string[]) => tlsAnswer(https, servername, protocols);

/** What the door tells the Supervisor, once it is so. */
const reported = (what: string, isSo: (report: DoorReport) => boolean) =>
  until(what, async () => (await routes.reports()).find(isSo));
const problemOf = ({ certificates: found }: DoorReport, file: string) =>
  found.find((certificate) => certificate.file === `${file}.pem`)?.problem;
const seen = (report: DoorReport) => [{ report, rates: null, isSilent: false, seenAt: 0 }];
const troubles = (report: DoorReport, domain: string) =>
  doorTroubles(
    seen(report),
    { expected: 1, leaving: 0 },
    [{ name: 'crm', uid: 'u', domain }],
    new Set(),
    Date.now(),
  ).map(({ message: { code, params } }) => `${code} ${params?.file ?? params?.domain}`);

it('gives each name its certificate, and any other name the first one', async () => {
  expect((await shake('crm.example.com')).subject).toBe('b-crm');
  for (const name of ['main.example.com', 'one.apps.example.com', 'unknown.example.com'])
    expect((await shake(name)).subject).toBe('a-main');
});

it('speaks HTTP/2 and HTTP/1.1 at one address, as the visitor’s client offers', async () => {
  expect((await shake('crm.example.com', ['h2', 'http/1.1'])).alpnProtocol).toBe('h2');
  expect((await shake('crm.example.com', ['http/1.1'])).alpnProtocol).toBe('http/1.1');
  const answer = await until('The routes are in force', async () => {
    const found = await byHttp2(CRM);
    return found.by === 'env_a' ? found : null;
  });
  expect(answer.proto).toBe('https');
  expect(await byHttp2('/')).toMatchObject({ by: 'module', proto: 'https' });
  const socket = await TestSocket.open(https, 'crm', 'crm.example.com');
  expect(await socket.echoes()).toBe(true);
  socket.close();
});

async function byHttp2(target: string): Promise<{ by: string; proto: string }> {
  const session = http2.connect(`https://127.0.0.1:${https}`, { rejectUnauthorized: false });
  const stream = session.request({ ':path': target, ':authority': 'crm.example.com' });
  stream.setEncoding('utf8');
  let text = '';
  for await (const part of stream) text += part;
  session.destroy();
  return JSON.parse(text);
}

it.each(['crm.example.com', 'crm.example.com:8080', '[::1]:8080'])('leads http://%s to HTTPS', async (host) => {
  const url = `${door.url}/admin/x?y=%20z`;
  const { statusCode, headers } = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(url, { headers: { host }, agent: false }, resolve).once('error', reject);
  });
  // The port of HTTP is not that of HTTPS.
  const name = host.replace(/:8080$/, '');
  expect([statusCode, headers.location]).toEqual([308, `https://${name}:${https}/admin/x?y=%20z`]);
});

it('uses a new certificate and a renewed one, and closes no connection for them', async () => {
  const socket = await TestSocket.open(https, 'crm', 'crm.example.com');
  const { serialNumber } = await shake('main.example.com');
  make('c-shop', ['shop.example.com']);
  await until('The new one is used', async () => (await shake('shop.example.com')).subject === 'c-shop');
  make('a-main', ['main.example.com']);
  await until('The renewed one is used', async () => (await shake('main.example.com')).serialNumber !== serialNumber);
  expect(await socket.echoes()).toBe(true);
  socket.close();
});

it('names one that is expired, not valid yet, or has the key of another one, and uses the others', async () => {
  make('d-expired', ['expired.example.com'], [-5, -1]);
  make('e-early', ['early.example.com'], [1, 5]);
  makeSelfSigned(door.folder, 'f-mixed', ['mixed.example.com']);
  copyFileSync(path.join(certificates, 'a-main.key'), path.join(certificates, 'f-mixed.key'));
  copyFileSync(path.join(door.folder, 'f-mixed.pem'), path.join(certificates, 'f-mixed.pem'));
  make('g-good', ['good.example.com']);
  await until('The good one is used', async () => (await shake('good.example.com')).subject === 'g-good');
  const report = await reported('All are named', (each) => problemOf(each, 'g-good') === null);
  expect(['d-expired', 'e-early', 'f-mixed'].map((file) => problemOf(report, file))).toEqual([
    'expired',
    'notYetValid',
    'keyDiffers',
  ]);
  for (const name of ['expired', 'early', 'mixed']) expect((await shake(`${name}.example.com`)).subject).toBe('a-main');
  expect(troubles(report, 'good.example.com').sort()).toEqual([
    'CERTIFICATE_EXPIRED d-expired.pem',
    'CERTIFICATE_KEY_DIFFERS f-mixed.pem',
    'CERTIFICATE_NOT_YET_VALID e-early.pem',
  ]);
});

it('names the domain of an app that has no certificate, among problems and on its page', async () => {
  const report = await reported('It is told', (each) => problemOf(each, 'g-good') === null);
  for (const name of ['early', 'expired', 'mixed', 'none', 'one.two'])
    expect(troubles(report, `${name}.example.com`)).toContain(`DOMAIN_UNCERTIFIED ${name}.example.com`);
  // What an app's page asks.
  expect(isUncertified(seen(report), 'none.example.com')).toBe(true);
  for (const name of ['crm', 'good', 'shop']) expect(isUncertified(seen(report), `${name}.example.com`)).toBe(false);
});

it('keeps HTTPS where the folder was emptied, and says so', async () => {
  for (const file of ['a-main', 'b-crm', 'c-shop', 'd-expired', 'e-early', 'f-mixed', 'g-good']) remove(file);
  const report = await reported('It is told', (each) => problemOf(each, 'b-crm') === 'unreadable');
  expect((await shake('crm.example.com')).subject).toBe('b-crm');
  expect(troubles(report, 'crm.example.com').sort()).toEqual(
    ['a-main', 'b-crm', 'c-shop', 'g-good'].map((file) => `CERTIFICATE_UNREADABLE ${file}.pem`),
  );
  // HAProxy that is started again has them, too.
  await door.haproxy.kill();
  await door.haproxy.start();
  expect((await shake('crm.example.com')).subject).toBe('b-crm');
});
