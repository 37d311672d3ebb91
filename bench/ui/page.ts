import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import type { Change } from './fleet';

/** What is measured in the page, with its own clock. */

/** How long after the last change it may still be shown, in ms. */
const LATE = 5_000;

declare global {
  interface Window {
    /** In ms. */
    firstPicture?: number;
  }
}

/** Runs in the page as it loads. The rows of the first picture are there when there is one for each environment that it shows. */
export function watchFirstPicture(): void {
  const look = () => {
    const answer = performance.getEntriesByType('resource').find(({ name }) => name.includes('appFleet:summary')) as
      | PerformanceResourceTiming
      | undefined;
    if (answer && document.querySelector('[data-testid^="overview-env_"] [data-testid^="count-"]')) {
      // One more frame, because this one may have been drawn before it is on the screen.
      requestAnimationFrame((now) => {
        window.firstPicture = now - answer.responseEnd;
      });
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** From the end of the answer to the frame with the whole of the Overview, in ms. */
export async function firstPicture(page: Page): Promise<number> {
  await page.waitForFunction(() => window.firstPicture !== undefined, undefined, { timeout: 120_000 });
  return page.evaluate(() => window.firstPicture as number);
}

export interface Delays {
  /** From the report of each change until the page shows it, in ms. */
  delays: number[];
  missed: number;
  /** The longest time between two frames, in ms. */
  frame: number;
}

/** Watches the page while changes arrive: rows of apps, or the rows of their environments, which count apps by status. */
export async function watchedFor(page: Page, arrive: () => Promise<Change[]>): Promise<Delays> {
  const watching = await page.evaluateHandle(() => {
    const seen: Array<{ of: string; at: number }> = [];
    const note = (element: Element) => {
      const id = element.getAttribute('data-testid') ?? '';
      const [, app] = /^status-(bench\d+)-/.exec(id) ?? [];
      const [, environment] = /^overview-(.*)/.exec(id) ?? [];
      const status = element.getAttribute('data-status');
      const at = performance.timeOrigin + performance.now();
      if (app && status) seen.push({ of: `${app} ${status}`, at });
      else if (environment) seen.push({ of: environment, at });
    };
    const observer = new MutationObserver((mutations) => {
      for (const { type, target, addedNodes } of mutations) {
        if (type === 'attributes') note(target as Element);
        for (const added of addedNodes) {
          if (!(added instanceof Element)) continue;
          note(added);
          for (const within of added.querySelectorAll('[data-status]')) note(within);
        }
      }
    });
    observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ['data-status', 'data-apps'] });
    let last = performance.now();
    let frame = 0;
    let isOver = false;
    const look = (now: number) => {
      frame = Math.max(frame, now - last);
      last = now;
      if (!isOver) requestAnimationFrame(look);
    };
    requestAnimationFrame((now) => {
      last = now;
      look(now);
    });
    return {
      end() {
        isOver = true;
        observer.disconnect();
        return { seen, frame };
      },
    };
  });
  const changes = await arrive();
  await sleep(LATE);
  const { seen, frame } = await watching.evaluate((watch) => watch.end());
  const delays: number[] = [];
  let missed = 0;
  for (const [i, { app, environment, status, at }] of changes.entries()) {
    const shown = seen.find((each) => (each.of === `${app} ${status}` || each.of === environment) && each.at >= at);
    // A later change of it may have come before this one was drawn.
    const next = changes.slice(i + 1).find((each) => each.app === app);
    if (shown && (!next || shown.at <= next.at + LATE)) delays.push(shown.at - at);
    else missed++;
  }
  return { delays, missed, frame };
}
