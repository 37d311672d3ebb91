import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { ask, bare, type Front, front, type Listening, until, worker } from '../integration/proxy-harness';
import { startImageNginx } from '../support/front';

/**
 * A silence on a connection that was used before, ten times as long as the worker keeps idle connections. All tests wait at the
 * same time.
 */

const KEPT = 5_000;
const SILENCE = 10 * KEPT;
/** More than the buffers of all connections on the way take. */
const LARGE = 64_000_000;

const asked: string[] = [];
let target: Listening;
let image: { url: string; stop(): Promise<void> };
let folder: string;
const doors: Front[] = [];
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
  image = await startImageNginx({
    url: `http://127.0.0.1:${target.port}`,
    storage: folder,
    keptFor: `${KEPT / 1_000}s`,
  });
  for (const [place, to] of Object.entries(PLACES)) {
    for (const [name, visit] of Object.entries(VISITS)) {
      const visiting = usedDoor(to()).then(visit);
      visiting.catch(() => undefined); // the test says it
      visits.set(`${place}: ${name}`, visiting);
    }
  }
});
afterAll(async () => {
  for (const door of doors) await door.close();
  await image?.stop();
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

/** A door of its own, whose only connection to the worker was used before and is idle now. */
async function usedDoor(to: number | string): Promise<Front> {
  const door = await front({ environments: { a: to } });
  doors.push(door);
  expect(await ask(door.port, '/api/first')).toMatchObject({ status: 200, body: 'here' });
  return door;
}

const SHORT = 200;
const PLACES: Record<string, () => number | string> = {
  'a worker': () => target.port,
  'the nginx of the image': () => image.url,
};

/** What a visitor of a door does, by name. */
const VISITS: Record<string, (door: Front) => Promise<void>> = {
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
    await sleep(SILENCE);
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('back: hello');
    socket.terminate();
  },
};

/** A request that is answered after the silence, and asked once. */
async function waitFor({ port }: Front, method: string): Promise<void> {
  const path = `/api/x:list?door=${port}&late`;
  const answer = await ask(port, path, { method, body: method === 'POST' ? '{}' : undefined });
  expect(answer).toMatchObject({ status: 200, body: 'here' });
  expect(asked.filter((one) => one === `${method} ${path}`)).toHaveLength(1);
}

describe.each(Object.keys(PLACES))('%s keeps a connection for less than the silence', (place) => {
  it.each(Object.keys(VISITS))('%s', (visit) => visits.get(`${place}: ${visit}`));
});
