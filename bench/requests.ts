import './scale/lua-as-text.cjs';
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../scripts/lib/programs.mjs';
import { benchAgainst, benchOf } from './lib/against';
import { type Contender, startContenders, startProfiled } from './lib/contenders';
import { benchDomains } from './lib/domains';
import { benchMeasuring } from './lib/measuring';
import { SIZES, startOrigin } from './lib/nginx';
import { leaveTheMeasuredCore, openFiles, usage } from './lib/process';
import { benchProfile } from './lib/profile';
import { type Bar, finish, type Report, type Table } from './lib/report';
import { MeasuredFleet } from './lib/supervisor';
import { added, ratio, type Turn, type Turns, tableOf, takeTurns } from './lib/turns';
import { benchTwoCores } from './lib/two-cores';
import { chat, open, startEcho } from './lib/websockets';
import { benchWorker } from './lib/worker';
import { type Loaded, load } from './lib/wrk';

/**
 * `npm run bench`: the cost of the proxy in the Supervisor, and the behaviour of a Worker. All contenders are measured
 * in the same run, taking turns, each alone on the measured core.
 */

const USAGE = `npm run bench [-- options]

  --seconds N   how long each load lasts (default 2)
  --rounds N    how many turns each contender gets (default 5; the door and direct access to a real app take eight
                times as many); the median counts
  --requests    only what passes through
  --worker      only what a Worker does: starts and stops, its event loop, its heap
  --domains     only how soon a changed domain is in force
  --profile     only where the time of a request goes; profiled, all else is slower
  --no-supervisor   only what needs no NocoBase
  --against FOLDER  only our module and Supervisor and those of another commit, checked out there with its packages
`;

const CONNECTIONS = 50;
/** Proxies have two files open for each; the door reserves half of one more. */
const WEBSOCKETS = Math.min(10_000, Math.floor(openFiles() / 2.5) - 200);
/** Seconds. */
const WARM_UP = 12;
/** Apps of the fleet: our origin is behind the first two, a real Worker behind the third. */
const [APP, SOCKETS, REAL] = ['bench', 'sockets', 'real'];

interface Kind {
  path: string;
  connections: number;
  upload?: number;
  headers?: readonly string[];
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** Of the app, which is the same as its uid for the door of this bench. */
const TOKEN = `${encoded({ alg: 'HS256', typ: 'JWT', kid: APP })}.${'a'.repeat(180)}.${'b'.repeat(43)}`;

/** What a browser sends that is signed in to main and to the app: the proxies tell their cookies and tokens apart. */
const SIGNED_IN = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Accept: application/json, text/plain, */*',
  'Accept-Language: en-US,en;q=0.9',
  'Accept-Encoding: gzip, deflate, br, zstd',
  `Referer: https://apps.example.com/apps/${APP}/admin/`,
  'Sec-Fetch-Mode: cors',
  'Sec-Fetch-Dest: empty',
  'Sec-Fetch-Site: same-origin',
  'X-Locale: en-US',
  'X-Timezone: +08:00',
  'X-Hostname: apps.example.com',
  `Authorization: Bearer ${TOKEN}`,
  `Cookie: ${['main', APP]
    .flatMap((app) => [
      `nb_auth_token_${app}=${'t'.repeat(220)}`,
      `nb_role_${app}=root`,
      `nb_authenticator_${app}=basic`,
    ])
    .join('; ')}`,
];

const KINDS: Record<string, Kind> = {
  'small JSON': { path: `/api/__app/${APP}/systemSettings:get`, connections: CONNECTIONS },
  'small JSON, signed in': {
    path: `/api/__app/${APP}/systemSettings:get`,
    connections: CONNECTIONS,
    headers: SIGNED_IN,
  },
  'file of 30 kB': { path: `/app.js?__appName=${APP}`, connections: CONNECTIONS },
  '100 kB': { path: `/100k?__appName=${APP}`, connections: CONNECTIONS },
  'upload of 256 KiB': {
    path: `/upload?__appName=${APP}`,
    connections: 16,
    upload: SIZES.upload,
    headers: [`Authorization: Bearer ${TOKEN}`],
  },
  'small JSON, one by one': { path: `/api/__app/${APP}/systemSettings:get`, connections: 1 },
};

/**
 * What the door has to do, by kind of load: of http-proxy's CPU time for each request it takes at most this part, and of that of
 * HAProxy without any rule this many times.
 */
const DOOR: Record<string, { ofHttpProxy?: number; ofHaproxy: number }> = {
  'small JSON': { ofHttpProxy: 12, ofHaproxy: 2 },
  'small JSON, signed in': { ofHttpProxy: 10, ofHaproxy: 2.5 },
  'file of 30 kB': { ofHaproxy: 2 },
  '100 kB': { ofHttpProxy: 12, ofHaproxy: 2 },
  'upload of 256 KiB': { ofHttpProxy: 2, ofHaproxy: 2 },
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '5' },
      requests: { type: 'boolean' },
      worker: { type: 'boolean' },
      domains: { type: 'boolean' },
      profile: { type: 'boolean' },
      'no-supervisor': { type: 'boolean' },
      against: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(USAGE);
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const isAll = !values.against && !values.requests && !values.worker && !values.domains && !values.profile;
  ensurePrograms(['nginx', 'haproxy', 'wrk', 'redis'], console.log);
  const other = values.against === undefined ? null : await benchOf(values.against);
  leaveTheMeasuredCore();

