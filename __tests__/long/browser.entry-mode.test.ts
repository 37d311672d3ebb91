import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, openContext } from '../../scripts/browser';
import type { Api } from '../../scripts/fleet';
import type { AppEntry } from '../../src/shared/types';
import { browser, chooseInSwitcher, fleet, manager, onStage } from '../support/browser';
import { signInTo } from '../support/manager';

/** Links lead to the client that `APP_CLIENT_ENTRY_MODE` of NocoBase wants, and not to it by another redirect. */

onStage();
let publicUrl: string;
let till: Api;

beforeAll(async () => {
  publicUrl = fleet.supervisor.url;
  await manager.create({ name: 'till', title: 'Till', environments: ['env_a'], pinned: true });
  till = await signInTo(fleet.supervisor, 'till');
});

afterAll(async () => {
  await manager.clear('till');
  await fleet.supervisor.restartWith({});
});

describe.each([
  { mode: 'legacy-default', unnamed: '/', legacy: '/' },
  { mode: 'modern-default', unnamed: '/v/', legacy: '/' },
  { mode: 'modern-only', unnamed: '/v/', legacy: '/v/' },
])('$mode', ({ mode, unnamed, legacy }) => {
  beforeAll(async () => {
    await fleet.supervisor.restartWith({ APP_SUPERVISOR_PUBLIC_URL: publicUrl, APP_CLIENT_ENTRY_MODE: mode });
    await fleet.waitForWorkers();
  });

  it('a link that no client shows leads to the first page of an app', async () => {
    const visit = `${publicUrl}/api/__app/till/__visit`;
    const { headers } = await fetch(visit, { redirect: 'manual' });
    expect(headers.get('location')).toBe(`${unnamed}apps/till/admin/`);
    const entries = (await manager.api.get('appEntries:list?place=switcher')).data as AppEntry[];
    expect(entries.map(({ url }) => url)).toEqual([`${publicUrl}${unnamed}apps/till/admin/`]);
    const context = await openContext(browser, manager.api, [{ url: publicUrl, app: 'till', token: till.token! }]);
    try {
      const page = await context.newPage();
      await page.goto(visit);
      await page.getByTestId('user-center-button').waitFor();
      expect(new URL(page.url()).pathname).toMatch(new RegExp(`^${unnamed}apps/till/admin(/|$)`));
    } finally {
      await context.close();
    }
  });

  it.each(CLIENTS)('the switcher of the $client client leads to the same client, if that is there', async (client) => {
    const base = client.client === 'modern' ? client.base : legacy;
    const context = await openContext(browser, manager.api, [{ url: publicUrl, app: 'till', token: till.token! }]);
    try {
      const page = await context.newPage();
      await page.goto(`${publicUrl}${client.base}admin/`);
      const opening = context.waitForEvent('page');
      await chooseInSwitcher(page, ['Till'], 'Till');
      const opened = await opening;
      await opened.waitForURL(`${publicUrl}${base}apps/till/admin/**`);
      await opened.getByTestId('user-center-button').waitFor();
    } finally {
      await context.close();
    }
  });
});
