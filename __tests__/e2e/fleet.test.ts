import { beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';

let fleet: Fleet;

beforeAll(async () => {
  fleet = await sharedFleet();
});

describe('a fleet', () => {
  it('has its Workers online in the Supervisor', async () => {
    const api = await fleet.supervisor.signIn();
    await expect
      .poll(async () => (await api.get('appEnvironments:list')).data)
      .toEqual([
        expect.objectContaining({
          name: 'env_a',
          health: 'online',
          url: fleet.worker('env_a').url,
          appVersion: '2.2.15',
        }),
        expect.objectContaining({
          name: 'env_b',
          health: 'online',
          url: fleet.worker('env_b').url,
          appVersion: '2.2.15',
        }),
      ]);
  });

  it.each(['/', '/v/'])('serves the client at %s', async (path) => {
    const response = await fleet.supervisor.waitForHttp(path);
    expect(response.headers.get('content-type')).toContain('text/html');
  });

  it.each(['client', 'client-v2'])('serves the plugin’s %s', async (lane) => {
    const response = await fleet.supervisor.waitForHttp(
      `/static/plugins/@nocobase/plugin-app-supervisor/dist/${lane}/index.js`,
    );
    expect(response.headers.get('content-type')).toContain('javascript');
  });
});
