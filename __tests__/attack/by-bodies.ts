import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { HOST } from '../../scripts/fleet';
import type { Attack } from './attacks';
import { bearer, type Stage } from './stage';

/** What costs a process much and its sender little: bodies of visitors who are not signed in, and messages on WebSockets. */

interface Place {
  name: string;
  port: number;
  headers: Record<string, string>;
}

/** Main apps and an app, where visitors go and at the Worker itself. */
const placesOf = ({ port, fleet }: Stage): Place[] => {
  const worker = fleet.worker('env_a').port;
  return [
    { name: 'main', port, headers: {} },
    { name: 'an app', port, headers: { 'X-App': 'target' } },
    { name: 'an app at its Worker', port: worker, headers: { 'X-App': 'target' } },
    { name: 'a Worker’s main', port: worker, headers: {} },
  ];
};

interface Body {
  type?: string;
  encoding?: string;
  /** Without a length: in chunks. */
  isChunked?: boolean;
  bytes: Buffer | string;
}

/** @returns the status of the answer */
function send(
  { port, headers }: Place,
  { type = 'application/json', encoding, isChunked, bytes }: Body,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: HOST,
      port,
      path: '/api/auth:check',
      method: 'POST',
      agent: false,
      timeout: 60_000,
    });
    const all = { ...headers, 'Content-Type': type, ...(encoding && { 'Content-Encoding': encoding }) };
    for (const [name, value] of Object.entries(all)) request.setHeader(name, value);
    if (!isChunked) request.setHeader('Content-Length', Buffer.byteLength(bytes));
    request.on('response', (answer) => resolve(answer.resume().statusCode ?? 0));
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.write(bytes);
    request.end();
  });
}

const JSON_BODY = JSON.stringify({ account: 'x', password: 'x' });
const LARGE = JSON.stringify({ account: 'x'.repeat(70_000), password: 'x' });
const REFUSED: Record<string, Body> = {
  gzip: { encoding: 'gzip', bytes: gzipSync(JSON_BODY) },
  deflate: { encoding: 'deflate', bytes: deflateSync(JSON_BODY) },
  br: { encoding: 'br', bytes: brotliCompressSync(JSON_BODY), isChunked: true },
  'two codings': { encoding: 'identity, gzip', bytes: gzipSync(JSON_BODY) },
  'more than 64 kB': { bytes: LARGE },
  'more than 64 kB in chunks': { bytes: LARGE, isChunked: true },
  'a form of 70 kB': { type: 'application/x-www-form-urlencoded', bytes: `account=${'x'.repeat(70_000)}` },
};

/** Tokens that are none of a session of this place. */
async function tokensFor(stage: Stage): Promise<Array<Record<string, string>>> {
  const strange = ['x', 'eyJ.x.y', stage.tokens.bystander].map(bearer);
  return [{}, ...strange, { 'X-Form-Token': stage.tokens.target }, { Cookie: `token=${stage.tokens.target}` }];
}

async function refuses(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  for (const place of placesOf(stage)) {
    for (const [what, body] of Object.entries(REFUSED)) {
      for (const token of await tokensFor(stage)) {
        const status = await send({ ...place, headers: { ...place.headers, ...token } }, body);
        if (status !== 413 && status !== 415)
          found.push(`${status} by ${place.name} to ${what} with ${Object.keys(token)}`);
      }
    }
  }
  return found;
}

/** A frame of a text message, masked with zeros. */
function frame(bytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.set([0x81, 0xff]);
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return Buffer.concat([head, Buffer.alloc(bytes, 'x')]);
}

/** @returns whether the WebSocket is closed once all of this was sent */
async function closes(port: number, app: string, sent: Buffer[]): Promise<boolean> {
  const socket = net.connect(port, HOST);
  const head = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(`GET /ws?__appName=${app} HTTP/1.1\r\n${[...head, key].join('\r\n')}\r\n\r\n`);
  await once(socket, 'data');
  const closed = new Promise<true>((resolve) => socket.on('error', () => undefined).once('close', () => resolve(true)));
  socket.resume().on('end', () => socket.end());
  for (const each of sent) if (socket.writable) socket.write(each);
  const isClosed = await Promise.race([
    closed,
    new Promise<false>((resolve) => setTimeout(() => resolve(false), 10_000)),
  ]);
  socket.destroy();
  return isClosed;
}

const TALKS: Record<string, Buffer[]> = {
  'one message of 64 kB': [frame(65_536)],
  'many messages of 10 kB': Array.from({ length: 8 }, () => frame(10_000)),
  'many small messages': Array.from({ length: 200 }, () => frame(2)),
};

export const bodies: Attack[] = [
  {
    finding: 'bodies',
    title:
      'compressed and large bodies of visitors who are not signed in, to main apps and to an app, through the Supervisor and not',
    run: refuses,
  },
  {
    finding: 'bodies',
    title: 'the same of somebody who is signed in, which are read',
    async run(stage) {
      const found: string[] = [];
      const headers = { ...bearer(stage.tokens.target), 'X-App': 'target' };
      for (const place of placesOf(stage).slice(1, 3)) {
        for (const body of [REFUSED.gzip, REFUSED['more than 64 kB']]) {
          const status = await send({ ...place, headers }, body);
          if (status === 413 || status === 415) found.push(`${status} by ${place.name}`);
        }
      }
      return found;
    },
  },
  {
    finding: 'bodies',
    title: 'large and many messages on a WebSocket, to main apps and to an app, through the Supervisor and not',
    async run(stage) {
      const found: string[] = [];
      for (const { name, port, headers } of placesOf(stage)) {
        for (const [what, sent] of Object.entries(TALKS)) {
          if (!(await closes(port, headers['X-App'] ?? 'main', sent))) found.push(`${name} reads ${what}`);
        }
      }
      return found;
    },
  },
];
