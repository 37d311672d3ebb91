import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Redis from 'ioredis';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_ADMIN, Api, type Fleet, query, waitFor } from '../../scripts/fleet';
import { unseal } from '../../src/server/protocol/secrets';
import type { ChecklistRow } from '../../src/shared/checklist';
import type { AppRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { type Answer, type Ask, ask } from '../support/http';
import { answerToUnfinishedUpload, makeTraces, StrangePlugin, startMcpServer } from '../support/intruder';
import { afterCommands, changePassword, Manager, signInTo } from '../support/manager';
import { read, type Session, signInAt, upload } from '../support/uploads';

/** Who may do what, what nobody gets to see, and what is refused. */

let fleet: Fleet;
let manager: Manager;
let root: Api;

/** `vault` has a database server of its own. */
const PASSWORD = 'a-password-of-its-own';
const partner = (database = 'vault_data') => {
  const { host, port } = fleet.postgresServer;
  return { dialect: 'postgres', host, port, username: 'vault_user', password: PASSWORD, database };
};
const sql = async (database: string, text: string) => (await query(fleet.postgresServer, database, text)).rows;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  root = manager.api;
  await removeAll();
  await sql('postgres', `CREATE ROLE vault_user LOGIN CREATEDB PASSWORD '${PASSWORD}'`);
  // Its own server has not been closed to it, as that of the fleet is.
  await sql('postgres', 'GRANT CONNECT ON DATABASE postgres TO vault_user');
  await manager.create({
    name: 'vault',
    environments: ['env_a'],
    cname: 'vault.example.test',
    options: { dbConnType: 'new_connection', database: partner() },
  });
});

afterAll(removeAll);

async function removeAll() {
  await manager.clear('vault', 'neighbour', 'bad');
  const filter = encodeURIComponent(JSON.stringify({ username: { $in: Object.keys(ROLES) } }));
  await root.post(`users:destroy?filter=${filter}`);
  for (const name of Object.keys(ROLES)) await root.post(`roles:destroy?filterByTk=${name}`);
  await sql('postgres', 'DROP DATABASE IF EXISTS vault_data WITH (FORCE)');
  const [exists] = await sql('postgres', `SELECT 1 FROM pg_roles WHERE rolname = 'vault_user'`);
  if (exists) await sql('postgres', 'REVOKE ALL ON DATABASE postgres FROM vault_user; DROP ROLE vault_user');
}

const READS = {
  apps: ['list', 'get', 'checkDatabase', 'logs', 'previewMove'],
  appEnvironments: ['list', 'check', 'previewMove', 'arrival'],
  appContainers: ['list', 'logs'],
  appOperations: ['list', 'get'],
  appEvents: ['list', 'export'],
  appNotifiers: ['list'],
  appFleet: ['checklist'],
};
const CHANGES = {
  apps: [
    'create',
    'adopt',
    'update',
    'start',
    'stop',
    'restart',
    'upgrade',
    'destroy',
    'migrate',
    'move',
    'resetAdmin',
  ],
  appEnvironments: ['cordon', 'uncordon', 'drain', 'forget', 'move', 'join', 'resetAdmin'],
  appContainers: ['create', 'start', 'stop', 'restart', 'upgrade', 'destroy'],
  appOperations: ['cancel', 'retry'],
  appNotifiers: ['update', 'test'],
};
const ROLES = {
  stranger: ['!pm', '!pm.*', '!ui.*', '!app'],
  appkeeper: ['pm.app-supervisor.apps'],
};

const named = (actions: Record<string, string[]>) =>
  Object.entries(actions).flatMap(([resource, names]) => names.map((name) => `${resource}:${name}`));
const ALL = [...named(READS), ...named(CHANGES)];
/** What gives access to apps, main apps, keys or the engine, or says how to get it. */
const SECURITY = [
  'appFleet:checklist',
  'apps:resetAdmin',
  ...['resetAdmin', 'join', 'arrival'].map((action) => `appEnvironments:${action}`),
  ...ALL.filter((action) => action.startsWith('appContainers:')),
];

/** The status and code that a request is answered with, whatever they are. */
async function outcome(api: Api, method: 'GET' | 'POST', action: string, body?: unknown): Promise<Answer> {
  const headers = { ...(api.token && { Authorization: `Bearer ${api.token}`, 'X-Authenticator': 'basic' }) };
  return ask(api.url, `/api/${action}`, {
    method,
    headers: { ...headers, ...(api.app && { 'X-App': api.app }) },
    body,
  });
}

