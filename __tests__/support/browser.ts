import path from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, inject } from 'vitest';
import { CLIENTS, launchBrowser, openContext } from '../../scripts/browser';
import type { Fleet } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { sharedFleet } from '../setup/fleet';
import { Manager } from './manager';
import { until } from './wait';

/** The shared fleet, its administrator and Chromium, for the tests of one file. */
export let fleet: Fleet;
export let manager: Manager;
export let browser: Browser;

/** The client in which this run tests our pages whole; in the other one it tests what people do most (browser.test.ts). */
export const CLIENT = CLIENTS.filter(({ client }) => client === inject('client'));

/** Called at the top of a file: its tests have all three. */
export function onStage(): void {
  beforeAll(async () => {
    fleet = await sharedFleet();
    manager = await Manager.of(fleet);
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
}

/** How long what is to be seen may take on a loaded machine, in ms. */
const PATIENCE = 60_000;

/** Of what is read from a page: it is to become so. A page is never done, and what was there a moment ago may be gone. */
export const eventually = <T>(read: () => T | Promise<T>, timeout = PATIENCE) =>
  expect.poll(read, { timeout, interval: 100 });

/** The texts of all that can be seen of it are to become these. */
export const shows = (locator: Locator, texts: unknown[]) =>
  eventually(async () => (await locator.filter({ visible: true }).allInnerTexts()).map((text) => text.trim())).toEqual(
    texts,
  );

/** Chooses one option of a select by mouse, by its text. */
export async function choiceIn(page: Page, select: string, text: string): Promise<void> {
  await page.locator(select).click();
  const list = page.locator('.ant-select-dropdown').filter({ visible: true });
  await list.locator('.ant-select-item-option').filter({ hasText: text }).click();
  await list.waitFor({ state: 'hidden' });
}

/** A letter before it stands for an icon; after it may be how the app is, as the Worker that was asked knows it. */
function titleIn(entry: string): string {
  const [first, second = first] = entry.split('\n').map((line) => line.trim());
  return first.length === 1 ? second : first;
}

/**
 * Chooses an app in the switcher, once that shows these and no others. NocoBase may make its layout anew while it loads,
 * and a list that was open is then gone.
 */
export async function chooseInSwitcher(page: Page, titles: string[], chosen: string): Promise<void> {
  const links = page.locator('.ant-popover a').filter({ visible: true });
  const attempt = async () => {
    if (!(await links.count())) {
      await page.locator('.ant-pro-layout-apps-icon').click();
      await links.first().waitFor({ timeout: 10_000 });
    }
    expect((await links.allInnerTexts()).map(titleIn)).toEqual(titles);
    await links.nth(titles.indexOf(chosen)).click({ timeout: 10_000 });
    return 'chosen';
  };
  await eventually(() => attempt().catch((error: Error) => error.message)).toBe('chosen');
}

/**
 * Opens our settings as a user does. NocoBase may make its layout anew while it loads, or leave for the first page once
 * routes are there (client-v2, AdminLayoutEntryGuard.tsx:188); whoever clicked just before clicks again.
 */
export async function openSettingsByMenu(page: Page): Promise<void> {
  const attempt = async () => {
    await page.getByTestId('plugin-settings-button').hover({ timeout: 10_000 });
    // A main app without pages leads there by itself, and its settings have the entry at their side, too.
    await page.locator('.ant-dropdown').getByRole('menuitem', { name: 'App supervisor' }).click({ timeout: 10_000 });
    await page.waitForURL(/\/settings\/app-supervisor/, { timeout: 10_000 });
    return 'opened';
  };
  await eventually(() => attempt().catch((error: Error) => error.message), 90_000).toBe('opened');
  await page.getByTestId('overview').waitFor();
}

/** A page of NocoBase, as its menu makes one. */
export async function makePage(uid: string, title: string): Promise<void> {
  const tab = { type: 'tabs', schemaUid: `${uid}_tab`, tabSchemaName: `${uid}_tab`, hidden: true };
  const route = { type: 'flowPage', title, schemaUid: uid, menuSchemaUid: `${uid}_menu`, children: [tab] };
  await manager.api.post('desktopRoutes:create', { ...route, enableTabs: false });
}

export async function removePages(uid: string): Promise<void> {
  const { data } = await manager.api.get('desktopRoutes:list', { filter: { schemaUid: uid }, paginate: false });
  for (const { id } of data) await manager.api.post(`desktopRoutes:destroy?filterByTk=${id}`);
}

/** A page with an Applications block that shows an app, made by mouse in the modern client. Both clients show it. */
export async function makeApplicationsPage(uid: string, app: string): Promise<void> {
  await makePage(uid, 'Entries');
  const page = await (await openContext(browser, manager.api)).newPage();
  await page.goto(`${fleet.supervisor.url}/v/admin/${uid}`);
  await page.getByTestId('ui-editor-button').first().click();
  // A page that was opened without the editor has not saved its grid: what is added to that is lost.
  await page.reload();
  await page.getByRole('button', { name: 'Add block' }).first().click();
  await page.getByText('Other blocks').first().hover();
  const saved = page.waitForResponse(
    (response) => response.request().postData()?.includes('ApplicationsBlockModel') ?? false,
  );
  await page.getByText('Applications', { exact: true }).last().click();
  await page.getByTestId(`entry-${app}`).waitFor();
  expect((await saved).status()).toBe(200);
  await page.context().close();
}

/** What NocoBase itself complains of on every load. */
const NOISE = [/favicon_no_exist\.ico/];

/** Collects the errors that a page logs and those that its scripts throw, from now on. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  const add = (complaint: string) => {
    if (!NOISE.some((noise) => noise.test(complaint))) complaints.push(complaint);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') add(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => add(`${error.stack}`));
  return complaints;
}

/** In the page: what runs every few seconds does nothing while `isPollingOff`. */
export function letPollingBeOff(): void {
  const { setInterval } = window;
  const run = (callback: TimerHandler, ms?: number, ...args: unknown[]) => {
    const isPoll = typeof callback === 'function' && ms !== undefined && ms >= 5_000;
    const asked = () => 'isPollingOff' in window && window.isPollingOff === true;
    return setInterval(isPoll ? () => asked() || callback(...args) : callback, ms, ...args);
  };
  Object.assign(window, { setInterval: run });
}

/** Of a test that failed: a picture beside the results of its project, and in the log what the page says. */
export async function photograph(page: Page, name: string): Promise<void> {
  const [text] = await page.locator('body').allInnerTexts();
  console.error(`${name} at ${page.url()}:\n${text?.slice(0, 1_000)}`);
  await page.screenshot({ path: path.join(ROOT, `.fleet/test-results/${name}.png`) });
}

/** Each test of a file goes on from the one before: after one that failed the others say nothing, and are left out. */
export function inSteps(page: () => Page, name: string): void {
  let isBroken = false;
  beforeEach(({ skip, onTestFailed }) => {
    skip(isBroken, 'A step before it failed.');
    onTestFailed(async () => {
      isBroken = true;
      await photograph(page(), name);
    });
  });
}

/** Presses an entry of a row's menu until what it opens is there, as `pressInMenu`. */
export const chooseInMenu = (page: Page, button: string, entry: string, opened: Locator): Promise<void> =>
  pressInMenu(page.getByTestId(button), page.getByTestId(entry), opened);

/**
 * Presses an entry of a menu until what comes of it is there. A menu moves while it unfolds, with its row, and with what it says itself:
 * where that changes between pressing and releasing, the press is lost, and a user presses again.
 */
export async function pressInMenu(button: Locator, entry: Locator, outcome: Locator): Promise<void> {
  await until(`${entry} to be taken`, async () => {
    if (!(await entry.isVisible())) await button.click();
    await entry.click({ timeout: 3_000 }).catch(() => undefined);
    return outcome.waitFor({ timeout: 5_000 }).then(
      () => true,
      () => false,
    );
  });
}

/**
 * Answers the question of a dialog by one of its buttons, after which it is gone. On a machine that is starved a dialog can still zoom
 * in when it looks stable, and a click on a button that moves is lost: as a user would, it presses again while the dialog is open.
 */
export async function answer(dialog: Locator, button: string): Promise<void> {
  // Where none was opened, none would be left, either.
  await dialog.waitFor();
  await until(`The answer "${button}" to be taken`, async () => {
    const isZooming = ((await dialog.getAttribute('class', { timeout: 3_000 }).catch(() => '')) ?? '').includes(
      'ant-zoom',
    );
    if (isZooming) return false;
    const press = dialog.getByRole('button', { name: button, exact: true }).click({ timeout: 3_000 });
    await press.catch(() => undefined);
    return dialog.waitFor({ state: 'hidden', timeout: 5_000 }).then(
      () => true,
      () => false,
    );
  });
}
