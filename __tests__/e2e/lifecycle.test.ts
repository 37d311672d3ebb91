import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, APP_ADMIN, type Api, type Fleet, freePort, HOST, query, waitFor } from '../../scripts/fleet';
import { roleNameOf } from '../../src/server/databases';
import { inEnglish } from '../../src/server/errors';
import type { Message } from '../../src/shared/message';
import type { AppRow, OperationRow, Progress } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { type Answer, ask, Tab } from '../support/http';
import { changePassword, Manager, signInTo, statusIn } from '../support/manager';
import { detour, type Listening, silentServer } from '../support/tcp';

/** An app's whole life, as its operator and its visitors meet it. The tests follow one another. */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
});

const APPS = ['shop', 'ledger', 'partner', 'unreachable', 'silent', 'stranger'];
afterAll(async () => {
  await manager.clear(...APPS);
});

const sql = async (database: string, text: string) => (await query(fleet.postgresServer, database, text)).rows;
const databases = async () => (await sql('postgres', 'SELECT datname FROM pg_database')).map((row) => row.datname);
const shop = (path = 'app:getInfo', headers: Record<string, string> = {}) =>
  ask(fleet.supervisor.url, `/api/__app/shop/${path}`, { headers });
const tab = (path = '/ws?__appName=shop') => Tab.open(fleet.supervisor.url, path);
const openTab = async () => (await tab()) as Tab;

/** What a reconnecting tab gets instead of a connection. */
async function refusedTab(): Promise<Answer | null> {
  const got = await tab();
  if (!(got instanceof Tab)) return got;
  got.close();
  return null;
}

/** The creation of the app. */
let operation: OperationRow;
/** Rows of it meanwhile; the first is what its creation was answered with. */
const shownWhileCreated: AppRow[] = [];

