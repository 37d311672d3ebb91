import { pageTab, type State } from './states';
import { openTab, settled } from './steps';

/** The page of an environment, after the states of `states.ts`. */
export const ENVIRONMENT_STATES: State[] = [
  {
    name: 'environment',
    async show(page, { environment }) {
      await openTab(page, 'environments');
      await page.getByTestId(`environment-row-${environment}`).getByTestId(`environment-link-${environment}`).click();
      await page.getByTestId(`environment-page-${environment}`).waitFor();
      await page.getByTestId('environment-limits').waitFor();
    },
  },
  {
    name: 'environment-apps',
    show: (page) => page.getByTestId('hosted-apps').evaluate((element) => element.scrollIntoView()),
  },
  {
    name: 'environment-activity',
    async show(page) {
      await pageTab(page, 1, 'environment-page-');
      await page.getByTestId('timeline').locator('[data-kind]').first().waitFor();
      await page.getByTestId('events').waitFor();
    },
  },
  {
    name: 'environment-log',
    async show(page) {
      await pageTab(page, 2, 'environment-page-');
      await page.getByTestId('app-log').waitFor();
    },
  },
  {
    name: 'keyboard-help',
    async show(page) {
      await page.keyboard.press('?');
      await settled(page, '[data-testid="keyboard-keys"]');
    },
  },
];
