import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, Api, type Instance, waitFor } from '../../scripts/fleet';
import type { AppRow, EnvironmentRow, OperationRow } from '../../src/shared/types';
import { type Answer, ask, Tab } from '../support/http';
import { type Manager, signInTo, statusIn } from '../support/manager';
import type { TestTarget } from '../support/test-targets';
import { refusesBadInput } from './bad-input-suite';

/**
 * What the API and the apps behind it do whatever the mode and the database: a fleet and one process in shared memory
 * must not drift apart. The tests follow one another, on an app that starts with the main app and one that waits for visitors.
 */

export interface Mode {
  /** Whether a new app has to say where. */
  remote: boolean;
  environment: string;
}

export const APP = 'solo';
/** A name that leads to this machine: links and portals name a domain once it is verified. */
const DOMAIN = 'solo.localhost';
const OTHER_DOMAIN = 'other.example.test';
/** A change of a domain is in force before the regular round, which comes every 30 s; in ms. */
const DOMAIN_WITHIN = 20_000;
const PREPARING: Partial<Answer> = { status: 503, code: 'APP_PREPARING' };
const STOPPED: Partial<Answer> = { status: 503, code: 'APP_STOPPED' };

/** @param targetOf what was started by a `beforeAll` before */
export function conforms(mode: Mode, targetOf: () => TestTarget): void {
  // With an end of its own, before what else a file does with the same processes.
  describe('in every mode', () => conformsInEveryMode(mode, targetOf));
}

