import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext } from '../../scripts/browser';
import { type Api, waitFor } from '../../scripts/fleet';
import type { AppEntry } from '../../src/shared/types';
import {
  browser,
  chooseInSwitcher,
  complaintsOf,
  eventually,
  fleet,
  makeApplicationsPage,
  manager,
  onStage,
  removePages,
} from '../support/browser';
import { signInTo } from '../support/manager';

/** Where apps are entered: the app switcher and the Applications block, and what they and NocoBase's portals are fed by. */

const DOMAIN = 'till.localhost';
const PAGE = 'entries_page';
/** One pixel. */
const PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

onStage();
let publicUrl: string;
let domainUrl: string;
let till: Api;
let shelf: Api;

beforeAll(async () => {
  publicUrl = fleet.supervisor.url;
  domainUrl = publicUrl.replace('127.0.0.1', DOMAIN);
  await Promise.all([
    manager.create({ name: 'till', title: 'Till', environments: ['env_a'], pinned: true, cname: DOMAIN }),
    manager.create({
      name: 'shelf',
      title: 'Shelf',
      language: 'zh-CN',
      environments: ['env_b'],
      pinned: true,
      hidden: true,
    }),
  ]);
  // Links lead to a domain once it is verified.
  await manager.untilApp('till', ({ domainCheck }) => domainCheck?.state === 'verified', {
    what: 'to have its domain',
  });
  [till, shelf] = await Promise.all(['till', 'shelf'].map((name) => signInTo(fleet.supervisor, name)));
});

afterAll(async () => {
  await removePages(PAGE);
  await manager.clear('till', 'shelf');
});

const entriesOf = async (user: Api, params: object = {}): Promise<AppEntry[]> =>
  (await user.get('appEntries:list', params as Record<string, unknown>)).data;
const placesOf = (entries: AppEntry[]) => entries.map(({ name, url, target }) => [name, url, target].join(' '));

describe('appEntries:list', () => {
  it('of the main app is what is not hidden, and for the switcher what is pinned', async () => {
    const visible = (await entriesOf(manager.api)).filter(({ name }) => ['till', 'shelf'].includes(name));
    expect(placesOf(visible)).toEqual([`till ${domainUrl}/admin/ _blank`]);
    expect(placesOf(await entriesOf(manager.api, { place: 'switcher', client: 'v2' }))).toEqual([
      `shelf ${publicUrl}/v/apps/shelf/admin/ _blank`,
      `till ${domainUrl}/v/admin/ _blank`,
    ]);
  });

  it('of an app is the same in the same tab with the way back, and says nothing of what other environments report', async () => {
    const wanted = [
      `main ${publicUrl}/admin/ _self`,
      `shelf ${publicUrl}/apps/shelf/admin/ _self`,
      `till ${domainUrl}/admin/ _self`,
    ];
    // The worker heard of both a moment ago.
    const seen = await waitFor(
      async () => {
        const entries = await entriesOf(till, { place: 'switcher' });
        const isLinked = entries.some(({ url }) => url.startsWith(domainUrl));
        return entries.length === 3 && isLinked ? entries : null;
      },
      { timeout: 60_000, interval: 200, what: 'The entries of an app' },
    );
    expect(placesOf(seen)).toEqual(wanted);
    expect(seen.map(({ status }) => status)).toEqual(['running', null, 'running']);
    const titleIn = async (app: Api): Promise<string> => (await app.get('systemSettings:get')).data.title;
    expect(await Promise.all([till, shelf].map(titleIn))).toEqual(['Till', 'Shelf']);
    const { appLang, enabledLanguages } = (await shelf.get('systemSettings:get')).data;
    expect({ appLang, enabledLanguages }).toEqual({ appLang: 'zh-CN', enabledLanguages: ['zh-CN'] });
    await shelf.post('systemSettings:put', { raw_title: 'Shelf', appLang: 'en-US', enabledLanguages: ['en-US'] });
    await manager.update('till', { title: 'Till 2', icon: PICTURE });
    const heard = async (user: Api, wanted: string) =>
      waitFor(async () => (await entriesOf(user)).some(({ title }) => title === wanted), {
        timeout: 60_000,
        interval: 100,
        what: `The title ${wanted} on a worker`,
      });
    await heard(shelf, 'Till 2');
    // The app itself, too, until its administrator calls it something else.
    await eventually(() => titleIn(till)).toBe('Till 2');
    // Its picture comes another way than its title, later or sooner.
    const logo = async () => (await till.get('systemSettings:get')).data.logo;
    await eventually(logo).toMatchObject({
      title: 'app-logo',
      size: Buffer.from(PICTURE.split(',')[1]!, 'base64').length,
    });
    await till.post('systemSettings:put', { raw_title: 'Our till' });
    await manager.update('till', { title: 'Till', icon: null });
    await Promise.all([heard(till, 'Till'), heard(shelf, 'Till')]);
    expect(await titleIn(till)).toBe('Our till');
  });
});

