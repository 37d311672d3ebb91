import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext, openSettings } from '../../scripts/browser';
import { waitFor } from '../../scripts/fleet';
import { browser, eventually, fleet, manager, onStage, shows } from '../support/browser';

/** The page of one app: what is wrong with it and what to do, what was done with it, what it writes, what it is. */

const NOWHERE = { dialect: 'postgres', host: '127.0.0.1', port: 1, username: 'x', password: 'x', database: 'x' };

onStage();

beforeAll(async () => {
  const failing = { dbConnType: 'new_connection', database: NOWHERE };
  const [, { operation }] = await Promise.all([
    manager.create({ name: 'paged', title: 'Paged', environments: ['env_a', 'env_b'] }),
    manager.begin('adopt', { name: 'failing', title: 'Failing', environments: ['env_b'], options: failing }),
  ]);
  await waitFor(async () => (await manager.operation(operation!.id)).state === 'failed', {
    timeout: 120_000,
    interval: 500,
    what: 'The failure of an app whose database is nowhere',
  });
});

afterAll(() => manager.clear('paged', 'failing'));

describe.each(CLIENTS)('in the $client client', (client) => {
  let page: Page;
  const operations = (state: string) => page.locator(`[data-testid^="operation-"][data-state="${state}"]`);

  beforeAll(async () => {
    page = await (await openContext(browser, manager.api)).newPage();
    await openSettings(page, fleet.supervisor.url, client);
  });

  afterAll(() => page?.context().close());

  it('a failed operation has its cause, its remedy and Retry', async () => {
    await page.getByTestId('app-open-failing').click();
    const shown = page.getByTestId('app-page-failing');
    await shown.locator('[data-testid="status-failing-env_b"][data-status=error]').waitFor();
    const card = shown.getByTestId('environment-card-env_b');
    await shows(card.getByRole('button'), ['Edit the connection', 'Retry']);
    const failed = operations('failed').first();
    await failed.getByText('by you').waitFor();
    const [said] = await failed.locator('.ant-alert').allInnerTexts();
    expect(said).toMatch(/^The database server 127\.0\.0\.1:1 did not answer: .+\. .+/);
    const before = await operations('failed').count();
    await failed.getByRole('button', { name: 'Retry' }).click();
    await eventually(() => operations('failed').count()).toBe(before + 1);
    // An older one would undo what came after it.
    await shows(shown.locator('[data-testid^="operation-"]').getByRole('button', { name: 'Retry' }), ['Retry']);
    await page.getByTestId('back-to-apps').click();
    await shown.waitFor({ state: 'detached' });
  });

  it('its password is asked for where its connection leads elsewhere, and only there', async () => {
    await page.getByTestId('app-open-failing').click();
    await page.getByTestId('environment-card-env_b').getByTestId('remedy-connection').click();
    const form = page.getByRole('dialog', { name: 'Edit "Failing"' });
    const [host, password] = [form.getByLabel('Host'), form.locator('#options_database_password')];
    const mark = form.locator('label.ant-form-item-required[for=options_database_password]');
    const problem = form.locator('.ant-form-item:has(#options_database_password) .ant-form-item-explain-error');
    const requests: unknown[] = [];
    await page.route('**/api/apps:update*', async (route) => {
      requests.push(route.request().postDataJSON().options.database);
      await route.fulfill({ json: { data: {} } });
    });
    await eventually(() => password.getAttribute('placeholder')).toBe('Unchanged when empty');
    await host.fill('localhost');
    await mark.waitFor();
    await form.getByText('The stored password is used only for the host').waitFor();
    await form.getByTestId('app-form-submit').click();
    await shows(problem, ['Required']);
    await host.fill(NOWHERE.host);
    await mark.waitFor({ state: 'detached' });
    await shows(problem, []);
    await host.fill('localhost');
    await password.fill('y');
    await form.getByTestId('app-form-submit').click();
    await form.waitFor({ state: 'hidden' });
    const { port, username } = NOWHERE;
    expect(requests).toEqual([{ host: 'localhost', port, username, password: 'y' }]);
    await page.unrouteAll();
    // "Saved" may lie above the button, and stays while the pointer is over it.
    await page.mouse.move(1, 1);
    await page.locator('.ant-message-notice').waitFor({ state: 'detached' });
    await page.getByTestId('back-to-apps').click();
    await page.getByTestId('app-page-failing').waitFor({ state: 'detached' });
  });

  it('an app that starts is followed live: who, what, each step with its time, the messages as they come', async () => {
    await page.getByTestId('app-open-paged').click();
    await page.getByTestId('app-page-paged').waitFor();
    const messages = await page.evaluateHandle(() => {
      const seen = new Set<string>();
      const look = () => {
        for (const { textContent } of document.querySelectorAll('[data-testid^="progress-"]')) {
          if (textContent) seen.add(textContent);
        }
      };
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
      return seen;
    });
    await operations('succeeded').first().waitFor();
    const before = await operations('succeeded').count();
    await manager.command('restart', 'paged');
    await eventually(() => operations('succeeded').count()).toBe(before + 1);
    const [newest] = await operations('succeeded').allInnerTexts();
    expect(newest.replace(/\s+/g, ' ')).toMatch(
      /^Restart Succeeded .+ · by you · [\d.]+ s env_a Succeeded · [\d.]+ s env_b Succeeded · [\d.]+ s/,
    );
    expect(await messages.evaluate((seen) => seen.size)).toBeGreaterThan(0);
  });

  it('has the last lines of its log in each environment, and its settings', async () => {
    const shown = page.getByTestId('app-page-paged');
    await shown.getByRole('tab', { name: 'Log' }).click();
    for (const environment of ['env_b', 'env_a']) {
      await shown.locator('label', { hasText: environment }).filter({ visible: true }).last().click();
      await eventually(async () => (await page.getByTestId('app-log').allInnerTexts()).join()).toContain(
        'app has been started',
      );
    }
    await shown.getByText('Follow', { exact: true }).click();
    await eventually(() => shown.getByTestId('log-follow').getAttribute('aria-checked')).toBe('false');
    await shown.getByRole('tab', { name: 'Settings' }).click();
    await shown.locator('.ant-descriptions').waitFor();
    const settings = (await shown.locator('.ant-descriptions').allInnerTexts()).join().replace(/\s+/g, ' ');
    for (const told of ['Identifier paged', 'Environments env_a env_b', 'Start mode Start on first visit']) {
      expect(settings).toContain(told);
    }
    // What is seen is in the address, which can be given to somebody else.
    const { searchParams } = new URL(page.url());
    expect([searchParams.get('app'), searchParams.get('tab')]).toEqual(['paged', 'settings']);
    await page.reload();
    await shown.locator('.ant-descriptions').waitFor();
    await page.goBack();
    await page.getByTestId('app-row-paged').waitFor();
  });
});
