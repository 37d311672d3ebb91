import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Api } from '../../scripts/fleet';
import { ask } from '../support/http';
import type { Installation } from '../support/installation';
import { Manager } from '../support/manager';
import { LINK, ReadmeInstallation, UNPACK } from '../support/readme-installation';

/** Into a NocoBase that is there already, by the commands of the README. What comes after: install.test.ts. */

const APP = 'first';

const server = inject('postgres');
let readme: ReadmeInstallation;
let elsewhere: Installation;

beforeAll(async () => {
  readme = await ReadmeInstallation.create(server, 'elsewhere');
  ({ elsewhere } = readme);
  await elsewhere.nocobase.start();
  const api = await elsewhere.signIn();
  await api.post('users:create', { nickname: 'Was here before', username: 'before', password: 'secret-123' });
  await elsewhere.nocobase.stop();
  await readme.pack();
  await readme.run(UNPACK, LINK);
  elsewhere.configure(readme.withPlugin(false));
  await elsewhere.nocobase.start();
});

afterAll(() => readme?.remove(APP));

const pluginOf = async (api: Api) =>
  (await api.get('pm:list')).data.find((row: { name: string }) => row.name === 'app-supervisor');

it('it is a plugin like others: the plugin manager lists it, and enables it while NocoBase runs', async () => {
  const api = await elsewhere.signIn();
  expect(await pluginOf(api)).toMatchObject({ enabled: false, isCompatible: true });
  await api.post('pm:enable?filterByTk=app-supervisor');
  const online = async () => (await api.get('appEnvironments:list').catch(() => null))?.data[0]?.health;
  await expect.poll(online, { timeout: 120_000, interval: 300 }).toBe('online');
});

it('it manages apps, and what was there stays', async () => {
  const manages = new Manager(await elsewhere.signIn());
  await manages.create({ name: APP, startMode: 'withMain' });
  const info = await ask(elsewhere.url, `/api/__app/${APP}/app:getInfo`);
  expect(info).toMatchObject({ json: { data: { name: APP } } });
  const { data } = await manages.api.get('users:list', { filter: { username: 'before' } });
  expect(data).toHaveLength(1);
});
