import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import type { EventRow } from '../../src/shared/event';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';

/** An app whose plugin loops for ever (support/core-probe): its Worker is ended and comes back, and the app is started nowhere. */

let fleet: Fleet;
let manager: Manager;
let home: Instance;
let other: Instance;

/** A Worker's start, and that of its apps. */
const LONG = 240_000;
const ALL_OF_IT = 900_000;
/** Of the loop, in seconds: shorter than by default, and longer than NocoBase ever needs. */
const LIMIT = '20';

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  [home, other] = [fleet.worker('env_a'), fleet.worker('env_b')];
  await manager.clear('looper', 'sound', 'rover');
  await Promise.all(
    [home, other].map((worker) =>
      worker.restartWith({ APP_SUPERVISOR_RESTARTED: 'true', APP_SUPERVISOR_LOOP_LIMIT: LIMIT }),
    ),
  );
  await manager.create({ name: 'looper', environments: ['env_a', 'env_b'], startMode: 'withMain' });
  await manager.create({ name: 'sound', environments: ['env_a'], startMode: 'withMain' });
}, ALL_OF_IT);

afterAll(async () => {
  await fleet?.heal();
  await manager?.clear('looper', 'sound', 'rover');
  await Promise.all([home, other].map((worker) => worker?.restartWith({ APP_SUPERVISOR_RESTARTED: 'false' })));
}, ALL_OF_IT);

/** Waits until the process is gone, and takes note that it was meant to. */
async function dies(): Promise<void> {
  await waitFor(() => !home.running, { timeout: LONG, what: 'The end of the Worker' });
  await home.kill();
}
const serves = (worker: Instance, app: string) =>
  waitFor(async () => (await ask(worker.url, `/api/__app/${app}/app:getInfo`)).status === 200, {
    timeout: LONG,
    what: `${app} served by ${worker.name}`,
  });
const isKeptOut = async (...environments: string[]) => {
  const app = await manager.untilApp(
    'looper',
    (row) => environments.every((name) => row.statuses[name]?.error?.code === 'APP_STOPS_LOOP') && !row.operation,
    { timeout: LONG, what: `kept out of ${environments}` },
  );
  for (const name of environments) expect(statusIn(app, name)).toBe('error');
  return app.statuses.env_a.error?.params;
};
const isStartedAgain = async () => {
  await manager.command('start', 'looper');
  await serves(home, 'looper');
  await manager.untilApp('looper', ({ statuses }) => Object.values(statuses).every(({ error }) => !error), {
    timeout: LONG,
    what: 'running everywhere',
  });
};
/** Nobody gets an answer any more. */
const begin = (asked: Promise<unknown>) => void asked.catch(() => undefined);
const signIn = (): Promise<Api> => signInTo(home, 'looper');

it('in a request: it is named, and started nowhere until an operator says so', { timeout: ALL_OF_IT }, async () => {
  const user = await signIn();
  // In its other environment the app would run on.
  await other.stop();
  begin(user.post('coreProbe:loop', {}));
  const took = stopwatch();
  await dies();
  took(`Loop of an app, with a limit of ${LIMIT} s, until its Worker has ended`);
  await home.start();
  const params = await isKeptOut('env_a');
  expect(params).toMatchObject({ app: 'looper', environment: 'env_a', work: { code: 'WORK_REQUEST' } });
  await serves(home, 'sound');
  took('and until all its other apps are served again');
  await other.start();
  expect(await isKeptOut('env_b', 'env_a')).toEqual(params);

  const { data } = await manager.api.get('appEvents:list', { filter: JSON.stringify({ kind: 'crash' }), pageSize: 20 });
  const event = (data as EventRow[]).find(
    ({ appName, environment }) => appName === 'looper' && environment === 'env_a',
  );
  expect(event).toMatchObject({ endedAt: null, cause: { code: 'APP_STOPS_LOOP', params } });

  // Nor by a visit.
  await ask(home.url, '/api/__app/looper/app:getInfo');
  await ask(other.url, '/api/__app/looper/app:getInfo');
  await isKeptOut('env_a', 'env_b');
  await isStartedAgain();
});

it('in a node of a workflow: the node is named, and the app runs on elsewhere', { timeout: ALL_OF_IT }, async () => {
  const user = await signIn();
  const values = {
    title: 'x',
    type: 'collection',
    sync: true,
    enabled: true,
    config: { collection: 'roles', mode: 1 },
  };
  const { data: workflow } = await user.post('workflows:create', values);
  const { data: node } = await user.post(`workflows/${workflow.id}/nodes:create`, { type: 'core-probe', config: {} });
  begin(user.post('roles:create', { name: 'r_loop', title: 'x' }));
  await dies();
  await serves(other, 'looper');
  await home.start();
  const params = await isKeptOut('env_a');
  const work = { type: 'core-probe', node: String(node.id), workflow: String(workflow.id) };
  expect(params).toMatchObject({ work: { code: 'WORK_NODE', params: work } });
  expect(statusIn(await manager.app('looper'), 'env_b')).toBe('running');
  await serves(home, 'sound');
  await query(fleet.postgresServer, 'looper', 'UPDATE workflows SET enabled = false');
  await isStartedAgain();
});

it('at its start: the operation says why, and the next environment is not begun', { timeout: ALL_OF_IT }, async () => {
  const title = (text: string) =>
    query(fleet.postgresServer, 'looper', 'UPDATE "systemSettings" SET title = $1', [text]);
  await title('core probe: loop');
  const { data } = await manager.api.post('apps:restart?filterByTk=looper');
  await dies();
  await home.start();
  const operation = await manager.ended(data[0], LONG);
  expect(operation).toMatchObject({
    state: 'failed',
    progress: [
      { environment: 'env_a', error: { code: 'APP_STOPS_LOOP', params: { work: { code: 'WORK_START' } } } },
      {},
    ],
  });
  await serves(home, 'sound');
  await serves(other, 'looper');
  await title('mended');
  await isStartedAgain();
});

it('before a failover: it is named once its Worker is back, and started nowhere from then on', {
  timeout: ALL_OF_IT,
}, async () => {
  const failover = { failover: 'automatic', failoverDelay: 10 } as const;
  await manager.create({ name: 'rover', environments: ['env_a'], startMode: 'withMain', ...failover });
  const user = await signInTo(home, 'rover');
  begin(user.post('coreProbe:loop', {}));
  await dies();
  await serves(other, 'rover');
  await home.start();
  const hasLeft = ({ environments, statuses }: { environments: string[]; statuses: object }) =>
    environments.join() === 'env_b' && !('env_a' in statuses);
  await manager.untilApp('rover', hasLeft, { timeout: LONG, what: 'gone from its first Worker' });
  // Where it runs, it runs on.
  await serves(other, 'rover');
  await other.stop();
  await other.start();
  const params = { app: 'rover', environment: 'env_a', work: { code: 'WORK_REQUEST' } };
  await manager.untilApp('rover', ({ statuses }) => statuses.env_b?.error?.code === 'APP_STOPS_LOOP', {
    timeout: LONG,
    what: 'kept out of its second Worker',
  });
  expect((await manager.app('rover')).statuses.env_b.error?.params).toMatchObject(params);
  await manager.command('start', 'rover');
  await serves(other, 'rover');
});
