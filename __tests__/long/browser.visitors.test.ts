import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext } from '../../scripts/browser';
import type { Api } from '../../scripts/fleet';
import { browser, eventually, fleet, manager, onStage, photograph } from '../support/browser';
import { ask } from '../support/http';
import { signInTo } from '../support/manager';
import { NAVIGATION } from '../support/visitor';

/** What visitors see while their app is moved to another environment, at its own domain and below the main app's address. */

const APP = 'roamer';
const TITLE = 'Roaming app';
const DOMAIN = 'roamer.localhost';

onStage();
let main: string;
let own: string;
let user: Api;

beforeAll(async () => {
  main = fleet.supervisor.url;
  own = `http://${DOMAIN}:${fleet.supervisor.port}`;
  await manager.clear(APP);
  await manager.create({ name: APP, title: TITLE, environments: ['env_a'], cname: DOMAIN });
  user = await signInTo(fleet.supervisor, APP);
});
afterAll(() => manager.clear(APP));

/** Begins to move the app to the other environment. @returns waits until it runs there */
async function move(): Promise<() => Promise<unknown>> {
  const [from] = (await manager.app(APP)).environments;
  const to = from === 'env_a' ? 'env_b' : 'env_a';
  const { data } = await manager.api.post(`apps:move?filterByTk=${APP}`, { to });
  expect(data.refused).toEqual([]);
  const isThere = { what: `runs in ${to}`, timeout: 180_000 };
  return () => manager.untilApp(APP, ({ statuses }) => statuses[to]?.status === 'running', isThere);
}

describe.each(CLIENTS)('in the $client client', ({ client, base }) => {
  let context: BrowserContext;
  beforeAll(async () => {
    context = await openContext(browser, manager.api, [
      { url: own, token: user.token! },
      { url: main, app: APP, token: user.token! },
    ]);
  });
  afterAll(() => context?.close());

  const isInside = (page: Page) => page.getByTestId('user-center-button').waitFor();
  const open = async (url: string) => {
    const page = await context.newPage();
    await page.goto(url);
    await isInside(page);
    return page;
  };

  it('who comes meanwhile reads that the app is being moved, and gets it without doing anything; open pages go on', async () => {
    const opened = [await open(`${own}${base}admin/`), await open(`${main}${base}apps/${APP}/admin/`)];
    const connected = opened.map((page) => {
      const sockets: string[] = [];
      page.on('websocket', (socket) => sockets.push(socket.url()));
      return sockets;
    });
    const late = await context.newPage();
    const moved = await move();
    const heading = () => late.locator('main h1').allInnerTexts();
    const headers = { ...NAVIGATION, Host: new URL(own).host };
    // Until its uploads are copied, the app is still served.
    await eventually(async () => (await ask(main, `${base}admin/`, { headers })).status).not.toBe(200);
    await late.goto(`${own}${base}admin/`, { waitUntil: 'commit' });
    await eventually(heading).toEqual([`"${TITLE}" is being moved`]);
    await moved();
    await isInside(late);
    for (const [index, page] of opened.entries()) {
      try {
        // It has connected to where the app is now, and nothing lies above it.
        await eventually(() => connected[index].length).toBeGreaterThan(0);
        await eventually(() => page.locator('.ant-modal').filter({ visible: true }).count()).toBe(0);
        await page.getByTestId('user-center-button').click({ timeout: 30_000 });
      } catch (error) {
        await photograph(page, `visitors-${client}-${index}`);
        throw error;
      }
    }
  });
});
