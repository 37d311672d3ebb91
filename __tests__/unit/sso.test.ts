import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Application } from '@nocobase/server';
import { describe, expect, it } from 'vitest';
import { RoutingTable, trustOf } from '../../src/server/proxy';
import { challengeOf, createSsoFront } from '../../src/server/proxy/sso';
import { destination } from '../../src/server/proxy/visit';
import { FIRST_ENTRY, vouchFor, vouchForCreator } from '../../src/server/supervisor/sso/vouching';
import { enter } from '../../src/server/worker/sso/accounts';
import type { Identities } from '../../src/server/worker/sso/identities';
import { entranceOf, isPrivilegedRole, nameOf, refusalOf, sessionOf } from '../../src/server/worker/sso/whom';
import { parseAppsDomain } from '../../src/shared/origins';
import { createdIn, isTopLevel, NO_SSO, type SsoSettings, ssoOf } from '../../src/shared/sso';

const settings = (more: Partial<SsoSettings> = {}): SsoSettings => ({ ...NO_SSO, enabled: true, ...more });
const user = {
  id: 'fleet:7',
  since: 5,
  username: 'bob',
  email: 'bob@x.test',
  nickname: 'Bob',
  isRoot: false,
  maySignUp: true,
};

describe('settings', () => {
  it('have defaults for whatever is not stored, or is nonsense', () => {
    expect(ssoOf(null)).toEqual(NO_SSO);
    expect(ssoOf({ enabled: 'yes', mapping: 'phone', signupFor: 'all', passwordSignIn: null })).toEqual(NO_SSO);
    expect(ssoOf({ enabled: true, mapping: 'email', passwordSignIn: false })).toEqual(
      settings({ mapping: 'email', passwordSignIn: false }),
    );
  });
});

describe('whom the main app vouches for', () => {
  const everybody = { visibleTo: 'everybody' as const, visibleRoles: [] };
  const bob = { id: '7', since: 5, username: 'bob', email: null, nickname: null, roles: ['member', 'sales'] };
  it.each<[string, Partial<SsoSettings>, Parameters<typeof vouchFor>[3], unknown]>([
    ['nobody while it is off', { enabled: false }, everybody, 'SSO_OFF'],
    ['nobody who is not to see the app', {}, { visibleTo: 'nobody', visibleRoles: [] }, 'SSO_NOT_FOR_YOU'],
    ['not without the role', {}, { visibleTo: 'roles', visibleRoles: ['boss'] }, 'SSO_NOT_FOR_YOU'],
    ['with the role', {}, { visibleTo: 'roles', visibleRoles: ['sales'] }, { maySignUp: false, isRoot: false }],
    ['an account for everybody', { autoSignup: true }, everybody, { maySignUp: true }],
    ['none without the role', { autoSignup: true, signupFor: ['boss'] }, everybody, { maySignUp: false }],
    ['one with the role', { autoSignup: true, signupFor: ['sales'] }, everybody, { maySignUp: true }],
  ])('%s', (_, change, visibility, expected) => {
    const vouched = vouchFor(bob, 'fleet', settings(change), visibility);
    if (typeof expected === 'string') expect(vouched).toBe(expected);
    else expect(vouched).toMatchObject({ id: 'fleet:7', since: 5, ...(expected as object) });
  });
});

describe('whoever has just created an app', () => {
  const ada = { id: '7', since: 5, username: 'ada', email: null, nickname: null, roles: ['root'] };
  const vouched = (creation: Parameters<typeof vouchForCreator>[2], now = 1_000) =>
    vouchForCreator(ada, 'fleet', creation, now);
  it('is vouched for, for some minutes', () => {
    const creation = { by: '7', at: 1_000 };
    expect(vouched(creation)).toMatchObject({ id: 'fleet:7', username: 'ada', isRoot: false, maySignUp: false });
    expect(vouched(creation, 1_000 + FIRST_ENTRY)).toMatchObject({ id: 'fleet:7' });
    expect(vouched(creation, 1_001 + FIRST_ENTRY)).toBe('SSO_EXPIRED');
  });

  it('is nobody else: no other user, and nobody where an app was adopted or the fleet itself has made it', () => {
    for (const creation of [{ by: '8', at: 1_000 }, { by: null, at: 1_000 }, null])
      expect(vouched(creation)).toBe('SSO_OFF');
  });
});

