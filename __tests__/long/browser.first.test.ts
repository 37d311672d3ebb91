import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS } from '../../scripts/browser';
import { ADMIN } from '../../scripts/fleet';
import { browser, fleet, manager, onStage } from '../support/browser';
import { effortIn } from '../support/effort';
import { ask } from '../support/http';

/** The first minute: from the sign-in to the Supervisor to the inside of an app, as somebody does it who knows nothing. */

const INSTALLATION = 240_000;

onStage();

describe.each(CLIENTS)('in the $client client', ({ client, base }) => {
  const title = `First ${client}`;
  const name = `first-${client}`;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    await manager.clear(name);
    context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
    context.setDefaultTimeout(90_000);
    page = await context.newPage();
  });

  afterAll(async () => {
    await context?.close();
    await manager.clear(name);
  });

  it('takes at most 6 clicks and 1 field, and ends inside the app', { timeout: 2 * INSTALLATION }, async () => {
    await page.goto(`${fleet.supervisor.url}${base}signin`);
    await page.locator('input[type="password"]').waitFor();
    await page.locator('input').first().fill(ADMIN.email);
    await page.locator('input[type="password"]').fill(ADMIN.password);
    const effort = await effortIn(context);
    await page.locator('input[type="password"]').press('Enter');
    // The main app has no pages: its first page leads here.
    await page.getByTestId('overview').waitFor();
    const first = page.getByRole('button', { name: 'Add the first app' });
    if (await first.isVisible()) await first.click();
    else {
      await page.getByRole('tab', { name: 'Apps', exact: true }).click();
      await page.getByTestId('add-app').click();
    }
    await page.locator('#title:focus').waitFor();
    await page.keyboard.type(title);
    await expect.poll(() => page.locator('#name').inputValue(), { timeout: 30_000 }).toBe(name);
    expect(await page.locator('.ant-select:has(#environments)').textContent()).toMatch(
      /^\s*Best place \(env_[ab]\)\s*$/,
    );
    await page.getByTestId('app-form-submit').click();
    await page.getByTestId('open-when-ready').click();
    await page.getByTestId('installing').first().waitFor({ timeout: INSTALLATION });
    await page.waitForURL(`${fleet.supervisor.url}${base}apps/${name}/admin/**`, { timeout: INSTALLATION });
    // Its own title, and nobody asks for a password.
    await page.locator('.ant-layout-header, header').getByText(title).first().waitFor();
    expect(page.url()).not.toContain('signin');
    expect(effort.clicks).toBeGreaterThan(1);
    expect(effort.clicks).toBeLessThanOrEqual(6);
    expect([...effort.fields]).toEqual(['title']);
  });

  it('lets nobody in a second time by the same way, or anybody else', async () => {
    const start = `${base}apps/${name}/admin/`;
    await context.clearCookies({ name: `nb_auth_token_${name}` });
    const query = new URLSearchParams({ first: '1', redirect: start });
    const answer = await page.goto(`${fleet.supervisor.url}/api/__app/${name}/appSso:start?${query}`);
    expect(answer?.status()).toBe(403);
    // Without a session in the main app its sign-in is asked for.
    const { status, headers } = await ask(fleet.supervisor.url, `/api/appSso:authorize?app=${name}&state=abcd&first=1`);
    expect([status, headers]).not.toEqual([200, expect.anything()]);
  });
});
