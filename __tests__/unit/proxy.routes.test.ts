import { describe, expect, it, vi } from 'vitest';
import { ANSWERS, type AnswerCode, answer, hasCause } from '../../src/server/proxy/answers';
import { pageFor } from '../../src/server/proxy/error-page';
import { createNaming, INVALID_APP } from '../../src/server/proxy/naming';
import { pageFinder } from '../../src/server/proxy/pages';
import { References } from '../../src/server/proxy/references';
import { createSelector } from '../../src/server/proxy/selector';
import { hostnameOf, type RouteApp, RoutingTable } from '../../src/server/proxy/table';
import { CONNECT_TIMEOUT, classify, IDLE_TIMEOUT } from '../../src/server/proxy/upstream-failures';
import { basePath, isReadOnly, originForm, pathOf } from '../../src/server/proxy/url';
import { destination, isVisit } from '../../src/server/proxy/visit';
import { verbatim } from '../../src/shared/message';
import { isAppName } from '../../src/shared/names';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';

const app = (name: string, more: Partial<RouteApp> = {}): RouteApp => ({
  name,
  cname: null,
  desired: 'running',
  environments: ['a'],
  targetEnvironment: null,
  statuses: new Map(),
  ...more,
});

describe('the routing table', () => {
  it('is not loaded before the first definitions, and loaded by an empty set', () => {
    const table = new RoutingTable();
    table.replaceEnvironments([]);
    expect(table.loaded).toBe(false);
    table.replaceApps([]);
    expect(table.loaded).toBe(true);
  });

  it('finds apps by name and domain, and forgets replaced ones', () => {
    const table = new RoutingTable();
    table.replaceApps([app('one', { cname: 'One.Example.com' }), app('two')]);
    expect(table.app('one')?.name).toBe('one');
    expect(table.appByDomain('one.example.COM:8443')).toBe('one');
    expect(table.appByDomain('one.example.com.')).toBe('one');
    for (const host of [undefined, '', 'example.com', 'x@one.example.com', 'one.example.com, b', '__proto__']) {
      expect(table.appByDomain(host)).toBeNull();
    }
    expect(table.app('constructor')).toBeUndefined();
    table.replaceApps([app('two')]);
    expect(table.app('one')).toBeUndefined();
    expect(table.appByDomain('one.example.com')).toBeNull();
  });

  it('changes some apps, and moves a domain from one to another', () => {
    const table = new RoutingTable();
    table.replaceApps([app('one', { cname: 'one.test' }), app('two', { cname: 'two.test' }), app('three')]);
    const changes = (...apps: RouteApp[]) => new Map(apps.map((each) => [each.name, each]));
    table.changeApps(changes(app('two', { cname: 'one.test' }), app('one', { cname: 'two.test' }), app('new')));
    expect([table.appByDomain('one.test'), table.appByDomain('two.test')]).toEqual(['two', 'one']);
    table.changeApps(new Map([['two', null], ...changes(app('one', { desired: 'stopped' }))]));
    expect([table.appByDomain('one.test'), table.appByDomain('two.test')]).toEqual([null, null]);
    expect([table.app('two'), table.app('one')?.desired]).toEqual([undefined, 'stopped']);
    expect([table.app('three')?.name, table.app('new')?.name]).toEqual(['three', 'new']);
  });

  it.each([
    ['a.test', 'a.test'],
    ['A.Test:80', 'a.test'],
    ['[::1]:80', '[::1]'],
    ['[::1', ''],
    ['10.0.0.1:1', '10.0.0.1'],
  ])('host %s is %s', (host, expected) => {
    if (expected) expect(hostnameOf(host)).toBe(expected);
    else expect(() => hostnameOf(host)).not.toThrow();
  });
});

describe('read-only requests', () => {
  it.each<[string, string, boolean, boolean]>([
    ['GET', '/api/users:list?page=1', false, true],
    ['HEAD', '/api/users:get/1', false, true],
    ['GET', '/api/__app/app1/users:list', false, true],
    ['GET', '/api/posts/1/comments:list', false, true],
    ['GET', '/api/users:export', false, false],
    ['GET', '/api/users:listAll', false, false],
    ['GET', '/api/users:list:destroy', false, false],
    ['GET', '/api/users:destroy?x=:list', false, false],
    ['GET', '/api/users:destroy/x:list', false, false],
    ['GET', '/api/users', false, false],
    ['POST', '/api/users:list', false, false],
    ['GET', '/api/users:list', true, false],
    ['GET', '/assets/x.js', false, true],
    ['GET', '/static/plugins/@nocobase/x/dist/client/index.js?v=1', false, true],
    ['GET', '/', false, true],
    ['DELETE', '/assets/x.js', false, false],
  ])('%s %s (body: %s): %s', (method, url, body, expected) => {
    expect(isReadOnly(method, url, body, '/api')).toBe(expected);
  });
});