describe('a code', () => {
  const secret = 'the secret of the browser';
  const code = { app: 'uid-1', challenge: challengeOf(secret), user, at: 1_000_000, endedAt: 0 };
  const brought = { code, secret, uid: 'uid-1', settings: settings(), endedAt: 0, now: 1_000_100 };
  it.each<[string, Partial<typeof brought> | { code: null }, string | null]>([
    ['is worth something', {}, null],
    ['is not there', { code: null }, 'SSO_EXPIRED'],
    ['is for another app', { uid: 'uid-2' }, 'SSO_EXPIRED'],
    ['is of another browser', { secret: 'another' }, 'SSO_EXPIRED'],
    ['was put there again later', { now: 1_000_000 + 420_001 }, 'SSO_EXPIRED'],
    ['is from before the user has signed out', { endedAt: 1 }, 'SSO_EXPIRED'],
    ['is from before he has signed out, by a slower clock', { endedAt: 999_999 }, 'SSO_EXPIRED'],
    ['is from after he has signed out and in again', { endedAt: 5, code: { ...code, endedAt: 5 } }, null],
    ['is known to be younger than an end that the store has lost', { code: { ...code, endedAt: 5 } }, null],
    ['is for an app that takes no part any more', { settings: NO_SSO }, 'SSO_OFF'],
    ['is of whoever has created the app', { settings: NO_SSO, code: { ...code, isFirst: true } as typeof code }, null],
    [
      'is of whoever has created another app',
      { settings: NO_SSO, uid: 'uid-2', code: { ...code, isFirst: true } as typeof code },
      'SSO_EXPIRED',
    ],
  ])('%s', (_, change, expected) => {
    expect(refusalOf({ ...brought, ...change })).toBe(expected);
  });
});

