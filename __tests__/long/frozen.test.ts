import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, signInTo } from '../support/manager';
import { replicaOf } from '../support/replica';

/** A Worker that was frozen for longer than its lease, with a standby: what it writes to an app's database once it goes on. */

let fleet: Fleet;
let manager: Manager;
let worker: Instance;
let replica: Instance;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  worker = fleet.worker('env_b');
  await manager.clear('frost');
  await manager.create({ name: 'frost', environments: ['env_b'], startMode: 'withMain' });
  replica = await replicaOf(fleet, 'env_b');
  await replica.start();
  await manager.untilEnvironment('env_b', ({ standby }) => standby !== null, { what: 'having a standby' });
});

afterAll(async () => {
  worker?.resume();
  await replica?.kill();
  await fleet?.heal();
  await manager?.clear('frost');
});

const sql = async (text: string, params: unknown[] = []) =>
  (await query(fleet.postgresServer, 'frost', text, params)).rows;
const written = async () =>
  (await sql("SELECT name FROM roles WHERE name LIKE 'role-%' ORDER BY name")).map(({ name }) => name);
const write = (api: Api, name: string) => api.post('roles:create', { name, title: name });
const host = async () => (await sql('SELECT holder FROM app_supervisor_hosts'))[0].holder;
const status = async (instance: Instance) =>
  (await ask(instance.url, '/api/__app/frost/app:getInfo').catch(() => null))?.status;

it('invariant 3: it writes nothing any more once another process has taken over', async () => {
  const direct = await signInTo(worker, 'frost');
  await write(direct, 'role-before');
  expect(await host()).toContain(`:${worker.pid}:`);
  const { term } = (await sql('SELECT term FROM app_supervisor_hosts'))[0];

  worker.pause();
  // They are in its socket, for when it goes on: as many as its pool has connections, and more.
  const late = Array.from({ length: 12 }, (_, i) => write(direct, `role-late-${i}`).catch((error) => error));
  await waitFor(async () => (await status(replica)) === 200, {
    timeout: 120_000,
    what: 'frost running in the standby',
  });
  expect(await host()).toContain(`:${replica.pid}:`);
  const api = await signInTo(replica, 'frost');
  await write(api, 'role-after');

  worker.resume();
  expect((await Promise.all(late)).every((answer) => answer instanceof Error)).toBe(true);
  await waitFor(async () => (await status(worker)) === 503, { timeout: 60_000, what: 'the end of frost where it was' });
  // Several beats, in which it could take the app back.
  const { lastHeartbeatAt } = await manager.environment('env_b');
  await manager.untilEnvironment('env_b', (row) => row.lastHeartbeatAt! > lastHeartbeatAt! + 15_000, {
    what: 'three beats later',
  });
  await write(api, 'role-later');
  expect(await written()).toEqual(['role-after', 'role-before', 'role-later']);
  const row = (await sql('SELECT holder, term FROM app_supervisor_hosts'))[0];
  expect(row.holder).toContain(`:${replica.pid}:`);
  expect(Number(row.term)).toBeGreaterThan(Number(term));
  const environment = await manager.environment('env_b');
  expect(environment).toMatchObject({ health: 'online', url: replica.url });
  expect(environment.standby).toContain(`:${worker.pid}:`);
  expect(await status(worker)).toBe(503);
});
