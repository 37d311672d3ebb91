import { expect, it } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { commandLine } from '../support/command-line';

it('a Worker that PM2 would start as several processes ends, and says why', async () => {
  const { env } = (await sharedFleet()).worker('env_b');
  const cluster = { APP_PORT: String(await freePort()), exec_mode: 'cluster_mode', instances: '2' };
  const { code, output } = await commandLine(['start'], { ...env, ...cluster });
  expect(output).toContain('CLUSTER_MODE (or --instances) is "2"; the role "worker" is one process');
  expect(code).toBe(1);
});
