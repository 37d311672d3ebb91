import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { CLIENTS, launchBrowser, openContext, openSettings } from '../scripts/browser';
import { Fleet, query } from '../scripts/fleet';
import { terminalProgress } from '../scripts/fleet/progress';

/**
 * `npm run bench:ui`: the list of 1,000 apps in Chromium, in both clients. For each change of page and filter it
 * measures the time from the answer until the new rows show, and the longest frame meanwhile. With `-- --fleet NAME` on
 * a running fleet.
 */

const APPS = 1_000;
const ROUNDS = 5;
const WITHIN = 300;
const LONGEST_FRAME = 100;

interface Measured {
  /** From the end of the answer to the frame with the new rows, in ms. */
  shown: number;
  /** The longest time between two frames, in ms. */
  frame: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { fleet: { type: 'string' } } });
  const fleet = values.fleet
    ? Fleet.attach(values.fleet)
    : await Fleet.start(
        { name: 'bench-ui', port: 'free', workers: 1, reset: true, durable: false },
        terminalProgress(),
      );
  const browser = await launchBrowser();
  let isSlow = false;
  try {
    await addApps(fleet);
    const api = await fleet.supervisor.signIn();
    for (const client of CLIENTS) {
      const page = await (await openContext(browser, api)).newPage();
      await page.emulateMedia({ reducedMotion: 'no-preference' });
      await openSettings(page, api.url, client);
      // tsx calls this helper of its bundler in every named function, also in those that run in the page.
      await page.evaluate('globalThis.__name = (value) => value');
      await page.locator('[data-testid^="app-row-bench"]').first().waitFor();
      for (const [what, rounds] of [
        ['page change', pages],
        ['filter', filters],
      ] as const) {
        const measured = await rounds(page);
        const shown = measured.map((each) => each.shown);
        const frames = measured.map((each) => each.frame);
        isSlow ||= Math.max(...shown) > WITHIN || Math.max(...frames) > LONGEST_FRAME;
        console.log(
          `${client.client} ${what}: shown ${spread(shown)} ms after the answer (at most ${WITHIN}), longest frame ${spread(frames)} ms (at most ${LONGEST_FRAME})`,
        );
      }
      await page.context().close();
    }
  } finally {
    await browser.close();
    if (values.fleet) await removeApps(fleet);
    else await fleet.stop();
  }
  if (isSlow) process.exitCode = 1;
}

/** Stopped apps without environments: only their display counts. */
async function addApps(fleet: Fleet): Promise<void> {
  await removeApps(fleet);
  await query(
    fleet.postgresServer,
    fleet.supervisor.database,
    `INSERT INTO apps (name, uid, title, pinned, hidden, sort, environments, "targetEnvironment", desired, "startMode",
       "autoUpgrade", database, generation, boot, published, "jwtSecret", "createdAt", "updatedAt")
     SELECT 'bench' || i, 'bench' || i, 'App number ' || i, false, false, i, '["env_a"]', 'env_a', 'stopped', 'onVisit',
       true, '{"dbConnType":"new_database"}', 1, '{"generation":0,"how":"start"}', '{}', gen_random_uuid()::text, now(), now()
     FROM generate_series(1, ${APPS}) i`,
  );
  // The leader reads them with its next round at the latest.
  const api = await fleet.supervisor.signIn();
  const known = async () => (await api.get('apps:list', { pageSize: 1 })).meta?.count ?? 0;
  for (const end = Date.now() + 60_000; (await known()) < APPS && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const removeApps = (fleet: Fleet) =>
  query(fleet.postgresServer, fleet.supervisor.database, `DELETE FROM apps WHERE name ~ '^bench[0-9]+$'`);

async function pages(page: Page): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    measured.push(await measure(page, () => page.locator('.ant-pagination-next button').click()));
  }
  return measured;
}

async function filters(page: Page): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Different filters, so that each shows other rows.
    measured.push(await measure(page, () => page.getByTestId('filter-text').fill(`number ${round + 2}`)));
  }
  return measured;
}

/** Measured in the page with its own clock: the network log of the browser, and its frames. */
async function measure(page: Page, act: () => Promise<void>): Promise<Measured> {
  const watching = await page.evaluateHandle(() => {
    const first = () => document.querySelector('[data-testid^="app-row-"]')?.getAttribute('data-testid');
    const before = first();
    const since = performance.now();
    const isAnswer = (entry: PerformanceEntry) => entry.name.includes('apps:list') && entry.startTime >= since;
    let last = performance.now();
    let frame = 0;
    return {
      done: new Promise<{ shown: number; frame: number }>((resolve) => {
        const look = (now: number) => {
          frame = Math.max(frame, now - last);
          last = now;
          const answer = performance.getEntriesByType('resource').find(isAnswer) as
            | PerformanceResourceTiming
            | undefined;
          if (answer && first() !== before) {
            // One more frame, because this one may have been drawn before it is on the screen.
            requestAnimationFrame((after) =>
              resolve({ shown: now - answer.responseEnd, frame: Math.max(frame, after - now) }),
            );
          } else requestAnimationFrame(look);
        };
        requestAnimationFrame((now) => {
          last = now;
          look(now);
        });
      }),
    };
  });
  await act();
  return watching.evaluate(({ done }) => done);
}

function spread(values: number[]): string {
  const sorted = [...values].map(Math.round).sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} (${sorted.at(-1)})`;
}

await main();
