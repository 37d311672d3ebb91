import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';
import { replicaOf } from '../support/replica';

/** Two Supervisor processes on one database and one Redis, as a rolling update has them for a while. */

let fleet: Fleet;
let second: Instance;
let first: Manager;
let other: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  first = await Manager.of(fleet);
  await first.clear('shared');
  second = await replicaOf(fleet, 'supervisor');
  await second.start();
  other = await Manager.of(fleet, second);
});

afterAll(async () => {
  await fleet.heal();
  await second.stop();
  await waitFor(() => leads(fleet.supervisor), { timeout: 30_000, what: 'The lead of the one that stays' });
  await (await Manager.of(fleet)).clear('shared');
});

async function leads({ pid }: Instance): Promise<boolean> {
  const { rows } = await query(fleet.postgresServer, fleet.supervisor.database, 'SELECT * FROM "appSupervisorLeaders"');
  expect(rows).toHaveLength(1);
  return String(rows[0].holder).includes(`:${pid}:`);
}

/** What two of them must agree on; when each has last seen it is its own. */
async function shownBy(manager: Manager) {
  const [app, environments] = await Promise.all([manager.app('shared'), manager.environments()]);
  const statuses = Object.entries(app.statuses).map(([environment, { status, since }]) => [environment, status, since]);
  return {
    statuses,
    operation: app.operation && { id: app.operation.id, progress: app.operation.progress.map(({ state }) => state) },
    environments: environments.map(({ name, health, instance }) => [name, health, instance]),
  };
}

const agree = () =>
  waitFor(
    async () => {
      const [one, two] = await Promise.all([shownBy(first), shownBy(other)]);
      return JSON.stringify(one) === JSON.stringify(two) ? one : null;
    },
    { timeout: 20_000, what: 'Both showing the same' },
  );

it('one leads and drives what either is asked for, and both show the same', async () => {
  expect([await leads(fleet.supervisor), await leads(second)]).toEqual([true, false]);
  const app = await other.create({ name: 'shared', environments: ['env_a', 'env_b'], startMode: 'withMain' });
  expect(app.statuses).toMatchObject({ env_a: { status: 'running' }, env_b: { status: 'running' } });
  const shown = await agree();
  expect(shown.statuses.map(([, status]) => status)).toEqual(['running', 'running']);
  for (const { url } of [fleet.supervisor, second]) {
    expect((await ask(url, '/api/__app/shared/app:getInfo')).status).toBe(200);
  }
  expect([await leads(fleet.supervisor), await leads(second)]).toEqual([true, false]);
});

it('a session of one is valid at the other, whose storage is another one', async () => {
  const headers = { Authorization: `Bearer ${first.api.token}`, 'X-Authenticator': 'basic' };
  expect((await ask(second.url, '/api/auth:check', { headers })).json.data).toMatchObject({ id: 1 });
});

it('the leader killed in the middle of an operation passes the lead on within its expiry, and the operation ends', async () => {
  const { data } = await first.api.post('apps:restart?filterByTk=shared');
  await other.untilApp('shared', (app) => app.operation?.progress[0].startedAt !== undefined, { what: 'restarting' });
  expect((await other.operation(data[0].id)).finishedAt).toBeNull();
  const took = stopwatch();
  await fleet.supervisor.kill();
  await waitFor(() => leads(second), { timeout: 20_000, what: 'The lead of the second' });
  // Seen unmoved for 10 s, by a challenger that looks once a second.
  expect(took('Leading Supervisor killed, until another leads')).toBeLessThan(13_000);
  const { progress } = await other.succeeded(data[0]);
  expect(progress[1].startedAt).toBeGreaterThanOrEqual(progress[0].finishedAt!);
  expect((await ask(second.url, '/api/__app/shared/app:getInfo')).status).toBe(200);
});

it('the one that comes back follows, and both show the same again', async () => {
  await fleet.supervisor.start();
  first = await Manager.of(fleet);
  await agree();
  expect([await leads(fleet.supervisor), await leads(second)]).toEqual([false, true]);
  const { data } = await first.api.post('apps:stop?filterByTk=shared');
  await other.succeeded(data[0]);
  await first.untilApp('shared', (app) => statusIn(app, 'env_a') === 'stopped', { what: 'stopped' });
  await agree();
});

it('the leader that is asked to end passes the lead on within 2 s, and the operation that it drove ends', async () => {
  expect(await leads(second)).toBe(true);
  const { data } = await first.api.post('apps:start?filterByTk=shared');
  await first.untilApp('shared', (app) => app.operation?.progress[0].startedAt !== undefined, { what: 'starting' });
  const took = stopwatch();
  const ending = second.stop();
  await waitFor(() => leads(fleet.supervisor), { timeout: 20_000, interval: 20, what: 'The lead of the first' });
  expect(took('Leading Supervisor stopped, until another leads')).toBeLessThan(2_000);
  await ending;
  await first.succeeded(data[0]);
});
