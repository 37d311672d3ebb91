import type { Page } from 'playwright-core';

/** Steps that lead from one state of the pages to another. */

/** Waits until something of this is to be seen. */
export const shown = (page: Page, selector: string) => page.locator(`${selector}:visible`).first().waitFor();
/** Visible, and no longer in a transition. */
export const settled = (page: Page, selector: string) =>
  page.locator(`${selector}:visible`).first().click({ trial: true });
export const hidden = (page: Page, selector: string) =>
  page.locator(`${selector}:visible`).first().waitFor({ state: 'hidden' });

/** Whether NocoBase shows its phone's layout. */
export const isPhone = (page: Page) => page.viewportSize()!.width < 576;

/** The tabs of the settings pages, in either client. */
export const tabsOf = (page: Page) => page.locator('.ant-page-header').getByRole('menuitem');

const TABS = ['overview', 'apps', 'environments', 'activity', 'notifications', 'security'] as const;
/** One of them, for a user who sees all. */
export const tabOf = (page: Page, name: (typeof TABS)[number]) => tabsOf(page).nth(TABS.indexOf(name));

/** Opens one of them, which a phone may show in a menu. */
export async function openTab(page: Page, name: (typeof TABS)[number]): Promise<void> {
  const header = page.locator('.ant-page-header');
  const tab = header.locator('li.ant-menu-item').nth(TABS.indexOf(name));
  await tab.waitFor({ state: 'attached' });
  if ((await tab.getAttribute('aria-hidden')) !== 'true') return await tab.click();
  await header.locator('.ant-menu-overflow-item-rest').hover();
  const others = page.locator('.ant-menu-submenu-popup').filter({ visible: true }).getByRole('menuitem');
  await others.first().waitFor();
  await others.nth(TABS.indexOf(name) - TABS.length + (await others.count())).click();
}

/** From the page of an app to the list. */
export async function backToApps(page: Page): Promise<void> {
  await page.getByTestId('back-to-apps').click();
  await page.locator('[data-testid^="app-row-"]').first().waitFor();
}

/** An action for the selected apps, which a phone has in a menu. */
export async function pressBulk(page: Page, action: string): Promise<void> {
  const more = page.getByTestId('bulk-more');
  await page.getByTestId('bulk-start').waitFor();
  if (await more.isVisible()) await more.click();
  await settled(page, `[data-testid="bulk-${action}"]`);
  await page.getByTestId(`bulk-${action}`).filter({ visible: true }).first().click();
}

/** Declines the question. */
export async function answerNo(page: Page): Promise<void> {
  await page.locator('.ant-modal-footer button:visible').first().click();
  await hidden(page, '.ant-modal-mask');
}
