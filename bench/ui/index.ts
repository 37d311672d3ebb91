import type { Page } from 'playwright-core';
import { CLIENTS, type Client, launchBrowser, openContext, openSettings, tabOf } from '../../scripts/browser';
import { Fleet } from '../../scripts/fleet';
import { terminalProgress } from '../../scripts/fleet/progress';
import { type Changes, makeFleet } from './fleet';
import { filters, pages } from './list';
import { type Delays, firstPicture, watchedFor, watchFirstPicture } from './page';

/**
 * `npm run bench:ui`: the Overview and the list of a fleet of 50 environments and 1,000 apps in Chromium, in both clients. Nothing
 * but the Workers is simulated. It measures how long the first picture of the Overview, a page and a filter of the list take after
 * their answer, how soon a change is seen while 20 a second arrive, and the longest frame. It exits with 1 if a limit is exceeded.
 */

/** All in ms. */
const LIMITS = { picture: 1_000, shown: 300, live: 1_000, frame: 100 };
const CHANGES_PER_SECOND = 20;
/** How long changes arrive, in ms. */
const LIVE_FOR = 15_000;

let isSlow = false;

/** @param values in ms, of which the greatest counts */
function report(client: Client, what: string, values: number[], limit: number): void {
  const sorted = [...values].map(Math.round).sort((a, b) => a - b);
  const most = sorted.at(-1) ?? Number.POSITIVE_INFINITY;
  isSlow ||= most > limit;
  console.log(`${client.client} ${what}: ${sorted[Math.floor(sorted.length / 2)]} (${most}) ms, at most ${limit}`);
}

async function measureLive(client: Client, where: string, page: Page, changes: Changes, apps: string[]): Promise<void> {
  const watched: Delays = await watchedFor(page, () => changes.arrive(apps, CHANGES_PER_SECOND, LIVE_FOR));
  if (watched.missed) throw new Error(`${watched.missed} of ${watched.delays.length} changes were never shown.`);
  report(client, `${where}, a change until it is shown`, watched.delays, LIMITS.live);
  report(client, `${where}, longest frame with ${CHANGES_PER_SECOND} changes a second`, [watched.frame], LIMITS.frame);
}

async function main(): Promise<void> {
  const fleet = await Fleet.start(
    { name: 'bench-ui', port: 'free', workers: 1, reset: true, durable: false },
    terminalProgress(),
  );
  const browser = await launchBrowser();
  let changes: Changes | null = null;
  try {
    changes = await makeFleet(fleet);
    const api = await fleet.supervisor.signIn();
    for (const client of CLIENTS) {
      const context = await openContext(browser, api);
      // tsx calls this helper of its bundler in every named function, also in those that run in the page.
      await context.addInitScript('globalThis.__name = (value) => value');
      await context.addInitScript(watchFirstPicture);
      const page = await context.newPage();
      await page.emulateMedia({ reducedMotion: 'no-preference' });
      await openSettings(page, api.url, client);
      await tabOf(page, 'overview').click();
      report(client, 'Overview, first picture after the answer', [await firstPicture(page)], LIMITS.picture);
      await page.getByTestId('all-environments').click();
      // Their first picture is no change.
      await page.getByTestId('all-environments').waitFor({ state: 'hidden' });
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      await measureLive(client, 'Overview', page, changes, changes.names);

      await tabOf(page, 'apps').click();
      await page.locator('[data-testid^="app-row-bench"]').first().waitFor();
      for (const [what, rounds] of [
        ['page', pages],
        ['filter', filters],
      ] as const) {
        const measured = await rounds(page);
        report(
          client,
          `list, another ${what} after the answer`,
          measured.map((each) => each.shown),
          LIMITS.shown,
        );
        report(
          client,
          `list, its longest frame`,
          measured.map((each) => each.frame),
          LIMITS.frame,
        );
      }
      await page.getByTestId('filter-text').fill('');
      await page.locator('[data-testid="app-row-bench00001"]').waitFor();
      const rows = await page
        .locator('[data-testid^="app-row-bench"]')
        .evaluateAll((found) => found.map((row) => row.getAttribute('data-testid')!.replace('app-row-', '')));
      await measureLive(client, 'list', page, changes, rows);
      await context.close();
    }
  } finally {
    await browser.close();
    await changes?.end();
    await fleet.stop();
  }
  if (isSlow) process.exitCode = 1;
}

await main();