describe('who a user becomes', () => {
  const account = { id: '3', since: 5, isPrivileged: false, isBound: false };
  const admin = { ...account, isPrivileged: true };
  const nobody = { bound: undefined, named: null };
  const signs = settings({ autoSignup: true });
  const refuse = (why: string) => ({ do: 'refuse', why });
  it.each<[string, Parameters<typeof entranceOf>, object]>([
    ['the account that he is bound to', [user, { bound: account, named: null }, NO_SSO], { do: 'signIn', account }],
    [
      'an administrator that he is bound to',
      [user, { bound: admin, named: null }, NO_SSO],
      { do: 'signIn', account: admin },
    ],
    ['nobody once it was deleted', [user, { bound: null, named: null }, signs], refuse('SSO_ACCOUNT_GONE')],
    [
      'the one that his name was looked up for',
      [user, { bound: undefined, named: account }, NO_SSO],
      { do: 'bind', account },
    ],
    ['no administrator by name', [user, { bound: undefined, named: admin }, signs], refuse('SSO_PRIVILEGED')],
    [
      'that administrator as root of the main app',
      [{ ...user, isRoot: true }, { bound: undefined, named: admin }, NO_SSO],
      { do: 'bind', account: admin },
    ],
    [
      'nobody whom another user is bound to',
      [{ ...user, isRoot: true }, { bound: undefined, named: { ...account, isBound: true } }, signs],
      refuse('SSO_TAKEN'),
    ],
    ['a new one', [user, nobody, signs], { do: 'signUp' }],
    ['none where none is created', [user, nobody, NO_SSO], refuse('SSO_NO_ACCOUNT')],
    ['none that is not for him', [{ ...user, maySignUp: false }, nobody, signs], refuse('SSO_NO_ACCOUNT')],
    [
      'none without the name that is looked up',
      [{ ...user, username: null }, nobody, { ...signs, mapping: 'username' }],
      refuse('SSO_NO_NAME'),
    ],
    [
      'none without any name, whatever is looked up',
      [{ ...user, username: null, email: null }, nobody, signs],
      refuse('SSO_NO_NAME'),
    ],
  ])('%s', (_, given, expected) => {
    expect(entranceOf(...given)).toEqual(expected);
  });

  it('is nobody new with a role that gives more than data, by the settings or as the app’s default', async () => {
    const roles = {
      clerk: { snippets: ['!ui.*', '!pm', '!pm.*'] },
      boss: { snippets: ['pm.*'] },
      designer: { snippets: ['ui.*', '!pm', '!pm.*'] },
      admin: { snippets: null },
    } as const;
    const enterAs = async (signupRole: string, byDefault: keyof typeof roles) => {
      const created: object[] = [];
      const rows = Object.entries(roles).map(([name, role]) => ({ name, ...role, default: name === byDefault }));
      const rowOf = (row?: object) => row && { get: (field: string) => (row as Record<string, unknown>)[field] };
      const tables: Record<string, object> = {
        users: {
          findOne: async () => null,
          create: async ({ values }: { values: object }) => {
            created.push(values);
            return rowOf({ id: 9, createdAt: 0 });
          },
        },
        roles: {
          findOne: async ({ filterByTk }: { filterByTk?: string }) =>
            rowOf(rows.find((row) => (filterByTk ? row.name === filterByTk : row.default))),
        },
      };
      const app = { db: { getRepository: (name: string) => tables[name] } } as unknown as Application;
      const identities = { ofUser: async () => null, bind: async () => undefined } as unknown as Identities;
      const entered = await enter(app, user, settings({ autoSignup: true, signupRole }), identities, 0);
      return [entered, created.length];
    };
    const account = [{ account: '9' }, 1];
    const refused = [{ why: 'SSO_NO_ACCOUNT' }, 0];
    expect(await enterAs('clerk', 'boss')).toEqual(account);
    expect(await enterAs('', 'clerk')).toEqual(account);
    expect(await enterAs('nosuch', 'clerk')).toEqual(account);
    for (const role of ['boss', 'designer', 'admin'] as const) {
      expect([role, await enterAs(role, 'clerk')]).toEqual([role, refused]);
      expect([role, await enterAs('', role)]).toEqual([role, refused]);
    }
  });

  it('is looked up as the settings say', () => {
    expect(nameOf(user, { mapping: 'username' })).toEqual({ username: 'bob' });
    expect(nameOf(user, { mapping: 'email' })).toEqual({ email: 'bob@x.test' });
    expect(nameOf(user, { mapping: 'none' })).toBeNull();
    expect(nameOf({ ...user, email: '' }, { mapping: 'email' })).toBeNull();
  });

  it.each<[string, string[], boolean]>([
    ['root', [], true],
    ['admin', [], true],
    ['r_1', ['pm'], true],
    ['r_1', ['pm.acl.roles'], true],
    ['r_1', ['app'], true],
    ['r_1', ['ui.*'], true],
    ['r_1', ['*'], true],
    ['r_1', ['[p]m.*'], true],
    ['r_1', ['{x,ui}.*'], true],
    ['r_1', ['!*', 'x-y.*'], false],
    ['member', ['!ui.*', '!pm', '!pm.*', '!app'], false],
    ['r_1', [], false],
    ['r_1', ['application'], false],
  ])('role %s with %j', (name, snippets, expected) => {
    expect(isPrivilegedRole(name, snippets)).toBe(expected);
  });
});

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

