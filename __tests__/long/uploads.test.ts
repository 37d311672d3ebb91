import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
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
