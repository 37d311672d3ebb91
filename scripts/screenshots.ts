import fs from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { defaultsIn } from '../src/shared/fields';
import { say, verbatim } from '../src/shared/message';
import { OPERATION } from '../src/shared/operation';
import {
  type AppRow,
  type EnvironmentRow,
  type OperationRow,
  type PartInfo,
  STATUSES,
  type Status,
} from '../src/shared/types';
import {
  answerNo,
  CLIENTS,
  chooseTheme,
  closeDrawer,
  enableLanguages,
  launchBrowser,
  openContext,
  openSettings,
  STATES,
  settled,
  tabsOf,
} from './browser';
import { type Api, ApiError, Fleet, waitFor } from './fleet';
import { terminalProgress } from './fleet/progress';
import { ensurePrograms } from './lib/programs.mjs';
import { ROOT } from './lib/root.mjs';

/**
 * `npm run screenshots`: every page and state of ours in both clients, themes and languages, into `.fleet/screenshots`.
 * With `-- --readme` only the pictures of the READMEs, into `docs/pictures`. With `-- --fleet NAME` in a running fleet,
 * which keeps the apps that this creates.
 */

const FOLDER = path.join(ROOT, '.fleet/screenshots');
const README_FOLDER = path.join(ROOT, 'docs/pictures');
/** Hides the tooltips of elements that were pressed to reach a state. */
const NO_TOOLTIPS = '.ant-tooltip { display: none !important }';
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
  const { values } = parseArgs({ options: { fleet: { type: 'string' }, readme: { type: 'boolean' } } });
  ensurePrograms(['chromium', 'chineseFont'], console.log);
  const fleet = values.fleet
    ? Fleet.attach(values.fleet)
    : await Fleet.start({ name: 'photographer', port: 'free', reset: true, durable: false }, terminalProgress());
  const browser = await launchBrowser();
  try {
    const api = await fleet.supervisor.signIn();
    await enableLanguages(api, ...LANGUAGES);
    await makeApps(api);
    if (values.readme) return await photographForReadme(browser, api);
    await fs.rm(FOLDER, { recursive: true, force: true });
    for (const client of CLIENTS) {
      const page = await (await openContext(browser, api)).newPage();
      for (const theme of THEMES) {
        await chooseTheme(api, theme);
        for (const language of LANGUAGES) {
          const folder = [client.client, theme === 'dark' ? 'dark' : 'light', language.slice(0, 2)].join('-');
          await openSettings(page, api.url, client, language);
          const count = await photograph(page, path.join(FOLDER, folder));
          const deaf = await page.context().newPage();
          await deaf.routeWebSocket(/\/ws(\?|$)/, (socket) => socket.close());
          await openSettings(deaf, api.url, client, language);
          await deaf.getByTestId('live-off').waitFor();
          await deaf.getByTestId(`app-row-${SAMPLE.app}`).waitFor();
          await deaf.screenshot({ path: path.join(FOLDER, folder, `${count + 1}-apps-live-off.png`) });
          await deaf.close();
          console.log(`  ${folder}: ${count + 1} pictures`);
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
  await untilAllIsDone(api);
  await api.post('apps:stop?filterByTk=archive');
}

const untilAllIsDone = (api: Api) =>
  waitFor(
    async () => (await api.get('apps:list')).data.every(({ operation }: { operation: unknown }) => operation === null),
    { timeout: 180_000, interval: 500, what: 'The end of all operations' },
  );

/** In the modern client, light, in each language: the apps, one app, the environments. */
async function photographForReadme(browser: Browser, api: Api): Promise<void> {
  await api.post(`apps:restart?filterByTk=${SAMPLE.app}`);
  await untilAllIsDone(api);
  await fs.mkdir(README_FOLDER, { recursive: true });
  await chooseTheme(api, 'default');
  const page = await (await openContext(browser, api)).newPage();
  await page.setViewportSize({ width: 1440, height: 720 });
  const client = CLIENTS.find((each) => each.client === 'modern')!;
  for (const language of LANGUAGES) {
    const take = async (name: string) => {
      await page.mouse.move(0, 0);
      const file = path.join(README_FOLDER, `${name}.${language.slice(0, 2)}.png`);
      await page.screenshot({ path: file, animations: 'disabled', style: NO_TOOLTIPS });
      console.log(`  ${path.relative(ROOT, file)}: ${Math.round((await fs.stat(file)).size / 1000)} kB`);
    };
    const show = (name: string) => STATES.find((state) => state.name === name)!.show(page, SAMPLE);
    await openSettings(page, api.url, client, language);
    await show('apps');
    await take('apps');
    await page.getByTestId(`app-open-${SAMPLE.app}`).click();
    await page.locator('.ant-drawer [data-testid^="operation-"]').nth(1).waitFor();
    await take('app');
    await page.locator('.ant-drawer-close').click();
    await tabsOf(page).nth(1).click();
    await show('environments-checked');
    await take('environments');
  }
}

/** Takes a picture of the current page. */
type Take = (name: string) => Promise<void>;

/** @returns the number of pictures */
async function photograph(page: Page, folder: string): Promise<number> {
  let count = 0;
  const take: Take = async (name) => {
    count += 1;
    await page.mouse.move(0, 0);
    const file = `${String(count).padStart(2, '0')}-${name}.png`;
    await page.screenshot({ path: path.join(folder, file), animations: 'disabled', style: NO_TOOLTIPS });
  };
  await photographStates(page, take);
  await photographDrawer(page, take);
  await photographList(page, take);
  await photographAnswers(page, take);
  await photographEnvironments(page, take);
  await photographFailures(page, take);
  return count;
}

async function photographStates(page: Page, take: Take): Promise<void> {
  for (const { name, show } of STATES) {
    await show(page, SAMPLE).catch(async (error) => {
      await take(`${name}-failed`);
      throw error;
    });
    await take(name);
  }
}

/** One app: what failed, and what is in progress. */
async function photographDrawer(page: Page, take: Take): Promise<void> {
  await tabsOf(page).nth(0).click();
  await page.getByTestId('app-open-billing').click();
  await page.locator('.ant-drawer [data-testid^="operation-"][data-state=failed] .ant-alert').first().waitFor();
  await take('app-failed');
  await closeDrawer(page);
  await answerWith(page, 'apps:get', (app: AppRow) => ({ ...app, pendingChanges: PENDING }));
  await answerWith(page, 'appOperations:list', (operations: OperationRow[]) => [UNDER_WAY, ...operations]);
  await page.getByTestId(`app-open-${SAMPLE.app}`).click();
  await page.locator('.ant-drawer [data-testid^="operation-"][data-state=running]').waitFor();
  await take('app-under-way');
  await closeDrawer(page);
  await page.unrouteAll();
}

/** The actions of the list, and the links between apps. */
async function photographList(page: Page, take: Take): Promise<void> {
  await page.locator('.ant-card button:has(.anticon-setting)').click();
  await settled(page, '.ant-popover input');
  await take('apps-columns');
  await page.locator('.ant-card button:has(.anticon-setting)').click();
  await page.locator('.ant-popover').filter({ visible: true }).waitFor({ state: 'hidden' });
  for (const app of ['crm', 'orders', 'archive']) {
    await page.getByTestId(`app-row-${app}`).getByRole('checkbox').check();
  }
  for (const [action, agree] of [
    ['stop', '#confirm-ok'],
    ['delete', '#confirm-delete'],
  ]) {
    await page.getByTestId(`bulk-${action}`).click();
    await settled(page, agree);
    await take(`apps-${action}-several`);
    await answerNo(page);
  }
  for (const app of ['crm', 'orders', 'archive']) {
    await page.getByTestId(`app-row-${app}`).getByRole('checkbox').uncheck();
  }
  await page.locator('.ant-pro-layout-apps-icon').click();
  await settled(page, '.ant-popover a');
  await take('switcher');
  await page.locator('.ant-pro-layout-apps-icon').click();
}

/** The list without a connection, without an app, and with every status. */
async function photographAnswers(page: Page, take: Take): Promise<void> {
  await page.context().setOffline(true);
  await page.getByTestId('refresh-apps').click();
  await page.locator('.ant-alert-error').waitFor();
  await take('apps-stale');
  await page.context().setOffline(false);
  await answerWith(page, 'apps:list', () => []);
  await page.getByTestId('refresh-apps').click();
  await page.locator('.ant-empty').waitFor();
  await take('apps-empty');
  await answerWith(page, 'apps:list', ([app]: AppRow[]) => STATUSES.map((status) => inStatus(app, status)));
  await page.getByTestId('refresh-apps').click();
  await page.getByTestId(`app-row-${STATUSES.at(-1)}`).waitFor();
  await page.setViewportSize({ width: 1440, height: 1300 });
  await take('apps-every-status');
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function photographEnvironments(page: Page, take: Take): Promise<void> {
  await answerWith(page, 'appEnvironments:list', inTrouble);
  await tabsOf(page).nth(1).click();
  await page.locator('[data-health=down]').waitFor();
  await take('environments-in-trouble');
  for (const [action, environment] of [
    ['drain', 'env_a'],
    ['forget', 'env_b'],
  ]) {
    await page.getByTestId(`environment-${action}-${environment}`).click();
    await settled(page, '#confirm-ok');
    await take(`environments-${action}`);
    await answerNo(page);
  }
  await page.unrouteAll();
}

/** The pages without permission, with invalid answers, and in other roles. */
async function photographFailures(page: Page, take: Take): Promise<void> {
  await page.route('**/api/apps:list*', (route) =>
    route.fulfill({ status: 403, json: { errors: [{ message: 'No' }] } }),
  );
  await tabsOf(page).nth(0).click();
  await page.locator('.ant-result-403').waitFor();
  await take('apps-forbidden');
  await page.unrouteAll();
  // Rows without the fields that the page needs.
  await answerWith(page, 'apps:list', () => [{ name: 'x' }]);
  await tabsOf(page).nth(1).click();
  await tabsOf(page).nth(0).click();
  await page.locator('.ant-result-error').waitFor();
  await take('apps-broken');
  for (const [part, info] of Object.entries(OTHER_PARTS)) {
    await page.route('**/api/appSupervisor:info*', (route) => route.fulfill({ json: { data: info } }));
    await tabsOf(page)
      .nth(part === 'worker' ? 1 : 0)
      .click();
    await page.getByTestId(`${part}-page`).waitFor();
    await take(`part-${part}`);
  }
  await page.unrouteAll();
}

/** Replaces an answer by a changed one. */
async function answerWith<Data>(page: Page, action: string, make: (data: Data) => unknown): Promise<void> {
  await page.route(`**/api/${action}*`, async (route) => {
    const data = make((await (await route.fetch()).json()).data);
    await route.fulfill({ json: { data, ...(Array.isArray(data) && { meta: { count: data.length } }) } });
  });
}

function inStatus(app: AppRow, status: Status): AppRow {
  const [environment] = app.environments;
  const shown = {
    ...app.statuses[environment],
    status,
    ...(status === 'commanding' && { message: verbatim('load locale resource') }),
  };
  return {
    ...app,
    name: status,
    title: status,
    desiredState: 'onDemand',
    environments: [environment],
    statuses: { [environment]: shown },
    operation: status === 'commanding' ? COMMANDING : null,
  };
}

const inTrouble = (rows: EnvironmentRow[]): EnvironmentRow[] => {
  const [row] = rows;
  const like = (name: string, change: Partial<EnvironmentRow>) => ({ ...row, name, ...change });
  const since = row.since && row.since - 3_600_000;
  return [
    like('env_a', { cordoned: true, appVersion: '2.2.0', proxyUrl: 'http://worker_a' }),
    like('env_b', {
      health: 'down',
      available: false,
      since,
      lastHeartbeatAt: since,
      memory: null,
      eventLoopDelay: null,
    }),
    like('env_c', {
      health: 'suspect',
      warnings: [say('SECOND_PROCESS', { standby: 'worker-2:81' })],
    }),
    like('env_jobs', { health: 'unknown', serves: false, apps: {} }),
  ];
};

const OTHER_PARTS: Record<'worker' | 'dormant', PartInfo> = {
  worker: {
    part: 'worker',
    warnings: [],
    environment: 'env_a',
    supervisor: { publicUrl: 'https://apps.example.com', instance: 'supervisor:7' },
    apps: [
      { name: 'crm', title: 'CRM', status: 'running', since: Date.now() - 3_600_000, version: '2.2.15' },
      {
        name: 'orders',
        title: 'Orders and deliveries',
        status: 'dormant',
        since: Date.now() - 3_600_000,
        version: '2.2.15',
      },
    ],
  },
  dormant: { part: 'dormant', environment: null, warnings: [] },
};

const PENDING = ['jwtSecret', 'options.database', 'plugins'];

const COMMANDING: OperationRow = {
  ...defaultsIn(OPERATION, 'row'),
  id: '1',
  appName: 'commanding',
  action: 'restart',
  state: 'running',
  waitingFor: say('WAITS_FOR_BEGIN', { environment: 'env_a' }),
  steps: ['env_a', 'env_b'].map((environment) => ({ environment, state: 'running' })),
  createdAt: 0,
};

const UNDER_WAY: OperationRow = {
  ...COMMANDING,
  steps: [
    { environment: 'env_a', state: 'succeeded', startedAt: Date.now() - 12_000, finishedAt: Date.now() - 4_000 },
    {
      environment: 'env_b',
      state: 'running',
      startedAt: Date.now() - 3_000,
      message: verbatim('load locale resource'),
    },
  ],
  waitingFor: null,
  createdAt: Date.now() - 12_000,
};

await main();
