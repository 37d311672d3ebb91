import type { Page } from 'playwright-core';

/** The list of apps: other pages and filters of it. */

const ROUNDS = 5;

interface Measured {
  /** From the end of the answer to the frame with the new rows, in ms. */
  shown: number;
  /** The longest time between two frames, in ms. */
  frame: number;
}

export async function pages(page: Page): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    measured.push(await measure(page, () => page.locator('.ant-pagination-next button').click()));
  }
  return measured;
}

export async function filters(page: Page): Promise<Measured[]> {
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
    // The browser keeps no more than 250 entries.
    performance.clearResourceTimings();
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
