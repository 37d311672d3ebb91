import { createHmac, randomBytes } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST } from '../../scripts/fleet';
import { signTransfer, TRANSFER_HEADER, TRANSFER_PATH, type Wanted } from '../../src/server/protocol/transfer';
import type { Attack } from './attacks';
import { bearer, DOMAIN, type Stage, type Who } from './stage';

/** What was tried before and has to go on to hold. Each kind is also what the generator makes more of. */

/** An address with a token: whoever answers, it is the token's owner, or nobody. */
export interface Spelling {
  target: string;
  headers: Record<string, string>;
  who: Who;
}

export async function trySpelling(stage: Stage, { target, headers, who }: Spelling): Promise<string[]> {
  const answer = await stage.ask(target, { headers: { ...headers, ...bearer(stage.tokens[who]) } }).catch(() => null);
  if (!answer) return [];
  return stage.leaks(answer.text, who).map((leak) => `${leak}: ${JSON.stringify({ target, headers, who })}`);
}

const SPELLINGS: Array<[string, Record<string, string>]> = [
  ['/api/auth:check', {}],
  ['/api/auth:check', { 'X-App': 'target' }],
  ['/api/auth:check', { 'X-App': 'target,bystander' }],
  ['/api/auth:check', { 'X-App': 'TARGET' }],
  ['/api/auth:check', { Host: DOMAIN }],
  ['/api/auth:check', { 'X-Hostname': DOMAIN }],
  ['/api/auth:check', { 'X-Forwarded-Host': DOMAIN }],
  ['/api/auth:check', { Host: `${DOMAIN}:80`, 'X-App': 'main' }],
  ['/api/auth:check?__appName=target', { 'X-App': 'bystander' }],
  ['/api/auth:check?__appName=target&__appName=bystander', {}],
  ['/api/auth:check?__appName[]=target', {}],
  ['/api/auth:check?__appName=main', { Host: DOMAIN }],
  ['/api/__app/target/auth:check', {}],
  ['/api/__app/target/auth:check?__appName=bystander', { 'X-App': 'main' }],
  ['/api/__app/target/../bystander/auth:check', {}],
  ['/api/__app/target/%2e%2e/bystander/auth:check', {}],
  ['/api/__app/%74arget/auth:check', {}],
  ['/api/__app/target%2f..%2fbystander/auth:check', {}],
  ['/api//__app/target/auth:check', {}],
  ['/api/__app//target/auth:check', {}],
  ['/api/__app/__app/target/auth:check', {}],
  ['/apps/target/api/auth:check', {}],
  ['/_app/target/api/auth:check', {}],
  ['/api/__app/__proto__/auth:check', {}],
  ['/api/__app/constructor/auth:check', {}],
];

/** Bytes on a socket; the trap sees at most the first request. */
export async function trySmuggling(stage: Stage, bytes: string): Promise<string[]> {
  const seen: string[] = [];
  stage.trap.answer = (req, res) => {
    seen.push(`${req.url}`);
    req.resume();
    res.end('{}');
  };
  await new Promise<void>((resolve) => {
    const socket = net.connect(stage.port, HOST, () => socket.write(bytes, 'latin1'));
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    socket.once('close', () => resolve());
    setTimeout(() => socket.destroy(), 400);
  });
  await sleep(50);
  return seen.filter((url) => url.includes('smuggled')).map(() => `a second request arrived: ${JSON.stringify(bytes)}`);
}