describe('who may do what', () => {
  const users = {} as Record<keyof typeof ROLES, Api>;

  beforeAll(async () => {
    for (const [name, snippets] of Object.entries(ROLES)) {
      await root.post('roles:create', { name, title: name, snippets });
      const user = { username: name, email: `${name}@example.test`, password: 'secret-123' };
      await root.post('users:create', { ...user, roles: [{ name }] });
      users[name as keyof typeof ROLES] = await Api.signIn(fleet.supervisor.url, user);
    }
  });

  it.each(ALL)('%s is refused to who is not signed in, or has another role', async (action) => {
    const anonymous = Api.anonymous(fleet.supervisor.url);
    for (const method of ['GET', 'POST'] as const) {
      expect((await outcome(anonymous, method, `${action}?filterByTk=vault`)).status).toBe(401);
      expect((await outcome(users.stranger, method, `${action}?filterByTk=vault`)).status).toBe(403);
    }
  });

  // Each of the others, with every action: unit/permissions.
  it('the snippet for apps is enough for apps and operations, and to see environments', async () => {
    for (const action of ALL) {
      const { status } = await outcome(users.appkeeper, 'POST', `${action}?filterByTk=nosuch`, {});
      const isOfApps = !action.startsWith('appEnvironments:') || action === 'appEnvironments:list';
      const allowed = isOfApps && !SECURITY.includes(action) && !action.startsWith('appNotifiers:');
      expect([action, status === 403]).toEqual([action, !allowed]);
    }
    expect((await outcome(users.appkeeper, 'GET', 'apps:get?filterByTk=vault')).json.data.name).toBe('vault');
    const sso = { enabled: true, mapping: 'none', autoSignup: true, signupRole: 'editor' };
    const taken = await outcome(users.appkeeper, 'POST', 'apps:update?filterByTk=vault', { options: { sso } });
    expect(taken).toMatchObject({ status: 403, code: 'NEEDS_SECURITY' });
  });

  it('what can be entered is shown to whoever is signed in, and to nobody else', async () => {
    const { status, json } = await outcome(users.stranger, 'GET', 'appEntries:list');
    expect(status).toBe(200);
    expect(Object.keys(json.data[0]).sort()).toEqual(['icon', 'name', 'pinned', 'status', 'target', 'title', 'url']);
    expect((await outcome(Api.anonymous(fleet.supervisor.url), 'GET', 'appEntries:list')).status).toBe(401);
  });

  it.each(named(CHANGES))('%s is not to be had by GET, which a link can send', async (action) => {
    const answer = await outcome(root, 'GET', `${action}?filterByTk=vault`);
    expect(answer).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED', headers: { allow: 'POST' } });
  });

  it.each(['appManifests', 'appSnapshots', 'appTombstones', 'appSupervisorLeaders'])(
    'the table %s is nobody’s to reach, not even root’s',
    async (table) => {
      for (const action of ['list', 'get', 'create', 'update', 'destroy', 'firstOrCreate', 'updateOrCreate', 'query']) {
        for (const method of ['GET', 'POST'] as const) {
          const { status } = await outcome(
            root,
            method,
            `${table}:${action}?filterByTk=1`,
            method === 'POST' ? {} : undefined,
          );
          expect([action, status]).toEqual([action, 404]);
        }
      }
    },
  );

  it.each(['apps', 'appEnvironments', 'appOperations', 'appEvents'])(
    'the table %s has no actions of the core',
    async (table) => {
      for (const action of [
        'add',
        'set',
        'remove',
        'toggle',
        'move',
        'firstOrCreate',
        'updateOrCreate',
        'query',
        'export',
      ]) {
        if (ALL.includes(`${table}:${action}`)) continue;
        const { status } = await outcome(root, 'POST', `${table}:${action}?filterByTk=vault`, {});
        expect([action, status]).toEqual([action, 404]);
      }
    },
  );
});

describe('an instance that manages no apps', () => {
  it.each(ALL)('a worker’s main app refuses %s', async (action) => {
    const api = await workerRoot();
    const answer = await outcome(api, 'POST', `${action}?filterByTk=vault`, {});
    expect(answer).toMatchObject({ status: 409, code: 'NOT_ON_THIS_PART' });
  });

  it('invariant 11: an app has neither the actions nor the tables (#6005)', async () => {
    const api = await signInTo(fleet.supervisor, 'vault');
    for (const action of [...ALL, 'appSupervisor:info']) {
      expect([action, (await outcome(api, 'GET', action)).status]).toEqual([action, 404]);
    }
    const tables = await sql('vault_data', "SELECT tablename FROM pg_tables WHERE tablename ILIKE 'app%'");
    const ours = /^app_?(s|snapshots|environments|operations|tombstones|supervisor_?leaders)$/i;
    expect(tables.map(({ tablename }) => tablename).filter((name) => ours.test(name))).toEqual([]);
  });
});

let cachedWorkerRoot: Api | null = null;
const workerRoot = async () => {
  cachedWorkerRoot ??= await fleet.worker('env_a').signIn();
  return cachedWorkerRoot;
};

describe('sessions and API keys', () => {
  /** Who signs in to each main app and app; all of them have id 1. */
  let places: Record<string, Api>;
  let apiKeys: Record<string, string>;
  const keyOf = async (api: Api) =>
    (await api.post('apiKeys:create', { name: 'key', role: { name: 'root' }, expiresIn: '1d' })).data.token as string;
  const isAccepted = async (token: string, by: Api) => {
    const { status, json } = await outcome(by.withToken(token), 'GET', 'auth:check');
    expect([status, json?.data?.id]).toEqual(status === 200 ? [200, 1] : [401, undefined]);
    return status === 200;
  };

  beforeAll(async () => {
    const common = { environments: ['env_a'] };
    await manager.create({ ...common, name: 'neighbour' });
    places = {
      main: root,
      worker: await workerRoot(),
      vault: await signInTo(fleet.supervisor, 'vault'),
      neighbour: await signInTo(fleet.supervisor, 'neighbour'),
    };
    const made = Object.entries(places).map(async ([name, api]) => [name, await keyOf(api)]);
    apiKeys = Object.fromEntries(await Promise.all(made));
  });

  it('of an app that was stored without a secret end when it starts with the one that it is given', async () => {
    const { vault } = places;
    const tokens = [vault.token!, apiKeys.vault];
    await sql(fleet.supervisor.database, `UPDATE apps SET "jwtSecret" = NULL WHERE name = 'vault'`);
    // It is given at the start, as in an upgrade.
    await fleet.supervisor.restart();
    const isLoaded = async () => (await outcome(root, 'GET', 'apps:get?filterByTk=vault')).status === 200;
    await waitFor(isLoaded, { timeout: 60_000, what: 'The Supervisor to have loaded its apps' });
    const isGiven = ({ pendingChanges, operation }: AppRow) => pendingChanges.join() === 'jwtSecret' && !operation;
    await manager.untilApp('vault', isGiven, { what: 'given a secret' });
    for (const token of tokens) expect(await isAccepted(token, vault)).toBe(true);
    await manager.command('restart', 'vault');
    for (const token of [...tokens, root.token!, apiKeys.neighbour]) expect(await isAccepted(token, vault)).toBe(false);
    expect(await isAccepted((await signInTo(fleet.supervisor, 'vault')).token!, vault)).toBe(true);
    expect((await manager.app('vault')).pendingChanges).toEqual([]);
  });
});

