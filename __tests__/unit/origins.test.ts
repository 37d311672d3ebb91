import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { appModelsOf } from '../../src/server/core/adapters/app-models';
import { entryUrl } from '../../src/server/core/entries';
import { createNaming, INVALID_APP, type RouteApp, RoutingTable } from '../../src/server/proxy';
import { assertDomainOfNoOther, assertLabelFree } from '../../src/server/supervisor/definitions/domain';
import {
  addressOf,
  fleetHosts,
  hostIn,
  labelOf,
  labelsOf,
  parseAppsDomain,
  receivesCookiesOf,
} from '../../src/shared/origins';
import { originsOf } from '../support/origins';

const route = (name: string, cname: string | null = null): RouteApp => ({
  name,
  cname,
  desired: 'running',
  environments: ['a'],
  targetEnvironment: null,
  statuses: new Map(),
});

describe('APP_SUPERVISOR_APPS_DOMAIN', () => {
  it.each([
    ['apps.example.com', { protocol: null, host: 'apps.example.com', port: '' }],
    ['Apps.Example.com:8080', { protocol: null, host: 'apps.example.com', port: '8080' }],
    ['https://apps.example.com:8443/', { protocol: 'https:', host: 'apps.example.com', port: '8443' }],
    ['http://localhost', { protocol: 'http:', host: 'localhost', port: '' }],
  ])('%s', (text, parsed) => expect(parseAppsDomain(text)).toEqual(parsed));

  it.each([
    '',
    '127.0.0.1',
    'ftp://x.test',
    'x.test/apps',
    '*.x.test',
    'x_y.test',
    'x.test:99999',
    'a@x.test',
    '-.test',
  ])('%j has another form', (text) => expect(parseAppsDomain(text)).toBeNull());

  it.each([
    ['nocobase.example.com', false],
    ['example.com', false],
    ['myapps.example.com', false],
    ['apps.example.com', true],
    ['main.apps.example.com', true],
  ])('main at %s receives cookies of the domain: %s', (host, receives) => {
    expect(receivesCookiesOf(host, parseAppsDomain('apps.example.com')!)).toBe(receives);
  });

  it('is refused at the start, in words, where main receives its cookies', () => {
    const start = (publicUrl: string) =>
      parseConfig(
        {
          APP_DISCOVERY_ADAPTER: 'local',
          APP_PROCESS_ADAPTER: 'local',
          APP_SUPERVISOR_APPS_DOMAIN: 'apps.example.com',
          APP_SUPERVISOR_PUBLIC_URL: publicUrl,
        },
        { command: 'start', isMainThread: true },
      ).appsDomain;
    expect(start('https://nocobase.example.com')).toBe('apps.example.com');
    expect(() => start('https://Apps.example.com/')).toThrow('so that apps could set its cookies');
    expect(() => start('https://main.apps.example.com:8443')).toThrow('use another domain');
  });
});

describe('labels', () => {
  it.each([
    ['crm', 'crm'],
    ['CRM_Two', 'crm-two'],
    ['crm_', null],
    ['crm-', null],
    ['xn--crm', null],
  ])('%s: %s', (name, label) => expect(labelOf(name)).toBe(label));

  it('that several names share belong to the first of them, whatever the order', () => {
    const expected = new Map([['a-b', 'A_b']]);
    expect(labelsOf(['a-b', 'A_b', 'a_b'])).toEqual(expected);
    expect(labelsOf(['a_b', 'a-b', 'A_b'])).toEqual(expected);
  });
});

describe('the address of a host', () => {
  it.each<[string, string | null, string | null, string]>([
    ['crm.apps.test', 'https://main.test:8443', 'apps.test', 'https://crm.apps.test:8443'],
    ['crm.apps.test', 'https://main.test:8443', 'http://apps.test', 'http://crm.apps.test'],
    ['crm.apps.test', 'https://main.test', 'apps.test:81', 'https://crm.apps.test:81'],
    ['crm.apps.test', null, 'apps.test', '//crm.apps.test'],
    ['crm.apps.test', null, 'https://apps.test:81', 'https://crm.apps.test:81'],
    ['shop.test', 'https://main.test:8443', 'http://apps.test:81', 'https://shop.test:8443'],
  ])('%s of %s and %s: %s', (host, publicUrl, appsDomain, expected) => {
    expect(addressOf(host, { publicUrl, appsDomain })).toBe(expected);
  });

  it('is that of the links to the app, a custom domain that works first', () => {
    const entry = {
      sort: 0,
      pinned: false,
      environments: [],
      title: '',
      icon: null,
      hidden: false,
      visibleRoles: [],
    } as never;
    const apps = [
      { ...(entry as object), name: 'crm_two', cname: null },
      {
        ...(entry as object),
        name: 'shop',
        cname: 'shop.test',
        domainCheck: { domain: 'shop.test', state: 'verified', since: 1, reason: null },
      },
    ] as never;
    const addresses = { publicUrl: 'https://main.test', appsDomain: 'apps.test' };
    const links = appModelsOf(apps, 'apps.test').map((app) => entryUrl(app, { ...addresses, path: '/v/' }));
    expect(links).toEqual(['https://crm-two.apps.test/v/admin/', 'https://shop.test/v/admin/']);
    expect(appModelsOf(apps).map(({ cname }) => cname)).toEqual([undefined, 'shop.test']);
  });
});

