import { createHash } from 'node:crypto';
import type { Application } from '@nocobase/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { offerSso } from '../../src/server/core/sso/hosted';
import { vouchForUsers } from '../../src/server/core/sso/main';
import { MemorySso } from '../../src/server/protocol/stores/memory/sso';
import { challengeOf, ssoCookie } from '../../src/server/proxy/sso';
import { SsoSessions } from '../../src/server/worker/sso/sessions';
import { SSO_HEADER } from '../../src/shared/sso';
import { appAskedAt, quietBeforeSignIn, resumeBySso, takeSession } from '../../src/ui/sso/start';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';
import { handedOver } from '../support/visitor';

/** Both ends of a sign-in, with an app and a main app that are played: what happens at the same moment as a sign-out. */

const PATHS = { apiBase: '/api', publicPath: '/', modernPrefix: 'v' };
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
const SECRET = 'of-the-browser';
const BOB = 'fleet:7';

type Middleware = (ctx: any, next: () => Promise<void>) => Promise<void>;

/** What NocoBase gives to a plugin, as far as a sign-in uses it. */
function playedApp(name: string, more: object = {}) {
  const actions: Record<string, Middleware> = {};
  const middlewares: Middleware[] = [];
  const app = {
    name,
    resourceManager: {
      define: ({ actions: defined }: { actions: Record<string, Middleware> }) => Object.assign(actions, defined),
      use: (middleware: Middleware) => middlewares.push(middleware),
    },
    acl: { allow() {} },
    on() {},
    ...more,
  };
  return { app: app as unknown as Application, actions, middlewares };
}

function context(action: object, cookies: Record<string, string>, more: { query?: object; headers?: object } = {}) {
  const jar = new Map<string, string | null>(Object.entries(cookies));
  const headers: Record<string, string> = { ...NAVIGATION, ...more.headers };
  const sent = new Map<string, string>();
  return {
    action,
    query: more.query ?? {},
    protocol: 'https',
    req: { headers },
    state: {} as Record<string, unknown>,
    status: 200,
    type: '',
    body: '' as unknown,
    location: '',
    jar,
    sent,
    get: (header: string) => headers[header.toLowerCase()] ?? '',
    set: (header: string, value: string) => void sent.set(header, value),
    getBearerToken: () => headers.authorization?.slice('Bearer '.length),
    cookies: {
      get: (key: string) => jar.get(key) ?? undefined,
      set: (key: string, value: string | null) => void jar.set(key, value),
    },
    redirect(location: string) {
      this.status = 302;
      this.location = location;
    },
  };
}