describe('an administrator whose password everybody knows', () => {
  const KNOWN = 'admin123';
  const checklist = async () => (await root.get('appFleet:checklist')).data as ChecklistRow[];
  const rowOf = async (code: string) => (await checklist()).find((row) => row.code === code);
  const newest = async () => (await root.get('appEvents:list', { pageSize: 1, filter: { kind: 'change' } })).data[0];
  /** Signs in with a new password, and returns to the one that the other tests know. */
  const comeBack = async (signIn: (password: string) => Promise<Api>, password: string, usual: string) => {
    // NocoBase refuses a token from the second in which the password was changed.
    const isValid = async (api: Api) => ((await outcome(api, 'GET', 'auth:check')).status === 200 ? api : null);
    const what = 'A sign-in with the new password';
    const api = await waitFor(async () => isValid(await signIn(password)), { timeout: 10_000, what });
    return changePassword(api, usual, () => signIn(usual));
  };

  it('of an app is red in the checklist, and gets another password, which ends every session of before', async () => {
    const signIn = (password: string) => signInTo(fleet.supervisor, 'vault', { ...APP_ADMIN, password });
    const admin = await changePassword(await signIn(APP_ADMIN.password), KNOWN, () => signIn(KNOWN));
    await waitFor(() => rowOf('APP_PASSWORDS_KNOWN'), { timeout: 10_000, what: 'The row of the checklist' });
    expect(await rowOf('APP_PASSWORDS_KNOWN')).toMatchObject({ level: 'red', apps: ['vault'] });

    const { data } = await root.post('apps:resetAdmin?filterByTk=vault');
    expect(data).toEqual({
      username: APP_ADMIN.username,
      email: APP_ADMIN.email,
      password: expect.stringMatching(/^\w{20}$/),
      unconfirmed: [],
    });
    expect((await outcome(admin, 'GET', 'auth:check')).status).toBe(401);
    await expect(signIn(KNOWN)).rejects.toMatchObject({ status: 401 });
    await waitFor(async () => !(await rowOf('APP_PASSWORDS_KNOWN')), { timeout: 10_000, what: 'The end of the row' });
    expect(await newest()).toMatchObject({ appName: 'vault', createdBy: '1', message: { code: 'ADMIN_RESET' } });
    await comeBack(signIn, data.password, APP_ADMIN.password);
  });

  it('of a worker’s main app gets another password, too', async () => {
    const worker = fleet.worker('env_a');
    const { data } = await root.post('appEnvironments:resetAdmin?filterByTk=env_a');
    await expect(worker.signIn()).rejects.toMatchObject({ status: 401 });
    expect(await newest()).toMatchObject({ environment: 'env_a', message: { code: 'WORKER_ADMIN_RESET' } });
    const signIn = (password: string) => Api.signIn(worker.url, { ...worker.admin, password });
    cachedWorkerRoot = await comeBack(signIn, data.password, worker.admin.password);
  });
});

describe('an instance’s folder of uploads', () => {
  const KEY = 'apps/main/aes_key.dat';

  it.each([`../${KEY}`, `%2e%2e/${KEY}`, `..%2f${encodeURIComponent(KEY)}`, `x/../../${KEY}`])(
    'is not left by who is signed in: %s',
    async (file) => {
      const worker = fleet.worker('env_a');
      const app = await signInTo(fleet.supervisor, 'vault');
      for (const [instance, api] of [
        [fleet.supervisor, app],
        [fleet.supervisor, root],
        [worker, app],
        [worker, await workerRoot()],
      ] as const) {
        expect(fs.existsSync(path.join(instance.storage, KEY))).toBe(true);
        const headers = { Authorization: `Bearer ${api.token}`, 'X-Authenticator': 'basic' };
        const answer = await ask(instance.url, `/storage/uploads/${file}?__appName=${api.app ?? 'main'}`, { headers });
        expect([answer.status, answer.text]).toEqual([404, 'Not Found']);
      }
    },
  );
});

