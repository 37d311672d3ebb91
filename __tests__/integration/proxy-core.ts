import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../src/server/clock';
import { BOUNDS } from '../../src/server/config/bounds';
import { createGuard, createNaming, createSelector, RoutingTable } from '../../src/server/proxy';
import { hostnameOf } from '../../src/server/proxy/table';
import { originsOf } from '../support/origins';

/**
 * The real gateway of `@nocobase/server` with guard and selector in front of it, in a process of its own: the core keeps
 * its state in globals and signal handlers. Run by proxy.core.test.ts; prints one JSON line.
 */

const root = mkdtempSync(path.join(tmpdir(), 'proxy-core-'));
Object.assign(process.env, {
  APP_ENV: 'production',
  STORAGE_PATH: `${root}/a/b/storage`,
  LOGGER_BASE_PATH: `${root}/a/b/storage/logs`,
  LOGGER_TRANSPORT: 'file',
  APP_PUBLIC_PATH: '/',
  API_BASE_PATH: '/api/',
  WS_PATH: '/ws',
  PLUGIN_STATICS_PATH: '/static/plugins/',
  APP_PACKAGE_ROOT: root,
  SOCKET_PATH: `${root}/s.sock`,
});
mkdirSync(`${root}/a/b/storage/logs`, { recursive: true });
mkdirSync(`${root}/dist/client`, { recursive: true });

const unhandled: string[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(String(reason)));

const nodeModules = path.resolve(import.meta.dirname, '../../node_modules');
const load = createRequire(import.meta.url);
load('../../scripts/fleet/compiled.cjs').use();
const { Gateway } = load('@nocobase/server');
const gateway = Gateway.getInstance();
const table = new RoutingTable();
table.replaceApps([]);
const nameApp = createNaming({ apiBasePath: '/api/', publicPath: '/', domains: table });
gateway.addAppSelectorMiddleware(
  createSelector(() => table),
  { tag: 'app-supervisor', after: 'core' },
);
if (process.argv[2] !== 'unguarded') {
  Gateway.registerRequestHandler(
    createGuard({
      isKnown: (name) => table.app(name) !== undefined,
      isLoaded: () => table.loaded,
      appNameOf: nameApp,
      clock: systemClock,
      hasPackage: (name) => existsSync(path.join(nodeModules, name, 'package.json')),
      apiBase: '/api',
      pluginStaticsPath: '/static/plugins/',
      publicPath: '/',
      origins: originsOf(table),
      bounds: BOUNDS,
      trusts: () => false,
      secretOf: () => null,
      serve: null,
    }),
  );
}

const REQUESTS: Array<[string, Record<string, string>?]> = [
  ['/static/plugins/@nocobase/plugin-none/dist/client/index.js'],
  ['/static/plugins/../../x'],
  ['/static/plugins/zod/%2e%2e/pg/package.json'],
  ['/static/plugins/ws/package.json'],
  ['http://[bad/static/plugins/x'],
  ['/api/users:list', { 'X-App': 'nosuch' }],
  ['/api/users:list', { 'X-App': '../../../stray' }],
  ['/api/users:list', { 'X-App': '__proto__' }],
  ['/api/users:list', { 'X-App': 'constructor' }],
  ['/api/__app/nosuch/users:list'],
  ['/api/users:list?__appName[]=nosuch'],
  ['/api/users:list?%5F_appName=..%2F..%2Fstray'],
  ['/files/..%2f..%2fstray/x'],
  ['//a@b/api/__app/nosuch/users:list'],
];

