import path from 'node:path';
import type { Page } from 'playwright-core';
import { ROOT } from '../../scripts/lib/root.mjs';

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

/** Of a test that failed, beside the results of its project. */
export async function photograph(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(ROOT, `.fleet/test-results/${name}.png`) });
}