describe('uploads of an app', () => {
  let session: Session;
  const storage = () => fleet.worker('env_a').storage;
  const own = (app: string, file = '') => path.join(storage(), 'apps', app, 'uploads', file);
  const readBy = async (url: string, { Cookie }: Session) => {
    const { status, text } = await read(fleet.supervisor.url, url, { Cookie });
    return { status, text };
  };
  const fileOf = (url: string) => sql('vault_data', `SELECT filename FROM attachments WHERE id = ${idOf(url)}`);
  const idOf = (url: string) => Number(/(\d+)\.\w+$/.exec(url)![1]);

  beforeAll(async () => {
    session = await signInAt(fleet.supervisor.url, 'vault');
  });

  it('are in its own folder, and read by its own users alone', async () => {
    const url = await upload(fleet.supervisor.url, 'vault', session, { name: 'plan.txt', content: 'Of vault' });
    const [{ filename }] = await fileOf(url);
    expect(fs.readFileSync(own('vault', filename), 'utf8')).toBe('Of vault');
    expect(fs.existsSync(path.join(storage(), 'uploads', filename))).toBe(false);
    expect(await readBy(url, session)).toEqual({ status: 200, text: 'Of vault' });
    const neighbour = await signInAt(fleet.supervisor.url, 'neighbour');
    for (const address of [
      `/storage/uploads/${filename}?__appName=neighbour`,
      `/files/neighbour/~storage/${filename}`,
      `/files/neighbour/~storage/..%2f..%2fvault%2fuploads%2f${filename}`,
      `/files/vault/~storage/${filename}`,
    ]) {
      const { status } = await readBy(address, neighbour);
      expect([address, [401, 404].includes(status)]).toEqual([address, true]);
    }
    // A row with a foreign name reads and deletes nothing.
    const api = await signInTo(fleet.supervisor, 'neighbour');
    const values = { title: 'x', filename, path: '', extname: '.txt' };
    const { data } = await api.post('attachments:create', values);
    expect(await readBy(data.url, neighbour)).toMatchObject({ status: 404 });
    await api.post(`attachments:destroy?filterByTk=${data.id}`);
    expect(await readBy(url, session)).toEqual({ status: 200, text: 'Of vault' });
  });

  it('stay there whatever the storage says, also after a restart', async () => {
    const before = (await sql('vault_data', `SELECT options FROM storages WHERE name = 'local'`))[0].options;
    const options = { ...before, documentRoot: path.join(storage(), 'apps/main') };
    await sql('vault_data', `UPDATE storages SET options = '${JSON.stringify(options)}' WHERE name = 'local'`);
    await manager.command('restart', 'vault');
    session = await signInAt(fleet.supervisor.url, 'vault');
    const url = await upload(fleet.supervisor.url, 'vault', session, { name: 'more.txt', content: 'More' });
    const [{ filename }] = await fileOf(url);
    expect(fs.readFileSync(own('vault', filename), 'utf8')).toBe('More');
    expect(await readBy(url, session)).toEqual({ status: 200, text: 'More' });
    const key = { title: 'x', filename: 'aes_key.dat', path: '', extname: '.dat' };
    const api = await signInTo(fleet.supervisor, 'vault');
    const { data } = await api.post('attachments:create', key);
    expect(await readBy(data.url, session)).toMatchObject({ status: 404 });
    await sql('vault_data', `UPDATE storages SET options = '${JSON.stringify(before)}' WHERE name = 'local'`);
  });

  it('that lie in the folder of before are found by the next start, and moved', async () => {
    const old = path.join(storage(), 'uploads', 'old-abc123.txt');
    fs.mkdirSync(path.dirname(old), { recursive: true });
    fs.writeFileSync(old, 'Old');
    const [{ id }] = await sql(
      'vault_data',
      `INSERT INTO attachments (title, filename, extname, path, mimetype, "storageId", "createdAt", "updatedAt")
       SELECT 'old', 'old-abc123.txt', '.txt', '', 'text/plain', id, now(), now() FROM storages WHERE name = 'local' RETURNING id`,
    );
    const url = `/files/vault/main/attachments/${id}.txt`;
    await manager.command('restart', 'vault');
    session = await signInAt(fleet.supervisor.url, 'vault');
    // Its files have been moved before: since then a row proves nothing.
    expect([(await readBy(url, session)).status, fs.existsSync(old)]).toEqual([404, true]);
    fs.rmSync(path.join(storage(), 'apps/vault/uploads.moved'));
    await manager.command('restart', 'vault');
    session = await signInAt(fleet.supervisor.url, 'vault');
    expect(await readBy(url, session)).toEqual({ status: 200, text: 'Old' });
    expect(fs.existsSync(old)).toBe(false);
  });
});

