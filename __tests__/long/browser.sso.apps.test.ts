import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, PATIENCE } from '../../scripts/browser';
import { browser, chooseInSwitcher, eventually, fleet, manager, onStage, photograph } from '../support/browser';
import { ask } from '../support/http';
import { signInTo } from '../support/manager';
import { signInAtMain, whoIsOn } from '../support/sso';

/**
 * Two users and three apps, by mouse: one in two environments and one in one, each at its own host below the domain of all apps,
 * and one at a custom domain.
 */

const PASSWORD = 'of-a-visitor-1';
const [BOB, EVE] = ['trio_bob', 'trio_eve'];
const BELOW = 'apps.localhost';
const DOMAIN = 'trio-shop.localhost';
const APPS = {
  trio_desk: { title: 'Trio desk', environments: ['env_a', 'env_b'], host: `trio-desk.${BELOW}` },
  trio_shop: { title: 'Trio shop', environments: ['env_b'], host: DOMAIN, cname: DOMAIN },
  trio_yard: { title: 'Trio yard', environments: ['env_a'], host: `trio-yard.${BELOW}` },
};
type Name = keyof typeof APPS;
const NAMES = Object.keys(APPS) as Name[];
const TITLES = NAMES.map((name) => APPS[name].title);

onStage();
let main: string;
const originOf = (name: Name) => `http://${APPS[name].host}:${fleet.supervisor.port}`;

beforeAll(async () => {
  const { supervisor } = fleet;
  main = supervisor.url;
  await supervisor.restartWith({ APP_SUPERVISOR_PUBLIC_URL: main, APP_SUPERVISOR_APPS_DOMAIN: BELOW });
  await fleet.waitForWorkers();
  await manager.clear(...NAMES);
  await Promise.all(
    NAMES.map((name) => {
      const { host, ...app } = APPS[name];
      return manager.create({ name, ...app, pinned: true, options: { sso: { enabled: true, autoSignup: true } } });
    }),
  );
  await manager.untilApp('trio_shop', ({ domainCheck }) => domainCheck?.state === 'verified', {
    what: 'to have its domain',
  });
  for (const username of [BOB, EVE]) {
    const { data } = await manager.api.get('users:list', { filter: { username } });
    if (!data.length) await manager.api.post('users:create', { username, nickname: username, password: PASSWORD });
  }
});
afterAll(async () => {
  await manager.clear(...NAMES);
  await fleet.supervisor.restartWith({
    APP_SUPERVISOR_APPS_DOMAIN: '',
    APP_SUPERVISOR_PUBLIC_URL: fleet.supervisor.url,
  });
});

const isAt = (page: Page, name: Name) => eventually(() => whoIsOn(page, name, originOf(name))).toBe(BOB);