it('addresses', () => {
  expect(pathOf('/a/b?c#d')).toBe('/a/b');
  expect(pathOf('/a#b?c')).toBe('/a');
  expect(['/api/', '/api', 'api', '/', '', '//x//y/'].map(basePath)).toEqual(['/api', '/api', '/api', '', '', '/x/y']);
  expect(originForm('/x//y')).toBe('/x//y');
  expect(originForm('http://u@h:1/x?y')).toBe('/x?y');
  expect(originForm('HTTPS://h')).toBe('/');
  expect(originForm('http://h?y')).toBe('/?y');
  expect(originForm('*')).toBe('*');
  expect(originForm('ftp://h/x')).toBe('/ftp://h/x');
});

describe('the visit link', () => {
  const config = { apiBase: '/api', publicPath: '/', modernPrefix: 'v', isOwnHost: false };

  it('is one path of one app', () => {
    expect(isVisit('/api/__app/app1/__visit?environment=a', 'app1', '/api')).toBe(true);
    expect(isVisit('/api/__app/app1/__visit/x', 'app1', '/api')).toBe(false);
    expect(isVisit('/api/__app/app2/__visit', 'app1', '/api')).toBe(false);
    expect(isVisit('/api/x?y=/__visit', 'app1', '/api')).toBe(false);
  });

  it.each<[string | null, string]>([
    [null, '/apps/app1/admin/'],
    ['/apps/app1/admin/settings?x=1#y', '/apps/app1/admin/settings?x=1#y'],
    ['/v/apps/app1/admin/', '/v/apps/app1/admin/'],
    ['/apps/app1', '/apps/app1/admin/'],
    ['/apps/app2/admin/', '/apps/app1/admin/'],
    ['/apps/app1x/', '/apps/app1/admin/'],
    ['/apps/app1/../app2/', '/apps/app1/admin/'],
    ['/apps/app1/%2e%2e/app2/', '/apps/app1/admin/'],
    ['/apps/app1/..//evil.test', '/apps/app1/admin/'],
    ['//evil.test/apps/app1/', '/apps/app1/admin/'],
    ['//[', '/apps/app1/admin/'],
    ['/\\evil.test/apps/app1/', '/apps/app1/admin/'],
    ['\\/evil.test', '/apps/app1/admin/'],
    ['/\t/evil.test', '/apps/app1/admin/'],
    ['/apps/app1/\r\nSet-Cookie: x=y', '/apps/app1/admin/'],
    ['https://evil.test/apps/app1/', '/apps/app1/admin/'],
    ['javascript:alert(1)', '/apps/app1/admin/'],
    ['', '/apps/app1/admin/'],
    ['/apps/app1/ü', '/apps/app1/admin/'],
    // NocoBase 3.
    ['/settings/apps/app1/users?x=1#y', '/settings/apps/app1/users?x=1#y'],
    ['/x/apps/app1/sales/orders', '/x/apps/app1/sales/orders'],
    ['/x/apps/app2/sales/', '/apps/app1/admin/'],
    ['/settings/apps/app1/../app2/', '/apps/app1/admin/'],
    ['/settings/', '/apps/app1/admin/'],
    ['/x/sales/', '/apps/app1/admin/'],
    ['/x/apps/app1', '/apps/app1/admin/'],
  ])('to %j redirects to %s', (to, expected) => {
    expect(destination(app('app1'), to, config)).toBe(expected);
  });

  it.each<[string | null, string]>([
    [null, '/'],
    ['/admin/x', '/admin/x'],
    ['/apps/app1/admin/x?y#z', '/admin/x?y#z'],
    ['/v/apps/app1/admin/', '/v/admin/'],
    ['/apps/app1//evil.test', '/'],
    // NocoBase 3: settings are those of the host's app, and a portal keeps the app in its address.
    ['/settings/apps/app1/users?y#z', '/settings/users?y#z'],
    ['/x/apps/app1/sales/?y#z', '/x/apps/app1/sales/?y#z'],
    ['/settings/apps/app1//evil.test', '/settings//evil.test'],
    ['/apps/app2/admin/', '/'],
    ['//evil.test', '/'],
    ['/x/..//evil.test', '/'],
    ['/\\evil.test', '/'],
    ['https://evil.test/', '/'],
  ])('on the app’s own domain, to %j redirects to %s', (to, expected) => {
    expect(destination(app('app1'), to, { ...config, isOwnHost: true })).toBe(expected);
  });

  it('supports a public path and another modern prefix', () => {
    const below = { apiBase: '/x/api', publicPath: '/x/', modernPrefix: 'm', isOwnHost: false };
    expect(destination(app('app1'), null, below)).toBe('/x/apps/app1/admin/');
    expect(destination(app('app1'), '/x/m/apps/app1/admin', below)).toBe('/x/m/apps/app1/admin');
    expect(destination(app('app1'), '/apps/app1/a', below)).toBe('/x/apps/app1/admin/');
  });
});

