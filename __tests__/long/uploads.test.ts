import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, HOST, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager } from '../support/manager';
import { read, signInAt, upload } from '../support/uploads';

/** Files that visitors have uploaded, and their app that moves between two Workers with disks of their own. */

let fleet: Fleet;
let manager: Manager;
const LONG = 400_000;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('album');
  await manager.create({ name: 'album', environments: ['env_a'], startMode: 'withMain' });
}, LONG);
afterAll(async () => {
  await fleet?.heal();
  await manager?.clear('album');
}, LONG);

const at = () => fleet.supervisor.url;
const uploadTo = async (name: string, content = name) =>
  upload(at(), 'album', await signInAt(at(), 'album'), { name, content });
const readOf = async (url: string) => {
  const { Cookie } = await signInAt(at(), 'album');
  const { status, text } = await read(at(), url, { Cookie });
  return status === 200 ? text : status;
};
/** Those that the test has uploaded: each app has its logo, too. */
const filesIn = (environment: string) => {
  const folder = path.join(fleet.worker(environment).storage, 'apps/album/uploads');
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return names.flatMap((name) => (name.endsWith('.txt') ? name.replace(/-\w+(?=\.)/, '') : [])).sort();
};
const move = async (from: string, to: string) => {
  const { data } = await manager.api.post(`apps:move?filterByTk=album`, { from, to });
  expect(data.refused).toEqual([]);
  return data.operations[0] as { id: string };
};
const isIn = (environment: string) =>
  manager.untilApp(
    'album',
    (app) =>
      app.environments.join() === environment && app.statuses[environment]?.status === 'running' && !app.operation,
    { timeout: 180_000, what: `running in ${environment}` },
  );

