import fs from 'node:fs';
import http from 'node:http';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { DockerDriver } from '../../src/server/supervisor/containers/docker';
import type { Death } from '../../src/server/supervisor/containers/driver';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';

/** What the driver of Docker asks an engine for, which here only notes it. A real one: docker/driver.test.ts. */

const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-engine-'));
const socketPath = path.join(folder, 'socket');
const asked: { line: string; body: Buffer }[] = [];
let volumeOf: string | null = null;
/** Where the engine tells what happens. */
let events: http.ServerResponse | null = null;

const engine = http.createServer(async (req, res) => {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  asked.push({ line: `${req.method} ${req.url}`, body: Buffer.concat(chunks) });
  const answer = (status: number, json: unknown) =>
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(json));
  if (req.url?.startsWith('/containers/json')) return answer(200, []);
  if (req.url === '/images/image/json') return answer(200, { Id: 'id-1' });
  if (req.url === `/containers/${hostname()}/json`)
    return answer(200, {
      Id: `${hostname()}0123`,
      Image: 'id-1',
      Config: { Image: 'image' },
      NetworkSettings: { Networks: { bridge: {}, fleet_door: {}, fleet_nocobase: {} } },
    });
  if (req.url?.startsWith('/volumes/worker'))
    return volumeOf === null ? answer(404, {}) : answer(200, { Labels: { 'app-supervisor.fleet': volumeOf } });
  if (req.url?.startsWith('/events')) {
    events = res.writeHead(200);
    return events.flushHeaders();
  }
  if (req.url === '/containers/c1/json') return answer(200, { State: { OOMKilled: false } });
  if (req.url?.startsWith('/containers/c1/logs')) return res.end(Buffer.from('\x01\0\0\0\0\0\0\x05last\n'));
  if (req.url?.endsWith('/start')) return res.writeHead(204).end();
  return answer(req.method === 'PUT' ? 200 : 201, { Id: 'c1' });
});

beforeAll(() => new Promise<void>((resolve) => engine.listen(socketPath, resolve)));
beforeEach(() => asked.splice(0));
afterAll(() => {
  engine.close();
  engine.closeAllConnections();
  fs.rmSync(folder, { recursive: true });
});

const clock = new FakeClock();
const driverIn = (network: string | null) =>
  new DockerDriver({
    address: { socketPath },
    network,
    fleet: () => 'fleet-1',
    clock,
    log: recordedLog(),
  });
const driver = driverIn(null);
const SECRET = "of-the-environment 'quoted'";
const create = () =>
  driver.create({
    environment: 'env_c',
    name: 'worker-env-c',
    image: 'image',
    network: 'fleet',
    variables: [
      ['DB_USER', 'nocobase_worker'],
      ['DB_PASSWORD', SECRET],
    ],
    port: 17_000,
    host: '127.0.0.1',
    memory: null,
    cpus: null,
    request: '{"name":"env_c"}',
  });

it('names a container in the address of a request, and nothing else', async () => {
  await create();
  const addresses = asked.map(({ line }) => line).filter((line) => !line.startsWith('GET'));
  expect(addresses).toEqual([
    'POST /volumes/create?',
    'POST /volumes/create?',
    'POST /containers/create?name=worker-env-c',
    'PUT /containers/c1/archive?path=%2Fkeys',
    'POST /containers/c1/start',
  ]);
});

it.each([
  ['fleet_nocobase', 'fleet_nocobase'],
  ['of-others', 'of-others'],
  [null, 'fleet_door'],
])('makes Workers in the network that is named (%s), or in the Supervisor’s own: %s', async (network, expected) => {
  expect(await driverIn(network).own()).toEqual({ image: 'image', imageId: 'id-1', network: expected });
});

it('gives secrets by a file that belongs to the image’s user alone', async () => {
  await create();
  const bodyOf = (part: string) => asked.find(({ line }) => line.includes(part))!.body;
  const made = JSON.parse(String(bodyOf('/containers/create')));
  expect(made).toMatchObject({
    Cmd: ['/app/start.sh', '/keys/worker.env'],
    Env: ['DB_USER=nocobase_worker'],
    HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '17000' }] } },
    NetworkingConfig: { EndpointsConfig: { fleet: { Aliases: ['worker-env-c'] } } },
  });
  const archive = bodyOf('/archive');
  const field = (at: number, length: number) => archive.toString('latin1', at, at + length).replace(/\0.*/s, '');
  expect([field(0, 100), field(100, 8), field(108, 8), field(116, 8)]).toEqual([
    'worker.env',
    '0000400',
    '0001750',
    '0001750',
  ]);
  expect(archive.toString('utf8', 512)).toMatch(/^DB_PASSWORD='of-the-environment '\\''quoted'\\'''\n\0/);
  for (const { line, body } of asked)
    if (!line.includes('/archive')) expect(`${line}${body}`).not.toContain('of-the-environment');
});

it('uses no volume that another fleet has made, or somebody else', async () => {
  for (const owner of ['fleet-2', '']) {
    volumeOf = owner;
    await expect(create()).rejects.toMatchObject({
      code: 'VOLUME_FOREIGN',
      params: { volume: 'worker-env-c-storage' },
    });
    expect(asked.some(({ line }) => line.includes('/containers/create'))).toBe(false);
  }
  volumeOf = 'fleet-1';
  await create();
  expect(asked.some(({ line }) => line.includes('/containers/create'))).toBe(true);
  volumeOf = null;
});

it('reports what dies, also when the engine was away', async () => {
  const deaths: Death[] = [];
  const listening = async () => {
    await until('A listener', () => events !== null);
    const stream = events!;
    events = null;
    return stream;
  };
  const dies = (stream: http.ServerResponse, action: string, at: number) => {
    const Attributes = { 'app-supervisor.environment': 'env_ä', exitCode: '137' };
    const line = Buffer.from(
      `${JSON.stringify({ Action: action, Actor: { ID: 'c1', Attributes }, timeNano: at * 1e6 })}\n`,
    );
    // In the middle of a letter.
    const middle = line.indexOf('ä') + 1;
    stream.write(line.subarray(0, middle));
    return new Promise<void>((resolve) => setImmediate(() => stream.write(line.subarray(middle), () => resolve())));
  };
  const watching = driver.watch({ died: (death) => void deaths.push(death), restored: () => undefined });
  const first = await listening();
  await dies(first, 'die', 1_000);
  await until('A death', () => deaths.length === 1);
  first.destroy();
  await until('Another listener', () => {
    clock.pass(1_000);
    return events !== null;
  });
  const second = await listening();
  await dies(second, 'oom', 2_000);
  await dies(second, 'die', 2_001);
  await until('Another death', () => deaths.length === 2);
  expect(deaths).toMatchObject([
    { environment: 'env_ä', exitCode: 137, isOutOfMemory: false, lastLines: ['last'], at: 1_000 },
    { environment: 'env_ä', exitCode: 137, isOutOfMemory: true, lastLines: ['last'], at: 2_001 },
  ]);
  const closed = new Promise((resolve) => second.on('close', resolve));
  watching.close();
  await closed;
});