describe('app:getPortals of NocoBase', () => {
  const portalsOf = async (user: Api) => (await user.get('app:getPortals')).data;

  it('names every app with its status, in an app as far as its Worker knows it', async () => {
    const fields = { icon: null, ssoEnabled: false };
    const apps = [
      { ...fields, name: 'shelf', title: 'Shelf', cname: null, status: { env_b: 'running' } },
      { ...fields, name: 'till', title: 'Till', cname: DOMAIN, status: { env_a: 'running' } },
    ];
    const main = await portalsOf(manager.api);
    expect(main.apps).toEqual(
      expect.arrayContaining([
        ...apps.map((app) => ({ ...app, target: '_blank' })),
        expect.objectContaining({ name: 'main', status: 'running' }),
      ]),
    );
    const [there, here] = apps;
    expect((await portalsOf(till)).apps).toEqual(expect.arrayContaining([{ ...there, status: null }, here]));
  });

  it('shows what an app’s plugin keeps in its manifest, on the other worker, too', async () => {
    const portal = { uid: 'desk', title: 'Desk', routePath: '/desk', layout: 'desktop' };
    const item = { of: 'till', namespace: 'multi-portal', key: 'desk' };
    await till.post('coreProbe:setItem', { ...item, item: portal });
    // What a Worker sets counts elsewhere once the Supervisor has written it.
    for (const user of [manager.api, shelf])
      await eventually(async () => (await portalsOf(user)).portals).toContainEqual({
        ...portal,
        icon: null,
        appName: 'till',
      });
    await till.post('coreProbe:removeItem', item);
  });
});

it('an app for chosen roles is named to users of the main app with such a role alone, one for nobody to nobody', async () => {
  const named = async (user: Api): Promise<boolean[]> => {
    const [entries, portals] = await Promise.all([
      entriesOf(user, { place: 'switcher' }),
      user.get('app:getPortals').then(({ data }) => data.apps as AppEntry[]),
    ]);
    return [entries, portals].map((list) => list.some(({ name }) => name === 'shelf'));
  };
  await manager.update('shelf', { visibleTo: 'roles', visibleRoles: ['admin'] });
  expect(await named(manager.api)).toEqual([true, true]);
  await eventually(() => named(till)).toEqual([false, false]);
  await manager.update('shelf', { visibleTo: 'nobody' });
  expect(await named(manager.api)).toEqual([false, false]);
  await manager.update('shelf', { visibleTo: 'everybody' });
  expect(await named(manager.api)).toEqual([true, true]);
  await eventually(() => named(till)).toEqual([true, true]);
});

it('the Applications block is added to a page by mouse', async () => {
  await makeApplicationsPage(PAGE, 'till');
});

describe.each(CLIENTS)('in the $client client', (client) => {
  const { base } = client;
  let context: BrowserContext;
  let first: Page | undefined;
  /** In one page: what loads for the first time in another one is compiled anew. */
  const open = async (url: string): Promise<Page> => {
    first ??= await context.newPage();
    await first.goto(url);
    return first;
  };
  const inApp = (name: string) => `${publicUrl}${base}apps/${name}/admin/`;
  const onDomain = () => `${domainUrl}${base}admin/`;

  beforeAll(async () => {
    context = await openContext(browser, manager.api, [
      { url: publicUrl, app: 'shelf', token: shelf.token! },
      { url: domainUrl, token: till.token! },
    ]);
  });
  afterAll(() => context?.close());

  it('the main app’s switcher opens an app in a new tab', async () => {
    const page = await open(`${publicUrl}${base}admin/`);
    const complaints = complaintsOf(page);
    const opening = context.waitForEvent('page');
    await chooseInSwitcher(page, ['Shelf', 'Till'], 'Shelf');
    const opened = await opening;
    await opened.waitForURL(`${inApp('shelf')}**`);
    await opened.getByTestId('user-center-button').waitFor();
    expect(complaints).toEqual([]);
  });

  it('the Applications block shows what is not hidden, on one page for both clients', async () => {
    const page = await open(`${publicUrl}${base}admin/${PAGE}`);
    const entry = page.getByTestId('entry-till');
    await entry.waitFor();
    expect(await page.getByTestId('entry-shelf').count()).toBe(0);
    await eventually(() => entry.getAttribute('href')).toBe(onDomain());
    await manager.command('stop', 'till');
    await page.locator('[data-testid="entry-till"][data-status="stopped"]').getByText('Stopped').waitFor();
    await manager.command('start', 'till');
    await page.locator('[data-testid="entry-till"][data-status="running"]').waitFor();
  });

  it('an app’s switcher leads in the same tab to another app on its own domain, and from there back to the main app', async () => {
    const page = await open(inApp('shelf'));
    const everywhere = ['Main app', 'Shelf', 'Till'];
    await chooseInSwitcher(page, everywhere, 'Till');
    await page.waitForURL(`${onDomain()}**`);
    await chooseInSwitcher(page, everywhere, 'Main app');
    await page.waitForURL(`${publicUrl}${base}admin/**`);
    expect(context.pages().filter((each) => each.url().startsWith(domainUrl))).toEqual([]);
  });

  it('an app on its own domain, which takes itself for the main app, has no App supervisor in its settings', async () => {
    const page = await open(onDomain());
    await page.getByTestId('plugin-settings-button').hover();
    await page.getByRole('menuitem', { name: 'System settings' }).waitFor();
    expect(await page.getByRole('menuitem', { name: 'App supervisor' }).count()).toBe(0);
  });

  it('a worker’s own page says which Supervisor manages it and what it hosts', async () => {
    const worker = fleet.worker('env_a');
    const own = await openContext(browser, await worker.signIn());
    const page = await own.newPage();
    await page.goto(`${worker.url}${base}admin/settings/app-supervisor`);
    await page.getByTestId('worker-page').waitFor();
    await page
      .locator(`[data-testid=supervisor-link][href="${publicUrl}${base}admin/settings/app-supervisor"]`)
      .waitFor();
    await page.locator('[data-testid=hosted-till][data-status=running]').waitFor();
    expect(await page.getByTestId('hosted-shelf').count()).toBe(0);
    await own.close();
  });
});
