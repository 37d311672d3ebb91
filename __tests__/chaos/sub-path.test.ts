import fs from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, launchBrowser } from '../../scripts/browser';
import { ADMIN, APP_ADMIN, Api, ensureDatabase, type Fleet, query } from '../../scripts/fleet';
import { PACKAGE_NAME, PLUGIN_STORAGE } from '../../scripts/fleet/plugin';
import { sharedFleet } from '../setup/fleet';
import { eventually } from '../support/browser';
import { type Front, type FrontKind, startFront, startImageNginx } from '../support/front';
import { ask, Tab } from '../support/http';
import { Installation } from '../support/installation';
import { afterCommands, Manager } from '../support/manager';
import { read, signInAt, upload } from '../support/uploads';

/**
 * A Supervisor and a Worker below a sub-path, behind a real nginx and a real Caddy with the files of docs/deploy. They are two
 * installations, for NocoBase writes its address into the pages of the folder that it lies in.
 */

const BELOW = '/portal';
const DOMAIN = 'lobby.localhost';
const DATABASES = { supervisor: 'portal_supervisor', worker: 'portal_worker', app: 'lobby' };
/** More than the 1 MB that nginx takes unless it is told otherwise. */
const FILE = Buffer.alloc(3 * 2 ** 20, 'upload ');
const MINUTES = 8 * 60_000;

let fleet: Fleet;
let browser: Browser;
let supervisor: Installation;
let worker: Installation;
/** The nginx of the official image. */
let beforeWorker: Front;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  browser = await launchBrowser();
  supervisor = await install(DATABASES.supervisor, async ({ url }) => ({
    APP_SUPERVISOR_PUBLIC_URL: url,
    APP_MODE: 'supervisor',
    APP_PROCESS_ADAPTER: 'remote',
  }));
  worker = await install(DATABASES.worker, async ({ url, folder }) => {
    beforeWorker = await startImageNginx(inImage({ url, folder }));
    return {
      APP_MODE: 'worker',
      INIT_ROOT_PASSWORD: APP_ADMIN.password,
      APP_PROCESS_ADAPTER: 'local',
      ENVIRONMENT_NAME: 'env_a',
      ENVIRONMENT_URL: url,
      ENVIRONMENT_PROXY_URL: beforeWorker.url,
    };
  });
  await Promise.all([supervisor.nocobase.start(), worker.nocobase.start()]);
  manager = new Manager(await supervisor.signIn(null, BELOW));
  await manager.untilEnvironment('env_a', ({ health }) => health === 'online', { what: 'is online' });
  await manager.confirmAddress('env_a', beforeWorker.url);
  await manager.create({ name: 'lobby', environments: ['env_a'], cname: DOMAIN });
}, MINUTES);

