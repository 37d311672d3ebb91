import fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rspack } from '@rspack/core';
import { serverConfig } from '../../scripts/build/config';
import { freePort, HOST, waitForHttp } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { startDoor, startPlainHaproxy } from './haproxy';
import { startNginxProxy } from './nginx';
import { Probe } from './probe';
import { type Start, start, stop } from './process';

/** A proxy to an origin, in a process of its own on the measured core. */
export interface Contender {
  name: string;
  url: string;
  /** Null: nothing is between visitor and origin. */
  pid: number | null;
  /** In it, if it is profiled or compared with that of another commit. */
  probe?: Probe;
  stop(): Promise<void>;
}

const SERVERS = path.join(ROOT, 'bench/lib/servers');

/** Every proxy except the Supervisor, which needs a whole NocoBase. @param app that the origin answers for */
export async function startContenders(origin: string, app = 'bench'): Promise<Contender[]> {
  const { module } = await bundleServers();
  const nginx = await startNginxProxy(origin);
  const apiPort = await freePort();
  return [
    { name: 'direct', url: origin, pid: null, stop: async () => {} },
    await onNode('our module', origin, app, [module]),
    await onNode('http-proxy', origin, app, [path.join(SERVERS, 'http-proxy.cjs')]),
    await onNode('configurable-http-proxy', origin, app, (port) => [
      createRequire(import.meta.url).resolve('configurable-http-proxy/bin/configurable-http-proxy'),
      ...['--ip', HOST, '--port', String(port), '--api-port', String(apiPort), '--log-level', 'error'],
      ...['--default-target', origin],
    ]),
    { name: 'nginx', ...nginx },
    { name: 'HAProxy', ...(await startPlainHaproxy(origin)) },
    { name: 'the door', ...(await startDoor(origin, [app])) },
  ];
}

/** The module alone, which measures and does not in turns. */
export async function startModule(origin: string): Promise<Contender & { pid: number }> {
  const { module } = await bundleServers();
  return onNode('our module', origin, 'bench', [module]);
}

/** The processes to profile; the Supervisor is the last of them. */
export async function startProfiled(origin: string): Promise<Contender[]> {
  const { module, gateway } = await bundleServers();
  const profiled = async (name: string, file: string, env: Start['env']) => {
    const probe = await Probe.plan();
    return { ...(await onNode(name, origin, 'bench', [file], { ...env, ...probe.env })), probe };
  };
  const home = temporaryFolder();
  const core = {
    NODE_PATH: path.join(ROOT, 'node_modules'),
    NODE_MODULES_PATH: path.join(ROOT, 'node_modules'),
    APP_ENV: 'production',
    APP_MODE: 'supervisor',
    APP_PUBLIC_PATH: '/',
    API_BASE_PATH: '/api/',
    WS_PATH: '/ws',
    PLUGIN_STATICS_PATH: '/static/plugins/',
    APP_PACKAGE_ROOT: home,
    STORAGE_PATH: path.join(home, 'storage'),
    LOGGER_BASE_PATH: path.join(home, 'storage/logs'),
    SOCKET_PATH: path.join(home, 'socket'),
  };
  return [
    await profiled('our module', module, {}),
    await profiled('before the core’s chain', gateway, core),
    await profiled('behind it', gateway, { ...core, BEHIND_CHAIN: 'on' }),
  ];
}

async function onNode(
  name: string,
  origin: string,
  app: string,
  args: string[] | ((port: number) => string[]),
  env: Start['env'] = {},
): Promise<Contender & { pid: number }> {
  const port = await freePort();
  const url = `http://${HOST}:${port}`;
  const child = start({
    args: typeof args === 'function' ? args(port) : args,
    env: { TARGET: origin, APP: app, PORT: String(port), HOST, NODE_ENV: 'production', ...env },
    measured: true,
  });
  // The core's gateway answers for the app only.
  await waitForHttp(`${url}/api/__app/${app}/app:getInfo`, { timeout: 20_000 });
  return { name, url, pid: child.pid!, stop: () => stop(child) };
}

/** With the same settings as `dist/server`. @returns their files */
async function bundleServers(): Promise<{ module: string; gateway: string }> {
  const dist = temporaryFolder();
  const config = serverConfig(
    { packageName: 'bench', source: ROOT, dist },
    { module: path.join(SERVERS, 'module.ts'), gateway: path.join(SERVERS, 'gateway.ts') },
  );
  const compiler = rspack(config);
  await new Promise<void>((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error || stats?.hasErrors()) reject(error ?? new Error(stats?.toString('errors-only')));
      else compiler.close(() => resolve());
    });
  });
  return { module: path.join(dist, 'module.js'), gateway: path.join(dist, 'gateway.js') };
}

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-bench-module-'));
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}
