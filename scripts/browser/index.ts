import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Api } from '../fleet';
import { findProgram } from '../lib/programs.mjs';
import { ENVIRONMENT_STATES } from './environment-states';
import { RARE_STATES } from './rare-states';
import { STATES } from './states';

/** Chromium for end-to-end tests and screenshots, for both clients of NocoBase. */

export interface Client {
  client: 'legacy' | 'modern';
  /** Prefix of its addresses. */
  base: string;
}

export const CLIENTS: Client[] = [
  { client: 'legacy', base: '/' },
  { client: 'modern', base: '/v/' },
];

/** The first load of a client takes up to 9 s on two cores that also run a fleet. */
export const PATIENCE = 90_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findProgram('chromium') ?? undefined,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
}

/** A session in addition to the main app's: of an app at its path below `url`, or without a name at its own domain. */
export interface Session {
  url: string;
  app?: string;
  token: string;
}

/**
 * Runs in the page: disables transitions, because antd ignores the setting for reduced motion. A click on a growing
 * element may press one element and release another, which selects neither.
 */
function disableTransitions(): void {
  const sheet = new CSSStyleSheet();
  const none = 'animation-duration: 1ms !important; animation-delay: 0s !important;';
  sheet.replaceSync(`@media (prefers-reduced-motion: reduce) { *, ::before, ::after { ${none} } }`);
  document.adoptedStyleSheets.push(sheet);
}

/** A context in which `user` is signed in to the main app, with the other sessions and reduced motion. */
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
    // Compressing the 50 MB of a client for each context takes the Supervisor on the same machine up to 3 s.
    extraHTTPHeaders: { 'Accept-Encoding': 'identity' },
    storageState: { cookies: [], origins: [...origins].map(([origin, localStorage]) => ({ origin, localStorage })) },
  });
  context.setDefaultTimeout(PATIENCE);
  await context.addInitScript(disableTransitions);
  return context;
}

/** An empty page of this origin, whose storage can be set before anything of it is loaded. The server is not asked. */
export async function openBlank(page: Page, url: string): Promise<void> {
  const blank = `${url}/blank`;
  await page.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
  await page.goto(blank);
  await page.unroute(blank);
}

/** Opens our settings pages, in one of the languages that the system has enabled. */
export async function openSettings(page: Page, url: string, { base }: Client, language = 'en-US'): Promise<void> {
  if (page.url() === 'about:blank') await openBlank(page, url);
  await page.evaluate((chosen) => localStorage.setItem('NOCOBASE_LOCALE', chosen), language);
  await page.goto(`${url}${base}admin/settings/app-supervisor/apps`);
  await page.getByTestId('add-app').waitFor();
}

/** The theme of the user's own choice, from the next page load on. */
export async function chooseTheme(user: Api, uid: 'default' | 'dark' | 'compact'): Promise<void> {
  const { data } = await user.get('themeConfig:list', { paginate: false });
  await user.post('users:updateTheme', { themeId: data.find((theme: { uid: string }) => theme.uid === uid).id });
}

/** NocoBase answers in no other languages, whatever a browser requests. */
export async function enableLanguages(user: Api, ...enabledLanguages: string[]): Promise<void> {
  await user.post('systemSettings:update?filterByTk=1', { enabledLanguages });
}

/** Of a desk, a tablet and a phone. */
export const WIDTHS = [1440, 1024, 390];

/** What `npm run screenshots` photographs. A new state belongs in one of them. */
export const ALL_STATES = [...STATES, ...ENVIRONMENT_STATES, ...RARE_STATES];

export { type Sample, STATES, type State, visitStates } from './states';
export { openTab, tabOf, tabsOf } from './steps';
