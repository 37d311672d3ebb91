import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet, Instance } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { type Ask, ask, Tab } from '../support/http';
import { Manager, signInTo } from '../support/manager';

/** Where each shape of address leads through a real Supervisor: nocobase-server.md 4.3. */

const DOMAIN = 'routed.example.test';
const PLUGIN = '/static/plugins/@nocobase/plugin-app-supervisor/dist/client/index.js';

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('routed');
  await manager.create({ name: 'routed', environments: ['env_a'], cname: DOMAIN });
});

afterAll(() => manager.clear('routed'));

/** By a worker of an app, by an app in it, or by the Supervisor itself. */
type By = 'routed' | 'main' | 'a worker' | 'the Supervisor';

const through = (target: string, headers: Record<string, string> = {}) =>
  ask(fleet.supervisor.url, target, { headers });

describe('an address of the API', () => {
  it.each<[string, Record<string, string>, By]>([
    ['/api/app:getInfo', {}, 'main'],
    ['/api/app:getInfo?__appName=main', {}, 'main'],
    ['/api/app:getInfo', { 'X-App': 'main' }, 'main'],
    ['/api/app:getInfo', { Host: 'unknown.example.test' }, 'main'],
    ['/api/__app/routed/app:getInfo', {}, 'routed'],
    ['/api/app:getInfo?__appName=routed', {}, 'routed'],
    ['/api/app:getInfo', { 'X-App': 'routed' }, 'routed'],
    ['/api/app:getInfo', { Host: DOMAIN }, 'routed'],
    ['/api/app:getInfo', { Host: `${DOMAIN.toUpperCase()}:8080` }, 'routed'],
    ['/api/app:getInfo', { 'X-Hostname': DOMAIN }, 'routed'],
    // The more explicit one wins: path, parameter, header, domain.
    ['/api/__app/routed/app:getInfo?__appName=nosuch', { 'X-App': 'nosuch' }, 'routed'],
    ['/api/app:getInfo?__appName=routed', { 'X-App': 'nosuch', Host: 'unknown.example.test' }, 'routed'],
    ['/api/app:getInfo', { 'X-App': 'routed', Host: 'unknown.example.test' }, 'routed'],
  ])('%s %o leads to %s', async (target, headers, app) => {
    const answer = await through(target, headers);
    expect(answer.status).toBe(200);
    expect(answer.json.data.name).toBe(app);
    expect(answer.headers['x-app-environment']).toBe(app === 'main' ? undefined : 'env_a');
  });

  it.each<[string, Record<string, string>]>([
    ['/api/__app/nosuch/app:getInfo', {}],
    ['/api/app:getInfo?__appName=nosuch', {}],
    ['/api/app:getInfo', { 'X-App': 'nosuch' }],
    ['/api/app:getInfo?__appName=nosuch', { Host: DOMAIN }],
  ])('%s %o leads to no app', async (target, headers) => {
    expect(await through(target, headers)).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
  });

  it('carries a large body without holding it', async () => {
    const values = { text: 'x'.repeat(8 * 2 ** 20) };
    // Of somebody who is signed in to the app.
    const { token } = await signInTo(fleet.supervisor, 'routed');
    const headers = { Authorization: `Bearer ${token}` };
    const target = '/api/__app/routed/app:getInfo';
    const answer = await ask(fleet.supervisor.url, target, { method: 'POST', headers, body: values });
    expect(answer.headers['x-app-environment']).toBe('env_a');
  });
});

