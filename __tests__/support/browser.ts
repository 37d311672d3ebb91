import type { BrowserContext } from 'playwright-core';

/** What NocoBase itself complains of on every load. */
const NOISE = [/favicon_no_exist\.ico/];

/** Collects errors of the consoles and of the scripts of all pages of a context. */
export function complaintsOf(context: BrowserContext): string[] {
  const complaints: string[] = [];
  const add = (complaint: string) => {
    if (!NOISE.some((noise) => noise.test(complaint))) complaints.push(complaint);
  };
  context.on('console', (message) => {
    if (message.type() === 'error') add(`${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (thrown) => add(`${thrown.error().stack}`));
  return complaints;
}
