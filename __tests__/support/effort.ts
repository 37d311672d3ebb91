import type { BrowserContext } from 'playwright-core';

/** What a person does in a browser: clicks, and fields that something was entered in. */
export interface Effort {
  clicks: number;
  fields: Set<string>;
}

function watch(): void {
  const { countEffort } = window as unknown as { countEffort(kind: string, what: string): void };
  const count = (kind: string) => (event: Event) => {
    if (event.isTrusted) countEffort(kind, (event.target as HTMLElement).id);
  };
  addEventListener('click', count('click'), true);
  addEventListener('input', count('field'), true);
}

/** Counts it, on all pages of a context from now on. */
export async function effortIn(context: BrowserContext): Promise<Effort> {
  const effort: Effort = { clicks: 0, fields: new Set() };
  await context.exposeFunction('countEffort', (kind: 'click' | 'field', what: string) => {
    if (kind === 'click') effort.clicks += 1;
    else effort.fields.add(what);
  });
  await context.addInitScript(watch);
  // Of what is open now, too: a page may never be loaded anew.
  for (const page of context.pages()) await page.evaluate(watch);
  return effort;
}