describe('a page of an app', () => {
  const pageOf = pageFinder({ publicPath: '/', modernPrefix: 'v' });
  const below = pageFinder({ publicPath: '/x/', modernPrefix: 'm' });

  it.each([
    ['/apps/crm/admin/', 'crm', '/admin/'],
    ['/apps/crm', 'crm', '/'],
    ['/v/apps/crm/admin/a', 'crm', '/v/admin/a'],
    ['/settings/apps/crm/users', 'crm', '/settings/users'],
    ['/settings/apps/crm', 'crm', '/settings/'],
    ['/x/apps/crm/sales/orders', 'crm', '/x/apps/crm/sales/orders'],
  ])('%s: app %s, on its own host %s', (path, app, ownPath) => {
    expect(pageOf(path)).toEqual({ app, ownPath });
    expect(below(`/x${path.replace('/v/', '/m/')}`)).toEqual({ app, ownPath: `/x${ownPath.replace('/v/', '/m/')}` });
  });

  it.each(['/', '/admin/', '/settings/', '/x/sales/', '/y/apps/crm/', '/settingsx/apps/crm/', '/api/apps/crm'])(
    '%s is none',
    (path) => expect(pageOf(path)).toBeNull(),
  );
});

/** That it finds what the core finds is proven against the core (integration/proxy.core.test.ts). */
describe('the app of a request', () => {
  const table = new RoutingTable();
  table.replaceApps([app('shop', { cname: 'shop.test' })]);
  const options = { apiBasePath: '/x/api/', publicPath: '/x/', domains: table };

  // NocoBase 3, whose gateway looks there after header and parameter.
  it.each<[string, Record<string, string>, string]>([
    ['/x/x/apps/one/sales/', {}, 'one'],
    ['/x/x/apps/one', {}, 'one'],
    ['/x/x/apps/one/sales/?__appName=two', { 'x-app': 'three' }, 'one'],
    ['/x/x/apps/', { 'x-app': 'three' }, 'three'],
    ['/x/x/sales/', {}, 'main'],
    ['/x/x/apps/main/sales/', {}, 'main'],
    ['/x/x/apps/o%6ee/', {}, INVALID_APP],
    ['/x/x/apps/__proto__/', {}, INVALID_APP],
    ['/x/settings/apps/one/', {}, 'main'],
    ['/x/api/__app/three/users:list', {}, 'three'],
  ])('with portals, %s %j: %s', (url, headers, expected) => {
    expect(createNaming({ ...options, portals: true })({ url, headers })).toBe(expected);
  });

  it.each<[string, Record<string, string>, string]>([
    ['/', {}, 'main'],
    ['/x/x/apps/one/sales/', {}, 'main'],
    ['/x/api/users:list?filter=%7B%7D', {}, 'main'],
    ['/x/api/users:list', { 'x-app': 'one' }, 'one'],
    ['/x/api/users:list?__appName=two', { 'x-app': 'one' }, 'two'],
    ['/x/api/__app/three/users:list?__appName=two', { 'x-app': 'one' }, 'three'],
    ['/x/files/f%6fur/main/1.txt?__appName=two', { 'x-app': 'one' }, 'four'],
    ['/x/admin/', { host: 'shop.test' }, 'shop'],
    ['/x/admin/', { host: 'shop.test', 'x-app': 'one' }, 'one'],
    ['/x/admin/', { host: 'shop.test', 'x-app': 'main' }, 'main'],
    ['/x/apps/one/admin/', {}, 'main'],
    ['/api/__app/three/users:list', {}, 'main'],
    ['/x/api/__app/__proto__/users:list', {}, INVALID_APP],
    ['/x/api/users:list?__appName=two&__appName=two', {}, INVALID_APP],
  ])('%s %j: %s', (url, headers, expected) => {
    expect(createNaming(options)({ url, headers })).toBe(expected);
    expect(createNaming({ ...options, only: 'lone' })({ url, headers })).toBe('lone');
  });
});

