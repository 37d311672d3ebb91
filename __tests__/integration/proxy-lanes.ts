import { format } from 'node:util';
import { it as test } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { BOUNDS } from '../../src/server/config/bounds';
import { type DoorFiles, filesOf, SOCKET } from '../../src/server/door/rules';
import { RuntimeSocket } from '../../src/server/door/runtime-socket';
import { PLACE, routesOf } from '../support/door';
import { doorFolder, startHaproxy } from '../support/haproxy';
import { addressesOf, appOf, type Front, type FrontOptions, front as frontOfModule, until } from './proxy-harness';

/** The two ways to the same Workers, on which the same tests run: the Supervisor alone, and a door before it. */

type Work<T extends unknown[]> = (...row: T) => unknown;

interface Tests {
  (title: string, work: () => unknown): void;
  each<T extends unknown[] | [unknown]>(rows: readonly T[]): (title: string, work: Work<T>) => void;
  each<T>(rows: readonly T[]): (title: string, work: Work<[T]>) => void;
}

export interface Lane {
  front(options: FrontOptions): Promise<Front>;
  it: Tests;
  isDoor: boolean;
  /** What the Supervisor alone says, such as its own counts. */
  ofModule(work: () => void): void;
}

/** @param takes whether a test of this title is of this lane */
function testsOf(takes: (title: string) => boolean): Tests {
  const one = (title: string, work: () => unknown) => {
    if (takes(title)) test(title, work as () => void);
  };
  const each = (rows: readonly unknown[]) => (title: string, work: Work<never[]>) => {
    const places = title.match(/%[sid]/g)?.length ?? 0;
    for (const row of rows) {
      const values = Array.isArray(row) ? row : [row];
      one(format(title, ...values.slice(0, places)), () => work(...(values as never[])));
    }
  };
  return Object.assign(one, { each }) as Tests;
}

export const MODULE: Lane = {
  front: frontOfModule,
  it: testsOf(() => true),
  isDoor: false,
  ofModule: (work) => work(),
};

/** @param leaves titles of tests of the module alone @returns the lane, and which of these it has met */
export function doorLane(leaves: ReadonlySet<string>): { lane: Lane; left: Set<string> } {
  const left = new Set<string>();
  const takes = (title: string) => {
    if (leaves.has(title)) left.add(title);
    return !leaves.has(title);
  };
  return { left, lane: { front: frontOfDoor, it: testsOf(takes), isDoor: true, ofModule: () => {} } };
}

/** Names by which tests ask for the app where nothing else does: to the module, all of them are. */
const HOSTS = ['127.0.0.1', 'localhost', 'h', 'apps.test'];

async function frontOfDoor(options: FrontOptions): Promise<Front> {
  const module = await frontOfModule(options);
  const app = appOf(options);
  const bounds = { ...BOUNDS, anonymousBody: 1_000_000_000, ...options.bounds };
  const isThere = (environment: string) => app.statuses.get(environment) === 'running';
  const routes = routesOf(
    options.loaded === false
      ? []
      : [
          {
            uid: 'uid-1',
            name: app.name,
            hosts: [...(app.cname ? [app.cname] : []), ...HOSTS],
            environments: app.desired === 'running' ? app.environments.filter(isThere) : [],
            stopped: app.desired === 'stopped',
          },
        ],
    addressesOf(options),
    {
      trustedProxies: options.trustedProxies ?? ['loopback'],
      frameAncestors: { main: '', apps: '' },
      bounds: { ...bounds, webSocketsPerApp: Math.max(1, bounds.webSocketsPerApp) },
    },
  );
  const folder = doorFolder();
  const port = await freePort();
  const listeners = [{ address: `127.0.0.1:${port}`, certificates: null, proxyProtocol: false, redirects: false }];
  const place = { ...PLACE, folder, listeners, supervisors: [module.url], hasTable: options.loaded !== false };
  const haproxy = await startHaproxy(folder, limited(filesOf(place, routes), options), port);
  const socket = await openedSocket(`${folder}/${SOCKET}`);
  const number = async (name: string) =>
    Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(await socket.ask('show info'))?.[1]);
  /** Of backends whose names begin so. */
  const sessions = async (begin: string) => {
    const [names, ...rows] = (await socket.ask('show stat -1 2 -1')).split('\n').map((line) => line.split(','));
    const at = names.indexOf('scur');
    return rows.filter(([name]) => name.startsWith(begin)).reduce((sum, row) => sum + Number(row[at]), 0);
  };
  const end = async () => {
    socket.close();
    await haproxy.stop();
  };
  return {
    ...module,
    port,
    url: `http://127.0.0.1:${port}`,
    visitors: () => number('CurrConns'),
    underWay: () => sessions('at:'),
    webSockets: () => sessions('ws:at:'),
    async letGo() {
      await end();
      await module.letGo();
    },
    async close() {
      await end();
      await module.close();
    },
  };
}

/** It comes a moment after the port. */
async function openedSocket(path: string): Promise<RuntimeSocket> {
  let opened: RuntimeSocket | null = null;
  await until('HAProxy has its socket', async () => {
    opened = await RuntimeSocket.open(path).catch(() => null);
    return opened !== null;
  });
  return opened as unknown as RuntimeSocket;
}

/** With the time limits that a test has set for the module. */
function limited(files: DoorFiles, { limits: { idle, handshake } = {} }: FrontOptions): DoorFiles {
  const text = files['haproxy.cfg']
    .replaceAll(/(timeout (?:client|server)|tcp-ut) 600s/g, (whole, what) => (idle ? `${what} ${idle}ms` : whole))
    .replaceAll('timeout server 10s', (whole) => (handshake ? `timeout server ${handshake}ms` : whole));
  return { ...files, 'haproxy.cfg': text };
}
