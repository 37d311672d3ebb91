import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGuard, createSelector, RoutingTable } from '../../src/server/proxy';

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
const { Gateway } = createRequire(import.meta.url)('@nocobase/server');
const gateway = Gateway.getInstance();
const table = new RoutingTable();
table.replaceApps([]);
gateway.addAppSelectorMiddleware(
  createSelector(() => table),
  { tag: 'app-supervisor', after: 'core' },
);
if (process.argv[2] !== 'unguarded') {
  Gateway.registerRequestHandler(
    createGuard({
      isKnown: (name) => table.app(name) !== undefined,
      isLoaded: () => table.loaded,
      appByDomain: (host) => table.appByDomain(host),
      appNameOf: (req) => gateway.getRequestHandleAppName(req),
      hasPackage: (name) => existsSync(path.join(nodeModules, name, 'package.json')),
      publicPath: '/',
      pluginStaticsPath: '/static/plugins/',
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
];

gateway.start({
  port: 0,
  host: '127.0.0.1',
  async callback(server: http.Server) {
    const { port } = server.address() as AddressInfo;
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
    process.stdout.write(`\n${JSON.stringify({ replies, unhandled, logs, loggers, stray })}\n`, () => process.exit(0));
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