it('come along, and home again with what was made and deleted meanwhile', { timeout: LONG }, async () => {
  const before = await uploadTo('before.txt', 'Made before the move');
  const gone = await uploadTo('gone.txt');
  await move('env_a', 'env_b');
  await isIn('env_b');
  expect(filesIn('env_b')).toEqual(['before.txt', 'gone.txt']);
  expect(await readOf(before)).toBe('Made before the move');
  const there = await uploadTo('there.txt');
  const { token } = await signInAt(at(), 'album');
  const id = /(\d+)\.\w+$/.exec(gone)![1];
  await fetch(`${at()}/api/attachments:destroy?filterByTk=${id}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'X-App': 'album' },
  });
  expect(filesIn('env_b')).toEqual(['before.txt', 'there.txt']);
  await move('env_b', 'env_a');
  await isIn('env_a');
  expect(filesIn('env_a')).toEqual(['before.txt', 'there.txt']);
  expect(await readOf(there)).toBe('there.txt');
  expect(await readOf(before)).toBe('Made before the move');
  await manager.untilApp('album', ({ warnings }) => warnings.length === 0, { what: 'without warnings' });
});

it('that a Worker which is down has follow when it is back', { timeout: LONG }, async () => {
  const home = fleet.worker('env_a');
  const old = await uploadTo('old.txt', 'Made before');
  await home.kill();
  await manager.untilEnvironment('env_a', ({ health }) => health === 'down', { timeout: 60_000, what: 'down' });
  await move('env_a', 'env_b');
  await isIn('env_b');
  const meanwhile = await uploadTo('meanwhile.txt', 'Made meanwhile');
  expect(await readOf(old)).toBe(404);
  const row = await manager.untilApp('album', ({ warnings }) => warnings.length > 0, { what: 'with a warning' });
  expect(row.warnings).toMatchObject([{ code: 'UPLOADS_ELSEWHERE', params: { environment: 'env_a' } }]);
  await home.start();
  await waitFor(async () => (await readOf(old)) === 'Made before', { timeout: 180_000, what: 'the old file' });
  expect(await readOf(meanwhile)).toBe('Made meanwhile');
  await manager.untilApp('album', ({ warnings }) => warnings.length === 0, { what: 'without warnings' });
});

/** What stands before a server: each of its answers passes with so many bytes a second. */
async function slowDoor(to: number, rate: number) {
  let passed = 0;
  const server = createServer((client) => {
    const upstream = connect(to, HOST);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream);
    upstream.on('data', (data) => {
      passed += data.length;
      client.write(data);
      upstream.pause();
      setTimeout(() => upstream.resume(), (1_000 * data.length) / rate);
    });
    upstream.on('end', () => client.end());
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  return { url, passed: () => passed, close: () => server.close() };
}

describe('of which there are many', () => {
  const MB = 1024 ** 2;
  const FILES = 50;
  const home = () => fleet.worker('env_a');
  const place = (environment: string, name: string) =>
    path.join(fleet.worker(environment).storage, 'apps/album/uploads', name);
  const contents = new Map<string, Buffer>();
  let door: Awaited<ReturnType<typeof slowDoor>>;

  beforeAll(async () => {
    await isIn((await manager.app('album')).environments[0]);
    if ((await manager.app('album')).environments[0] !== 'env_a') await manager.succeeded(await move('env_b', 'env_a'));
    door = await slowDoor(home().port, 1.5 * MB);
    await home().restartWith({ ENVIRONMENT_PROXY_URL: door.url });
    await manager.confirmAddress('env_a', door.url);
    await isIn('env_a');
    for (let i = 0; i < FILES; i++) {
      const name = `many-${i}.bin`;
      contents.set(name, randomBytes(MB));
      fs.writeFileSync(place('env_a', name), contents.get(name)!);
    }
  }, LONG);
  afterAll(async () => {
    door?.close();
    await home().restartWith({ ENVIRONMENT_PROXY_URL: '' });
  }, LONG);

  it('are copied while it is served, and what came meanwhile when it has ended', { timeout: LONG }, async () => {
    const answers: Array<{ at: number; status: number }> = [];
    const visits = setInterval(async () => {
      const { status } = await ask(at(), '/api/__app/album/app:getInfo').catch(() => ({ status: 0 }));
      answers.push({ at: Date.now(), status });
    }, 100);
    try {
      const began = Date.now();
      const { id } = await move('env_a', 'env_b');
      const row = await manager.untilApp(
        'album',
        ({ operation }) =>
          operation?.progress.some(
            ({ message }) => Number(message?.params?.percent) >= 50 && message?.code === 'COPYING_UPLOADS',
          ) ?? false,
        { what: 'half copied' },
      );
      expect(row.environments).toEqual(['env_a']);
      expect(Object.entries(row.statuses).map(([name, { status }]) => [name, status])).toEqual([['env_a', 'running']]);
      const late = await uploadTo('late.txt', 'Made during the copy');
      contents.set('many-0.bin', randomBytes(MB));
      fs.writeFileSync(place('env_a', 'many-0.bin'), contents.get('many-0.bin')!);
      await manager.untilApp('album', ({ environments }) => environments[0] === 'env_b', { what: 'leaving' });
      const left = Date.now();
      const passed = door.passed();
      await manager.succeeded({ id });
      await isIn('env_b');
      const before = answers.filter((answer) => answer.at < left - 500);
      expect(before.filter(({ status }) => status !== 200)).toEqual([]);
      expect(before.length).toBeGreaterThan(20);
      expect(left - began).toBeGreaterThan(3_000);
      // Little was left.
      expect(door.passed() - passed).toBeLessThan(4 * MB);
      for (const [name, content] of contents)
        expect(fs.readFileSync(place('env_b', name)).equals(content), name).toBe(true);
      expect(await readOf(late)).toBe('Made during the copy');
      expect(fs.existsSync(path.join(fleet.worker('env_b').storage, 'apps/album/.uploads.parts'))).toBe(false);
      const gone = answers.filter(({ status }) => status !== 200);
      console.info(
        `Copied ahead in ${left - began} ms; not served for ${gone.length ? gone.at(-1)!.at - gone[0].at : 0} ms.`,
      );
    } finally {
      clearInterval(visits);
    }
  });

  it('stay where they are when that is cancelled, and nothing of them elsewhere', { timeout: LONG }, async () => {
    await manager.succeeded(await move('env_b', 'env_a'));
    for (const name of contents.keys()) fs.rmSync(place('env_b', name));
    const { id } = await move('env_a', 'env_b');
    const parts = path.join(fleet.worker('env_b').storage, 'apps/album/.uploads.parts');
    await waitFor(async () => fs.existsSync(parts) && fs.readdirSync(parts).length > 4, {
      timeout: 60_000,
      what: 'parts',
    });
    await manager.api.post(`appOperations:cancel?filterByTk=${id}`);
    expect((await ask(at(), '/api/__app/album/app:getInfo')).status).toBe(200);
    await waitFor(async () => !fs.existsSync(parts), { timeout: 60_000, what: 'no parts' });
    await isIn('env_a');
    expect(Object.keys((await manager.app('album')).statuses)).toEqual(['env_a']);
  });
});