const OUTER = 'POST /api/__app/trap/outer HTTP/1.1\r\nHost: x\r\n';
const INNER = 'GET /api/__app/trap/smuggled HTTP/1.1\r\nHost: x\r\nX-App: trap\r\n\r\n';
/** Framing that two readers could understand in two ways; `INNER` is a body for one of them. */
const FRAMINGS = [
  `Content-Length: ${INNER.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`,
  `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${INNER}`,
  `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${INNER}`,
  `Transfer-Encoding: xchunked\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${INNER}`,
  `Transfer-Encoding:\tchunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${INNER}`,
  `Content-Length: 0\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  `Content-Length: +0\r\n\r\n${INNER}`,
  `Content-Length: 0x0\r\n\r\n${INNER}`,
  `X: y\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  `Content-Length: ${INNER.length}\r\n \r\n\r\n${INNER}`,
  `Host: ${DOMAIN}\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
];

/** Where a redirect of `__visit` leads: a page of this app on this site. */
export async function tryVisit(stage: Stage, to: string): Promise<string[]> {
  const { status, headers } = await stage.ask(
    `/api/__app/target/__visit?environment=env_a&to=${encodeURIComponent(to)}`,
  );
  const { location = '' } = headers;
  if (status >= 500) return [`${status} to ${JSON.stringify(to)}`];
  if (status !== 302) return [];
  const isSafe = /^\/(?![/\\])[\x21-\x7e]*$/.test(location) && new URL(location, stage.url).origin === stage.url;
  return isSafe ? [] : [`${JSON.stringify(to)} leads to ${location}`];
}

const REDIRECTS = [
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  'https://evil.example',
  'javascript:alert(1)',
  '/\t/evil.example',
  '/\r\nSet-Cookie: x=y',
  '/apps/target/..//evil.example',
  '/apps/target/%2e%2e//evil.example',
  '/apps/bystander/admin/',
  '/%5cevil.example',
  '/.//evil.example',
];

/** A path that leads out of a folder that is served. */
export async function tryTraversal(stage: Stage, target: string): Promise<string[]> {
  const answer = await stage.ask(target, { headers: bearer(stage.tokens.target) }).catch(() => null);
  if (!answer) return [];
  const secrets = ['root:x:0', '"devDependencies"', 'APP_KEY', 'BEGIN '];
  return secrets.filter((secret) => answer.text.includes(secret)).map((secret) => `${target} gives ${secret}`);
}

const OUTSIDE = ['etc/passwd', 'package.json', 'apps/main/jwt_secret.dat', '.env'];
const FOLDERS = ['/storage/uploads', '/static/plugins/@nocobase/plugin-app-supervisor', '/files/target', '/dist'];
const UP = ['../', '%2e%2e/', '..%2f', '%2e%2e%2f', '..\\', '....//', '%252e%252e%252f', '..;/'];
const PATHS = FOLDERS.flatMap((folder) =>
  UP.flatMap((up) => OUTSIDE.slice(0, 2).map((file) => `${folder}/${up.repeat(8)}${file}`)),
);

/** A value in Redis that nobody of us has written. */
export async function tryRubbish(stage: Stage, key: string, field: string | null, value: string): Promise<void> {
  const { redis } = stage;
  const full = stage.key(key);
  const before = await redis.dumpBuffer(full);
  await (field === null ? redis.set(full, value) : redis.hset(full, field, value).catch(() => undefined));
  await redis.publish(stage.key('wake', 'supervisors'), value);
  await redis.publish(stage.key('requests', 'env_a'), value);
  await sleep(150);
  await redis.del(full);
  if (before) await redis.restore(full, 0, before);
}

const RUBBISH = [
  '',
  'null',
  '[]',
  '{}',
  '0',
  '"x"',
  '{"name":"target"}',
  '{"__proto__":{}}',
  `{"a":${'['.repeat(5_000)}`,
];

/** Input of the API is refused with a code, or does what it says; it never fails inside. */
export async function tryInput(stage: Stage, action: string, body: unknown): Promise<string[]> {
  const { status, code, text } = await stage.as('main', action, body);
  const isOurs = status < 500 || (status < 505 && code);
  return isOurs ? stage.leaks(text, 'main') : [`${status} to ${action} ${JSON.stringify(body).slice(0, 200)}`];
}

const NAMES = [
  '',
  ' ',
  '../x',
  '__proto__',
  'constructor',
  'toString',
  'main',
  'MAIN',
  'a/b',
  'a\0b',
  'ä',
  'x'.repeat(51),
  'con.',
];

const each = async <T>(items: T[], attempt: (item: T) => Promise<string[]>): Promise<string[]> => {
  const found: string[] = [];
  for (const item of items) found.push(...(await attempt(item)));
  return found;
};

export const heldBefore: Attack[] = [
  {
    finding: 'held',
    title: 'names of apps in addresses, with a token of another app',
    run: (stage) =>
      each(SPELLINGS, async ([target, headers]) =>
        each(['target', 'bystander', 'main'] as Who[], (who) => trySpelling(stage, { target, headers, who })),
      ),
  },
  {
    finding: 'held',
    title: 'two requests in one',
    run: (stage) => each(FRAMINGS, (framing) => trySmuggling(stage, OUTER + framing)),
  },
  { finding: 'held', title: 'redirects of Visit', run: (stage) => each(REDIRECTS, (to) => tryVisit(stage, to)) },
  {
    finding: 'held',
    title: 'paths out of a folder',
    run: (stage) => each(PATHS, (target) => tryTraversal(stage, target)),
  },
  {
    finding: 'held',
    title: 'rubbish in Redis',
    async run(stage) {
      for (const value of RUBBISH) {
        for (const key of ['lease:env_a', 'registration:env_a', 'term']) await tryRubbish(stage, key, null, value);
        for (const key of ['records:env_a', 'statuses:env_a', 'apps', 'manifests'])
          await tryRubbish(stage, key, 'target', value);
      }
      return [];
    },
  },
  {
    finding: 'held',
    title: 'names for a new app',
    run: (stage) =>
      each(NAMES, async (name) => {
        const { status } = await stage.as('main', 'apps:create', { name, title: 'Thief', environments: ['env_a'] });
        return status === 400 ? [] : [`${JSON.stringify(name)} answers ${status}`];
      }),
  },
  {
    finding: 'held',
    title: 'the uploads of an app, asked for as a Worker asks for those of an app that moves',
    run: tryTransfers,
  },
];

/** At every instance: without a signature, and with one that an app's administrator can make. */
async function tryTransfers({ fleet, url, manager, tokens }: Stage): Promise<string[]> {
  const { uid } = await manager.app('target');
  const about = { app: 'target', uid, to: 'env_b', generation: Date.now() };
  const own = createHmac('sha256', tokens.target).update('uploads').digest();
  const signed = (want: Wanted) =>
    signTransfer(own, { ...about, id: randomBytes(16).toString('hex'), at: Date.now(), want });
  const file = { kind: 'file', path: '../aes_key.dat', size: 32, mtime: 0, from: 0 } as const;
  const found: string[] = [];
  for (const address of new Set([url, ...fleet.instances.map((instance) => instance.url)])) {
    for (const header of [undefined, 'x', signed({ kind: 'list' }), signed(file), signed({ kind: 'end' })]) {
      for (const headers of [{}, { 'X-App': 'target' }, bearer(tokens.target)]) {
        const given = header === undefined ? {} : { [TRANSFER_HEADER]: header };
        const init = { method: 'POST', headers: { ...headers, ...given } as Record<string, string> };
        const { status } = await fetch(`${address}/api/${TRANSFER_PATH}`, init);
        if (status < 400) found.push(`${address} answers ${status}`);
      }
    }
  }
  return found;
}
