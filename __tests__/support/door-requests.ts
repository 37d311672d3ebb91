import { createHmac } from 'node:crypto';
import type { AppRoute, RouteSettings } from '../../src/shared/routes';
import { ANSWERS, MAIN_SECRET, STRANGER, TRUSTED } from './door-world';
import { SeededRandom } from './random';

/**
 * Requests of every kind that the module knows: most of them as browsers send them, to NocoBase's API, for its files, at hosts of apps
 * and at that of main, and others with something odd about them, of which there is a list.
 */
export interface Asked {
  method: string;
  target: string;
  fields: Array<[string, string]>;
  body: string;
  from: string;
  http2: boolean;
  /** What is odd about it; empty: a browser sends it. */
  odd: string[];
}

interface Making extends Asked {
  app: AppRoute;
  random: Choices;
  settings: RouteSettings;
  hasOwnHost: boolean;
}

class Choices extends SeededRandom {
  upTo = (most: number): number => Math.floor(this.fraction() * most);
  one = <T>(all: readonly T[]): T => all[this.upTo(all.length)];
  in = (hundred: number): boolean => this.fraction() * 100 < hundred;
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as NocoBase signs it. @param kid undefined: as before 0.3.0 */
export function tokenOf(kid: string | undefined, secret: string): string {
  const signed = `${encoded({ alg: 'HS256', typ: 'JWT', ...(kid === undefined ? {} : { kid }) })}.${encoded({ userId: 1, exp: 4e9 })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const MAIN_TOKENS = [tokenOf('main', MAIN_SECRET), tokenOf(undefined, MAIN_SECRET)];

const cookiesFor = (name: string): string[] => [
  `nb_auth_token_${name}=${'t'.repeat(60)}`,
  `nb_role_${name}=admin`,
  `nb_authenticator_${name}=basic`,
];

/** The fields of a browser, in its order. */
function browserFields(
  { app, random, settings, hasOwnHost }: Making,
  host: string,
  isPage: boolean,
): Array<[string, string]> {
  const jar = [
    ...(random.in(70) ? ['_ga=GA1.1.123', 'lang="en-US"'] : []),
    ...(hasOwnHost || random.in(40) ? [] : cookiesFor('main')),
    ...(random.in(70) ? cookiesFor(app.name) : []),
    ...(hasOwnHost || random.in(80) ? [] : cookiesFor(random.one(['shop', 'x_crm', 'crm', 'unknown']))),
    ...(random.in(5)
      ? [`app_environment=${random.one(['crm', 'shop'])}.${random.one(['a', 'b', 'gone'])}~erp-2.a`]
      : []),
  ];
  const fields: Array<[string, string]> = [
    ['Host', host],
    ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'],
    ['Accept', isPage ? 'text/html,application/xhtml+xml,*/*;q=0.8' : 'application/json, text/plain, */*'],
    ['Accept-Language', random.one(['en-US,en;q=0.9', 'zh-CN,zh;q=0.9'])],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    ['Sec-Fetch-Mode', isPage ? 'navigate' : 'cors'],
    ['Sec-Fetch-Dest', isPage ? 'document' : 'empty'],
    ['Referer', `http://${host}${settings.publicPath}${hasOwnHost ? '' : `apps/${app.name}/`}admin/`],
  ];
  if (random.in(10)) fields.push(['TE', 'trailers']);
  if (random.in(30)) fields.push(['Connection', 'keep-alive']);
  if (jar.length) fields.push(['Cookie', jar.join('; ')]);
  return fields;
}

const NAMES = [
  'users:list',
  'systemSettings:get',
  'posts:get/1',
  'app:getInfo',
  'uiSchemas:getJsonSchema/abc',
  'roles:check',
];
const QUERIES = [
  '',
  '?page=1&pageSize=20',
  '?filter=%7B%22a%22%3A%221%22%7D&appends%5B%5D=roles',
  '?sort[]=-id&filterByTk=1',
];