describe('invariant 12: a page of an app shows at its own origin', () => {
  const apps = [route('crm'), route('CRM'), route('shop', 'shop.test'), route('evil')];
  function setup(appsDomain: string | null = 'apps.test') {
    const table = new RoutingTable(appsDomain === null ? null : parseAppsDomain(appsDomain));
    table.replaceApps(apps);
    const addresses = { publicUrl: null, appsDomain };
    const origins = originsOf(table, { addresses, frameAncestors: { main: "'self'", apps: '' } });
    const appNameOf = createNaming({ apiBasePath: '/api/', publicPath: '/', domains: table });
    const requested = (url: string, headers: Record<string, string>, method = 'GET') => {
      const req = { url, method, headers, socket: { remoteAddress: '127.0.0.1' } } as unknown as IncomingMessage;
      const name = appNameOf(req);
      return { name, elsewhere: origins.elsewhere(name, req), policy: origins.policy(name, req) };
    };
    return { table, requested };
  }
  const PAGE = { accept: 'text/html,*/*' };

  it.each<[string, string, string]>([
    ['crm.apps.test', '/admin/', 'CRM'],
    ['CRM.apps.test:8080', '/admin/', 'CRM'],
    ['evil.apps.test.', '/admin/', 'evil'],
    ['shop.test', '/admin/', 'shop'],
    ['shop.apps.test', '/admin/', 'shop'],
    ['apps.test', '/admin/', INVALID_APP],
    ['nosuch.apps.test', '/admin/', INVALID_APP],
    ['deep.crm.apps.test', '/admin/', INVALID_APP],
    ['__proto__.apps.test', '/', INVALID_APP],
    ['constructor.apps.test', '/', INVALID_APP],
    ['main.test', '/admin/', 'main'],
    ['notapps.test', '/admin/', 'main'],
  ])('%s%s is of %s', (host, url, name) => expect(setup().requested(url, { host }).name).toBe(name));

  it.each<[string, string, Record<string, string>, string | null]>([
    // Pages below /apps/ are main's own files, whatever asks for them and wherever.
    ['main.test', '/apps/evil/admin/x?y=1', {}, 'http://evil.apps.test/admin/x?y=1'],
    ['main.test:8080', '/v/apps/evil/admin/', PAGE, 'http://evil.apps.test:8080/v/admin/'],
    ['main.test', '/apps/evil', {}, 'http://evil.apps.test/'],
    ['main.test', '/apps/evil?x', {}, 'http://evil.apps.test/?x'],
    ['shop.test', '/apps/evil/admin/', {}, 'http://evil.apps.test/admin/'],
    ['evil.apps.test', '/apps/evil/admin/', {}, 'http://evil.apps.test/admin/'],
    ['main.test', '/apps/evil//other.test/', {}, 'http://evil.apps.test//other.test/'],
    ['main.test', '/apps/shop/admin/', {}, 'http://shop.test/admin/'],
    ['main.test', '/apps/nosuch/admin/', {}, null],
    // The second of two names with one label has no origin.
    ['main.test', '/apps/crm/admin/', {}, null],
    // What a browser would show as a page.
    ['main.test', '/files/evil/main/x.html', PAGE, 'http://evil.apps.test/files/evil/main/x.html'],
    ['shop.test', '/files/evil/main/x.html', PAGE, 'http://evil.apps.test/files/evil/main/x.html'],
    ['main.test', '/api/__app/evil/x', { 'sec-fetch-mode': 'navigate' }, 'http://evil.apps.test/api/__app/evil/x'],
    ['main.test', '/api/__app/evil/__visit?to=/', PAGE, 'http://evil.apps.test/api/__app/evil/__visit?to=/'],
    ['main.test', '/api/__app/evil/x', { ...PAGE, 'sec-fetch-mode': 'cors' }, null],
    ['main.test', '/api/__app/evil/x', {}, null],
    ['evil.apps.test', '/files/evil/main/x.html', PAGE, null],
    ['shop.apps.test', '/admin/', PAGE, null],
    ['main.test', '/admin/', PAGE, null],
    // A proxy in front says which host the visitor sees, and how.
    [
      'inner',
      '/files/evil/x',
      { ...PAGE, 'x-forwarded-host': 'main.test:81', 'x-forwarded-proto': 'https' },
      'https://evil.apps.test:81/files/evil/x',
    ],
    ['inner', '/files/evil/x', { ...PAGE, 'x-forwarded-host': 'evil.apps.test' }, null],
  ])('at %s, %s %j goes to %s', (host, url, headers, expected) => {
    expect(setup().requested(url, { host, ...headers }).elsewhere).toBe(expected);
  });

  it('what is no page is sandboxed where it is not at home', () => {
    const { requested } = setup();
    const policy = (host: string, url: string, method?: string) => requested(url, { host }, method).policy;
    expect(policy('main.test', '/api/__app/evil/x', 'POST')).toBe('sandbox');
    expect(policy('shop.test', '/files/evil/x')).toBe('sandbox');
    expect(policy('evil.apps.test', '/files/evil/x')).toBeNull();
    expect(policy('main.test', '/admin/')).toBe("frame-ancestors 'self'");
    expect(policy('main.test', '/apps/nosuch/')).toBe("frame-ancestors 'self'");
  });

  it('without a domain for apps, nothing is redirected', () => {
    const { requested } = setup(null);
    for (const url of ['/apps/evil/admin/', '/files/evil/x', '/apps/shop/admin/'])
      expect(requested(url, { host: 'main.test', ...PAGE })).toMatchObject({ elsewhere: null });
    expect(requested('/apps/evil/admin/', { host: 'main.test' }).policy).toBeNull();
  });

  it('a label passes to the next app that has it when the first one is deleted', () => {
    const { table } = setup();
    expect([table.ownHost(apps[0]), table.ownHost(apps[1])]).toEqual([null, 'crm.apps.test']);
    table.changeApps(new Map([['CRM', null]]));
    expect(table.appByDomain('crm.apps.test')).toBe('crm');
    table.changeApps(new Map([['crm', null]]));
    expect(table.appByDomain('crm.apps.test')).toBe(INVALID_APP);
  });
});

