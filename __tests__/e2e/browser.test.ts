import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { CLIENTS, openContext, tabsOf } from '../../scripts/browser';
import { ADMIN, query } from '../../scripts/fleet';
import {
  answer,
  browser,
  chooseInMenu,
  chooseInSwitcher,
  complaintsOf,
  eventually,
  fleet,
  inSteps,
  letPollingBeOff,
  manager,
  onStage,
  openSettingsByMenu,
  shows,
} from '../support/browser';
import { Visitor } from '../support/visitor';

/** The main job by mouse alone, as an administrator meets it; each step goes on from the one before. */

/**
 * One client does all of it here. What `npm test` shows of the other client in other files, where it tests its pages
 * whole, that client does in `npm run test:long`.
 */
const PAGES_CLIENT = inject('client');
const HERE = PAGES_CLIENT === 'modern' ? CLIENTS : CLIENTS.filter(({ client }) => client !== PAGES_CLIENT);

onStage();

describe.each(HERE)('an administrator with the $client client', ({ client, base }) => {
  const wholeIt = it.runIf(client !== PAGES_CLIENT);
  const name = `crm_${client}`;
  const title = `CRM ${client}`;
  let context: BrowserContext;
  let page: Page;
  let app: Page;
  let complaints: string[];
  let complaintsInApp: string[];
  let loadedAt: number;

  let password: string;

  /** The dialog that shows once how to sign in to the new app. @returns the password in it */
  const readSignIn = async () => {
    const dialog = page.getByRole('dialog', { name: `Sign in to "${title}"` });
    await dialog.getByText('The password is shown only once.').waitFor();
    const values = await dialog.locator('.ant-descriptions-item-content').allInnerTexts();
    const address = expect.stringMatching(new RegExp(`^${fleet.supervisor.url}${base}apps/${name}/admin/?$`));
    expect(values).toEqual([address, 'nocobase', ADMIN.email, expect.stringMatching(/^\w{20}$/)]);
    // Neither Escape nor a click beside it takes away what is shown once.
    await page.keyboard.press('Escape');
    await page.mouse.click(5, 5);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialog.getByRole('button', { name: 'Copy' }).press('Enter');
    await dialog.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied.split('\n').map((line) => line.split(': ')[1])).toEqual(values);
    await dialog.getByRole('button', { name: 'I have saved it' }).press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    return values[3];
  };

  const becomes = (environment: string, wanted: string) =>
    page.locator(`[data-testid="status-${name}-${environment}"][data-status="${wanted}"]`).waitFor({ timeout: 90_000 });
  const placesToVisit = () =>
    page.getByRole('menuitem').filter({ has: page.locator(`[data-testid^="app-visit-${name}-"]`) });
  const press = (action: string) => page.getByTestId(`app-${action}-${name}`).click();

  beforeAll(async () => {
    context = await openContext(browser, manager.api);
    await context.addInitScript(letPollingBeOff);
    page = await context.newPage();
    complaints = complaintsOf(page);
  });

  inSteps(() => page, `browser-${client}`);

  afterAll(async () => {
    await context?.close();
    await manager.clear(name);
    await query(fleet.postgresServer, 'postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });

  it('finds the App supervisor in the settings, with its tabs', async () => {
    await page.goto(`${fleet.supervisor.url}${base}admin/`);
    loadedAt = await page.evaluate(() => performance.timeOrigin);
    await openSettingsByMenu(page);
    await shows(tabsOf(page), ['Overview', 'Apps', 'Environments', 'Activity', 'Notifications', 'Security checklist']);
    await page.getByTestId('environments-overview').waitFor();
    await tabsOf(page).filter({ hasText: 'Apps' }).click();
  });

  wholeIt('sees the environments: identifier, version, address, health and last heartbeat', async () => {
    await tabsOf(page).filter({ hasText: 'Environments' }).click();
    for (const environment of ['env_a', 'env_b']) {
      const row = page.getByTestId(`environment-row-${environment}`);
      for (const text of [environment, '2.2.15', fleet.worker(environment).url, 'Online']) {
        await row.getByText(text).first().waitFor();
      }
      const beat = async () => Date.parse((await row.locator('time').last().getAttribute('datetime'))!);
      await eventually(async () => Date.now() - (await beat())).toBeLessThan(60_000);
    }
    await tabsOf(page).filter({ hasText: 'Apps' }).click();
    await page.getByTestId('add-app').waitFor();
  });

  it('adds an app in two environments and watches it start in them, one after the other, without a reload', async () => {
    await page.getByTestId('add-app').click();
    const form = page.getByRole('dialog', { name: 'Add app' });
    await form.getByLabel('Name', { exact: true }).fill(title);
    await form.getByLabel('Identifier').fill(name);
    await choose(form, 'Environments', 'env_a', 'env_b');
    await choose(form, 'Target environment of the proxy', 'env_b');
    await form.getByTestId('advanced-general').click();
    await form.getByText('Start with main application').click();
    await form.getByTestId('advanced-administrator').click();
    // What is taken where nothing is entered.
    for (const [label, own] of Object.entries({ 'User name': 'nocobase', 'E-mail address': ADMIN.email }))
      expect(await form.getByLabel(label).getAttribute('placeholder')).toBe(own);
    await form.getByTestId('app-form-submit').click();
    await form.waitFor({ state: 'hidden' });
    password = await readSignIn();
    const seen = await recordStatuses(page, name);
    await becomes('env_a', 'running');
    await becomes('env_b', 'running');
    expectOneAfterTheOther(await seen());
    // Whoever has created it enters it once without its password.
    const enter = async () => {
      const creator = new Visitor(fleet.supervisor.url);
      await creator.signIn(ADMIN);
      await creator.open(`/api/__app/${name}/appSso:start?first=1&redirect=${base}apps/${name}/admin/`);
      return creator.session;
    };
    expect(await enter()).toMatch(/^ey/);
    expect(await enter()).toBe('');
  });

  it('is told by the server what another administrator changes, with no need to ask', async () => {
    const row = page.getByTestId(`app-row-${name}`);
    await page.evaluate(() => Object.assign(window, { isPollingOff: true }));
    for (const changed of [`${title} I`, title]) {
      await manager.api.post(`apps:update?filterByTk=${name}`, { title: changed });
      await row.getByText(changed, { exact: true }).waitFor();
    }
    await page.evaluate(() => Object.assign(window, { isPollingOff: false }));
  });

  it('visits it in the environment of choice, offered the target first, and signs in through the Supervisor', async () => {
    await press('visit');
    await shows(placesToVisit(), [
      expect.stringMatching(/^env_b.*Running.*target/s),
      expect.stringMatching(/^env_a.*Running/s),
    ]);
    const opening = context.waitForEvent('page');
    await placesToVisit().last().click();
    app = await opening;
    const sockets = socketsOf(app);
    const answeredBy = new Set<string>();
    app.on('response', (response) => answeredBy.add(response.headers()['x-app-environment'] ?? 'the Supervisor'));
    complaintsInApp = complaintsOf(app);
    await app.getByPlaceholder('Username/Email').fill(ADMIN.email);
    await app.getByPlaceholder('Password').fill(password);
    await app.getByRole('button', { name: /Sign in$/ }).click();
    await app.getByTestId('plugin-settings-button').waitFor();
    expect(app.url()).toMatch(new RegExp(`^${fleet.supervisor.url}${base}apps/${name}/admin`));
    const socket = `${fleet.supervisor.url.replace('http', 'ws')}/ws?__appName=${name}`;
    await eventually(() => sockets).toContainEqual({ url: socket, received: expect.toSatisfy(isSome), open: true });
    expect([...answeredBy].sort()).toEqual(['env_a', 'the Supervisor']);
  });

  it('finds no App supervisor in the app’s own settings', async () => {
    await app.getByTestId('plugin-settings-button').hover();
    await app.getByRole('menuitem', { name: 'System settings' }).waitFor();
    expect(await app.getByRole('menuitem', { name: 'App supervisor' }).count()).toBe(0);
  });

  it('opens it by the app switcher of the main app, once it is shown there', async () => {
    await manager.update(name, { pinned: true });
    const main = await context.newPage();
    await main.goto(`${fleet.supervisor.url}${base}admin/`);
    const opening = context.waitForEvent('page');
    await chooseInSwitcher(main, [title], title);
    const opened = await opening;
    await opened.waitForURL(`${fleet.supervisor.url}${base}apps/${name}/admin/**`);
    await opened.close();
    await main.close();
  });

  it('is offered the environment that answers since', async () => {
    await page.bringToFront();
    await press('visit');
    await shows(placesToVisit(), [
      expect.stringMatching(/^env_b((?!serves you now).)*$/s),
      expect.stringMatching(/^env_a.*serves you now/s),
    ]);
    await page.keyboard.press('Escape');
    await placesToVisit().first().waitFor({ state: 'hidden' });
    await page.locator(`[data-testid="app-visit-${name}"]:focus`).waitFor();
  });

  wholeIt('stops it, after a question (v2.0.18)', async () => {
    await press('stop');
    const dialog = page.getByRole('dialog', { name: `Stop "${title}"?` });
    await dialog.getByText('env_a, env_b').waitFor();
    await answer(dialog, 'Cancel');
    await press('stop');
    await answer(dialog, 'Stop');
    await becomes('env_a', 'stopped');
    await becomes('env_b', 'stopped');
    await app.getByText('App stopped').waitFor();
  });

  wholeIt('starts it again, after a question, in one environment after the other', async () => {
    const seen = await recordStatuses(page, name);
    await press('start');
    await answer(page.getByRole('dialog', { name: `Start "${title}"?` }), 'Start');
    await becomes('env_a', 'running');
    await becomes('env_b', 'running');
    expectOneAfterTheOther(await seen());
    await app.getByText('App stopped').waitFor({ state: 'hidden' });
  });

  wholeIt('deletes it, after a question that says that the database is kept, which it is', async () => {
    const dialog = page.getByRole('dialog', { name: `Delete "${title}"?` });
    await chooseInMenu(page, `app-more-${name}`, `app-delete-${name}`, dialog);
    const keep = dialog.getByLabel(`Keep the data: database "${name}"`);
    await eventually(() => keep.isChecked()).toBe(true);
    // With the data goes the identifier in writing.
    await dialog.getByLabel('Also delete the data').check();
    const agreeing = dialog.getByRole('button', { name: 'Delete', exact: true });
    for (const [typed, isAllowed] of [
      ['', false],
      [`${name}x`, false],
      [name, true],
    ] as const) {
      await dialog.locator('#confirm-name').fill(typed);
      await eventually(() => agreeing.isEnabled()).toBe(isAllowed);
    }
    await keep.check();
    await answer(dialog, 'Delete');
    await page.getByTestId(`app-row-${name}`).waitFor({ state: 'detached', timeout: 90_000 });
    const { data } = await manager.api.get('appOperations:list', { filter: { appName: name }, sort: '-createdAt' });
    expect(await manager.succeeded(data[0])).toMatchObject({ action: 'destroy' });
    const { rows } = await query(fleet.postgresServer, name, 'SELECT email FROM users');
    expect(rows).toEqual([{ email: ADMIN.email }]);
  });

  it('has had to reload nothing and has seen no error in the consoles', async () => {
    expect(await page.evaluate(() => performance.timeOrigin)).toBe(loadedAt);
    expect(complaints).toEqual([]);
    // Before the sign-in and while the app is stopped, NocoBase complains much by itself.
    expect(complaintsInApp.filter((complaint) => complaint.includes('app-supervisor'))).toEqual([]);
  });
});

const isSome = (count: number) => count > 0;

/** @param seen of `recordStatuses`; a page that is told late may miss a status that did not last. */
function expectOneAfterTheOther(seen: string[]): void {
  const begun = seen.findIndex((status) => /^env_b (?!stopped|waiting|unknown|not_found)/.test(status));
  expect(begun, seen.join(', ')).toBeGreaterThan(seen.indexOf('env_a running'));
  expect(seen).toContain('env_a running');
}

/** Picks options of a select in a form, by mouse. */
async function choose(form: Locator, label: string, ...options: string[]): Promise<void> {
  const id = await form.getByLabel(label).getAttribute('id');
  await form.locator(`.ant-select:has(#${id})`).click();
  const list = form.page().locator(`.ant-select-dropdown:has(#${id}_list)`);
  for (const option of options) await list.getByTitle(option, { exact: true }).click();
  await form.getByLabel('Name', { exact: true }).click();
}

interface Socket {
  url: string;
  received: number;
  open: boolean;
}

/** The WebSockets that a page opens from now on. */
function socketsOf(page: Page): Socket[] {
  const sockets: Socket[] = [];
  page.on('websocket', (opened) => {
    const socket = { url: opened.url(), received: 0, open: true };
    sockets.push(socket);
    opened.on('framereceived', () => {
      socket.received += 1;
    });
    opened.on('close', () => {
      socket.open = false;
    });
  });
  return sockets;
}

/** @returns what gives every status that the page has shown of the app since, as `env_a running`. */
async function recordStatuses(page: Page, name: string): Promise<() => Promise<string[]>> {
  const steps = await page.evaluateHandle((prefix) => {
    const seen: string[] = [];
    const shown = new Map<string, string>();
    const look = () => {
      for (const tag of document.querySelectorAll<HTMLElement>(`[data-testid^="${prefix}"]`)) {
        const environment = tag.dataset.testid!.slice(prefix.length);
        const { status = '' } = tag.dataset;
        if (shown.get(environment) === status) continue;
        shown.set(environment, status);
        seen.push(`${environment} ${status}`);
      }
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    return seen;
  }, `status-${name}-`);
  return () => steps.jsonValue();
}