describe('a session that has ended', () => {
  const sso = 'app-sso';
  it.each<[string, Parameters<typeof sessionOf>[0], ReturnType<typeof sessionOf>['why'], boolean]>([
    ['by the main app', { bearer: 't', authenticator: sso, cookie: 't', cookieAuthenticator: sso }, 'ended', true],
    ['in the cookie alone', { bearer: '', authenticator: '', cookie: 't', cookieAuthenticator: sso }, 'ended', false],
    [
      'by the app’s own sign-in',
      { bearer: 't', authenticator: 'basic', cookie: 't', cookieAuthenticator: 'basic' },
      null,
      false,
    ],
    ['of an API key', { bearer: 'key', authenticator: '', cookie: '', cookieAuthenticator: '' }, null, false],
    [
      'by the app’s own sign-in, in the cookie alone',
      { bearer: '', authenticator: '', cookie: 't', cookieAuthenticator: 'basic' },
      null,
      false,
    ],
    [
      'in an old tab, with another one by a password since',
      { bearer: 'old', authenticator: sso, cookie: 't', cookieAuthenticator: 'basic' },
      'ended',
      false,
    ],
    [
      'in an old tab, with a newer one by the main app',
      { bearer: 'old', authenticator: sso, cookie: 't', cookieAuthenticator: sso },
      'ended',
      false,
    ],
    ['of nobody', { bearer: '', authenticator: sso, cookie: '', cookieAuthenticator: '' }, 'none', false],
  ])('%s', (_, claimed, why, isInCookie) => {
    expect(sessionOf(claimed)).toEqual({ why, isInCookie });
  });
});

it('a time of creation is read from whatever a database gives', () => {
  const given = [new Date(5_999), '1970-01-01T00:00:05.000Z', null, undefined, 'nonsense', new Date(-1)];
  expect(given.map(createdIn)).toEqual([5, 5, 0, 0, 0, 0]);
});