describe('a host that is taken', () => {
  const apps = [
    { name: 'crm_two', cname: null },
    { name: 'shop', cname: 'till.apps.test' },
  ];
  const addresses = { publicUrl: 'https://Main.test:8443', appsDomain: 'apps.test' };
  const fleet = fleetHosts(addresses, [['env_a', ['http://10.0.0.7:13000', 'https://Worker.test.:13000/x']]]);
  it.each<[string, string | null]>([
    ['crm', null],
    ['CRM-Two', 'NAME_TAKEN'],
    ['till', 'DOMAIN_TAKEN'],
    ['crm_', 'INVALID_INPUT'],
  ])('by the name %s of a new app: %s', (name, code) => {
    const check = () => assertLabelFree(name, apps, addresses);
    if (code) expect(check).toThrow(expect.objectContaining({ code, field: 'name' }));
    else expect(check).not.toThrow();
    expect(() => assertLabelFree(name, apps, { ...addresses, appsDomain: null })).not.toThrow();
  });

  it.each<[string, object | null]>([
    ['crm.test', null],
    ['shop.apps.test', null],
    ['free.apps.test', null],
    ['crm.localhost', null],
    ['main.test.example', null],
    ['xn--bcher-kva.test', null],
    ['crm-two.apps.test', { code: 'DOMAIN_TAKEN', params: { domain: 'crm-two.apps.test', app: 'crm_two' } }],
    ['main.test', { code: 'DOMAIN_TAKEN', params: { domain: 'main.test', app: 'main' } }],
    ['apps.test', { code: 'DOMAIN_TAKEN', params: { domain: 'apps.test', app: 'main' } }],
    ['worker.test', { code: 'DOMAIN_OF_WORKER', params: { domain: 'worker.test', environment: 'env_a' } }],
    // However a browser would read it.
    ...['10.0.0.7', '127.1', '2130706433', '0x7f.0.0.1', '0177.0.0.1', '1.2.3.4.5', 'a.09', 'localhost'].map(
      (host): [string, object] => [host, { code: 'INVALID_INPUT', field: 'cname' }],
    ),
  ])('by the domain %s of the app "shop": %j', (cname, expected) => {
    const check = () => assertDomainOfNoOther(cname, 'shop', apps, addresses, fleet);
    if (expected) expect(check).toThrow(expect.objectContaining(expected));
    else expect(check).not.toThrow();
  });

  it('cannot be told without the Supervisor’s own address', () => {
    const unknown = { publicUrl: null, appsDomain: 'apps.test' };
    expect(() => assertDomainOfNoOther('crm.test', 'shop', apps, unknown, fleetHosts(unknown, []))).toThrow(
      expect.objectContaining({ code: 'PUBLIC_URL_MISSING', field: 'cname' }),
    );
  });

  it.each<[string, string | null]>([
    ['Main.Test:14000', 'main.test'],
    ['main.test.', 'main.test'],
    ['https://bücher.test/x', 'xn--bcher-kva.test'],
    ['[::1]:14000', '[::1]'],
    ['', null],
    ['a b', null],
  ])('a host in %j is %s', (text, host) => {
    expect(hostIn(text)).toBe(host);
  });
});