function conformsInEveryMode({ remote, environment }: Mode, targetOf: () => TestTarget): void {
  let target: TestTarget;
  let manager: Manager;
  /** Created without a name. */
  let mate: string;
  beforeAll(() => {
    target = targetOf();
    manager = target.manager;
  });
  afterAll(async () => {
    await manager?.clear(...[APP, mate, 'bad'].filter(Boolean));
    await target?.dropData(APP);
  });

  const where = remote ? { environments: [environment] } : {};
  const get = (address: string, headers: Record<string, string> = {}, instance = target.entry) =>
    ask(instance.url, address, { headers });
  const info = (name: string, instance = target.entry) => get(`/api/__app/${name}/app:getInfo`, {}, instance);
  const instances = () => [...new Set([target.entry, target.host])];
  const nameBy = async (headers: Record<string, string>, instance: Instance) =>
    (await get('/api/app:getInfo', headers, instance)).json?.data?.name;
  const status = async (name: string) => statusIn(await manager.app(name), environment);
  const is = (wanted: string) => (row: AppRow) => statusIn(row, environment) === wanted;
  const probe = async (api: Api, action: string, values: object = {}) =>
    (await api.post(`coreProbe:${action}`, values as Record<string, unknown>)).data;
  /** A WebSocket whose app knows this user's token. */
  const isLetIn = async ({ token }: Api, address: string, headers: Record<string, string> = {}) => {
    const tab = (await Tab.open(target.entry.url, address, headers)) as Tab;
    tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized').finally(() => tab.close());
  };
  /** Of all apps: portals beside those that every app has, and who belongs to a condition. */
  const said = async () => {
    const { data } = await manager.api.get('app:getPortals');
    return [
      data.portals.map(({ uid }: { uid: string }) => uid).filter((uid: string) => !uid.startsWith('__default')),
      await probe(manager.api, 'membersOf', { condition: 'autoStart', allEnvironments: true }),
    ];
  };
  const boots = (name: string) => target.host.logTail(20_000).filter((line) => line.includes(`message=App ${name}: `));

  describe('creating', () => {
    let operations: OperationRow[];
    beforeAll(async () => {
      const unnamed = await manager.begin('create', { title: 'The mate', ...where });
      mate = unnamed.name;
      const named = await manager.begin('create', {
        name: APP,
        title: 'Solo',
        cname: DOMAIN,
        startMode: 'withMain',
        ...where,
      });
      expect(named).toMatchObject({ name: APP, operation: { action: 'create', appName: APP } });
      operations = await Promise.all([unnamed, named].map((row) => manager.succeeded(row.operation!)));
    });

    it('gives an app that runs, in the environment that it was created for', async () => {
      expect(
        operations.map(({ action, state, progress }) => [
          action,
          state,
          progress.map(({ environment }) => environment),
        ]),
      ).toEqual(Array(2).fill(['create', 'succeeded', [environment]]));
      const row = await manager.app(APP);
      expect(row).toMatchObject({
        name: APP,
        title: 'Solo',
        cname: DOMAIN,
        environments: [environment],
        targetEnvironment: environment,
        startMode: 'withMain',
        desiredState: 'running',
        autoUpgrade: true,
        pendingChanges: [],
        operation: null,
        version: '2.2.15',
        statuses: { [environment]: { status: 'running' } },
      });
      // In a fleet on PostgreSQL with a role of its own (e2e/lifecycle).
      const { username = '', ...database } = row.options.database;
      expect({ ...row.options, database }).toEqual({ dbConnType: 'new_database', database: { database: APP } });
      expect(username).toMatch(/^(app_solo_[0-9a-f]{12})?$/);
      expect(await target.hasData(APP)).toBe(true);
    });

    it('makes up an identifier when it is given none', async () => {
      expect(mate).toMatch(/^a_[a-z0-9]{10}$/);
      expect((await info(mate)).json.data).toMatchObject({ name: mate });
    });

    it('is one environment’s business that says how many apps it has', async () => {
      const hasBoth = ({ apps, health }: EnvironmentRow) => health === 'online' && apps.running === 2;
      await manager.untilEnvironment(environment, hasBoth, { what: 'online with two apps' });
    });
  });

  describe('listing', () => {
    const names = async (params: Record<string, unknown>) =>
      (await manager.api.get('apps:list', params)).data.map(({ name }: AppRow) => name);

    it('gives what get gives, in pages', async () => {
      const { data, meta } = await manager.api.get('apps:list', { sort: 'title', pageSize: 1, page: 1 });
      expect(meta).toEqual({ count: 2, page: 1, pageSize: 1, totalPage: 2 });
      expect(data).toEqual([await manager.app(APP)]);
      expect(await names({ sort: '-title' })).toEqual([mate, APP]);
    });

    it.each<[object, () => string[]]>([
      [{ name: APP }, () => [APP]],
      [{ title: { $includes: 'mate' } }, () => [mate]],
      [{ startMode: 'withMain' }, () => [APP]],
      [{ status: 'running', environment }, () => [APP, mate]],
      [{ status: 'stopped' }, () => []],
      [{ environment: 'another' }, () => []],
      [{ $and: [{ status: 'running' }, { cname: DOMAIN }] }, () => [APP]],
    ])('by %j', async (filter, expected) => {
      expect((await names({ filter })).sort()).toEqual(expected().sort());
    });
  });

  describe('bad input', () => {
    refusesBadInput({ manager: () => manager, app: APP, domain: DOMAIN, environment, remote });
  });

  describe('visiting', () => {
    it.each<[string, Record<string, string>]>([
      [`/api/__app/${APP}/app:getInfo`, {}],
      [`/api/app:getInfo?__appName=${APP}`, {}],
      ['/api/app:getInfo', { 'X-App': APP }],
      ['/api/app:getInfo', { Host: DOMAIN }],
      ['/api/app:getInfo', { 'X-Hostname': DOMAIN }],
    ])('by %s %o', async (address, headers) => {
      for (const instance of instances()) {
        expect((await get(address, headers, instance)).json.data).toMatchObject({ name: APP });
      }
    });

    it.each<[string, Record<string, string>]>([
      [`/ws?__appName=${APP}`, {}],
      ['/ws', { Host: DOMAIN }],
      ['/ws', { 'X-Hostname': DOMAIN }],
    ])('by WebSocket %s %o', async (address, headers) => {
      await isLetIn(await signInTo(target.entry, APP), address, headers);
    });

    it('what is no app’s', async () => {
      for (const instance of instances()) {
        expect(await info('nosuch', instance)).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
      }
      const { json, status } = await info('nosuch');
      expect(json.error).toMatchObject({ status, code: 'APP_NOT_FOUND', message: expect.stringContaining('nosuch') });
    });
  });

  describe('a command task of an app, in a worker thread of the core’s own making', () => {
    it('invariant 10: finds its app and no other, is nobody in the fleet, changes nothing of it, and ends', async () => {
      const api = await signInTo(target.entry, APP);
      const before = await manager.app(APP);
      const seen = new Set<string>();
      const whoHosts = async () => {
        const { instance, standby, health, apps } = await manager.environment(environment);
        seen.add(JSON.stringify({ instance, standby, health, apps }));
      };
      await whoHosts();
      const { data } = await api.post('coreProbe:task');
      const ended = async () => {
        await whoHosts();
        const task = (await api.get('asyncTasks:get', { filterByTk: data.id })).data;
        return task.doneAt && task;
      };
      // The core calls it done when the thread has ended.
      const task = await waitFor(ended, { timeout: 200_000, what: 'The end of the task' });
      expect(task).toMatchObject({ status: 1, result: { app: APP, users: 1, apps: [APP] } });
      expect((await api.get('users:list', { sort: 'id' })).data).toMatchObject([{}, { username: 'task-1' }]);
      expect([...seen]).toHaveLength(1);
      expect({ ...(await manager.app(APP)), lastVisitAt: 0 }).toMatchObject({
        ...before,
        lastVisitAt: 0,
        statuses: { [environment]: { status: 'running', since: before.statuses[environment].since } },
      });
      expect((await info(APP)).status).toBe(200);
    });
  });

  describe('what belongs to the operator', () => {
    it('is refused in an app, and not in a main app', async () => {
      const app = await signInTo(target.entry, APP);
      await expect(app.post('pm:add')).rejects.toMatchObject({
        status: 403,
        body: expect.stringContaining('"PLUGINS_BY_OPERATOR"'),
      });
      // It names no plugin, so nothing is added.
      expect(await manager.api.post('pm:add')).toEqual({ data: 'ok' });
    });
  });

  describe('events of other plugins', () => {
    it('reach the app that they are for, from the main app and from another app, and no other app', async () => {
      const [own, other] = await Promise.all([APP, mate].map((name) => signInTo(target.entry, name)));
      await probe(manager.api, 'tell', { to: APP, payload: { from: 'main' } });
      await probe(other, 'tell', { to: APP, payload: { from: 'mate' } });
      expect(await probe(own, 'heard')).toEqual([{ from: 'main' }, { from: 'mate' }]);
      expect(await probe(other, 'heard')).toEqual([]);
      await probe(manager.api, 'tell', { to: 'main', payload: 'itself' });
      expect(await probe(manager.api, 'heard')).toEqual(['itself']);
    });
  });

  describe('what there is to enter', () => {
    let users: Record<'main' | 'own' | 'other', Api>;
    beforeAll(async () => {
      const [own, other] = await Promise.all([APP, mate].map((name) => signInTo(target.entry, name)));
      users = { main: manager.api, own, other };
      await manager.update(mate, { pinned: true, hidden: true });
    });

    /** A worker hears of a change a moment later. */
    const soon = <T>(what: string, ask: () => Promise<T>, expected: unknown) =>
      waitFor(
        async () => {
          const found = await ask();
          try {
            expect(found).toEqual(expected);
            return { found };
          } catch {
            return null;
          }
        },
        { timeout: 10_000, interval: 100, what },
      );

    it('is what is not hidden, and for the switcher what is pinned, to whoever is signed in', async () => {
      const entries = async (api: Api, params: Record<string, unknown> = {}) =>
        (await api.get('appEntries:list', params)).data.map((entry: Record<string, string>) =>
          ['name', 'title', 'status', 'target'].map((field) => entry[field]).join(', '),
        );
      const switcher = { place: 'switcher' };
      const visible = `${APP}, Solo, running`;
      const pinned = `${mate}, The mate, running`;
      expect(await entries(users.main)).toEqual([`${visible}, _blank`]);
      expect(await entries(users.main, switcher)).toEqual([`${pinned}, _blank`]);
      for (const api of [users.own, users.other]) {
        await soon('The entries in an app', () => entries(api), [`${visible}, _self`]);
        const expected = ['main, Main, running, _self', `${pinned}, _self`];
        await soon('The switcher in an app', () => entries(api, switcher), expected);
      }
      const user = { username: 'plain', email: 'plain@example.test', password: 'secret-123' };
      await users.own.post('users:create', user);
      const plain = await Api.signIn(target.entry.url, user, APP);
      expect(await entries(plain)).toEqual([`${visible}, _self`]);
      for (const app of [APP, null]) {
        expect(await get('/api/appEntries:list', app ? { 'X-App': app } : {})).toMatchObject({ status: 401 });
      }
    });

    it('is told by NocoBase’s own portals, with what an app’s plugin keeps in its manifest', async () => {
      const desk = { uid: 'desk', title: 'Desk', routePath: '/desk', layout: 'desktop' };
      const item = { ...desk, secret: 'x' };
      await probe(users.own, 'setItem', { of: APP, namespace: 'multi-portal', key: 'desk', item });
      await probe(users.other, 'setItem', { of: mate, namespace: 'multi-portal', key: 'gone', item });
      await probe(users.main, 'removeItem', { of: mate, namespace: 'multi-portal', key: 'gone' });
      const status = { [environment]: 'running' };
      for (const [who, api] of Object.entries(users)) {
        const seen = async () => (await api.get('app:getPortals')).data;
        const isVerified = async () =>
          ((await seen()).apps as object[]).some((one) => 'cname' in one && one.cname === DOMAIN);
        await soon(`The domain, as ${who} sees it`, isVerified, true);
        const data = await seen();
        const target = who === 'main' ? { target: '_blank' } : {};
        const app = { icon: null, ssoEnabled: false, status, ...target };
        expect(data.apps).toEqual(
          expect.arrayContaining([
            { ...app, name: APP, title: 'Solo', cname: DOMAIN },
            { ...app, name: mate, title: 'The mate', cname: null },
            expect.objectContaining({ name: 'main' }),
          ]),
        );
        expect(data.portals.filter(({ uid }: { uid: string }) => !uid.startsWith('__default'))).toEqual([
          { ...desk, icon: null, appName: APP },
        ]);
      }
      expect(await get('/api/app:getPortals')).toMatchObject({ status: 401 });
    });

    it('a condition’s apps are those it tells itself, and others by hand, whoever asks', async () => {
      const members = async (api: Api, options: object = {}) =>
        probe(api, 'membersOf', { condition: 'autoStart', ...options });
      const there = { environmentName: environment };
      for (const api of Object.values(users)) expect(await members(api, there)).toEqual([APP]);
      await probe(users.main, 'addTo', { condition: 'autoStart', environment, apps: [mate] });
      await probe(users.own, 'removeFrom', { condition: 'autoStart', environment, apps: [APP] });
      for (const api of Object.values(users)) {
        expect(await members(api, there)).toEqual([mate]);
        expect(await members(api, { allEnvironments: true })).toEqual([mate]);
      }
    });
  });

  describe('a JWT secret of its own', () => {
    const checked = async (token: string, app: string | null) =>
      get('/api/auth:check', {
        Authorization: `Bearer ${token}`,
        'X-Authenticator': 'basic',
        ...(app && { 'X-App': app }),
      });
    const tokenOf = async (api: Promise<Api>) => (await api).token!;

    it('is every app’s, reaches no browser, and cannot be turned off', async () => {
      expect(JSON.stringify(await manager.app(APP))).not.toMatch(/jwt|secret/i);
      const refused = await manager.api
        .post(`apps:update?filterByTk=${APP}`, { independentSecret: false })
        .catch(({ status, body }) => ({ status, ...JSON.parse(body).errors[0] }));
      expect(refused).toMatchObject({ status: 400, code: 'INVALID_INPUT', field: 'independentSecret' });
    });

    it('stays the same over a restart, which takes a title at once', async () => {
      const { token } = await signInTo(target.entry, APP);
      const { statuses } = await manager.app(APP);
      const row = await manager.update(APP, { title: 'The one' });
      expect(row).toMatchObject({ title: 'The one', pendingChanges: [] });
      expect(row.statuses[environment].since).toBe(statuses[environment].since);
      await manager.command('restart', APP);
      const after = await manager.app(APP);
      expect(after.statuses[environment].since).toBeGreaterThan(statuses[environment].since);
      expect((await checked(token!, APP)).json.data).toMatchObject({ email: ADMIN.email });
    });

    it('keeps the tokens of the main app and of another app out, and its own in', async () => {
      const [main, other, own] = await Promise.all([
        tokenOf(target.entry.signIn()),
        tokenOf(signInTo(target.entry, mate)),
        tokenOf(signInTo(target.entry, APP)),
      ]);
      expect((await checked(own, APP)).json.data).toMatchObject({ email: ADMIN.email });
      expect(await checked(main, mate)).toMatchObject({ status: 401 });
      for (const token of [main, other]) expect(await checked(token, APP)).toMatchObject({ status: 401 });
      for (const app of [mate, null]) expect(await checked(own, app)).toMatchObject({ status: 401 });
    });
  });

  describe('a custom domain', () => {
    /** What two domains lead to, everywhere, soon after a change. */
    const soonLead = (first: string, second: string) =>
      waitFor(
        async () => {
          const found = await Promise.all(
            instances().flatMap((instance) =>
              [DOMAIN, OTHER_DOMAIN].map((domain) => nameBy({ 'X-Hostname': domain }, instance)),
            ),
          );
          return found.every((name, index) => name === [first, second][index % 2]);
        },
        { timeout: DOMAIN_WITHIN, interval: 50, what: `${DOMAIN} leading to ${first}, ${OTHER_DOMAIN} to ${second},` },
      );
    const change = (cname: string | null) => manager.api.post(`apps:update?filterByTk=${APP}`, { cname });

    it('is one app’s', async () => {
      const refused = await manager.api
        .post(`apps:update?filterByTk=${mate}`, { cname: DOMAIN.toUpperCase() })
        .catch(String);
      expect(refused).toContain('DOMAIN_TAKEN');
    });

    it('leads elsewhere soon after it was changed, removed, or set again', async () => {
      // With a secret of its own, which the main app’s token does not pass.
      const own = await signInTo(target.entry, APP);
      await change(OTHER_DOMAIN);
      await soonLead('main', APP);
      for (const name of ['Host', 'X-Hostname']) {
        await isLetIn(own, '/ws', { [name]: OTHER_DOMAIN });
        await isLetIn(manager.api, '/ws', { [name]: DOMAIN });
      }
      await change(null);
      await soonLead('main', 'main');
      const { data } = await change(DOMAIN);
      await soonLead(APP, 'main');
      await manager.succeeded(data.operation);
    });
  });

  describe('stopping', () => {
    it('tells an open tab, and nothing that a visitor does starts the app again', async () => {
      const open = (await Tab.open(target.entry.url, `/ws?__appName=${APP}`)) as Tab;
      const told = open.message(({ type, payload }) => type === 'maintaining' && payload.code === 'APP_STOPPED');
      await manager.command('stop', APP);
      await told;
      open.close();
      await probe(manager.api, 'tell', { to: APP, payload: 'nobody there' });
      for (const instance of instances()) {
        expect(await info(APP, instance)).toMatchObject(STOPPED);
        expect(await get(`/api/app:getInfo?__appName=${APP}`, {}, instance)).toMatchObject(STOPPED);
      }
      const tab = (await Tab.open(target.host.url, `/ws?__appName=${APP}`)) as Tab;
      tab.send({ type: 'auth:token', payload: {} });
      expect(await info(APP, target.host)).toMatchObject(STOPPED);
      expect(await manager.app(APP)).toMatchObject({
        desiredState: 'stopped',
        statuses: { [environment]: { status: 'stopped' } },
      });
      tab.close();
    });
  });

  describe('a restart of the process that hosts', () => {
    beforeAll(async () => {
      await target.flush();
      await target.host.restart();
      await manager.untilEnvironment(environment, ({ health }) => health === 'online', { what: 'online again' });
    });

    it('starts nothing that is stopped', async () => {
      await manager.untilApp(APP, is('stopped'), { what: 'shown as stopped' });
      for (const instance of instances()) expect(await info(APP, instance)).toMatchObject(STOPPED);
      expect(boots(APP)).toEqual([]);
    });

    it('leaves the rest dormant, until a visit starts it exactly once, however many come at once', async () => {
      await manager.untilApp(mate, is('dormant'), { what: 'shown as dormant' });
      expect(boots(mate)).toEqual([]);
      // None waits for the boot.
      const visits = await Promise.all(Array.from({ length: 30 }, () => info(mate)));
      for (const answer of visits) {
        expect(answer).toMatchObject(PREPARING);
        expect(answer.json.error).toMatchObject({ status: 503, code: 'APP_PREPARING', maintaining: true });
      }
      await manager.untilApp(mate, is('running'), { what: 'woken by its visitors' });
      expect((await info(mate)).json.data).toMatchObject({ name: mate });
      expect(boots(mate)).toEqual([expect.stringContaining(`App ${mate}: start`)]);
    });

    it('does not keep a stopped app from being started, which an open tab is told', async () => {
      const tab = (await Tab.open(target.host.url, `/ws?__appName=${APP}`)) as Tab;
      await manager.command('start', APP);
      await tab.message(({ payload }) => payload?.code === 'APP_RUNNING');
      tab.close();
      expect((await info(APP)).status).toBe(200);
    });
  });

  describe('what other plugins said of the apps', () => {
    it('invariant 1: outlives the process that hosts, and Redis, where there is one', async () => {
      const wanted = async () => JSON.stringify(await said()) === JSON.stringify([['desk'], [mate]]);
      await waitFor(wanted, { timeout: 30_000, what: 'What was said, after the restart,' });
    });
  });

  describe('upgrading', () => {
    it('is an operation that ends with the app running', async () => {
      const { since } = (await manager.app(APP)).statuses[environment];
      const { progress } = await manager.command('upgrade', APP);
      expect(progress).toMatchObject([{ environment, state: 'succeeded' }]);
      const row = await manager.app(APP);
      expect(row).toMatchObject({ version: '2.2.15', statuses: { [environment]: { status: 'running' } } });
      expect(row.statuses[environment].since).toBeGreaterThan(since);
      expect(boots(APP).at(-1)).toContain('upgrade');
    });
  });

  describe('deleting', () => {
    it('invariant 9: keeps the data, which another app may then adopt (#3188)', async () => {
      const nickname = 'Kept through deletion';
      const before = await signInTo(target.entry, APP);
      await before.post('users:create', { nickname, username: 'kept', password: 'secret-123' });
      const logs = path.join(target.host.storage, 'logs', APP);
      expect(existsSync(logs)).toBe(true);
      await manager.destroy(APP, 'keep');
      expect(existsSync(logs)).toBe(false);
      const gone = await manager.api
        .get('apps:get', { filterByTk: APP })
        .catch(({ status, body }) => ({ status, body }));
      expect(gone).toMatchObject({ status: 404, body: expect.stringContaining('UNKNOWN_APP') });
      for (const instance of instances()) {
        expect(await info(APP, instance)).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
      }
      expect(await target.hasData(APP)).toBe(true);

      await manager.adopt({ name: APP, startMode: 'withMain', ...where });
      // What was said of the one that is gone is not said of this one.
      const [portals, members] = await said();
      expect([portals, members.sort()]).toEqual([[], [mate, APP].sort()]);
      const after = await signInTo(target.entry, APP);
      const { data } = await after.get('users:list', { filter: { username: 'kept' } });
      expect(data).toEqual([expect.objectContaining({ nickname })]);
    });

    it('invariant 9: never drops data that it adopted', async () => {
      const { progress } = await manager.destroy(APP, 'drop');
      expect(progress.at(-1)?.message).toMatchObject({
        code: 'DATA_KEPT',
        params: { why: { code: 'KEPT_NOT_CREATED' } },
      });
      expect(await target.hasData(APP)).toBe(true);
    });

    it('drops what it created, when it is asked to', async () => {
      expect(await target.hasData(mate)).toBe(true);
      await manager.destroy(mate, 'drop');
      expect(await target.hasData(mate)).toBe(false);
      expect(await status(APP).catch(() => 'gone')).toBe('gone');
      expect(await manager.apps()).toEqual([]);
    });
  });
}