describe('a sign-out at the moment of a sign-in', () => {
  const clock = new FakeClock();

  /** An app with one user, who is bound already. */
  function setup() {
    const store = new MemorySso(clock, new SeededRandom());
    const ended: string[] = [];
    let during = async () => {};
    const user = { get: (field: string) => ({ id: 3, createdAt: new Date(200_000), roles: [] })[field] };
    const auth = {
      signIn: async () => {
        await during();
        return { token: 'the-token' };
      },
      forget() {},
    };
    const { app, actions } = playedApp('crm', {
      authManager: { getAuthConfig: () => ({}), registerBuiltInAuthenticator() {}, get: async () => auth },
      db: { getRepository: () => ({ findOne: async () => user }) },
    });
    const bound = { user: { id: BOB, since: 1 }, account: { id: '3', since: 200 }, endedAt: 0 };
    const identities = { prepare: async () => {}, ofUser: async () => bound, ofAccount: async () => bound };
    const sessions = {
      identities: () => identities,
      noteUse() {},
      check: async () => {},
      end: async () => {},
      endOne: async (_: unknown, token: string) => void ended.push(token),
    };
    offerSso(app, {
      store,
      sessions: sessions as never,
      recordOf: () => ({ uid: 'uid-1', title: 'CRM', sso: { enabled: true } }) as never,
      canStart: () => true,
      isOwnHost: () => false,
      paths: PATHS,
      clock,
      log: recordedLog(),
    });
    const arrive = async () => {
      const code = 'c'.repeat(40);
      await store.issue(
        code,
        {
          app: 'uid-1',
          challenge: challengeOf(SECRET),
          user: { id: BOB, since: 1, username: 'bob', email: null, nickname: null, isRoot: false, maySignUp: false },
          at: clock.now().wall,
          endedAt: 0,
        },
        60_000,
      );
      const ctx = context({}, { [ssoCookie('abcd', 'crm')]: SECRET }, { query: { code, state: 'abcd' } });
      await actions.callback(ctx, async () => {});
      return ctx;
    };
    return { store, ended, arrive, whileSigningIn: (work: () => Promise<void>) => (during = work) };
  }

  it('nothing ends, and the visitor gets his page', async () => {
    const { arrive, ended } = setup();
    const { status, location, body, sent } = await arrive();
    expect([status, location]).toEqual([200, '']);
    expect(handedOver({ text: String(body) })).toEqual({
      key: 'appSsoSession:crm',
      session: 'the-token',
      page: '/apps/crm/admin/',
    });
    expect(Object.fromEntries(sent)).toMatchObject({ 'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-store' });
    // Nothing runs in it but what the server has written.
    const [, script] = /<script>(.*)<\/script>/.exec(String(body))!;
    const hash = createHash('sha256').update(script).digest('base64');
    expect(sent.get('Content-Security-Policy')).toContain(`default-src 'none'; script-src 'sha256-${hash}'`);
    expect(ended).toEqual([]);
  });

  it('one that comes while the session begins ends that session, which nobody is given', async () => {
    const { arrive, ended, store, whileSigningIn } = setup();
    whileSigningIn(() => store.writeEnds([{ user: BOB, at: 5 }]));
    const { status, location } = await arrive();
    expect([status, location]).toEqual([403, '']);
    expect(ended).toEqual(['the-token']);
  });

  it('a session that cannot be checked any more is given to nobody', async () => {
    const { arrive, ended, store, whileSigningIn } = setup();
    whileSigningIn(async () => {
      store.readEnds = () => Promise.reject(new Error('away'));
    });
    expect((await arrive()).status).toBe(403);
    expect(ended).toEqual(['the-token']);
  });
});

describe('a request that the app refuses', () => {
  const refused = async (cookies: Record<string, string>, headers: object, action = 'users:list', enabled = true) => {
    const forgotten: string[] = [];
    const { app, middlewares } = playedApp('crm', {
      authManager: {
        getAuthConfig: () => ({}),
        registerBuiltInAuthenticator() {},
        get: async () => ({ forget: () => forgotten.push('cookie') }),
      },
    });
    offerSso(app, {
      sessions: { check: async () => {} } as never,
      recordOf: () => ({ uid: 'uid-1', sso: { enabled } }) as never,
      canStart: (given: Record<string, unknown>) => !given['x-direct'],
    } as never);
    const [resourceName, actionName] = action.split(':');
    const ctx = context({ resourceName, actionName }, cookies, { headers });
    const unauthorized = Object.assign(new Error('401'), { status: 401 });
    await expect(middlewares[0](ctx, () => Promise.reject(unauthorized))).rejects.toThrow('401');
    return [...forgotten, ...[...ctx.sent].map((pair) => pair.join(': '))];
  };

  it('ends a session by the main app, and none by a password of the app', async () => {
    const cookies = (authenticator: string) => ({ nb_auth_token_crm: 't', nb_authenticator_crm: authenticator });
    const headers = (authenticator: string) => ({ authorization: 'Bearer t', 'x-authenticator': authenticator });
    expect(await refused(cookies('app-sso'), headers('app-sso'))).toEqual(['cookie', `${SSO_HEADER}: ended`]);
    expect(await refused(cookies('basic'), headers('basic'))).toEqual([]);
    // At a Worker's own address nobody leads to the main app.
    expect(await refused(cookies('app-sso'), { ...headers('app-sso'), 'x-direct': '1' })).toEqual(['cookie']);
  });

  it('tells a page without any session that the main app may begin one, when it asks who its visitor is', async () => {
    expect(await refused({}, {}, 'auth:check')).toEqual([`${SSO_HEADER}: none`]);
    expect(await refused({}, {}, 'users:list')).toEqual([]);
    expect(await refused({}, { 'x-direct': '1' }, 'auth:check')).toEqual([]);
    expect(await refused({}, {}, 'auth:check', false)).toEqual([]);
  });

  it('offers the main app on the app’s sign-in page where that can be reached, and only that where there is nothing else', async () => {
    const offered = async (headers: object, passwordSignIn = true) => {
      const { app, middlewares } = playedApp('crm', {
        authManager: { getAuthConfig: () => ({}), registerBuiltInAuthenticator() {} },
      });
      offerSso(app, {
        sessions: { check: async () => {} } as never,
        recordOf: () => ({ uid: 'uid-1', sso: { enabled: true, passwordSignIn } }) as never,
        canStart: (given: Record<string, unknown>) => !given['x-direct'],
      } as never);
      const ctx = context({ resourceName: 'authenticators', actionName: 'publicList' }, {}, { headers });
      await middlewares[0](ctx, async () => {
        ctx.body = [{ name: 'basic' }];
      });
      return (ctx.body as { name: string }[]).map(({ name }) => name);
    };
    expect(await offered({})).toEqual(['app-sso', 'basic']);
    expect(await offered({}, false)).toEqual(['app-sso']);
    expect(await offered({ 'x-direct': '1' })).toEqual(['basic']);
  });
});

