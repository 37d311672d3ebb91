import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext } from '../../scripts/browser';
import { waitFor } from '../../scripts/fleet';
import type { EventRow } from '../../src/shared/event';
import { violationsOn } from '../support/accessibility';
import { browser, choiceIn, eventually, fleet, manager, onStage } from '../support/browser';

/** The page "Activity", with what really happened. */

/** An app whose database does not answer, so that it fails without an installation. */
const BROKEN = {
  name: 'broken',
  title: 'Broken',
  environments: ['env_b'],
  options: {
    dbConnType: 'new_connection',
    database: { dialect: 'postgres', host: '127.0.0.1', port: 1, username: 'u', password: 'hush-hush', database: 'b' },
  },
};

onStage();

beforeAll(async () => {
  const { operation } = await manager.begin('adopt', BROKEN);
  await waitFor(async () => (await manager.operation(operation!.id)).state === 'failed', {
    timeout: 120_000,
    interval: 500,
    what: 'The failure of an app whose database is nowhere',
  });
  await manager.api.post('apps:update?filterByTk=broken', { title: '=Broken', pinned: true });
  for (const action of ['cordon', 'uncordon']) await manager.api.post(`appEnvironments:${action}?filterByTk=env_a`);
});

afterAll(() => manager.clear(BROKEN.name));

const eventsOf = async (filter: object): Promise<EventRow[]> =>
  (await manager.api.get('appEvents:list', { filter: JSON.stringify(filter) })).data;

it('what people did is recorded with who did it, and settings before and after, without secrets', async () => {
  const events = await eventsOf({ appName: 'broken' });
  expect(events.map(({ kind, message }) => [kind, message.code])).toEqual(
    expect.arrayContaining([
      ['change', 'OPERATION_REQUESTED'],
      ['change', 'SETTINGS_CHANGED'],
      ['failure', 'OPERATION_FAILED'],
    ]),
  );
  const changed = events.find(({ message }) => message.code === 'SETTINGS_CHANGED')!;
  expect(changed.changes).toEqual([
    { field: 'title', before: 'Broken', after: '=Broken' },
    { field: 'pinned', before: 'false', after: 'true' },
  ]);
  expect(changed.createdBy).not.toBeNull();
  expect(changed.operation).toMatchObject({ appName: 'broken', action: 'update' });
  expect(JSON.stringify(events)).not.toContain('hush-hush');
  expect((await eventsOf({ environment: 'env_a' })).map(({ message }) => message.code).slice(0, 2)).toEqual([
    'CORDON_LIFTED',
    'CORDON_SET',
  ]);
});

describe.each(CLIENTS)('in the $client client', ({ base }) => {
  let page: Page;
  const rows = () => page.locator('[data-testid="events"] > li');
  const kinds = async () => [...new Set(await rows().evaluateAll((all) => all.map((row) => row.dataset.kind)))];
  const open = async (address = '') => {
    await page.goto(`${fleet.supervisor.url}${base}admin/settings/app-supervisor/activity${address}`);
    await page.getByTestId('activity-export').waitFor();
  };

  beforeAll(async () => {
    page = await (await openContext(browser, manager.api)).newPage();
  });
  afterAll(() => page?.context().close());

  it('filters are in the address, and an address has its filters', async () => {
    await open();
    await choiceIn(page, '.ant-select:has([aria-label="Find by kind"])', 'Failure');
    await eventually(() => new URL(page.url()).search).toBe('?kind=failure');
    await eventually(kinds).toEqual(['failure']);
    await open('?app=broken&kind=change&last=24h');
    await eventually(kinds).toEqual(['change']);
    await page.getByText('Broken → =Broken').waitFor();
    await open('?app=nosuch');
    await page.getByRole('button', { name: 'Show everything' }).click();
    await eventually(() => rows().count()).toBeGreaterThan(2);
  });

  it('shows what happens while it is open', async () => {
    await open('?environment=env_a');
    const before = await rows().count();
    await manager.api.post('appEnvironments:cordon?filterByTk=env_a');
    await eventually(() => rows().count()).toBe(before + 1);
    await manager.api.post('appEnvironments:uncordon?filterByTk=env_a');
  });

  it('leads to the app and to its operation', async () => {
    await open('?app=broken&kind=change');
    await page.getByRole('link', { name: /^Change: / }).click();
    const shown = page.getByTestId('app-page-broken');
    await shown.locator('[data-testid^="operation-"]').first().waitFor();
    expect(new URL(page.url()).search).toBe('?app=broken&tab=operations');
    await shown.getByRole('tab', { name: 'Activity' }).click();
    await shown.locator('[data-testid="events"] > li').first().waitFor();
  });

  it('exports what is filtered, and no formula in it', async () => {
    await open('?app=broken');
    await page.getByTestId('activity-export').click();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('As CSV, for spreadsheets').click(),
    ]);
    expect(file.suggestedFilename()).toBe('activity.csv');
    const text = await readFile(await file.path(), 'utf8');
    expect(text).toContain('title: Broken → =Broken');
    expect(text).not.toMatch(/(^|,)"?[=+@]/m);
  });

  it.each([390, 1024, 1440])('fits a window of %i px, and axe finds nothing serious', async (width) => {
    await page.setViewportSize({ width, height: 900 });
    await open();
    await rows().first().waitFor();
    const wider = await page
      .locator('.ant-card')
      .first()
      .evaluate((card) => {
        if (card.scrollWidth <= card.clientWidth) return [];
        const { right } = card.getBoundingClientRect();
        const over = [...card.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > right);
        return over.map((one) => `${one.tagName} ${one.className} ${one.textContent?.slice(0, 40)}`);
      });
    expect(wider).toEqual([]);
    expect(await violationsOn(page)).toEqual([]);
  });
});
