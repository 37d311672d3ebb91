import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, enableLanguages, openContext, openSettings, tabOf } from '../../scripts/browser';
import chinese from '../../src/locale/zh-CN.json';
import { verbatim } from '../../src/shared/message';
import { browser, complaintsOf, eventually, fleet, inSteps, manager, onStage, shows } from '../support/browser';
import { appear, disappear } from '../support/simulated-environments';
import type { SimulatedWorker } from '../support/simulated-worker';

/** The form by keyboard, in Chinese, and left with changes. Every page and state: long/browser.states.test.ts. */

/** Environments that do at once what they are told: what their app is does not matter here. */
const SAMPLE = { app: 'pages', environment: 'env_desk', other: 'env_hall' };
let workers: SimulatedWorker[];

onStage();

beforeAll(async () => {
  await enableLanguages(manager.api, 'en-US', 'zh-CN');
  workers = await appear(fleet, manager, SAMPLE.environment, SAMPLE.other);
  await manager.create({ name: SAMPLE.app, title: '示例', environments: [SAMPLE.environment, SAMPLE.other] });
});

afterAll(async () => {
  await enableLanguages(manager.api, 'en-US');
  await manager.clear(SAMPLE.app, ...CLIENTS.map(({ client }) => `still-${client}`));
  await disappear(manager, workers);
});