describe('a request of a person', () => {
  it.each<[object, string, boolean]>([
    [NAVIGATION, 'https', true],
    [NAVIGATION, 'http', true],
    [{ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: 'text/html' }, 'http', false],
    [{ 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 'https', false],
    [{ 'sec-fetch-mode': 'navigate' }, 'http', false],
    [{ accept: 'text/html' }, 'https', false],
    [{ accept: 'text/html' }, 'http', true],
    [{ accept: '*/*' }, 'http', false],
  ])('%j by %s: %s', (headers, protocol, expected) => {
    expect(isTopLevel(headers, protocol)).toBe(expected);
  });
});

describe('the first step', () => {
  const on = { passwordSignIn: true };
  const app = (name: string, more: object = {}) => ({
    name,
    title: name.toUpperCase(),
    cname: null,
    sso: on,
    desired: 'running' as const,
    environments: ['env_a'],
    targetEnvironment: null,
    statuses: new Map(),
    ...more,
  });

  function setup({ publicUrl = 'https://main.test' as string | null, domain = '' } = {}) {
    const table = new RoutingTable(domain ? parseAppsDomain(domain) : null);
    table.replaceApps([
      app('crm'),
      app('shop', { cname: 'shop.test', isDomainVerified: true }),
      app('lapsed', { cname: 'lapsed.test' }),
      app('off', { sso: null }),
    ]);
    const front = createSsoFront({
      table,
      trusts: trustOf(['loopback'], () => {}),
      publicUrl,
      apiBase: '/api',
      publicPath: '/',
      modernPrefix: 'v',
    });
    return (name: string, url: string, headers: Record<string, string> = {}, method = 'GET') => {
      const res = {
        statusCode: 200,
        headers: new Map<string, string>(),
        setHeader: (key: string, value: string) => void res.headers.set(key.toLowerCase(), value),
        appendHeader: (key: string, value: string) => void res.headers.set(key.toLowerCase(), value),
        on() {},
        end() {},
      };
      const socket = { remoteAddress: '127.0.0.1' };
      const req = { method, url, headers: { host: 'main.test', ...NAVIGATION, ...headers }, socket };
      const answered = front(name, req as unknown as IncomingMessage, res as unknown as ServerResponse);
      if (!answered) return res.headers.has('cache-control') ? 'passes, uncached' : 'passes';
      const { statusCode, headers: sent } = res;
      if (statusCode !== 302) return statusCode;
      const target = new URL(sent.get('location')!, 'http://same');
      const { app: asked, redirect, own, challenge, state } = Object.fromEntries(target.searchParams);
      const [cookie] = sent.get('set-cookie')!.split(';');
      expect(cookie).toBe(`nb_sso_${state}_${asked}=${cookie.split('=')[1]}`);
      expect(challengeOf(cookie.split('=')[1])).toBe(challenge);
      return `${target.origin} ${target.pathname} ${asked} ${redirect}${own ? ' own' : ''}`;
    };
  }
  const AUTHORIZE = '/api/appSso:authorize';

  it.each<[string, string, string, Record<string, string>]>([
    ['/apps/crm/admin/x?y=1', 'main', `http://same ${AUTHORIZE} crm /apps/crm/admin/x?y=1`, {}],
    ['/v/apps/crm/admin/x', 'main', `http://same ${AUTHORIZE} crm /v/apps/crm/admin/x`, {}],
    ['/apps/crm/mobile/page/1', 'main', `http://same ${AUTHORIZE} crm /apps/crm/mobile/page/1`, {}],
    ['/apps/crm/', 'main', `http://same ${AUTHORIZE} crm /apps/crm/`, {}],
    ['/x/apps/crm/home', 'main', `http://same ${AUTHORIZE} crm /x/apps/crm/home`, {}],
    // A session, a token, a page for everybody, an app that takes no part or does not exist.
    ['/apps/crm/admin/', 'main', 'passes, uncached', { cookie: 'a=b; nb_auth_token_crm=x' }],
    ['/apps/crm/admin/', 'main', `http://same ${AUTHORIZE} crm /apps/crm/admin/`, { cookie: 'nb_auth_token_crm2=x' }],
    ['/apps/crm/admin/?token=x', 'main', 'passes, uncached', {}],
    ['/apps/crm/signin', 'main', 'passes', {}],
    ['/apps/crm/public-forms/1', 'main', 'passes', {}],
    ['/apps/off/admin/', 'main', 'passes', {}],
    ['/apps/nosuch/admin/', 'main', 'passes', {}],
    ['/admin/', 'main', 'passes', {}],
    // A script and a frame load a page as ever.
    ['/apps/crm/admin/', 'main', 'passes, uncached', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['/apps/crm/admin/', 'main', 'passes, uncached', { 'sec-fetch-dest': 'iframe' }],
    // The app's own domain.
    ['/admin/x', 'shop', `https://main.test ${AUTHORIZE} shop /admin/x own`, { host: 'shop.test' }],
    ['/v/admin/x', 'shop', `https://main.test ${AUTHORIZE} shop /v/admin/x own`, { host: 'shop.test' }],
    ['/', 'shop', `https://main.test ${AUTHORIZE} shop / own`, { host: 'shop.test' }],
    ['/static/x.js', 'shop', 'passes', { host: 'shop.test' }],
    ['/api/users:list', 'shop', 'passes', { host: 'shop.test' }],
    // When asked, and never with an address that is not the app's.
    ['/api/__app/crm/appSso:start', 'crm', `http://same ${AUTHORIZE} crm /apps/crm/admin/`, {}],
    ['/api/__app/crm/appSso:start?redirect=//evil.test', 'crm', `http://same ${AUTHORIZE} crm /apps/crm/admin/`, {}],
    [
      '/api/__app/crm/appSso:start?redirect=/apps/off/admin/',
      'crm',
      `http://same ${AUTHORIZE} crm /apps/crm/admin/`,
      {},
    ],
    [
      '/api/appSso:start?redirect=/admin/y',
      'shop',
      `https://main.test ${AUTHORIZE} shop /admin/y own`,
      { host: 'shop.test' },
    ],
  ])('%s of %s: %s %j', (url, name, expected, headers) => {
    expect(setup()(name, url, headers)).toBe(expected);
  });

  it('leads to pages of a client alone, and never to an API or a file', () => {
    const here = { apiBase: '/api', publicPath: '/', modernPrefix: 'v', isOwnHost: true };
    const own = (to: string, more: object = {}) => destination({ name: 'crm' }, to, { ...here, ...more });
    for (const page of ['/', '/admin', '/admin/x?y=1#z', '/v/', '/v/admin/', '/mobile/', '/x/apps/crm/y', '/embed/1'])
      expect(own(page)).toBe(page);
    expect(own('/public-forms/1')).toBe('/public-forms/1');
    expect(own('/v/apps/crm/admin/x')).toBe('/v/admin/x');
    for (const other of [
      '/api/roles/admin/users:add?filterByTk=3',
      '/api/__app/crm/users:destroy?filterByTk=2',
      '/admin/../api/auth:signOut',
      '/admin/%2e%2e/api/auth:signOut',
      '/v/..%2fapi/auth:signOut',
      '/v/api/auth:signOut',
      '/apps/crm/api/x',
      '/administer',
      '/files/crm/~storage/a.html',
      '/storage/uploads/a.html',
      '/static/plugins/x.html',
      '/ws',
      '/signin',
      '/index.html',
    ])
      expect([other, own(other)]).toEqual([other, '/']);
    const shared = (to: string) => own(to, { isOwnHost: false });
    expect(shared('/v/apps/crm/admin/x?y')).toBe('/v/apps/crm/admin/x?y');
    for (const other of [
      '/apps/crm/api/users:list',
      '/apps/crm/x.html',
      '/api/users:list',
      '/apps/shop/admin/',
      '/admin',
    ])
      expect([other, shared(other)]).toEqual([other, '/apps/crm/admin/']);
    const below = { publicPath: '/nb/', apiBase: '/nb/api' };
    expect([own('/nb/admin/', below), own('/nb/api/x:y', below), own('/admin/', below)]).toEqual([
      '/nb/admin/',
      '/nb/',
      '/nb/',
    ]);
  });

  it('leads back to pages of the app alone, whatever site an address names (v2.0.57)', () => {
    const front = setup();
    const sites = [
      'https://evil.test/',
      '//evil.test',
      '/\\evil.test',
      '/%09/evil.test',
      '/apps/crm/../../..//evil.test',
    ];
    for (const site of sites)
      for (const [app, headers, own] of [
        ['crm', {}, false],
        ['shop', { host: 'shop.test' }, true],
      ] as const) {
        const address = `${own ? '/api' : '/api/__app/crm'}/appSso:start?redirect=${encodeURIComponent(site)}`;
        const [, , , page] = String(front(app, address, headers)).split(' ');
        expect(new URL(page, 'https://here.test').host).toBe('here.test');
      }
  });

  it('is refused with a page where it was asked for and cannot be taken', () => {
    const front = setup({ publicUrl: null });
    expect(front('crm', '/api/__app/crm/appSso:start', { 'sec-fetch-mode': 'cors' })).toBe(403);
    expect(front('off', '/api/__app/off/appSso:start')).toBe(403);
    // The main app has to be found from another host.
    expect(front('shop', '/admin/', { host: 'shop.test' })).toBe(503);
    expect(front('crm', '/api/__app/crm/appSso:start', {}, 'POST')).toBe('passes');
    // A domain that does not lead here may be somebody else's.
    for (const page of ['/admin/', '/api/appSso:start'])
      expect(setup()('lapsed', page, { host: 'lapsed.test' })).toBe(503);
  });

  it('below a domain for all apps', () => {
    const front = setup({ domain: 'apps.test' });
    expect(front('crm', '/admin/', { host: 'crm.apps.test' })).toBe(`https://main.test ${AUTHORIZE} crm /admin/ own`);
  });
});
