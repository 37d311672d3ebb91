import type { Page } from 'playwright-core';
import type { AppRow, OperationRow, PartInfo } from '../../src/shared/types';
import { STATUSES } from '../../src/shared/words';
import { eventsOfMany, loadOfMany, manyEnvironments } from './many-environments';
import {
  batchesOf,
  containersIn,
  deletedApps,
  downOf,
  ENGINE_SILENT,
  inStatus,
  inTrouble,
  NOTIFIERS,
  nameIn,
  OTHER_PARTS,
  PENDING,
  TEST_RESULT,
  UNCERTIFIED,
  UNDER_WAY,
} from './sample';
import { pageTab, type State } from './states';
import { answerNo, backToApps, hidden, isPhone, openTab, pressBulk, settled } from './steps';

/** The apps that are selected for an action on several. */
const SEVERAL = ['crm', 'orders', 'archive'];

/** Replaces the data of an answer. */
async function answerWith<Data>(page: Page, action: string, make: (data: Data) => unknown): Promise<void> {
  await page.route(`**/api/${action}*`, async (route) => {
    const data = make((await (await route.fetch()).json()).data);
    await route.fulfill({ json: { data, ...(Array.isArray(data) && { meta: { count: data.length } }) } });
  });
}

async function askSeveral(page: Page, action: string, button: string): Promise<void> {
  await pressBulk(page, action);
  await settled(page, button);
}

async function askOfEnvironment(page: Page, action: string, environment: string): Promise<void> {
  await page.getByTestId(`environment-${action}-${environment}`).click();
  await settled(page, '#confirm-ok');
}

/** Shows the page of a Worker or of a process without a role in the place of one of the tabs. */
async function showPart(page: Page, part: keyof typeof OTHER_PARTS, tab: Parameters<typeof openTab>[1]): Promise<void> {
  await page.route('**/api/appSupervisor:info*', (route) => route.fulfill({ json: { data: OTHER_PARTS[part] } }));
  await openTab(page, tab);
  await page.getByTestId(`${part}-page`).waitFor();
}

