import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ALL_STATES,
  CLIENTS,
  type Client,
  chooseTheme,
  enableLanguages,
  openContext,
  openSettings,
  visitStates,
  WIDTHS,
} from '../../scripts/browser';
import {
  CORE_PROGRESS,
  createSampleApps,
  DELETED_APPS,
  NOTIFIERS,
  SAMPLE,
  SAMPLE_APPS,
  SAMPLE_LABELS,
  SAMPLE_TITLES,
} from '../../scripts/browser/sample';
import { shortLabels } from '../../src/ui/common/shortLabels';
import { brightOn, brokenOn, cutOn, smallOn, violationsOn } from '../support/accessibility';
import { browser, fleet, manager, onStage } from '../support/browser';
import { englishOn, USERNAMES } from '../support/english';

/** Every state that `npm run screenshots` photographs, in both clients, in Chinese, in the compact and the dark theme, for a desk, a tablet and a phone. */

/** What Node.js and the browser say. */
const ERRORS = ['connect ECONNREFUSED', 'connect ETIMEDOUT', 'Cannot convert undefined or null to object'];

/** As they stand on a keyboard. */
const KEYS = ['Tab', 'Home', 'End', 'Enter', 'Space', 'Esc', 'Ctrl'];

/** What the pages show as it is in any language. */
const CHANNELS = NOTIFIERS.meta.channels.map(({ title }) => title);
const DATA: string[] = [
  ...SAMPLE_APPS,
  ...SAMPLE_TITLES,
  ...DELETED_APPS.flat(),
  ...SAMPLE_LABELS.flatMap((label) => [label, ...shortLabels([label])]),
  ...CHANNELS,
  CORE_PROGRESS,
  ...ERRORS,
  ...KEYS,
  ...USERNAMES,
];

onStage();

beforeAll(async () => {
  await enableLanguages(manager.api, 'en-US', 'zh-CN');
  await createSampleApps(manager.api);
});

afterAll(async () => {
  await chooseTheme(manager.api, 'default');
  await enableLanguages(manager.api, 'en-US');
  await manager.clear(...SAMPLE_APPS);
});

/** The width is a part of the title, so that `-t "legacy client is accessible, 390 px"` runs one of them. */
const EACH = CLIENTS.flatMap((client) => WIDTHS.map((width) => [client.client, width, { ...client, width }] as const));

/** Eighty states: a busy machine needs more than the time of other tests for them. */
const PATIENCE = 900_000;

it.each(EACH)(
  'every state of the %s client is accessible, %i px wide',
  async (_, __, client) => {
    // NocoBase's own default, and the one with the least room.
    await chooseTheme(manager.api, 'compact');
    await look(client, async (page) => [
      ...(await violationsOn(page)),
      ...(await cutOn(page)),
      ...(await smallOn(page)),
      ...(await brokenOn(page)),
    ]);
  },
  PATIENCE,
);

it.each(EACH)(
  'every state of the %s client is Chinese throughout, dark and in contrast, %i px wide',
  async (_, __, client) => {
    await chooseTheme(manager.api, 'dark');
    // The rest of what axe looks for is the same in any theme.
    const contrast = (page: Page) => violationsOn(page, 'color-contrast');
    await look(client, async (page) => [
      ...(await contrast(page)),
      ...(await englishOn(page, DATA)),
      ...(await brightOn(page)),
    ]);
  },
  PATIENCE,
);

async function look(client: Client & { width: number }, problemsOn: (page: Page) => Promise<string[]>): Promise<void> {
  const context = await openContext(browser, manager.api);
  try {
    const page = await context.newPage();
    await page.setViewportSize({ width: client.width, height: 900 });
    await openSettings(page, fleet.supervisor.url, client, 'zh-CN');
    const problems: string[] = [];
    await visitStates(page, ALL_STATES, SAMPLE, async (name) => {
      problems.push(...(await problemsOn(page)).map((problem) => `${name}: ${problem}`));
    });
    expect(problems).toEqual([]);
  } finally {
    await context.close();
  }
}