/** Parts of requests that name an app, or seem to; every combination is asked. */
const PATHS = [
  '/',
  '/admin/',
  '/apps/one/admin/',
  '/api',
  '/api/users:list',
  '/api/__app',
  '/api/__app/',
  '/api/__app/one',
  '/api/__app/one/',
  '/api/__app/one/users:list',
  '/api/__app/o%6ee/users:list',
  '/api/__app//one/users:list',
  '/api/__app/../x',
  '/api//__app/one/x',
  '//api/__app/one/x',
  '/API/__app/one/x',
  '/x/api/__app/one/x',
  '/api/__app/main/x',
  '/api/__app/{one}/x',
  "/api/__app/o'ne/x",
  '/api/__app/o@ne:1/x',
  '/api/__apps/one/x',
  '/files/one/main/1.txt',
  '/files/o%6ee/main/1.txt',
  '/files/one',
  '/files/',
  '/files//one',
  '/files/%E0%A4%A/x',
  '/files/..%2f/x',
  '/files/main/x',
  '/portal/files/one/x',
  '/portal/one/files/x',
];
const QUERIES = [
  '',
  '?',
  '?__appName=two',
  '?a=1&__appName=two&b=2',
  '?__appName=',
  '?__appName',
  '?__appName=main',
  '?__appName=two&__appName=three',
  '?__appName=&__appName=two',
  '?__appName[]=two',
  '?__appName[0]=two',
  '?__appName[x]=two',
  '?__appName[x][y]=two',
  '?__appName[=two',
  '?__appName%5B%5D=two',
  '?__appNames=two',
  '?x__appName=two',
  '?x=__appName=two',
  '?x=__appName',
  '?%5F_appName=two',
  '?__%61ppName=two',
  '?__appName=t%77o',
  '?__appName=t+wo',
  '?__appName=%E0%A4%A',
  '?%E0%A4%A=1&__appName=two',
  '?__appName=two#three',
  '?x#&__appName=two',
  '#?__appName=two',
  '#/api/__app/two/x',
  '??__appName=two',
  '?&&__appName=two&',
  '?__appName=two=three',
  '?__appName=two;x=1',
  '?x=1;__appName=two',
  "?__appName='two'",
  '?filter=%7B%22a%22%3A1%7D&__appName=two',
  '?filter=%7B%22__appName%22%3A1%7D',
  '?filter[__appName]=two',
];
const HEADERS: Array<Record<string, string>> = [
  {},
  { 'x-app': 'three' },
  { 'x-app': '' },
  { 'x-app': 'main' },
  { 'x-app': 'a, b' },
  { 'x-app': '../x' },
  { host: 'four.test:80' },
  { host: 'four.test', 'x-app': 'three' },
  { host: 'four.test', 'x-app': 'main' },
  { 'x-hostname': 'FOUR.test' },
  { host: 'four.test', 'x-hostname': 'five.test' },
];

/** Requests of which the gateway and ours think differently. */
async function differences(publicPath: string): Promise<{ asked: number; different: string[] }> {
  process.env.APP_PUBLIC_PATH = publicPath;
  const domains = { appByDomain: (host?: string) => (hostnameOf(host ?? '') === 'four.test' ? 'four' : null) };
  const ours = createNaming({ apiBasePath: '/api/', publicPath, domains });
  Object.assign(table, domains);
  const different: string[] = [];
  let asked = 0;
  for (const path of PATHS) {
    for (const query of QUERIES) {
      for (const headers of HEADERS) {
        const url = path + query;
        const theirs = await gateway.getRequestHandleAppName({ url, headers });
        asked++;
        if (theirs !== ours({ url, headers })) {
          different.push(`${url} ${JSON.stringify(headers)}: ${theirs}, not ${ours({ url, headers })}`);
        }
      }
    }
  }
  process.env.APP_PUBLIC_PATH = '/';
  return { asked, different };
}

gateway.start({
  port: 0,
  host: '127.0.0.1',
  async callback(server: http.Server) {
    const { port } = server.address() as AddressInfo;
    const naming = [await differences('/'), await differences('/portal/')];
    table.appByDomain = () => null;
    const replies: Record<string, string> = {};
    for (const [url, headers = {}] of REQUESTS)
      replies[`${url} ${headers['X-App'] ?? ''}`.trim()] = await ask(port, url, headers);
    const stray = readdirSync(root).concat(
      readdirSync(`${root}/a`),
      readdirSync(`${root}/a/b`),
      readdirSync(`${root}/a/b/storage`),
    );
    const logs = readdirSync(`${root}/a/b/storage/logs`);
    const loggers = [...gateway.loggers.getKeys()];
    rmSync(root, { recursive: true, force: true });
    process.stdout.write(`\n${JSON.stringify({ replies, unhandled, logs, loggers, stray, naming })}\n`, () =>
      process.exit(0),
    );
  },
});

function ask(port: number, url: string, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    const req = http.request({ host: '127.0.0.1', port, path: url, headers, agent: false }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve(`${res.statusCode} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`.trim()));
    });
    req.setTimeout(60_000, () => req.destroy(new Error('no answer')));
    req.on('error', (error) => resolve(error.message));
    req.end();
  });
}