describe('a Worker’s process', () => {
  const own = (name: string) => Object.entries(fleet.worker(name).env).filter(([key]) => SECRETS.test(key));
  const SECRETS = /^(APP_KEY|APP_SUPERVISOR_.*(KEY|URL)|APP_COMMAND_REDIS_URL|DB_PASSWORD)$/;

  it('has its environment’s key and its own user of Redis, and no other secret of the fleet', async () => {
    const [one, other] = ['env_a', 'env_b'].map((name) => Object.fromEntries(own(name)));
    expect(Object.keys(one).sort()).toEqual([
      'APP_COMMAND_REDIS_URL',
      'APP_KEY',
      'APP_SUPERVISOR_ENVIRONMENT_KEY',
      'APP_SUPERVISOR_REDIS_URL',
      'DB_PASSWORD',
    ]);
    expect(Object.keys(one).filter((name) => one[name] === other[name])).toEqual(['DB_PASSWORD']);
    const ofSupervisor = Object.entries(fleet.supervisor.env).filter(([name]) => SECRETS.test(name));
    for (const [name, value] of ofSupervisor) expect([name, Object.values(one).includes(value)]).toEqual([name, false]);
  });

  it('cannot sign a session of the Supervisor, whatever it has, nor can the Supervisor’s APP_KEY', async () => {
    const payload = { userId: 1, roleName: 'root', temp: false };
    const keys = [...own('env_a').map(([, value]) => value), fleet.supervisor.env.APP_KEY];
    for (const key of keys) {
      const headers = { Authorization: `Bearer ${jwt.sign(payload, key!)}`, 'X-Authenticator': 'basic' };
      for (const action of ['apps:list', 'users:list', 'appEnvironments:join'])
        expect((await ask(fleet.supervisor.url, `/api/${action}`, { headers })).status).toBe(401);
    }
  });

  it('reaches neither the Supervisor’s database, nor what Redis has of others', async () => {
    const {
      DB_USER: user = '',
      DB_PASSWORD: password = '',
      APP_SUPERVISOR_REDIS_URL: url = '',
    } = fleet.worker('env_a').env;
    const asSupervisor = { ...fleet.postgresServer, user: fleet.supervisor.env.DB_USER!, password };
    await expect(query(asSupervisor, fleet.supervisor.database, 'SELECT 1')).rejects.toThrow(/authentication failed/);
    const asWorker = { ...fleet.postgresServer, user, password };
    await expect(query(asWorker, fleet.supervisor.database, 'SELECT 1')).rejects.toThrow(/permission denied/);
    const redis = new Redis(url);
    const key = (...parts: string[]) => ['app-supervisor', ...parts].join(':');
    try {
      await expect(redis.hgetall(key('records', 'env_b'))).rejects.toThrow('NOPERM');
      await expect(redis.set(key('lease', 'env_b'), 'x')).rejects.toThrow('NOPERM');
      await expect(redis.hset(key('records', 'env_a'), 'vault', 'x')).rejects.toThrow('NOPERM');
    } finally {
      redis.disconnect();
    }
  });
});

/** After the tests above, which have used all of it. */
describe('invariant 8: secrets stay on the server', () => {
  let stored: string[];
  let secrets: string[];

  beforeAll(async () => {
    const select = `SELECT "jwtSecret", database FROM apps WHERE name = 'vault'`;
    const [{ jwtSecret, database }] = await sql(fleet.supervisor.database, select);
    const key = fleet.supervisor.env.APP_SUPERVISOR_AES_SECRET_KEY!;
    stored = [jwtSecret, database.password];
    secrets = [...stored.map((secret) => unseal(secret, Buffer.from(key, 'hex'), 'vault')), key];
  });

  it('the database holds them sealed only', () => {
    for (const secret of stored) expect(secret).toMatch(/^sealed:/);
    expect(secrets[1]).toBe(PASSWORD);
  });

  /** The whole of what is given, as far as it holds a secret. */
  const leaks = (from: string, text: string, what = [...stored, ...secrets]) =>
    what.filter((secret) => text.includes(secret)).map((secret) => `${from} holds ${secret.slice(0, 12)}…`);

  it('no answer of the API holds one, sealed or not', async () => {
    const logs = await outcome(root, 'GET', 'apps:logs?filterByTk=vault&lines=1000');
    expect(logs.json.data.length).toBeGreaterThan(0);
    const broken = { dbConnType: 'new_connection', database: { ...partner(), username: 'nobody' } };
    const answers: Array<Answer> = [
      logs,
      await outcome(root, 'GET', 'apps:list'),
      await outcome(root, 'GET', 'apps:list?fields=jwtSecret,database&appends=database&except=name'),
      await outcome(root, 'GET', 'apps:get?filterByTk=vault'),
      await outcome(root, 'GET', 'appOperations:list'),
      await outcome(root, 'GET', 'appEnvironments:list'),
      await outcome(root, 'GET', 'appEntries:list'),
      await outcome(root, 'GET', 'app:getPortals'),
      await outcome(root, 'POST', 'apps:checkDatabase', { environment: 'env_a', ...broken }),
      await outcome(root, 'POST', 'apps:update?filterByTk=vault', { options: { database: { password: PASSWORD } } }),
    ];
    for (const { json } of answers) expect(json?.data).toBeTruthy();
    expect(answers.flatMap(({ text }, index) => leaks(`answer ${index}`, text))).toEqual([]);
  });

  it('no filter tells one character after the other', async () => {
    const filters = [
      { jwtSecret: { $ne: null } },
      { jwtSecret: { $includes: stored[0].slice(0, 20) } },
      { 'jwtSecret.$notEmpty': true },
      { database: { password: { $includes: 'sealed' } } },
      { 'database.password.$includes': 'sealed' },
      { $and: [{ $or: [{ jwtSecret: { $ne: null } }] }] },
    ];
    for (const filter of filters) {
      const target = `apps:list?filter=${encodeURIComponent(JSON.stringify(filter))}`;
      expect(await outcome(root, 'GET', target)).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
    }
  });

  it('Redis holds them sealed only (#8579)', async () => {
    const redis = new Redis(fleet.redisUrl!);
    const read: Record<string, (key: string) => Promise<unknown>> = {
      hash: (key) => redis.hgetall(key),
      set: (key) => redis.smembers(key),
      list: (key) => redis.lrange(key, 0, -1),
      string: (key) => redis.get(key),
    };
    const found: string[] = [];
    for (const key of await redis.keys('*')) {
      found.push(`${key} ${JSON.stringify(await read[await redis.type(key)](key))}`);
    }
    redis.disconnect();
    expect(found.join('\n')).toContain('vault_data');
    expect(found.flatMap((text) => leaks(text.slice(0, 40), text, secrets))).toEqual([]);
  });

  it('no log file holds one', () => {
    const storages = fleet.instances.map(({ storage }) => path.join(storage, 'logs'));
    const files = [path.dirname(fleet.supervisor.logFile), ...storages].flatMap((folder) =>
      fs
        .readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name)),
    );
    expect(files.length).toBeGreaterThan(5);
    expect(files.flatMap((file) => leaks(file, fs.readFileSync(file, 'utf8')))).toEqual([]);
  });

  it('an empty password on update means the one it has', async () => {
    const stored = async () =>
      (await sql(fleet.supervisor.database, "SELECT database FROM apps WHERE name = 'vault'"))[0].database;
    const before = await stored();
    await manager.update('vault', {
      options: { dbConnType: 'new_connection', database: { ...partner(), password: '' } },
    });
    expect(await stored()).toEqual(before);
  });

  it('the password goes to no server and no user other than those it was entered for', async () => {
    for (const changed of [{ host: 'evil.example.test' }, { port: 1 }, { username: 'other' }]) {
      const options = { database: { ...partner(), password: '', ...changed } };
      expect(await outcome(root, 'POST', 'apps:update?filterByTk=vault', { options })).toMatchObject({
        status: 400,
        code: 'PASSWORD_REQUIRED',
        json: { errors: [{ field: 'options.database.password' }] },
      });
    }
  });
});

