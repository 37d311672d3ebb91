import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext, openSettings, tabOf, WIDTHS } from '../../scripts/browser';
import {
  answer,
  browser,
  choiceIn,
  chooseInMenu,
  complaintsOf,
  eventually,
  fleet,
  inSteps,
  letPollingBeOff,
  manager,
  onStage,
  pressInMenu,
  shows,
} from '../support/browser';
import { appear, disappear } from '../support/simulated-environments';
import type { SimulatedWorker } from '../support/simulated-worker';
import { until } from '../support/wait';

/**
 * The list of apps: what of it is shown, and what is done by it to one app, to those that are chosen and to all of an
 * environment. The apps lie in two environments that do at once what they are told, so that no NocoBase boots for them.
 */

const NORTH = 'env_north';
const SOUTH = 'env_south';
const two = (index: number) => String(index).padStart(2, '0');
/** In the order in which they were made, which is not that of their titles; the last two in the other environment. */
const APPS = Array.from({ length: 24 }, (_, index) => ({
  name: `list_${two(index + 1)}`,
  title: `Ledger ${two((((index + 1) * 7) % 24) + 1)}`,
  environments: [index < 22 ? NORTH : SOUTH],
}));
const ADDED = ['Version', 'Start mode', 'Sign-in by the main app'];
const CHOSEN = ['App', 'Status', 'Operation', 'Labels', ...ADDED, 'Actions'];
/** As the list is sorted. */
const LISTED = APPS.toSorted((a, b) => a.title.localeCompare(b.title));
const ownOf = (client: string) => ['a', 'b', 'c'].map((letter) => `own_${client}_${letter}`);
const OWN = CLIENTS.flatMap(({ client }) => ownOf(client));

onStage();
let north: SimulatedWorker;
let south: SimulatedWorker;

beforeAll(async () => {
  [north, south] = await appear(fleet, manager, NORTH, SOUTH);
  const made = [];
  // One after the other: their order is that of their creation.
  for (const app of APPS) made.push(await manager.begin('create', app));
  for (const name of OWN) made.push(await manager.begin('create', { name, environments: [NORTH] }));
  await Promise.all(made.map(({ operation }) => manager.succeeded(operation!)));
  await manager.command('stop', 'list_05');
});

afterAll(async () => {
  await manager.clear(...APPS.map(({ name }) => name), ...OWN);
  await disappear(manager, [north, south]);
});

