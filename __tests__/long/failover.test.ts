import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import type { EventRow } from '../../src/shared/event';
import { sharedFleet } from '../setup/fleet';
import { type FaultyLink, faultyLink } from '../support/faulty-link';
import { ask } from '../support/http';
import { Manager, signInTo } from '../support/manager';

/** An app that leaves an environment whose Worker is killed, frozen, or cut off, and what that Worker still can do to its data. */

let fleet: Fleet;
let manager: Manager;
let home: Instance;
let other: Instance;
/** Between the Worker at home and Redis, and between the Supervisor and that Worker. */
let redis: FaultyLink;
let door: FaultyLink;
let before: Record<string, string>;

const DELAY = 10;
const LONG = 400_000;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  home = fleet.worker('env_b');
  other = fleet.worker('env_a');
  redis = await faultyLink(fleet.redis!.port);
  door = await faultyLink(home.port);
  const {
    APP_SUPERVISOR_REDIS_URL = '',
    APP_COMMAND_REDIS_URL = '',
    ENVIRONMENT_PROXY_URL = '',
  } = home.env as Record<string, string>;
  before = { APP_SUPERVISOR_REDIS_URL, APP_COMMAND_REDIS_URL, ENVIRONMENT_PROXY_URL };
  const through = (url: string) => Object.assign(new URL(url), { port: String(redis.port) }).href;
  await home.restartWith({
    APP_SUPERVISOR_REDIS_URL: through(APP_SUPERVISOR_REDIS_URL),
    APP_COMMAND_REDIS_URL: through(APP_COMMAND_REDIS_URL),
    ENVIRONMENT_PROXY_URL: `http://127.0.0.1:${door.port}`,
  });
  await manager.confirmAddress('env_b', `http://127.0.0.1:${door.port}`);
  await isOnline();
  await manager.clear('ferry');
  await manager.create({
    name: 'ferry',
    environments: ['env_b'],
    startMode: 'withMain',
    failover: 'automatic',
    failoverDelay: DELAY,
    failback: 'automatic',
  });
}, 600_000);

afterAll(async () => {
  home?.resume();
  redis?.pass();
  door?.pass();
  await fleet?.heal();
  await manager?.clear('ferry');
  await home?.restartWith(before);
  redis?.close();
  door?.close();
}, 300_000);

const isOnline = () =>
  manager.untilEnvironment('env_b', ({ health }) => health === 'online', { timeout: 120_000, what: 'being online' });
const isIn = (environment: string, timeout = 180_000) =>
  manager.untilApp(
    'ferry',
    (app) =>
      app.environments.join() === environment && app.statuses[environment]?.status === 'running' && !app.operation,
    { timeout, what: `running in ${environment}` },
  );
const statusAt = async ({ url }: Pick<Instance, 'url'>) =>
  (await ask(url, '/api/__app/ferry/app:getInfo', { timeout: 5_000 }).catch(() => null))?.status;
const serves = (instance: Pick<Instance, 'url'>) =>
  waitFor(async () => (await statusAt(instance)) === 200, {
    timeout: 120_000,
    what: `ferry served by ${instance.url}`,
  });
const ends = (instance: Pick<Instance, 'url'>) =>
  waitFor(async () => ![200, undefined].includes(await statusAt(instance)), {
    timeout: 120_000,
    what: `the end of ferry at ${instance.url}`,
  });
const sql = async (text: string) => (await query(fleet.postgresServer, 'ferry', text)).rows;
const rolesLike = async (prefix: string) =>
  (await sql(`SELECT name FROM roles WHERE name LIKE '${prefix}%' ORDER BY name`)).map(({ name }) => name);
const write = (api: Api, name: string) => api.post('roles:create', { name, title: name });
const hasLeft = async () =>
  (await sql("SELECT gone FROM app_supervisor_hosts WHERE environment LIKE 'env_b%'"))[0].gone === 1;
const events = async (kind: string): Promise<EventRow[]> =>
  (await manager.api.get('appEvents:list', { pageSize: 50, filter: JSON.stringify({ kind }) })).data;
const hasEvent = (kind: string, code: string) =>
  waitFor(async () => (await events(kind)).some(({ message }) => message.code === code), {
    timeout: 120_000,
    what: `the event ${code}`,
  });
const bringHome = async () => {
  const { data } = await manager.api.post('apps:move?filterByTk=ferry', { to: 'env_b' });
  expect(data.refused).toEqual([]);
  await isIn('env_b');
  await serves(home);
};

it('leaves a Worker that was killed, and returns by itself', { timeout: LONG }, async () => {
  await isIn('env_b');
  const killedAt = Date.now();
  await home.kill();
  await serves(other);
  console.log(`measured: killed, and served elsewhere after ${(Date.now() - killedAt) / 1000} s`);
  expect(await isIn('env_a')).toMatchObject({ home: 'env_b' });
  const [begun] = (await events('failover')).filter(({ appName }) => appName === 'ferry');
  expect(begun.message).toMatchObject({ code: 'FAILOVER_BEGUN', params: { app: 'ferry', from: 'env_b', to: 'env_a' } });
  expect(begun).toMatchObject({
    environment: 'env_b',
    createdBy: null,
    operation: { action: 'move', state: 'succeeded' },
  });
  await home.start();
  await isIn('env_b', 300_000);
  await serves(home);
  await hasEvent('failback', 'FAILBACK_BEGUN');
  expect(await statusAt(other)).not.toBe(200);
});

it('is taken from a Worker that is frozen, which writes nothing any more', { timeout: LONG }, async () => {
  const direct = await signInTo(home, 'ferry');
  await write(direct, 'frozen-before');
  home.pause();
  // They are in its socket, for when it goes on: as many as its pool has connections, and more.
  const late = Array.from({ length: 12 }, (_, i) => write(direct, `frozen-late-${i}`).catch((error) => error));
  await serves(other);
  await write(await signInTo(other, 'ferry'), 'frozen-after');
  expect(await hasLeft()).toBe(true);
  home.resume();
  expect((await Promise.all(late)).every((answer) => answer instanceof Error)).toBe(true);
  await ends(home);
  await isOnline();
  expect(await rolesLike('frozen')).toEqual(['frozen-after', 'frozen-before']);
  // It has returned by itself within the hour, and stays.
  await isIn('env_a');
  await bringHome();
});

it('stays with a Worker that has lost Redis alone, and is taken from one that nobody reaches', {
  timeout: LONG,
}, async () => {
  const direct = await signInTo(home, 'ferry');
  redis.swallow();
  await hasEvent('failover', 'FAILOVER_HELD');
  expect((await manager.app('ferry')).environments).toEqual(['env_b']);
  expect(await statusAt(fleet.supervisor)).toBe(200);
  await write(direct, 'cut-before');
  door.swallow();
  await serves(other);
  // It lives, and reaches its database: it is refused there, and ends the app although it hears nothing.
  await ends(home);
  await expect(write(direct, 'cut-late')).rejects.toThrow();
  await write(await signInTo(other, 'ferry'), 'cut-after');
  expect(await rolesLike('cut')).toEqual(['cut-after', 'cut-before']);
  redis.pass();
  door.pass();
  await isOnline();
  await isIn('env_a');
  expect(await statusAt(home)).not.toBe(200);
  await bringHome();
});
