import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import WebSocket from 'ws';
import { HOST } from '../../scripts/fleet';
import { RESOURCES } from '../../src/server/supervisor/api';
import { startOwnNginx } from '../support/front';
import { type Answer, ask } from '../support/http';
import type { Attack } from './attacks';
import { withPermission } from './by-operators';
import { EVIL, EXPECTED, forgetJoin } from './insider';
import { bearer, type Stage } from './stage';

/** What is tried where the other attacks have nothing to do: sign-ins, adding environments, webhooks, logs, containers, and the image's nginx. */

/** More than the limits of one address at the door and at the Supervisor together; the door leaves two of three spellings to the Supervisor. */
const MANY = 180;
let address = 0;
/** Nobody else's, and another one each time. */
const nextAddress = () => `198.51.100.${++address}`;

/** Sign-ins without a password, which cost nothing: it is their number that counts. */
async function signsIn(url: string, headers: Record<string, string>, from: string, count: number): Promise<number[]> {
  // NocoBase decodes paths.
  const spellings = ['auth:signIn', 'auth:sign%49n', '%61uth:signIn'];
  const one = (_: unknown, index: number) =>
    ask(url, `/api/${spellings[index % spellings.length]}`, {
      method: 'POST',
      headers: { ...headers, 'X-Forwarded-For': from, 'X-Authenticator': 'basic' },
      body: {},
    });
  return (await Promise.all(Array.from({ length: count }, one))).map(({ status }) => status);
}

async function guesses({ url, fleet }: Stage): Promise<string[]> {
  const found: string[] = [];
  const places: Array<[string, string, Record<string, string>]> = [
    ['main', url, {}],
    ['an app', url, { 'X-App': 'target' }],
    ['an app, by another address of it', url, { 'X-App': 'target', Host: 'target.example.test' }],
    ['an app at its Worker', fleet.worker('env_a').url, { 'X-App': 'target' }],
    ['a Worker’s main', fleet.worker('env_a').url, {}],
  ];
  for (const [place, to, headers] of places) {
    const [guesser, other] = [nextAddress(), nextAddress()];
    const statuses = await signsIn(to, headers, guesser, MANY);
    if (!statuses.includes(429)) found.push(`${place} takes ${MANY} at once`);
    const [status] = await signsIn(to, headers, other, 1);
    if (status === 429) found.push(`${place} refuses somebody else, too`);
  }
  return found;
}

const JOINED = { name: EVIL, url: EXPECTED };
/** Would leave the line, the quotes or the place that a file has for them. @param mark the file that is made where they do */
const escapes = (mark: string) => [
  `x'; touch ${mark}; '`,
  `x"; touch ${mark}; "`,
  `$(touch\${IFS}${mark})`,
  `\`touch ${mark}\``,
  'x"\n  privileged: true',
  'x\r\nAPP_KEY=x',
  '../x',
  '--privileged',
];

/** Runs what is to be copied, without its programs. */
function runs(stage: Stage, { shell, docker }: { shell: string; docker: string }): void {
  for (const text of [shell, docker])
    execFileSync('sh', ['-c', `docker() { :; }\nyarn() { :; }\n${text}`], { cwd: stage.traces, stdio: 'ignore' });
}

async function adds(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  const before = fs.readdirSync(stage.traces);
  const mark = path.join(stage.traces, 'of-a-file');
  for (const field of ['name', 'url', 'proxyUrl', 'image', 'network', 'redis', 'database'])
    for (const text of escapes(mark)) {
      const value = /url/i.test(field) ? `${EXPECTED}/${text}` : text;
      const { status, json } = await stage.as('main', 'appEnvironments:join', { ...JOINED, [field]: value });
      if (status >= 500) found.push(`${field} ${JSON.stringify(value)} answers ${status}`);
      if (status !== 200) continue;
      const { files } = json.data;
      runs(stage, files);
      if (fs.existsSync(mark)) found.push(`${field} ${JSON.stringify(value)} runs`);
      if (/^\s*privileged:|^APP_KEY=x|^--privileged/m.test(`${files.compose}\n${files.kubernetes}`))
        found.push(`${field} ${JSON.stringify(value)} is a line of its own`);
    }
  for (const name of fs.readdirSync(stage.traces))
    if (!before.includes(name)) fs.rmSync(path.join(stage.traces, name), { recursive: true });
  const { text } = await stage.as('main', 'appEnvironments:join', JOINED);
  const { fleet } = stage;
  const secret = /^(APP_KEY|APP_SUPERVISOR_.*(KEY|URL)|APP_COMMAND_REDIS_URL|DB_PASSWORD)$/;
  for (const { name, env } of fleet.instances)
    for (const [variable, value = ''] of Object.entries(env).filter(([one]) => secret.test(one))) {
      // All Workers of this fleet have one database role.
      if (name !== fleet.supervisor.name && variable === 'DB_PASSWORD') continue;
      if (text.includes(value)) found.push(`it has ${variable} of ${name}`);
    }
  await forgetJoin(stage);
  return found;
}

