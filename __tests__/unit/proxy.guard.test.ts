import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { BOUNDS } from '../../src/server/config/bounds';
import { createGuard, type GuardOptions, isServable } from '../../src/server/proxy/gateway-guard';
import { createNaming } from '../../src/server/proxy/naming';
import { FakeClock } from '../support/clock';
import { originsOf } from '../support/origins';

const MAIN_SECRET = 'main';
const APP_SECRET = 'app1';
const SESSION = `eyJ.${Buffer.from('{"userId":1}').toString('base64url')}`;
const tokenOf = (secret: string) =>
  `Bearer ${SESSION}.${createHmac('sha256', secret).update(SESSION).digest('base64url')}`;

function setup(more: Partial<GuardOptions> = {}) {
  const options: GuardOptions = {
    isLoaded: () => true,
    isKnown: (name) => name === 'app1',
    appNameOf: createNaming({
      apiBasePath: '/api/',
      publicPath: '/',
      domains: { appByDomain: (host) => (host === 'shop.test' ? 'app1' : null) },
    }),
    hasPackage: vi.fn((name: string) => name === '@nocobase/plugin-acl' || name === 'plain'),
    clock: new FakeClock(),
    apiBase: '/api',
    pluginStaticsPath: '/static/plugins/',
    publicPath: '/',
    origins: originsOf(),
    bounds: BOUNDS,
    trusts: () => false,
    secretOf: (name) => ({ main: MAIN_SECRET, app1: APP_SECRET })[name] ?? null,
    serve: null,
    ...more,
  };
  const guard = createGuard(options);
  const ask = async (url: string, headers: Record<string, string> = {}) => {
    const res = {
      statusCode: 200,
      headers: {} as Record<string, unknown>,
      body: undefined as string | undefined,
      setHeader(name: string, value: unknown) {
        this.headers[name] = value;
      },
      on() {},
      end(text?: string) {
        this.body = text ?? '';
      },
    };
    const rawHeaders = Object.entries(headers).flat();
    const socket = { bytesRead: 0 };
    const req = {
      method: 'GET',
      url,
      headers,
      rawHeaders,
      socket,
      complete: true,
      push() {},
      once() {},
      setTimeout() {},
    };
    const result = await guard(req as unknown as IncomingMessage, res as unknown as ServerResponse);
    // What the core makes of it (gateway/index.ts:813): anything but false means "answered".
    expect(result === false).toBe(res.body === undefined && !served.mock.calls.length);
    const code = res.body?.startsWith('{') ? JSON.parse(res.body).error.code : null;
    return result === false ? 'core' : res.body === undefined ? 'served' : `${res.statusCode} ${code ?? res.body}`;
  };
  const served = vi.fn();
  return { ask, options, served };
}