/** What goes wrong or is in progress, and what is done to several apps at once. Needs the apps of `createSampleApps`. */
export const RARE_STATES: State[] = [
  {
    name: 'app-failed',
    async show(page) {
      await page.keyboard.press('Escape');
      await hidden(page, '.ant-modal-mask');
      await openTab(page, 'apps');
      await page.getByTestId('app-open-billing').click();
      await page.locator('[data-testid^="operation-"][data-state=failed] .ant-alert').first().waitFor();
    },
  },
  {
    name: 'app-under-way',
    async show(page, { app }) {
      await backToApps(page);
      await answerWith(page, 'apps:get', (row: AppRow) => ({ ...row, pendingChanges: PENDING, warnings: UNCERTIFIED }));
      await answerWith(page, 'appOperations:list', (operations: OperationRow[]) => [UNDER_WAY, ...operations]);
      await page.getByTestId(`app-open-${app}`).click();
      await page.locator('[data-testid^="operation-"][data-state=running]').waitFor();
    },
  },
  {
    name: 'apps-columns',
    async show(page) {
      await backToApps(page);
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.locator('.ant-card button:has(.anticon-setting)').click();
      await settled(page, '.ant-popover input');
    },
  },
  {
    name: 'apps-stop-several',
    async show(page) {
      await page.locator('.ant-card button:has(.anticon-setting)').click();
      await page.locator('.ant-popover').filter({ visible: true }).waitFor({ state: 'hidden' });
      for (const app of SEVERAL) await page.getByTestId(`app-row-${app}`).getByRole('checkbox').check();
      await askSeveral(page, 'stop', '#confirm-ok');
    },
  },
  {
    name: 'apps-selected',
    async show(page) {
      await answerNo(page);
      await page.getByTestId('filter-text').fill(SEVERAL[0]);
      await page.getByTestId('bulk-hidden').waitFor();
      await page.getByTestId('show-selected').click();
      await settled(page, '#confirm-selected');
    },
  },
  {
    name: 'apps-batches',
    async show(page) {
      await answerNo(page);
      await page.getByTestId('filter-text').fill('');
      await answerWith(page, 'appBatches:list', batchesOf);
      await page.getByTestId('refresh-apps').click();
      await page.getByTestId('batch-b2').waitFor();
    },
  },
  {
    name: 'apps-batch',
    async show(page) {
      await answerWith(page, 'appBatches:get', () => batchesOf()[1]);
      await page.getByTestId('batch-open-b2').click();
      await settled(page, '[data-testid="batch-retry"]');
    },
  },
  {
    name: 'apps-batches-all',
    async show(page) {
      await page.locator('.ant-drawer .anticon-arrow-left').click();
      await page.locator('.ant-drawer [role=listitem]').first().waitFor();
    },
  },
  {
    name: 'apps-deleted',
    async show(page) {
      await page.locator('.ant-drawer-close:visible').click();
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await answerWith(page, 'apps:deleted', deletedApps);
      await page.getByTestId('more-lists').click();
      await settled(page, '[data-testid="open-deleted"]');
      await page.getByTestId('open-deleted').click();
      await settled(page, '[data-testid="restore-legacy"]');
    },
  },
  {
    name: 'apps-delete-several',
    async show(page) {
      await page.locator('.ant-drawer-close:visible').click();
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      for (const app of SEVERAL) await page.getByTestId(`app-row-${app}`).getByRole('checkbox').check();
      await askSeveral(page, 'delete', '#confirm-delete');
    },
  },
  {
    name: 'switcher',
    async show(page) {
      await answerNo(page);
      for (const app of SEVERAL) await page.getByTestId(`app-row-${app}`).getByRole('checkbox').uncheck();
      // NocoBase has no switcher in its layout for phones.
      if (isPhone(page)) return 'absent';
      await page.locator('.ant-pro-layout-apps-icon').click();
      return settled(page, '.ant-popover a');
    },
  },
  {
    name: 'apps-stale',
    async show(page) {
      if (!isPhone(page)) await page.locator('.ant-pro-layout-apps-icon').click();
      await page.context().setOffline(true);
      await page.getByTestId('refresh-apps').click();
      await page.locator('.ant-alert-error').waitFor();
    },
  },
  {
    name: 'apps-empty',
    async show(page) {
      await page.context().setOffline(false);
      await answerWith(page, 'apps:list', () => []);
      await page.getByTestId('refresh-apps').click();
      await page.locator('.ant-empty').waitFor();
    },
  },
  {
    name: 'apps-every-status',
    async show(page) {
      await page.setViewportSize({ ...page.viewportSize()!, height: 1300 });
      await answerWith(page, 'apps:list', ([app]: AppRow[]) => STATUSES.map((status) => inStatus(app, status)));
      await page.getByTestId('refresh-apps').click();
      await page.getByTestId(`app-row-${nameIn(STATUSES.at(-1)!)}`).waitFor();
    },
  },
  {
    name: 'environments-in-trouble',
    async show(page) {
      await answerWith(page, 'appEnvironments:list', inTrouble);
      await openTab(page, 'environments');
      await page.locator('[data-health=down]').waitFor();
    },
  },
  {
    name: 'environment-down',
    async show(page) {
      await answerWith(page, 'appEnvironments:get', downOf);
      await page.getByTestId('environment-row-env_b').getByTestId('environment-link-env_b').click();
      await page.getByTestId('environment-page-env_b').waitFor();
      await page.getByTestId('environment-limits').waitFor();
    },
  },
  {
    name: 'environments-drain',
    async show(page) {
      await page.getByTestId('back-to-environments').click();
      await askOfEnvironment(page, 'drain', 'env_a');
    },
  },
  {
    name: 'environments-forget',
    async show(page) {
      await answerNo(page);
      await askOfEnvironment(page, 'forget', 'env_b');
    },
  },
  {
    name: 'overview-many',
    async show(page) {
      await answerNo(page);
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await answerWith(page, 'appFleet:summary', manyEnvironments);
      await answerWith(page, 'appFleet:load', loadOfMany);
      await answerWith(page, 'appEvents:list', eventsOfMany);
      await openTab(page, 'overview');
      await page.getByTestId('overview-env_008').waitFor();
      await page.locator('[data-state=outage]').first().waitFor();
    },
  },
  {
    name: 'overview-many-all',
    async show(page) {
      await page.getByTestId('all-environments').click();
      await page.getByTestId('overview-env_050').waitFor();
    },
  },
  {
    name: 'overview-doors',
    show: (page) => page.getByTestId('doors').scrollIntoViewIfNeeded(),
  },
  {
    name: 'containers',
    async show(page) {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await answerWith(page, 'appSupervisor:info', (info: PartInfo) => ({ ...info, makesContainers: true }));
      await page.route('**/api/appContainers:list*', (route) => route.fulfill({ json: { data: containersIn() } }));
      // A page asks once what the part is.
      await openTab(page, 'apps');
      await page.locator('[data-testid^="app-row-"]').first().waitFor();
      await openTab(page, 'environments');
      await page.locator('[data-testid^="container-row-"]').first().waitFor();
      await page.locator('[data-status=restarting]').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'add-environment-here',
    async show(page) {
      await page.getByTestId('add-environment').click();
      await page.locator('#name').fill('env_c');
      await page.locator('#url').fill('http://localhost:17000');
      await page.getByTestId('join').click();
      await page.getByTestId('make-container').waitFor();
    },
  },
  {
    name: 'environment-container',
    async show(page) {
      await openTab(page, 'environments');
      await page.getByTestId('environment-row-env_b').getByTestId('environment-link-env_b').click();
      await pageTab(page, 3, 'environment-page-');
      await page.getByTestId('container-row-env_b').waitFor();
    },
  },
  {
    name: 'environment-engine-silent',
    async show(page) {
      const answer = { status: 502, json: { errors: [{ ...ENGINE_SILENT, message: '' }] } };
      await page.route('**/api/appContainers:list*', (route) => route.fulfill(answer));
      await pageTab(page, 0, 'environment-page-');
      await page.getByTestId('hosted-apps').waitFor();
      await pageTab(page, 3, 'environment-page-');
      await page.locator('.ant-result-warning, .ant-alert-error').first().waitFor();
    },
  },
  {
    name: 'environments-engine-silent',
    async show(page) {
      await page.getByTestId('back-to-environments').click();
      // The page that is left shows such an alert, too.
      await page.locator('[data-testid^="environment-row-"]').first().waitFor();
      await page.locator('.ant-alert-error').waitFor();
    },
  },
  {
    name: 'apps-forbidden',
    async show(page) {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      const refusal = { status: 403, json: { errors: [{ message: 'No' }] } };
      await page.route('**/api/apps:list*', (route) => route.fulfill(refusal));
      await openTab(page, 'apps');
      await page.locator('.ant-result-403').waitFor();
    },
  },
  {
    name: 'apps-broken',
    async show(page) {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      // Rows without the fields that the page needs.
      await answerWith(page, 'apps:list', () => [{ name: 'x' }]);
      await openTab(page, 'environments');
      // A client that has not yet changed the page ignores the way back.
      await page.getByTestId('environment-row-env_a').waitFor();
      await openTab(page, 'apps');
      await page.locator('.ant-result-error').waitFor();
    },
  },
  {
    name: 'notifications-failing',
    async show(page) {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.route('**/api/appNotifiers:list*', (route) => route.fulfill({ json: NOTIFIERS }));
      await page.route('**/api/appNotifiers:test*', (route) => route.fulfill({ json: { data: TEST_RESULT } }));
      await openTab(page, 'notifications');
      await page.getByTestId('test-channel').click();
      await page.getByTestId('test-webhook').click();
      await page.getByTestId('test-result').nth(1).waitFor();
    },
  },
  {
    name: 'notifications-secret',
    async show(page) {
      await page.route('**/api/appNotifiers:update*', (route) =>
        route.fulfill({
          json: { data: { ...NOTIFIERS.data[1], secret: 'cCtSq3VZ0n0Pj7Xb2yGmH8rUeWkLd5aTfN1sQoIv4Mg' } },
        }),
      );
      await page.getByTestId('new-secret').click();
      await page.locator('#confirm-ok').click();
      await page.getByTestId('webhook-secret').scrollIntoViewIfNeeded();
    },
  },
  { name: 'part-worker', show: (page) => showPart(page, 'worker', 'environments') },
  { name: 'part-dormant', show: (page) => showPart(page, 'dormant', 'apps') },
  {
    // The last one: the page keeps no WebSocket from here on.
    name: 'apps-live-off',
    async show(page, { app }) {
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.routeWebSocket(/\/ws(\?|$)/, (socket) => socket.close());
      await page.reload();
      await page.getByTestId('live-off').waitFor();
      await page.getByTestId(`app-row-${app}`).waitFor();
    },
  },
];
