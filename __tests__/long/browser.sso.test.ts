import type { BrowserContext, Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, PATIENCE } from '../../scripts/browser';
import {
  browser,
  chooseInSwitcher,
  eventually,
  fleet,
  makeApplicationsPage,
  manager,
  onStage,
  removePages,
} from '../support/browser';
import { signInAtMain, whoIsOn } from '../support/sso';

/** Sign-in to an app by the main app, as people see it, in both clients. */

const PASSWORD = 'of-a-visitor-1';
const APP = 'seen_sso';
const TITLE = 'Seen SSO';
const PAGE = 'sso_page';

onStage();

beforeAll(async () => {
  await manager.clear(APP);
  await manager.create({
    name: APP,
    title: TITLE,
    environments: ['env_a'],
    pinned: true,
    options: { sso: { enabled: true, autoSignup: true } },
  });
  const exists = await manager.api.get('users:list', { filter: { username: 'seen_bob' } });
  if (!exists.data.length)
    await manager.api.post('users:create', { username: 'seen_bob', nickname: 'Seen Bob', password: PASSWORD });
  await makeApplicationsPage(PAGE, APP);
});
afterAll(async () => {
  await removePages(PAGE);
  await manager.clear(APP);
});

describe.each(CLIENTS)('in the $client client', ({ base }) => {
  let context: BrowserContext;
  let page: Page;
  const url = (path: string) => `${fleet.supervisor.url}${base}${path.slice(1)}`;
  const whoIsThere = (at = page) => whoIsOn(at, APP);

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
    context.setDefaultTimeout(PATIENCE);
    page = await context.newPage();
  });
  afterAll(() => context?.close());

  it('who is signed out of the main app meets its sign-in, and comes back to the page that he asked for', async () => {
    await page.goto(url(`/apps/${APP}/admin/settings?asked=1`));
    await page.getByTestId('sign-in-aim').getByText(`Sign in to open ${TITLE}`).waitFor();
    await signInAtMain(page, 'seen_bob', PASSWORD);
    await eventually(() => whoIsThere()).toBe('seen_bob');
    expect(page.url()).toContain('/admin/settings?asked=1');
  });

  /** The browser has no session in the app. A page that still loads would bring its cookie back. */
  const forget = async () => {
    await page.waitForLoadState('networkidle');
    await context.clearCookies({ name: `nb_auth_token_${APP}` });
    await page.evaluate(() => {
      for (const key of Object.keys(localStorage)) if (key.includes('SEEN_SSO')) localStorage.removeItem(key);
      sessionStorage.clear();
    });
  };

  /**
   * Opens the app by its address, without a session. A page of the app that is open meanwhile could bring its cookie back, or ask for
   * a session itself, after which the next page of the tab does not.
   */
  const arrive = async () => {
    await page.waitForLoadState('networkidle');
    await page.goto(`${fleet.supervisor.url}/api/__ready`);
    await forget();
    await goTo(`/apps/${APP}/admin/`);
  };

  it('an address leads in without a password', async () => {
    await arrive();
    await eventually(() => whoIsThere()).toBe('seen_bob');
    await page.waitForLoadState('networkidle');
  });

  it('no session is in any address or Referer', async () => {
    const said: string[] = [];
    const listen = (request: Request) => void said.push(request.url(), request.headers().referer ?? '');
    context.on('request', listen);
    await arrive();
    await eventually(() => whoIsThere()).toBe('seen_bob');
    await page.waitForLoadState('networkidle');
    context.off('request', listen);
    const session = await page.evaluate((key) => localStorage.getItem(key), `NOCOBASE_${APP.toUpperCase()}_TOKEN`);
    expect(session).toMatch(/^eyJ/);
    expect(said.some((each) => each.includes('appSso:callback?code='))).toBe(true);
    // The code itself is in the one address that brings it, and in no Referer.
    expect(said.filter((each) => each.includes('token=') || each.includes(session!))).toEqual([]);
    expect(said.filter((each) => each.includes('code=')).length).toBe(1);
    expect(
      await page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('appSsoSession'))),
    ).toEqual([]);
  });

  /** Whoever clicks in the main app is signed in to the app, in a tab of its own. */
  const leadsIn = async (click: () => Promise<void>) => {
    await forget();
    const [opened] = await Promise.all([context.waitForEvent('page'), click()]);
    await eventually(() => whoIsThere(opened)).toBe('seen_bob');
    expect(new URL(opened.url()).pathname.startsWith(`${base}apps/`)).toBe(true);
    await opened.waitForLoadState('networkidle');
    await opened.close();
  };

  it('a click in the app switcher leads in', async () => {
    await goTo('/admin/');
    await leadsIn(() => chooseInSwitcher(page, [TITLE], TITLE));
  });

  it('a click in an Applications block leads in', async () => {
    await goTo(`/admin/${PAGE}`);
    await leadsIn(() => page.getByTestId(`entry-${APP}`).click());
  });

  it('a click on a portal of the app, which NocoBase lists, leads in', async () => {
    await goTo('/admin/');
    const routePath = await page.evaluate(async (app) => {
      const headers = { Authorization: `Bearer ${localStorage.getItem('NOCOBASE_TOKEN')}`, 'X-Authenticator': 'basic' };
      const { data } = await (await fetch('/api/app:getPortals', { headers })).json();
      return data.portals.find(({ appName }: { appName: string }) => appName === app).routePath as string;
    }, APP);
    // As a page of portals links to it: the open NocoBase has none.
    await page.evaluate(
      (href) => {
        const link = Object.assign(document.createElement('a'), { href, target: '_blank', textContent: 'The portal' });
        link.style.cssText = 'position:fixed;top:0;left:0;z-index:9999;background:#fff';
        document.body.append(link);
      },
      url(`/apps/${APP}${routePath}`),
    );
    await leadsIn(() => page.getByText('The portal', { exact: true }).click());
  });

  it('signing out of the app by mouse stays at its sign-in page, which offers to come back', async () => {
    await goTo(`/apps/${APP}/admin/`);
    await eventually(() => whoIsThere()).toBe('seen_bob');
    await page.getByTestId('user-center-button').hover();
    // The modern client has no menu there, but a panel of its own.
    await page.getByText('Sign out', { exact: true }).filter({ visible: true }).click();
    const isAtSignIn = () => new URL(page.url()).pathname.endsWith(`/apps/${APP}/signin`);
    await eventually(isAtSignIn).toBe(true);
    await page.getByTestId('sso-button').waitFor();
    await page.waitForLoadState('networkidle');
    expect(isAtSignIn()).toBe(true);
    await page.getByTestId('sso-button').click();
    await eventually(() => whoIsThere()).toBe('seen_bob');
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
    await eventually(() => whoIsThere()).toBe('seen_bob');
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