describe('an address of a page or a file', () => {
  it.each<[string, Record<string, string>, By, string]>([
    ['/admin/', {}, 'the Supervisor', 'text/html'],
    ['/v/admin/', {}, 'the Supervisor', 'text/html'],
    // An app's page below the Supervisor's address is the Supervisor's own, which then names the app.
    ['/apps/routed/admin/', {}, 'the Supervisor', 'text/html'],
    ['/v/apps/routed/admin/', {}, 'the Supervisor', 'text/html'],
    ['/admin/', { Host: DOMAIN }, 'a worker', 'text/html'],
    ['/v/admin/', { Host: DOMAIN }, 'a worker', 'text/html'],
    // The core answers what it does not know with its page.
    ['/assets/nosuch.js', {}, 'the Supervisor', 'text/html'],
    ['/apps/routed/assets/nosuch.js', {}, 'the Supervisor', 'text/html'],
    ['/_app/routed/api/app:getInfo', {}, 'the Supervisor', 'text/html'],
    [PLUGIN, {}, 'the Supervisor', 'javascript'],
    [PLUGIN, { Host: DOMAIN }, 'a worker', 'javascript'],
    [PLUGIN, { 'X-App': 'routed' }, 'a worker', 'javascript'],
    [`${PLUGIN}?__appName=routed`, {}, 'a worker', 'javascript'],
  ])('%s %o is answered by %s', async (target, headers, by, type) => {
    const answer = await through(target, { Accept: 'text/html', ...headers });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toContain(type);
    expect(answer.headers['x-app-environment']).toBe(by === 'a worker' ? 'env_a' : undefined);
  });

  it('of an app that is not there is a 404 for people', async () => {
    const answer = await through('/apps/nosuch/admin/', { Accept: 'text/html' });
    expect([answer.status, answer.headers['content-type']]).toEqual([404, expect.stringContaining('text/html')]);
  });

  const LACKING = '/static/plugins/@nocobase/plugin-lacking/dist/client/index.js';
  it.each<[string, Record<string, string>]>([
    [LACKING, {}],
    [LACKING, { Host: DOMAIN }],
    [LACKING, { 'X-App': 'routed' }],
    ['/static/plugins/lacking', {}],
    ['/static/plugins/', {}],
    ['/static/plugins/@nocobase/plugin-app-supervisor/../../../../package.json', {}],
    ['/static/plugins/@nocobase/plugin-app-supervisor/%2e%2e/%2e%2e/%2e%2e/package.json', {}],
    ['/static/plugins/@nocobase/plugin-app-supervisor/dist%2Fserver%2Findex.js', {}],
    ['/static/plugins/@nocobase/plugin-app-supervisor/dist/client/nosuch.js', {}],
  ])('%s %o is a 404, not a hang', async (target, headers) => {
    expect((await through(target, headers)).status).toBe(404);
  });

  it('never gives out server code', async () => {
    const answer = await through(PLUGIN.replace('/client/', '/server/'));
    expect(answer.headers['content-type']).toContain('text/html');
  });
});

