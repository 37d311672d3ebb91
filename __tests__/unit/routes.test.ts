import { beforeEach, describe, expect, it } from 'vitest';
import { type RouteSource, RoutesReader, RoutesWriter } from '../../src/server/protocol/published-routes';
import { appRouteOf, environmentRouteOf } from '../../src/server/proxy/door-routes';
import { type RouteApp, RoutingTable } from '../../src/server/proxy/table';
import { parseAppsDomain } from '../../src/shared/origins';
import type { AppRoute, EnvironmentRoute } from '../../src/shared/routes';
import { FakeClock } from '../support/clock';
import { routeSettingsOf } from '../support/fixtures';
import { SeededRandom } from '../support/random';
import { TestStores } from '../support/stores';

const appOf = (name: string, environments = ['env_a']): AppRoute => ({
  uid: `uid-${name}`,
  name,
  hosts: [],
  environments,
  stopped: false,
  signIn: false,
});
const environmentOf = (name: string, url = `http://${name}`): EnvironmentRoute => ({ name, url });

describe('writer and reader of the routes', () => {
  const clock = new FakeClock();
  let stores: TestStores;
  let apps: Map<string, AppRoute>;
  let environments: EnvironmentRoute[];
  const source: RouteSource = {
    keys: () => apps.keys(),
    get: (name) => apps.get(name),
    environments: () => environments,
  };
  const writerOf = (settings = routeSettingsOf()) => new RoutesWriter(stores.routes, settings, clock);
  const readerOf = (least: { term: number; n: number } | null = null) => new RoutesReader(stores.routes, least);
  const shown = ({ routes }: RoutesReader) =>
    routes && [
      ...[...routes.apps.values()].map(({ name, environments }) => `${name}: ${environments}`).sort(),
      ...[...routes.environments.values()].map(({ name, url }) => `${name} at ${url}`).sort(),
    ];

  beforeEach(() => {
    stores = new TestStores({ clock, random: new SeededRandom(), isAlone: true });
    apps = new Map(['crm', 'wiki'].map((name) => [name, appOf(name)]));
    environments = [environmentOf('env_a')];
  });

  it('a reader has the whole table, and then each change of it', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    expect(await reader.read()).toBe('none');
    await writer.publish(source, 1);
    expect(await reader.read()).toBe('changed');
    expect(shown(reader)).toEqual(['crm: env_a', 'wiki: env_a', 'env_a at http://env_a']);
    expect(reader.routes?.settings).toEqual(routeSettingsOf());
    const { routes: before } = reader;
    apps.set('crm', appOf('crm', []));
    apps.delete('wiki');
    environments = [environmentOf('env_a', 'https://other:8443'), environmentOf('env_b')];
    writer.note(['crm', 'wiki']);
    await writer.publish(source, 1);
    expect(await reader.read()).toBe('changed');
    expect(shown(reader)).toEqual(['crm: ', 'env_a at https://other:8443', 'env_b at http://env_b']);
    expect(before?.apps.size).toBe(2);
  });

  it('what has not changed is the same object, and nothing is read as long as nothing changes', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.publish(source, 1);
    await reader.read();
    const { routes: before } = reader;
    stores.calls.length = 0;
    expect(await reader.read()).toBe('same');
    expect([stores.calls, reader.routes]).toEqual([['routes.count'], before]);
    apps.set('crm', appOf('crm', ['env_b']));
    writer.note(['crm']);
    await writer.publish(source, 1);
    await reader.read();
    expect(reader.routes?.apps.get('uid-wiki')).toBe(before?.apps.get('uid-wiki'));
    expect(reader.routes?.apps.get('uid-crm')).not.toBe(before?.apps.get('uid-crm'));
  });

  it('what nobody has noted is not looked at, and an environment that comes or goes changes any app', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.publish(source, 1);
    apps.set('crm', appOf('crm', ['env_b']));
    await writer.publish(source, 1);
    await reader.read();
    expect(shown(reader)).toContain('crm: env_a');
    environments = [environmentOf('env_a'), environmentOf('env_b')];
    await writer.publish(source, 1);
    await reader.read();
    expect(shown(reader)).toContain('crm: env_b');
  });

  it('an older table is not read, also where a newer one is known from the disk alone', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.publish(source, 2);
    await reader.read();
    const count = reader.routes!.count;
    stores.flush();
    await new RoutesWriter(stores.routes, routeSettingsOf(), clock).publish(source, 1);
    expect([await reader.read(), await readerOf(count).read()]).toEqual(['older', 'older']);
    expect(shown(reader)).toHaveLength(3);
    stores.flush();
    expect(await reader.read()).toBe('none');
    await writerOf().publish(source, 3);
    expect([await reader.read(), await readerOf(count).read()]).toEqual(['changed', 'changed']);
  });

  it('the table that a door has on its disk is read again as it is', async () => {
    await writerOf().publish(source, 1);
    const first = readerOf();
    await first.read();
    const second = readerOf(first.routes!.count);
    expect(await second.read()).toBe('changed');
    expect(shown(second)).toEqual(shown(first));
  });

  it.each<[string, string, unknown, string[]]>([
    ['an app', 'uid-crm', { ...appOf('crm'), environments: ['a b'] }, ['wiki: env_a', 'env_a at http://env_a']],
    ['an app in the place of another', 'uid-crm', appOf('evil'), ['wiki: env_a', 'env_a at http://env_a']],
    ['an environment', ':environment:env_a', { name: 'env_a', url: 'http://x;y' }, ['crm: env_a', 'wiki: env_a']],
    ['an environment elsewhere', ':environment:env_a', environmentOf('env_b'), ['crm: env_a', 'wiki: env_a']],
  ])('%s that cannot be read is left out, and nothing else', async (_, field, value, expected) => {
    await writerOf().publish(source, 1);
    const read = stores.routes.read.bind(stores.routes);
    const reader = new RoutesReader(
      {
        count: () => stores.routes.count(),
        read: async (since) => {
          const found = (await read(since))!;
          return { ...found, entries: new Map([...found.entries, [field, { at: found.count, value }]]) };
        },
      },
      null,
    );
    expect(await reader.read()).toBe('changed');
    expect(shown(reader)).toEqual(expected);
  });

  it('without readable settings there is no table', async () => {
    await writerOf({ ...routeSettingsOf(), apiBase: 'a b' }).publish(source, 1);
    const reader = readerOf();
    expect([await reader.read(), reader.routes]).toEqual(['none', null]);
  });
});

