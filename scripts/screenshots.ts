import fs from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import {
  ALL_STATES,
  CLIENTS,
  chooseTheme,
  enableLanguages,
  launchBrowser,
  openContext,
  openSettings,
  STATES,
  visitStates,
  WIDTHS,
} from './browser';
import { allOperationsEnded, createSampleApps, SAMPLE } from './browser/sample';
import { backToApps, openTab } from './browser/steps';
import { photographVisitorPages } from './browser/visitor-pages';
import { type Api, Fleet } from './fleet';
import { terminalProgress } from './fleet/progress';
import { ensurePrograms } from './lib/programs.mjs';
import { ROOT } from './lib/root.mjs';

/**
 * `npm run screenshots`: every page and state of ours in both clients, themes and languages, for a desk, a tablet and
 * a phone, into `.fleet/screenshots`. With `-- --only PATTERN` only those whose folder matches: `-- --only modern-light-en-390`.
 * With `-- --readme` only the pictures of the READMEs, into `docs/pictures`. With `-- --fleet NAME` in a running fleet,
 * which keeps the apps that this creates. With `-- --visitors` only the proxy's pages for visitors, without a fleet.
 */

const FOLDER = path.join(ROOT, '.fleet/screenshots');
const README_FOLDER = path.join(ROOT, 'docs/pictures');
/** Hides the tooltips of elements that were pressed to reach a state. */
const NO_TOOLTIPS = '.ant-tooltip { display: none !important }';
/** A message whose end was cut short by a picture stays, unseen, over what is pressed. */
const GHOSTS = '.ant-message * { pointer-events: none !important }';
const LANGUAGES = ['en-US', 'zh-CN'];
/** By their names in NocoBase, whose own default is the compact one. */
const THEMES = { light: 'default', dark: 'dark', compact: 'compact' } as const;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      fleet: { type: 'string' },
      only: { type: 'string', default: '' },
      readme: { type: 'boolean' },
      visitors: { type: 'boolean' },
    },
  });
  ensurePrograms(['chromium', 'chineseFont'], console.log);
  if (values.visitors) return await photographVisitors();
  const fleet = values.fleet
    ? Fleet.attach(values.fleet)
    : await Fleet.start({ name: 'photographer', port: 'free', reset: true, durable: false }, terminalProgress());
  const browser = await launchBrowser();
  try {
    const api = await fleet.supervisor.signIn();
    await enableLanguages(api, ...LANGUAGES);
    await createSampleApps(api);
    if (values.readme) return await photographForReadme(browser, api);
    if (!values.only) await fs.rm(FOLDER, { recursive: true, force: true });
    await photographAll(browser, api, new RegExp(values.only));
    if (!values.only) await photographVisitorPages(browser, path.join(FOLDER, 'visitors'));
    await chooseTheme(api, 'default');
  } finally {
    await browser.close();
    if (!values.fleet) await fleet.stop();
  }
}

async function photographVisitors(): Promise<void> {
  const browser = await launchBrowser();
  try {
    await photographVisitorPages(browser, path.join(FOLDER, 'visitors'));
  } finally {
    await browser.close();
  }
}

/** @param only matches the folders that are wanted */
async function photographAll(browser: Browser, api: Api, only: RegExp): Promise<void> {
  for (const client of CLIENTS) {
    const context = await openContext(browser, api);
    for (const [theme, uid] of Object.entries(THEMES)) {
      await chooseTheme(api, uid);
      for (const [language, width] of LANGUAGES.flatMap((each) => WIDTHS.map((width) => [each, width] as const))) {
        const folder = [client.client, theme, language.slice(0, 2), width].join('-');
        if (!only.test(folder)) continue;
        await fs.rm(path.join(FOLDER, folder), { recursive: true, force: true });
        const page = await context.newPage();
        await page.setViewportSize({ width, height: 900 });
        await openSettings(page, api.url, client, language);
        await page.addStyleTag({ content: GHOSTS });
        await photograph(page, path.join(FOLDER, folder));
        await page.close();
        console.log(`  ${folder}: ${ALL_STATES.length} states`);
      }
    }
    await context.close();
  }
}

async function photograph(page: Page, folder: string): Promise<void> {
  let count = 0;
  const take = async (name: string) => {
    count += 1;
    await page.mouse.move(0, 0);
    const file = `${String(count).padStart(2, '0')}-${name}.png`;
    await page.screenshot({ path: path.join(folder, file), animations: 'disabled', style: NO_TOOLTIPS });
  };
  await visitStates(page, ALL_STATES, SAMPLE, take).catch(async (error) => {
    await take('failed');
    throw error;
  });
}

/** In the modern client, light, in each language: the apps, one app, the environments. */
async function photographForReadme(browser: Browser, api: Api): Promise<void> {
  await api.post(`apps:restart?filterByTk=${SAMPLE.app}`);
  await allOperationsEnded(api);
  await fs.mkdir(README_FOLDER, { recursive: true });
  await chooseTheme(api, 'default');
  const page = await (await openContext(browser, api)).newPage();
  await page.setViewportSize({ width: 1440, height: 780 });
  const client = CLIENTS.find((each) => each.client === 'modern')!;
  for (const language of LANGUAGES) {
    const take = async (name: string) => {
      await page.mouse.move(0, 0);
      const file = path.join(README_FOLDER, `${name}.${language.slice(0, 2)}.png`);
      await page.screenshot({ path: file, animations: 'disabled', style: NO_TOOLTIPS });
      console.log(`  ${path.relative(ROOT, file)}: ${Math.round((await fs.stat(file)).size / 1000)} kB`);
    };
    const show = (name: string) => STATES.find((state) => state.name === name)!.show(page, SAMPLE);
    await openSettings(page, api.url, client, language);
    await show('apps');
    await take('apps');
    await page.getByTestId(`app-open-${SAMPLE.app}`).click();
    await page.locator('[data-testid^="operation-"]').nth(1).waitFor();
    await take('app');
    await backToApps(page);
    await openTab(page, 'environments');
    await show('environments-checked');
    await take('environments');
  }
}

await main();
