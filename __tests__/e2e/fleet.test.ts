import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, APP_ADMIN, Api, type Fleet, type Instance } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { say } from '../../src/shared/message';
import { sharedFleet } from '../setup/fleet';
import { changePassword, Manager } from '../support/manager';

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

  const change = ({ url }: Instance, user: Api, password: string) =>
    changePassword(user, password, () => Api.signIn(url, { email: ADMIN.email, password }));

  it('warns of the well-known password of its Supervisor, and comes up without it where it was changed', async () => {
    const { supervisor } = fleet;
    // Other tests on this fleet forge values in Redis; the warning of that lasts for a while.
    const warnings = async (api: Api) => {
      const { data } = await api.get('appSupervisor:info');
      return data.warnings.filter(({ code }: { code: string }) => code !== 'REDIS_FORGED');
    };
    const known = await supervisor.signIn();
    await expect.poll(() => warnings(known)).toEqual([say('OWN_ADMIN_KNOWN')]);
    const changed = await change(supervisor, known, APP_ADMIN.password);
    try {
      await fleet.waitForWorkers();
      await expect.poll(() => warnings(changed)).toEqual([]);
    } finally {
      await change(supervisor, changed, ADMIN.password);
    }
  });

  it('warns of a Worker whose own administrator has a well-known password, which the launcher gives to none', async () => {
    const worker = fleet.worker('env_a');
    await expect(Api.signIn(worker.url, ADMIN)).rejects.toMatchObject({ status: 401 });
    const supervisor = await fleet.supervisor.signIn();
    const warnings = async () => {
      const { data } = await supervisor.get('appEnvironments:list');
      return data.find(({ name }: { name: string }) => name === 'env_a').warnings;
    };
    expect(await warnings()).toEqual([]);
    const known = await change(worker, await worker.signIn(), ADMIN.password);
    try {
      const warning = say('WORKER_ADMIN_KNOWN', { environment: 'env_a', url: worker.url });
      await expect.poll(warnings).toEqual([warning]);
      // Its own page says so, too.
      expect((await known.get('appSupervisor:info')).data.warnings).toHaveLength(1);
    } finally {
      await change(worker, known, worker.admin.password);
    }
    await expect.poll(warnings).toEqual([]);
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

describe('an example', () => {
  afterAll(async () => (await Manager.of(fleet)).clear('customers', 'orders'));

  const run = ([program, ...args]: string[], name: string) => {
    const { url, admin } = fleet.supervisor;
    return promisify(execFile)(program, [...args, url, name, 'Pipes & "Drums"', `root@${name}.test`], {
      cwd: ROOT,
      env: { ...process.env, SUPERVISOR_EMAIL: admin.email, SUPERVISOR_PASSWORD: admin.password },
    });
  };

  it.concurrent.each([
    ['provision.ts', 'customers', [process.execPath, '--import', 'tsx', 'examples/provision.ts']],
    ['provision.sh', 'orders', ['bash', 'examples/provision.sh']],
  ])('%s makes an app that its own administrator can enter, and says why it cannot', async (_, name, command) => {
    const { url } = fleet.supervisor;
    const { stdout } = await run(command, name);
    const { administrator, ...app } = JSON.parse(stdout);
    expect(app).toEqual({ name, url: `${url}/apps/${name}/admin/` });
    const api = await Api.signIn(url, administrator, name);
    expect((await api.get('auth:check')).data.email).toBe(`root@${name}.test`);
    expect((await (await Manager.of(fleet)).app(name)).title).toBe('Pipes & "Drums"');
    const again = { code: 1, stderr: expect.stringContaining('NAME_TAKEN') };
    await expect(run(command, name)).rejects.toMatchObject(again);
  });
});