describe('a page that a sign-in leads to', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has its session before anything on it asks the server, once, and takes none of another app', () => {
    const stored = new Map([
      ['appSsoSession:crm', 'abc'],
      ['appSsoSession:shop', 'of-another-app'],
    ]);
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => stored.get(key) ?? null,
      removeItem: (key: string) => void stored.delete(key),
    });
    const taken: string[] = [];
    const auth = {
      setToken: (token: string) => taken.push(token),
      setAuthenticator: (name: string) => taken.push(name),
    };
    for (const name of ['crm', 'crm', 'main']) takeSession({ name, apiClient: { auth } } as never);
    expect(taken).toEqual(['abc', 'app-sso']);
    expect([...stored.values()]).toEqual(['of-another-app']);
  });
});

describe('the end of sessions where a transaction sees what was there when it began, as in MySQL', () => {
  it('marks a token that is renewed meanwhile, and comes to an end', async () => {
    const bob = { userId: '3', authenticator: 'app-sso' };
    let rows = [{ id: 'token', jti: 'before', ...bob }];
    let reads = 0;
    const asModels = (found: typeof rows) => found.map((each) => ({ get: (field: keyof typeof each) => each[field] }));
    const tokens = {
      async findAll({
        where,
        transaction,
      }: {
        where: { authenticator: unknown };
        transaction?: { first?: typeof rows };
      }) {
        if (typeof where.authenticator !== 'string') return asModels(rows.filter(({ jti }) => jti !== 'renewed'));
        if (++reads > 9) throw new Error('It reads for ever.');
        const seen = transaction ? (transaction.first ?? rows) : rows;
        if (transaction && 'first' in transaction) transaction.first = seen;
        // NocoBase renews it right after the first reading.
        if (reads === 1) rows = [{ ...rows[0], jti: 'renewed' }];
        return asModels(seen.filter(({ authenticator }) => authenticator === where.authenticator));
      },
      async update(values: object, { where }: { where: { jti: string } }) {
        const [row] = rows;
        if (row.jti !== where.jti) return [0];
        rows = [{ ...row, ...values }];
        return [1];
      },
    };
    const identities = { findAll: async () => [{ get: () => '3' }], update: async () => [1] };
    const sequelize = {
      define: () => identities,
      transaction: (options: { isolationLevel?: string }, work: (transaction: object) => Promise<void>) =>
        work(options.isolationLevel === 'READ COMMITTED' ? {} : { first: undefined }),
    };
    const refused: string[] = [];
    const blacklist = { add: async ({ token }: { token: string }) => void refused.push(token) };
    const app = {
      db: { options: {}, sequelize, getModel: () => tokens },
      authManager: { jwt: { blacklist }, tokenController: { getConfig: async () => null, renew: async () => null } },
    } as unknown as Application;
    const clock = new FakeClock();
    const store = new MemorySso(clock, new SeededRandom());
    const random = new SeededRandom();
    await new SsoSessions({ store, running: () => [app], clock, random, log: recordedLog() }).end(app, BOB, 10);
    expect(refused).toEqual(['renewed']);
  });
});

