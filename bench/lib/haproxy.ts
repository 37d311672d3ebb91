import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PLACE, routesOf } from '../../__tests__/support/door';
import { freePort, HOST, waitForHttp } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { filesOf } from '../../src/server/door/rules';
import { start, stop } from './process';

/** One HAProxy process and its address. */
export interface Haproxy {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** More than one load opens. */
const CONNECTIONS = 10_500;

async function startHaproxy(port: number, folder: string, files: Record<string, string>): Promise<Haproxy> {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  const args = ['-db', '-q', '-f', path.join(folder, 'haproxy.cfg')];
  const child = start({ program: findProgram('haproxy') ?? 'haproxy', args, measured: true });
  const url = `http://${HOST}:${port}`;
  await waitForHttp(url, { timeout: 10_000, accept: () => true });
  return {
    url,
    pid: child.pid!,
    async stop() {
      await stop(child);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

const folderOf = (name: string): string => fs.mkdtempSync(path.join(tmpdir(), `app-supervisor-bench-${name}-`));

/** Without any rule: what HAProxy itself costs. */
export async function startPlainHaproxy(origin: string): Promise<Haproxy> {
  const port = await freePort();
  const configuration = `global
  nbthread 1
  fd-hard-limit ${2 * CONNECTIONS + 100}
defaults
  mode http
  timeout connect 2s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend visitors
  bind ${HOST}:${port}
  option forwardfor
  default_backend origin
backend origin
  http-reuse always
  server origin ${new URL(origin).host}
`;
  return startHaproxy(port, folderOf('haproxy'), { 'haproxy.cfg': configuration });
}

/** With the rules of the door, for apps with these names, whose uids are the same. @param threads one for each core that it may use */
export async function startDoor(origin: string, apps: readonly string[], threads = 1): Promise<Haproxy> {
  const port = await freePort();
  const folder = folderOf('door');
  const listeners = [{ address: `${HOST}:${port}`, certificates: null, proxyProtocol: false, redirects: false }];
  const place = { ...PLACE, folder, listeners, supervisors: [origin], threads, connections: CONNECTIONS };
  const routes = routesOf(
    apps.map((name) => ({ uid: name, name })),
    { env_bench: origin },
  );
  return startHaproxy(port, folder, filesOf(place, routes));
}
