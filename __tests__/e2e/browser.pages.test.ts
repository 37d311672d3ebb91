import { createRequire } from 'node:module';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, chooseTheme, enableLanguages, launchBrowser, openContext } from '../../scripts/browser';
import { type Api, type Fleet, waitFor } from '../../scripts/fleet';
import english from '../../src/locale/en-US.json';
import { sharedFleet } from '../setup/fleet';
import { complaintsOf } from '../support/browser';
import { Manager } from '../support/manager';

/** What holds of every page and state of ours: accessible in both themes, complete in Chinese, free of errors. */

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const APP = 'pages';

let fleet: Fleet;
let api: Api;
let browser: Browser;

beforeAll(async () => {
  fleet = await sharedFleet();
  api = await fleet.supervisor.signIn();
  await enableLanguages(api, 'en-US', 'zh-CN');
  await api.post('apps:create', { name: APP, title: '示例', environments: ['env_a', 'env_b'], startMode: 'onVisit', cname: 'pages.example.com' });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await api.post(`apps:destroy?filterByTk=${APP}&database=drop`);
});

/** Every page and state, each from the one before it. */
const STATES: { state: string; show(page: Page): Promise<void> }[] = [
  {
    state: 'list of apps',
    show: (page) => page.getByTestId(`app-row-${APP}`).waitFor(),
  },
];

describe.each(CLIENTS)('in the $client client', ({ base }) => {
  it('nothing', async () => {
    const context = await openContext(browser, api);
    const page = await context.newPage();
    await page.goto(`${fleet.supervisor.url}${base}admin/settings/app-supervisor`);
    await page.getByTestId(`app-row-${APP}`).waitFor();
    await page.waitForTimeout(5000);
    await page.screenshot({ path: `/tmp/brw/list.png` });
    await page.getByTestId(`app-open-${APP}`).click();
    await page.waitForTimeout(1000);
    await page.screenshot({ path: `/tmp/brw/drawer.png` });
  });
});
