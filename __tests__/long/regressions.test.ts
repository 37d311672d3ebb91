import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, type Fleet, query, waitFor } from '../../scripts/fleet';
import { apiDescription } from '../../src/server/supervisor/api/openapi';
import { sharedFleet } from '../setup/fleet';
import { ask, Tab } from '../support/http';
import { afterCommands, Manager, signInTo } from '../support/manager';

/** What went wrong for users of NocoBase's multi-app before, and must not here; all numbers: docs/regressions.md. */

/** A plugin that nobody has enabled yet. */
const PLUGIN = 'field-code';
const DOMAIN = 'first.example.test';

let fleet: Fleet;
let manager: Manager;
let first: Api;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('first', 'second');
  const common = { environments: ['env_a'], startMode: 'withMain' };
  await Promise.all([
    manager.create({ ...common, name: 'first', cname: DOMAIN }),
    manager.create({ ...common, name: 'second' }),
  ]);
  first = await signInTo(fleet.supervisor, 'first');
});
afterAll(() => manager.clear('first', 'second'));

/** A busy machine may be slow to answer; no answer at all is a failure. */
const infoOf = (app: string) => ask(fleet.supervisor.url, `/api/__app/${app}/app:getInfo`, { timeout: 60_000 });

/** Asks for an app again and again while something else happens. @returns the answers' statuses, each once */
async function statusesOf(app: string, meanwhile: () => Promise<unknown>): Promise<number[]> {
  const seen = new Set<number>();
  let over = false;
  const asking = (async () => {
    do seen.add((await infoOf(app)).status);
    while (!over);
  })();
  await meanwhile().finally(() => {
    over = true;
  });
  await asking;
  return [...seen].sort();
}

/** Enables or disables a plugin of the first app; done when an open tab has heard that the app runs again. */
async function switchPlugin(action: 'enable' | 'disable'): Promise<void> {
  const tab = (await Tab.open(fleet.supervisor.url, '/ws?__appName=first')) as Tab;
  tab.send({ type: 'auth:token', payload: { token: first.token, authenticator: 'basic' } });
  await tab.message(({ type }) => type === 'authorized');
  const ended = tab.message(({ payload }) => payload?.code === 'APP_RUNNING', 200_000);
  await first.post(`pm:${action}?filterByTk=${PLUGIN}`);
  await ended;
  tab.close();
}

const isEnabled = async () => {
  const { data } = await afterCommands('first', () => first.get('pm:list'));
  return data.find(({ name }: { name: string }) => name === PLUGIN)?.enabled;
};

describe('a new app', () => {
  it('has the tables of all its plugins once it is called running (#2287, #2408)', async () => {
    expect((await first.get('themeConfig:list')).data.length).toBeGreaterThan(0);
    const { rows } = await query(
      fleet.postgresServer,
      'first',
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    );
    const tables = new Set(rows.map(({ tablename }) => tablename));
    // One of each of these plugins, which are enabled in every app: theme-editor, workflow, notifications, files, users.
    const wanted = ['themeConfig', 'workflows', 'notificationInAppMessages', 'attachments', 'users'];
    expect(wanted.filter((table) => !tables.has(table))).toEqual([]);
  });

  it('has users of its own: those of one app are nobody in the other and in the main app (#2156)', async () => {
    await first.post('users:create', { nickname: 'Only here', username: 'only-here', password: 'secret-123' });
    const second = await signInTo(fleet.supervisor, 'second');
    for (const api of [second, manager.api]) {
      const { data } = await api.get('users:list', { filter: { username: 'only-here' } });
      expect(data).toEqual([]);
    }
    const signIn = { account: 'only-here', password: 'secret-123' };
    const refused = await second.post('auth:signIn', signIn, { 'X-Authenticator': 'basic' }).catch((error) => error);
    expect(refused.status).toBe(401);
  });
});

