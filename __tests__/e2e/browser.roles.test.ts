import { appendFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBlank, openContext, tabsOf } from '../../scripts/browser';
import { Api } from '../../scripts/fleet';
import { browser, CLIENT, fleet, manager, onStage } from '../support/browser';
import { ask } from '../support/http';

/** What of our pages a role sees. NocoBase's clients hide what a role is denied by name; what it was never given, the server refuses. */

const ROLES = {
  clerk: [
    'pm.*',
    '!pm.app-supervisor',
    '!pm.app-supervisor.overview',
    '!pm.app-supervisor.apps',
    '!pm.app-supervisor.environments',
    '!pm.app-supervisor.activity',
    '!pm.app-supervisor.notifications',
    '!pm.app-supervisor.security',
  ],
  onlooker: ['pm.app-supervisor.overview'],
  appkeeper: ['pm.app-supervisor.apps'],
  envkeeper: ['pm.app-supervisor.environments'],
  watcher: ['pm.app-supervisor.activity'],
  herald: ['pm.app-supervisor.notifications'],
  inspector: ['pm.app-supervisor.security'],
};
const users = {} as Record<keyof typeof ROLES, Api>;

onStage();

beforeAll(async () => {
  for (const [name, snippets] of Object.entries(ROLES)) {
    await manager.api.post('roles:create', { name, title: name, snippets });
    const user = { username: name, email: `${name}@example.test`, password: 'secret-123' };
    await manager.api.post('users:create', { ...user, roles: [{ name }] });
    users[name as keyof typeof ROLES] = await Api.signIn(fleet.supervisor.url, user);
  }
});

afterAll(async () => {
  const filter = encodeURIComponent(JSON.stringify({ username: { $in: Object.keys(ROLES) } }));
  await manager.api.post(`users:destroy?filter=${filter}`);
  for (const name of Object.keys(ROLES)) await manager.api.post(`roles:destroy?filterByTk=${name}`);
});

/** What each snippet lets a role read. */
it.each<[role: keyof typeof ROLES, may: string[]]>([
  ['clerk', []],
  ['onlooker', ['appOperations:list', 'appEvents:list', 'appEnvironments:list']],
  ['appkeeper', ['apps:list', 'appOperations:list', 'appEvents:list', 'appEnvironments:list']],
  [
    'envkeeper',
    ['appOperations:list', 'appEvents:list', 'appEnvironments:list', 'appEnvironments:check', 'appEnvironments:get'],
  ],
  ['watcher', ['appOperations:list', 'appEvents:list', 'appEnvironments:list']],
  ['herald', ['appNotifiers:list']],
  ['inspector', ['appFleet:checklist', 'appEnvironments:logs']],
])('the server gives %s only what is of its page', async (role, may) => {
  const all = ['apps:list', 'appOperations:list', 'appEvents:list', 'appEnvironments:list', 'appEnvironments:check'];
  const allowed: string[] = [];
  const others = ['appEnvironments:get', 'appNotifiers:list', 'appFleet:checklist', 'appEnvironments:logs'];
  for (const action of [...all, ...others]) {
    const headers = { Authorization: `Bearer ${users[role].token}` };
    const { status } = await ask(fleet.supervisor.url, `/api/${action}?filterByTk=env_a`, { headers });
    if (status === 200) allowed.push(action);
    else expect([action, status]).toEqual([action, 403]);
  }
  expect(allowed).toEqual(may);
});

it('the log of a process is given without the secrets that the process has', async () => {
  const { storage, env } = fleet.worker('env_a');
  const folder = path.join(storage, 'logs/main');
  // At midnight another file begins.
  const log = readdirSync(folder)
    .filter((file) => file.startsWith('system_20'))
    .sort()
    .at(-1)!;
  const secret = env.DB_PASSWORD ?? '';
  expect(secret.length).toBeGreaterThan(8);
  appendFileSync(path.join(folder, log), `level=info message=told ${secret} to redis://x:hidden@redis\n`);
  const { data } = await users.inspector.get('appEnvironments:logs', { filterByTk: 'env_a', lines: 200 });
  expect(data.join('\n')).not.toContain(secret);
  expect(data).toContain('level=info message=told ****** to redis://x:******@redis');
});

describe.each(CLIENT)('in the $client client', ({ base }) => {
  let page: Page;
  /** In one page for all: what loads for the first time in another one is compiled anew. */
  const open = async (role: keyof typeof ROLES, path = 'settings/app-supervisor') => {
    await page.evaluate((token) => {
      localStorage.removeItem('NOCOBASE_ROLE');
      localStorage.setItem('NOCOBASE_TOKEN', token);
    }, users[role].token!);
    await page.goto(`${fleet.supervisor.url}${base}admin/${path}`);
  };

  beforeAll(async () => {
    page = await (await openContext(browser, users.clerk)).newPage();
    await openBlank(page, fleet.supervisor.url);
  });
  afterAll(() => page?.context().close());

  it('one that may set up anything else is not offered ours', async () => {
    await open('clerk', '');
    await page.getByTestId('plugin-settings-button').hover();
    await page.getByRole('menuitem', { name: 'System settings' }).waitFor();
    expect(await page.getByRole('menuitem', { name: 'App supervisor' }).count()).toBe(0);
  });

  it('one that may manage apps has their page, with the environments to choose from', async () => {
    await open('appkeeper');
    await page.getByTestId('overview').waitFor();
    await tabsOf(page).nth(1).click();
    await page.getByTestId('add-app').click();
    await page.locator('.ant-select:has(#environments)').click();
    await page.locator('.ant-select-dropdown [title=env_a]').waitFor();
  });

  it('one that may manage environments has their page, and is told that it may not see apps', async () => {
    await open('envkeeper');
    await page.getByText('Your role has no permission to see this').waitFor();
    await tabsOf(page).nth(2).click();
    await page.getByTestId('environment-check-env_a').click();
    await page.getByTestId('environment-reach-env_a').waitFor();
  });

  it('one that may look at what happened has that page, and no other', async () => {
    await open('watcher', 'settings/app-supervisor/activity');
    await page.getByTestId('activity-export').waitFor();
    await tabsOf(page).nth(5).click();
    await page.getByText('Your role has no permission to see this').waitFor();
  });

  it('one that may look at the security checklist has that page, and no other', async () => {
    await open('inspector', 'settings/app-supervisor/security');
    await page.getByTestId('checklist').waitFor();
    await tabsOf(page).nth(2).click();
    await page.getByText('Your role has no permission to see this').first().waitFor();
  });
});