/** One request as a browser sends it. */
function browsers(random: Choices, apps: AppRoute[], settings: RouteSettings): Making {
  const app = random.in(85) ? random.one(apps.slice(0, 4)) : random.one(apps);
  const hasOwnHost = settings.appsDomain !== null ? random.in(85) : app.hosts.length > 0 && random.in(60);
  const making: Making = {
    ...{ method: 'GET', target: '/', fields: [], body: '', odd: [], app, random, settings, hasOwnHost },
    from: random.in(50) ? STRANGER : TRUSTED,
    http2: false,
  };
  const host = hasOwnHost ? random.one(app.hosts) + random.one(['', '', ':13000']) : 'main.test';
  const kind = random.upTo(100);
  if (kind < 60) api(making, host);
  else if (kind < 80) file(making, host);
  else if (kind < 92) page(making, host);
  else socket(making, host);
  if (making.from === TRUSTED) {
    if (random.in(80))
      making.fields.push(['X-Forwarded-For', random.one(['203.0.113.7', '203.0.113.7, 127.0.0.1', '2001:db8::1'])]);
    if (random.in(70)) making.fields.push(['X-Forwarded-Proto', random.one(['https', 'http', 'https'])]);
    if (random.in(60)) making.fields.push(['X-Forwarded-Host', host]);
  }
  if (random.in(20)) making.fields.push(['X-Answer', String(random.upTo(ANSWERS.length - 1))]);
  return making;
}

function api(making: Making, host: string): void {
  const { random, app, settings, hasOwnHost } = making;
  const path = hasOwnHost && random.in(50) ? `${settings.apiBase}/` : `${settings.apiBase}/__app/${app.name}/`;
  making.target = path + random.one(NAMES) + random.one(QUERIES);
  making.fields = browserFields(making, host, false);
  making.fields.push(
    ['X-Locale', 'en-US'],
    ['X-Timezone', '+08:00'],
    ['X-Hostname', host.split(':')[0]],
    ['X-Role', 'admin'],
  );
  if (random.in(40)) making.fields.push(['X-App', app.name]);
  if (random.in(75)) making.fields.push(['Authorization', `Bearer ${tokenOf(app.uid, 'of the app')}`]);
  if (random.in(30)) {
    making.method = random.one(['POST', 'POST', 'PUT', 'PATCH', 'DELETE']);
    making.body = random.in(90) ? JSON.stringify({ a: random.hex(8), b: [1, 2, 3] }) : '';
    making.fields.push(['Content-Type', 'application/json'], ['Content-Length', String(making.body.length)]);
  } else if (random.in(5)) making.method = random.one(['HEAD', 'OPTIONS']);
}

function file(making: Making, host: string): void {
  const { random, app, settings, hasOwnHost } = making;
  const path = random.one([
    'umi.abc123.js',
    'assets/x-1.css',
    'static/plugins/@nocobase/plugin-a/dist/client/index.js',
    'favicon.ico',
    'a%20b%E4%BD%A0.png',
  ]);
  const query = hasOwnHost
    ? random.one(['', '?version=1.2.3'])
    : random.one([`?__appName=${app.name}`, `?v=1&__appName=${app.name}`]);
  making.target = settings.publicPath + path + query;
  making.fields = browserFields(making, host, false);
  if (random.in(20)) making.fields.push(['If-None-Match', 'W/"1-2"']);
}

function page(making: Making, host: string): void {
  const { random, app, settings, hasOwnHost } = making;
  const rest = random.one(['', 'admin/', 'admin/abc', 'signin', 'public-forms/x', 'v/admin/', 'm']);
  making.target = settings.publicPath + (hasOwnHost ? rest : `apps/${app.name}/${rest}`);
  making.fields = browserFields(making, host, true);
}

function socket(making: Making, host: string): void {
  const { random, app, settings, hasOwnHost } = making;
  making.method = 'GET';
  making.body = '';
  making.target = settings.wsPath + (hasOwnHost ? '' : `?__appName=${app.name}`);
  making.fields = browserFields(making, host, false).filter(([name]) => name !== 'Connection');
  making.fields.push(
    ['Connection', random.one(['Upgrade', 'keep-alive, Upgrade'])],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  );
}

const hostOf = ({ fields }: Making): string => fields.find(([name]) => name === 'Host')?.[1] ?? '';
const put = (making: Making, name: string, value: string) => {
  making.fields = making.fields.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  making.fields.push([name, value]);
};
const aim = (making: Making, target: string) => {
  making.target = target;
};
const by = (making: Making, method: string) => {
  making.method = method;
};
const without = (making: Making, names: RegExp) => {
  making.fields = making.fields.filter(([name]) => !names.test(name));
};
const join = (target: string, parameter: string) => target + (target.includes('?') ? '&' : '?') + parameter;
const before = (target: string, path: string) => target.replace(/^[^?]*/, (whole) => whole.replace(/\/?$/, path));

