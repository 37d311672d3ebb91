import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect } from 'vitest';
import {
  ask,
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

export const proxyWeb = ({ front, it, isDoor, ofModule }: Lane): void => {
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

  /** One worker in environment `a`, and the door to it. */
  async function simple(
    handler: http.RequestListener,
    options: Partial<FrontOptions> = {},
  ): Promise<{ target: Listening; door: Front }> {
    const target = keep(await worker(handler));
    return { target, door: keep(await front({ environments: { a: target.port }, ...options })) };
  }

  /** Nothing under way; of the worker's connections only idle ones are kept. */
  async function nothingLeft(door: Front, target?: Listening): Promise<void> {
    await until('no visitor is left', async () => (await door.visitors()) === 0);
    await until('nothing is under way', async () => (await door.underWay()) === 0);
    if (target) {
      await door.letGo();
      await until('no connection is left', () => target.sockets.size === 0);
    }
  }

  describe('an upload', () => {
    /** As NocoBase answers: the file's address leads to where it lies. */
    async function withUploads(status: number, location = '/storage/uploads/a%20b.png?__appName=app1') {
      const asked: Array<[url: string | undefined, app: unknown, range: unknown]> = [];
      const { door } = await simple((req, res) => {
        asked.push([req.url, req.headers['x-app'], req.headers.range]);
        if (!req.url?.startsWith('/files/')) return res.end('bytes');
        res.writeHead(status, { Location: location, 'Cache-Control': 'private, no-store' }).end('moved');
      });
      return { door, asked };
    }

    it.each([301, 302, 303, 307, 308])(
      'that a %i leads to is read at an address that reaches this proxy',
      async (status) => {
        const { door, asked } = await withUploads(status);
        const first = await ask(door.port, '/files/app1/main/attachments/1.png');
        const location = '/files/app1/~uploads/a%20b.png?__appName=app1';
        expect(first).toMatchObject({ status, headers: { location, 'cache-control': 'private, no-store' } });
        const second = await ask(door.port, location, { headers: { Range: 'bytes=0-2' } });
        expect(second).toMatchObject({ status: 200, body: 'bytes' });
        expect(asked[1]).toEqual(['/storage/uploads/a%20b.png?__appName=app1', 'app1', 'bytes=0-2']);
      },
    );

    it('on the visitor’s own host is one; on another host, or in what is no redirect, is none', async () => {
      const headers = { Host: 'shop.test', 'X-Forwarded-Host': 'apps.test' };
      const locationOf = async (status: number, location: string) => {
        const { door } = await withUploads(status, location);
        return (await ask(door.port, '/files/app1/main/attachments/1.png', { headers })).headers.location;
      };
      expect(await locationOf(302, 'https://apps.test/storage/uploads/a')).toBe('/files/app1/~uploads/a');
      for (const [status, location] of [
        [302, 'https://shop.test/storage/uploads/a'],
        [201, '/storage/uploads/a'],
      ] as const)
        expect(await locationOf(status, location)).toBe(location);
    });
  });

  describe('what passes', () => {
    it('path, host, method, headers and body, to the letter (#9383)', async () => {
      const seen: http.IncomingMessage[] = [];
      const { door, target } = await simple((req, res) => {
        seen.push(req);
        res.writeHead(201, 'Made', [
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
          ['X-Case', 'Kept'],
        ] as never);
        req.pipe(res);
      });
      const path = '/api//users:list/?filter=%7B%22a%22%3A1%7D&x=//y?z';
      const reply = await ask(door.port, path, {
        method: 'PATCH',
        headers: { Host: 'apps.test:8080', 'X-App': 'app1', 'X-Twice': ['1', '2'], Authorization: 'Bearer t' },
        body: 'body',
      });
      expect(seen[0].url).toBe(path);
      expect(seen[0].method).toBe('PATCH');
      expect(seen[0].headers).toMatchObject({
        host: 'apps.test:8080',
        'x-app': 'app1',
        'x-twice': '1, 2',
        authorization: 'Bearer t',
        // What the door leaves passes both.
        'x-forwarded-for': isDoor ? '127.0.0.1, 127.0.0.1' : '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'apps.test:8080',
      });
      expect(reply).toMatchObject({ status: 201, body: 'body' });
      expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
      expect(reply.headers['x-app-environment']).toBe('a');
      expect(reply.rawHeaders).toContain(isDoor ? 'x-case' : 'X-Case');
      await nothingLeft(door, target);
    });

    it('every kind of answer without a body', async () => {
      const { door, target } = await simple((req, res) => {
        res.statusCode = Number(req.url?.slice(1)) || 200;
        if (req.method === 'HEAD') res.setHeader('Content-Length', 1234);
        res.end();
      });
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      expect(await ask(door.port, '/204', { agent })).toMatchObject({ status: 204, body: '' });
      expect(await ask(door.port, '/304', { agent })).toMatchObject({ status: 304, body: '' });
      const head = await ask(door.port, '/200', { method: 'HEAD', agent });
      expect(head).toMatchObject({ status: 200, body: '' });
      expect(head.headers['content-length']).toBe('1234');
      expect(await ask(door.port, '/200', { method: 'POST', agent })).toMatchObject({ status: 200 });
      expect(await ask(door.port, '/200', { method: 'DELETE', agent })).toMatchObject({ status: 200 });
      agent.destroy();
      await nothingLeft(door, target);
    });

    it('many requests over one kept connection', async () => {
      let connections = 0;
      const { door, target } = await simple((_req, res) => res.end('ok'));
      const count = new Set<Socket>();
      for (let i = 0; i < 20; i++) {
        await ask(door.port, '/api/x:get');
        for (const socket of target.sockets) count.add(socket);
      }
      connections = count.size;
      expect(connections).toBe(1);
      await nothingLeft(door, target);
    });

    it('large bodies both ways, streamed', async () => {
      const up = randomBytes(8_000_000);
      const { door, target } = await simple((req, res) => {
        const hash = createHash('sha256');
        let first = true;
        req.on('data', (chunk) => {
          hash.update(chunk);
          if (first) res.writeHead(200, { 'X-First': 'before the end' });
          first = false;
        });
        req.on('end', () => {
          res.write(hash.digest('hex'));
          res.end(up);
        });
      });
      const reply = await ask(door.port, '/api/files:create', { method: 'POST', body: up });
      expect(reply.body.slice(0, 64)).toBe(createHash('sha256').update(up).digest('hex'));
      const again = await ask(door.port, '/api/files:create', {
        method: 'POST',
        headers: { 'Transfer-Encoding': 'chunked' },
        body: up,
      });
      expect(again.body.slice(0, 64)).toBe(createHash('sha256').update(up).digest('hex'));
      await nothingLeft(door, target);
    });

    it('a range', async () => {
      const { door, target } = await simple((req, res) => {
        res.writeHead(206, { 'Content-Range': `bytes 1-3/10 for ${req.headers.range}`, 'Content-Length': 3 });
        res.end('bcd');
      });
      const reply = await ask(door.port, '/storage/uploads/x', { headers: { Range: 'bytes=1-3' } });
      expect(reply).toMatchObject({ status: 206, body: 'bcd' });
      expect(reply.headers['content-range']).toBe('bytes 1-3/10 for bytes=1-3');
      await nothingLeft(door, target);
    });

    it('trailers both ways', async () => {
      const { door, target } = await simple((req, res) => {
        req.resume();
        req.on('end', () => {
          res.writeHead(200, { Trailer: 'X-Sum' });
          res.write('x');
          res.addTrailers({ 'X-Sum': `${req.trailers['x-up']} back` });
          res.end();
        });
      });
      const reply = await new Promise<string | undefined>((resolve, reject) => {
        const req = http.request(
          { port: door.port, method: 'POST', path: '/api/x:do', agent: false, headers: { Trailer: 'X-Up' } },
          (res) => {
            res.resume();
            res.on('end', () => resolve(res.trailers['x-sum']));
          },
        );
        req.on('error', reject);
        req.write('body');
        req.addTrailers({ 'X-Up': 'up' });
        req.end();
      });
      expect(reply).toBe('up back');
      await nothingLeft(door, target);
    });

    it('an announced trailer beside a length, which Node refuses to write', async () => {
      const target = keep(
        await rawWorker((socket) => {
          socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nTrailer: X-T\r\nContent-Length: 2\r\n\r\nok'));
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      expect(await ask(door.port, '/api/x:get')).toMatchObject({ status: 200, body: 'ok' });
    });

    it('a body that was announced by Expect: 100-continue', async () => {
      const { door, target } = await simple((req, res) => {
        res.setHeader('X-Expect', String(req.headers.expect));
        req.pipe(res);
      });
      const socket = await bare(door.port);
      socket.write('POST /api/x:do HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
      await until('100', () => socket.text().startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
      socket.write('body');
      await until('the answer', () => socket.text().includes('HTTP/1.1 200') && socket.text().includes('body'));
      expect(socket.text()).toMatch(/X-Expect: undefined/i);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('HTTP/1.0, without a host', async () => {
      const { door, target } = await simple((req, res) => {
        res.write('host=');
        res.end(req.headers.host);
      });
      const socket = await bare(door.port);
      socket.write('GET /api/x:get HTTP/1.0\r\n\r\n');
      await until('the end', () => socket.ended());
      expect(socket.text()).toMatch(new RegExp(`\\r\\n\\r\\nhost=127.0.0.1:${target.port}$`));
      expect(socket.text()).not.toMatch(/transfer-encoding/i);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('absolute request targets as the path they mean', async () => {
      const { door } = await simple((req, res) => res.end(req.url));
      const socket = await bare(door.port);
      socket.write('GET http://h/api/x:get?a=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
      await until('the end', () => socket.ended());
      expect(socket.text()).toContain('/api/x:get?a=1');
      expect(socket.text()).not.toContain('http://h/api');
      socket.destroy();
    });

    it('an event stream: its head at once, each event at once, and its end to the worker', async () => {
      let stream: http.ServerResponse | null = null;
      let gone = false;
      const { door, target } = await simple((_req, res) => {
        stream = res;
        res.writeHead(200, { 'Content-Type': 'text/event-stream' });
        res.flushHeaders();
        res.on('close', () => {
          gone = true;
        });
      });
      const socket = await bare(door.port);
      socket.write('GET /api/x:stream HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the head', () => socket.text().includes('text/event-stream\r\n'));
      for (const event of ['one', 'two']) {
        stream!.write(`data: ${event}\n\n`);
        await until(event, () => socket.text().includes(`data: ${event}`));
      }
      socket.destroy();
      await until('the worker knows', () => gone);
      await nothingLeft(door, target);
    });

    it('a path in the worker’s address goes before the request’s', async () => {
      const target = keep(await worker((req, res) => res.end(req.url)));
      const door = keep(await front({ environments: { a: `http://localhost:${target.port}/inner/` } }));
      expect((await ask(door.port, '/api/x:get?y')).body).toBe('/inner/api/x:get?y');
    });

    it('headers that somebody has set on the answer before', async () => {
      const target = keep(
        await worker((_req, res) => {
          res.setHeader('Set-Cookie', ['a=1', 'b=2']);
          res.setHeader('X-Both', 'worker');
          res.end('ok');
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      const before = keep(
        await worker((req, res) => {
          res.setHeader('X-Request-Id', 'r');
          res.setHeader('X-Both', 'front');
          void door.proxy.web('app1', req, res);
        }),
      );
      const { headers } = await ask(before.port, '/x');
      expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-request-id': 'r', 'x-both': 'worker' });
    });
  });

  describe('who hears of an end', () => {
    it('a visitor leaves while the worker thinks: the worker is told', async () => {
      let arrived = false;
      let gone = false;
      const { door, target } = await simple((_req, res) => {
        arrived = true;
        res.on('close', () => {
          gone = true;
        });
      });
      const socket = await bare(door.port);
      socket.write('GET /api/x:think HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('it thinks', () => arrived);
      socket.resetAndDestroy();
      await until('the worker knows', () => gone);
      ofModule(() => expect(door.results).toEqual(['a ABORTED']));
      await nothingLeft(door, target);
    });

    it('a visitor leaves in the middle of an upload', async () => {
      let received = 0;
      let gone = false;
      const { door, target } = await simple((req) => {
        req.on('data', (chunk) => {
          received += chunk.length;
        });
        req.on('error', () => {});
        req.on('close', () => {
          gone = true;
        });
      });
      const socket = await bare(door.port);
      socket.write('POST /api/x:do HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n');
      socket.write(Buffer.alloc(50_000));
      await until('some has arrived', () => received > 0);
      socket.resetAndDestroy();
      await until('the worker knows', () => gone);
      await nothingLeft(door, target);
    });

    it('a visitor leaves in the middle of a download', async () => {
      let gone = false;
      const { door, target } = await simple((_req, res) => {
        res.on('close', () => {
          gone = true;
        });
        const more = () => {
          while (!res.destroyed && res.write(Buffer.alloc(65_536)));
        };
        res.on('drain', more);
        more();
      });
      const socket = await bare(door.port);
      socket.write('GET /api/x:export HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('some has arrived', () => socket.text().length > 200_000);
      socket.resetAndDestroy();
      await until('the worker knows', () => gone);
      await nothingLeft(door, target);
    });

    it('the worker dies in the middle of its answer: the visitor is told, not left waiting', async () => {
      const { door, target } = await simple((req, res) => {
        res.writeHead(200, req.url === '/length' ? { 'Content-Length': 100 } : {});
        res.write('half');
        setTimeout(() => req.socket.resetAndDestroy(), 10);
      });
      for (const path of ['/length', '/chunked']) await expect(ask(door.port, path)).rejects.toThrow(/aborted|hang up/);
      await nothingLeft(door, target);
    });

    it('a worker that answers before it has read the whole body', async () => {
      // One that reads the rest: whoever resets instead (as Node does) takes the answer back with it, proxy or not.
      const target = keep(
        await rawWorker((socket) => {
          socket.once('data', () =>
            socket.end('HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\ntoo'),
          );
          socket.resume();
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      const reply = await ask(door.port, '/api/x:upload', { method: 'POST', body: Buffer.alloc(20_000_000) });
      expect(reply).toMatchObject({ status: 413, body: 'too' });
      await nothingLeft(door, target);
    });

    it('a visitor that leaves an upload unfinished after its answer does not keep the worker’s connection', async () => {
      const target = keep(
        await rawWorker((socket) => {
          socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\ntoo'));
          socket.on('end', () => socket.end()).resume();
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      const socket = await bare(door.port);
      socket.write('POST /api/x:upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nbegin');
      await until('the answer', () => socket.text().includes('too'));
      await until('the worker is let go', () => target.sockets.size === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('a visitor that does not read: the worker is slowed down, and both are let go when it stays so', async () => {
      let written = 0;
      const { door, target } = await simple(
        (_req, res) => {
          const more = () => {
            let room = true;
            while (room && !res.destroyed && written < 200_000_000) {
              room = res.write(Buffer.alloc(65_536));
              written += 65_536;
            }
          };
          res.on('drain', more);
          more();
        },
        { limits: { idle: 1_500 } },
      );
      const socket = await bare(door.port);
      socket.pause();
      socket.write('GET /api/x:export HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the worker is let go', () => written > 0 && target.sockets.size === 0);
      expect(written).toBeLessThan(50_000_000);
      await until('so is the visitor', async () => (await door.visitors()) === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('silence ends a request, slowness does not', async () => {
      const { door, target } = await simple(
        (req, res) => {
          if (req.url === '/silent') return;
          let left = 8;
          const timer = setInterval(() => {
            res.write('.');
            if (--left) return;
            clearInterval(timer);
            res.end();
          }, 500);
        },
        // A machine that is starved must not make silence of slowness.
        { limits: { idle: 3_000 } },
      );
      expect(await ask(door.port, '/silent')).toMatchObject({ status: 504, code: 'UPSTREAM_TIMEOUT' });
      expect(await ask(door.port, '/slow')).toMatchObject({ status: 200, body: '........' });
      await nothingLeft(door, target);
    });
  });

  describe('half-open connections', () => {
    it('a visitor that says goodbye right behind its request has left, for Node’s server, and the worker is told', async () => {
      let told = false;
      const { door, target } = await simple((_req, res) => {
        res.on('close', () => {
          told = true;
        });
      });
      const socket = await bare(door.port, true);
      socket.end('GET /api/x:list HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the worker is told', () => told);
      await until('the front has let go', async () => (await door.visitors()) === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('a visitor that is gone without a word in the middle of its body is given up, and the worker told', async () => {
      let told = false;
      const { door, target } = await simple(
        (req) => {
          req.on('error', () => {});
          req.on('close', () => {
            told = true;
          });
          req.resume();
        },
        { limits: { idle: 1_500 } },
      );
      const socket = await bare(door.port, true);
      socket.write('POST /api/x:do HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf');
      await until('the worker is told', () => told);
      // Node waits for another request as long as it keeps connections (5 s).
      await until('the front has let go', async () => (await door.visitors()) === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('a worker that says goodbye before it has answered is a broken answer', async () => {
      const target = keep(await rawWorker((socket) => socket.once('data', () => socket.end()).resume()));
      const door = keep(await front({ environments: { a: target.port } }));
      expect(await ask(door.port, '/api/x:do', { method: 'POST' })).toMatchObject({
        status: 502,
        code: 'UPSTREAM_RESET',
      });
      await nothingLeft(door, target);
    });
  });

  describe('requests whose end is in doubt', () => {
    /** A worker that keeps to the letter what it received. */
    async function recorder() {
      const received: string[] = [];
      const listening = await rawWorker((socket) => {
        const index = received.push('') - 1;
        socket.on('data', (chunk) => {
          received[index] += chunk.toString('latin1');
          const text = received[index];
          const done = /^transfer-encoding: chunked/im.test(text)
            ? text.endsWith('0\r\n\r\n')
            : text.includes('\r\n\r\n');
          if (done) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        });
        socket.on('end', () => socket.end());
      });
      return { ...listening, received };
    }

    it('a chunked DELETE is one request, on a connection of its own', async () => {
      const target = keep(await recorder());
      const door = keep(await front({ environments: { a: target.port } }));
      const inner = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';
      for (const method of ['DELETE', 'OPTIONS', 'GET', 'POST']) {
        const socket = await bare(door.port);
        socket.write(
          `${method} /api/x:do HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
        );
        await until('an answer', () => socket.text().endsWith('ok'));
        socket.destroy();
      }
      expect(target.received).toHaveLength(4);
      for (const text of target.received) {
        expect(text).toMatch(/transfer-encoding: chunked\r\n/i);
        expect(text).toMatch(/connection: close\r\n/i);
        expect(text).not.toMatch(/content-length/i);
        expect(text.endsWith(`\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`)).toBe(true);
      }
      await nothingLeft(door, target);
    });

    it.each([
      ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody'],
      ['length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['chunked not last', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
      ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['a coding nobody knows', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
      ['a space before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
      ['a folded header', 'X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody'],
    ])('%s is refused, by Node or by us, and reaches no worker', async (_what, rest) => {
      for (const insecureHTTPParser of [false, true]) {
        const target = keep(await recorder());
        const door = keep(await front({ environments: { a: target.port }, server: { insecureHTTPParser } }));
        const socket = await bare(door.port);
        socket.write(`POST /api/x:do HTTP/1.1\r\nHost: h\r\n${rest}`);
        await until('an answer', () => socket.text().includes('\r\n\r\n') || socket.ended());
        if (!/ 200 /.test(socket.text())) {
          expect(socket.text()).toContain(' 400 ');
          expect(target.received.join('')).toBe('');
        } else {
          // A lenient parser makes sense of it: then the worker got exactly one plain request out of it.
          expect(insecureHTTPParser || isDoor).toBe(true);
          expect(target.received).toHaveLength(1);
          expect(target.received[0].match(/HTTP\/1\.1/g)).toHaveLength(1);
        }
        socket.destroy();
        await nothingLeft(door, target);
      }
    });

    it('a header too large is refused here', async () => {
      const target = keep(await recorder());
      const door = keep(await front({ environments: { a: target.port } }));
      const socket = await bare(door.port);
      socket.write(`GET / HTTP/1.1\r\nHost: h\r\nX-Bomb: ${'x'.repeat(100_000)}\r\n\r\n`);
      await until('an answer', () => socket.ended());
      expect(socket.text()).toMatch(isDoor ? / 400 / : / 431 /);
      expect(target.received).toEqual([]);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('a worker’s head that is too large is a broken answer, and costs the next request nothing', async () => {
      let bomb = true;
      const { door, target } = await simple((_req, res) => {
        if (bomb) res.setHeader('X-Bomb', 'x'.repeat(100_000));
        res.end('ok');
      });
      expect(await ask(door.port, '/api/x:do', { method: 'POST' })).toMatchObject({
        status: 502,
        code: 'UPSTREAM_RESET',
      });
      bomb = false;
      expect(await ask(door.port, '/api/x:do', { method: 'POST' })).toMatchObject({ status: 200, body: 'ok' });
      await nothingLeft(door, target);
    });

    it('a head with thousands of fields takes neither side down', async () => {
      const { door, target } = await simple((_req, res) => res.end('ok'));
      const socket = await bare(door.port);
      socket.write(`GET /api/x:list HTTP/1.1\r\nHost: h\r\n${'A: b\r\n'.repeat(5_000)}\r\n`);
      await until('an answer', () => socket.text().includes('\r\n\r\n') || socket.ended());
      expect(socket.text()).toMatch(isDoor ? / 400 / : / (200|431) /);
      socket.destroy();
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ body: 'ok' });
      await nothingLeft(door, target);
    });

    it('an answer that is none, or two, does not reach the next visitor', async () => {
      const words = [
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!',
        'nonsense\r\n\r\n',
        'HTTP/1.1 200 OK\r\nX-Half: ',
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      ];
      const target = keep(
        await rawWorker((socket) => {
          socket.on('data', (chunk) => {
            const index = /^POST \/(\d)/.exec(chunk.toString())?.[1];
            if (index === undefined) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext');
            else if (index === '3') socket.end(words[3]);
            else socket.write(words[Number(index)]);
          });
          socket.on('end', () => socket.end());
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      for (let i = 0; i < words.length; i++) {
        const reply = await ask(door.port, `/${i}`, { method: 'POST' });
        expect([reply.status, reply.body === 'ok' ? 'ok' : reply.code]).toEqual(
          i === 0 ? [200, 'ok'] : [502, 'UPSTREAM_RESET'],
        );
        expect(await ask(door.port, '/next')).toMatchObject({ status: 200, body: 'next' });
      }
      await nothingLeft(door, target);
    });
  });

  describe('when the worker does not answer', () => {
    const two = async (app: FrontOptions['app'] = {}) => {
      const dead = await deadPort();
      const b = keep(await worker((req, res) => res.end(`b ${req.url}`)));
      const door = keep(await front({ environments: { a: dead, b: b.port }, app }));
      return { dead, b, door };
    };

    it.each([
      ['GET', '/api/users:list?page=1'],
      ['GET', '/api/users:get/1'],
      ['GET', '/assets/x.js'],
      ['HEAD', '/static/plugins/x/y.js'],
    ])('%s %s is sent once more, to another environment', async (method, path) => {
      const { door, b } = await two();
      const reply = await ask(door.port, path, { method });
      expect(reply.status).toBe(200);
      expect(reply.headers['x-app-environment']).toBe('b');
      expect(reply.body).toBe(method === 'HEAD' ? '' : `b ${path}`);
      await nothingLeft(door, b);
    });

    it.each([
      ['POST', '/api/users:list', 'x'],
      ['POST', '/api/users:create', ''],
      ['GET', '/api/users:export', ''],
      ['GET', '/api/users', ''],
      ['GET', '/api/users:list', 'a body'],
      ['DELETE', '/assets/x.js', ''],
    ])('%s %s (%s) is not', async (method, path, body) => {
      const { door, b } = await two();
      const reply = await ask(door.port, path, { method, body, headers: { 'Content-Length': body.length } });
      // Whoever refuses the connection has been sent nothing. A body of GET is left to the Supervisor.
      if (isDoor && method !== 'GET') return expect(reply).toMatchObject({ status: 200, body: `b ${path}` });
      expect(reply).toMatchObject({ status: 502, code: 'UPSTREAM_REFUSED' });
      expect(reply.headers['retry-after']).toBe('5');
      expect(JSON.parse(reply.body).error).toMatchObject({ status: 502, maintaining: true });
      await nothingLeft(door, b);
    });

    it('leaves the target at the first refusal and tries it again after five seconds', async () => {
      const { door, dead, b } = await two();
      await ask(door.port, '/api/x:do', { method: 'POST' });
      expect((await ask(door.port, '/api/x:do', { method: 'POST' })).body).toBe('b /api/x:do');
      ofModule(() => expect(door.warnings.filter((line) => line.includes('cannot be reached'))).toHaveLength(1));
      ofModule(() => expect(door.unreachable).toEqual(['a']));
      const a = keep(await worker((_req, res) => res.end('a'), { port: dead }));
      door.clock.ahead += 4_900;
      expect((await ask(door.port, '/api/x:do', { method: 'POST' })).headers['x-app-environment']).toBe('b');
      door.clock.ahead += 200;
      expect((await ask(door.port, '/api/x:do', { method: 'POST' })).body).toBe('a');
      await nothingLeft(door, a);
      void b;
    });

    it('a visitor who asked for the dead one gets the other meanwhile', async () => {
      const { door } = await two();
      const headers = { Cookie: 'app_environment=app1.a' };
      expect((await ask(door.port, '/api/x:list', { headers })).headers['x-app-environment']).toBe('b');
      expect((await ask(door.port, '/api/x:do', { headers, method: 'POST' })).headers['x-app-environment']).toBe('b');
    });

    it('no other: refused at first, then "unavailable" without another try', async () => {
      const door = keep(await front({ environments: { a: await deadPort() } }));
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ status: 502, code: 'UPSTREAM_REFUSED' });
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ status: 503, code: 'APP_ENVIRONMENT_UNAVAILABLE' });
      door.clock.ahead += 5_001;
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ status: 502 });
    });

    it('takes a connection that is not established in time for none', async () => {
      // TCP is accepted by the system at once; what never comes is the TLS handshake.
      const mute = keep(await rawWorker((socket) => socket.on('end', () => socket.end()).resume()));
      const b = keep(await worker((_req, res) => res.end('b')));
      const door = keep(
        await front({ environments: { a: `https://127.0.0.1:${mute.port}`, b: b.port }, limits: { connect: 2_000 } }),
      );
      expect(await ask(door.port, '/api/x:do', { method: 'POST' })).toMatchObject({
        status: 504,
        code: 'UPSTREAM_TIMEOUT',
      });
      expect((await ask(door.port, '/api/x:do', { method: 'POST' })).body).toBe('b');
      await until('the mute connection is let go', () => mute.sockets.size === 0);
    });

    it('a kept connection that went stale costs a reading request nothing, and others an honest answer', async () => {
      let connections = 0;
      const target = keep(
        await rawWorker((socket) => {
          connections++;
          let requests = 0;
          socket.on('data', () => {
            if (requests++) socket.resetAndDestroy();
            else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          });
        }),
      );
      const door = keep(await front({ environments: { a: target.port } }));
      expect((await ask(door.port, '/api/x:list')).body).toBe('ok');
      expect((await ask(door.port, '/api/x:list')).body).toBe('ok');
      expect(connections).toBe(2);
      expect(await ask(door.port, '/api/x:do', { method: 'POST' })).toMatchObject({
        status: 502,
        code: 'UPSTREAM_RESET',
      });
      expect((await ask(door.port, '/api/x:do', { method: 'POST' })).body).toBe('ok');
    });

    it('at most twice in all', async () => {
      let requests = 0;
      const reset = (socket: Socket) => {
        socket.on('data', () => {
          requests++;
          socket.resetAndDestroy();
        });
      };
      const a = keep(await rawWorker(reset));
      const b = keep(await rawWorker(reset));
      const c = keep(await rawWorker(reset));
      const door = keep(await front({ environments: { a: a.port, b: b.port, c: c.port } }));
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ status: 502, code: 'UPSTREAM_RESET' });
      expect(requests).toBe(2);
      await nothingLeft(door, a);
    });

    it('a second environment whose address is none costs the request, not the process', async () => {
      const door = keep(await front({ environments: { a: await deadPort(), b: 'nonsense' } }));
      expect(await ask(door.port, '/api/x:list')).toMatchObject({ status: 500, code: 'APP_PROXY_FAILED' });
      await nothingLeft(door);
    });

    it('never once a byte of an answer has come', async () => {
      const a = keep(
        await rawWorker((socket) => {
          socket.on('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf');
            setTimeout(() => socket.resetAndDestroy(), 10);
          });
        }),
      );
      let asked = 0;
      const b = keep(await worker((_req, res) => res.end(String(++asked))));
      const door = keep(await front({ environments: { a: a.port, b: b.port } }));
      await expect(ask(door.port, '/api/x:list')).rejects.toThrow();
      expect(asked).toBe(0);
    });

    it('loses no reading request when one of two environments is killed under load', async () => {
      let answered = 0;
      const a = keep(
        await worker((_req, res) => void setTimeout(() => res.end('a').once('finish', () => answered++), 5)),
      );
      const b = keep(await worker((_req, res) => res.end('b')));
      const door = keep(await front({ environments: { a: a.port, b: b.port } }));
      const agent = new http.Agent({ keepAlive: true });
      const replies: Array<Promise<string>> = [];
      let closed = false;
      for (let left = 100; left; closed && left--) {
        replies.push(ask(door.port, '/api/x:list', { agent }).then(({ status, body }) => `${status} ${body}`));
        if (answered > 60 && !closed) {
          closed = true;
          void a.close();
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      const counted = new Map<string, number>();
      for (const reply of await Promise.all(replies)) counted.set(reply, (counted.get(reply) ?? 0) + 1);
      expect([...counted.keys()].sort()).toEqual(['200 a', '200 b']);
      expect(counted.get('200 a')).toBeGreaterThan(50);
      agent.destroy();
      await nothingLeft(door, b);
    });

    it('a body on its way to a worker that refuses it: the visitor gets to read why', async () => {
      const door = keep(await front({ environments: { a: await deadPort() } }));
      const socket = await bare(door.port);
      const size = 5_000_000;
      socket.write(`POST /api/x:upload HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size));
      // Of a refused connection, HAProxy knows only then that nobody is there.
      const code = isDoor ? 'APP_ENVIRONMENT_UNAVAILABLE' : 'UPSTREAM_REFUSED';
      await until('the answer', () => socket.text().includes(code));
      if (isDoor) return void socket.destroy();
      // The connection is still good: the next request on it is read.
      socket.write('GET /api/x:export HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
      await until('the next answer', () => socket.text().includes('APP_ENVIRONMENT_UNAVAILABLE'));
      socket.destroy();
      await nothingLeft(door);
    });
  });

  describe('what the proxy answers itself', () => {
    const nobody = async (options: Partial<FrontOptions> = {}) =>
      keep(await front({ environments: { a: await deadPort() }, ...options }));

    it.each<[string, Partial<FrontOptions>, string, number, string, string | undefined]>([
      ['unknown', {}, 'nosuch', 404, 'APP_NOT_FOUND', undefined],
      ['hostile', {}, '../../x', 404, 'APP_NOT_FOUND', undefined],
      ['prototype', {}, '__proto__', 404, 'APP_NOT_FOUND', undefined],
      ['stopped', { app: { desired: 'stopped' } }, 'app1', 503, 'APP_STOPPED', undefined],
      ['nowhere', { app: { environments: [] } }, 'app1', 503, 'APP_ENVIRONMENT_UNAVAILABLE', '5'],
      ['not read yet', { loaded: false }, 'app1', 503, 'APP_PREPARING', '3'],
      ['hostile, and nothing read yet', { loaded: false }, '../../x', 404, 'APP_NOT_FOUND', undefined],
      ['a bad address', { environments: { a: 'nonsense' } }, 'app1', 500, 'APP_PROXY_FAILED', undefined],
    ])('%s', async (_what, options, app, status, code, retryAfter) => {
      const door = await nobody(options);
      const reply = await ask(door.port, '/api/x:list', { headers: { 'X-App': app } });
      expect(reply).toMatchObject({ status, code });
      expect(reply.headers['retry-after']).toBe(retryAfter);
      expect(reply.headers['content-type']).toBe('application/json');
      expect(JSON.parse(reply.body)).toEqual({
        error: { status, code, maintaining: true, message: expect.any(String) },
      });
      await nothingLeft(door);
    });

    it('main is the core’s', async () => {
      const door = await nobody();
      expect((await ask(door.port, '/', { headers: { 'X-App': 'main' } })).body).toBe('main');
    });

    it('a browser on the app’s own domain gets a page', async () => {
      const door = await nobody({ app: { desired: 'stopped' } });
      const headers = { Accept: 'text/html,application/xhtml+xml', 'Accept-Language': 'zh-CN' };
      const page = await ask(door.port, '/admin/', { headers });
      expect(page).toMatchObject({ status: 503 });
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      expect(page.body).toContain('“app1”已停止');
      expect(await ask(door.port, '/api/x:list', { headers })).toMatchObject({ code: 'APP_STOPPED' });
    });

    it('a person who comes back from the main app waits for an app that starts, and reads what the app itself says', async () => {
      const headers = { Accept: 'text/html', 'Accept-Language': 'en' };
      const callback = '/api/__app/app1/appSso:callback?code=c';
      const starting = await simple((_, res) => {
        res.writeHead(503, { 'Content-Type': 'application/json' }).end('{"error":{"maintaining":true}}');
      });
      const page = await ask(starting.door.port, callback, { headers });
      expect([page.status, page.body]).toEqual([503, expect.stringContaining('is starting')]);
      const without = await simple((_, res) => {
        res.writeHead(503, { 'Content-Type': 'text/html; charset=utf-8' }).end('does not work right now');
      });
      expect(await ask(without.door.port, callback, { headers })).toMatchObject({
        status: 503,
        body: 'does not work right now',
      });
    });

    it('an app that is moved is waited for', async () => {
      const { port } = keep(await worker((_, res) => res.end('from the worker')));
      const statuses = { a: 'not_found' as const };
      const moving = keep(await front({ environments: { a: port }, statuses, app: { isMoving: () => true } }));
      for (const path of ['/admin/', '/api/x:list']) expect((await ask(moving.port, path)).code).toBe('APP_MOVING');
      const headers = { Host: 'shop.test', Accept: 'text/html', 'Accept-Language': 'en' };
      const shown = await ask(moving.port, '/admin/', { headers });
      expect([shown.status, shown.headers['retry-after'], shown.body]).toEqual([
        503,
        '3',
        expect.stringContaining('is being moved'),
      ]);
    });

    it('a loop of supervisors is seen at once', async () => {
      const first = await nobody();
      const second = keep(await front({ environments: { a: first.port } }));
      first.table.replaceEnvironments([
        { name: 'a', proxyUrl: `http://127.0.0.1:${second.port}`, serves: true, health: 'online' },
      ]);
      expect(await ask(first.port, '/api/x:list')).toMatchObject({ status: 508, code: 'APP_PROXY_LOOP' });
      await until('all over', () => [first, second].every((door) => door.proxy.stats()[0].inFlight === 0));
      ofModule(() => expect(first.results.length + second.results.length).toBe(3));
    });

    it('pins a visitor to an environment and goes on to the app', async () => {
      const door = await nobody({ trustedProxies: ['loopback'] });
      const visit = (query: string, headers = {}) => ask(door.port, `/api/__app/app1/__visit${query}`, { headers });
      const reply = await visit('?environment=a&to=%2Fv%2Fapps%2Fapp1%2Fadmin%2F%3Fx%3D1', {
        Cookie: 'x=y; app_environment=app2.z',
      });
      expect(reply).toMatchObject({ status: 302, body: '' });
      expect(reply.headers.location).toBe('/v/apps/app1/admin/?x=1');
      expect(reply.headers['set-cookie']).toEqual(['app_environment=app1.a~app2.z; Path=/; HttpOnly; SameSite=Lax']);
      expect((await visit('?environment=a&to=//evil.test/')).headers.location).toBe('/apps/app1/admin/');
      expect(await visit('?environment=nosuch')).toMatchObject({ status: 400, code: 'INVALID_INPUT' });
      const unpinned = await visit('', { Cookie: 'app_environment=app1.a', 'X-Forwarded-Proto': 'https' });
      expect(unpinned.headers['set-cookie']).toEqual([
        'app_environment=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0',
      ]);
    });

    it('believes nobody it was not told to', async () => {
      const target = keep(await worker((req, res) => res.end(JSON.stringify(req.headers))));
      const door = keep(await front({ environments: { a: target.port }, trustedProxies: ['10.0.0.0/8'] }));
      const reply = await ask(door.port, '/x', {
        headers: {
          Host: 'apps.test',
          'X-Forwarded-For': '1.2.3.4',
          'X-Forwarded-Host': 'evil.test',
          'X-Real-IP': '1.2.3.4',
        },
      });
      const seen = JSON.parse(reply.body);
      expect(seen).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'apps.test' });
      expect(seen).not.toHaveProperty('x-real-ip');
    });
  });

  it('a worker that left the table and came back at another address is found there', async () => {
    // Neither the worker itself closes them, nor their silence.
    const one = keep(await worker((_req, res) => res.end('one'), { keepAliveTimeout: 600_000 }));
    const two = keep(await worker((_req, res) => res.end('two')));
    const door = keep(await front({ environments: { a: one.port } }));
    expect((await ask(door.port, '/x')).body).toBe('one');
    expect(one.sockets.size).toBe(1);
    door.table.replaceEnvironments([
      { name: 'a', proxyUrl: `http://127.0.0.1:${two.port}`, serves: true, health: 'online' },
    ]);
    expect((await ask(door.port, '/x')).body).toBe('two');
    await until('its idle connections are closed', () => one.sockets.size === 0);
  });
};
