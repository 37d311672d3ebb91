import { afterAll, beforeAll, it } from 'vitest';
import { CLIENTS, openContext, openSettings, tabOf } from '../../scripts/browser';
import { ADMIN, Api } from '../../scripts/fleet';
import { browser, eventually, fleet, letPollingBeOff, manager, onStage } from '../support/browser';
import { startFaultProxy } from '../support/fault-proxy';

/** What a page of ours is worth when NocoBase's WebSocket is away, through which it is told of changes. */

const appOf = (client: string) => `live_${client}`;
/** Failed tries after which NocoBase itself makes no more. */
const TRIES = 30;

onStage();

beforeAll(() =>
  Promise.all(CLIENTS.map(({ client }) => manager.create({ name: appOf(client), environments: ['env_a'] }))),
);

afterAll(() => manager.clear(...CLIENTS.map(({ client }) => appOf(client))));

it.concurrent.each(CLIENTS)(
  'without a WebSocket, a page of the $client client says so and polls, until it has one again, however late',
  async (client) => {
    const name = appOf(client.client);
    const proxy = await startFaultProxy(fleet.supervisor.url);
    const context = await openContext(browser, await Api.signIn(proxy.url, ADMIN));
    try {
      await context.addInitScript(letPollingBeOff);
      const page = await context.newPage();
      await openSettings(page, proxy.url, client);
      const row = page.getByTestId(`app-row-${name}`);
      const sign = page.getByTestId('live-off');
      const isTold = async (title: string) => {
        await manager.api.post(`apps:update?filterByTk=${name}`, { title });
        await row.getByText(title, { exact: true }).waitFor();
      };
      await row.waitFor();
      await sign.waitFor({ state: 'hidden' });

      proxy.allowWebSockets(false);
      await sign.getByText('Live updates are off. This page refreshes every 5 seconds.').waitFor();
      await isTold('Polled');
      await tabOf(page, 'environments').click();
      await page.getByTestId('environment-row-env_a').waitFor();
      await sign.waitFor();
      await tabOf(page, 'apps').click();
      await row.waitFor();
      await eventually(() => proxy.refused, 120_000).toBeGreaterThanOrEqual(TRIES);

      proxy.allowWebSockets(true);
      await sign.waitFor({ state: 'hidden' });
      await page.evaluate(() => Object.assign(window, { isPollingOff: true }));
      await isTold('Told');
    } finally {
      await context.close();
      proxy.close();
    }
  },
);
