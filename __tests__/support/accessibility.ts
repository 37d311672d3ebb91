import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Page } from 'playwright-core';

/** Accessibility and theme of our pages. */

/** What can contain a page of ours, each above those before it. */
const OURS = ['.ant-card', '.ant-dropdown', '.ant-drawer', '.ant-modal-wrap'];

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds serious in the uppermost of what is ours; by these of its rules, or by all. */
export async function violationsOn(page: Page, ...rules: string[]): Promise<string[]> {
  await page.mouse.move(0, 0);
  // What fades in has less contrast than it will have.
  await page.waitForFunction(() =>
    document.getAnimations().every(({ playState, effect }) => {
      return playState !== 'running' || effect?.getComputedTiming().endTime === Infinity;
    }),
  );
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const find = async ([selectors, only]: string[][]) => {
    const shown = selectors
      .map((selector) => [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility()))
      .findLast((elements) => elements.length > 0);
    if (!shown) throw new Error('Nothing of ours is shown.');
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(shown, {
      resultTypes: ['violations'],
      ...(only.length > 0 && { runOnly: { type: 'rule', values: only } }),
    });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html }) => html) }));
  };
  const found = await page.evaluate(find, [OURS, rules]);
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id} in ${nodes.slice(0, 3).join(' ')}`);
}

/** Cards, drawers and dialogs of ours with a bright ground. */
export function brightOn(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.ant-card, .ant-drawer-content, .ant-modal-content')].flatMap((element) => {
      const ground = getComputedStyle(element).backgroundColor;
      const [red, green, blue] = ground.match(/\d+/g)!.map(Number);
      return red + green + blue > 200 ? [`${element.className} is ${ground}`] : [];
    }),
  );
}

/** A page that scrolls sideways, what stands beyond its edge, and texts that are cut with no title that has them whole. */
export function cutOn(page: Page): Promise<string[]> {
  return page.evaluate((places) => {
    const width = document.documentElement.clientWidth;
    const name = (element: Element) => `${element.outerHTML.slice(0, 160)}…`;
    const scrolls = (element: Element) =>
      /auto|scroll/.test(getComputedStyle(element).overflowX) && element.scrollWidth > element.clientWidth + 1;
    // The header of a table scrolls with its body.
    const movesAlong = (element: Element) => element.matches('.ant-table-header');
    const above = (element: Element): Element[] =>
      element.parentElement ? [element.parentElement, ...above(element.parentElement)] : [];
    const isOurs = (element: Element) => element.closest(places.join()) !== null;
    const ours = [...document.querySelectorAll(places.map((place) => `${place}, ${place} *`).join())].filter(
      (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
    );
    const pages = new Set(ours.flatMap(above).filter((element) => !isOurs(element)));
    const beyond = ours.filter((element) => {
      const { right, left, top, bottom, width: wide } = element.getBoundingClientRect();
      if (element.matches('.ant-dropdown') && (top < -1 || bottom > window.innerHeight + 1)) return true;
      return (
        wide > 0 &&
        (right > width + 1 || left < -1) &&
        !above(element).some((each) => isOurs(each) && (scrolls(each) || movesAlong(each)))
      );
    });
    const cut = ours.filter((element) => {
      const { overflowX, textOverflow } = getComputedStyle(element);
      const hides = textOverflow === 'ellipsis' || overflowX === 'hidden' || overflowX === 'clip';
      const hasText = [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
      );
      return hides && hasText && element.scrollWidth > element.clientWidth + 1 && !element.closest('[title]');
    });
    return [
      ...[...pages].filter(scrolls).map((element) => `scrolls sideways: ${name(element)}`),
      ...beyond.slice(0, 3).map((element) => `beyond the edge: ${name(element)}`),
      ...cut.slice(0, 3).map((element) => `cut: ${name(element)}`),
    ];
  }, OURS);
}

/** Values of plots that go on in another line within a word, as Chinese does where nothing keeps it from that. */
export function brokenOn(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="plot-value"]')].flatMap((value) => {
      const [text] = value.childNodes;
      return [...(text?.textContent ?? '').matchAll(/\S+/g)].flatMap(({ 0: word, index }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
        return lines.size > 1 ? [`broken: ${word}`] : [];
      });
    }),
  );
}

/** The least height and width of what is pressed (WCAG 2.2, 2.5.8), in px. */
const TARGET = 24;

/** What is pressed and is too small for a finger, but for links within a text, and moments in a picture of a time. */
export function smallOn(page: Page): Promise<string[]> {
  return page.evaluate(
    ([places, least]) => {
      const PRESSED =
        'a[href], button, input, select, textarea, summary, [role="button"], [role="tab"], [role="menuitem"], [role="option"], [role="switch"], [tabindex="0"]';
      // What is pressed for it: its label, or the box that a library draws in its place.
      const AROUND =
        'label, .ant-checkbox-wrapper, .ant-tabs-tab, .ant-dropdown-menu-item, .ant-select, .ant-picker, .ant-input-affix-wrapper, .ant-input-number';
      const isInText = (element: Element) =>
        element.matches('a, button') &&
        getComputedStyle(element).display.startsWith('inline') &&
        [...(element.parentElement?.childNodes ?? [])].some(
          (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim(),
        );
      const ours = [
        ...document.querySelectorAll(
          places
            .map((place) =>
              PRESSED.split(', ')
                .map((each) => `${place} ${each}`)
                .join(),
            )
            .join(),
        ),
      ];
      const targets = ours.map((element) => element.closest(AROUND) ?? element);
      return [...new Set(targets)]
        .filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
        .filter((element) => !isInText(element) && !element.closest('[data-testid^="heat-"], [data-testid="timeline"]'))
        .flatMap((element) => {
          const { width, height } = element.getBoundingClientRect();
          if (width === 0 || height === 0 || (width >= least - 0.5 && height >= least - 0.5)) return [];
          return [`${Math.round(width)}×${Math.round(height)}: ${element.outerHTML.slice(0, 160)}`];
        })
        .slice(0, 5);
    },
    [OURS, TARGET] as const,
  );
}