describe('the guard before the core', () => {
  it('lets other Workers ask for uploads, and no visitor of an app', async () => {
    const uploads = (_: unknown, res: ServerResponse) => {
      res.end('given');
      return true;
    };
    const { ask } = setup({ uploads });
    expect(await ask('/api/__uploads')).toBe('200 given');
    for (const headers of [{ 'x-app': 'app1' }, { host: 'shop.test' }] as Record<string, string>[])
      expect(await ask('/api/__uploads', headers)).toBe('core');
  });

  it.each<[string, Record<string, string>, string]>([
    ['/', {}, 'core'],
    ['/api/users:list?filter=%7B%7D', {}, 'core'],
    ['/assets/x.js', { 'x-app': 'main' }, 'core'],
    ['/api/users:list', { 'x-app': 'app1' }, 'core'],
    ['/api/users:list', { 'x-app': 'nosuch' }, '404 APP_NOT_FOUND'],
    ['/api/users:list', { 'x-app': '../../../x' }, '404 APP_NOT_FOUND'],
    ['/api/users:list', { 'x-app': '__proto__' }, '404 APP_NOT_FOUND'],
    ['/api/users:list?__appName=nosuch', {}, '404 APP_NOT_FOUND'],
    ['/api/users:list?x=1&__%61ppName=nosuch', {}, '404 APP_NOT_FOUND'],
    ['/assets/x.js', { 'x-app': 'nosuch' }, '404 APP_NOT_FOUND'],
    ['/static/plugins/@nocobase/plugin-acl/dist/client/index.js?hash=1', {}, 'core'],
    ['/static/plugins/plain/x', {}, 'core'],
    ['/static/plugins/@nocobase/plugin-none/dist/client/index.js', {}, '404 Not Found'],
    ['/static/plugins/', {}, '404 Not Found'],
    ['/static/plugins/@nocobase', {}, '404 Not Found'],
    ['/static/plugins/../../x', {}, '404 Not Found'],
    ['/static/plugins/plain/%2e%2e/%2e%2e/x', {}, '404 Not Found'],
    ['/static/plugins/%40nocobase/plugin-acl/x', {}, '404 Not Found'],
    ['/static/plugins/plain/%E0%A4%A', {}, '404 Not Found'],
    ['/static/plugins/plain/dist/%73erver/index.js', {}, '404 Not Found'],
    ['/static/plugins/none/x', { 'x-app': 'main' }, '404 Not Found'],
    ['/static\\plugins/none/x', {}, '404 Not Found'],
    ['/x%00', {}, '404 Not Found'],
    ['http://host/static/plugins/none/x', {}, '404 Not Found'],
    ['http://shop.test/api/users:list', { host: 'other.test' }, 'core'],
    ['http://user@shop.test/api/users:list', {}, '400 BAD_REQUEST'],
    ['/api/users:list', { host: 'shop.test', Host: 'shop.test' }, '400 BAD_REQUEST'],
    ['/api/users:list', { host: 'shop.test', hOST: 'other.test', 'x-app': 'main' }, '400 BAD_REQUEST'],
    ['//a@b/api/__app/nosuch/x', {}, '404 Not Found'],
    ['/storage/uploads/a..b/.c.png?x=/../', {}, 'core'],
    ['/storage/uploads/../apps/main/aes_key.dat', {}, '404 Not Found'],
    ['/storage/uploads/../apps/main/aes_key.dat?__appName=app1', {}, '404 Not Found'],
    ['/storage/uploads/x/%2E./%2e%2e/apps/main/aes_key.dat', { 'x-app': 'app1' }, '404 Not Found'],
    ['/storage/uploads/..%2Fapps%2Fmain%2Faes_key.dat', {}, '404 Not Found'],
    ['http://host/storage/uploads/..', {}, '404 Not Found'],
  ])('%s %j: %s', async (url, headers, expected) => {
    expect(await setup().ask(url, headers)).toBe(expected);
  });

  it('finds uploads below APP_PUBLIC_PATH', async () => {
    const { ask } = setup({ publicPath: '/portal/' });
    expect(await ask('/portal/storage/uploads/../apps/main/aes_key.dat')).toBe('404 Not Found');
  });

  it('never reports an app as unknown before definitions have been loaded (#3188, #9365)', async () => {
    const { ask } = setup({ isLoaded: () => false });
    expect(await ask('/api/x', { 'x-app': 'nosuch' })).toBe('503 APP_PREPARING');
    expect(await ask('/api/x', { 'x-app': '../x' })).toBe('404 APP_NOT_FOUND');
    expect(await ask('/api/x')).toBe('core');
  });

  it('on a Worker, an app that the Supervisor knows and the Worker does not is about to be there, or has just been', async () => {
    const via = { 'x-app-supervisor-via': 'supervisor', 'x-app': 'moved' };
    expect(await setup().ask('/api/x', via)).toBe('503 APP_PREPARING');
    const page = await setup().ask('/admin/', { ...via, accept: 'text/html' });
    expect(page).toMatch(/^503 <!doctype html>.*http-equiv="refresh".*&#34;moved&#34; is starting/s);
    expect(await setup({ serve: () => false }).ask('/api/x', via)).toBe('404 APP_NOT_FOUND');
  });

  it('does not repeat a hostile name', async () => {
    const { options } = setup();
    const guard = createGuard(options);
    let body = '';
    const res = { setHeader() {}, on() {}, end: (text: string) => (body = text) };
    guard({ method: 'GET', url: '/', headers: { 'x-app': '<script>' }, rawHeaders: [] } as never, res as never);
    expect(body).not.toContain('script');
  });

  it('on the Supervisor forwards requests of known apps, also for files of plugins that only the worker has', async () => {
    const serve = vi.fn(() => true);
    const { ask, served } = setup({ serve });
    served();
    expect(await ask('/static/plugins/only-there/x.js', { host: 'shop.test' })).toBe('served');
    expect(serve).toHaveBeenCalledWith('app1', expect.anything(), expect.anything());
  });

  it.each<[string, Record<string, string>, string]>([
    ['JSON', { 'content-length': '65537' }, '413 BODY_TOO_LARGE'],
    ['a little', { 'content-length': '65536' }, 'core'],
    ['compressed', { 'content-length': '50', 'content-encoding': 'br' }, '415 BODY_ENCODED'],
    ['with junk for a token', { 'content-length': '65537', authorization: 'Bearer eyJ.x.y' }, '413 BODY_TOO_LARGE'],
    ['with the other’s token', { 'content-length': '65537', authorization: 'of the other' }, '413 BODY_TOO_LARGE'],
    ['with a token', { 'content-length': '65537', authorization: 'own' }, 'core'],
    ['compressed, with a token', { 'content-length': '50', 'content-encoding': 'br', authorization: 'own' }, 'core'],
  ])(
    'a body of somebody who is not signed in is limited, for main and for an app of a Worker: %s',
    async (_, headers, expected) => {
      for (const [own, other, app] of [
        [MAIN_SECRET, APP_SECRET, {}],
        [APP_SECRET, MAIN_SECRET, { 'x-app': 'app1' }],
      ] as Array<[string, string, Record<string, string>]>) {
        const tokens: Record<string, string> = { own: tokenOf(own), 'of the other': tokenOf(other) };
        const { authorization, ...rest } = { ...headers, ...app };
        const given = authorization ? { ...rest, authorization: tokens[authorization] ?? authorization } : rest;
        const limited = vi.fn();
        const { ask } = setup({ metrics: { request: () => {}, limited } });
        expect(await ask('/api/x', given)).toBe(expected);
        expect(limited.mock.calls.length).toBe(expected === 'core' ? 0 : 1);
      }
    },
  );

  it('a request of too many fields is refused', async () => {
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));
    expect(await setup().ask('/', fields(200))).toBe('core');
    expect(await setup().ask('/', fields(201))).toBe('431 HEADERS_TOO_MANY');
  });

  it('caches packages: one look-up for each, and for a missing one at most every ten seconds', async () => {
    const { ask, options } = setup();
    for (let i = 0; i < 5; i++) await ask('/static/plugins/plain/x');
    for (let i = 0; i < 5; i++) await ask('/static/plugins/none/x');
    expect(options.hasPackage).toHaveBeenCalledTimes(2);
  });
});

it('never looks up a name on the disk that is no package', () => {
  const poll = vi.fn(() => true);
  for (const rest of ['..', '.', '', '/etc', '@x', '@../y/z', 'a b/c', '%2e%2e/x', '.hidden/x']) {
    expect(isServable(rest, poll)).toBe(false);
  }
  expect(poll).not.toHaveBeenCalled();
  expect(isServable('@a/b', poll)).toBe(true);
});
