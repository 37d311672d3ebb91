import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import net, { type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, HOST, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { allowOpenFiles } from '../support/limits';
import { SimulatedApp } from '../support/simulated-app';

/** What takes a while through the real Supervisor: bodies of a gigabyte, and ten thousand open WebSockets, or as many as this machine allows. */

const GIGABYTE = 2 ** 30;
const CHUNK = Buffer.alloc(2 ** 18, 'gigabyte');
/** Bodies are not kept: what Node's own buffers, and a garbage collector that is not in a hurry, make of it. */
const FLAT = 200 * 2 ** 20;

let fleet: Fleet;
let app: SimulatedApp;

beforeAll(async () => {
  fleet = await sharedFleet();
  app = await SimulatedApp.begin(fleet, 'heavy', 'heavy.example.test');
});
afterAll(() => app?.end());

/** Of the Supervisor, in bytes. */
function memory(): number {
  const status = fs.readFileSync(`/proc/${fleet.supervisor.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
}

/** Open files of the Supervisor that are sockets. */
const socketsOfSupervisor = () => {
  const folder = `/proc/${fleet.supervisor.pid}/fd`;
  return fs.readdirSync(folder).filter((name) => {
    try {
      return fs.readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
};

/** @returns by how much the Supervisor grew at most while it went on, in bytes */
async function growth(work: () => Promise<void>): Promise<number> {
  const before = memory();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, memory());
  }, 100);
  await work().finally(() => clearInterval(timer));
  return most - before;
}

const request = (options: http.RequestOptions) =>
  http.request({ host: HOST, port: fleet.supervisor.port, path: '/api/__app/heavy/x', agent: false, ...options });

/** Writes a gigabyte as fast as it is taken. */
async function pour(into: NodeJS.WritableStream): Promise<string> {
  const hash = createHash('sha256');
  for (let sent = 0; sent < GIGABYTE; sent += CHUNK.length) {
    hash.update(CHUNK);
    if (!into.write(CHUNK)) await once(into as never, 'drain');
  }
  into.end();
  return hash.digest('hex');
}

async function drink(from: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of from) hash.update(chunk);
  return hash.digest('hex');
}

describe('a gigabyte', () => {
  it('goes up whole, and the Supervisor does not grow by it', async () => {
    app.answer = async (req, res) => void res.end(await drink(req));
    let hashes: string[] = [];
    const grown = await growth(async () => {
      // What may be a token: whether it is one, the app knows.
      const headers = { 'Content-Length': GIGABYTE, Authorization: 'Bearer eyJ' };
      const outgoing = request({ method: 'POST', headers });
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      const sent = await pour(outgoing);
      let text = '';
      for await (const chunk of (await answered)[0]) text += chunk;
      hashes = [sent, text];
    });
    expect(hashes[1]).toBe(hashes[0]);
    console.log(`1 GiB up: the Supervisor grew by ${Math.round(grown / 2 ** 20)} MiB`);
    expect(grown).toBeLessThan(FLAT);
  });

  it('comes down whole, and the Supervisor does not grow by it', async () => {
    let sent = Promise.resolve('');
    app.answer = (_req, res) => {
      res.writeHead(200, { 'Content-Length': GIGABYTE });
      sent = pour(res);
    };
    let got = '';
    const grown = await growth(async () => {
      const outgoing = request({});
      outgoing.end();
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
      got = await drink(incoming);
    });
    expect(got).toBe(await sent);
    console.log(`1 GiB down: the Supervisor grew by ${Math.round(grown / 2 ** 20)} MiB`);
    expect(grown).toBeLessThan(FLAT);
  });
});

describe('ten thousand WebSockets', () => {
  /** Each from an address of its own: one has turns. */
  const upgradeOf = (index: number) => `X-Forwarded-For: 10.0.${index >> 8}.${index & 255}\r\n\r\n`;
  const UPGRADE =
    'GET /ws?__appName=heavy HTTP/1.1\r\nHost: heavy\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
  const WANTED = 10_000;
  /** What else a process opens meanwhile. */
  const SPARE = 50;
  /** Loopback has many addresses; one has some 28,000 ports, and each is in the way for a minute after its end. */
  const from = (index: number) => `127.0.0.${2 + (index % 8)}`;

  it('stand idle, or as many as open files are allowed, and leave nothing when they go', async () => {
    // The Supervisor needs two sockets for one WebSocket, and so does this process, which plays both ends.
    const room = [fleet.supervisor.pid!, process.pid].map((pid) => {
      const open = fs.readdirSync(`/proc/${pid}/fd`).length + SPARE;
      return Math.floor((allowOpenFiles(pid, 2 * WANTED + open) - open) / 2);
    });
    const COUNT = Math.min(WANTED, ...room);
    const limited = COUNT < WANTED ? ` (no more open files are allowed than for ${COUNT})` : '';
    // As a worker's WebSocket server does: it reads, so that it hears a goodbye, and answers it.
    app.upgrade = (_req, socket) => {
      socket.on('end', () => socket.end()).resume();
      socket.write(SWITCH);
    };
    const before = { memory: memory(), sockets: socketsOfSupervisor() };
    const visitors: Socket[] = [];
    const open = async (index: number) => {
      const socket = net.connect({ host: HOST, port: fleet.supervisor.port, localAddress: from(index) });
      socket.on('error', () => {});
      visitors.push(socket);
      socket.write(UPGRADE + upgradeOf(index));
      const [answer] = await once(socket, 'data');
      if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(String(answer));
    };
    const AT_ONCE = 100;
    for (let index = 0; index < COUNT; index += AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, COUNT - index) }, (_, more) => open(index + more)));
    }
    const each = (memory() - before.memory) / COUNT;
    console.log(`${COUNT} idle WebSockets${limited}: ${Math.round(each / 1024)} KiB of the Supervisor's memory each`);
    // The Supervisor may have let go of a few of its own meanwhile.
    expect(socketsOfSupervisor() - before.sockets).toBeGreaterThan(2 * COUNT - 50);
    // It answers others as before.
    app.answer = (_req, res) => void res.end('here');
    expect((await ask(fleet.supervisor.url, '/api/__app/heavy/x')).text).toBe('here');

    // Half of them say goodbye, half are torn away.
    for (const [index, socket] of visitors.entries()) {
      if (index % 2) socket.end();
      else socket.resetAndDestroy();
    }
    const left = () => [Math.max(0, socketsOfSupervisor() - before.sockets), app.sockets.size];
    const few = () => left().every((count) => count < 20);
    await waitFor(few, { timeout: 15_000, what: 'The end of every socket' }).catch((error) => {
      throw new Error(`${error.message} Left at the Supervisor and behind it: ${left()}.`);
    });
    expect(fleet.supervisor.running).toBe(true);
  });
});
