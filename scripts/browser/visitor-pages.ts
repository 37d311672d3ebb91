import path from 'node:path';
import type { Browser } from 'playwright-core';
import { type AnswerCode, hasCause } from '../../src/server/proxy/answers';
import { ssoPage } from '../../src/server/proxy/sso-page';
import { visitorPage } from '../../src/server/proxy/visitor-page';
import type { SsoRefusal } from '../../src/shared/sso';

/** The pages of the proxy for people, which need no server. */
const CODES: AnswerCode[] = [
  'APP_PREPARING',
  'APP_MOVING',
  'APP_STOPPED',
  'APP_ERROR',
  'UPSTREAM_REFUSED',
  'APP_BUSY',
  'APP_NOT_FOUND',
];
const LANGUAGES = ['en', 'zh'] as const;
/** Of a sign-in by the main app. */
const REFUSALS: SsoRefusal[] = ['SSO_EXPIRED', 'SSO_UNAVAILABLE', 'SSO_NO_ACCOUNT'];
/** Of a desktop and of a phone. */
const WIDTHS = [1440, 390];
const THEMES = ['light', 'dark'] as const;
const APP = { name: 'crm', title: 'Customers & Sales' };

/** Writes a picture of each page in each language and theme into the folder. */
export async function photographVisitorPages(browser: Browser, folder: string): Promise<void> {
  for (const theme of THEMES) {
    for (const language of LANGUAGES) {
      const page = await browser.newPage({ colorScheme: theme });
      for (const [code, width] of CODES.flatMap((code) => WIDTHS.map((width) => [code, width] as const))) {
        await page.setViewportSize({ width, height: width > 900 ? 620 : 700 });
        const app = code === 'APP_NOT_FOUND' ? null : APP;
        const reference = hasCause(code) || code === 'APP_ERROR' ? 'ABCD2345' : null;
        const queuedBehind = code === 'APP_PREPARING' ? 2 : 0;
        // Some as below the main app's address.
        const main = code === 'APP_ERROR' || code === 'APP_NOT_FOUND' ? '/' : null;
        await page.setContent(visitorPage({ code, language, app, reference, queuedBehind, main }));
        const file = `visitors-${theme}-${language}-${code.toLowerCase().replaceAll('_', '-')}-${width}.png`;
        await page.screenshot({ path: path.join(folder, file), animations: 'disabled' });
      }
      for (const [refusal, width] of REFUSALS.flatMap((refusal) => WIDTHS.map((width) => [refusal, width] as const))) {
        await page.setViewportSize({ width, height: width > 900 ? 620 : 700 });
        await page.setContent(ssoPage(refusal, APP, language, { page: '/', signIn: '/signin' }).html);
        const file = `visitors-${theme}-${language}-${refusal.toLowerCase().replaceAll('_', '-')}-${width}.png`;
        await page.screenshot({ path: path.join(folder, file), animations: 'disabled' });
      }
      await page.close();
    }
  }
}
