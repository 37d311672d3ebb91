import { type Browser, type BrowserContext, chromium } from 'playwright-core';
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
const PATIENCE = 45_000;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findProgram('chromium') ?? undefined,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
}

/** Where `user` is signed in to the main app, in a language of NocoBase's. */
export async function openContext(browser: Browser, user: Api, language = 'en-US'): Promise<BrowserContext> {
  const stored = { NOCOBASE_TOKEN: user.token!, NOCOBASE_AUTH: 'basic', NOCOBASE_LOCALE: language };
  const localStorage = Object.entries(stored).map(([name, value]) => ({ name, value }));
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: 'reduce',
    storageState: { cookies: [], origins: [{ origin: new URL(user.url).origin, localStorage }] },
  });
  context.setDefaultTimeout(PATIENCE);
  return context;
}

/** The theme of the user's own choice, such as `dark`; needs a reload to show. */
export async function chooseTheme(user: Api, uid: 'default' | 'dark'): Promise<void> {
  const { data } = await user.get('themeConfig:list', { paginate: false });
  await user.post('users:updateTheme', { themeId: data.find((theme: { uid: string }) => theme.uid === uid).id });
}

/** Languages other than these are refused, whatever a browser asks for. */
export async function enableLanguages(user: Api, ...enabledLanguages: string[]): Promise<void> {
  await user.post('systemSettings:update?filterByTk=1', { enabledLanguages });
}

export { STATES, type Sample, type State, tabsOf } from './states';
