import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ADMIN, APP_ADMIN, type Api, ensureDatabase, query } from '../../scripts/fleet';
import { ensureBuilt } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';
import { type Front, type FrontKind, startFront } from '../support/front';
import { ask, Tab } from '../support/http';
import { Installation } from '../support/installation';
import { Manager } from '../support/manager';

/**
 * Into a NocoBase that is there already, to another version, and out of it again: the commands are those of the README,
 * taken from it and run as they stand. The tests follow one another.
 */

const DATABASE = 'elsewhere';
const APP = 'lasting';
const DOMAIN = 'lasting.example.test';
/** What the README leaves to its reader. */
const CHOSEN = { APP_KEY: 'elsewhere', APP_SUPERVISOR_AES_SECRET_KEY: 'cd'.repeat(32) };

const server = inject('postgres');
let elsewhere: Installation;

beforeAll(async () => {
  await ensureDatabase(server, DATABASE);
  elsewhere = await Installation.create();
  elsewhere.configure(existing());
  await elsewhere.nocobase.start();
  const api = await elsewhere.signIn();
  await api.post('users:create', { nickname: 'Was here before', username: 'before', password: 'secret-123' });
});

afterAll(async () => {
  await elsewhere?.remove();
  for (const name of [DATABASE, APP]) {
    await query(server, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
});

function existing(): Record<string, string> {
  const { host, port, user, password } = server;
  return {
    APP_ENV: 'production',
    APP_LAUNCH_MODE: 'node',
    TZ: 'UTC',
    INIT_ROOT_EMAIL: ADMIN.email,
    INIT_ROOT_PASSWORD: ADMIN.password,
    DB_DIALECT: 'postgres',
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_PASSWORD: password,
    DB_DATABASE: DATABASE,
    ...{ APP_KEY: CHOSEN.APP_KEY },
  };
}

/** The code after a sentence of the README, or of the page on operating that it leads to. */
function readme(after: string): string {
  const text = ['README.md', 'docs/reference/operating.md']
    .map((file) => fs.readFileSync(path.join(ROOT, file), 'utf8'))
    .join('\n');
  const found = text.slice(text.indexOf(after)).match(/```bash\n(.*?)```/s);
  if (!text.includes(after) || !found) throw new Error(`The README has no commands after "${after}".`);
  return found[1];
}

/** Variables as the README lists them, `…` filled in. */
function variables(after: string): Record<string, string> {
  const lines = [...readme(after).matchAll(/^([A-Z_]+)=(\S+)/gm)];
  return Object.fromEntries(lines.map(([, name, value]) => [name, value === '…' ? (CHOSEN as any)[name] : value]));
}

const UNPACK = '**2. Unpack it**';
const LINK = '**4. Link it';
const PRESET = 'All parts:';
const SHARED_MEMORY = 'One process for everything';

/** @param version another one than that of the sources */
async function pack(version?: string): Promise<void> {
  await ensureBuilt();
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', elsewhere.folder], { cwd: ROOT });
  if (!version) return;
  await elsewhere.shell(`
    mkdir repack && tar -xzf *.tgz -C repack && rm *.tgz
    cd repack/package && npm version ${version} --no-git-tag-version >/dev/null
    npm pack --ignore-scripts --pack-destination ../.. >/dev/null && cd ../.. && rm -r repack`);
}

const getInfo = async (of: string) =>
  (await ask(elsewhere.url, of)) as { status: number; code?: string; json: { data: { name: string } } };
const until = (probe: () => Promise<unknown>) => expect.poll(probe, { timeout: 120_000, interval: 300 });
const manager = async () => new Manager(await elsewhere.signIn());
const pluginOf = async (api: Api) =>
  (await api.get('pm:list')).data.find((row: { name: string }) => row.name === 'app-supervisor');

describe('into a NocoBase that was there before', () => {
  beforeAll(async () => {
    await elsewhere.nocobase.stop();
    await pack();
    await elsewhere.shell(readme(UNPACK));
    await elsewhere.shell(readme(LINK));
    const { APPEND_PRESET_BUILT_IN_PLUGINS: _, ...common } = variables(PRESET);
    elsewhere.configure({ ...existing(), ...common, ...variables(SHARED_MEMORY) });
    await elsewhere.nocobase.start();
  });

  it('it is a plugin like others: the plugin manager lists it, and enables it while NocoBase runs', async () => {
    const api = await elsewhere.signIn();
    expect(await pluginOf(api)).toMatchObject({ enabled: false, isCompatible: true });
    await api.post('pm:enable?filterByTk=app-supervisor');
    const online = async () => (await api.get('appEnvironments:list').catch(() => null))?.data[0]?.health;
    await until(online).toBe('online');
  });

  it('it manages apps, and what was there stays', async () => {
    const manages = await manager();
    await manages.create({ name: APP, cname: DOMAIN, startMode: 'withMain' });
    expect(await getInfo(`/api/__app/${APP}/app:getInfo`)).toMatchObject({ json: { data: { name: APP } } });
    const app = await elsewhere.signIn(APP);
    await app.post('users:create', { nickname: 'Lives in the app', username: 'inside', password: 'secret-123' });
    const { data } = await manages.api.get('users:list', { filter: { username: 'before' } });
    expect(data).toHaveLength(1);
  });
});

describe('another version of the plugin, as a built-in one below a sub-path', () => {
  const BELOW = '/portal';
  beforeAll(async () => {
    await elsewhere.nocobase.stop();
    await pack('99.0.0');
    await elsewhere.shell('rm -r storage/plugins/@nocobase/plugin-app-supervisor');
    await elsewhere.shell(readme(UNPACK));
    elsewhere.configure({
      ...existing(),
      ...variables(PRESET),
      ...variables(SHARED_MEMORY),
      APP_PUBLIC_PATH: `${BELOW}/`,
    });
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
    await elsewhere.shell(readme('**Removal**'));
    elsewhere.configure(existing());
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
    await elsewhere.shell(readme(UNPACK));
    await elsewhere.shell(readme(LINK));
    elsewhere.configure({ ...existing(), ...variables(PRESET), ...variables(SHARED_MEMORY) });
    await elsewhere.nocobase.start();
    const back = await manager();
    const running = (app: { statuses: Record<string, { status: string }> }) => app.statuses.local.status === 'running';
    await back.untilApp(APP, running, { timeout: 200_000, what: 'running again' });
  });
});