describe('the selector', () => {
  const table = new RoutingTable();
  table.replaceApps([app('shop', { cname: 'shop.test' })]);
  const select = async (headers: Record<string, string>, resolved: unknown = null) => {
    const ctx = { req: { headers }, resolvedAppName: resolved as string | null };
    const next = vi.fn(async () => {});
    await createSelector(() => table)(ctx, next);
    expect(next).toHaveBeenCalledOnce();
    return ctx.resolvedAppName;
  };

  it('finds the app of a custom domain, by X-Hostname before Host, only if no app is named', async () => {
    expect(await select({ host: 'shop.test:80' })).toBe('shop');
    expect(await select({ host: 'inner:14000', 'x-hostname': 'shop.test' })).toBe('shop');
    expect(await select({ host: 'shop.test', 'x-hostname': 'elsewhere.test' })).toBe('shop');
    expect(await select({ host: 'shop.test' }, 'other')).toBe('other');
    expect(await select({ host: 'shop.test' }, 'main')).toBe('main');
    expect(await select({ host: 'elsewhere.test' })).toBeNull();
    expect(await select({})).toBeNull();
  });

  it.each([
    '../../x',
    '__proto__',
    'constructor',
    'a/b',
    'a, b',
    'Main',
    'x'.repeat(51),
    'ä',
    { $ne: 1 },
    ['a', 'b'],
    7,
  ])('makes %j harmless', async (name) => {
    expect(await select({}, name)).toBe(INVALID_APP);
    expect(isAppName(INVALID_APP)).toBe(false);
  });

  it('never throws, even without a table or with a broken one', async () => {
    for (const domains of [
      () => null,
      () => {
        throw new Error('no');
      },
    ]) {
      const next = vi.fn(async () => {});
      const ctx = { req: { headers: { host: 'shop.test' } }, resolvedAppName: null };
      await createSelector(domains)(ctx, next);
      expect(ctx.resolvedAppName).toBeNull();
      expect(next).toHaveBeenCalledOnce();
    }
  });

  it('uses a table that was created later, because the core keeps the first closure forever', async () => {
    let current: RoutingTable | null = null;
    const first = createSelector(() => current);
    const second = createSelector(() => null);
    expect(first.toString()).toBe(second.toString()); // so the core takes the first for both
    current = table;
    const ctx = { req: { headers: { host: 'shop.test' } }, resolvedAppName: null };
    await first(ctx, async () => {});
    expect(ctx.resolvedAppName).toBe('shop');
  });
});

describe('failures', () => {
  it.each<[string | undefined, boolean, string, boolean]>([
    ['ECONNREFUSED', false, 'UPSTREAM_REFUSED', true],
    ['ENOTFOUND', false, 'UPSTREAM_REFUSED', true],
    ['EHOSTUNREACH', false, 'UPSTREAM_REFUSED', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false, 'UPSTREAM_REFUSED', true],
    [CONNECT_TIMEOUT, false, 'UPSTREAM_TIMEOUT', true],
    ['ETIMEDOUT', false, 'UPSTREAM_TIMEOUT', true],
    ['EMFILE', false, 'UPSTREAM_REFUSED', false],
    ['EADDRNOTAVAIL', false, 'UPSTREAM_REFUSED', false],
    ['ECONNRESET', true, 'UPSTREAM_RESET', false],
    ['HPE_INVALID_CONSTANT', true, 'UPSTREAM_RESET', false],
    [IDLE_TIMEOUT, true, 'UPSTREAM_TIMEOUT', false],
    [undefined, true, 'UPSTREAM_RESET', false],
  ])('%s, connected %s: %s, unreachable %s', (code, connected, expected, unreachable) => {
    expect(classify(Object.assign(new Error(), { code }), connected)).toMatchObject({ code: expected, unreachable });
  });

  it('accept any thrown value', () => {
    for (const thrown of [null, undefined, 'text', 7]) expect(classify(thrown, true).code).toBe('UPSTREAM_RESET');
  });
});