/** What can be odd about a request: each changes one as a browser sends it. */
export const ODDITIES: Record<string, (making: Making) => void> = {
  'a name in a parameter': (m) =>
    aim(m, join(m.target, `__appName=${m.random.one(['shop', 'nobody', 'main', '', 'a%62', 'crm'])}`)),
  'a name first in a parameter': (m) =>
    aim(m, m.target.replace(/\?|$/, `?__appName=${m.random.one(['shop', 'closed', 'Big', '../x'])}&`)),
  'an encoded key': (m) =>
    aim(
      m,
      join(
        m.target,
        `${m.random.one(['%5F_appName', '_%5f%61ppName', '__%61ppName', '__appName%5B%5D', '__appName[]'])}=shop`,
      ),
    ),
  'a second question mark': (m) => aim(m, join(m.target.replace('?', '??'), '__appName=shop')),
  'a name in a header': (m) =>
    put(m, 'X-App', m.random.one(['shop', 'nobody', 'main', '', 'crm, shop', '../x', ' shop '])),
  'two names in headers': (m) => void m.fields.push(['X-App', 'crm'], ['X-App', 'shop']),
  'a host in a header': (m) =>
    put(
      m,
      'X-Hostname',
      m.random.one([
        'shop.test',
        'SHOP.test',
        'shop.test.',
        'none.test',
        'shop.test:80',
        'a@shop.test',
        'nobody.apps.test',
      ]),
    ),
  'two hosts in headers': (m) => void m.fields.push(['X-Hostname', 'crm.test'], ['X-Hostname', 'shop.test']),
  'another host': (m) =>
    put(
      m,
      'Host',
      m.random.one([
        'SHOP.test',
        'shop.test.',
        'shop.test:99',
        'unknown.test',
        '[::1]:80',
        '127.0.0.1',
        'nobody.apps.test',
        'apps.test',
      ]),
    ),
  // Two spellings of one host are one for HAProxy, which drops the second.
  'two hosts': (m) => void m.fields.push(['Host', hostOf(m).toLowerCase() === 'shop.test' ? 'crm.test' : 'shop.test']),
  'an absolute target': (m) =>
    aim(m, `http://${m.random.one(['shop.test', 'main.test', 'a@b', hostOf(m)])}${m.target}`),
  'a path of another app': (m) =>
    aim(m, `${m.settings.apiBase}/__app/${m.random.one(['shop', 'Big', 'closed', 'nobody', 'cr%6d', ''])}/users:list`),
  'an API without a slash': (m) =>
    aim(m, `${m.settings.apiBase}/__app/${m.app.name}${m.random.one(['', '?a=1', '//x', '/'])}`),
  'a double slash': (m) => aim(m, before(m.target, m.random.one(['//x', '//a@b/x']))),
  'a dot segment': (m) =>
    aim(m, before(m.target, m.random.one(['/../x', '/./x', '/%2e%2e/x', '/..%2fx', '/..', '/.%2e/']))),
  'an encoded slash': (m) => aim(m, before(m.target, m.random.one(['/a%2Fb', '/a%5cb', '/a%00', '/a%25b', '/a%2']))),
  'a backslash': (m) => aim(m, before(m.target, '/a\\b')),
  'an encoded letter': (m) => aim(m, m.target.replace('users', 'user%73')),
  'odd letters': (m) =>
    aim(m, before(m.target, m.random.one(['/a|b', '/a[1]', '/a"b', "/a'b", '/a^b', '/{a}', '/a;b=c,d', '/~a/$b']))),
  'a file of an app': (m) =>
    aim(
      m,
      `${m.random.one(['/', m.settings.publicPath])}files/${m.random.one(['crm', 'shop', '%63rm'])}/${m.random.one(['~uploads/a.png', 'main/x', ''])}`,
    ),
  'an upload': (m) =>
    aim(
      m,
      join(
        `${m.settings.publicPath}storage/uploads/${m.random.one(['a.png', '../x', '%2e%2e/x'])}`,
        `__appName=${m.app.name}`,
      ),
    ),
  'a page of an app': (m) =>
    aim(
      m,
      `${m.settings.publicPath}${m.random.one(['', 'v/', 'settings/', 'x/'])}apps/${m.random.one(['crm', 'shop', 'nobody'])}${m.random.one(['/admin/', '', '/'])}`,
    ),
  'a page with a name': (m) =>
    aim(m, join(`${m.settings.publicPath}${m.random.one(['', 'v/'])}apps/shop/`, '__appName=crm')),
  'a visit': (m) =>
    aim(m, `${m.settings.apiBase}/__app/${m.app.name}/__visit?environment=${m.random.one(['a', 'b', 'x', ''])}`),
  'a sign-in by main': (m) =>
    aim(
      m,
      m.random.one([
        `${m.settings.apiBase}/__app/${m.app.name}/appSso:start?redirect=/`,
        `${m.settings.apiBase}/appSso:callback?code=1`,
        `${m.settings.apiBase}/__app/${m.app.name}/appSso:callback`,
      ]),
    ),
  'a page of an app that main signs in to': (m) => {
    put(m, 'Host', 'wiki.test');
    aim(m, m.settings.publicPath + m.random.one(['', 'admin/', 'v/admin', 'm/x']));
  },
  'a proof of a domain': (m) => aim(m, `${m.settings.publicPath}.well-known/app-supervisor/${'0f'.repeat(16)}`),
  'a sign-in': (m) => {
    m.target = `${m.settings.apiBase}/__app/${m.app.name}/auth${m.random.one([':', '%3A'])}signIn`;
    bodied(m, '{"account":"a","password":"b"}');
  },
  'a token of main': (m) =>
    put(m, 'Authorization', `${m.random.one(['Bearer ', 'bearer ', ''])}${m.random.one(MAIN_TOKENS)}`),
  'a list of tokens': (m) =>
    put(m, 'Authorization', `Bearer ${m.random.one([m.random.one(MAIN_TOKENS), tokenOf(m.app.uid, 'x')])}, Bearer x`),
  'two tokens': (m) =>
    void m.fields.push(
      ['Authorization', `Bearer ${tokenOf(m.app.uid, 'x')}`],
      ['Authorization', `Bearer ${m.random.one(MAIN_TOKENS)}`],
    ),
  'a token without a kid': (m) => put(m, 'Authorization', `Bearer ${tokenOf(undefined, 'of the app')}`),
  'a token of another app': (m) =>
    put(m, 'Authorization', `Bearer ${tokenOf(m.random.one(['u-shop', 'u-crm', 'none']), 'x')}`),
  'no token': (m) =>
    put(m, 'Authorization', m.random.one(['Basic YTpi', 'Bearer', 'Bearer x', '', 'Bearer eyJhbGciOiJub25lIn0..'])),
  'a token in a header': (m) =>
    put(m, m.random.one(['Token', 'X-Token', 'Referer']), `http://x/?token=${m.random.one(MAIN_TOKENS)}`),
  'a token in a parameter': (m) =>
    aim(
      m,
      join(
        m.target,
        `${m.random.one(['token', 'x'])}=${m.random.one([MAIN_TOKENS[0], `%65${MAIN_TOKENS[1].slice(1)}`, tokenOf(m.app.uid, 'x')])}`,
      ),
    ),
  'a sign-in in an address': (m) => aim(m, join(m.target, `token=${m.random.one(['abc', ''])}`)),
  'a pin': (m) =>
    void addCookie(
      m,
      `app_environment=${m.random.one(['crm.b', 'crm.a~shop.b', 'crm.gone', 'shop.a', 'x', 'crm.b~crm.a', 'erp-2.a', 'closed.a', 'crm..b'])}`,
    ),
  'two pins': (m) => {
    addCookie(m, 'app_environment=crm.b');
    addCookie(m, 'app_environment=crm.a~erp-2.a');
  },
  'a wish for an environment': (m) => put(m, 'X-App-Environment', m.random.one(['a', 'b', 'x', ''])),
  'cookies of plugins': (m) =>
    void addCookie(
      m,
      m.random.one(['nb_plugin_crm=1', 'nb_plugin_main=1', 'nb_plugin_x_crm=1', 'nb_sso_0a_crm=1', 'nb_plugin=1']),
    ),
  'cookies of other apps': (m) => {
    addCookie(m, 'nb_role_shop=1');
    addCookie(m, 'nb_csrf_token_my_main=1; nb_auth_token_x_crm=1');
  },
  'an odd cookie': (m) =>
    void addCookie(
      m,
      m.random.one([
        '=nb_role_main=x',
        'nb_role_main',
        ' nb_role_main =1',
        'nb_role_main =1',
        ';',
        'a=b;nb_role_main=2;c=d',
        'nb_role_crm=1 ; x',
        'nb_auth_token_main="a b',
        'x=nb_role_main=1',
        'é=nb_role_main',
        'NB_role_main=1',
        'nb_role_=1',
        'nb_role_crm.x=1',
      ]),
    ),
  'two fields of cookies': (m) => void m.fields.push(['Cookie', 'nb_role_main=1; a=b']),
  'many cookies': (m) => void addCookie(m, Array.from({ length: 70 }, (_, i) => `nb_role_a${i}=1`).join('; ')),
  'forwarded by itself': (m) =>
    void m.fields.push(
      ...([
        ['Forwarded', 'for=1.2.3.4'],
        ['X-Real-IP', '1.2.3.4'],
        ['X-Forwarded-Port', '1'],
        ['X-Forwarded-User', 'a'],
      ] as Array<[string, string]>),
    ),
  'another address': (m) => put(m, 'X-Forwarded-For', m.random.one(['1.2.3.4', 'nonsense', '', 'a, b, c'])),
  'another protocol': (m) =>
    put(m, 'X-Forwarded-Proto', m.random.one(['HTTPS', 'ftp', 'https, http', '', 'http,https'])),
  'another forwarded host': (m) =>
    put(
      m,
      'X-Forwarded-Host',
      m.random.one(['shop.test', 'crm.test, shop.test', ', shop.test', '', 'crm.test:80', 'CRM.test', 'a@crm.test']),
    ),
  'two forwarded hosts': (m) => void m.fields.push(['X-Forwarded-Host', 'crm.test'], ['X-Forwarded-Host', 'shop.test']),
  'a mark of a Supervisor': (m) => put(m, 'X-App-Supervisor-Via', m.random.one(['door', 'abc', 'a,b,c,d,e,f,g'])),
  'fields of a connection': (m) =>
    put(m, 'Connection', m.random.one(['close', 'X-Role', 'close, X-Role', 'keep-alive, Cookie', 'TE', 'upgrade'])),
  'hop by hop': (m) =>
    void m.fields.push(
      ...([
        ['Keep-Alive', 'timeout=5'],
        ['Proxy-Authorization', 'Basic x'],
        ['Proxy-Connection', 'keep-alive'],
      ] as Array<[string, string]>),
    ),
  'one field of a connection': (m) =>
    put(
      m,
      ...m.random.one<[string, string]>([
        ['Keep-Alive', 'timeout=5'],
        ['Proxy-Authenticate', 'Basic'],
        ['Proxy-Authorization', 'Basic x'],
        ['Proxy-Connection', 'keep-alive'],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
        ['TE', 'trailers'],
      ]),
    ),
  'a field twice': (m) => {
    const [name, value] = m.random.one<[string, string]>([
      ['Connection', 'keep-alive'],
      ['X-Hostname', hostOf(m)],
      ['X-Authenticator', 'basic'],
      ['Cookie', 'a=b'],
      ['Authorization', `Bearer ${tokenOf(m.app.uid, 'of the app')}`],
    ]);
    m.fields.push([name, value], [name, value]);
  },
  'another upgrade': (m) => {
    put(m, 'Connection', 'Upgrade');
    put(m, 'Upgrade', m.random.one(['other', 'websocket', 'WebSocket', 'websocket, other']));
  },
  'a socket that expects': (m) => {
    socket(m, hostOf(m));
    put(m, 'Expect', '100-continue');
  },
  'a socket elsewhere': (m) => {
    socket(m, hostOf(m));
    aim(
      m,
      m.target.replace(m.settings.wsPath, m.random.one(['/other', `${m.settings.wsPath}/`, `${m.settings.wsPath}x`])),
    );
  },
  'no socket': (m) => {
    socket(m, hostOf(m));
    without(m, /^(?:connection|upgrade)$/i);
  },
  'an expectation': (m) => {
    bodied(m, '{"a":1}');
    put(m, 'Expect', '100-continue');
  },
  'a body without a length': (m) => {
    bodied(m, 'x'.repeat(m.random.one([10, 5_000])));
    m.fields = m.fields.filter(([name]) => name !== 'Content-Length');
    m.fields.push(['Transfer-Encoding', 'chunked']);
  },
  'a body that nobody announces': (m) => {
    bodied(m, 'abc');
    by(m, m.random.one(['GET', 'HEAD', 'POST', 'DELETE']));
    without(m, /^content-(?:length|type)$/i);
  },
  'a body of a GET': (m) => {
    bodied(m, 'abc');
    by(m, m.random.one(['GET', 'HEAD', 'OPTIONS']));
  },
  'a large body': (m) =>
    bodied(
      m,
      'x'.repeat(m.random.one([2_048, 2_049, 70_000])),
      m.random.one(['application/json', 'text/plain', 'multipart/form-data; boundary=a']),
    ),
  'many values': (m) => bodied(m, `[${'1,'.repeat(m.random.one([900, 1_023, 2_100, 5_000]))}1]`),
  'an encoded body': (m) => {
    bodied(m, 'abc');
    put(m, 'Content-Encoding', m.random.one(['gzip', 'identity', '']));
  },
  'another method': (m) => by(m, m.random.one(['TRACE', 'PROPFIND', 'LINK', 'SEARCH'])),
  'many fields': (m) =>
    void m.fields.push(
      ...Array.from({ length: m.random.one([100, 190, 220]) }, (_, i): [string, string] => [`X-Field-${i}`, '1']),
    ),
  'another authenticator': (m) => void m.fields.push(['X-Authenticator', 'a'], ['X-Authenticator', 'b']),
};

