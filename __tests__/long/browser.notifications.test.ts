import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createReceiver } from '../../examples/webhook-receiver';
import { CLIENTS, openContext } from '../../scripts/browser';
import type { EventRow } from '../../src/shared/event';
import { violationsOn } from '../support/accessibility';
import { browser, choiceIn, eventually, fleet, manager, onStage } from '../support/browser';

/** The page "Notifications", with in-app messages of NocoBase and a receiver of webhooks. */

/** An app whose database does not answer, so that it fails without an installation. */
const brokenApp = (name: string) => ({
  name,
  title: 'Broken',
  environments: ['env_b'],
  options: {
    dbConnType: 'new_connection',
    database: { dialect: 'postgres', host: '127.0.0.1', port: 1, username: 'u', password: 'hush-hush', database: 'b' },
  },
});
const APPS = ['noticed_1', 'noticed_2'];

onStage();

let page: Page;
/** What the next requests are answered, before anything is received. */
const refusals: number[] = [];
const attempts: string[] = [];
const received: Array<{ id: string; type: string; events: Array<{ notice: string; phase: string; text: string }> }> =
  [];
let receiver: http.Server | null = null;
const server = http.createServer((request, response) => {
  attempts.push(String(request.headers['x-app-supervisor-delivery']));
  const refusal = refusals.shift();
  if (refusal) response.writeHead(refusal).end();
  else if (receiver) receiver.emit('request', request, response);
  else response.writeHead(401).end();
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  page = await (await openContext(browser, manager.api)).newPage();
});
afterAll(async () => {
  await page?.context().close();
  server.close().closeAllConnections();
  for (const id of ['channel', 'webhook'])
    await manager.api.post(`appNotifiers:update?filterByTk=${id}`, { enabled: false });
  await manager.clear(...APPS);
});

const open = async () => {
  const [{ base }] = CLIENTS;
  await page.goto(`${fleet.supervisor.url}${base}admin/settings/app-supervisor/notifications`);
  await page.getByTestId('notifier-webhook').waitFor();
};
const form = (id: string) => page.getByTestId(`notifier-${id}`);
const save = async (id: string) => {
  await page.getByTestId(`save-${id}`).click();
  // Only what is stored can be tested.
  await eventually(() => page.getByTestId(`test-${id}`).isEnabled()).toBe(true);
};
const messages = async (): Promise<Array<{ title: string; content: string }>> =>
  (await manager.api.get('myInAppMessages:list', { pageSize: 50 })).data.messages;
const fail = async (name: string) => {
  const { operation } = await manager.begin('adopt', brokenApp(name));
  await eventually(async () => (await manager.operation(operation!.id)).state, 120_000).toBe('failed');
};

it('says what to do while there is no channel', async () => {
  await open();
  await page.getByTestId('missing-channels').waitFor();
  expect(await violationsOn(page)).toEqual([]);
});

it('messages to people are set by mouse, and a test message arrives', async () => {
  const channel = { name: 'operations', title: 'Operations', notificationType: 'in-app-message', options: {} };
  await manager.api.post('notificationChannels:create', channel);
  await open();
  await form('channel').getByRole('switch').click();
  await form('channel').getByText('Operation failed').click();
  await choiceIn(page, '[data-testid="notifier-channel"] .ant-select:has(#channel_channel)', 'Operations');
  await form('channel').locator('.ant-select:has(#channel_receivers)').click();
  await page.locator('.ant-select-dropdown:visible .ant-select-item-option').first().click();
  await page.keyboard.press('Escape');
  await save('channel');
  await page.getByTestId('test-channel').click();
  await form('channel').getByText('The test message was sent.').waitFor();
  expect((await messages()).map(({ title }) => title)).toEqual(['Test message of App supervisor']);
});

it('a webhook is set by mouse, its secret is shown once, and a test request arrives', async () => {
  await form('webhook').getByRole('switch').click();
  await form('webhook').getByText('Operation failed').click();
  await form('webhook')
    .getByRole('textbox')
    .fill(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
  await save('webhook');
  const secret = (await page.getByTestId('webhook-secret').textContent())?.trim() ?? '';
  await page.getByTestId('test-webhook').click();
  await form('webhook').getByText('HTTP status 401').waitFor();
  receiver = createReceiver(secret, (delivery) => received.push(delivery));
  await page.getByTestId('test-webhook').click();
  await form('webhook').getByText('The receiver answered: HTTP 204').waitFor();
  expect(received.map(({ type }) => type)).toEqual(['test']);
  await open();
  expect(await page.getByTestId('webhook-secret').count()).toBe(0);
  expect(JSON.stringify(await manager.api.get('appNotifiers:list'))).not.toContain(secret);
  const events: EventRow[] = (await manager.api.get('appEvents:list', { pageSize: 100 })).data;
  const changes = events.filter(({ message }) => message.code === 'NOTIFIER_CHANGED');
  expect(changes).toHaveLength(2);
  expect(JSON.stringify(changes)).not.toContain('/hook');
});

it('a failed operation reaches both, also a receiver that refuses it at first', async () => {
  received.length = attempts.length = 0;
  refusals.push(503);
  await fail(APPS[0]);
  await eventually(() => received.length).toBe(1);
  expect(received[0].events).toMatchObject([{ notice: 'operationFailed', phase: 'once' }]);
  expect(attempts).toEqual([received[0].id, received[0].id]);
  expect(JSON.stringify(received)).not.toContain('hush-hush');
  await eventually(async () => (await messages()).length).toBe(2);
  const [{ title, content }] = await messages();
  expect(title).toBe(received[0].events[0].text.slice(0, title.length));
  expect(content).toContain('noticed_1');
  const { data } = await manager.api.get('appNotifiers:list');
  expect(data).toMatchObject([
    { id: 'channel', failingSince: null, deliveredAt: expect.any(Number) },
    { id: 'webhook', failingSince: null, status: 204 },
  ]);
});

it('goes on after a restart of the Supervisor, and tells nothing again', async () => {
  received.length = attempts.length = 0;
  refusals.push(500);
  await fail(APPS[1]);
  await eventually(() => attempts.length).toBe(1);
  await fleet.restart(fleet.supervisor);
  await eventually(() => received.length, 120_000).toBe(1);
  expect(new Set(attempts)).toEqual(new Set([received[0].id]));
  expect(received[0].events.map(({ text }) => text)).toEqual([expect.stringContaining('noticed_2')]);
});