  const echo = await startEcho();
  const origin = await startOrigin(echo.url);
  const measured = values['no-supervisor']
    ? null
    : await MeasuredFleet.start({ isProfiled: values.profile || other !== null });
  const report: Report = { bench: 'requests', tables: [], bars: [] };
  try {
    await measured?.lead(APP, origin.url);
    await measured?.lead(SOCKETS, echo.url);
    await measured?.host(REAL);
    const supervisor = measured ? [measured.contender] : [];
    if (other)
      await benchAgainst(
        other,
        origin.url,
        measured?.contender ?? null,
        { ...KINDS['small JSON'], app: APP, seconds },
        rounds,
        report,
      );
    if (isAll || values.requests) {
      await benchWeb([...(await startContenders(origin.url)), ...supervisor], seconds, rounds, report);
      report.bars.push(await benchMeasuring(origin.url, KINDS['small JSON']));
      await benchWebSockets([...(await startContenders(echo.url, SOCKETS)), ...supervisor], seconds, rounds, report);
      if (measured) await benchRealApp(measured, seconds, rounds, report);
      await benchTwoCores(origin, { ...KINDS['small JSON'], seconds, app: APP }, rounds, report);
    }
    if (values.profile) {
      const { path, connections } = KINDS['small JSON'];
      const profiled = await startProfiled(origin.url);
      await benchProfile([...profiled, ...supervisor], { connections, seconds }, path, report);
      for (const contender of profiled) await contender.stop();
    }
    if (measured && (isAll || values.domains)) await benchDomains(measured.fleet, measured.manager, REAL, report);
    if (measured && (isAll || values.worker)) await benchWorker(measured, REAL, report);
  } finally {
    await measured?.stop();
    await origin.stop();
    await echo.stop();
    // What was measured before an error, too.
    finish(report);
  }
}

async function benchWeb(contenders: Contender[], seconds: number, rounds: number, report: Report): Promise<void> {
  // A whole NocoBase needs longest until its hot code is compiled: one second was seen to double the first results.
  const { path, connections } = KINDS['small JSON'];
  for (const { url } of contenders) await load({ url: url + path, connections, seconds: WARM_UP });
  for (const [kind, { path, connections, upload, headers }] of Object.entries(KINDS)) {
    const turns = await takeTurns(contenders, rounds, ({ url }) =>
      load({ url: url + path, connections, seconds, upload, headers }),
    );
    report.tables.push(tableOf(kind, turns, connections === 1));
    report.bars.push(...barsOfDoor(kind, turns));
  }
  report.tables.push(memoryOf(contenders));
  for (const contender of contenders) await contender.stop();
}

async function benchWebSockets(
  contenders: Contender[],
  seconds: number,
  rounds: number,
  report: Report,
): Promise<void> {
  const turns = await takeTurns(contenders, rounds, ({ url }) => talk(url, seconds));
  report.tables.push(tableOf(`WebSocket messages, ${CONNECTIONS} visitors`, turns, false));
  report.bars.push({
    what: 'a WebSocket message through the door, of nginx’s CPU time',
    measured: ratio(turns, 'the door', 'nginx', ({ cpu }) => cpu),
    unit: '×',
    atMost: 1.1,
  });
  const idle = await memoryOfWebSockets(contenders);
  report.tables.push(idle);
  report.bars.push(...barsOfMemory(idle));
  for (const contender of contenders) await contender.stop();
}

/**
 * Here the Worker is the slow part: the cost of the Supervisor in practice. The speed of the app varies more between turns than a proxy
 * costs, so the door and direct access take more turns, by themselves.
 */
