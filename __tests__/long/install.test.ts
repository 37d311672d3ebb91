import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ADMIN, APP_ADMIN, query } from '../../scripts/fleet';
import { type Front, type FrontKind, startFront } from '../support/front';
import { ask, Tab } from '../support/http';
import type { Installation } from '../support/installation';
import { Manager } from '../support/manager';
import { LINK, REMOVAL, ReadmeInstallation, UNPACK } from '../support/readme-installation';

/**
 * What comes after first-install.test.ts: another version, and out of a NocoBase again, by the commands of the README. The tests
 * follow one another.
 */

const APP = 'lasting';
const DOMAIN = 'lasting.example.test';

const server = inject('postgres');
let readme: ReadmeInstallation;
let elsewhere: Installation;

const until = (probe: () => Promise<unknown>) => expect.poll(probe, { timeout: 120_000, interval: 300 });
const manager = async () => new Manager(await elsewhere.signIn());

beforeAll(async () => {
  readme = await ReadmeInstallation.create(server, 'lasting_main');
  ({ elsewhere } = readme);
  await readme.pack();
  await readme.run(UNPACK, LINK);
  elsewhere.configure({ ...readme.withPlugin(false), APP_SUPERVISOR_PUBLIC_URL: elsewhere.url });
  await elsewhere.nocobase.start();
  const api = await elsewhere.signIn();
  await api.post('users:create', { nickname: 'Was here before', username: 'before', password: 'secret-123' });
  await api.post('pm:enable?filterByTk=app-supervisor');
  await until(async () => (await api.get('appEnvironments:list').catch(() => null))?.data[0]?.health).toBe('online');
  await (await manager()).create({ name: APP, cname: DOMAIN, startMode: 'withMain' });
  const app = await elsewhere.signIn(APP);
  await app.post('users:create', { nickname: 'Lives in the app', username: 'inside', password: 'secret-123' });
});

afterAll(() => readme?.remove(APP));

describe('another version of the plugin, as a built-in one below a sub-path', () => {
  const BELOW = '/portal';
  beforeAll(async () => {
    await elsewhere.nocobase.stop();
    await readme.pack('99.0.0');
    await elsewhere.shell('rm -r storage/plugins/@nocobase/plugin-app-supervisor');
    await readme.run(UNPACK);
    elsewhere.configure({ ...readme.withPlugin(true), APP_PUBLIC_PATH: `${BELOW}/` });
    await elsewhere.nocobase.start();
  });

  const signIn = async (app: string) => {
    const { email: account, password } = app === 'main' ? ADMIN : APP_ADMIN;
    const answer = await ask(elsewhere.url, `${BELOW}/api/auth:signIn`, {
      method: 'POST',
      headers: { 'X-App': app, 'X-Authenticator': 'basic' },
      body: { account, password },
    });
    return answer.json.data.token as string;
  };

  it('is in force, with apps, their settings and their data as they were', async () => {
    const headers = { Authorization: `Bearer ${await signIn('main')}` };
    const plugins = await ask(elsewhere.url, `${BELOW}/api/pm:list`, { headers });
    expect(plugins.json.data.find(({ name }: { name: string }) => name === 'app-supervisor')).toMatchObject({
      enabled: true,
      builtIn: true,
      version: '99.0.0',
    });
    await until(async () => {
      const { json } = await ask(elsewhere.url, `${BELOW}/api/apps:get?filterByTk=${APP}`, { headers });
      return json.data;
    }).toMatchObject({ name: APP, cname: DOMAIN, startMode: 'withMain', statuses: { local: { status: 'running' } } });
    const inside = { 'X-App': APP, Authorization: `Bearer ${await signIn(APP)}` };
    const { json } = await ask(elsewhere.url, `${BELOW}/api/users:list`, { headers: inside });
    expect(json.data.map(({ username }: { username: string }) => username)).toContain('inside');
  });

  describe.each<FrontKind>(['nginx', 'caddy'])('behind %s', (kind) => {
    let front: Front;
    beforeAll(async () => {
      front = await startFront(kind, elsewhere.url, `${BELOW}/`);
    });
    afterAll(() => front?.stop());

    it('apps are found by path and by custom domain, and nothing beside the sub-path', async () => {
      const by = (target: string, headers = {}) => ask(front.url, `${BELOW}${target}`, { headers });
      expect((await by(`/api/__app/${APP}/app:getInfo`)).json.data.name).toBe(APP);
      expect((await by('/api/app:getInfo', { Host: DOMAIN })).json.data.name).toBe(APP);
      expect((await ask(front.url, '/api/app:getInfo')).json).toBeUndefined();
    });

    it.each(['/admin/', '/v/admin/', `/apps/${APP}/admin/`])('%s names scripts that are there', async (address) => {
      const page = await ask(front.url, `${BELOW}${address}`, { headers: { Accept: 'text/html' } });
      const scripts = [...page.text.matchAll(/<script[^>]+src="([^"]+)"/g)].map(([, src]) => src);
      expect(scripts.length).toBeGreaterThan(0);
      for (const script of scripts) {
        const answer = await ask(front.url, script);
        expect([script, answer.headers['content-type']]).toEqual([script, expect.stringContaining('javascript')]);
      }
    });

    it('a WebSocket and an upload pass', async () => {
      const token = await signIn(APP);
      const tab = (await Tab.open(front.url, `${BELOW}/ws?__appName=${APP}`)) as Tab;
      tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
      await tab.message(({ type }) => type === 'authorized');
      tab.close();

      const body = new FormData();
      body.append('file', new Blob([Buffer.alloc(3 * 2 ** 20, 'x')]), 'large.bin');
      const address = `${front.url}${BELOW}/api/__app/${APP}/attachments:create`;
      const headers = { Authorization: `Bearer ${token}` };
      expect((await fetch(address, { method: 'POST', headers, body })).status).toBe(200);
    });
  });
});

describe('removed', () => {
  beforeAll(async () => {
    await elsewhere.nocobase.stop();
    await readme.run(REMOVAL);
    elsewhere.configure(readme.existing());
    await elsewhere.nocobase.start();
  });

  it('NocoBase goes on without it, and what was there before is there', async () => {
    const api = await elsewhere.signIn();
    const { data } = await api.get('users:list', { filter: { username: 'before' } });
    expect(data).toHaveLength(1);
    expect(await api.get('apps:list').catch(({ status }) => status)).toBe(404);
  });

  it('the data of the apps is untouched', async () => {
    const { rows } = await query(server, APP, "SELECT nickname FROM users WHERE username = 'inside'");
    expect(rows).toEqual([{ nickname: 'Lives in the app' }]);
  });

  it('unpacked once more, it brings the apps back', async () => {
    await elsewhere.nocobase.stop();
    await readme.run(UNPACK, LINK);
    elsewhere.configure(readme.withPlugin(true));
    await elsewhere.nocobase.start();
    const back = await manager();
    const running = (app: { statuses: Record<string, { status: string }> }) => app.statuses.local.status === 'running';
    await back.untilApp(APP, running, { timeout: 200_000, what: 'running again' });
  });
});
