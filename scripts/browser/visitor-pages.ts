import path from 'node:path';
import type { Browser } from 'playwright-core';
import { type AnswerCode, answer } from '../../src/server/proxy/answers';
import { pageFor } from '../../src/server/proxy/error-page';

/** The pages of the proxy for people, which need no server. */
const CODES: AnswerCode[] = ['APP_PREPARING', 'APP_STOPPED', 'UPSTREAM_REFUSED', 'APP_BUSY', 'APP_NOT_FOUND'];
const LANGUAGES = ['en', 'zh'] as const;
const THEMES = ['light', 'dark'] as const;
const APP = { name: 'crm', title: 'Customers & Sales' };

/** Writes a picture of each page in each language and theme into the folder. */
export async function photographVisitorPages(browser: Browser, folder: string): Promise<void> {
  for (const theme of THEMES) {
    for (const language of LANGUAGES) {
      const page = await browser.newPage({ colorScheme: theme, viewport: { width: 900, height: 520 } });
      for (const code of CODES) {
        const app = code === 'APP_NOT_FOUND' ? null : APP;
        const req = { method: 'GET', headers: { accept: 'text/html', 'accept-language': language } } as never;
        const what = answer(code, app?.title, { language, reference: code.startsWith('UPSTREAM') ? 'ABCD2345' : null });
        await page.setContent(pageFor(req, '/', '/api', what, app) ?? '');
        const file = `visitors-${theme}-${language}-${code.toLowerCase().replaceAll('_', '-')}.png`;
        await page.screenshot({ path: path.join(folder, file), animations: 'disabled' });
      }
      await page.close();
    }
  }
}