describe('an address of an uploaded file', () => {
  it('leads to the worker that keeps it, for who may see it (#10358)', async () => {
    const { token } = await signInTo(fleet.supervisor, 'routed');
    const signedIn = { Authorization: `Bearer ${token}` };
    const body = new FormData();
    body.append('file', new Blob(['kept by its worker']), 'note.txt');
    const address = `${fleet.supervisor.url}/api/__app/routed/attachments:create`;
    const uploaded = (await (await fetch(address, { method: 'POST', headers: signedIn, body })).json()) as any;
    expect(uploaded.data.url).toMatch(/^\/files\/routed\/main\/attachments\//);

    expect((await through(uploaded.data.url)).status).toBe(403);
    const first = await through(uploaded.data.url, signedIn);
    expect(first).toMatchObject({ status: 302, headers: { 'x-app-environment': 'env_a' } });
    const { location } = first.headers;
    expect(location).toContain('__appName=routed');
    expect((await through(location!)).status).toBe(401);
    const second = await through(location!, signedIn);
    expect(second).toMatchObject({
      status: 200,
      text: 'kept by its worker',
      headers: { 'x-app-environment': 'env_a' },
    });
  });
});

describe('the link behind "Visit"', () => {
  it('pins the browser to an environment and goes on to the app', async () => {
    const answer = await through('/api/__app/routed/__visit?environment=env_a&to=/v/apps/routed/admin/');
    expect(answer).toMatchObject({ status: 302, headers: { location: '/v/apps/routed/admin/' } });
    expect(answer.headers['set-cookie']?.[0]).toContain('app_environment=routed.env_a;');
  });

  it('goes nowhere else', async () => {
    const answer = await through('/api/__app/routed/__visit?environment=env_a&to=//evil.example');
    expect(answer.headers.location).toBe('/apps/routed/admin/');
    expect(await through('/api/__app/routed/__visit?environment=env_b')).toMatchObject({ status: 400 });
  });
});

describe('an address of a WebSocket', () => {
  it.each<[string, Record<string, string>]>([
    ['/ws?__appName=routed', {}],
    ['/ws', { 'X-App': 'routed' }],
    ['/ws', { Host: DOMAIN }],
    ['/ws', { 'X-Hostname': DOMAIN }],
  ])('%s %o leads to the app', async (target, headers) => {
    const { token } = await signInTo(fleet.supervisor, 'routed');
    const tab = (await Tab.open(fleet.supervisor.url, target, headers)) as Tab;
    tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized');
    tab.close();
  });

  it('leads to the Supervisor’s own app without a name', async () => {
    const tab = (await Tab.open(fleet.supervisor.url, '/ws')) as Tab;
    tab.send({ type: 'auth:token', payload: { token: manager.api.token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized');
    tab.close();
  });

  it('leads nowhere for an unknown app', async () => {
    const answer = await Tab.open(fleet.supervisor.url, '/ws?__appName=nosuch');
    expect(answer).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
  });

  it.each(['/api/app:getInfo?__appName=routed', '/wss?__appName=routed', '/ws/more?__appName=routed'])(
    '%s is none',
    async (target) => {
      await expect(Tab.open(fleet.supervisor.url, target)).rejects.toThrow('socket hang up');
    },
  );
});

describe('a custom domain', () => {
  afterAll(() => manager.update('routed', { cname: DOMAIN }));

  it('takes effect, and ends, soon on Supervisor and worker', async () => {
    const nameAt = async ({ url }: Instance, host: string) =>
      (await ask(url, '/api/app:getInfo', { headers: { Host: host } })).json.data.name;
    const from = [fleet.supervisor, fleet.worker('env_a')];
    await manager.api.post('apps:update?filterByTk=routed', { cname: 'moved.example.test' });
    // Not with the regular round, which comes every 30 s.
    const soon = { timeout: 20_000 };
    for (const instance of from) {
      await expect.poll(() => nameAt(instance, 'moved.example.test'), soon).toBe('routed');
      await expect.poll(() => nameAt(instance, DOMAIN), soon).toBe('main');
    }
  });
});

/** T12, T13: the core makes a folder of a name before it knows of whom, and a key of a plain object. */
describe('a hostile or unknown name', () => {
  const NAMES = [
    'nosuch',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '../../x',
    '../../../../../../tmp/pwned',
    '..',
    '.',
    '%2e%2e%2f%2e%2e%2fx',
    '..%2F..%2Fx',
    'a%00b',
    'a/b',
    'a\\b',
    'a b',
    'Main',
    'main/../x',
    '%E0%A4%A',
    '%',
    'ünïcode',
    '_invalid_',
    '$(id)',
    "'; DROP TABLE apps; --",
    'a'.repeat(51),
    'a'.repeat(5_000),
  ];
  const CARRIERS: Array<[string, (name: string) => { target: string } & Ask]> = [
    ['header', (name) => ({ target: '/api/app:getInfo', headers: { 'X-App': Buffer.from(name).toString('latin1') } })],
    ['parameter', (name) => ({ target: `/api/app:getInfo?__appName=${inTarget(name)}` })],
    ['encoded parameter', (name) => ({ target: `/api/app:getInfo?__appName=${encodeURIComponent(name)}` })],
    ['path', (name) => ({ target: `/api/__app/${inTarget(name)}/app:getInfo` })],
    ['encoded path', (name) => ({ target: `/api/__app/${encodeURIComponent(name)}/app:getInfo` })],
    ['file', (name) => ({ target: `/files/${inTarget(name)}/main/attachments/1.txt` })],
    ['encoded file', (name) => ({ target: `/files/${encodeURIComponent(name)}/main/attachments/1.txt` })],
    ['page', (name) => ({ target: `/admin/?__appName=${encodeURIComponent(name)}` })],
    ['plugin file', (name) => ({ target: `${PLUGIN}?__appName=${encodeURIComponent(name)}` })],
    [
      'domain',
      (name) => ({ target: '/api/app:getInfo', headers: { 'X-Hostname': Buffer.from(name).toString('latin1') } }),
    ],
  ];
  /** What cannot stand in a request line at all. */
  const inTarget = (name: string) => name.replace(/[\s\u0080-\uffff]/g, encodeURIComponent);

  const folders = (instance: Instance) => {
    const below = (folder: string) => fs.readdirSync(folder, { recursive: true, withFileTypes: true });
    const all = below(path.join(instance.storage, 'logs')).filter((entry) => entry.isDirectory());
    return all.map((entry) => path.join(entry.parentPath, entry.name)).sort();
  };

  it.each(['supervisor', 'env_a'])('does %s no harm, in any place of a request', async (which) => {
    const instance = which === 'supervisor' ? fleet.supervisor : fleet.worker(which);
    const before = folders(instance);
    const wrong: string[] = [];
    for (const [carrier, requestOf] of CARRIERS) {
      for (const name of NAMES) {
        const { target, ...options } = requestOf(name);
        const { status, code } = await ask(instance.url, target, options).catch((error) => ({
          status: 0,
          code: String(error),
        }));
        // Where it does not name an app to anybody, it is a path or a host like any other.
        const fine = status === 404 || status === 400 || status === 431 || (status === 200 && carrier !== 'header');
        if (!fine) wrong.push(`${carrier} ${name.slice(0, 60)}: ${status} ${code}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(folders(instance)).toEqual(before);
    expect(fs.existsSync('/tmp/pwned')).toBe(false);
    expect((await ask(instance.url, '/api/app:getInfo')).json.data.name).toBe('main');
    expect((await ask(instance.url, '/api/__app/routed/app:getInfo')).json.data.name).toBe('routed');
  });
});
