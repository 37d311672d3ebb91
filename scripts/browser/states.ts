import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'playwright-core';
import { answerNo, backToApps, hidden, openTab, pressBulk, settled, shown } from './steps';

/**
 * The objects in the states: an app in several environments that may be visited and stopped, and one of its
 * environments.
 */
export interface Sample {
  app: string;
  environment: string;
}

export interface State {
  name: string;
  /**
   * Goes here from the state before; the first one from a page with the list of apps. Independent of the language.
   * @returns 'absent' if a page of this width has no such state
   */
  show(page: Page, sample: Sample): Promise<unknown>;
}

/** Opens one of the tabs below everything else that is known about an app or an environment, and shows it from its top. */
export async function pageTab(page: Page, index: number, of = 'app-page-'): Promise<void> {
  const tab = page.locator(`[data-testid^="${of}"]`).getByRole('tab').nth(index);
  await tab.click();
  await tab.evaluate((element) => element.scrollIntoView());
}

/**
 * Shows one state after the other.
 *
 * @param page shows the list of apps
 * @param look is called in each state
 * @throws naming the state that could not be shown or looked at
 */
export async function visitStates(
  page: Page,
  states: State[],
  sample: Sample,
  look: (name: string) => Promise<void>,
): Promise<void> {
  const size = page.viewportSize()!;
  for (const { name, show } of states) {
    const shown = await show(page, sample).catch((error: Error) => {
      throw new Error(`The state ${name} could not be shown: ${error.message}`, { cause: error });
    });
    if (shown === 'absent') continue;
    await look(name).catch((error: Error) => {
      throw new Error(`In the state ${name}: ${error.message}`, { cause: error });
    });
    // A state may be of another size.
    if (!isDeepStrictEqual(page.viewportSize(), size)) await page.setViewportSize(size);
  }
}