describe.each(CLIENTS)('in the $client client', (client) => {
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    const context = await openContext(browser, manager.api);
    // Simulated Workers answer no requests.
    await context.route('**/api/apps:databaseSize*', (route) => route.fulfill({ json: { data: { bytes: 1 } } }));
    page = await context.newPage();
    complaints = complaintsOf(page);
  });

  afterAll(() => page?.context().close());

  inSteps(() => page, 'browser-pages');

  it('the first page has one address in both clients, and offers to change the password that everybody knows, or to say it later', async () => {
    await openSettings(page, fleet.supervisor.url, client, 'zh-CN');
    await page.goto(`${fleet.supervisor.url}${client.base}admin/settings/app-supervisor/overview`);
    await page.getByTestId('own-password-change').click();
    const dialog = page.getByRole('dialog', { name: chinese['Change password'] });
    await dialog.locator('#oldPassword').fill('a');
    await dialog.locator('#newPassword').fill('b');
    await dialog.locator('#confirmPassword').fill('c');
    await dialog.locator('#confirm-own-password').click();
    await shows(dialog.locator('.ant-form-item-explain-error'), [chinese['The two passwords differ']]);
    await dialog.locator('button', { hasText: /取\s*消/ }).click();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByTestId('own-password-later').click();
    await page.getByTestId('own-password').waitFor({ state: 'detached' });
    await page.reload();
    await page.getByTestId('problems').waitFor();
    expect(await page.getByTestId('own-password').count()).toBe(0);
  });

  it('an app is added by keyboard alone', async () => {
    await openSettings(page, fleet.supervisor.url, client, 'zh-CN');
    const sent = new Promise<unknown>((resolve) => {
      void page.route('**/api/apps:create*', async (route) => {
        resolve(route.request().postDataJSON());
        await route.fulfill({ json: { data: {} } });
      });
    });
    const { keyboard } = page;
    await tabTo(page, '[data-testid="add-app"]');
    await keyboard.press('Enter');
    await page.locator('#title:focus').waitFor();
    await keyboard.type('Keyboard');
    await tabTo(page, '#name');
    await keyboard.type('keys');
    await tabTo(page, '#environments');
    await keyboard.type('desk');
    await page.locator(`.ant-select-item-option-active[title="${SAMPLE.environment}"]`).waitFor();
    await keyboard.press('Enter');
    await keyboard.press('Escape');
    await tabTo(page, '.ant-collapse-header:has([data-testid="advanced-general"])');
    await keyboard.press('Enter');
    await tabTo(page, 'input[value="onVisit"]');
    await keyboard.press('ArrowRight');
    await tabTo(page, '[data-testid="app-form-submit"]');
    await keyboard.press('Enter');
    expect(await sent).toMatchObject({
      title: 'Keyboard',
      name: 'keys',
      environments: [SAMPLE.environment],
      targetEnvironment: SAMPLE.environment,
      startMode: 'withMain',
    });
    await page.getByRole('dialog', { name: chinese['Add app'] }).waitFor({ state: 'hidden' });
    await page.unrouteAll();
  });

  it('rows, menus and dialogs are used by keyboard alone, and give the focus back', async () => {
    const { app, environment, other } = SAMPLE;
    const { keyboard } = page;
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'));
    const menus = page.locator('.ant-dropdown').filter({ visible: true });
    const dialog = page.locator('.ant-modal, .ant-drawer').filter({ visible: true });
    /** Opens a menu, goes down in it, and chooses. */
    const choose = async (button: string, entry: string) => {
      await page.getByTestId(button).focus();
      await keyboard.press('Enter');
      await eventually(() => menus.locator(':focus').count()).toBe(1);
      const text = () => page.evaluate(() => document.activeElement?.textContent);
      const isThere = (id: string) =>
        document.activeElement?.matches(`:has([data-testid="${id}"]), [data-testid="${id}"]`);
      // Entries that are disabled are passed over.
      for (let down = 0; !(await page.evaluate(isThere, entry)); down += 1) {
        expect(down, entry).toBeLessThan(12);
        const before = await text();
        await keyboard.press('ArrowDown');
        // antd moves the focus in the next frame, and goes from where it is then.
        await eventually(text).not.toBe(before);
      }
      await keyboard.press('Enter');
    };
    const dialogGivesBack = async (button: string) => {
      await dialog.waitFor();
      const hasFocus = () => document.activeElement?.closest('.ant-modal, .ant-drawer') !== null;
      await eventually(() => page.evaluate(hasFocus)).toBe(true);
      await eventually(() => menus.count()).toBe(0);
      await keyboard.press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      await eventually(focused).toBe(button);
    };

    // A row is one stop of the Tab key; arrow keys go on in it.
    const row = page.getByTestId(`app-row-${app}`);
    await row.waitFor();
    await page.getByTestId(`app-open-${app}`).focus();
    await keyboard.press('Tab');
    expect(await row.locator(':focus').count()).toBe(0);
    await keyboard.press('Shift+Tab');
    await eventually(focused).toBe(`app-open-${app}`);
    for (const next of [`environment-link-${environment}`, `environment-link-${other}`, `app-visit-${app}`]) {
      await keyboard.press('ArrowRight');
      await eventually(focused).toBe(next);
    }
    await keyboard.press('End');
    await eventually(focused).toBe(`app-more-${app}`);
    await keyboard.press('Tab');
    await keyboard.press('Shift+Tab');
    await eventually(focused).toBe(`app-more-${app}`);

    await choose(`app-more-${app}`, `app-restart-${app}`);
    await dialogGivesBack(`app-more-${app}`);
    await keyboard.press('Enter');
    await eventually(() => menus.locator(':focus').count()).toBe(1);
    await keyboard.press('Tab');
    await eventually(() => menus.count()).toBe(0);
    await eventually(focused).toBe(`app-more-${app}`);
    await choose(`app-more-${app}`, `app-delete-${app}`);
    await dialogGivesBack(`app-more-${app}`);
    for (const button of [`app-edit-${app}`, 'add-app']) {
      await page.getByTestId(button).press('Enter');
      await dialogGivesBack(button);
    }
    await page.getByTestId(`app-open-${app}`).press('Enter');
    await choose('app-page-more', 'app-page-destroy');
    await dialogGivesBack('app-page-more');
    // An entry that is a link is followed.
    await page.context().route('**/apps/**', (route) => route.fulfill({ body: 'visited' }));
    const visited = page.context().waitForEvent('page');
    await choose(`app-visit-${app}`, `app-visit-${app}-${environment}`);
    await (await visited).close();
    await page.context().unroute('**/apps/**');
    await eventually(focused).toBe(`app-visit-${app}`);
  });

  it('a problem that the server finds stands beside its field, in the user’s language', async () => {
    await page.getByTestId('back-to-apps').click();
    await page.getByTestId('add-app').click();
    await page.locator('#title').fill('Once more');
    await page.locator('#name').fill(SAMPLE.app);
    await page.locator('.ant-select:has(#environments)').click();
    await page.locator('.ant-select-dropdown [title=env_desk]').click();
    await page.locator('#title').click();
    await page.getByTestId('app-form-submit').click();
    const said = chinese['message.NAME_TAKEN'].replace('{{app}}', SAMPLE.app);
    await shows(page.locator('.ant-form-item-has-error:has(#name) .ant-form-item-explain-error'), [said]);
    // The browser itself logs that an answer was a refusal.
    const refused = complaints.findIndex((complaint) => complaint.includes('apps:create'));
    if (refused >= 0) complaints.splice(refused, 1);
  });

  it('leaving what was entered asks first: by closing the form, by the browser’s Back, by a link, by a reload, by closing the page', async () => {
    const question = page.getByRole('dialog', { name: chinese['Discard your changes?'] });
    const title = page.locator('#title');
    const enter = async () => {
      // So that the browser has somewhere to go back to within NocoBase.
      await tabOf(page, 'environments').click();
      await page.getByTestId(`environment-row-${SAMPLE.environment}`).waitFor();
      await tabOf(page, 'apps').click();
      await page.getByTestId('add-app').click();
      await title.fill('Once more');
    };
    const stay = async () => {
      await question.locator('button', { hasText: /取\s*消/ }).click();
      await question.waitFor({ state: 'hidden' });
      await eventually(() => title.inputValue()).toBe('Once more');
    };
    await page.locator('.ant-drawer-close').click();
    await question.locator('#confirm-ok').click();
    await title.waitFor({ state: 'detached' });
    await enter();
    const here = page.url();
    const elsewhere = `${fleet.supervisor.url}${client.base}admin/settings/app-supervisor/environments`;
    const ways = {
      close: () => page.locator('.ant-drawer-close').click(),
      back: () => page.evaluate(() => history.back()),
      // The drawer lies above it for a mouse, not for every other way to follow a link.
      link: () => tabOf(page, 'environments').dispatchEvent('click'),
    };
    for (const leave of Object.values(ways)) {
      await leave();
      await stay();
      await eventually(() => page.url()).toBe(here);
    }
    for (const leave of [() => page.evaluate(() => location.reload()), () => page.close({ runBeforeUnload: true })]) {
      const asked = page.waitForEvent('dialog');
      const left = leave();
      const dialog = await asked;
      expect(dialog.type()).toBe('beforeunload');
      await dialog.dismiss();
      await left;
      await eventually(() => title.inputValue()).toBe('Once more');
    }
    for (const leave of [ways.link, ways.back]) {
      await leave();
      await question.locator('#confirm-ok').click();
      await page.waitForURL(elsewhere);
      await page.getByTestId(`environment-row-${SAMPLE.environment}`).waitFor();
      await title.waitFor({ state: 'detached' });
      await enter();
    }
    await ways.close();
    await question.locator('#confirm-ok').click();
    await title.waitFor({ state: 'detached' });
    expect(page.url()).toBe(here);
  });

  it('what leads into a new app stays under the pointer, whatever becomes of the app meanwhile', async () => {
    const [desk] = workers;
    const name = `still-${client.client}`;
    desk.hesitate();
    await openSettings(page, fleet.supervisor.url, client, 'zh-CN');
    await page.getByTestId('add-app').click();
    await page.locator('#title').fill('Still');
    await page.locator('#name').fill(name);
    await page.locator('.ant-select:has(#environments)').click();
    await page.locator('.ant-select-dropdown [title=env_desk]').click();
    await page.locator('#title').click();
    await page.getByTestId('app-form-submit').click();
    const entrance = page.getByTestId('open-when-ready');
    await entrance.click({ trial: true });
    const place = await entrance.boundingBox();
    const record = await desk.record(name);
    await desk.report(record, { status: 'initializing', message: verbatim('before install plugin [users], 46/78') });
    const dialog = page.getByTestId('sign-in-dialog');
    await dialog.getByTestId('installing').waitFor();
    expect(await entrance.boundingBox()).toEqual(place);
    desk.obey();
    await dialog.getByTestId('app-ready').waitFor();
    expect(await entrance.boundingBox()).toEqual(place);
    await page.getByTestId('sign-in-close').click();
  });

  it('nothing was logged as an error', () => {
    expect(complaints).toEqual([]);
  });
});

/** Moves the focus on by the Tab key until something has it. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let pressed = 0; pressed < 60; pressed += 1) {
    if (await page.locator(`${selector}:focus`).count()) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`The Tab key does not lead to ${selector}.`);
}
