import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext, openSettings, tabOf } from '../../scripts/browser';
import type { EnvironmentRow } from '../../src/shared/types';
import { answer, browser, CLIENT, eventually, fleet, letPollingBeOff, manager, onStage } from '../support/browser';
import { SimulatedWorker } from '../support/simulated-worker';

/** The page of the environments: what can be done with one, what is seen of one in trouble, and how another is added. */

onStage();

describe.each(CLIENT)('in the $client client', (client) => {
  let context: BrowserContext;
  let page: Page;
  const row = (name: string) => page.getByTestId(`environment-row-${name}`);
  const press = (action: string, name: string) => page.getByTestId(`environment-${action}-${name}`).click();
  /** Lets the list be what is made of the real one. */
  const answerWith = (make: (rows: EnvironmentRow[]) => EnvironmentRow[]) =>
    page.route('**/api/appEnvironments:list*', async (route) => {
      const { data, ...rest } = await (await route.fetch()).json();
      await route.fulfill({ json: { ...rest, data: make(data) } });
    });

  beforeAll(async () => {
    context = await openContext(browser, manager.api);
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: fleet.supervisor.url });
    await context.addInitScript(letPollingBeOff);
    page = await context.newPage();
    await openSettings(page, fleet.supervisor.url, client);
    await tabOf(page, 'environments').click();
    await row('env_b').waitFor();
  });

  afterAll(async () => {
    await context?.close();
    await manager.api.post('appEnvironments:uncordon?filterByTk=env_b');
    // Others on this fleet count its environments, also where a test has failed here.
    for (const { name } of await manager.environments())
      if (/^env_(simulated|new_)/.test(name)) await manager.api.post(`appEnvironments:forget?filterByTk=${name}`);
  });

  it('one takes no new apps while it is cordoned, which the form for a new app says', async () => {
    await press('cordon', 'env_b');
    await row('env_b').getByText('Cordoned').waitFor();
    await tabOf(page, 'apps').click();
    await page.getByTestId('add-app').click();
    await page.locator('.ant-select:has(#environments)').click();
    await page
      .locator('.ant-select-item-option-disabled', { hasText: 'is cordoned and accepts no new apps' })
      .waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.ant-drawer-close').click();
    await page.locator('.ant-drawer-mask').waitFor({ state: 'hidden' });
    await tabOf(page, 'environments').click();
    await press('uncordon', 'env_b');
    await row('env_b').getByText('Cordoned').waitFor({ state: 'detached' });
  });

  it('one that lives cannot be forgotten, and says why', async () => {
    const forget = page.getByTestId('environment-forget-env_b');
    await eventually(() => forget.getAttribute('aria-disabled')).toBe('true');
    await forget.hover();
    await page
      .getByRole('tooltip', { name: 'Its worker is running and would register again. Stop it first.' })
      .waitFor();
  });

  it('its address is checked by this browser, and by the Supervisor for the web and for WebSockets', async () => {
    await press('check', 'env_a');
    const reach = page.getByTestId('environment-reach-env_a');
    await eventually(async () =>
      (await reach.allInnerTexts())
        .join()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(['This browser', 'Supervisor, web', 'Supervisor, WebSocket']);
    expect(await reach.locator('.anticon-check-circle').count()).toBe(3);
  });

  it('one has a page of its own, which is found again by its address: load, apps, log', async () => {
    await row('env_a').getByTestId('environment-link-env_a').click();
    await page.getByTestId('environment-page-env_a').waitFor();
    await page.getByTestId('environment-limits').getByText('JavaScript heap').waitFor();
    await page.getByRole('tab', { name: 'Log' }).click();
    await page.reload();
    await page.getByTestId('app-log').waitFor();
    const memory = page.getByRole('slider', { name: /^Memory: now / });
    await memory.focus();
    await page.keyboard.press('ArrowLeft');
    await eventually(() => memory.getAttribute('aria-valuetext')).toMatch(/ · /);
    await page.getByTestId('back-to-environments').click();
    await row('env_a').waitFor();
  });

  it('what is wrong with one is seen: health, another version and what that means, no visitors', async () => {
    await answerWith(([a, b]) => [
      { ...a, appVersion: '2.2.0' },
      { ...b, health: 'down', available: false, serves: false, apps: {} },
    ]);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await row('env_b').getByText('Down').waitFor();
    await row('env_b').getByText('Serves no visitors').waitFor();
    await row('env_a').getByText('Supervisor: 2.2.15').hover();
    await page.getByRole('tooltip', { name: /Both must have the same version/ }).waitFor();
    await page.unrouteAll();
  });

  it('a second process of one is seen, and once it is gone it is forgotten after a question', async () => {
    const worker = SimulatedWorker.of(fleet, 'env_simulated');
    await page.evaluate(() => Object.assign(window, { isPollingOff: true }));
    await worker.appear();
    await row('env_simulated').getByText('Online').waitFor();
    // Nobody but itself has said where it is reached.
    await page.getByTestId('environment-unconfirmed-env_simulated').getByText('http://env_simulated:15000').waitFor();
    await page
      .getByTestId('environment-warnings-env_simulated')
      .getByText('No app may run there and nobody is sent there before it is admitted.')
      .waitFor();
    await page.getByTestId('environment-confirm-address-env_simulated').click();
    await page.getByText('Admit environment env_simulated?').waitFor();
    await page.getByTestId('environment-confirm-env_simulated').click();
    await page.getByTestId('environment-unconfirmed-env_simulated').waitFor({ state: 'detached' });
    const drain = page.getByTestId('environment-drain-env_simulated');
    await eventually(() => drain.getAttribute('aria-description')).toBe('It has no apps.');
    await worker.meetReplica('worker-2:81:1');
    await page
      .getByTestId('environment-warnings-env_simulated')
      .getByText('A second process of this environment is running (worker-2:81:1) and hosts nothing.')
      .waitFor();
    await worker.leave();
    await worker.close();
    await row('env_simulated').getByText('Down').waitFor();
    const question = page.getByRole('dialog', { name: 'Forget environment "env_simulated"?' });
    await press('forget', 'env_simulated');
    await answer(question, 'Cancel');
    await press('forget', 'env_simulated');
    await answer(question, 'Forget');
    await row('env_simulated').waitFor({ state: 'detached' });
    await page.evaluate(() => Object.assign(window, { isPollingOff: false }));
    expect((await manager.environments()).map(({ name }) => name)).not.toContain('env_simulated');
  });

  it('another one is added by what can be copied, and shows as it arrives', async () => {
    const name = `env_new_${client.client}`;
    await page.getByTestId('add-environment').click();
    await page.locator('#name').fill(name);
    await page.locator('#url').fill('worker:17000');
    await page.getByTestId('join').click();
    await page.getByText('An address such as http://localhost:17000').waitFor();
    await page.locator('#url').fill('http://127.0.0.1:9');
    await page.getByTestId('join').click();
    const text = async () => (await page.getByTestId('environment-snippet').allInnerTexts()).join();
    for (const [format, line] of [
      ['Shell', `export ENVIRONMENT_NAME='${name}'`],
      ['Kubernetes', `- ENVIRONMENT_NAME=${name}`],
      ['docker run', `ENVIRONMENT_NAME=${name}`],
      ['Docker Compose', `ENVIRONMENT_NAME: "${name}"`],
    ]) {
      await page.getByText(format, { exact: true }).click();
      await eventually(text).toContain(line);
    }
    // Before it, an administrator of Redis makes its user.
    const start = page.getByRole('region', { name: 'Then: start the worker' });
    await start.getByRole('button', { name: 'Copy' }).click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toBe(await start.getByTestId('environment-snippet').textContent());
    await page.getByText(`Waiting for "${name}"`).waitFor();
    await page.getByText('Nothing answers at http://127.0.0.1:9 yet').waitFor();
    const worker = SimulatedWorker.of(fleet, name);
    await worker.appear();
    await page.getByText(`"${name}" has joined`).waitFor();
    await worker.leave();
    await worker.close();
    // The Supervisor may look a moment later.
    const forget = () => manager.api.post(`appEnvironments:forget?filterByTk=${name}`);
    await eventually(() =>
      forget().then(
        () => 'forgotten',
        (error: Error) => error.message,
      ),
    ).toBe('forgotten');
  });
});
