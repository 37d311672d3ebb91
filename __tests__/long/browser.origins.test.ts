import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext, openSettings } from '../../scripts/browser';
import { APP_ADMIN } from '../../scripts/fleet';
import { browser, chooseInSwitcher, eventually, fleet, manager, onStage } from '../support/browser';
import { ask, Tab } from '../support/http';
import { signInTo } from '../support/manager';

/** A domain below which every app has an origin of its own: names below `localhost` lead a browser to this machine. */

const DOMAIN = 'apps.localhost';

onStage();
let main: string;
/** The origin of the app `kiosk_two`. */
let own: string;

beforeAll(async () => {
  const { supervisor } = fleet;
  main = supervisor.url;
  own = `http://kiosk-two.${DOMAIN}:${supervisor.port}`;
  await supervisor.restartWith({ APP_SUPERVISOR_PUBLIC_URL: main, APP_SUPERVISOR_APPS_DOMAIN: DOMAIN });
  await fleet.waitForWorkers();
  await manager.create({ name: 'kiosk_two', title: 'Kiosk', environments: ['env_a'], pinned: true });
});

afterAll(async () => {
  await manager.clear('kiosk_two');
  await fleet.supervisor.restartWith({ APP_SUPERVISOR_APPS_DOMAIN: '' });
});

it('links of main, of the app and of NocoBase’s portals lead to the origin', async () => {
  const app = await signInTo(fleet.supervisor, 'kiosk_two');
  const entries = async (user: typeof app) => (await user.get('appEntries:list', { place: 'switcher' })).data;
  const urlOf = async (user: typeof app) =>
    (await entries(user)).find(({ name }: { name: string }) => name === 'kiosk_two')?.url;
  expect(await urlOf(manager.api)).toBe(`${own}/admin/`);
  await eventually(() => urlOf(app)).toBe(`${own}/admin/`);
  const { apps } = (await manager.api.get('app:getPortals')).data;
  expect(apps).toContainEqual(expect.objectContaining({ name: 'kiosk_two', cname: new URL(own).hostname }));
});

it('main is at no host of the domain, and an app only at its own', async () => {
  const at = (host: string, path = '/admin/') => ask(main, path, { headers: { Host: host } });
  for (const host of [DOMAIN, `nosuch.${DOMAIN}`]) expect(await at(host)).toMatchObject({ status: 404 });
  const info = await at(new URL(own).host, '/api/app:getInfo');
  expect(info.json.data.name).toBe('kiosk_two');
  const tab = (await Tab.open(main, '/ws', { Host: new URL(own).host })) as Tab;
  expect(tab).toBeInstanceOf(Tab);
  tab.close();
});

it('names and domains that would share a host are refused', async () => {
  const values = { title: 'x', environments: ['env_a'], initialAdmin: APP_ADMIN };
  const create = (more: object) => manager.api.post('apps:create', { ...values, ...more });
  await expect(create({ name: 'Kiosk-two' })).rejects.toThrow('NAME_TAKEN');
  await expect(create({ name: 'kiosk_' })).rejects.toThrow('INVALID_INPUT');
  await expect(create({ name: 'other', cname: new URL(own).hostname })).rejects.toThrow('DOMAIN_TAKEN');
});

describe.each(CLIENTS)('in the $client client', (client) => {
  const { base } = client;
  let context: BrowserContext;
  beforeAll(async () => {
    context = await openContext(browser, manager.api);
  });
  afterAll(() => context?.close());

  it('the path below main leads to the origin, where a person signs in and main’s tokens are not', async () => {
    const page = await context.newPage();
    const sockets: string[] = [];
    page.on('websocket', (socket) => {
      socket.on('framereceived', () => sockets.push(new URL(socket.url()).host));
    });
    await page.goto(`${main}${base}apps/kiosk_two/admin/`);
    await page.waitForURL(`${own}${base}**`);
    await page.getByPlaceholder('Username/Email').fill(APP_ADMIN.email);
    await page.getByPlaceholder('Password').fill(APP_ADMIN.password);
    await page.getByRole('button', { name: /Sign in$/ }).click();
    await page.getByTestId('user-center-button').waitFor();
    expect(page.url()).toContain(own);
    await eventually(() => sockets).toContain(new URL(own).host);
    const kept = await page.evaluate(() => Object.values(localStorage).join(' '));
    expect(kept).not.toContain(manager.api.token!);
    const tokens = (await context.cookies()).filter(({ name }) => name.startsWith('nb_auth_token_'));
    const places = tokens.map(({ name, domain }) => `${name} ${domain}`);
    expect(places).toContain(`nb_auth_token_kiosk_two ${new URL(own).hostname}`);
    // The token of main, if this browser has one, stays at main.
    expect(places.filter((place) => /kiosk_two .*127|main .*apps/.test(place))).toEqual([]);
    await page.close();
  });

  it('the switcher and Visit lead there', async () => {
    const page = await context.newPage();
    await page.goto(`${main}${base}admin/`);
    const opening = context.waitForEvent('page');
    await chooseInSwitcher(page, ['Kiosk'], 'Kiosk');
    const opened = await opening;
    await opened.waitForURL(`${own}${base}admin/**`);
    await opened.close();
    await openSettings(page, main, client);
    const visiting = context.waitForEvent('page');
    await page.getByTestId('app-visit-kiosk_two').click();
    await (await visiting).waitForURL(`${own}${base}admin/**`);
    // The link for one of several environments.
    const query = new URLSearchParams({ environment: 'env_a', to: `${base}apps/kiosk_two/admin/` });
    await page.goto(`${main}/api/__app/kiosk_two/__visit?${query}`);
    await page.waitForURL(`${own}${base}admin/**`);
    const pins = (await context.cookies(own)).filter(({ name }) => name === 'app_environment');
    expect(pins.map(({ value }) => value)).toEqual(['kiosk_two.env_a']);
    await page.close();
  });
});