describe('an open page without a session', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('asks the main app once in 30 s', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const stored = new Map<string, string>();
    const left: string[] = [];
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
    });
    const location = {
      pathname: '/apps/crm/admin/x' as string,
      search: '',
      hash: '#y',
      assign: (to: string) => void left.push(to),
    };
    vi.stubGlobal('window', { location });
    /** The page as it is after each return. */
    const open = (): ((headers: Record<string, string>) => void) => {
      let onError: (error: object) => void = () => {};
      const use = (_: undefined, handler: typeof onError) => {
        onError = handler;
      };
      const axios = { interceptors: { response: { use } } };
      const router = { basename: '/apps/crm' };
      resumeBySso({ name: 'crm', router, getApiUrl: (path: string) => `/api/${path}`, apiClient: { axios } } as never);
      return (headers) => {
        try {
          onError({ response: { headers } });
        } catch {
          // The page gets the error, too.
        }
      };
    };
    const first = open();
    first({});
    expect(left).toEqual([]);
    first({ [SSO_HEADER]: 'ended' });
    first({ [SSO_HEADER]: 'ended' });
    expect(left).toEqual(['/api/__app/crm/appSso:start?redirect=%2Fapps%2Fcrm%2Fadmin%2Fx%23y']);
    vi.advanceTimersByTime(29_000);
    open()({ [SSO_HEADER]: 'ended' });
    expect(left.length).toBe(1);
    vi.advanceTimersByTime(1_001);
    open()({ [SSO_HEADER]: 'ended' });
    expect(left.length).toBe(2);
    // Who never had a session stays on pages for everybody, at the sign-in page, where he may have signed out, and in frames.
    for (const pathname of ['/apps/crm/signin', '/apps/crm/public-forms/1', '/apps/crm2/admin/']) {
      vi.advanceTimersByTime(30_001);
      location.pathname = pathname;
      open()({ [SSO_HEADER]: 'none' });
    }
    location.pathname = '/apps/crm/admin/x';
    vi.stubGlobal('window', { location, self: 'a frame', top: 'the page around it' });
    open()({ [SSO_HEADER]: 'none' });
    expect(left.length).toBe(2);
    vi.stubGlobal('window', { location });
    open()({ [SSO_HEADER]: 'none' });
    expect(left.length).toBe(3);
  });
});

