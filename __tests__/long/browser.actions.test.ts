import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openContext } from '../../scripts/browser';
import { browser, complaintsOf, fleet, makePage, manager, onStage, removePages } from '../support/browser';

/** Apps as actions that a page's designer chooses by mouse, in the modern client: in the app switcher, and in an action panel. */

const PAGE = 'actions_page';

onStage();

beforeAll(async () => {
  await manager.create({ name: 'shelf', title: 'Shelf', environments: ['env_a'], hidden: true });
  await makePage(PAGE, 'Actions');
});

afterAll(async () => {
  await removePages(PAGE);
  await manager.clear('shelf');
});

async function openPage(): Promise<Page> {
  const page = await (await openContext(browser, manager.api)).newPage();
  await page.goto(`${fleet.supervisor.url}/v/admin/${PAGE}`);
  return page;
}

/** Opens the editor. A page that was opened without it has not saved its grid: what is added to that is lost. */
async function openEditor(page: Page): Promise<void> {
  await page.getByTestId('ui-editor-button').first().click();
  await page.reload();
}

/** Chooses an app in an open menu of actions. */
async function chooseApp(page: Page, title: string): Promise<void> {
  const saved = page.waitForResponse(
    (response) => response.request().postData()?.includes('AppEntryActionModel') ?? false,
  );
  // What fails before it is the error to report.
  saved.catch(() => undefined);
  const menu = page.locator('.ant-dropdown-menu');
  await menu.getByText('Apps', { exact: true }).hover();
  await menu.getByText(title, { exact: true }).click();
  expect((await saved).status()).toBe(200);
}

it('an app in an action panel is opened by a click, with its title of now, and is gone for who may not see it', async () => {
  let page = await openPage();
  const complaints = complaintsOf(page);
  await openEditor(page);
  await page.getByRole('button', { name: 'Add block' }).first().click();
  await page.getByText('Other blocks').first().hover();
  await page.getByText('Action panel', { exact: true }).last().click();
  const panel = page.locator('.action-panel-block');
  await panel.getByRole('button', { name: 'Actions' }).click();
  await chooseApp(page, 'Shelf');
  await panel.getByRole('button', { name: 'Shelf' }).waitFor();
  await page.context().close();

  page = await openPage();
  const opening = page.context().waitForEvent('page');
  await page.locator('.action-panel-block').getByRole('button', { name: 'Shelf' }).click();
  await (await opening).waitForURL(`${fleet.supervisor.url}/v/apps/shelf/admin/**`);
  await manager.update('shelf', { title: 'Store' });
  const store = page.locator('.action-panel-block').getByRole('button', { name: 'Store' });
  await store.waitFor();
  await manager.update('shelf', { visibleTo: 'nobody' });
  await store.waitFor({ state: 'detached' });
  await manager.update('shelf', { visibleTo: 'everybody', title: 'Shelf' });
  expect(complaints).toEqual([]);
  await page.context().close();
});

it('an app in the app switcher of the modern client', async () => {
  let page = await openPage();
  await openEditor(page);
  await page.locator('.ant-pro-layout-apps-icon').click();
  await page.locator('.ant-popover').getByRole('button', { name: 'Actions' }).click();
  await chooseApp(page, 'Shelf');
  await page.context().close();

  page = await openPage();
  await page.locator('.ant-pro-layout-apps-icon').click();
  const opening = page.context().waitForEvent('page');
  await page.locator('.ant-popover').getByRole('button', { name: 'Shelf' }).click();
  await (await opening).waitForURL(`${fleet.supervisor.url}/v/apps/shelf/admin/**`);
  await page.context().close();
});
