import fs from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { HOST } from '../../scripts/fleet';
import { askH2, type H2Fields } from '../support/h2-frames';
import type { Attack } from './attacks';
import { trySmuggling } from './held';
import { DOMAIN, type Stage, type Who } from './stage';

/** What is tried at what only a door has: HAProxy and its files, how it speaks to both sides, and two readers of one request. */

/** What the Worker of the trap gets of this request. @returns null if it does not arrive */
async function arrivesAt(stage: Stage, headers: Record<string, string>): Promise<IncomingHttpHeaders | null> {
  let arrived: IncomingHttpHeaders | null = null;
  stage.trap.answer = (req, res) => {
    arrived = req.headers;
    res.end('{}');
  };
  await stage.ask('/api/__app/trap/x', { headers });
  return arrived;
}

/** What the door and the Supervisor say of a request to each other and to Workers. */
const FORGED: Array<Record<string, string>> = [
  { 'X-App-Supervisor-Via': 'door' },
  { 'X-App-Supervisor-Via': 'door-again' },
  { 'X-App-Supervisor-Away': 'refused' },
  { 'X-App-Environment': 'env_b' },
  { 'X-App': 'trap', 'X-Hostname': DOMAIN },
  { 'X-Forwarded-App': 'target', 'X-Real-App': 'target' },
  { Connection: 'close, X-App' },
  { Connection: 'X-App-Supervisor-Via, X-Forwarded-For' },
  { 'Proxy-Connection': 'X-App' },
];

async function tryForged(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  if (!(await arrivesAt(stage, {}))) found.push('the Worker was not visited');
  for (const headers of FORGED) {
    const arrived = await arrivesAt(stage, headers);
    const said = JSON.stringify(headers);
    if (!arrived) continue;
    if (arrived['x-app'] !== 'trap') found.push(`${said}: the Worker is asked for ${arrived['x-app']}`);
    if (arrived['x-app-supervisor-via'] === undefined) found.push(`${said}: the Worker takes it for a visitor's own`);
    if (arrived['x-app-supervisor-via'] === headers['X-App-Supervisor-Via'])
      found.push(`${said}: the Worker believes it`);
    if (!String(arrived['x-forwarded-for']).endsWith(HOST)) found.push(`${said}: nobody says whose visit it is`);
  }
  return found;
}

/** Requests as bytes, whose host, target and fields name several apps. */
const AUTHORITIES = (token: string): string[] =>
  [
    `GET http://${DOMAIN}/api/auth:check HTTP/1.1\r\nHost: x`,
    `GET http://x/api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}`,
    `GET http://x@${DOMAIN}/api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}`,
    `GET //${DOMAIN}/api/auth:check HTTP/1.1\r\nHost: x`,
    `GET /api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}\r\nHost: x`,
    `GET /api/auth:check HTTP/1.1\r\nHost: x, ${DOMAIN}`,
    `GET /api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}.`,
    `GET /api/auth:check HTTP/1.1\r\nHost: ${DOMAIN.toUpperCase()}`,
    `GET /api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}:x`,
    `GET /api/auth:check HTTP/1.1\r\nHost: ${DOMAIN}#x`,
    `GET /api/auth:check HTTP/1.1\r\nHost : ${DOMAIN}`,
    `GET /api/auth:check HTTP/1.0`,
    `GET /api/__app/target/auth:check HTTP/1.1\r\nHost: x\r\nX-App: bystander\r\nX-Hostname: ${DOMAIN}`,
    `GET /api/auth:check#?__appName=target HTTP/1.1\r\nHost: x`,
    `OPTIONS * HTTP/1.1\r\nHost: ${DOMAIN}`,
    `CONNECT ${DOMAIN}:80 HTTP/1.1\r\nHost: ${DOMAIN}`,
  ].map((head) => `${head}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);

/** @returns all that comes back */
const say = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, HOST, () => socket.write(bytes, 'latin1'));
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', () => undefined);
    socket.setTimeout(5_000, () => socket.destroy());
    socket.once('close', () => resolve(text));
  });

const requestOf = (token: string, more: H2Fields, pseudo: Record<string, string> = {}): H2Fields => [
  ...Object.entries({ ':method': 'GET', ':scheme': 'http', ':authority': 'x', ':path': '/api/auth:check', ...pseudo }),
  ['authorization', `Bearer ${token}`],
  ...more,
];

/** The same in HTTP/2. */
const H2_AUTHORITIES = (token: string): H2Fields[] => [
  requestOf(token, [['host', DOMAIN]]),
  requestOf(token, [['host', 'x']], { ':authority': DOMAIN }),
  requestOf(token, [[':authority', DOMAIN]]),
  requestOf(token, [], { ':authority': `x@${DOMAIN}` }),
  requestOf(token, [], { ':authority': '', ':path': `http://${DOMAIN}/api/auth:check` }),
  requestOf(token, [], { ':path': '/api/auth:check?__appName=target', ':scheme': 'https://x/api/__app/bystander/' }),
  requestOf(token, [['x-app', 'bystander\0target']]),
  requestOf(token, [['x-app\r\nx-app', 'target']]),
  requestOf(token, [['X-App', 'target']]),
];