/** Every page, drawer, dialog and menu of ours, with what the server answers. */
export const STATES: State[] = [
  {
    name: 'apps',
    show: (page, { app }) => page.getByTestId(`app-row-${app}`).waitFor(),
  },
  {
    name: 'go-to',
    async show(page, { app }) {
      await page.keyboard.press('Control+k');
      await page.getByTestId('go-to-text').fill('env_a');
      await settled(page, `[data-testid="go-to-app-${app}"]`);
    },
  },
  {
    name: 'apps-filter',
    async show(page) {
      await page.keyboard.press('Escape');
      await hidden(page, '.ant-modal-mask');
      await page.getByTestId('filter-status').click();
      await shown(page, '.ant-select-dropdown .ant-select-item-option');
    },
  },
  {
    name: 'apps-filter-label',
    async show(page) {
      await page.keyboard.press('Escape');
      await page.getByTestId('filter-label').click();
      await shown(page, '.ant-select-dropdown:not(.ant-select-dropdown-hidden) .ant-select-item-option');
    },
  },
  {
    name: 'apps-views',
    async show(page) {
      await page.keyboard.press('Escape');
      await page.getByTestId('views').click();
      await settled(page, '.ant-dropdown [role="menuitem"]');
    },
  },
  {
    name: 'apps-view-name',
    async show(page) {
      await page.locator('.ant-dropdown [role="menuitem"]:visible').last().click();
      await settled(page, '#save-view');
    },
  },
  {
    name: 'apps-cards',
    async show(page, { app }) {
      await page.keyboard.press('Escape');
      await page.setViewportSize({ width: 390, height: 900 });
      await page.locator(`.ant-card [data-testid=app-row-${app}]`).waitFor();
    },
  },
  {
    name: 'apps-none-found',
    async show(page) {
      await page.getByTestId('filter-text').fill('no such app');
      await shown(page, '.ant-empty');
    },
  },
  {
    name: 'apps-chosen',
    async show(page, { app }) {
      await page.getByTestId('filter-text').fill('');
      await page.getByTestId(`app-row-${app}`).getByRole('checkbox').check();
      await page.getByTestId('bulk-start').waitFor();
    },
  },
  {
    name: 'apps-label',
    async show(page) {
      await pressBulk(page, 'label');
      await shown(page, '#confirm-labels');
    },
  },
  {
    name: 'apps-settings',
    async show(page) {
      await answerNo(page);
      await pressBulk(page, 'configure');
      await shown(page, '#confirm-settings');
    },
  },
  {
    name: 'apps-visit',
    async show(page, { app, environment }) {
      await answerNo(page);
      await page.getByTestId(`app-row-${app}`).getByRole('checkbox').uncheck();
      await page.getByTestId(`app-visit-${app}`).click();
      await settled(page, `[data-testid="app-visit-${app}-${environment}"]`);
    },
  },
  {
    name: 'apps-more',
    async show(page, { app }) {
      await page.keyboard.press('Escape'); // The menu of before may lie over the button.
      await page.getByTestId(`app-more-${app}`).click();
      await settled(page, `[data-testid="app-restart-${app}"]`);
    },
  },
  {
    name: 'apps-reset-admin',
    async show(page, { app }) {
      await page.getByTestId(`app-reset-admin-${app}`).click();
      await settled(page, '#confirm-ok');
    },
  },
  {
    name: 'apps-stop',
    async show(page, { app }) {
      await answerNo(page);
      await page.getByTestId(`app-stop-${app}`).click();
      await settled(page, '#confirm-ok');
    },
  },
  {
    name: 'apps-delete',
    async show(page, { app }) {
      await answerNo(page);
      await page.getByTestId(`app-more-${app}`).click();
      await settled(page, `[data-testid="app-delete-${app}"]`);
      await page.getByTestId(`app-delete-${app}`).click();
      await settled(page, '#confirm-delete');
    },
  },
  {
    name: 'apps-delete-data',
    async show(page) {
      await page.locator('.ant-modal input[value=drop]').check();
      await shown(page, '#confirm-name');
    },
  },
  {
    name: 'app',
    async show(page, { app }) {
      await answerNo(page);
      await page.getByTestId(`app-open-${app}`).click();
      await page.getByTestId(`app-page-${app}`).waitFor();
      await shown(page, '[data-testid^="operation-"]');
    },
  },
  {
    name: 'app-operations',
    async show(page) {
      await pageTab(page, 0);
      await shown(page, '[data-testid^="operation-"]');
    },
  },
  {
    name: 'app-activity',
    async show(page) {
      await pageTab(page, 1);
      await shown(page, '[data-testid="events"]');
    },
  },
  {
    name: 'app-log',
    async show(page) {
      await pageTab(page, 2);
      await page.getByTestId('app-log').waitFor();
    },
  },
  {
    name: 'app-settings',
    async show(page) {
      await pageTab(page, 3);
      await shown(page, '.ant-descriptions');
    },
  },
  {
    name: 'app-more',
    async show(page) {
      await page.getByTestId('app-page-more').click();
      await settled(page, '[data-testid="app-page-destroy"]');
    },
  },
  {
    name: 'edit-app',
    async show(page) {
      await page.getByTestId('app-page-more').click();
      await page.getByTestId('app-page-edit').click();
      await settled(page, '#title');
    },
  },
  {
    name: 'add-app',
    async show(page) {
      await page.locator('.ant-drawer-close').click();
      await page.locator('#title').waitFor({ state: 'detached' });
      await hidden(page, '.ant-drawer-mask');
      await backToApps(page);
      await page.getByTestId('add-app').click();
      await settled(page, '#title');
    },
  },
  {
    name: 'add-app-problems',
    async show(page) {
      await page.locator('#name').fill('main');
      await page.getByTestId('app-form-submit').click();
      await page.locator('.ant-form-item-explain-error:visible').nth(1).waitFor();
    },
  },
  {
    name: 'add-app-connection',
    async show(page) {
      await page.getByTestId('advanced-database').click();
      await page.locator('input[value=new_connection]').check();
      await shown(page, '#options_database_host');
      await page.locator('#options_database_tablePrefix').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'add-app-end',
    show: (page) => page.getByTestId('advanced-display').click(),
  },
  {
    name: 'add-app-sso',
    async show(page) {
      await page.getByTestId('advanced-sso').click();
      await page.locator('#options_sso_enabled').check();
      await page.locator('#options_sso_autoSignup').check();
      await page.locator('#options_sso_passwordSignIn').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'add-app-discard',
    async show(page) {
      await page.locator('.ant-drawer-close').click();
      await settled(page, '#confirm-ok');
    },
  },
  {
    name: 'app-sign-in',
    async show(page, { app }) {
      // Does not create an app, because every other picture would show it.
      await page.route('**/api/apps:create*', async (route) => {
        const initialAdmin = { username: 'ada', email: 'ada@example.com', password: 'Rt7mWq2ZkP9xNc4VbH8s' };
        await route.fulfill({ json: { data: { name: app, title: 'CRM', initialAdmin } } });
      });
      await answerNo(page);
      await page.locator('#title').fill('CRM');
      await page.locator('#name').fill('');
      await page.locator('input[value=new_database]').check();
      await page.getByTestId('app-form-submit').click();
      await settled(page, '[data-testid="sign-in-close"]');
      await page.unroute('**/api/apps:create*');
    },
  },
  {
    name: 'environments',
    async show(page, { environment }) {
      await page.getByTestId('sign-in-close').click();
      await hidden(page, '.ant-modal-mask');
      await openTab(page, 'environments');
      await page.getByTestId(`environment-row-${environment}`).waitFor();
    },
  },
  {
    name: 'environments-checked',
    async show(page, { environment }) {
      await page.getByTestId(`environment-check-${environment}`).click();
      await page.getByTestId(`environment-reach-${environment}`).waitFor();
    },
  },
  {
    name: 'environments-reset-admin',
    async show(page, { environment }) {
      await page.getByTestId(`environment-more-${environment}`).click();
      await settled(page, `[data-testid="environment-reset-admin-${environment}"]`);
      await page.getByTestId(`environment-reset-admin-${environment}`).click();
      await settled(page, '#confirm-ok');
    },
  },
  {
    name: 'add-environment',
    async show(page) {
      await answerNo(page);
      await page.getByTestId('add-environment').click();
      await page.getByTestId('join').waitFor();
    },
  },
  {
    name: 'add-environment-waiting',
    async show(page) {
      await page.locator('#name').fill('env_c');
      await page.locator('#url').fill('http://localhost:17000');
      await page.getByTestId('join').click();
      await page.getByTestId('environment-snippet').waitFor();
      await page.getByText('http://localhost:17000 ').first().waitFor();
    },
  },
  {
    name: 'activity',
    async show(page) {
      await openTab(page, 'activity');
      await page.getByTestId('events').waitFor();
    },
  },
  {
    name: 'activity-export',
    async show(page) {
      await page.getByTestId('activity-export').click();
      await settled(page, '.ant-dropdown-menu-item');
    },
  },
  {
    name: 'notifications',
    async show(page) {
      await page.getByTestId('activity-export').click();
      await page.getByTestId('activity-notifications').click();
      await page.getByTestId('notifier-webhook').waitFor();
    },
  },
  {
    name: 'security',
    async show(page) {
      await openTab(page, 'security');
      await page.getByTestId('checklist').waitFor();
    },
  },
  {
    name: 'overview',
    async show(page) {
      await openTab(page, 'overview');
      await page.getByTestId('environments-overview').waitFor();
      await page.locator('[data-testid^="heat-"]').first().waitFor();
    },
  },
  {
    name: 'overview-password',
    async show(page) {
      // Of an administrator whose password is his own, the Overview says nothing.
      const change = page.getByTestId('own-password-change');
      if (!(await change.isVisible())) return 'absent';
      await change.click();
      return settled(page, '#confirm-own-password');
    },
  },
  {
    name: 'overview-end',
    async show(page) {
      if (await page.locator('#confirm-own-password').isVisible()) await answerNo(page);
      await page.locator('.ant-card').last().scrollIntoViewIfNeeded();
    },
  },
];
