import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/**
 * A process that does one thing again and again, at a bounded rate: `flood.ts <kind> <Supervisor> <Worker> <speed>`, with their
 * ports and a factor of the rate. It is started with the lowest priority, so that it takes what of the machine is left. It says when it has begun, ends
 * by itself after its last one, and keeps what it holds open until then.
 */

interface Kind {
  /** How many in all. */
  count: number;
  /** How many begin in a second, at most. */
  rate: number;
  /** How many may be unanswered at the same time. */
  atOnce: number;
  one(index: number): Promise<unknown>;
}

const HOST = '127.0.0.1';
const [, , kind = '', supervisor = '', worker = '', speed = '1'] = process.argv;
const SUPERVISOR = Number(supervisor);
const WORKER = Number(worker);
/** All of it comes from one address. */
const FROM = { 'X-Forwarded-For': '203.0.113.66' };
const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
const held: net.Socket[] = [];

interface Request {
  port?: number;
  path: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Whatever the answer is; none within half a minute is one, too. */
function request({ port = SUPERVISOR, path, method = 'GET', headers = {}, body }: Request): Promise<void> {
  return new Promise((resolve) => {
    const options = { host: HOST, port, path, method, agent, headers: { ...FROM, ...headers }, timeout: 30_000 };
    const outgoing = http.request(options, (answer) => answer.resume().on('close', resolve));
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve());
    outgoing.end(body);
  });
}

/** A connection on which somebody else decides what happens next. */
async function connect(port: number, bytes: string): Promise<net.Socket> {
  const socket = net.connect(port, HOST);
  socket.on('error', () => socket.destroy());
  socket.write(bytes, 'latin1');
  held.push(socket);
  await once(socket, 'connect').catch(() => undefined);
  return socket;
}

/** Sends a byte each five seconds. */
async function drip(port: number, bytes: string): Promise<void> {
  const socket = await connect(port, bytes);
  setInterval(() => socket.writable && socket.write('x'), 5_000).unref();
}