/** What would be a second request for whoever reads HTTP/1.1. */
const SECOND = 'GET /api/__app/trap/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const post = (more: H2Fields, pseudo: Record<string, string> = {}): H2Fields => [
  ...Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'x',
    ':path': '/api/__app/trap/o',
    ...pseudo,
  }),
  ...more,
];
const H2_SMUGGLED: Array<[H2Fields, string?]> = [
  [post([['transfer-encoding', 'chunked']]), `0\r\n\r\n${SECOND}`],
  [post([['content-length', '0']]), SECOND],
  [post([['content-length', '5']]), SECOND],
  [post([['x', `y\r\n\r\n${SECOND}`]])],
  [post([[`x: y\r\n\r\n${SECOND}x`, 'y']])],
  [post([], { ':path': `/api/__app/trap/o HTTP/1.1\r\nHost: x\r\n\r\n${SECOND}` })],
  [post([], { ':method': `GET /api/__app/trap/o HTTP/1.1\r\nHost: x\r\n\r\n${SECOND}GET` })],
  [post([], { ':authority': `x\r\n\r\n${SECOND}` })],
  [post([['connection', 'upgrade']], { ':path': '/api/__app/trap/o' }), SECOND],
];

/** Requests that HAProxy leaves to the Supervisor, on connections that others use next, with a body that is a request for one of the two. */
const LEFT = ['/api/app:getInfo', '/api/__app/trap/~%2f', '/apps/trap/admin/'];
const HALF = 'GET /api/__app/trap/smuggled HTTP/1.1\r\nX: ';
const TO_SUPERVISOR = LEFT.flatMap((target) => [
  `GET ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${HALF.length}\r\n\r\n${HALF}`,
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Content-Length\r\nContent-Length: ${HALF.length}\r\n\r\n${HALF}`,
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n${HALF.length.toString(16)}\r\n${HALF}\r\n0\r\n\r\n`,
  `POST ${target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${HALF.length}\r\n\r\n${HALF}`,
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
  `POST ${target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x="\r\n"\r\na\r\n0\r\nX: y\r\n\r\n`,
]);

/** Whether visitors get what they ask for, on connections that were used before. */
async function othersAreServed({ port }: Stage, why: string): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => say(port, 'GET /api/app:getLang HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')),
  );
  const isRight = (text: string) => /^HTTP\/1\.1 200 /.test(text) && text.includes('"lang"');
  return answers.every(isRight) ? [] : [`another visitor gets something else after ${JSON.stringify(why)}`];
}

