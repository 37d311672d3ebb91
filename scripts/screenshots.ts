import fs from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { type AppRow, type OperationRow, STATUSES, type Status } from '../src/shared/types';
import {
  CLIENTS,
  chooseTheme,
  enableLanguages,
  launchBrowser,
  openContext,
  openSettings,
  STATES,
  tabsOf,
} from './browser';
import { type Api, ApiError, Fleet, waitFor } from './fleet';
import { terminalProgress } from './fleet/progress';
import { ROOT } from './lib/root.mjs';

/**
 * `npm run screenshots`: every page and state of ours in both clients, themes and languages, into `.fleet/screenshots`.
 * With `-- --fleet NAME` in a fleet that runs already, which keeps the apps that this makes.
 */

const FOLDER = path.join(ROOT, '.fleet/screenshots');
const LANGUAGES = ['en-US', 'zh-CN'];
const THEMES = ['default', 'dark'] as const;
const SAMPLE = { app: 'crm', environment: 'env_a' };

const EVERYWHERE = ['env_a', 'env_b'];
const APPS = [
  { name: 'crm', title: 'CRM', environments: EVERYWHERE, targetEnvironment: 'env_b', cname: 'crm.example.com' },
  { name: 'orders', title: 'Orders and deliveries', environments: ['env_a'], startMode: 'withMain', pinned: true },
  { name: 'archive', title: '档案', environments: EVERYWHERE },
  {
    name: 'billing',
    title: 'Billing',
    environments: ['env_b'],
    options: {
      dbConnType: 'new_connection',
      database: {
        dialect: 'postgres',
        host: '127.0.0.1',
        port: 1,
        username: 'billing',
        password: '-',
        database: 'billing',
      },
    },
  },
];

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { fleet: { type: 'string' } } });
  const fleet = values.fleet
    ? Fleet.attach(values.fleet)
    : await Fleet.start({ name: 'photographer', port: 'free', reset: true, durable: false }, terminalProgress());
  const browser = await launchBrowser();
  try {
    const api = await fleet.supervisor.signIn();
    await enableLanguages(api, ...LANGUAGES);
    await makeApps(api);
    await fs.rm(FOLDER, { recursive: true, force: true });
    for (const client of CLIENTS) {
      const page = await (await openContext(browser, api)).newPage();
      for (const theme of THEMES) {
        await chooseTheme(api, theme);
        for (const language of LANGUAGES) {
          const folder = [client.client, theme === 'dark' ? 'dark' : 'light', language.slice(0, 2)].join('-');
          await openSettings(page, api.url, client, language);
          console.log(`  ${folder}: ${await photograph(page, path.join(FOLDER, folder))} pictures`);
        }
      }
      await page.context().close();
    }
    await chooseTheme(api, 'default');
  } finally {
    await browser.close();
    if (!values.fleet) await fleet.stop();
  }
}

async function makeApps(api: Api): Promise<void> {
  for (const app of APPS) {
    await api.post('apps:create', app).catch((error) => {
      if (!(error instanceof ApiError && error.body.includes('NAME_TAKEN'))) throw error;
    });
  }
  await waitFor(
    async () => (await api.get('apps:list')).data.every(({ operation }: { operation: unknown }) => operation === null),
    { timeout: 180_000, interval: 500, what: 'The end of all operations' },
  );
  await api.post('apps:stop?filterByTk=archive');
}

/** @returns how many. */
async function photograph(page: Page, folder: string): Promise<number> {
  let count = 0;
  const take = async (name: string) => {
    count += 1;
    await page.mouse.move(0, 0);
    const file = `${String(count).padStart(2, '0')}-${name}.png`;
    await page.screenshot({ path: path.join(folder, file), animations: 'disabled' });
  };
  for (const { name, show } of STATES) {
    await show(page, SAMPLE).catch(async (error) => {
      await take(`${name}-failed`);
      throw error;
    });
    await take(name);
  }
  await answerWith(page, () => []);
  await tabsOf(page).nth(0).click();
  await page.locator('.ant-empty').waitFor();
  await take('apps-empty');
  await answerWith(page, ([app]) => STATUSES.map((status) => inStatus(app, status)));
  await page.getByTestId('refresh-apps').click();
  await page.getByTestId(`app-row-${STATUSES.at(-1)}`).waitFor();
  await page.setViewportSize({ width: 1440, height: 1300 });
  await take('apps-every-status');
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.unrouteAll();
  return count;
}

/** Lets the list of apps be what is made of the real one. */
async function answerWith(page: Page, make: (apps: AppRow[]) => AppRow[]): Promise<void> {
  await page.route('**/api/apps:list*', async (route) => {
    const data = make((await (await route.fetch()).json()).data);
    await route.fulfill({ json: { data, meta: { count: data.length } } });
  });
}

function inStatus(app: AppRow, status: Status): AppRow {
  const [environment] = app.environments;
  const shown = {
    ...app.statuses[environment],
    status,
    ...(status === 'commanding' && { message: 'load locale resource' }),
  };
  return {
    ...app,
    name: status,
    title: status,
    desiredState: 'onDemand',
    environments: [environment],
    statuses: { [environment]: shown },
    operation: status === 'commanding' ? OPERATION : null,
  };
}

const OPERATION: OperationRow = {
  id: '1',
  appName: 'commanding',
  action: 'restart',
  state: 'running',
  waitingFor: 'environment env_a to begin',
  steps: ['env_a', 'env_b'].map((environment) => ({ environment, state: 'running' })),
  createdBy: null,
  createdAt: 0,
  finishedAt: null,
};

await main();
