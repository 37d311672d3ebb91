import type { BrowserContext, Page, Route } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENTS, openContext } from '../../scripts/browser';
import { browser, eventually, fleet, manager, onStage } from '../support/browser';

/** Whatever breaks in this plugin, NocoBase's own interface stays: each fault is made in the scripts and answers that a browser gets. */

const SCRIPTS = '**/plugin-app-supervisor/dist/**/*.js*';
const isEntry = (url: string) => new URL(url).pathname.endsWith('/index.js');

onStage();

/** Lets the entry be another than the one that is served. */
const changeEntry = (page: Page, change: (script: string) => string) =>
  page.route(SCRIPTS, async (route: Route) => {
    if (!isEntry(route.request().url())) return route.continue();
    const response = await route.fetch();
    const script = await response.text();
    const changed = change(script);
    if (changed === script) throw new Error('The fault was not put in.');
    await route.fulfill({ response, body: changed });
  });

/** As if the host did not have these of its methods. */
const without =
  (...names: string[]) =>
  (script: string) =>
    names.reduce((text, name) => text.replaceAll(`.${name}(`, `.${name}OfLater(`), script);

describe.each(CLIENTS)('in the $client client', ({ client, base }) => {
  let context: BrowserContext;
  let page: Page;
  let failures: string[];

  const settings = (tab = '/apps') => page.goto(`${fleet.supervisor.url}${base}admin/settings/app-supervisor${tab}`);
  /** NocoBase's own pages are there, and nothing has gone through to it. */
  const expectAlive = async () => {
    await page.getByTestId('user-center-button').first().waitFor();
    expect(await page.getByText('App error').count()).toBe(0);
    expect(failures).toEqual([]);
  };

  beforeEach(async () => {
    context = await openContext(browser, manager.api);
    page = await context.newPage();
    failures = [];
    page.on('pageerror', (error) => failures.push(String(error)));
  });
  afterEach(() => context?.close());

  it('a host that lacks what the switcher and the block need has the settings pages', async () => {
    await changeEntry(
      page,
      client === 'legacy'
        ? without('setAppsProvider', 'registerModelLoaders')
        : without('getModelClass', 'registerModelLoaders'),
    );
    await settings();
    await page.getByTestId('add-app').waitFor();
    await expectAlive();
  });

  it('a host that lacks what the settings pages need has everything of its own', async () => {
    await changeEntry(page, client === 'legacy' ? without('add') : without('addMenuItem'));
    await page.goto(`${fleet.supervisor.url}${base}admin/`);
    await page.getByTestId('plugin-settings-button').hover();
    await page.getByRole('menuitem', { name: 'System settings' }).waitFor();
    expect(await page.getByRole('menuitem', { name: 'App supervisor' }).count()).toBe(0);
    await expectAlive();
  });

  it('a page whose script does not come says so', async () => {
    await page.route(SCRIPTS, (route) => (isEntry(route.request().url()) ? route.continue() : route.abort()));
    await settings();
    await page.getByText('This page could not be loaded').waitFor();
    await page.getByRole('button', { name: 'Reload' }).waitFor();
    await expectAlive();
  });

  it('a page that throws says so, and the other one works', async () => {
    // Rows without anything that the page relies on.
    await page.route('**/api/apps:list*', (route) =>
      route.fulfill({ json: { data: [{ name: 'x' }], meta: { count: 1 } } }),
    );
    await settings();
    await page.getByText('This page failed').waitFor();
    failures = [];
    await page.getByRole('menuitem', { name: 'Environments' }).first().click();
    await page.getByTestId('environment-row-env_a').waitFor();
    await expectAlive();
  });

  it('entries that fail, or are none, are no entries', async () => {
    await page.route('**/api/appEntries:list*', (route) =>
      route.fulfill({ status: 500, json: { errors: [{ message: 'no' }] } }),
    );
    await page.goto(`${fleet.supervisor.url}${base}admin/`);
    await expectAlive();
    expect(await page.locator('.ant-notification-notice').count()).toBe(0);
    await page.unrouteAll();
    await page.route('**/api/appEntries:list*', (route) => route.fulfill({ json: { data: 'nonsense' } }));
    await page.reload();
    await expectAlive();
  });

  it('loads at its start what its start needs', async () => {
    const loaded: string[] = [];
    page.on('response', (response) => {
      if (response.url().includes('/plugin-app-supervisor/dist/')) loaded.push(new URL(response.url()).pathname);
    });
    // Without pages the first one leads to ours.
    await page.goto(`${fleet.supervisor.url}${base}admin/settings/system-settings`);
    await expectAlive();
    await page.getByTestId('plugin-settings-button').waitFor();
    expect(loaded.filter((path) => !path.endsWith('/index.js'))).toEqual([]);
    expect(loaded.length).toBeGreaterThan(0);
    await settings();
    await page.getByTestId('add-app').waitFor();
    await eventually(() => loaded.filter((path) => !path.endsWith('/index.js')).length).toBeGreaterThan(0);
  });
});