describe('a code', () => {
  /** The main app, where Bob (7) is signed in; `during` is done while NocoBase checks his session. */
  function playedMain(
    more: {
      newestOf?: () => Promise<number>;
      ownHosts?: string[];
      publicUrl?: string;
      creation?: { by: string | null; at: number };
    } = {},
  ) {
    const clock = new FakeClock();
    const { app, actions, middlewares } = playedApp('main', {
      authManager: {
        jwt: { decode: async () => ({ iat: clock.now().wall / 1_000, userId: 7 }) },
        tokenController: { getConfig: async () => ({ tokenExpirationTime: 60_000 }) },
      },
      db: { on() {}, getRepository: () => ({ findOne: async () => ({ get: () => new Date(1_000) }) }) },
    });
    const issued: any[] = [];
    vouchForUsers(app, {
      store: { issue: async (...given) => void issued.push(given) },
      ends: { newestOf: more.newestOf ?? (async () => 0) } as never,
      fleet: () => 'fleet',
      app: () =>
        ({ name: 'crm', uid: 'uid-1', sso: { enabled: true }, visibleTo: 'everybody', visibleRoles: [] }) as never,
      creationOf: async () => more.creation ?? null,
      ownHosts: () => more.ownHosts ?? [],
      publicUrl: more.publicUrl ?? null,
      appsDomain: null,
      paths: PATHS,
      record() {},
      clock,
      log: recordedLog(),
    });
    const ask = async (asked: object, during = () => {}) => {
      const query = { app: 'crm', state: 'abcd', challenge: 'c'.repeat(43), redirect: '/apps/crm/admin/', ...asked };
      const action = { resourceName: 'appSso', actionName: 'authorize' };
      const ctx = context(action, { nb_auth_token_main: 'token' }, { query });
      await middlewares[0](ctx, async () => {
        during();
        ctx.state.currentUser = { id: 7, username: 'bob', roles: [] };
        await actions.authorize(ctx, async () => {});
      });
      return ctx;
    };
    return { ask, issued };
  }

  it('goes to the app’s own addresses alone', async () => {
    const publicUrl = 'https://main.test';
    const { ask, issued } = playedMain({ ownHosts: ['crm.test'], publicUrl });
    const placeOf = ({ location }: { location: string }) => location.split('?')[0];
    expect(placeOf(await ask({}))).toBe('/api/__app/crm/appSso:callback');
    expect(placeOf(await ask({ own: 'crm.test' }))).toBe('https://crm.test/api/appSso:callback');
    expect(placeOf(await ask({ redirect: 'https://evil.test/' }))).toBe('/api/__app/crm/appSso:callback');
    expect(issued.length).toBe(3);
    for (const own of ['evil.test', 'main.test', 'crm.test.evil.test', 'crm.test:1@evil.test']) {
      const { status, location } = await ask({ own });
      expect([own, status, location]).toEqual([own, 503, '']);
    }
    expect(issued.length).toBe(3);
  });

  it('lets whoever has created an app in as its first administrator, and nobody else', async () => {
    const own = playedMain({ creation: { by: '7', at: new FakeClock().now().wall } });
    expect((await own.ask({ first: '1' })).status).toBe(302);
    expect((await own.ask({})).status).toBe(302);
    expect(own.issued.map(([, { isFirst }]) => isFirst)).toEqual([true, undefined]);
    const others = playedMain({ creation: { by: '8', at: new FakeClock().now().wall } });
    expect((await others.ask({ first: '1' })).status).toBe(403);
    expect(others.issued).toEqual([]);
  });

  it('knows the ends from before the session in the main app was checked', async () => {
    const order: string[] = [];
    let newest = 3;
    const { ask, issued } = playedMain({
      newestOf: async () => {
        order.push('ends');
        return newest;
      },
    });
    const { status } = await ask({}, () => {
      // NocoBase checks the session, and right after that the user signs out.
      order.push('session');
      newest = 9;
    });
    expect(order).toEqual(['ends', 'session']);
    expect(status).toBe(302);
    expect(issued[0][1]).toMatchObject({ user: { id: BOB, since: 1 }, endedAt: 3 });
  });
});

describe('the sign-in at the main app', () => {
  const asked = (redirect: string) => `?${new URLSearchParams({ redirect })}`;
  it.each<[string, string, string | null]>([
    ['/signin', asked('/app-sso?app=crm&state=ab'), 'crm'],
    ['/v/signin', asked('/v/app-sso?app=crm'), 'crm'],
    ['/portal/signup', asked('/portal/app-sso?app=crm'), 'crm'],
    ['/signin', asked('/admin/?app=crm'), null],
    ['/signin', asked('http://['), null],
    ['/signin', '', null],
    ['/admin', asked('/app-sso?app=crm'), null],
  ])('%s%s leads to the app %s', (path, search, app) => {
    expect(appAskedAt(path, search)).toBe(app);
  });

  it('does not say that nobody is signed in, and says that a password is wrong', () => {
    const use = vi.fn();
    quietBeforeSignIn({ apiClient: { axios: { interceptors: { request: { use } } } } } as never);
    const [[ask]] = use.mock.calls;
    const skips = (url: string, status: number) => {
      const { skipNotify } = ask({ url });
      return typeof skipNotify === 'function' ? skipNotify({ response: { status } }) : Boolean(skipNotify);
    };
    vi.stubGlobal('window', { location: { pathname: '/signin', search: asked('/app-sso?app=crm') } });
    expect(skips('aiEmployees:listByUser', 401)).toBe(true);
    expect(skips('aiEmployees:listByUser', 500)).toBe(false);
    expect(skips('auth:signIn', 401)).toBe(false);
    vi.stubGlobal('window', { location: { pathname: '/signin', search: '' } });
    expect(skips('aiEmployees:listByUser', 401)).toBe(false);
    vi.unstubAllGlobals();
  });
});