afterAll(async () => {
  await browser?.close();
  await Promise.all([supervisor?.remove(), worker?.remove(), beforeWorker?.stop()]);
  for (const name of Object.values(DATABASES)) {
    await query(fleet.postgresServer, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
});

const inImage = ({ url, folder }: Pick<Installation, 'url' | 'folder'>) => ({
  url,
  home: folder,
  storage: path.join(folder, 'storage'),
  publicPath: `${BELOW}/`,
});

/** Not started yet. @param part what makes it one of the fleet */
async function install(
  database: string,
  part: (installation: Installation) => Promise<Record<string, string>>,
): Promise<Installation> {
  const { host, port, user, password } = fleet.postgresServer;
  await ensureDatabase(fleet.postgresServer, database);
  const installation = await Installation.create();
  const plugin = path.join(PLUGIN_STORAGE, PACKAGE_NAME);
  fs.cpSync(plugin, path.join(installation.folder, 'node_modules', PACKAGE_NAME), { recursive: true });
  installation.configure({
    APP_ENV: 'production',
    APP_LAUNCH_MODE: 'node',
    TZ: 'UTC',
    APP_KEY: 'below',
    APP_SUPERVISOR_AES_SECRET_KEY: 'ef'.repeat(32),
    INIT_ROOT_EMAIL: ADMIN.email,
    INIT_ROOT_PASSWORD: ADMIN.password,
    INIT_APP_LANG: 'en-US',
    DB_DIALECT: 'postgres',
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_PASSWORD: password,
    DB_DATABASE: database,
    APPEND_PRESET_BUILT_IN_PLUGINS: PACKAGE_NAME,
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_COMMAND_ADAPTER: 'redis',
    APP_SUPERVISOR_REDIS_URL: fleet.redis!.url,
    APP_COMMAND_REDIS_URL: fleet.commandRedis!.url,
    APP_SUPERVISOR_KEY_PREFIX: 'portal',
    APP_PUBLIC_PATH: `${BELOW}/`,
    ...(await part(installation)),
  });
  return installation;
}

it('the environment is reached by the Supervisor, and fits it', async () => {
  const { data } = await manager.api.get('appEnvironments:check', { filterByTk: 'env_a' });
  expect(data).toMatchObject({ web: { ok: true }, ws: { ok: true } });
  expect((await manager.environment('env_a')).warnings).toEqual([]);
});

it('behind the nginx of the official image uploads of an app are read', async () => {
  const front = await startImageNginx(inImage(supervisor));
  try {
    const session = await signInAt(front.url, 'lobby', BELOW);
    const url = await upload(front.url, 'lobby', session, { name: 'note.txt', content: 'A note' }, BELOW);
    const answer = await read(front.url, url, { Cookie: session.Cookie });
    expect(answer).toMatchObject({ status: 200, text: 'A note', headers: { 'x-app-environment': 'env_a' } });
  } finally {
    await front.stop();
  }
});

describe.each<FrontKind>(['nginx', 'caddy'])('behind %s', (kind) => {
  let front: Front;
  beforeAll(async () => {
    front = await startFront(kind, supervisor.url, `${BELOW}/`);
  });
  afterAll(() => front?.stop());

  const onDomain = () => front.url.replace('127.0.0.1', DOMAIN);
  const by = (target: string, headers: Record<string, string> = {}) => ask(front.url, `${BELOW}${target}`, { headers });
  const signIn = () => afterCommands('lobby', () => Api.signIn(`${front.url}${BELOW}`, APP_ADMIN, 'lobby'));

  it('apps are found by path and by custom domain, unknown ones are not, and nothing beside the sub-path', async () => {
    const lobby = { status: 200, headers: { 'x-app-environment': 'env_a' }, json: { data: { name: 'lobby' } } };
    expect(await by('/api/__app/lobby/app:getInfo')).toMatchObject(lobby);
    expect(await by('/api/app:getInfo', { Host: DOMAIN })).toMatchObject(lobby);
    expect((await by('/api/app:getInfo')).json.data.name).toBe('main');
    expect(await by('/api/__app/nosuch/app:getInfo')).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
    expect((await ask(front.url, '/api/__app/lobby/app:getInfo')).json).toBeUndefined();
  });

  describe.each(CLIENTS)('in the $client client', ({ base }) => {
    it.each([
      ['its path', () => `${front.url}${BELOW}${base}apps/lobby/admin/`],
      ['its own domain', () => `${onDomain()}${BELOW}${base}admin/`],
    ])('a person enters an app at %s and signs in, with a WebSocket, and nothing is missing', async (_, address) => {
      const context = await browser.newContext();
      context.setDefaultTimeout(90_000);
      try {
        const page = await context.newPage();
        const missing: string[] = [];
        page.on('response', (response) => {
          if (response.status() === 404 && !response.url().includes('favicon')) missing.push(response.url());
        });
        const sockets: string[] = [];
        page.on('websocket', (socket) => {
          socket.on('framereceived', () => sockets.push(new URL(socket.url()).pathname));
        });
        await page.goto(address());
        await page.getByPlaceholder('Username/Email').fill(APP_ADMIN.email);
        await page.getByPlaceholder('Password').fill(APP_ADMIN.password);
        await page.getByRole('button', { name: /Sign in$/ }).click();
        await page.getByTestId('user-center-button').waitFor();
        // One client takes the last slash away.
        expect(page.url()).toContain(address().slice(0, -1));
        await eventually(() => sockets).toContain(`${BELOW}/ws`);
        expect(missing).toEqual([]);
      } finally {
        await context.close();
      }
    });
  });

  it.each<[string, Record<string, string>]>([
    ['/ws?__appName=lobby', {}],
    ['/ws', { Host: DOMAIN }],
  ])('a WebSocket passes: %s %o', async (target, headers) => {
    const { token } = await signIn();
    const tab = (await Tab.open(front.url, `${BELOW}${target}`, headers)) as Tab;
    tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized');
    tab.close();
  });

  it('a file arrives whole, and is downloaded whole', async () => {
    const headers = { Authorization: `Bearer ${(await signIn()).token}` };
    const body = new FormData();
    body.append('file', new Blob([FILE]), 'large.bin');
    const address = `${front.url}${BELOW}/api/__app/lobby/attachments:create`;
    const answer = await fetch(address, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    const { data } = (await answer.json()) as { data: { url: string } };
    const file = await fetch(new URL(data.url, front.url), { headers });
    expect(Buffer.from(await file.arrayBuffer()).equals(FILE)).toBe(true);
  });

  it('the link of Visit leads to a page of the app, which is listed there', async () => {
    const page = `${BELOW}/v/apps/lobby/admin/`;
    const answer = await by(`/api/__app/lobby/__visit?environment=env_a&to=${page}`);
    expect(answer).toMatchObject({ status: 302, headers: { location: page } });
    const { data } = await (await signIn()).get('appEntries:list', { place: 'switcher', client: 'v2' });
    expect(data[0]).toMatchObject({ name: 'main', url: `${supervisor.url}${BELOW}/v/admin/` });
  });
});
