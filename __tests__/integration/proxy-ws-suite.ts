import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, expect } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  bare,
  deadPort,
  type Front,
  type FrontOptions,
  type Listening,
  rawWorker,
  until,
  watchProcess,
  worker,
} from './proxy-harness';
import type { Lane } from './proxy-lanes';

export const proxyWs = ({ front, it, isDoor, ofModule }: Lane): void => {
  /** peers-and-demand 3.3: the matrix that http-proxy alone fails, and http-proxy-3 with it. */

  const CLIENTS = 12;
  const faults = watchProcess();
  const running: Array<{ close(): unknown }> = [];
  const keep = <T extends { close(): unknown }>(one: T): T => {
    running.push(one);
    return one;
  };

  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.close();
    expect(faults).toEqual([]);
  });

  const UPGRADE = (path = '/ws?__appName=app1', more = '') =>
    `GET ${path} HTTP/1.1\r\nHost: apps.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;
  const ACCEPT = createHash('sha1')
    .update('dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
    .digest('base64');
  const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;
  const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nno';

  /** What a worker does once it has read an upgrade request. */
  const WORKERS: Record<string, (socket: Socket) => void> = {
    'answers 404 at once': (socket) => socket.write(NOT_FOUND),
    'answers 404 late': (socket) => void setTimeout(() => socket.destroyed || socket.write(NOT_FOUND), 60),
    'never answers': () => {},
    resets: (socket) => socket.resetAndDestroy(),
    'ends without a word': (socket) => socket.end(),
    'breaks off in the middle of its head': (socket) => {
      socket.write('HTTP/1.1 101 Switching Proto');
      socket.resetAndDestroy();
    },
    'answers nonsense': (socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'),
    'answers 404 with a body that never ends': (socket) =>
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 99999\r\n\r\nno'),
    'accepts, then resets': (socket) => {
      socket.write(SWITCH);
      setTimeout(() => socket.resetAndDestroy(), 20);
    },
    'accepts, then says goodbye and keeps its side': (socket) => {
      socket.write(SWITCH);
      setTimeout(() => socket.end(), 20);
    },
    'accepts and stays': (socket) => socket.write(SWITCH),
  };

  /** What a visitor does; each ends with the visitor gone, by itself or because it was sent away. */
  const VISITORS: Record<string, (port: number, seen: () => number) => Promise<unknown>> = {
    'resets in the middle of its request': async (port) => {
      const socket = await bare(port);
      socket.write(UPGRADE().slice(0, 60));
      await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    },
    'resets right behind its request': async (port) => {
      const socket = await bare(port);
      await new Promise<void>((resolve) => socket.write(UPGRADE(), () => resolve()));
      socket.resetAndDestroy();
    },
    'resets once the worker has its request': async (port, seen) => {
      const before = seen();
      const socket = await bare(port);
      socket.write(UPGRADE());
      await until('the worker sees the request', () => seen() > before || isOver(socket));
      socket.resetAndDestroy();
    },
    'resets once it is open or refused': async (port) => {
      const socket = await bare(port);
      socket.write(UPGRADE());
      await until('an answer', () => socket.text().includes('\r\n\r\n') || socket.ended());
      socket.resetAndDestroy();
    },
    'says goodbye right behind its request': async (port) => {
      const socket = await bare(port);
      socket.end(UPGRADE());
      await until('the end', () => socket.ended());
      socket.destroy();
    },
    'is sent away, or leaves after its answer': async (port) => {
      const socket = await bare(port);
      socket.write(UPGRADE());
      await until('an answer or the end', () => socket.text().includes('\r\n\r\n') || socket.ended());
      socket.end();
      await until('the end', () => socket.ended());
      socket.destroy();
    },
  };

  async function matrixWorker(behaviour: (socket: Socket) => void): Promise<Listening & { seen: () => number }> {
    let seen = 0;
    const listening = await rawWorker((socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        const before = text.includes('\r\n\r\n');
        text += chunk;
        if (before || !text.includes('\r\n\r\n')) return;
        seen++;
        behaviour(socket);
      });
      socket.on('end', () => socket.end());
    });
    return { ...listening, seen: () => seen };
  }

  async function nothingLeft(door: Front, target?: Listening): Promise<void> {
    await until('no socket of a visitor is left', async () => (await door.visitors()) === 0);
    await until('no WebSocket is open', async () => (await door.webSockets()) === 0);
    if (!target) return;
    // After a refusal HAProxy keeps the connection for another request.
    if (isDoor) await door.letGo();
    await until('no socket of a worker is left', () => target.sockets.size === 0);
  }

  describe('WebSocket failure matrix (v2.1.7)', () => {
    for (const [what, behaviour] of Object.entries(WORKERS)) {
      it.each(Object.entries(VISITORS))(`the worker ${what}; the visitor %s`, async (_name, visit) => {
        const target = keep(await matrixWorker(behaviour));
        const door = keep(await front({ environments: { a: target.port }, limits: { handshake: 300 } }));
        await Promise.all(Array.from({ length: CLIENTS }, () => visit(door.port, target.seen)));
        await nothingLeft(door, target);
      });
    }

    it.each(Object.entries(VISITORS))('nobody listens; the visitor %s', async (_name, visit) => {
      const door = keep(await front({ environments: { a: await deadPort() }, limits: { quarantine: 0 } }));
      await Promise.all(Array.from({ length: CLIENTS }, () => visit(door.port, () => -1)));
      await nothingLeft(door);
    });
  });

  /** Of an answer after which HAProxy keeps the connection: all of it is here. */
  const isOver = (socket: { text(): string; ended(): boolean }): boolean => {
    const [head, body = ''] = socket.text().split('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    return socket.ended() || (isDoor && length !== undefined && body.length >= Number(length));
  };

  describe('what a visitor is told', () => {
    const refusal = async (options: FrontOptions, request = UPGRADE()) => {
      const door = keep(await front(options));
      const socket = await bare(door.port);
      socket.write(request);
      await until('the end', () => isOver(socket));
      socket.destroy();
      await nothingLeft(door);
      const [head, body] = socket.text().split('\r\n\r\n');
      return {
        line: head.split('\r\n')[0].replace('Time-out', 'Timeout'),
        head,
        code: body?.includes('{')
          ? JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)).error.code
          : undefined,
        door,
      };
    };

    it('refused, and the target is left from then on', async () => {
      const { line, code, head, door } = await refusal({ environments: { a: await deadPort() } });
      expect([line, code]).toEqual(
        isDoor
          ? ['HTTP/1.1 503 Service Unavailable', 'APP_ENVIRONMENT_UNAVAILABLE']
          : ['HTTP/1.1 502 Bad Gateway', 'UPSTREAM_REFUSED'],
      );
      expect(head).toMatch(/Retry-After: 5/i);
      if (isDoor) return;
      ofModule(() => expect(door.unreachable).toEqual(['a']));
      const second = await bare(door.port);
      second.write(UPGRADE());
      await until('the end', () => second.ended());
      expect(second.text()).toContain('APP_ENVIRONMENT_UNAVAILABLE');
      second.destroy();
    });

    it('and is let go, also when it does not leave', async () => {
      const door = keep(await front({ environments: { a: await deadPort() } }));
      const socket = await bare(door.port, true);
      socket.write(UPGRADE('/ws?__appName=nosuch'));
      await until('the answer', () => socket.ended());
      await nothingLeft(door);
      socket.destroy();
    });

    it('too late', async () => {
      const target = keep(await matrixWorker(WORKERS['never answers']));
      const { line, code } = await refusal({ environments: { a: target.port }, limits: { handshake: 60 } });
      expect([line, code]).toEqual(['HTTP/1.1 504 Gateway Timeout', 'UPSTREAM_TIMEOUT']);
    });

    it('the worker’s own refusal, whole and on a connection that ends', async () => {
      const target = keep(
        await worker((_req, res) => {
          res.writeHead(403, { 'X-Why': 'because' });
          res.write('not ');
          res.end('you');
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      const socket = await bare(door.port);
      socket.write(UPGRADE());
      await until('the end', () => (isDoor ? socket.text().includes('you\r\n') : socket.ended()));
      expect(socket.text()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nX-Why: because\r\n/i);
      if (isDoor) return void socket.destroy();
      expect(socket.text()).toMatch(/X-App-Environment: a\r\nConnection: close\r\n\r\nnot you$/);
      expect(socket.text()).not.toMatch(/chunked/i);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it.each<[string, Partial<FrontOptions>, string, string, string]>([
      ['unknown app', {}, UPGRADE('/ws?__appName=nosuch'), '404 Not Found', 'APP_NOT_FOUND'],
      ['hostile app', {}, UPGRADE('/ws?__appName=../x'), '404 Not Found', 'APP_NOT_FOUND'],
      ['stopped app', { app: { desired: 'stopped' } }, UPGRADE(), '503 Service Unavailable', 'APP_STOPPED'],
      [
        'no environment',
        { app: { environments: [] } },
        UPGRADE(),
        '503 Service Unavailable',
        'APP_ENVIRONMENT_UNAVAILABLE',
      ],
      ['a body', {}, UPGRADE('/ws', 'Content-Length: 5\r\n'), '400 Bad Request', 'BAD_REQUEST'],
      ['a chunked body', {}, UPGRADE('/ws', 'Transfer-Encoding: chunked\r\n'), '400 Bad Request', 'BAD_REQUEST'],
      ['another protocol', {}, UPGRADE().replace('websocket', 'h2c'), '400 Bad Request', 'BAD_REQUEST'],
      ['another method', {}, UPGRADE().replace('GET', 'POST'), '400 Bad Request', 'BAD_REQUEST'],
      ['a loop', {}, UPGRADE('/ws', 'X-App-Supervisor-Via: a,b,c,d,e,f\r\n'), '508 Loop Detected', 'APP_PROXY_LOOP'],
      [
        'a fault of ours',
        {
          appNameOf: () => {
            throw new Error('no');
          },
        },
        UPGRADE(),
        '500 Internal Server Error',
        'APP_PROXY_FAILED',
      ],
    ])('%s', async (_what, options, request, line, code) => {
      const refused = await refusal({ environments: { a: await deadPort() }, ...options }, request);
      expect([refused.line, refused.code]).toEqual([`HTTP/1.1 ${line}`, code]);
    });

    it('a head too large: 431, and nothing is left', async () => {
      const { head, door } = await refusal(
        { environments: { a: await deadPort() } },
        UPGRADE('/ws', `X-Bomb: ${'x'.repeat(100_000)}\r\n`),
      );
      expect(head).toMatch(isDoor ? / 400 / : / 431 /);
      await nothingLeft(door);
    });

    it('before the first load: not yet, never unknown (#9365)', async () => {
      const { line, code } = await refusal({ environments: {}, loaded: false });
      expect([line, code]).toEqual(['HTTP/1.1 503 Service Unavailable', 'APP_PREPARING']);
    });

    it('other paths and main are the core’s: they never reach a worker', async () => {
      const target = keep(await matrixWorker(WORKERS['accepts and stays']));
      const door = keep(await front({ environments: { a: target.port } }));
      for (const path of ['/', '/ws/', '/wsx?__appName=app1', '/api/ws', '/ws?__appName=main', '//ws']) {
        const socket = await bare(door.port);
        socket.write(UPGRADE(path));
        await until('the end', () => isOver(socket) || / 50[23] /.test(socket.text()));
        // The harness plays the core, and closes what it gets.
        if (!isDoor) expect(socket.text()).toBe('');
        socket.destroy();
      }
      expect(target.seen()).toBe(0);
      await nothingLeft(door, target);
    });
  });

  describe('an open WebSocket', () => {
    async function echo() {
      const requests: Array<Record<string, unknown>> = [];
      const sockets = new WebSocketServer({ noServer: true });
      sockets.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
      const target = await worker((_req, res) => res.end(), {
        upgrade(req, socket, head) {
          requests.push({ url: req.url, ...req.headers });
          sockets.handleUpgrade(req, socket, head, (ws) => sockets.emit('connection', ws, req));
        },
      });
      return { ...target, requests };
    }

    it('carries messages both ways, with the headers a worker needs, and closes on both sides', async () => {
      const target = keep(await echo());
      const door = keep(await front({ environments: { a: target.port } }));
      const ws = new WebSocket(`ws://127.0.0.1:${door.port}/ws?__appName=app1&x=%2F`, {
        headers: { Host: 'apps.test', 'X-Forwarded-For': '198.51.100.1' },
      });
      const environment = new Promise((resolve) =>
        ws.on('upgrade', (res) => resolve(res.headers['x-app-environment'])),
      );
      await new Promise((resolve) => ws.once('open', resolve));
      expect(await environment).toBe('a');
      expect(target.requests[0]).toMatchObject({
        url: '/ws?__appName=app1&x=%2F',
        host: 'apps.test',
        'x-app': 'app1',
        'x-forwarded-for': '198.51.100.1, 127.0.0.1',
        'x-forwarded-host': 'apps.test',
      });
      expect(await door.webSockets()).toBe(1);
      ofModule(() => expect(door.proxy.stats()).toMatchObject([{ environment: 'a', webSockets: 1 }]));
      const big = Buffer.alloc(3_000_000, 7);
      const back = new Promise<Buffer>((resolve) => ws.once('message', (data) => resolve(data as Buffer)));
      ws.send(big);
      expect(big.equals(await back)).toBe(true);
      const code = new Promise((resolve) => ws.once('close', resolve));
      ws.close(4001, 'bye');
      expect(await code).toBe(4001);
      await nothingLeft(door, target);
      ofModule(() => {
        expect(door.results).toEqual(['a 1xx']);
        expect(door.proxy.stats()).toMatchObject([{ environment: 'a', webSockets: 0 }]);
      });
    });

    it('goes where the cookie pins it, and where it runs when that is gone', async () => {
      const a = keep(await echo());
      const b = keep(await echo());
      const door = keep(await front({ environments: { a: a.port, b: b.port } }));
      const open = async () => {
        const ws = new WebSocket(`ws://127.0.0.1:${door.port}/ws`, { headers: { Cookie: 'app_environment=app1.b' } });
        ws.on('error', () => {});
        const name = await new Promise((resolve) => {
          ws.on('upgrade', (res) => resolve(res.headers['x-app-environment']));
          ws.on('unexpected-response', (_req, res) => resolve(res.statusCode));
        });
        ws.terminate();
        return name;
      };
      expect(await open()).toBe('b');
      await b.close();
      if (isDoor) return expect(await open()).toBe('a');
      expect(await open()).toBe(502);
      expect(await open()).toBe('a');
      door.clock.ahead += 5_001;
      expect(await open()).toBe(502);
      await nothingLeft(door, a);
    });

    it('ends when its app has left the environment, and is opened again where the app is', async () => {
      const a = keep(await echo());
      const b = keep(await echo());
      const door = keep(await front({ environments: { a: a.port, b: b.port } }));
      const open = () => {
        const ws = new WebSocket(`ws://127.0.0.1:${door.port}/ws`);
        ws.on('error', () => {});
        const environment = new Promise((resolve) => {
          ws.on('upgrade', (res) => resolve(res.headers['x-app-environment']));
        });
        return { ws, environment, closed: new Promise((resolve) => ws.once('close', resolve)) };
      };
      const app = door.table.app('app1')!;
      const place = (environments: string[], more = {}) =>
        door.table.changeApps(new Map([['app1', { ...app, environments, ...more }]]));
      const before = open();
      expect(await before.environment).toBe('a');
      place(['b', 'a']);
      place(['a'], { desired: 'stopped' });
      door.table.changeApps(new Map([['app1', null]]));
      place(['a'], { desired: 'running' });
      expect(before.ws.readyState).toBe(WebSocket.OPEN);
      place(['b']);
      await before.closed;
      const after = open();
      expect(await after.environment).toBe('b');
      after.ws.terminate();
      await nothingLeft(door, a);
      await nothingLeft(door, b);
    });

    it('ends on both sides when the proxy is closed', async () => {
      const target = keep(await echo());
      const door = keep(await front({ environments: { a: target.port } }));
      const ws = new WebSocket(`ws://127.0.0.1:${door.port}/ws`);
      ws.on('error', () => {});
      await new Promise((resolve) => ws.once('open', resolve));
      door.proxy.close();
      await nothingLeft(door, target);
    });

    it('a peer that takes nothing is given up, on either side; a silent one is not', async () => {
      const flood = Buffer.alloc(1 << 20, 1);
      const target = keep(
        await matrixWorker((socket) => {
          socket.write(SWITCH);
          if (target.seen() === 1) for (let i = 0; i < 64; i++) socket.write(flood);
          if (target.seen() === 2) socket.pause();
        }),
      );
      const door = keep(await front({ environments: { a: target.port }, limits: { idle: 1_000 } }));
      const open = async () => {
        const socket = await bare(door.port);
        socket.write(UPGRADE());
        await until('it is open', () => socket.text().includes('101'));
        return socket;
      };
      const unread = await open();
      unread.pause();
      const flooding = await open();
      for (let i = 0; i < 64; i++) flooding.write(flood);
      const silent = await open();
      await until('both stuck ones are gone', async () => (await door.webSockets()) === 1);
      expect(silent.ended()).toBe(false);
      for (const socket of [unread, flooding, silent]) socket.destroy();
      for (const socket of target.sockets) socket.resume(); // else it would not see that it was given up
      await nothingLeft(door, target);
    });

    it.each([
      ['before its answer', ''],
      ['once it is open', SWITCH],
    ])('a visitor that resets %s takes the worker’s side along at once', async (_when, reply) => {
      let asked = false;
      const target = keep(
        await rawWorker((socket) => {
          socket.once('data', () => {
            asked = true;
            if (reply) socket.write(reply);
          });
          socket.resume(); // and never ends by itself
        }),
      );
      const door = keep(await front({ environments: { a: target.port }, limits: { linger: 100 } }));
      const visitor = await bare(door.port);
      visitor.write(UPGRADE());
      await until('it has got so far', () => asked && (!reply || visitor.text().includes('101')));
      visitor.resetAndDestroy();
      let gone = false;
      for (const socket of target.sockets) socket.on('end', () => (gone = true)).on('close', () => (gone = true));
      await until('the worker is told', () => gone);
      for (const socket of target.sockets) socket.end();
      await nothingLeft(door, target);
    });

    it.each<[string, (target: Listening, visitor: Socket) => void]>([
      [
        'worker',
        (target) => {
          for (const socket of target.sockets) socket.end();
        },
      ],
      ['visitor', (_target, visitor) => visitor.end()],
    ])('a goodbye of the %s that nobody answers ends both sides', async (_who, leave) => {
      const target = keep(await rawWorker((socket) => socket.once('data', () => socket.write(SWITCH)).resume()));
      const door = keep(await front({ environments: { a: target.port } }));
      const visitor = await bare(door.port, true);
      visitor.write(UPGRADE());
      await until('it is open', () => visitor.text().includes('101'));
      leave(target, visitor);
      await until('nothing is open', async () => (await door.webSockets()) === 0);
      await until('the front has let go', async () => (await door.visitors()) === 0);
      visitor.destroy();
      for (const socket of target.sockets) socket.end();
      await nothingLeft(door, target);
    });
  });
};