export const byDoor: Attack[] = [
  {
    finding: 'door',
    title: 'sockets and files of the door, by other users of the machine',
    async run({ fleet }) {
      const folder = path.join(fleet.home, 'door');
      const isOpen = (file: string) => (fs.lstatSync(file).mode & 0o077) !== 0;
      if (!isOpen(folder)) return [];
      const files = (fs.readdirSync(folder, { recursive: true }) as string[]).map((name) => path.join(folder, name));
      return [folder, ...files.filter((file) => fs.lstatSync(file).isSocket())].filter(isOpen);
    },
  },
  {
    finding: 'door',
    title: 'HAProxy’s own pages and commands, by its port',
    async run(stage) {
      const found: string[] = [];
      for (const target of ['/metrics', '/haproxy?stats', '/stats', '/;csv', '/api/__app/trap/metrics']) {
        stage.trap.answer = (_, res) => void res.end('{}');
        const { text } = await stage.ask(target);
        if (/haproxy_|# pxname|Statistics Report/.test(text)) found.push(`${target} is answered by HAProxy`);
      }
      for (const command of ['show info\n', 'prompt\nshow env\n', '@1 show stat\n']) {
        if (/Pid: |APP_SUPERVISOR|pxname/.test(await say(stage.port, command))) found.push(`"${command}" is answered`);
      }
      return found;
    },
  },
  {
    finding: 'door',
    title: 'fields by which the door and the Supervisor speak to each other and to Workers',
    run: tryForged,
  },
  {
    finding: 'door',
    title: 'hosts, authorities and targets that name several apps, with a token of another one',
    async run(stage) {
      const found: string[] = [];
      for (const who of ['target', 'bystander', 'main'] as Who[]) {
        const own = requestOf(stage.tokens[who], [], { ':path': `/api/auth:check?__appName=${who}` });
        if (stage.fleet.door && !(await askH2(stage.port, own)).includes(stage.marks[who]))
          found.push(`${who} does not answer its own user`);
        for (const bytes of AUTHORITIES(stage.tokens[who]))
          found.push(...stage.leaks(await say(stage.port, bytes), who).map((leak) => `${leak}: ${bytes}`));
        for (const fields of H2_AUTHORITIES(stage.tokens[who]))
          found.push(
            ...stage.leaks(await askH2(stage.port, fields), who).map((leak) => `${leak}: ${JSON.stringify(fields)}`),
          );
      }
      return found;
    },
  },
  {
    finding: 'door',
    title: 'two requests in one, of HTTP/2',
    async run(stage) {
      const found: string[] = [];
      for (const [fields, body] of H2_SMUGGLED) {
        const seen: string[] = [];
        stage.trap.answer = (req, res) => {
          seen.push(String(req.url));
          req.resume();
          res.end('{}');
        };
        await askH2(stage.port, fields, body);
        const why = JSON.stringify([fields, body]);
        if (seen.some((url) => url.includes('smuggled'))) found.push(`a second request arrived: ${why}`);
        found.push(...(await othersAreServed(stage, why)));
      }
      return found;
    },
  },
  {
    finding: 'door',
    title: 'two requests in one, between HAProxy and the Supervisor',
    async run(stage) {
      const found: string[] = [];
      for (const bytes of TO_SUPERVISOR) {
        found.push(...(await trySmuggling(stage, bytes)));
        found.push(...(await othersAreServed(stage, bytes)));
      }
      return found;
    },
  },
  {
    finding: 'door',
    title: 'an answer of a Worker that is two, for whoever comes next',
    async run(stage) {
      const found: string[] = [];
      const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
      for (const answer of [
        `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`,
        `HTTP/1.1 204 No Content\r\n\r\n${poison}`,
        `HTTP/1.1 304 Not Modified\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`,
        `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`,
        `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${poison}`,
      ]) {
        stage.trap.answer = (req, res) => {
          if (req.url?.includes('next')) return void res.end('{}');
          req.socket.write(answer);
        };
        await stage.ask('/api/__app/trap/x').catch(() => undefined);
        for (let visit = 0; visit < 4; visit++) {
          const { text } = await stage.ask('/api/__app/trap/next');
          if (text.includes('poison')) found.push(JSON.stringify(answer));
        }
      }
      return found;
    },
  },
];
