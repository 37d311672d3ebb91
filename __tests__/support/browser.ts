import type { Page } from 'playwright-core';

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