/** What stands in the network of the Supervisor, and answers with something that nobody is to read. */
async function withInside(
  work: (url: string, asked: string[]) => Promise<string[]>,
  inside: string,
): Promise<string[]> {
  const asked: string[] = [];
  const server = http.createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    req.resume();
    if (req.url === '/redirect')
      return void res.writeHead(307, { Location: '/inside', 'X-Inside': inside }).end(inside);
    res.writeHead(500, inside, { 'X-Inside': inside }).end(inside);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  try {
    return await work(`http://${HOST}:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const sendsElsewhere = (stage: Stage): Promise<string[]> =>
  withPermission(stage, 'pm.app-supervisor.notifications', (as) =>
    withInside(async (url, asked) => {
      const found: string[] = [];
      const { host } = new URL(url);
      const update = (address: string) => as('appNotifiers:update?filterByTk=webhook', { url: address });
      for (const address of [
        'file:///etc/passwd',
        `gopher://${host}/x`,
        `ftp://${host}/`,
        `http://user:password@${host}/`,
        `http://user@${host}/`,
        'javascript:alert(1)',
        'unix:/var/run/docker.sock',
        `//${host}/`,
      ]) {
        const { status } = await update(address);
        if (status !== 400) found.push(`${address} answers ${status}`);
      }
      for (const path of ['/redirect', '/inside', '/a\r\nX-Evil: x', '/a b\r\n\r\nDELETE /inside HTTP/1.1']) {
        const { status } = await update(`${url}${path}`);
        if (status !== 200) continue;
        const answers: Answer[] = [
          await as('appNotifiers:test?filterByTk=webhook', {}),
          await as('appNotifiers:list'),
          await as('appEvents:list'),
        ];
        if (answers.some(({ text }) => text.includes('of the inside'))) found.push(`${path}: the answer is shown`);
      }
      const unexpected = asked.filter((line) => !/^POST \/(redirect|inside|a)/.test(line));
      if (!asked.length) found.push('nothing was sent');
      if (asked.filter((line) => line === 'POST /inside').length > 1) found.push('a redirect was followed');
      await stage.as('main', 'appNotifiers:update?filterByTk=webhook', { url: null, enabled: false });
      return [...found, ...unexpected.map((line) => `it was sent ${line}`)];
    }, 'of the inside'),
  );

/** By name, what is in the log folder of an app. */
function logsIn(storage: string, app: string): Map<string, string> {
  const folder = path.join(storage, 'logs', app);
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.log'));
  return new Map(names.map((name) => [name, fs.readFileSync(path.join(folder, name), 'utf8')]));
}