describe('the routing table, as a door is told of it', () => {
  const app = (name: string, more: Partial<RouteApp> = {}) => ({
    uid: `uid-${name}`,
    name,
    cname: null,
    desired: 'running' as const,
    environments: ['env_a'],
    targetEnvironment: null,
    statuses: new Map([['env_a', 'running' as const]]),
    ...more,
  });
  const environment = { name: 'env_a', proxyUrl: 'http://env_a/', serves: true, health: 'online' as const };
  const domain = parseAppsDomain('apps.example.com');
  const routeIn = (table: RoutingTable, route: ReturnType<typeof app>) => appRouteOf(route, table, () => environment);

  it('has an app’s own hosts: below the apps’ domain, and its custom one', () => {
    const table = new RoutingTable(domain);
    const crm = app('CRM_2', { cname: 'Sales.Example.com', sso: {} as never });
    table.replaceApps([crm]);
    expect(routeIn(table, crm)).toEqual({
      uid: 'uid-CRM_2',
      name: 'CRM_2',
      hosts: ['sales.example.com', 'crm-2.apps.example.com'],
      environments: ['env_a'],
      stopped: false,
      signIn: true,
    });
  });

  it('gives no host twice, and names whose hosts change with another app', () => {
    const table = new RoutingTable(domain);
    const [first, second] = [app('a-b'), app('a_b')];
    table.replaceApps([first, second]);
    expect([routeIn(table, first)?.hosts, routeIn(table, second)?.hosts]).toEqual([['a-b.apps.example.com'], []]);
    expect(table.withSameLabel(['a-b', 'crm'])).toEqual(new Set(['a-b', 'a_b', 'crm']));
    table.changeApps(new Map([['a-b', null]]));
    expect(routeIn(table, second)?.hosts).toEqual(['a-b.apps.example.com']);
    const thief = app('thief', { cname: 'a-b.apps.example.com' });
    table.changeApps(new Map([['thief', thief]]));
    expect(routeIn(table, thief)?.hosts).toContain('a-b.apps.example.com');
    expect(routeIn(table, second)?.hosts).toEqual([]);
  });

  it.each([
    ['http://env_a/', 'http://env_a'],
    ['https://env_a:8443/b/', 'https://env_a:8443/b'],
    ['http://[fd00::1]:13000', 'http://[fd00::1]:13000'],
    ['http://user:secret@env_a', undefined],
    ['http://env a', undefined],
    ['', undefined],
  ])('has the address %s of a Worker as %s', (proxyUrl, url) => {
    expect(environmentRouteOf({ ...environment, proxyUrl })?.url).toBe(url);
  });

  it('has no address of a Worker that serves nobody', () => {
    expect(environmentRouteOf({ ...environment, serves: false })).toBeNull();
  });
});
