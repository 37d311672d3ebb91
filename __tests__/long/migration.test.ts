import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CLIENTS, launchBrowser, openContext } from '../../scripts/browser';
import { ADMIN, type Api, Fleet, query, waitFor } from '../../scripts/fleet';
import { say } from '../../src/shared/message';
import type { AppRow } from '../../src/shared/types';
import { complaintsOf, photograph } from '../support/browser';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';

/**
 * Apps of NocoBase's own multi-app-manager, made by it in a NocoBase that has this plugin and no part for it, and taken over
 * when it has one. The tests follow one another.
 */

const DOMAIN = 'old.example.test';
const SECRET = 'a-secret-of-its-own-0123456789';
const APPS = ['old', 'plain'];
/** What makes a process play a part, as docs/architecture.md and the READMEs have it. */
const PARTS: Record<string, Record<string, string>> = {
  local: { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local' },
  supervisor: {
    APP_MODE: 'supervisor',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'remote',
    APP_COMMAND_ADAPTER: 'redis',
  },
  worker: { APP_MODE: 'worker' },
};

const server = inject('postgres');
let browser: Browser;
let alone: Fleet;
let manager: Manager;
let old: Api;

const info = (app: string, headers: Record<string, string> = {}) =>
  ask(alone.supervisor.url, '/api/app:getInfo', { headers: { ...(app && { 'X-App': app }), ...headers } });
const runs = (app: string) =>
  waitFor(async () => (await info(app)).status === 200, { timeout: 200_000, what: `App ${app}` });
const check = (token: string, app = 'old') =>
  ask(alone.supervisor.url, '/api/auth:check', {
    headers: { 'X-App': app, 'X-Authenticator': 'basic', Authorization: `Bearer ${token}` },
  });

beforeAll(async () => {
  browser = await launchBrowser();
  alone = await Fleet.start({
    name: 'migration',
    mode: 'local',
    port: 'free',
    reset: true,
    durable: false,
    postgres: server,
    env: { APP_DISCOVERY_ADAPTER: '', APP_PROCESS_ADAPTER: '' },
  });
});

afterAll(async () => {
  await browser?.close();
  await alone?.stop();
  for (const name of [...APPS, alone?.supervisor.database])
    await query(server, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
});

it.each(CLIENTS)('without a part its page in the $client client says what to set for which', async ({ base }) => {
  const page = await (await openContext(browser, await alone.supervisor.signIn())).newPage();
  const complaints = complaintsOf(page);
  await page.goto(`${alone.supervisor.url}${base}admin/settings/app-supervisor`);
  const dormant = page.getByTestId('dormant-page');
  await dormant.getByText('App Supervisor is installed but inactive').waitFor();
  for (const variables of Object.values(PARTS)) {
    for (const [name, value] of Object.entries(variables)) {
      await dormant.getByRole('row').filter({ hasText: name }).getByText(value, { exact: true }).first().waitFor();
    }
  }
  expect(await page.getByTestId('add-app').count()).toBe(0);
  expect(complaints).toEqual([]);
  await page.context().close();
});

it('it is given one, beside apps that multi-app-manager has made', { timeout: 400_000 }, async () => {
  const api = await alone.supervisor.signIn();
  expect((await api.get('appSupervisor:info')).data).toMatchObject({ part: 'dormant' });
  await api.post('pm:enable?filterByTk=multi-app-manager&awaitResponse=true');
  await alone.supervisor.waitForHttp('/api/__health_check');
  const authManager = { jwt: { secret: SECRET } };
  await api.post('applications:create', {
    name: 'old',
    displayName: 'Old shop',
    cname: DOMAIN,
    pinned: true,
    icon: 'shopoutlined',
    options: { autoStart: true, authManager },
  });
  await runs('old');
  await api.post('applications:create', { name: 'plain', displayName: 'Plain', options: {} });
  await runs('plain');
  old = await signInTo(alone.supervisor, 'old', ADMIN);
  await old.post('users:create', { username: 'kept', nickname: 'Kept', password: 'secret-123' });
  await alone.supervisor.restartWith({ APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local' });
  manager = await Manager.of(alone);
});

describe('the button on multi-app-manager’s own page', () => {
  it('takes the selected apps over', async () => {
    const page = await (await openContext(browser, manager.api)).newPage();
    try {
      await page.goto(`${alone.supervisor.url}/admin/settings/multi-app-manager`);
      const row = page.locator('tr', { hasText: 'Old shop' });
      // The page shows a row's number there until the pointer is on it.
      await row.locator('td').first().hover();
      await row.locator('input[type=checkbox]').check();
      await page.getByRole('button', { name: 'Migrate to app supervisor' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('combobox').click();
      await page.locator('.ant-select-item-option', { hasText: 'local' }).click();
      // A list for several choices stays open, over the button.
      await dialog.getByText('Migrate to app supervisor').click();
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.url().includes('/apps:migrate')),
        dialog.getByRole('button', { name: 'Submit' }).click(),
      ]);
      expect((await answer.json()).data).toEqual({ migrated: ['old'], skipped: [] });
    } catch (error) {
      await photograph(page, 'migration');
      throw error;
    }
  });

  it('with their title, domain, database, start mode and secret', async () => {
    const app = await manager.untilApp('old', (found) => statusIn(found, 'local') === 'running', {
      timeout: 60_000,
      what: 'running',
    });
    expect(app).toMatchObject({
      title: 'Old shop',
      cname: DOMAIN,
      pinned: true,
      icon: 'shopoutlined',
      startMode: 'withMain',
      environments: ['local'],
      options: { dbConnType: 'new_database', database: { database: 'old' } },
    });
    expect((await info('', { Host: DOMAIN })).json.data).toMatchObject({ name: 'old' });
    const { data } = await (await signInTo(alone.supervisor, 'old', ADMIN)).get('users:list', {
      filter: { username: 'kept' },
    });
    expect(data).toMatchObject([{ nickname: 'Kept' }]);
    // Signed by it before it was taken over, and by nobody else.
    expect((await check(old.token!)).status).toBe(200);
    expect((await check(manager.api.token!)).status).toBe(401);
  });
});

describe('asking again', () => {
  it('changes nothing of what was taken over, says so, and goes on with the rest', async () => {
    const { updatedAt, uid } = await manager.app('old');
    const { data } = await manager.api.post('apps:migrate', {
      appNames: ['old', 'nosuch', 'plain'],
      environments: ['local'],
    });
    expect(data).toEqual({
      migrated: ['plain'],
      skipped: [
        { name: 'old', reason: say('MIGRATION_MANAGED') },
        { name: 'nosuch', reason: say('MIGRATION_UNKNOWN') },
      ],
    });
    expect(await manager.app('old')).toMatchObject({ updatedAt, uid, operation: null });
    const plain = await manager.untilApp('plain', (found) => statusIn(found, 'local') === 'running', {
      timeout: 60_000,
      what: 'running',
    });
    expect(plain).toMatchObject({ title: 'Plain', startMode: 'onVisit', cname: null });
    // It had no secret of its own there, and has one now.
    for (const token of [old.token!, manager.api.token!]) expect((await check(token, 'plain')).status).toBe(401);
  });
});

describe('the records that multi-app-manager still has of them', () => {
  it('are deleted, and the apps stay: what should run goes on, the rest starts when it is visited', async () => {
    const before = await manager.apps();
    for (const name of APPS) await manager.api.post(`applications:destroy?filterByTk=${name}`);
    expect((await manager.api.get('applications:list')).data).toEqual([]);
    expect((await check(old.token!)).status).toBe(200);
    const { data } = await (await signInTo(alone.supervisor, 'old', ADMIN)).get('users:list', {
      filter: { username: 'kept' },
    });
    expect(data).toMatchObject([{ nickname: 'Kept' }]);
    await runs('plain');
    const settled = (app: AppRow) => statusIn(app, 'local') === 'running' && app.operation === null;
    for (const name of APPS) await manager.untilApp(name, settled, { what: 'running' });
    const kept = ({ uid, name, title, environments, updatedAt }: AppRow) => [uid, name, title, environments, updatedAt];
    expect((await manager.apps()).map(kept)).toEqual(before.map(kept));
  });
});
