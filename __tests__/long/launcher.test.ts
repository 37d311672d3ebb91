import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../../scripts/fleet';
import { isUp, Launcher, portOfTwo, says } from '../support/launcher';

/** What e2e/launcher.test.ts leaves out of `npm start`. */
const launcher = new Launcher('launcher-long');

beforeAll(() => launcher.begin());
afterEach(() => launcher.endRuns());
afterAll(() => launcher.end());

it('npm start leaves down what is killed where that is wished, and stops everything when its npm is terminated', async () => {
  const more = launcher.argumentsOf(await portOfTwo(), ['--workers', '1', '--no-restart']);
  const npm = launcher.run('npm', 'start', '--', ...more);
  await isUp(npm);
  launcher.kill('redis');
  await says(npm, 'Redis ended (SIGKILL); it stays down (--no-restart)');
  expect(launcher.running()).toHaveLength(5);

  npm.process.kill('SIGTERM');
  await npm.ended;
  await waitFor(() => !launcher.running().length, { timeout: 60_000, what: 'The end of the fleet' });
});