describe.each(CLIENTS)('in the $client client', (client) => {
  const [one, other, third] = ownOf(client.client);
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  const names = () =>
    page
      .locator('[data-testid^="app-row-"]')
      .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-testid')!.slice('app-row-'.length)));
  const row = (name: string) => page.getByTestId(`app-row-${name}`);
  const becomes = (name: string, status: string, environment = NORTH) =>
    page.locator(`[data-testid="status-${name}-${environment}"][data-status="${status}"]`).first().waitFor();
  const press = (action: string, name: string) => page.getByTestId(`app-${action}-${name}`).click();
  const find = (text: string) => page.getByTestId('filter-text').fill(text);
  const inAll = () => page.locator('.ant-pagination-total-text').textContent();
  const check = (name: string) => row(name).getByRole('checkbox').check();
  const question = (title: string) => page.getByRole('dialog', { name: title, exact: true });
  const headers = () => page.getByRole('columnheader').filter({ hasText: /\w/ }).allInnerTexts();
  const isInSight = async (locator: Locator) => {
    const place = await locator.boundingBox();
    return place !== null && place.y >= 0 && place.y + place.height <= page.viewportSize()!.height;
  };
  const focusedId = () => page.evaluate(() => document.activeElement?.id);
  const newest = async (name: string) =>
    (await manager.api.get('appOperations:list', { filter: { appName: name }, sort: '-createdAt', pageSize: 1 }))
      .data[0]?.action;

  beforeAll(async () => {
    context = await openContext(browser, manager.api);
    await context.addInitScript(letPollingBeOff);
    page = await context.newPage();
    complaints = complaintsOf(page);
    // The Workers of these apps are simulated, and answer no requests.
    await page.route('**/api/apps:databaseSize*', (route) => route.fulfill({ json: { data: { bytes: 8_600_000 } } }));
    await openSettings(page, fleet.supervisor.url, client);
  });

  afterAll(() => context?.close());

  inSteps(() => page, 'browser-list');

  it('shows a page of it, which is all that the server sends, and others and larger ones when asked', async () => {
    await find('list_');
    await eventually(inAll).toBe('24 in total');
    await eventually(names).toEqual(LISTED.slice(0, 20).map(({ name }) => name));
    const sent = page.waitForResponse((response) => response.url().includes('apps:list'));
    await page.locator('.ant-pagination-next button').click();
    await eventually(names).toEqual(LISTED.slice(20).map(({ name }) => name));
    expect((await (await sent).json()).data).toHaveLength(4);
    await choiceIn(page, '.ant-pagination-options .ant-select', '50 / page');
    await eventually(names).toEqual(LISTED.map(({ name }) => name));
    // From the end of a page the next one is read from its beginning.
    await choiceIn(page, '.ant-pagination-options .ant-select', '10 / page');
    await page.setViewportSize({ width: 1440, height: 500 });
    const next = page.locator('.ant-pagination-next button');
    await next.scrollIntoViewIfNeeded();
    await next.click();
    const second = LISTED.slice(10, 20).map(({ name }) => name);
    await eventually(names).toEqual(second);
    await eventually(() => isInSight(row(second[0]))).toBe(true);
    await page.setViewportSize({ width: 1440, height: 900 });
    await choiceIn(page, '.ant-pagination-options .ant-select', '20 / page');
  });

  it('is filtered by words, environment and statuses, by several at once', async () => {
    await find('list_18 LEDG');
    await eventually(names).toEqual(APPS.filter(({ title }) => title === 'Ledger 07').map(({ name }) => name));
    await find('list_1');
    await eventually(names).toEqual(LISTED.filter(({ name }) => name.startsWith('list_1')).map(({ name }) => name));
    await find('list_');
    const environment = '.ant-select:has([aria-label="Find apps by environment"])';
    const status = '.ant-select:has([aria-label="Find apps by status"])';
    await choiceIn(page, environment, SOUTH);
    await eventually(names).toEqual(
      LISTED.filter(({ environments }) => environments[0] === SOUTH).map(({ name }) => name),
    );
    await page.locator(status).click();
    const offered = page.locator('.ant-select-dropdown').filter({ visible: true }).locator('.ant-select-item-option');
    await offered.filter({ hasText: 'Error' }).waitFor();
    // Two at once, before the page can show the first one.
    await offered.evaluateAll(
      (options: HTMLElement[], chosen) => {
        for (const text of chosen) options.find((option) => option.textContent?.includes(text))!.click();
      },
      ['Stopped', 'Error'],
    );
    await eventually(() => new URL(page.url()).searchParams.get('status')).toBe('stopped,error');
    await page.keyboard.press('Escape');
    await page.getByText('No app matches this filter').waitFor();
    await choiceIn(page, environment, NORTH);
    await eventually(names).toEqual(['list_05']);
    // How many apps each choice would find, together with the other filters.
    await page.locator(status).click();
    await eventually(() => offered.filter({ hasText: 'Stopped' }).textContent()).toMatch(/Stopped\s*1$/);
    await page.keyboard.press('Escape');
    for (const select of [environment, status]) {
      await page.locator(select).hover();
      await page.locator(`${select} .ant-select-clear`).click();
    }
    await eventually(inAll).toBe('24 in total');
  });

  it('an app is found from any page by Ctrl-K, by keyboard alone, and the focus comes back', async () => {
    const text = page.getByTestId('go-to-text');
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
    await page.keyboard.press('Control+k');
    await text.waitFor();
    await page.keyboard.press('Escape');
    await text.waitFor({ state: 'detached' });
    await page.getByTestId('go-to').press('Enter');
    await eventually(focused).toBe('go-to-text');
    await page.keyboard.type('list_18 LEDG');
    const { name } = APPS.find(({ title }) => title === 'Ledger 07')!;
    await page.getByRole('option', { selected: true }).filter({ hasText: 'Ledger 07' }).waitFor();
    expect(await text.getAttribute('aria-activedescendant')).toBe(
      await page.getByTestId(`go-to-app-${name}`).getAttribute('id'),
    );
    await page.keyboard.press('Enter');
    await page.getByTestId(`app-page-${name}`).waitFor();
    // An environment, by a part of its name.
    await page.keyboard.press('Control+k');
    await eventually(focused).toBe('go-to-text');
    await page.keyboard.type('env_so');
    await page.getByTestId(`go-to-environment-${SOUTH}`).waitFor();
    await page.keyboard.press('Escape');
    // The tab leads back to the list, too.
    await tabOf(page, 'apps').click();
    await row(name).waitFor();
    // Which keys there are.
    await page.keyboard.press('?');
    await page.getByTestId('keyboard-keys').getByText('Ctrl').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('keyboard-keys').waitFor({ state: 'detached' });
  });

  it('is selected as a whole, over all pages', async () => {
    await find('list_');
    await eventually(inAll).toBe('24 in total');
    await page.locator('.ant-table-thead').getByRole('checkbox').check();
    await page.getByText('20 selected', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Select all 24 that match' }).click();
    await page.getByText('24 selected', { exact: true }).waitFor();
    await page.getByTestId('select-all').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Clear selection' }).click();
    await page.getByTestId('bulk-start').waitFor({ state: 'detached' });
  });

  it('is fetched again when asked', async () => {
    await page.evaluate(() => Object.assign(window, { isPollingOff: true }));
    const asked = page.waitForRequest((request) => request.url().includes('apps:list'));
    await page.getByTestId('refresh-apps').click();
    await asked;
    await page.evaluate(() => Object.assign(window, { isPollingOff: false }));
  });

  it('an app that moves is shown where it was taken from until it has left that', async () => {
    const name = 'list_06';
    const taken = row(name).getByText('Removal pending');
    await find(name);
    north.hesitate();
    const moving = manager.update(name, { environments: [SOUTH] });
    await taken.waitFor();
    await shows(row(name).locator('[data-testid^="status-"]'), ['Running', 'Waiting']);
    north.obey();
    await moving;
    await taken.waitFor({ state: 'detached' });
    await shows(row(name).locator('[data-testid^="status-"]'), ['Running']);
    await manager.update(name, { environments: [NORTH] });
    await becomes(name, 'running');
  });

  it('has the columns that were chosen', async () => {
    await eventually(headers).toEqual(['App', 'Status', 'Operation', 'Labels', 'Last visit', 'Actions']);
    await page.getByRole('button', { name: 'Select columns' }).click();
    await page.getByRole('checkbox', { name: 'Last visit' }).uncheck();
    for (const name of ADDED) await page.getByRole('checkbox', { name }).check();
    await eventually(headers).toEqual(CHOSEN);
  });

  it('an app is changed by its form, which shows what it has, and says what takes effect at its next restart', async () => {
    await find(one);
    await press('edit', one);
    const form = page.getByRole('dialog', { name: `Edit "${one}"` });
    await form.getByLabel('Name', { exact: true }).fill(`${one} changed`);
    await form.getByText('Start with main application').click();
    await form.getByLabel('Hide in Applications block').check();
    await form.getByLabel('Show in app switcher').check();
    // Every app has a JWT secret of its own.
    expect(await form.getByText(/JWT/).count()).toBe(0);
    await form.getByLabel('Sign users of the main app in').check();
    await form.getByLabel('Create missing accounts').check();
    await form.getByLabel('Role of created accounts').fill('member');
    await form.getByLabel('Own sign-in of the app').uncheck();
    await form.getByTestId('app-form-submit').click();
    await form.waitFor({ state: 'hidden' });
    await row(one).getByText(`${one} changed`, { exact: true }).waitFor();
    await row(one).getByText('Start with main application').waitFor();
    await row(one).getByRole('cell', { name: 'On', exact: true }).waitFor();
    expect(await manager.app(one)).toMatchObject({
      title: `${one} changed`,
      startMode: 'withMain',
      hidden: true,
      pinned: true,
      options: {
        sso: { enabled: true, mapping: 'none', autoSignup: true, signupRole: 'member', passwordSignIn: false },
      },
    });
    north.setStatus(one, { pendingChanges: ['jwtSecret'] });

    await page.getByTestId(`app-open-${one}`).click();
    const shown = page.getByTestId(`app-page-${one}`);
    const pending = shown.getByText('Takes effect at the next restart: JWT secret', { exact: true });
    await pending.waitFor();
    await shown.getByTestId('database-size').getByText('8.2 MB').waitFor();
    await page.getByTestId('app-page-edit').click();
    const again = page.getByRole('dialog', { name: `Edit "${one} changed"` });
    for (const label of ['Start with main application', 'Hide in Applications block', 'Show in app switcher']) {
      expect(await again.getByLabel(label).isChecked(), label).toBe(true);
    }
    await answer(again, 'Cancel');
    await page.getByTestId('app-page-apply').click();
    await answer(question(`Restart "${one} changed"?`), 'Restart');
    await pending.waitFor({ state: 'detached' });
    // The focus returns to the app that the page was opened from.
    await page.getByTestId('back-to-apps').click();
    await eventually(focusedId).toBe(`app-open-${one}`);
  });

  it('an app is upgraded where its data is older than an environment, and told why not elsewhere', async () => {
    await find(third);
    const version = row(third).getByRole('cell', { name: '2.2.14', exact: true });
    const upgrade = page.getByTestId(`app-upgrade-${third}`);
    await press('more', third);
    await eventually(() => upgrade.getAttribute('aria-disabled')).toBe('true');
    // It is reached by keyboard, too.
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await eventually(focused).toBe('Restart');
    await page.keyboard.press('ArrowDown');
    await eventually(focused).toContain('Its data already has the newest version (2.2.15).');
    await page.keyboard.press('Escape');
    await upgrade.waitFor({ state: 'hidden' });
    north.setStatus(third, { version: '2.2.14' });
    await version.waitFor();
    await press('more', third);
    await upgrade.click();
    const upgrading = question(`Upgrade "${third}"?`);
    await upgrading.getByText('cannot be undone. Make a backup first.').waitFor();
    await answer(upgrading, 'Upgrade');
    await version.waitFor({ state: 'detached' });
    expect(await newest(third)).toBe('upgrade');
  });

  it('has a bar for those chosen, with nothing below the button of NocoBase’s AI employees, however wide the page is', async () => {
    await find(client.client);
    await eventually(names).toEqual([one, other, third]);
    const bar = page.getByTestId('bulk-bar');
    const ends = () =>
      bar.locator('button').evaluateAll((all) => Math.max(...all.map((each) => each.getBoundingClientRect().right)));
    const choose = async () => (await bar.isVisible()) || (await check(one));
    const isClear = async (width: number) => {
      const over = (await page.getByRole('button', { name: 'Open AI chat' }).boundingBox())!;
      const end = await ends();
      return over.x + over.width >= width && end > 0 && end <= over.x;
    };
    const size = page.viewportSize()!;
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      // NocoBase makes its layout anew for a phone: then nothing is chosen any more.
      await until(`the bar at ${width} px`, () =>
        choose()
          .then(() => isClear(width))
          .catch(() => false),
      );
    }
    await until('nothing to be chosen', async () => {
      if (await bar.isVisible())
        await bar
          .getByText('Clear selection')
          .click({ timeout: 3_000 })
          .catch(() => undefined);
      return bar.isHidden();
    });
    await page.setViewportSize(size);
  });

  it('several apps are stopped, started and restarted together, those left out to whom it makes no difference', async () => {
    const bulk = page.getByRole('toolbar', { name: 'Actions for the selected apps' });
    const press = (action: string) => page.getByTestId(`bulk-${action}`).click();
    // Those chosen stay chosen while others are looked for.
    for (const name of [other, third]) {
      await find(name);
      await check(name);
    }
    await bulk.getByText('2 selected').waitFor();
    await bulk.getByText('1 of them not on this page').waitFor();
    await row(third).getByRole('checkbox').focus();
    await page.keyboard.press('F6');
    await eventually(() => bulk.locator(':focus').count()).toBe(1);
    await page.keyboard.press('F6');
    await eventually(() => row(third).locator(':focus').count()).toBe(1);
    await page.getByTestId('show-selected').click();
    const shown = page.getByTestId('selected-apps').getByRole('checkbox');
    await eventually(() => shown.count()).toBe(2);
    await answer(question('Selected apps'), 'Cancel');
    await find(client.client);
    await eventually(names).toEqual([one, other, third]);
    await press('stop');
    await answer(question('Stop 2 apps?'), 'Cancel');
    await press('stop');
    await answer(question('Stop 2 apps?'), 'Stop');
    await bulk.waitFor({ state: 'detached' });
    await eventually(focusedId).toBe(`app-open-${other}`);
    for (const name of [other, third]) await becomes(name, 'stopped');

    for (const name of [one, other, third]) await check(name);
    await press('start');
    const starting = question('Start 2 apps?');
    await starting.getByText(`${one} changed: It is already running.`).waitFor();
    await shows(starting.getByRole('listitem'), [
      `${other}: ${NORTH}`,
      `${third}: ${NORTH}`,
      `${one} changed: It is already running.`,
    ]);
    await answer(starting, 'Start');
    await bulk.waitFor({ state: 'detached' });
    for (const name of [other, third]) await becomes(name, 'running');

    for (const name of [other, third]) await check(name);
    await eventually(() => page.getByTestId('bulk-start').getAttribute('aria-disabled')).toBe('true');
    let accept = () => {};
    const isHeard = new Promise<void>((resolve) => {
      accept = resolve;
    });
    await page.route('**/api/apps:restart*', (route) => isHeard.then(() => route.continue()));
    await press('restart');
    await answer(question('Restart 2 apps?'), 'Restart');
    // Until the server has accepted it, the button says that it is asked for.
    await page.locator('[data-testid="bulk-restart"].ant-btn-loading').waitFor();
    accept();
    // What is chosen next is not let go with these.
    await bulk.waitFor({ state: 'detached' });
    await page.unroute('**/api/apps:restart*');
    for (const name of [other, third]) await eventually(() => newest(name)).toBe('restart');
  });

  it('what was done to several apps stays in sight, whatever is looked for and after a reload, until it is dismissed', async () => {
    const batches = async () => (await manager.api.get('appBatches:list')).data;
    await eventually(async () => (await batches())[0]).toMatchObject({
      action: 'restart',
      total: 2,
      done: 2,
      isOver: true,
    });
    const data = await batches();
    const [restart] = data;
    const shown = page.getByTestId(`batch-${restart.id}`);
    await find('');
    await eventually(async () => (await names()).length).toBe(20);
    for (const at of [0, -1]) {
      await page.locator('[data-testid^="app-row-"]').nth(at).scrollIntoViewIfNeeded();
      await eventually(() => isInSight(shown)).toBe(true);
    }
    await find('no such app');
    await shown.getByText('2 of 2 done').waitFor();
    const address = page.url();
    await page.reload();
    await shown.getByText('Restart: 2 apps').waitFor();
    // What was chosen of the list is as it was, too.
    expect(page.url()).toBe(address);
    await eventually(headers).toEqual(CHOSEN);
    await page.getByTestId(`batch-open-${restart.id}`).click();
    await page.getByTestId(`batch-details-${restart.id}`).waitFor();
    expect(new URL(page.url()).searchParams.get('batch')).toBe(restart.id);
    await page.locator('.ant-drawer-close').click();
    for (const { id } of data)
      if (await page.getByTestId(`batch-dismiss-${id}`).count()) await page.getByTestId(`batch-dismiss-${id}`).click();
    await page.getByTestId('batches').waitFor({ state: 'detached' });
    await find(client.client);
    await eventually(names).toEqual([one, other, third]);
  });

  it('of what has failed, only that is asked for again', async () => {
    const refused = await manager.api.post('apps:start', { filterByTk: [one, other], onFailure: 'stop' });
    expect(refused.meta).toMatchObject({ batch: expect.any(String), refused: [] });
    const id = refused.meta.batch;
    const row = async () => (await manager.api.get('appBatches:get', { filterByTk: id })).data;
    await eventually(row).toMatchObject({ total: 2, done: 2, failures: [] });
    await page.route(`**/api/appBatches:get*`, async (route) => {
      const failures = [
        {
          cause: { code: 'DATABASE_MISSING', params: { object: 'x', app: other, server: 's' } },
          apps: [{ name: other, title: other }],
        },
      ];
      return route.fulfill({ json: { data: { ...(await row()), done: 1, failed: 1, failures } } });
    });
    await page.getByTestId(`batch-open-${id}`).click();
    await page.getByTestId('batch-cause-DATABASE_MISSING').getByRole('link', { name: other }).waitFor();
    const asked = page.waitForRequest((request) => request.url().includes('appBatches:retry'));
    await page.getByTestId('batch-retry').click();
    await asked;
    await page.unroute(`**/api/appBatches:get*`);
    await page.locator('.ant-drawer-close').click();
    await page.getByTestId(`batch-dismiss-${id}`).click();
  });

  it('several apps are labelled together, without an operation, and found by a label', async () => {
    const before = await newest(other);
    for (const name of [other, third]) await check(name);
    await page.getByTestId('bulk-label').click();
    const labelling = question('Labels of 2 apps');
    await labelling.getByLabel('Add labels').fill('trial,');
    await labelling.locator('.ant-select-selection-item').filter({ hasText: 'trial' }).waitFor();
    await answer(labelling, 'Save');
    await eventually(focusedId).toBe(`app-open-${other}`);
    await row(other).getByRole('link', { name: 'trial' }).click();
    await eventually(names).toEqual([other, third]);
    expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ label: 'trial' });
    expect(await page.getByTestId('filter-text').inputValue()).toBe('');
    await page.goBack();
    await eventually(names).toEqual([one, other, third]);
    expect(await newest(other)).toBe(before);
  });

  it('has views, which are named, found again by their address, changed and deleted', async () => {
    const views = page.getByTestId('views');
    const menu = (name: string, outcome: Locator) =>
      pressInMenu(views, page.getByRole('menuitem', { name, exact: true }), outcome);
    const named = (name: string) => views.filter({ has: page.getByText(name, { exact: true }) });
    const chosen = () => views.textContent();
    const sortBy = (name: string) => page.getByRole('columnheader', { name, exact: true });
    await find(client.client);
    await sortBy('App').click();
    await eventually(() => sortBy('App').getAttribute('aria-sort')).toBe('ascending');
    await menu('Save as a new view…', page.getByTestId('view-name'));
    await page.getByTestId('view-name').fill('Mine');
    await page.keyboard.press('Enter');
    await eventually(chosen).toBe('Mine');
    const id = new URL(page.url()).searchParams.get('view')!;
    await menu('All apps', named('Saved views'));
    await eventually(inAll).not.toBe('3 in total');

    // As from a bookmark, without loading the client again.
    await page.evaluate((search) => {
      history.pushState(null, '', search);
      dispatchEvent(new PopStateEvent('popstate'));
    }, `?view=${id}`);
    await eventually(names).toEqual([one, other, third]);
    await eventually(() => sortBy('App').getAttribute('aria-sort')).toBe('ascending');
    expect(await page.getByTestId('filter-text').inputValue()).toBe(client.client);
    await sortBy('App').click();
    await eventually(chosen).toBe('Mine (changed)');
    await menu('Save changes', named('Mine'));
    await menu('Rename…', page.getByTestId('view-name'));
    await page.getByTestId('view-name').fill('Ours');
    await page.keyboard.press('Enter');
    await eventually(chosen).toBe('Ours');
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('views');
    const deleting = question('Delete the view "Ours"?');
    await menu('Delete', deleting);
    await answer(deleting, 'Delete');
    await eventually(chosen).toBe('Saved views');
    expect((await manager.api.get('appViews:list')).data).toEqual([]);
  });

  it('several apps are deleted together, which keeps their data', async () => {
    await find(client.client);
    for (const name of [other, third]) await check(name);
    const sent = page.waitForRequest((request) => request.url().includes('apps:destroy'));
    await page.getByTestId('bulk-delete').click();
    const deleting = question('Delete 2 apps?');
    await deleting.getByText('Their databases are kept.').waitFor();
    await answer(deleting, 'Delete');
    expect((await sent).postDataJSON()).toEqual({ database: 'keep', filterByTk: [other, third] });
    await eventually(names).toEqual([one]);
    expect(await newest(other)).toBe('destroy');
    // Whoever looks for it where it was is led to where it is.
    await find(other);
    await page.getByTestId('no-apps-deleted').click();
    await page.getByTestId(`deleted-${other}`).waitFor();
    await page.locator('.ant-drawer-close').click();
    await find(client.client);
    await eventually(names).toEqual([one]);
  });

  it('an app is deleted with its data for its name in writing', async () => {
    const deleting = question(`Delete "${one} changed"?`);
    await chooseInMenu(page, `app-more-${one}`, `app-delete-${one}`, deleting);
    await deleting.getByLabel('Also delete the data').check();
    await deleting.locator('#confirm-name').fill(one);
    const sent = page.waitForRequest((request) => request.url().includes('apps:destroy'));
    await answer(deleting, 'Delete');
    expect((await sent).postDataJSON()).toEqual({ database: 'drop', filterByTk: [one] });
    await eventually(names).toEqual([]);
  });

  it('an environment is drained: apps that no other takes are stopped there on request, and come home afterwards', async () => {
    const environment = page.getByTestId(`environment-row-${SOUTH}`);
    const draining = question(`Drain environment "${SOUTH}"?`);
    await tabOf(page, 'environments').click();
    await page.getByTestId(`environment-drain-${SOUTH}`).click();
    await answer(draining, 'Cancel');
    south.hesitate();
    await page.getByTestId(`environment-drain-${SOUTH}`).click();
    await draining.getByText('Ledger').first().waitFor();
    await draining.getByRole('button', { name: 'Cordon only' }).waitFor();
    await draining.getByLabel('Stop what cannot be moved (2)').check();
    await answer(draining, 'Stop 2 apps');
    await environment.getByText('Draining 0/2').waitFor();
    await tabOf(page, 'apps').click();
    await find('list_2');
    for (const name of ['list_23', 'list_24']) {
      await row(name).getByText('Stopping').waitFor();
      await row(name).getByText(`Waiting for environment ${SOUTH} to start`).waitFor();
    }
    south.obey();
    for (const name of ['list_23', 'list_24']) {
      await becomes(name, 'stopped', SOUTH);
      await row(name).getByText('Expected: Starts when visited').waitFor();
    }
    await tabOf(page, 'environments').click();
    await environment.getByText('Cordoned').waitFor();
    await page.getByTestId(`environment-uncordon-${SOUTH}`).click();
    const uncordoning = question(`Uncordon environment "${SOUTH}"?`);
    expect(await uncordoning.getByText('starts again').count()).toBe(2);
    await answer(uncordoning, 'Uncordon');
    await environment.getByText('Cordoned').waitFor({ state: 'detached' });
    await tabOf(page, 'apps').click();
    await find('list_2');
    for (const name of ['list_23', 'list_24']) await becomes(name, 'running', SOUTH);
  });

  it('nothing was logged as an error', () => {
    expect(complaints).toEqual([]);
  });
});