const UPGRADE = `Host: x\r\nX-Forwarded-For: ${FROM['X-Forwarded-For']}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

async function webSocket(app: string, port = SUPERVISOR): Promise<net.Socket> {
  const socket = await connect(port, `GET /ws?__appName=${app} HTTP/1.1\r\n${UPGRADE}`);
  await Promise.race([once(socket, 'data'), once(socket, 'close'), sleep(30_000)]).catch(() => undefined);
  return socket.resume();
}

/** One text message, masked with zeros. */
function frame(text: string): Buffer {
  const head = Buffer.alloc(14);
  head.set([0x81, 0x80 | 127]);
  head.writeBigUInt64BE(BigInt(text.length), 2);
  return Buffer.concat([head, Buffer.from(text)]);
}
/** What is JSON, and what is none. */
const MESSAGES = [frame(JSON.stringify({ type: 'x', payload: 'x'.repeat(65_000) })), frame('x'.repeat(65_000))];

async function talk(index: number, port?: number): Promise<void> {
  const socket = await webSocket('target', port);
  for (let sent = 0; sent < 20 && socket.writable; sent++) {
    const goesOn = socket.write(MESSAGES[index % 2]) || Promise.race([once(socket, 'drain'), once(socket, 'close')]);
    await Promise.resolve(goesOn).catch(() => undefined); // it was closed
  }
}

const signIn = (body: object) => ({
  path: '/api/auth:signIn',
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'X-Authenticator': 'basic' },
  body: JSON.stringify(body),
});

/** As many small values as there are bytes for: the most work that a byte of JSON makes. */
const manyValues = (bytes: number) => `{"a":[${'[],'.repeat(Math.floor((bytes - 10) / 3))}[]]}`;
const VALUES = manyValues(9_500_000);
const PACKED: Record<string, Buffer> = { br: brotliCompressSync(VALUES), gzip: gzipSync(VALUES) };
const PLAIN = manyValues(60_000);
/** The Supervisor's main app, an app through the Supervisor, and an app and the main app of a Worker itself. */
const PLACES: Array<[port: number, headers: Record<string, string>]> = [
  [SUPERVISOR, {}],
  [SUPERVISOR, { 'X-App': 'target' }],
  [WORKER, { 'X-App': 'target' }],
  [WORKER, {}],
];
const bomb = (index: number, body: string | Buffer, headers: Record<string, string>) => {
  const [port, place] = PLACES[index % PLACES.length];
  const type = { 'Content-Type': 'application/json', Authorization: `Bearer ${index % 8 < 4 ? '' : 'eyJ.x.y'}` };
  return request({ port, path: '/api/auth:signIn', method: 'POST', headers: { ...type, ...headers, ...place }, body });
};

const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`X-${index}`, 'x']));
const any = () => randomBytes(6).toString('hex');

const KINDS: Record<string, Kind> = {
  paths: { count: 10_000, rate: 600, atOnce: 50, one: () => request({ path: `/api/__app/${any()}/app:getInfo` }) },
  headers: {
    count: 10_000,
    rate: 600,
    atOnce: 50,
    one: () => request({ path: '/api/x', headers: { 'X-App': any() } }),
  },
  hosts: {
    count: 10_000,
    rate: 250,
    atOnce: 50,
    one: () => request({ path: '/', headers: { Host: `${any()}.example.test` } }),
  },
  plugins: {
    count: 7_000,
    rate: 500,
    atOnce: 50,
    one: (index) => request({ port: index % 7 < 5 ? SUPERVISOR : WORKER, path: `/static/plugins/${any()}/x.js` }),
  },
  'sign-ins': {
    count: 3_000,
    rate: 200,
    atOnce: 100,
    one: () => request(signIn({ account: 'nocobase', password: any() })),
  },
  'sign-ins of an app': {
    count: 3_000,
    rate: 200,
    atOnce: 100,
    one: (index) => {
      const { headers, ...rest } = signIn({ account: 'nocobase', password: any() });
      return request({ ...rest, port: index % 2 ? SUPERVISOR : WORKER, headers: { ...headers, 'X-App': 'target' } });
    },
  },
  'large heads': {
    count: 2_400,
    rate: 200,
    atOnce: 50,
    one: (index) =>
      request({ path: '/api/app:getInfo', headers: index % 6 ? fields(190) : { 'X-Large': 'x'.repeat(60_000) } }),
  },
  'slow ones': {
    count: 4_000,
    rate: 400,
    atOnce: 100,
    one: (index) =>
      index % 2
        ? drip(SUPERVISOR, 'GET / HTTP/1.1\r\nHost: x\r\nX: ')
        : drip(
            SUPERVISOR,
            `POST /api/${index % 4 ? 'x' : '__app/target/x'} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n`,
          ),
  },
  webSockets: { count: 5_000, rate: 400, atOnce: 50, one: (index) => webSocket(index % 5 < 3 ? 'main' : 'target') },
  messages: { count: 1_000, rate: 100, atOnce: 50, one: (index) => talk(index, index % 4 ? SUPERVISOR : WORKER) },
  'packed bodies': {
    count: 400,
    rate: 20,
    atOnce: 20,
    one: (index) => {
      const encoding = index % 3 ? 'br' : 'gzip';
      return bomb(index, PACKED[encoding], { 'Content-Encoding': encoding });
    },
  },
  'small bodies': { count: 400, rate: 20, atOnce: 20, one: (index) => bomb(index, PLAIN, {}) },
};
export type FloodKind = keyof typeof KINDS;

let sent = 0;
async function flood({ count, rate, atOnce, one }: Kind): Promise<void> {
  const begun = performance.now();
  let open = 0;
  const all: Array<Promise<unknown>> = [];
  for (; sent < count; sent++) {
    while (open >= atOnce || sent > (Number(speed) * rate * (performance.now() - begun)) / 1_000) await sleep(5);
    open++;
    all.push(one(sent).finally(() => open--));
  }
  await Promise.all(all);
}

/** How far it is, how fast that was, and what it took of the machine itself. */
function tell(since: number): void {
  const seconds = (performance.now() - since) / 1_000;
  const { user, system } = process.cpuUsage();
  const cpu = (user + system) / 1e6;
  console.log(
    `${sent} sent, ${(sent / seconds).toFixed()} a second, ${cpu.toFixed(1)} s of CPU in ${seconds.toFixed()} s`,
  );
}

console.log('begun');
const since = performance.now();
setInterval(() => tell(since), 1_000).unref();
void flood(KINDS[kind]).then(() => {
  tell(since);
  // What is held open is let go all at once.
  process.exit(0);
});
