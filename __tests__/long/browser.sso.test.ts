import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS } from '../../scripts/browser';
import { browser, eventually, fleet, manager, onStage } from '../support/browser';

/** Sign-in to an app by the main app, as people see it, in both clients. */

const PASSWORD = 'of-a-visitor-1';
const APP = 'seen_sso';

onStage();

beforeAll(async () => {
  await manager.clear(APP);
  await manager.create({
    name: APP,
    title: 'Seen SSO',
    environments: ['env_a'],
    pinned: true,
    options: { sso: { enabled: true, autoSignup: true } },
  });
  const exists = await manager.api.get('users:list', { filter: { username: 'seen_bob' } });
  if (!exists.data.length)
    await manager.api.post('users:create', { username: 'seen_bob', nickname: 'Seen Bob', password: PASSWORD });
});
afterAll(() => manager.clear(APP));

describe.each(CLIENTS)('in the $client client', ({ base }) => {
  let context: BrowserContext;
  let page: Page;
  const url = (path: string) => `${fleet.supervisor.url}${base}${path.slice(1)}`;
  /** Whether the page is that of the app, for a user who is signed in there. */
  const whoIsThere = async () => {
    if (!new URL(page.url()).pathname.includes(`/apps/${APP}/admin`)) return page.url();
    const token = await page.evaluate((app) => {
      const key = Object.keys(localStorage).find((each) => each === `NOCOBASE_${app.toUpperCase()}_TOKEN`);
      return key ? localStorage.getItem(key) : null;
    }, APP);
    if (!token) return 'no token';
    const answer = await fetch(`${fleet.supervisor.url}/api/__app/${APP}/auth:check`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    return answer.ok ? (await answer.json()).data.username : `${answer.status}`;
  };

  /** A page that has just arrived may still be on its way to another one. */
  const goTo = (path: string) =>
    eventually(() =>
      page.goto(url(path)).then(
        () => 'there',
        (error: Error) => error.message,
      ),
    ).toBe('there');

  beforeAll(async () => {
    context = await browser.newContext({ locale: 'en-US' });
    page = await context.newPage();
  });
  afterAll(() => context?.close());

  it('who is signed out of the main app meets its sign-in, and comes back to the page that he asked for', async () => {
    await page.goto(url(`/apps/${APP}/admin/settings?asked=1`));
    await page.waitForURL((at) => at.pathname.endsWith('/signin') && !at.pathname.includes('/apps/'));
    await page.locator('input').first().fill('seen_bob');
    await page.locator('input[type=password]').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await eventually(whoIsThere).toBe('seen_bob');
    expect(page.url()).toContain('/admin/settings');
    expect(page.url()).not.toContain('token=');
  });

  it('an address, and a link in the main app, lead in without a password', async () => {
    await context.clearCookies({ name: `nb_auth_token_${APP}` });
    await page.evaluate(() => {
      for (const key of Object.keys(localStorage)) if (key.includes('SEEN_SSO')) localStorage.removeItem(key);
    });
    await goTo(`/apps/${APP}/admin/`);
    await eventually(whoIsThere).toBe('seen_bob');
    await page.waitForLoadState('networkidle');
  });

  it('signing out of the app ends that session; its sign-in page has a button for the main app', async () => {
    await page.evaluate(async (app) => {
      const token = localStorage.getItem(`NOCOBASE_${app.toUpperCase()}_TOKEN`);
      await fetch(`/api/__app/${app}/auth:signOut`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'X-Authenticator': 'app-sso' },
      });
      localStorage.removeItem(`NOCOBASE_${app.toUpperCase()}_TOKEN`);
    }, APP);
    await goTo(`/apps/${APP}/signin?redirect=${base}apps/${APP}/admin/`);
    await page.getByTestId('sso-button').click();
    await eventually(whoIsThere).toBe('seen_bob');
  });

  it('signing out of the main app leads an open page of the app to the sign-in of the main app', async () => {
    const main = await context.newPage();
    await main.goto(url('/admin/'));
    await main.evaluate(async () => {
      const headers = { Authorization: `Bearer ${localStorage.getItem('NOCOBASE_TOKEN')}`, 'X-Authenticator': 'basic' };
      await fetch('/api/auth:signOut', { method: 'POST', headers });
      localStorage.removeItem('NOCOBASE_TOKEN');
    });
    await main.close();
    await eventually(async () => {
      const answer = await page.evaluate(async (app) => {
        const token = localStorage.getItem(`NOCOBASE_${app.toUpperCase()}_TOKEN`);
        return (await fetch(`/api/__app/${app}/auth:check`, { headers: { Authorization: `Bearer ${token}` } })).status;
      }, APP);
      return answer;
    }, 10_000).toBe(401);
    // A session that ended a moment ago is not asked for again at once, so that nobody is sent to and fro.
    await page.evaluate(() => sessionStorage.clear());
    await goTo(`/apps/${APP}/admin/`);
    await page.waitForURL((at) => at.pathname.endsWith('/signin') && !at.pathname.includes('/apps/'));
  });
});
