import { IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../src/server/config/bounds';
import { createProbes } from '../../src/server/observability/probes';
import { answer } from '../../src/server/proxy/answers';
import { isForm } from '../../src/server/proxy/bodies';
import { passedCookies, passedSetCookie, passes } from '../../src/server/proxy/cookies';
import { pageFor } from '../../src/server/proxy/error-page';
import { createGuard, isServable } from '../../src/server/proxy/gateway-guard';
import {
  isAmbiguous,
  isLoop,
  requestHeaders,
  upgradeHeaders,
  visitorHost,
  visitorProtocol,
} from '../../src/server/proxy/headers';
import { createNaming } from '../../src/server/proxy/naming';
import { visitorAddress } from '../../src/server/proxy/peer';
import { createSelector } from '../../src/server/proxy/selector';
import { requestedEnvironment, withPin } from '../../src/server/proxy/sticky-environment';
import { hostnameOf, type RouteApp, RoutingTable } from '../../src/server/proxy/table';
import {
  hasToken,
  holdsTokenOfMain,
  isSignedIn,
  isTokenOfMain,
  withoutTokensOfMain,
} from '../../src/server/proxy/tokens';
import { visitorLocation, workerUrl } from '../../src/server/proxy/upload-addresses';
import { isReadOnly, originForm, pathOf } from '../../src/server/proxy/url';
import { destination, isVisit, visit } from '../../src/server/proxy/visit';
import { redactPasswords } from '../../src/server/supervisor/api/request-log';
import { languageOf } from '../../src/server/visitor-texts';
import { parseAppsDomain } from '../../src/shared/origins';
import { FakeClock } from '../support/clock';
import { growsFaster } from '../support/growth';
import { originsOf } from '../support/origins';

/**
 * Whatever a visitor sends is read with work that grows with its length and no faster. Everything of ours that reads a
 * request is here, with each part of the request that it reads.
 */

const table = new RoutingTable();
const app: RouteApp = {
  name: 'crm',
  cname: 'crm.test',
  desired: 'running',
  environments: ['env_a'],
  targetEnvironment: null,
  statuses: new Map(),
};
table.replaceApps([app]);

const mainSecret = () => 'secret';
const nameApp = createNaming({ apiBasePath: '/api/', publicPath: '/', domains: table });
const config = { apiBase: '/api', publicPath: '/', modernPrefix: 'v', isOwnHost: true };
const below = new RoutingTable(parseAppsDomain('apps.test'));
below.replaceApps([app]);
const origins = originsOf(below, {
  addresses: { publicUrl: null, appsDomain: 'apps.test' },
  frameAncestors: { main: "'self'", apps: '*' },
});
const peers = [true, false].map((trusted) => ({ address: '10.0.0.1', trusted, protocol: 'http' as const }));
const guards = [true, false].map((serves) =>
  createGuard({
    isLoaded: () => true,
    isKnown: () => false,
    appNameOf: nameApp,
    hasPackage: () => false,
    clock: new FakeClock(),
    apiBase: '/api',
    pluginStaticsPath: '/static/plugins/',
    publicPath: '/',
    origins,
    bounds: BOUNDS,
    trusts: () => false,
    secretOf: mainSecret,
    serve: serves ? () => true : null,
  }),
);
const probe = createProbes('/api', () => ({ main: 'running', begun: true, loaded: true, role: null }));
const select = createSelector(() => table);
const strikeOut = redactPasswords(['apps']);

const PATHS = [
  ...[
    '',
    '/',
    '/?',
    '/#',
    '/?a=',
    '/apps/',
    '/apps/crm/',
    '/v/apps/crm',
    '/api/',
    '/api/__app/',
    '/files/',
    '/static/plugins/',
    '/static/plugins/@',
  ],
  ...['/storage/uploads/', '/files/crm/~uploads/', '/files/crm/~uploads/?a='],
];
const HEADERS = [
  ...['accept', 'accept-language', 'connection', 'content-length', 'cookie', 'host', 'transfer-encoding', 'x-app'],
  ...['x-app-environment', 'x-app-supervisor-via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
  ...['x-hostname', 'forwarded', 'sec-fetch-mode', 'authorization', 'token', 'x-locale', 'content-type'],
];

/** Takes whatever is answered. One for all, as is the request: making them would take longer than what is measured. */
const res = { setHeader() {}, writeHead() {}, on() {}, end() {} } as unknown as ServerResponse;
const req = new IncomingMessage(new Socket());
req.method = 'GET';

const cookies = { app: 'crm', isApp: (name: string) => name === 'shop' };
const outgoing = (peer: (typeof peers)[number]) => ({
  ...{ app: 'crm', peer, mark: 'me', host: 'worker' },
  ...{ cookies, mainSecret },
});

/** What is done with the address of a request, without a Worker to pass it to. */
const OF_ADDRESSES: Record<string, () => unknown> = {
  naming: () => nameApp(req),
  'guard of a Supervisor': () => guards[0](req, res),
  'guard of a Worker': () => guards[1](req, res),
  probes: () => probe(req, res),
  'whether it reads': () => isReadOnly(req.method, originForm(req.url ?? ''), false, '/api'),
  'tokens in it': () => withoutTokensOfMain(req.url ?? '', mainSecret),
  'address for a Worker': () => workerUrl(originForm(req.url ?? ''), 'crm', '/'),
  'own origin': () => ['main', 'crm'].map((name) => [origins.elsewhere(name, req), origins.policy(name, req)]),
  'page for people': () => pageFor(req, pathOf(req.url ?? ''), '/api', answer('APP_STOPPED', 'crm')),
  visit: () => {
    isVisit(req.url ?? '', 'crm', '/api');
    visit(app, `/api/__app/crm/__visit?${req.url}`, req, res, config, false);
  },
};

/** And with its headers. */
const OF_HEADERS: Record<string, () => unknown> = {
  naming: () => nameApp(req),
  selector: () => select({ req, resolvedAppName: null }, async () => undefined),
  'wish for an environment': () => requestedEnvironment(req.headers, 'crm'),
  'headers to a Worker': () => peers.map((peer) => requestHeaders(req, outgoing(peer))),
  'headers of an upgrade': () => peers.map((peer) => upgradeHeaders(req, outgoing(peer))),
  'own origin': () => ['main', 'crm'].map((name) => [origins.elsewhere(name, req), origins.policy(name, req)]),
  'address of a visitor': () => peers.map((peer) => visitorAddress(req.headers['x-forwarded-for'], peer, () => true)),
  language: () => languageOf(req.headers),
  'kind of body': () => [isForm(req), isSignedIn(req, mainSecret, 0), hasToken(req)],
  framing: () => [isAmbiguous(req), isLoop(req.headers['x-app-supervisor-via'], 'me')],
  'protocol and host': () => peers.map((peer) => [visitorProtocol(req, peer), visitorHost(req, peer)]),
  'page for people': () => pageFor(req, '/', '/api', answer('APP_STOPPED', 'crm')),
  visit: () => visit(app, '/api/__app/crm/__visit?environment=env_a', req, res, config, false),
};

/** Values that are no whole request. */
const PARTS: Record<string, (input: string) => unknown> = {
  'file of a plugin': (input) => isServable(input, () => false),
  host: hostnameOf,
  'page to go on to': (input) => destination(app, `/${input}`, config),
  'cookie of an app': (input) => [
    passedSetCookie(`nb_${input}`, cookies),
    passedSetCookie(`a=;domain${input}`, cookies),
  ],
  'cookies of a visitor': (input) => [passedCookies(`nb_${input}`, cookies), passes(`nb_${input}`, cookies)],
  token: (input) => isTokenOfMain(`Bearer ${input}eyJ${input}.${input}`, mainSecret),
  'tokens among others': (input) => holdsTokenOfMain(`Bearer ${input}eyJ${input}.${input}`, mainSecret),
  'cookie to be kept': (input) => withPin(`app_environment=${input}`, 'crm', 'env_a'),
  'redirect of an answer': (input) =>
    [`/storage/uploads/${input}`, `https://${input}`].map((to) => visitorLocation(to, 'crm', '/', 'crm.test')),
  'absolute address': (input) => originForm(`http://${input}\n`),
  'log of a request': (input) => {
    const params = { values: { names: [...input], text: input } };
    return strikeOut({ action: { resourceName: 'apps', params } } as never, async () => undefined);
  },
};

const TOKENS = ['a', ' ', '?', '&', '=', '#', '%', '/', '\\', '.', ',', ':', ';', '~', '@', '['];
const PAIRS = ['?a', '&a', '&a=', '/.', '/..', '/%2e', '%25', ', ', ',a', '; ', '~a', 'a.b~', '::', 'a:', '//', '@a/'];
const WORDS = [
  'eyJ.',
  '&eyJ.',
  'nb_',
  '; nb_a=',
  '_a',
  'domain',
  '__app',
  '__appName=',
  '&__appName=',
  '__appName[',
  'app_environment=',
  ' app_environment',
  'zh',
  'en,',
];
const UNITS = [...TOKENS, ...PAIRS, ...WORDS];

const offenders = (read: (input: string) => unknown) => UNITS.filter((unit) => growsFaster(read, unit));

describe('the measurement', () => {
  it('distinguishes a regular expression that scans everything again from each position from one that does not', () => {
    expect(growsFaster((input) => /[?&][^=&]*%/.test(input), '?', 1)).toBe(true);
    expect(growsFaster((input) => /[?&][^=&?]*%/.test(input), '?')).toBe(false);
  });
});

describe.each(Object.entries(OF_ADDRESSES))('an address: %s', (_, read) => {
  it.each(PATHS)('%j…', (path) => {
    const readAddress = (input: string) => {
      req.url = path + input;
      req.headers = { accept: 'text/html' };
      read();
    };
    expect(offenders(readAddress)).toEqual([]);
  });
});

describe.each(Object.entries(OF_HEADERS))('a header: %s', (_, read) => {
  it.each(HEADERS)('%s', (name) => {
    const readHeader = (input: string) => {
      req.url = '/';
      req.headers = { accept: 'text/html', [name]: input };
      req.rawHeaders = [name, input];
      read();
    };
    expect(offenders(readHeader)).toEqual([]);
  });
});

it.each(Object.entries(PARTS))('%s', (_, read) => expect(offenders(read)).toEqual([]));