describe.each(CLIENTS)('in the $client client', ({ client, base }) => {
  let context: BrowserContext;
  let page: Page;
  /** The tokens that the user got in each app. */
  const tokens = new Map<Name, string>();

  beforeAll(async () => {
    context = await browser.newContext({ locale: 'en-US' });
    context.setDefaultTimeout(PATIENCE);
    page = await context.newPage();
  });
  afterAll(() => context?.close());

  const choose = (at: Page, titles: string[], title: string) =>
    chooseInSwitcher(at, titles, title).catch(async (error) => {
      await photograph(at, `sso-apps-${client}`);
      throw error;
    });

  async function isIn(name: Name, user: string, at = page): Promise<void> {
    await eventually(() => whoIsOn(at, name, originOf(name))).toBe(user);
    expect(new URL(at.url()).pathname.startsWith(`${base}admin`)).toBe(true);
    tokens.set(name, (await at.evaluate(() => localStorage.getItem('NOCOBASE_TOKEN'))) ?? '');
  }

  it('from the main app’s switcher into one, and from app to app by theirs, without a password', async () => {
    await page.goto(`${main}${base}admin/`);
    await signInAtMain(page, BOB, PASSWORD);
    await page.waitForURL(`${main}${base}admin**`);
    const [opened] = await Promise.all([
      context.waitForEvent('page', { timeout: 120_000 }),
      choose(page, TITLES, APPS.trio_shop.title),
    ]);
    await isIn('trio_shop', BOB, opened);
    for (const name of ['trio_desk', 'trio_yard'] as const) {
      await choose(opened, ['Main app', ...TITLES], APPS[name].title);
      await isIn(name, BOB, opened);
    }
    await choose(opened, ['Main app', ...TITLES], 'Main app');
    await opened.waitForURL(`${main}${base}admin/**`);
    await opened.close();
  });

  it('signing out of the main app by mouse ends the sessions in all of them, in every environment', async () => {
    await page.getByTestId('user-center-button').hover();
    await page.getByText('Sign out', { exact: true }).filter({ visible: true }).click();
    await page.waitForURL((at) => at.pathname.endsWith('/signin'));
    const statuses = async () => {
      const asked = NAMES.flatMap((name) => APPS[name].environments.map((environment) => ({ name, environment })));
      return Promise.all(
        asked.map(async ({ name, environment }) => {
          const { host } = new URL(originOf(name));
          const headers = { Host: host, Authorization: `Bearer ${tokens.get(name)}`, 'X-App-Environment': environment };
          return (await ask(main, '/api/auth:check', { headers })).status;
        }),
      );
    };
    await eventually(statuses, 10_000).toEqual([401, 401, 401, 401]);
  });

  it('another user of the same browser meets main’s sign-in, gets the page that he asked for, and is himself in each app', async () => {
    await page.goto(`${originOf('trio_shop')}${base}admin/settings?asked=1`);
    await signInAtMain(page, EVE, PASSWORD);
    await isIn('trio_shop', EVE);
    expect(page.url()).toContain('/admin/settings');
    for (const name of ['trio_yard', 'trio_desk'] as const) {
      await page.goto(`${originOf(name)}${base}admin/`);
      await isIn(name, EVE);
    }
  });
});

/** What a script of a page learns of a window that it opens: its addresses, from the first to the last. */
const addressesSeen = (page: Page, url: string) =>
  page.evaluate(async (address) => {
    const opened = window.open(address);
    const seen: string[] = [];
    const end = Date.now() + 20_000;
    while (Date.now() < end && !seen.some((each) => each.includes('/admin'))) {
      try {
        const { href } = opened!.location;
        if (seen.at(-1) !== href) seen.push(href);
      } catch {
        if (seen.at(-1) !== 'refused') seen.push('refused');
        if (seen.filter((each) => each === 'refused').length && Date.now() > end - 10_000) break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    opened?.close();
    return seen.filter((each) => each !== 'about:blank');
  }, url);

it('a window that a page of another app opens tells it nothing', async () => {
  const context = await browser.newContext({ locale: 'en-US' });
  const page = await context.newPage();
  await page.goto(`${main}/admin/`);
  await signInAtMain(page, BOB, PASSWORD);
  await page.waitForURL(`${main}/admin**`);
  await page.goto(`${originOf('trio_yard')}/admin/`);
  await isAt(page, 'trio_yard');
  await context.clearCookies({ name: 'nb_auth_token_trio_desk' });
  const start = `${originOf('trio_desk')}/api/appSso:start`;
  const authorize = new URLSearchParams({ app: 'trio_desk', state: 'abcd', challenge: 'c'.repeat(43) });
  for (const address of [start, `${main}/api/appSso:authorize?${authorize}`])
    expect(await addressesSeen(page, address)).toEqual(['refused']);
  await context.close();
});

it('a changed title is in the lists of other apps within 2 s', async () => {
  const yard = await signInTo(fleet.supervisor, 'trio_yard');
  const titles = async () => (await yard.get('appEntries:list')).data.map(({ title }: { title: string }) => title);
  for (const title of ['Trio shop 2', APPS.trio_shop.title]) {
    const { data } = await manager.api.post('apps:update?filterByTk=trio_shop', { title });
    await eventually(titles, 2_000).toContain(title);
    await manager.succeeded(data.operation);
  }
});

it('each of these sign-ins is in Activity, with who, where to, and from where', async () => {
  const { data } = await manager.api.get('appEvents:list', {
    filter: JSON.stringify({ kind: 'signIn' }),
    pageSize: 50,
  });
  const said = new Set(
    data.map(({ appName, message: { params } }: any) => `${params.user} ${appName} ${params.address}`),
  );
  for (const user of [BOB, EVE]) for (const name of NAMES) expect(said).toContain(`${user} ${name} 127.0.0.1`);
});