describe('the page for people', () => {
  const req = (accept: string, language = 'en', method = 'GET') =>
    ({ method, headers: { accept, 'accept-language': language } }) as never;

  it('is sent to a browser’s address bar only', () => {
    const what = answer('UPSTREAM_REFUSED', 'app1');
    expect(pageFor(req('text/html,*/*'), '/admin/', '/api', what)).toContain('http-equiv="refresh" content="5"');
    expect(pageFor(req('*/*'), '/admin/', '/api', what)).toBeNull();
    expect(pageFor(req('application/json, text/plain, */*'), '/admin/', '/api', what)).toBeNull();
    expect(pageFor(req('application/json, text/html;q=0.5'), '/admin/', '/api', what)).toBeNull();
    // Only the beginning is read: Negotiator takes quadratic time for a quotation mark that is never closed.
    expect(pageFor(req(`${'text/plain,'.repeat(100)}text/html`), '/admin/', '/api', what)).toBeNull();
    expect(pageFor(req('text/html'), '/api/users:list', '/api', what)).toBeNull();
    expect(pageFor(req('text/html', 'en', 'POST'), '/admin/', '/api', what)).toBeNull();
  });

  it('uses the visitor’s language and promises only what will happen', () => {
    const stopped = answer('APP_STOPPED', 'app1');
    expect(pageFor(req('text/html'), '/', '/api', stopped, { name: 'app1' })).toContain('&#34;app1&#34; is stopped');
    expect(pageFor(req('text/html', 'zh-CN,zh;q=0.9,en;q=0.8'), '/', '/api', stopped)).toContain(
      '该应用已被管理员停止',
    );
    expect(pageFor(req('text/html'), '/', '/api', answer('APP_PROXY_LOOP', 'app1'))).not.toContain('refresh');
  });

  it.each<[string | undefined, boolean]>([
    [undefined, false],
    ['en-US,en;q=0.9,zh;q=0.8', false],
    ['zh', true],
    ['de,zh-TW;q=0.9,en;q=0.5', true],
    ['en;q=0.5,zh', true],
    ['zh;q=0,en', false],
    ['de', false],
    ['*', false],
  ])('a visitor who accepts %s gets it in Chinese: %s', (language, expected) => {
    const headers = { accept: 'text/html', ...(language === undefined ? {} : { 'accept-language': language }) };
    const page = pageFor({ method: 'GET', headers } as never, '/', '/api', answer('APP_STOPPED', 'app1'));
    expect(page?.includes('该应用已被管理员停止')).toBe(expected);
  });
});

it('invariant 15: an answer names the app by its title, in the visitor’s language, and a reference instead of a cause', () => {
  const reference = 'ABCD2345';
  const told = (code: AnswerCode, language: 'en' | 'zh') => answer(code, 'CRM', { language, reference }).message;
  expect(told('UPSTREAM_REFUSED', 'en')).toBe('"CRM" is unavailable right now. Reference: ABCD2345');
  expect(told('UPSTREAM_REFUSED', 'zh')).toBe('“CRM”暂时不可用。参考编号：ABCD2345');
  const hidden = Object.keys(ANSWERS).filter((code) => hasCause(code as AnswerCode));
  expect(hidden.sort()).toEqual([
    'APP_ENVIRONMENT_UNAVAILABLE',
    'APP_PROXY_FAILED',
    'APP_PROXY_LOOP',
    'UPSTREAM_REFUSED',
    'UPSTREAM_RESET',
    'UPSTREAM_TIMEOUT',
  ]);
  const title = '<img src=x onerror=alert(1)>';
  const req = { method: 'GET', headers: { accept: 'text/html' } } as never;
  expect(pageFor(req, '/', '/api', answer('APP_STOPPED', title), { name: 'crm', title })).not.toContain('<img');
});

describe('references', () => {
  function setup() {
    const clock = new FakeClock();
    const log = recordedLog();
    const told: unknown[] = [];
    const references = new References(clock, log, (...trouble) => told.push(trouble));
    const of = (more: Partial<Parameters<References['of']>[0]> = {}) =>
      references.of({ app: 'crm', environment: 'env_a', code: 'UPSTREAM_REFUSED', cause: 'ECONNREFUSED', ...more });
    return { clock, log, told, of };
  }

  it('lead to a cause that is logged and recorded once an hour, however many visitors meet it', () => {
    const { clock, log, told, of } = setup();
    const reference = of();
    for (let visitor = 0; visitor < 1_000; visitor++) expect(of()).toBe(reference);
    expect(told).toEqual([['crm', 'env_a', reference, verbatim('UPSTREAM_REFUSED ECONNREFUSED')]]);
    expect(log.lines.filter((line) => line.includes(reference))).toHaveLength(1);
    expect(new Set([reference, of({ app: 'shop' }), of({ environment: 'env_b' }), of({ cause: 'x' })]).size).toBe(4);
    clock.pass(3_600_000);
    expect(of()).not.toBe(reference);
    expect(told).toHaveLength(5);
  });
});

it('an answer keeps names that look like replacement patterns', () => {
  expect(answer('UPSTREAM_REFUSED', "a$&b$'")).toMatchObject({ message: expect.stringContaining("a$&b$'") });
});