describe('creating an app in two environments', () => {
  const seen = shownWhileCreated;

  beforeAll(async () => {
    const created = await manager.begin('create', { name: 'shop', environments: ['env_a', 'env_b'] });
    seen.push(created);
    let ended: OperationRow | null = null;
    const watch = async () => {
      ended = await manager.operation(created.operation!.id);
      seen.push(await manager.app('shop'));
      return ended.finishedAt !== null;
    };
    await waitFor(watch, { timeout: 200_000, what: 'The end of the creation' });
    operation = ended!;
  });

  it('succeeds in both', () => {
    expect(operation).toMatchObject({
      action: 'create',
      state: 'succeeded',
      waitingFor: null,
      progress: [
        { environment: 'env_a', state: 'succeeded' },
        { environment: 'env_b', state: 'succeeded' },
      ],
    });
    expect(seen.at(-1)).toMatchObject({
      operation: null,
      desiredState: 'onDemand',
      targetEnvironment: 'env_a',
      version: '2.2.15',
      statuses: { env_a: { status: 'running' }, env_b: { status: 'running' } },
    });
  });

  it('invariant 4: does not begin in the second before it runs in the first', () => {
    const tooSoon = seen.filter((row) => statusIn(row, 'env_b') !== 'waiting' && statusIn(row, 'env_a') !== 'running');
    expect(tooSoon).toEqual([]);
    // The first one is finished only when its Worker has also read a newer record, by which the second one may have begun.
    const [first, second] = operation.progress;
    expect(second.startedAt).toBeGreaterThan(first.startedAt!);
  });

  it('shows on the way what is done in which environment', () => {
    const statuses = (environment: string) => new Set(seen.map((row) => statusIn(row, environment)));
    expect([...statuses('env_a')]).toEqual(expect.arrayContaining(['waiting', 'commanding', 'running']));
    expect([...statuses('env_b')]).toEqual(expect.arrayContaining(['waiting', 'commanding', 'running']));
    expect(seen[0].operation).toMatchObject({ action: 'create', state: 'queued' });
    expect(seen.some((row) => row.operation?.progress[0].state === 'running')).toBe(true);
    expect(seen.some((row) => row.statuses.env_a.message)).toBe(true);
  });

  it('makes one database with one mark', async () => {
    const { uid } = seen[0];
    expect(await sql('shop', 'SELECT uid, app, created, installed FROM app_supervisor_mark')).toEqual([
      { uid, app: 'shop', created: 1, installed: 1 },
    ]);
  });

  it('gives it a database role of its own, with which it runs in both, and which owns all that is in it', async () => {
    const { uid } = shownWhileCreated[0];
    const role = roleNameOf({ name: 'shop', uid });
    const sessions = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = 'shop' AND usename`;
    expect((await sql('postgres', `${sessions} = '${role}'`))[0].n).toBeGreaterThan(1);
    expect((await sql('postgres', `${sessions} <> '${role}' AND pid <> pg_backend_pid()`))[0].n).toBe(0);
    const owners = "SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = 'public'";
    expect(await sql('shop', owners)).toEqual([{ owner: role }]);
    const [{ owner }] = await sql(
      'postgres',
      "SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'shop'",
    );
    expect(owner).toBe('nocobase_worker');
    const superusers = await sql('postgres', 'SELECT rolname FROM pg_roles WHERE rolsuper');
    expect(superusers).toEqual([{ rolname: 'postgres' }]);
  });
});

describe('visiting it through the Supervisor', () => {
  it.each([
    ['the path', '/api/__app/shop/app:getInfo', {}],
    ['the header X-App', '/api/app:getInfo', { 'X-App': 'shop' }],
    ['the parameter __appName', '/api/app:getInfo?__appName=shop', {}],
  ])('finds it by %s', async (_, path, headers) => {
    const answer = await ask(fleet.supervisor.url, path, { headers: headers as Record<string, string> });
    expect(answer.status).toBe(200);
    expect(answer.json.data).toMatchObject({ name: 'shop' });
    expect(answer.headers['x-app-environment']).toBe('env_a');
  });

  it('reaches the environment asked for, soon after it runs there', async () => {
    const asked = async () =>
      (await shop('app:getInfo', { 'X-App-Environment': 'env_b' })).headers['x-app-environment'];
    await expect.poll(asked).toBe('env_b');
  });

  it('signs its administrator in, who is known in both environments', async () => {
    const api = await signInTo(fleet.supervisor, 'shop');
    for (const environment of ['env_a', 'env_b']) {
      const headers = { Authorization: `Bearer ${api.token}`, 'X-Authenticator': 'basic' };
      const answer = await shop('auth:check', { ...headers, 'X-App-Environment': environment });
      expect(answer.json.data).toMatchObject({ email: ADMIN.email });
    }
    // By which a door tells them from each other.
    const kidOf = (token: string | null) => JSON.parse(Buffer.from(token!.split('.')[0], 'base64url').toString()).kid;
    const main = await fleet.supervisor.signIn();
    expect([kidOf(api.token), kidOf(main.token)]).toEqual([(await manager.app('shop')).uid, 'main']);
  });

  it('answers with the password of its administrator once, and stores it nowhere', async () => {
    const [created, ...later] = shownWhileCreated;
    expect(created).toMatchObject({ initialAdmin: APP_ADMIN });
    for (const row of later) expect(row).not.toHaveProperty('initialAdmin');
    const [{ initialAdmin, provision }] = await sql(
      fleet.supervisor.database,
      `SELECT "initialAdmin", provision FROM apps WHERE name = 'shop'`,
    );
    expect({ initialAdmin, provision }).toEqual({ initialAdmin: null, provision: 'none' });
  });

  it('lets nobody in with the password that everybody knows, in no environment', async () => {
    for (const instance of [fleet.supervisor, ...fleet.workers]) {
      for (const email of [APP_ADMIN.email, 'admin@nocobase.com']) {
        const attempt = signInTo(instance, 'shop', { email, password: 'admin123' });
        await expect(attempt).rejects.toMatchObject({ status: 401 });
      }
    }
  });

  it('names its administrator as a warning while the password is the well-known one', async () => {
    const api = await signInTo(fleet.supervisor, 'shop');
    const change = (user: Api, password: string) =>
      changePassword(user, password, () => signInTo(fleet.supervisor, 'shop', { email: APP_ADMIN.email, password }));
    const isWarned = ({ warnings }: AppRow) => warnings.some(({ code }) => code === 'APP_ADMIN_KNOWN');
    expect(isWarned(await manager.app('shop'))).toBe(false);
    const known = await change(api, 'admin123');
    await manager.untilApp('shop', isWarned, { what: 'warned of' });
    await change(known, APP_ADMIN.password);
    await manager.untilApp('shop', (app) => !isWarned(app), { what: 'no longer warned of' });
  });

  it('carries a WebSocket and its messages', async () => {
    const { token } = await signInTo(fleet.supervisor, 'shop');
    const open = await openTab();
    open.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await open.message(({ type }) => type === 'authorized');
    open.close();
  });
});

describe('stopping and starting it', () => {
  it('tells its open tabs and its visitors that it is stopped, and nothing of theirs wakes it', async () => {
    const open = await openTab();
    const told = open.message(({ type, payload }) => type === 'maintaining' && payload.code === 'APP_STOPPED');
    await manager.command('stop', 'shop');
    await told;
    open.close();
    expect((await manager.app('shop')).statuses).toMatchObject({
      env_a: { status: 'stopped' },
      env_b: { status: 'stopped' },
    });

    // Through the Supervisor, which knows, and on a worker itself, where the core would boot whatever is asked for.
    for (const { url } of fleet.instances) {
      expect(await ask(url, '/api/__app/shop/app:getInfo')).toMatchObject({ status: 503, code: 'APP_STOPPED' });
      expect(await ask(url, '/api/app:getInfo?__appName=shop')).toMatchObject({ status: 503, code: 'APP_STOPPED' });
    }
    const refused = await waitFor(refusedTab, { timeout: 60_000, what: 'The refusal of a WebSocket' });
    expect(refused).toMatchObject({ status: 503, code: 'APP_STOPPED' });
    const onWorker = (await Tab.open(fleet.worker('env_a').url, '/ws?__appName=shop')) as Tab;
    onWorker.send({ type: 'auth:token', payload: {} });
    expect(await ask(fleet.worker('env_a').url, '/api/__app/shop/app:getInfo')).toMatchObject({ code: 'APP_STOPPED' });
    expect(statusIn(await manager.app('shop'), 'env_a')).toBe('stopped');
    onWorker.close();
  });

  it('is fast to start again, and tells a tab that waited', async () => {
    const waiting = (await Tab.open(fleet.worker('env_a').url, '/ws?__appName=shop')) as Tab;
    const { progress } = await manager.command('start', 'shop');
    // Nothing is installed or upgraded again: it takes a part of what the creation took in the first environment.
    const took = ({ startedAt, finishedAt }: Progress) => finishedAt! - startedAt!;
    for (const item of progress) expect(took(item)).toBeLessThan(took(operation.progress[0]));
    expect((await shop()).json.data).toMatchObject({ name: 'shop' });
    await waiting.message(({ payload }) => payload.code === 'APP_RUNNING');
    waiting.close();
  });

  it('restarts, one environment after the other, and serves all the while', async () => {
    const { statuses } = await manager.app('shop');
    const answers: Answer[] = [];
    const visits = setInterval(async () => answers.push(await shop()), 100);
    const { progress } = await manager.command('restart', 'shop').finally(() => clearInterval(visits));
    expect(progress[1].startedAt).toBeGreaterThanOrEqual(progress[0].finishedAt!);
    const after = await manager.app('shop');
    for (const environment of ['env_a', 'env_b']) {
      expect(after.statuses[environment].since).toBeGreaterThan(statuses[environment].since);
    }
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });
});

describe('changing it', () => {
  it('is answered with the operation that it has begun', async () => {
    const { data } = await manager.api.post('apps:update?filterByTk=shop', { pinned: true });
    expect(data).toMatchObject({ pinned: true, operation: { appName: 'shop', action: 'update' } });
    await manager.succeeded(data.operation);
  });

  it('takes a title and the sign-in by the main app at once, without a restart', async () => {
    const before = await manager.app('shop');
    const after = await manager.update('shop', { title: 'The shop', options: { sso: { enabled: true } } });
    expect(after).toMatchObject({ title: 'The shop', options: { sso: { enabled: true } }, pendingChanges: [] });
    expect(after.statuses.env_a.since).toBe(before.statuses.env_a.since);
    await manager.update('shop', { options: { sso: { enabled: false } } });
  });

  it('takes it out of an environment, and puts it into one, while it runs in the other (#7927)', async () => {
    const { statuses } = await manager.app('shop');
    const without = await manager.update('shop', { environments: ['env_a'] });
    expect(Object.keys(without.statuses)).toEqual(['env_a']);
    expect(await ask(fleet.worker('env_b').url, '/api/__app/shop/app:getInfo')).toMatchObject({
      status: 404,
      code: 'APP_NOT_FOUND',
    });
    const withIt = await manager.update('shop', { environments: ['env_a', 'env_b'] });
    expect(withIt.statuses).toMatchObject({
      env_a: { status: 'running', since: statuses.env_a.since },
      env_b: { status: 'running' },
    });
    expect((await ask(fleet.worker('env_b').url, '/api/__app/shop/app:getInfo')).status).toBe(200);
  });
});

const schemas = () => `${fleet.worker('env_a').database}_apps`;

/** A way to the database server of an app that can be cut. */
let way: Listening;
afterAll(() => way?.close());

describe('where its data lies', () => {
  beforeAll(async () => {
    way = await detour(0, fleet.postgresServer.port);
    const common = { environments: ['env_a'], startMode: 'withMain' };
    const schema = { dbConnType: 'new_schema', database: { schema: 'ledger_data' } };
    const server = {
      dbConnType: 'new_connection',
      database: connection({ database: 'partner_data', port: way.port }),
    };
    await Promise.all([
      manager.create({ ...common, name: 'ledger', options: schema }),
      manager.create({ ...common, name: 'partner', options: server }),
    ]);
  });

  it('can be a schema, in a database next to the environment’s own one (#5481)', async () => {
    const [{ count }] = await sql(schemas(), "SELECT count(*)::int FROM pg_tables WHERE schemaname = 'ledger_data'");
    expect(count).toBeGreaterThan(50);
    expect(await databases()).not.toContain('ledger');
    expect(await signInTo(fleet.supervisor, 'ledger')).toBeTruthy();
  });

  it('can be a server of its own (#2746)', async () => {
    expect(await databases()).toContain('partner_data');
    expect(await signInTo(fleet.supervisor, 'partner')).toBeTruthy();
  });

  it('says why it cannot be reached, and lets a deletion wait for it', async () => {
    const silent = await silentServer();
    const broken = {
      unreachable: { port: await freePort() },
      silent: { port: silent.port },
      stranger: { username: 'role_of_nobody' },
    };
    const ended = await Promise.all(
      Object.entries(broken).map(async ([name, wrong]) => {
        const options = { dbConnType: 'new_connection', database: connection(wrong) };
        const values = { name, environments: ['env_a'], options };
        const refused = { status: 409, body: expect.stringContaining('"code":"DATABASE_UNUSABLE"') };
        await expect(manager.begin('create', values)).rejects.toMatchObject(refused);
        const { operation } = await manager.begin('adopt', values);
        return manager.ended(operation!);
      }),
    );
    silent.close();
    expect(ended.map(({ state, progress }) => [state, progress[0].error?.code])).toEqual([
      ['failed', 'DATABASE_UNREACHABLE'],
      ['failed', 'DATABASE_UNREACHABLE'],
      ['failed', 'DATABASE_SIGN_IN'],
    ]);
    expect(ended[0].progress[0].error?.params).toMatchObject({ server: `${HOST}:${broken.unreachable.port}` });
    const { statuses } = await manager.app('unreachable');
    expect(statuses.env_a).toMatchObject({ status: 'error', error: { code: 'DATABASE_UNREACHABLE' } });
    for (const name of ['unreachable', 'stranger']) {
      const heard = await heardWhileRestarting(name, 'failed');
      const told = heard.map(({ message }) => message);
      expect(heard.filter(({ code }) => code === 'APP_ERROR').length).toBeGreaterThanOrEqual(4);
      // The same text for all, by the title, with a reference to the cause.
      const [text, ...others] = new Set(told);
      expect([text, others]).toEqual([expect.stringMatching(/^".+" is unavailable\. Reference: [2-9A-Z]{8}$/), []]);
      const reference = text!.slice(-8);
      expect(fleet.worker('env_a').logTail(20_000).join('\n')).toContain(reference);
      const isRecorded = async () => {
        const { data } = await manager.api.get('appEvents:list', { filter: { appName: name } });
        return data.some(({ message }: { message: Message }) => message.params?.reference === reference);
      };
      await expect.poll(isRecorded, { timeout: 20_000 }).toBe(true);
      // Its operator is told the whole cause.
      const message = inEnglish((await manager.app(name)).statuses.env_a.error!);
      expect(message).toContain(HOST);
      expect(fleet.worker('env_a').logTail(20_000).join('\n')).toContain(message);
    }
    for (const name of ['silent', 'stranger']) await manager.destroy(name, 'keep');

    // Whether there is something to drop cannot be told; once it can, the deletion is tried again.
    const { data } = await manager.api.post('apps:destroy?filterByTk=unreachable', { database: 'drop' });
    expect(await manager.ended(data[0])).toMatchObject({ state: 'failed' });
    const way = await detour(broken.unreachable.port, fleet.postgresServer.port);
    const again = await manager.api.post(`appOperations:retry?filterByTk=${data[0].id}`);
    await manager.succeeded(again.data);
    way.close();
  });

  it('says to a visitor of an app that starts how far it is, and no more', async () => {
    const heard = await heardWhileRestarting('ledger', 'succeeded');
    const told = heard.filter(({ code }) => code === 'APP_COMMANDING').map(({ message }) => message);
    expect(told.filter((message) => !/^(in progress(, \d+\/\d+)?)?$/.test(message))).toEqual([]);
    expect(told.some((message) => message.includes('/'))).toBe(true);
  });

  it('says why a command of the app failed to those who are signed in, and to nobody else', async () => {
    const api = await signInTo(fleet.supervisor, 'ledger');
    const [visitor, user] = (await Promise.all([1, 2].map(() => tab('/ws?__appName=ledger')))) as Tab[];
    user.send({ type: 'auth:token', payload: { token: api.token, authenticator: 'basic' } });
    await user.message(({ type }) => type === 'authorized');
    await api.post('pm:enable?filterByTk=nosuch').catch(() => undefined);
    const { payload } = await user.message(({ type }) => type === 'notification');
    expect(payload.message).toMatch(/^Failed to enable plugin: .+/);
    // What is sent after it comes to both.
    await manager.command('restart', 'ledger');
    const runs = ({ messages }: Tab) => messages.filter((message) => message.payload?.code === 'APP_RUNNING').length;
    await expect.poll(() => runs(visitor) > 0 && runs(visitor) === runs(user)).toBe(true);
    expect(visitor.messages.filter(({ type }) => type === 'notification')).toEqual([]);
    visitor.close();
    user.close();
  });

  it('says to a visitor of a running app nothing of a database that is gone', async () => {
    way.close();
    const password = ADMIN.password;
    for (const { url } of [fleet.supervisor, fleet.worker('env_a')]) {
      for (const [action, body] of [
        ['app:getLang'],
        ['authenticators:publicList'],
        ['auth:signIn', { account: ADMIN.email, password }],
      ] as const) {
        const { status, json } = await ask(url, `/api/__app/partner/${action}`, {
          method: body ? 'POST' : 'GET',
          body,
        });
        expect(status).toBeGreaterThanOrEqual(400);
        expect(json).toEqual({
          errors: [{ code: 'INTERNAL_ERROR', message: expect.stringMatching(/^application partner /) }],
        });
      }
    }
    way = await detour(way.port, fleet.postgresServer.port);
    expect((await signInTo(fleet.supervisor, 'partner')).token).toBeTruthy();
  });

  /** What visitors are told of an app until its restart has ended so: in answers and open tabs, by the Supervisor and the Worker. */
  async function heardWhileRestarting(name: string, state: string) {
    const origins = [fleet.supervisor.url, fleet.worker('env_a').url];
    const tabs = await Promise.all(origins.map((origin) => Tab.open(origin, `/ws?__appName=${name}`) as Promise<Tab>));
    const heard: Array<{ code: string; message: string }> = [];
    const visit = async () => {
      for (const origin of origins) {
        const { json, status } = await ask(origin, `/api/__app/${name}/app:getInfo`);
        if (status !== 200) heard.push(json.error ?? json.errors[0]);
      }
    };
    const { data } = await manager.api.post(`apps:restart?filterByTk=${name}`);
    const ended = async () => {
      await visit();
      const operation = await manager.operation(data[0].id);
      return operation.finishedAt === null ? null : operation;
    };
    const operation = await waitFor(ended, { timeout: 200_000, what: `The end of the restart of ${name}` });
    expect(operation.state).toBe(state);
    await visit();
    const isLast = ({ type, payload }: { type: string; payload: { code: string } }) =>
      state === 'failed' ? type === 'notification' : type === 'maintaining' && payload.code === 'APP_RUNNING';
    for (const tab of tabs) {
      await tab.message(isLast);
      heard.push(...tab.messages.filter(({ payload }) => payload.message).map(({ payload }) => payload));
      tab.close();
    }
    return heard;
  }

  const connection = (different: object) => {
    const { host, port, user, password } = fleet.postgresServer;
    return { dialect: 'postgres', host, port, username: user, password, database: 'nowhere', ...different };
  };
});

describe('start modes, when the worker starts anew', () => {
  beforeAll(async () => {
    await manager.command('stop', 'partner');
    await fleet.worker('env_a').restart();
    await fleet.waitForWorkers();
  });

  it('starts what starts with the main app (#2436, #3188)', async () => {
    const running = (app: AppRow) => statusIn(app, 'env_a') === 'running';
    await manager.untilApp('ledger', running, { what: 'running again' });
  });

  it('leaves what is stopped stopped', async () => {
    expect(await ask(fleet.worker('env_a').url, '/api/__app/partner/app:getInfo')).toMatchObject({
      status: 503,
      code: 'APP_STOPPED',
    });
    const stopped = (app: AppRow) => statusIn(app, 'env_a') === 'stopped';
    await manager.untilApp('partner', stopped, { what: 'shown as stopped' });
  });

  it('leaves the rest dormant until it is visited, and wakes nothing while another environment serves', async () => {
    const wakesNothing = (app: AppRow) => statusIn(app, 'env_a') === 'dormant' && statusIn(app, 'env_b') === 'running';
    await manager.untilApp('shop', wakesNothing, { what: 'dormant in env_a, running in env_b' });
    await expect.poll(async () => (await shop()).headers['x-app-environment']).toBe('env_b');
    expect(statusIn(await manager.app('shop'), 'env_a')).toBe('dormant');

    const first = await shop('app:getInfo', { 'X-App-Environment': 'env_a' });
    expect(first).toMatchObject({ status: 503, code: 'APP_PREPARING' });
    const running = (app: AppRow) => statusIn(app, 'env_a') === 'running';
    await manager.untilApp('shop', running, { what: 'woken by its visitor' });
    expect((await shop('app:getInfo', { 'X-App-Environment': 'env_a' })).status).toBe(200);
  });
});

describe('deleting it', () => {
  it('invariant 9: drops what it created, when it is asked to: a database of two environments, one elsewhere, a schema', async () => {
    for (const name of ['shop', 'partner', 'ledger']) await manager.destroy(name, 'drop');
    for (const name of ['shop', 'partner_data']) expect(await databases()).not.toContain(name);
    expect(await sql('postgres', "SELECT 1 FROM pg_roles WHERE rolname ~ '^app_(shop|ledger)'")).toEqual([]);
    expect(await sql(schemas(), "SELECT 1 FROM pg_namespace WHERE nspname = 'ledger_data'")).toEqual([]);
  });
});