/** Last: the app is restarted, and this plugin disabled in it. */
describe('what belongs to the operator is refused to an app’s administrator', () => {
  const PLUGINS = { status: 403, code: 'PLUGINS_BY_OPERATOR' };
  const PROGRAM = { status: 403, code: 'MCP_PROGRAM' };
  let admin: Api;
  let traces: string;
  let prepared: string[];
  let stranger: StrangePlugin;
  /** One that the operator has installed. */
  let installed: StrangePlugin;
  let mcp: Awaited<ReturnType<typeof startMcpServer>>;

  const trace = (name: string) => path.join(traces, name);
  /** What attacks have left. */
  const traced = () => fs.readdirSync(traces).filter((name) => !prepared.includes(name));
  const program = (name: string) => ({ transport: 'stdio', command: 'touch', args: [trace(name)] });
  const bearer = () => ({ Authorization: `Bearer ${admin.token}`, 'X-Authenticator': 'basic' });
  const signIn = async () => {
    admin = await signInTo(fleet.supervisor, 'vault');
  };
  /** A command of the app that ends with another start of it, in which nothing of before is left. */
  const restartedBy = async (action: string) => {
    const load = async () => (await afterCommands('vault', () => admin.get('coreProbe:load'))).data.load;
    const before = await load();
    await admin.post(action);
    await waitFor(async () => (await load()) !== before, { timeout: 120_000, what: `The restart by ${action}` });
    await signIn();
  };

  const disableBySql = async () => {
    await sql('vault_data', `UPDATE "applicationPlugins" SET enabled = false WHERE name = 'app-supervisor'`);
    await restartedBy('app:restart');
  };

  beforeAll(async () => {
    traces = makeTraces();
    stranger = new StrangePlugin(traces, 'stranger');
    installed = new StrangePlugin(traces, 'installed');
    installed.install();
    prepared = fs.readdirSync(traces);
    mcp = await startMcpServer('weather');
    await signIn();
    const values = { name: 'by-http', enabled: true, transport: 'http', url: mcp.url };
    await admin.post('aiMcpClients:create', values);
    // As SQL would write it, which no action sees.
    await sql(
      'vault_data',
      `INSERT INTO "aiMcpClients" (name, enabled, transport, command, args, "useUserContext", "createdAt", "updatedAt")
       VALUES ('by-program', true, 'stdio', 'touch', '${JSON.stringify([trace('stored')])}', false, now(), now())`,
    );
  });

  afterAll(() => {
    mcp?.close();
    for (const plugin of [stranger, installed]) plugin?.erase();
    fs.rmSync(traces, { recursive: true, force: true });
    // `pm:add` in a main app has its next start upgrade.
    fs.rmSync(path.join(fleet.worker('env_a').storage, '.upgrading'), { force: true });
  });

  const stages: Array<[string, () => Promise<void>]> = [
    ['', async () => undefined],
    [', after SQL has disabled this plugin in it', () => disableBySql()],
    [', after another restart', () => restartedBy('app:restart')],
  ];
  describe.each(stages)('in an app%s', (stage, begin) => {
    beforeAll(begin);

    it('whether this plugin is there', async () => {
      expect((await outcome(admin, 'GET', 'appEntries:list')).status).toBe(stage ? 404 : 200);
    });

    it('plugins are not added, updated or removed, however that is asked for', async () => {
      const values = { compressedFileUrl: stranger.archive };
      const add = { method: 'POST', body: values };
      const name = encodeURIComponent(installed.packageName);
      const inApp = { ...bearer(), 'X-App': 'vault' };
      const spellings: Array<[string, Ask]> = [
        ['/api/pm:add', { ...add, headers: inApp }],
        ['/api/pm:add', { headers: inApp }],
        ['/api/%70m:add/', { ...add, headers: inApp }],
        ['/api/pm:add', { ...add, headers: { ...inApp, 'X-Data-Source': 'main' } }],
        ['/api/pm:add', { ...add, headers: { ...bearer(), Host: 'vault.example.test' } }],
        ['/api/pm:add?__appName=vault', { ...add, headers: bearer() }],
        ['/api/__app/vault/pm:add', { ...add, headers: bearer() }],
        ['/api/pm:update', { ...add, headers: inApp }],
        [`/api/pm/${name}`, { ...add, method: 'PUT', headers: inApp }],
        [`/api/pm:remove?filterByTk=${name}`, { headers: inApp }],
        [`/api/pm:remove?filterByTk=${name}`, { method: 'POST', headers: inApp }],
        [`/api/__app/vault/pm:remove/${name}`, { method: 'POST', headers: bearer() }],
        ['/api/pm:npmVersionList/ai', { headers: inApp }],
      ];
      for (const [target, options] of spellings) {
        const { status, code } = await ask(fleet.supervisor.url, target, options);
        expect([target, options.method, { status, code }]).toEqual([target, options.method, PLUGINS]);
      }
      // Not this action: the core adds nothing to a relation that is not there. The real one answers "ok".
      const nested = await ask(fleet.supervisor.url, '/api/users/1/pm:add', { ...add, headers: inApp });
      expect(nested.json?.data).not.toBe('ok');
      expect([stranger.isInstalled, installed.isInstalled]).toEqual([false, true]);
    });

    it('an upload is refused before it was read', async () => {
      for (const { url } of [fleet.worker('env_a'), fleet.supervisor]) {
        expect(await answerToUnfinishedUpload(`${url}/api/__app/vault/pm:add`, bearer())).toBe(403);
      }
    });

    it('the licence is not read or replaced', async () => {
      for (const action of ['instance-id', 'is-exists', 'license-key']) {
        const { status, code } = await outcome(admin, 'POST', `license:${action}`, { licenseKey: 'x' });
        expect([action, { status, code }]).toEqual([action, { status: 403, code: 'LICENSE_BY_OPERATOR' }]);
      }
    });

    it('background tasks give the files that they made, and no other file of the host', async () => {
      const change = await outcome(admin, 'POST', 'asyncTasks:create', {
        status: 1,
        result: { filePath: '/etc/passwd' },
      });
      expect(change).toMatchObject({ status: 403, code: 'TASK_CHANGE' });
      const fetched = async (filePath: string) => {
        // As SQL would write it.
        const [{ id }] = await sql(
          'vault_data',
          `INSERT INTO "asyncTasks" (id, status, result, "createdById", "createdAt", "updatedAt")
           VALUES (gen_random_uuid(), 1, '${JSON.stringify({ filePath })}', 1, now(), now()) RETURNING id`,
        );
        return outcome(admin, 'GET', `asyncTasks:fetchFile/${id}`);
      };
      const { storage } = fleet.worker('env_a');
      const exported = path.join(storage, 'apps/vault/tasks/export.csv');
      const shared = path.join(storage, 'tmp/export-of-another.csv');
      for (const file of [exported, shared]) {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, 'exported');
      }
      expect(await fetched(exported)).toMatchObject({ status: 200, text: 'exported' });
      for (const file of [
        shared,
        '/proc/self/environ',
        '/nowhere',
        path.join(storage, 'tmp/../apps/main/jwt_secret.dat'),
      ]) {
        const { status, code, headers } = await fetched(file);
        expect([file, status, code]).toEqual([file, 403, 'TASK_FILE']);
        expect(headers).not.toHaveProperty('content-disposition');
      }
    });

    it('plugins that reach other apps are not enabled, and this one is not disabled', async () => {
      for (const [action, code] of [
        ['pm:enable?filterByTk=collection-fdw', 'PLUGIN_REFUSED'],
        ['pm:enable/multi-app-manager', 'PLUGIN_REFUSED'],
        ['pm:disable?filterByTk=app-supervisor', 'PLUGIN_KEPT'],
        ['pm:disable?filterByTk=kanban,@nocobase/plugin-app-supervisor', 'PLUGIN_KEPT'],
      ]) {
        expect([action, (await outcome(admin, 'POST', action)).code]).toEqual([action, code]);
      }
    });

    it('custom requests reach no socket of the host, and go on to reach addresses', async () => {
      const folder = fs.mkdtempSync(path.join(tmpdir(), 'socket-'));
      const socket = path.join(folder, 'socket');
      const answering = (text: string) => http.createServer((_, res) => res.end(text));
      const [hidden, open] = [answering('of the host'), answering('of an address')];
      await new Promise<void>((resolve) => hidden.listen(socket, resolve));
      await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve));
      let count = 0;
      const sent = async (options: object) => {
        const key = `request_${stage.length}_${count++}`;
        await admin.post('customRequests:create', { key, options: { method: 'GET', ...options } });
        return outcome(admin, 'POST', `customRequests:send/${key}`, {});
      };
      try {
        const nowhere = 'http://127.0.0.1:1/';
        const stolen = await sent({ url: nowhere, socketPath: socket });
        expect([stolen.status, stolen.text.includes('of the host')]).toEqual([500, false]);
        // NocoBase's own socket, which ended the process with what is no JSON.
        const { storage } = fleet.worker('env_a');
        const ipc = fs.readdirSync(storage).find((name) => name.endsWith('.sock'));
        if (ipc) expect((await sent({ url: nowhere, socketPath: path.join(storage, ipc) })).status).toBe(500);
        const url = `http://127.0.0.1:${(open.address() as AddressInfo).port}/`;
        expect((await sent({ url })).text).toBe('of an address');
      } finally {
        for (const server of [hidden, open]) server.close();
        fs.rmSync(folder, { recursive: true, force: true });
      }
    });

    it('formulas and patterns without an end are ended, and the others are calculated', async () => {
      const calculate = async (expression: string) => {
        const values = { type: 'calculation', config: { engine: 'formula.js', expression } };
        return (await admin.post('flow_nodes:test', values)).data;
      };
      expect(await calculate('SUM(1, 2)')).toMatchObject({ status: 1, result: 3 });
      for (const endless of ['(()=>{while(true){}})()', `/^(a+)+$/.test("${'a'.repeat(60)}!")`]) {
        expect(await calculate(endless)).toMatchObject({ status: -2, result: expect.stringContaining('took longer') });
      }
      const asynchronous = await calculate('(async () => { for (;;) await 0; })()');
      expect(asynchronous).toMatchObject({ status: -2, result: expect.stringContaining('cannot wait') });
    });

    it('an S3 storage without keys does not use those of the host', async () => {
      const name = `s3-${prepared.length}-${stage.length}`;
      const values = { name, title: name, type: 's3', baseUrl: 'http://x.test', default: true, rules: {}, options: {} };
      const { data } = await admin.post('storages:create', { ...values, options: { region: 'x', bucket: 'x' } });
      const body = new FormData();
      body.append('file', new Blob(['x']), 'x.txt');
      const address = `${fleet.supervisor.url}/api/__app/vault/attachments:create`;
      const answer = await fetch(address, { method: 'POST', headers: bearer(), body });
      expect([answer.status >= 400, await answer.text()]).toEqual([true, expect.stringContaining('access key')]);
      await admin.post(`storages:update?filterByTk=${data.id}`, { default: false });
      await sql('vault_data', `UPDATE storages SET "default" = true WHERE name = 'local'`);
      await sql('vault_data', `DELETE FROM storages WHERE name = '${name}'`);
    });

    it('its plugin manager goes on to list what there is', async () => {
      const { status, json } = await outcome(admin, 'GET', 'pm:list');
      expect(status).toBe(200);
      expect(json.data.length).toBeGreaterThan(50);
    });

    it('MCP clients start no program, and reach servers by HTTP', async () => {
      const test = (values: object) => outcome(admin, 'POST', 'aiMcpClients:testConnection', values);
      for (const action of ['testConnection', 'create', 'update?filterByTk=by-http']) {
        const answer = await outcome(admin, 'POST', `aiMcpClients:${action}`, { name: 'more', ...program(action) });
        expect([action, { status: answer.status, code: answer.code }]).toEqual([action, PROGRAM]);
      }
      // Read as stdio where it is used.
      const hidden = await test({ ...program('hidden'), transport: '{{ nothing:stdio }}' });
      expect(hidden.json.data).toMatchObject({
        success: false,
        error: expect.stringContaining('cannot start a program'),
      });
      expect((await test({ transport: 'http', url: mcp.url })).json.data).toMatchObject({
        success: true,
        tools: ['weather'],
      });
      // Those that are stored were connected when the app was started, all in one go.
      await admin.post('aiMcpClients:rebuildClient');
      expect((await admin.get('aiMcpClients:listTools')).data).toMatchObject({ 'by-http': [{ title: 'weather' }] });
      expect(traced()).toEqual([]);
    });
  });

  it('enabling what the operator installed is its own business', async () => {
    await restartedBy('pm:enable?filterByTk=app-supervisor');
    expect((await outcome(admin, 'GET', 'appEntries:list')).status).toBe(200);
  });

  it('no file of an upload is run, though a row names it as a plugin', async () => {
    const folder = path.join(fleet.worker('env_a').storage, 'apps/vault/uploads/evil/server');
    fs.mkdirSync(path.join(folder, 'commands'), { recursive: true });
    const attack = `require('fs').writeFileSync(${JSON.stringify(trace('command'))}, '');`;
    fs.writeFileSync(path.join(folder, 'index.js'), attack);
    fs.writeFileSync(path.join(folder, 'commands/x.js'), `${attack} module.exports = () => {};`);
    await sql(
      'vault_data',
      `INSERT INTO "applicationPlugins" (name, "packageName", enabled, installed, "builtIn", "createdAt", "updatedAt")
       VALUES ('evil', '${path.join(folder, 'index.js')}', true, true, false, now(), now())`,
    );
    await restartedBy('app:restart');
    expect(traced()).toEqual([]);
    await sql('vault_data', `DELETE FROM "applicationPlugins" WHERE name = 'evil'`);
  });

  it('it is not restarted all the time', async () => {
    const enable = () => outcome(admin, 'POST', 'pm:enable?filterByTk=nothing-of-that-name');
    let allowed = 0;
    const refused = await waitFor(
      async () => {
        const answer = await enable();
        if (answer.status === 200) allowed++;
        return answer.code === 'TOO_MANY_RESTARTS' ? answer : null;
      },
      { timeout: 180_000, what: 'The end of restarts' },
    );
    expect([allowed <= 6, refused.status, Number(refused.headers['retry-after']) > 0]).toEqual([true, 429, true]);
    // While it loads anew, the core has no routes for it.
    const answers = async () => (await outcome(admin, 'GET', 'app:getInfo')).status === 200;
    await waitFor(answers, { timeout: 60_000, what: 'The app after its restart' });
  });

  it('the main app adds and removes plugins, and has the licence', async () => {
    const main = await workerRoot();
    expect((await outcome(main, 'GET', 'license:is-exists')).status).toBe(200);
    await main.post('pm:add', { compressedFileUrl: stranger.archive });
    await waitFor(async () => stranger.isInstalled, { timeout: 60_000, what: 'The plugin in the main app' });
    const remove = `pm:remove?filterByTk=${encodeURIComponent(stranger.packageName)}`;
    await afterCommands('main', () => main.post(remove));
    await waitFor(async () => !stranger.isInstalled, { timeout: 60_000, what: 'The end of the plugin' });
  });
});
