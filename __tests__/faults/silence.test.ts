import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { ask, bare, type Front, front, type Listening, until, worker } from '../integration/proxy-harness';
import { type FrontKind, startFront, startOwnNginx } from '../support/front';

/**
 * A silence on a connection that was used before, ten times as long as the worker keeps idle connections, and longer than nginx lets
 * one side wait if nobody tells it otherwise (60 s). All tests wait at the same time.
 */

const KEPT = 7_000;
const SILENCE = 10 * KEPT;
/** More than the buffers of all connections on the way take. */
const LARGE = 64_000_000;

const asked: string[] = [];
let target: Listening;
let folder: string;
/** What stands on the way, to be ended. */
const parts: { end(): Promise<void> }[] = [];
/** By place and visit: all begin at once. */
const visits = new Map<string, Promise<void>>();

beforeAll(async () => {
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', (socket) => socket.on('message', (data) => socket.send(`back: ${data}`)));
  target = await worker(serve, {
    keepAliveTimeout: KEPT,
    upgrade: (req, socket, head) => wss.handleUpgrade(req, socket, head, (one) => wss.emit('connection', one)),
  });
  folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-silence-'));
  for (const [place, begin] of Object.entries(PLACES)) {
    const reach = await begin();
    for (const [name, visit] of Object.entries(VISITS)) {
      const visiting = reach().then(visit);
      visiting.catch(() => undefined); // the test says it
      visits.set(`${place}: ${name}`, visiting);
    }
  }
});
afterAll(async () => {
  for (const part of parts.reverse()) await part.end();
  await target?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** What it does is said in the address. */
async function serve(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  asked.push(`${req.method} ${req.url}`);
  req.resume();
  if (req.url?.endsWith('late')) await sleep(SILENCE);
  if (req.url?.endsWith('large')) {
    res.end(Buffer.alloc(LARGE));
  } else if (req.url?.endsWith('events')) {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: one\n\n');
    await sleep(SILENCE);
    res.end('data: two\n\n');
  } else if (req.complete) res.end('here');
  else req.on('end', () => res.end('here'));
}

type Where = Pick<Front, 'port' | 'url'>;

async function door(to: number | string): Promise<Where> {
  const made = await front({ environments: { a: to } });
  parts.push({ end: () => made.close() });
  return made;
}

/** A door of its own for each visit, whose only connection to the worker was used before and is idle now. */
const usedDoor = (to: number | string) => async (): Promise<Where> => {
  const made = await door(to);
  expect(await ask(made.port, '/api/first')).toMatchObject({ status: 200, body: 'here' });
  return made;
};

/** The nginx of the image, before a Supervisor or a Worker. */
async function image(url: string, role: 'supervisor' | 'worker'): Promise<string> {
  const nginx = await startOwnNginx({ url, storage: folder, keptFor: `${KEPT / 1_000}s` }, role);
  parts.push({ end: () => nginx.stop() });
  return nginx.url;
}

async function deployed(kind: FrontKind, to: string): Promise<string> {
  const made = await startFront(kind, to);
  parts.push({ end: () => made.stop() });
  return made.url;
}

/** What the visitors of a door come by, which is one for all. */
const throughOne = (url: string) => async (): Promise<Where> => ({ url, port: Number(new URL(url).port) });

const SHORT = 200;
/** By what keeps the connections, or passes the visits on: how a visit reaches a door. */
const PLACES: Record<string, () => Promise<() => Promise<Where>>> = {
  'a worker': async () => usedDoor(target.port),
  'the image’s nginx of a Worker': async () => usedDoor(await image(`http://127.0.0.1:${target.port}`, 'worker')),
  'the image’s nginx of a Supervisor': async () => throughOne(await image((await door(target.port)).url, 'supervisor')),
  'the nginx of docs/deploy': async () => throughOne(await deployed('nginx', (await door(target.port)).url)),
  'the Caddy of docs/deploy': async () => throughOne(await deployed('caddy', (await door(target.port)).url)),
};

/** What a visitor of a door does, by name. */
const VISITS: Record<string, (door: Where) => Promise<void>> = {
  'before the answer to a POST': (door) => waitFor(door, 'POST'),
  'before the answer to a GET of a list': (door) => waitFor(door, 'GET'),

  async 'between two events of a stream'({ port }) {
    expect((await ask(port, '/api/events')).body).toBe('data: one\n\ndata: two\n\n');
  },

  async 'while the visitor does not read on'({ port }) {
    const req = http.get({ host: '127.0.0.1', port, path: '/api/large', agent: false });
    const [answer] = (await once(req, 'response')) as [http.IncomingMessage];
    await sleep(SILENCE);
    let read = 0;
    for await (const chunk of answer) read += chunk.length;
    expect(read).toBe(LARGE);
  },

  async 'in the middle of an upload'({ port }) {
    const socket = await bare(port);
    socket.write(`POST /api/upload HTTP/1.1\r\nHost: h\r\nContent-Length: ${2 * SHORT}\r\n\r\n${'x'.repeat(SHORT)}`);
    await sleep(SILENCE);
    socket.write('x'.repeat(SHORT));
    await until('the answer', () => socket.text() !== '' || socket.ended());
    expect(socket.text()).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  },

  async 'on a WebSocket'({ url }) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?__appName=app1`);
    await once(socket, 'open');
    const isOver = once(socket, 'close').then(() => ['over']);
    await sleep(SILENCE);
    socket.send('hello');
    expect(String((await Promise.race([once(socket, 'message'), isOver]))[0])).toBe('back: hello');
    socket.terminate();
  },
};

/** A request that is answered after the silence, and asked once. */
async function waitFor({ port }: Where, method: string): Promise<void> {
  const path = `/api/x:list?door=${port}&late`;
  const answer = await ask(port, path, { method, body: method === 'POST' ? '{}' : undefined });
  expect(answer).toMatchObject({ status: 200, body: 'here' });
  expect(asked.filter((one) => one === `${method} ${path}`)).toHaveLength(1);
}

/** As a Supervisor keeps them, in ms (`tuneServer`): a request on a connection that it ends at that moment would fail. */
const KEPT_BY_SUPERVISOR = 65_000;

it.concurrent.each<FrontKind>(['nginx', 'caddy'])(
  'the %s of docs/deploy ends an idle connection first',
  async (kind) => {
    const supervisor = await worker((_, res) => res.end('here'), { keepAliveTimeout: 2 * KEPT_BY_SUPERVISOR });
    parts.push({ end: () => supervisor.close() });
    const url = await deployed(kind, `http://127.0.0.1:${supervisor.port}`);
    expect((await ask(Number(new URL(url).port), '/')).body).toBe('here');
    expect(supervisor.sockets.size).toBe(1);
    await until('The end of the connection', () => supervisor.sockets.size === 0, KEPT_BY_SUPERVISOR);
  },
);

describe.each(Object.keys(PLACES))('with %s a silence is not the end', (place) => {
  it.each(Object.keys(VISITS))('%s', (visit) => visits.get(`${place}: ${visit}`));
});