describe('a scheduled workflow', () => {
  it('runs in its own app alone, and once each time, also with the app in two environments (#2313, #2896, #3817, #4201, #6155)', async () => {
    const second = await signInTo(fleet.supervisor, 'second');
    const startsOn = new Date(Date.now() - 60_000).toISOString();
    const workflow = { title: 'Every second', type: 'schedule', enabled: true, sync: false };
    const { data } = await second.post('workflows:create', {
      ...workflow,
      config: { mode: 0, startsOn, repeat: 1_000 },
    });
    // The other environment finds it when the app starts there: nothing tells it of a new one.
    await manager.update('second', { environments: ['env_a', 'env_b'] });
    const runs = async (app: string) =>
      (await query(fleet.postgresServer, app, 'SELECT "eventKey", status FROM executions ORDER BY id')).rows as Array<{
        eventKey: string;
        status: number;
      }>;
    const before = (await runs('second')).length;
    const more = async () => {
      const all = await runs('second');
      return all.length >= before + 5 && all.every(({ status }) => status === 1) ? all : null;
    };
    const all = await waitFor(more, { timeout: 60_000, what: 'Five more runs' });
    const moments = all.map(({ eventKey }) => eventKey);
    expect(new Set(moments).size).toBe(moments.length);
    expect(moments.every((moment) => moment.startsWith(`${data.id}@`))).toBe(true);
    const host = fleet.worker('env_a').database;
    for (const other of ['first', host, fleet.supervisor.database]) expect(await runs(other)).toEqual([]);
    await second.post(`workflows:destroy?filterByTk=${data.id}`);
    await manager.update('second', { environments: ['env_a'] });
  });
});

describe('a plugin of an app', () => {
  it('is enabled while its tab watches, and nobody is told that the app is not there (#2698)', async () => {
    expect(await isEnabled()).toBe(false);
    const statuses = await statusesOf('first', () => switchPlugin('enable'));
    expect([200, 503]).toEqual(expect.arrayContaining(statuses));
    expect(await isEnabled()).toBe(true);
  });

  it('is disabled, and no other app and not the main app notices (#2242)', async () => {
    const before = (await manager.app('second')).statuses;
    const seen = { second: [] as number[], main: [] as number[] };
    seen.main = await statusesOf('main', async () => {
      seen.second = await statusesOf('second', () => switchPlugin('disable'));
    });
    expect(seen).toEqual({ second: [200], main: [200] });
    expect(await isEnabled()).toBe(false);
    expect((await manager.app('second')).statuses.env_a.since).toBe(before.env_a.since);
  });
});

describe('a restart of one app', () => {
  it('restarts that one, and no other (v1.4.8)', async () => {
    const [before, other] = [await manager.app('first'), await manager.app('second')];
    const statuses = await statusesOf('second', () => manager.command('restart', 'first'));
    expect(statuses).toEqual([200]);
    expect((await manager.app('first')).statuses.env_a.since).toBeGreaterThan(before.statuses.env_a.since);
    expect((await manager.app('second')).statuses.env_a.since).toBe(other.statuses.env_a.since);
  });
});

describe('an environment', () => {
  it('tells how much memory it takes and how long its event loop stands still (#3192)', async () => {
    const { memory, eventLoopDelay } = await manager.environment('env_a');
    expect(memory).toBeGreaterThan(50 * 2 ** 20);
    expect(eventLoopDelay).toBeGreaterThanOrEqual(0);
  });
});

describe('the API documentation page', () => {
  it('has every action of the plugin, with what it takes, gives and refuses', async () => {
    const { data: documents } = await manager.api.get('swagger:getUrls');
    const ours = documents.find(({ name }: { name: string }) => name === apiDescription.info.title);
    const ns = new URL(ours.url, fleet.supervisor.url).searchParams.get('ns');
    const { paths, components } = await manager.api.get('swagger:get', { ns });
    // Through NocoBase's loader and merger, and JSON: what the page is made of is what was written.
    expect(paths).toEqual(JSON.parse(JSON.stringify(apiDescription.paths)));
    expect(components.schemas).toHaveProperty('appSupervisorErrors');
    const actions = Object.values(paths as typeof apiDescription.paths).flatMap((path) => Object.values(path));
    for (const { summary, responses, parameters } of actions) {
      expect(summary).toBeTruthy();
      expect(responses[200].description).toContain('{data');
      expect(parameters.every(({ description }) => description)).toBe(true);
    }
    const { post } = paths['/apps:create'];
    expect(Object.keys(post.requestBody.content['application/json'].schema.properties)).toContain('environments');
    expect(post.responses[409].description).toContain('NAME_TAKEN');
  });
});
