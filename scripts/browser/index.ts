import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Api } from '../fleet';
import { findProgram } from '../lib/programs.mjs';

/** Chromium for end-to-end tests and screenshots, at work in NocoBase's two clients. */

export interface Client {
  client: 'legacy' | 'modern';
  /** What its addresses begin with. */
  base: string;
}

export const CLIENTS: Client[] = [
  { client: 'legacy', base: '/' },
  { client: 'modern', base: '/v/' },
];

/** A first load of a client takes up to 9 s where two cores also carry a fleet. */
const PATIENCE = 90_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findProgram('chromium') ?? undefined,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
}

/** A session beside the main app's: of an app at its path below `url`, or without a name at its own domain. */
export interface Session {
  url: string;
  app?: string;
  token: string;
}

/**
 * In the page: what comes and goes does so at once while less motion is asked for, of which antd takes no notice. A click
 * on what grows under the pointer may go down on one thing and come up on another, which chooses neither.
 */
function letNothingGrow(): void {
  const sheet = new CSSStyleSheet();
  const none = 'animation-duration: 1ms !important; animation-delay: 0s !important;';
  sheet.replaceSync(`@media (prefers-reduced-motion: reduce) { *, ::before, ::after { ${none} } }`);
  document.adoptedStyleSheets.push(sheet);
}

/** Where `user` is signed in to the main app, and to what else there is a session for; in it, less motion is asked for. */
export async function openContext(browser: Browser, user: Api, others: Session[] = []): Promise<BrowserContext> {
  const origins = new Map<string, { name: string; value: string }[]>();
  for (const { url, app, token } of [{ url: user.url, token: user.token! } as Session, ...others]) {
    const { origin } = new URL(url);
    const prefix = app ? `NOCOBASE_${app.toUpperCase()}_` : 'NOCOBASE_';
    const stored = [
      { name: `${prefix}TOKEN`, value: token },
      { name: `${prefix}AUTH`, value: 'basic' },
    ];
    origins.set(origin, [...(origins.get(origin) ?? []), ...stored]);
  }
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    // To compress the 50 MB of a client anew for each context takes the Supervisor, on the same machine, up to 3 s.
    extraHTTPHeaders: { 'Accept-Encoding': 'identity' },
    storageState: { cookies: [], origins: [...origins].map(([origin, localStorage]) => ({ origin, localStorage })) },
  });
  context.setDefaultTimeout(PATIENCE);
  await context.addInitScript(letNothingGrow);
  return context;
}

/** Opens our settings pages, in one of the languages that the system has enabled. */
export async function openSettings(page: Page, url: string, { base }: Client, language = 'en-US'): Promise<void> {
  if (page.url() === 'about:blank') await page.goto(`${url}/favicon.ico`);
  await page.evaluate((chosen) => localStorage.setItem('NOCOBASE_LOCALE', chosen), language);
  await page.goto(`${url}${base}admin/settings/app-supervisor`);
  await page.getByTestId('add-app').waitFor();
}

/** The theme of the user's own choice, from the next load of a page on. */
export async function chooseTheme(user: Api, uid: 'default' | 'dark'): Promise<void> {
  const { data } = await user.get('themeConfig:list', { paginate: false });
  await user.post('users:updateTheme', { themeId: data.find((theme: { uid: string }) => theme.uid === uid).id });
}

/** NocoBase answers in no other languages, whatever a browser asks for. */
export async function enableLanguages(user: Api, ...enabledLanguages: string[]): Promise<void> {
  await user.post('systemSettings:update?filterByTk=1', { enabledLanguages });
}

export { answerNo, closeDrawer, type Sample, STATES, type State, settled, tabsOf } from './states';