function bodied(m: Making, body: string, type = 'application/json'): void {
  m.method = 'POST';
  m.body = body;
  put(m, 'Content-Type', type);
  put(m, 'Content-Length', String(body.length));
}

function addCookie(m: Making, pair: string): void {
  const own = m.fields.find(([name]) => name === 'Cookie');
  put(m, 'Cookie', own ? `${own[1]}; ${pair}` : pair);
}

/** Fields of requests that are not sent by HTTP/2. */
const NOT_HTTP2 = /^(?:upgrade|http2-settings|expect|transfer-encoding|proxy-connection|keep-alive)$/;
/** Fields that HTTP/2 does not have, or says otherwise. */
const NOT_IN_HTTP2 = /^(?:host|connection|upgrade|keep-alive|proxy-connection|transfer-encoding|te|expect)$/i;

/**
 * A request that the seed decides.
 * @param oddOnes how many of a hundred have something odd about them
 */
export function makeRequest(seed: number, apps: AppRoute[], settings: RouteSettings, oddOnes = 30): Asked {
  const random = new Choices(seed);
  random.fraction();
  const making = browsers(random, apps, settings);
  const all = Object.keys(ODDITIES);
  const odd = random.in(100 - oddOnes) ? [] : [random.one(all), ...(random.in(30) ? [random.one(all)] : [])];
  for (const name of odd) ODDITIES[name](making);
  const { method, target, from } = making;
  let { fields } = making;
  const names = fields.map(([name]) => name.toLowerCase()).filter((name) => name !== 'cookie');
  const isPlain =
    target.startsWith('/') && new Set(names).size === names.length && !names.some((name) => NOT_HTTP2.test(name));
  const http2 = isPlain && names.length < 100 && names.includes('host') && method !== 'TRACE' && random.in(25);
  if (http2) fields = fields.filter(([name]) => name === 'Host' || !NOT_IN_HTTP2.test(name));
  const body = http2 || isAnnounced(fields) ? making.body : '';
  return { method, target, fields: reordered(fields, random), body, from, http2, odd };
}

/** In HTTP/2 alone a body needs no field. */
export const isAnnounced = (fields: Asked['fields']): boolean =>
  fields.some(([name]) => /^(?:content-length|transfer-encoding)$/i.test(name));

/** Programs send fields in any order: often the last one first, which is what is odd about the request. */
function reordered(fields: Making['fields'], random: Choices): Making['fields'] {
  if (random.in(70)) return fields;
  const rest = [...fields];
  const first = rest.pop();
  for (let i = rest.length - 1; i > 0; i--) {
    const other = random.upTo(i + 1);
    [rest[i], rest[other]] = [rest[other], rest[i]];
  }
  return first ? [first, ...rest] : rest;
}