async function readsLogs(stage: Stage): Promise<string[]> {
  const { fleet } = stage;
  const { storage } = fleet.worker('env_a');
  const found: string[] = [];
  // Lines that somebody else has written.
  const forged = `level=error message="forged ${Date.now()}"`;
  const breaks = ['%0a', '%0d%0a', '%e2%80%a8', '%1b[2K%0a'].map((each) => `${each}${encodeURIComponent(forged)}`);
  for (const line of breaks)
    for (const target of [`/api/x${line}`, `/api/users:list?x=${line}`, `/api/__app/target/x${line}`]) {
      await stage.ask(target, { headers: { 'User-Agent': decodeURIComponent(line).replaceAll(/[^\x20-\x7e]/g, ' ') } });
    }
  await stage.ask('/api/auth:signIn', {
    method: 'POST',
    headers: { 'X-App': 'target' },
    body: { account: `a\n${forged}`, password: 'x' },
  });
  await sleep(500);
  const texts = [
    ...logsIn(storage, 'target').values(),
    ...fleet.instances.map(({ logFile }) => fs.readFileSync(logFile, 'utf8')),
  ];
  if (texts.some((text) => text.split(/[\r\n\u2028]/).some((line) => line.startsWith(forged))))
    found.push('a line is forged');
  // The log of another app, by an administrator.
  const marker = `of-the-bystander-${Date.now()}`;
  await stage.ask(`/api/__app/bystander/users:list?marker=${marker}`);
  await sleep(500);
  if (![...logsIn(storage, 'bystander').values()].some((text) => text.includes(marker)))
    found.push('the request is in no log');
  const files = logsIn(storage, 'bystander').keys();
  for (const file of files)
    for (const way of [
      `../bystander/${file}`,
      `/../bystander/${file}`,
      `..%2fbystander%2f${file}`,
      path.join(storage, 'logs/bystander', file),
    ]) {
      const answer = await fetch(`${stage.url}/api/logger:download`, {
        method: 'POST',
        headers: { ...bearer(stage.tokens.target), 'X-App': 'target', 'Content-Type': 'application/json' },
        body: JSON.stringify({ files: [way] }),
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const text = answer.ok ? unpacked(bytes) : String(bytes);
      if (text.includes(marker)) found.push(`${way} is downloaded`);
    }
  for (const name of ['../bystander', '..%2fbystander', '', 'main', 'nosuch']) {
    const { status } = await stage.as('main', `apps:logs?filterByTk=${name}`);
    if (status === 200 || status >= 500) found.push(`apps:logs of ${JSON.stringify(name)} answers ${status}`);
  }
  return found;
}

function unpacked(bytes: Buffer): string {
  try {
    return gunzipSync(bytes).toString('latin1');
  } catch {
    return bytes.toString('latin1');
  }
}

/** Whoever may do less than *Security checklist* allows. */
async function makesContainers(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  const tries = Object.keys(RESOURCES.appContainers).map((action) => `appContainers:${action}`);
  const isRefused = ({ status }: Answer) => [401, 403, 404].includes(status);
  const tryAll = async (who: string, send: (action: string) => Promise<Answer>) => {
    for (const action of tries) {
      const answer = await send(`${action}?filterByTk=env_a`);
      if (!isRefused(answer)) found.push(`${who}: ${action} answers ${answer.status}`);
    }
  };
  await tryAll('nobody', (action) => stage.ask(`/api/${action}`, { method: 'POST', body: {} }));
  await tryAll('an administrator of an app', (action) => stage.as('target', action, {}));
  for (const permission of ['apps', 'environments', 'overview', 'notifications', 'activity'])
    await withPermission(stage, `pm.app-supervisor.${permission}`, async (as) => {
      await tryAll(permission, (action) => as(action, {}));
      return [];
    });
  return found;
}

/** Addresses as what is behind the nginx sees them, of a request and of a WebSocket. */
async function comesBy(url: string, stage: Stage, forged: string): Promise<{ request: string; webSocket: string }> {
  const seen = { request: '', webSocket: '' };
  const of = (headers: http.IncomingHttpHeaders) => String(headers['x-forwarded-for']);
  stage.trap.answer = (req, res) => {
    seen.request = of(req.headers);
    res.end('{}');
  };
  stage.trap.upgrade = (req, socket) => {
    seen.webSocket = of(req.headers);
    socket.destroy();
  };
  const headers = { 'X-Forwarded-For': forged };
  await ask(url, '/api/__app/trap/x', { headers });
  await new Promise<void>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?__appName=trap`, { headers });
    socket.on('error', () => resolve()).on('close', () => resolve());
  });
  return seen;
}

async function passesNginx(stage: Stage): Promise<string[]> {
  const { supervisor } = stage.fleet;
  const found: string[] = [];
  const front = await startOwnNginx(supervisor, 'supervisor');
  const before = await startOwnNginx({ url: stage.trap.url, storage: supervisor.storage }, 'worker');
  try {
    // A WebSocket with an address of its visitor's choice would be counted for somebody else.
    const { request, webSocket } = await comesBy(front.url, stage, '203.0.113.9');
    if (!request.includes('203.0.113.9')) found.push('nothing arrived');
    if (webSocket !== request) found.push(`a WebSocket comes from ${webSocket}, and a request from ${request}`);
    const secret = `of-somebody-${Date.now()}`;
    await ask(front.url, `/api/users:list?token=${secret}`);
    if (fs.readFileSync(front.log, 'utf8').includes(secret)) found.push('a session is in its log');
    // That a Worker is away is said by the nginx before it, and by nobody behind that.
    stage.trap.answer = (_, res) => void res.writeHead(502, { 'X-App-Supervisor-Away': 'refused' }).end('{}');
    const { headers } = await ask(before.url, '/api/x');
    if (headers['x-app-supervisor-away']) found.push('an app says that its Worker is away');
    for (const target of [
      '/storage/uploads/../../apps/main/jwt_secret.dat',
      '/storage/uploads/..%2f..%2fapps/main/jwt_secret.dat',
      '/static/../package.json',
      '/dist/../../package.json',
      '/storage/.env',
      '/storage/apps/main/jwt_secret.dat',
      '/storage/backups/x',
      '/storage/logs/main/x',
    ]) {
      const { status, text } = await ask(front.url, target);
      if (/^[\w-]{30,}\s*$/.test(text) || text.includes('"devDependencies"'))
        found.push(`${target} answers ${status} ${text.slice(0, 20)}`);
    }
  } finally {
    await front.stop();
    await before.stop();
  }
  return found;
}

export const bySurfaces: Attack[] = [
  {
    finding: 'S21',
    title: 'sign-ins as fast as they go, at main apps and at an app, through the Supervisor and not',
    run: guesses,
  },
  {
    finding: 'S22',
    title: 'what leaves its place in the files of a new environment, and secrets of others in them',
    run: adds,
  },
  { finding: 'S23', title: 'the inside of the network, by a webhook of somebody who may notify', run: sendsElsewhere },
  { finding: 'S24', title: 'lines in logs that a visitor has made, and logs of another app', run: readsLogs },
  {
    finding: 'S25',
    title: 'containers, by everybody who may less than Security checklist allows',
    run: makesContainers,
  },
  {
    finding: 'S26',
    title:
      'the image’s nginx: the address of a visitor, its log, files beside its folders, and a Worker that is said to be away',
    run: passesNginx,
  },
];