async function benchRealApp(measured: MeasuredFleet, seconds: number, rounds: number, report: Report): Promise<void> {
  const started = await startContenders(measured.fleet.worker('env_a').url, REAL);
  const contenders = [...started, measured.contender].filter(
    ({ name }) => name !== 'our module' && name !== 'configurable-http-proxy',
  );
  const path = `/api/__app/${REAL}/systemSettings:get`;
  for (const connections of [CONNECTIONS, 1]) {
    const turn = ({ url }: Contender) => load({ url: url + path, connections, seconds });
    const turns = await takeTurns(contenders, rounds, turn);
    report.tables.push(tableOf(`an API call of a real app, ${connections} at a time`, turns, connections === 1));
    if (connections === 1) {
      report.bars.push(barOfLatency(turns));
    } else {
      const both = contenders.filter(({ name }) => name === 'direct' || name === 'the door');
      report.bars.push(barOfDoor(await takeTurns(both, 8 * rounds, turn)));
    }
  }
  for (const contender of started) await contender.stop();
}

/** Messages that each visitor sends one by one. */
async function talk(url: string, seconds: number): Promise<Loaded> {
  const visitors = await open(`${url}/ws?__appName=${SOCKETS}`, CONNECTIONS);
  const requests = await chat(visitors, seconds);
  for (const socket of visitors) socket.destroy();
  const each = (seconds * 1e3 * CONNECTIONS) / requests;
  return { requests, rate: requests / seconds, p50: each, p99: Number.NaN };
}

/** The Supervisor's is that of a whole NocoBase. */
function memoryOf(contenders: Contender[]): Table {
  const rows = contenders.flatMap(({ name, pid }): Table['rows'] => (pid ? [[name, usage(pid).memory / 1e6]] : []));
  return { title: 'memory after all of this', columns: ['', 'MB'], rows };
}

async function memoryOfWebSockets(contenders: Contender[]): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const { name, url, pid } of contenders) {
    if (pid === null) continue;
    const before = usage(pid).memory;
    const visitors = await open(`${url}/ws?__appName=${SOCKETS}`, WEBSOCKETS);
    rows.push([name, (usage(pid).memory - before) / WEBSOCKETS / 1e3]);
    for (const socket of visitors) socket.destroy();
  }
  return { title: `${WEBSOCKETS} idle WebSockets`, columns: ['', 'kB each'], rows };
}

function barsOfDoor(kind: string, turns: Turns): Bar[] {
  const cpu = ({ cpu }: Turn) => cpu;
  const { ofHttpProxy, ofHaproxy } = DOOR[kind] ?? {};
  const bars: Bar[] = [];
  if (ofHttpProxy !== undefined)
    bars.push({
      what: `${kind}: http-proxy’s CPU time of the door’s`,
      measured: ratio(turns, 'http-proxy', 'the door', cpu),
      unit: '×',
      atLeast: ofHttpProxy,
    });
  if (ofHaproxy !== undefined)
    bars.push({
      what: `${kind}: the door’s CPU time of HAProxy’s`,
      measured: ratio(turns, 'the door', 'HAProxy', cpu),
      unit: '×',
      atMost: ofHaproxy,
    });
  if (kind === 'small JSON, one by one')
    bars.push({
      what: `${kind}: p50 of the door above nginx`,
      measured: added(turns, 'the door', ({ p50 }) => p50) - added(turns, 'nginx', ({ p50 }) => p50),
      unit: ' ms',
      atMost: 0.1,
    });
  return bars;
}

/** In kB. */
const IDLE: Record<string, number | undefined> = { 'our module': 35, 'the Supervisor': 35, 'the door': 25 };

function barsOfMemory({ rows }: Table): Bar[] {
  return rows.flatMap(([name, measured]) => {
    const atMost = IDLE[name];
    return atMost === undefined
      ? []
      : [{ what: `an idle WebSocket in ${name}`, measured: measured ?? 0, unit: ' kB', atMost }];
  });
}

function barOfLatency(turns: Turns): Bar {
  const measured = added(turns, 'the Supervisor', ({ p50 }) => p50);
  return { what: 'an API call of a real app, p50 added by the Supervisor', measured, unit: ' ms', atMost: 1.4 };
}

function barOfDoor(turns: Turns): Bar {
  const measured = ratio(turns, 'the door', 'direct');
  const what = 'an API call of a real app through the door against direct, requests a second';
  return { what, measured, unit: '×', atLeast: 0.95 };
}

await main();
process.exit();
