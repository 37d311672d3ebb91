import { createHmac } from 'node:crypto';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { BOUNDS } from '../../src/server/config/bounds';
import { createGuard, createNaming, recordBodies } from '../../src/server/proxy';
import { originsOf } from '../support/origins';
import {
  ask,
  bare,
  type Front,
  type Listening,
  MAIN_SECRET,
  rawWorker,
  until,
  watchProcess,
  worker,
} from './proxy-harness';
import type { Lane } from './proxy-lanes';

export const proxyRaw = ({ front, it, isDoor, ofModule }: Lane): void => {
  /** What only the bare bytes of both connections show: early answers, heads to the letter, interim answers, targets. */

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

  /** A worker that keeps each head to the letter, and answers with `reply` once the request's body has its last byte. */
  async function recorder(reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', last = '\r\n\r\n') {
    const received: string[] = [];
    const listening = await rawWorker((socket) => {
      const index = received.push('') - 1;
      socket.on('data', (chunk) => {
        received[index] += chunk.toString('latin1');
        if (received[index].endsWith(last)) socket.write(reply, 'latin1');
      });
      socket.on('end', () => socket.end());
    });
    return { ...listening, received };
  }

  async function simple(target: Listening, options: Partial<Parameters<typeof front>[0]> = {}): Promise<Front> {
    return keep(await front({ environments: { a: target.port }, ...options }));
  }

  async function nothingLeft(door: Front, target?: Listening): Promise<void> {
    await until('no visitor is left', async () => (await door.visitors()) === 0);
    await until('nothing is under way', async () => (await door.underWay()) === 0);
    if (!target) return;
    await door.letGo();
    await until('no connection is left', () => target.sockets.size === 0);
  }

  const TIMES = 40;
  const SIZE = 3_000_000;

  describe('an answer before the whole upload was read', () => {
    /** @returns how often each answer came */
    async function uploads(door: Front, headers: http.OutgoingHttpHeaders, agent?: http.Agent) {
      const counted: Record<string, number> = {};
      for (let i = 0; i < TIMES; i++) {
        const reply = await ask(door.port, '/api/x:upload', {
          method: 'POST',
          headers,
          body: Buffer.alloc(SIZE),
          agent,
        })
          .then(({ status, body }) => `${status} ${/UPSTREAM_\w+|APP_\w+/.exec(body)?.[0] ?? body}`)
          .catch((error) => String(error.code));
        counted[reply] = (counted[reply] ?? 0) + 1;
      }
      return counted;
    }

    const BODIES: Record<string, http.OutgoingHttpHeaders> = {
      'in chunks': { 'Transfer-Encoding': 'chunked' },
      'of a known length': { 'Content-Length': SIZE },
    };
    for (const [kind, framing] of Object.entries(BODIES)) {
      for (const connection of ['close', 'keep-alive']) {
        it(`of a worker that closes reaches the visitor: ${kind}, ${connection}`, async () => {
          // As NocoBase does when a file is too large: nothing is read, and Node resets the connection behind the answer.
          const target = keep(
            await worker((_req, res) => {
              res.writeHead(413, { 'Content-Type': 'text/plain', Connection: 'close' }).end('too');
            }),
          );
          const door = await simple(target);
          const agent = new http.Agent({ keepAlive: connection === 'keep-alive' });
          expect(await uploads(door, framing, agent)).toEqual({ '413 too': TIMES });
          agent.destroy();
          await nothingLeft(door, target);
        });
      }

      it(`of a worker that resets its connection, too: ${kind}`, async () => {
        const target = keep(
          await rawWorker((socket) => {
            socket.once('data', () =>
              socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\ntoo', () => socket.resetAndDestroy()),
            );
          }),
        );
        const door = await simple(target);
        expect(await uploads(door, framing)).toEqual({ '413 too': TIMES });
        await nothingLeft(door, target);
      });

      it(`of the proxy itself reaches a visitor who wants the connection closed: ${kind}`, async () => {
        const door = keep(await front({ environments: {}, app: { desired: 'stopped' } }));
        expect(await uploads(door, { ...framing, Connection: 'close' })).toEqual({ '503 APP_STOPPED': TIMES });
        await nothingLeft(door);
      });
    }

    /** More than the buffers of both ends of a connection take. */
    const LARGE = 20_000_000;

    /** As many programs do: the whole request is written before anything is read. */
    async function writesFirst(port: number): Promise<string> {
      const socket = net.connect({ port, host: '127.0.0.1' }).pause();
      const written = new Promise<string>((resolve) => {
        socket.once('error', (error) => resolve(String((error as NodeJS.ErrnoException).code)));
        socket.write(`POST /api/x:upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${LARGE}\r\n\r\n`);
        socket.write(Buffer.alloc(LARGE), (error) => error || resolve(''));
      });
      const fault = await written;
      if (fault) return fault;
      let text = '';
      for await (const chunk of socket) text += chunk;
      return `${text.slice(9, 12)} ${text.split('\r\n\r\n')[1]}`;
    }

    it('reaches a visitor who reads nothing before everything is written', async () => {
      const target = keep(
        await worker((_req, res) => res.writeHead(413, { Connection: 'close', 'Content-Length': 3 }).end('too')),
      );
      const door = await simple(target);
      const stopped = keep(await front({ environments: {}, app: { desired: 'stopped' } }));
      for (let i = 0; i < 5; i++) {
        expect(await writesFirst(door.port)).toBe('413 too');
        expect(await writesFirst(stopped.port)).toMatch(/^503 .*APP_STOPPED/);
      }
      await nothingLeft(door, target);
      await nothingLeft(stopped);
    });

    it('does not keep a visitor who neither sends the rest nor leaves', async () => {
      const door = keep(await front({ environments: {}, app: { desired: 'stopped' } }));
      const socket = await bare(door.port, true);
      socket.write(
        'POST /api/x:upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\nbegin',
      );
      await until('the answer and the goodbye', () => socket.text().includes('APP_STOPPED') && socket.ended());
      await nothingLeft(door);
      socket.destroy();
    });

    it('does not keep a visitor who leaves', async () => {
      const door = keep(await front({ environments: {}, app: { desired: 'stopped' }, limits: { linger: 600_000 } }));
      const socket = await bare(door.port);
      socket.write(
        'POST /api/x:upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 100000\r\n\r\nbegin',
      );
      await until('the answer and the goodbye', () => socket.text().includes('APP_STOPPED') && socket.ended());
      await nothingLeft(door);
    });

    it('is no reason to linger once the upload is complete', async () => {
      const door = keep(await front({ environments: {}, app: { desired: 'stopped' }, limits: { linger: 600_000 } }));
      const socket = await bare(door.port, true);
      socket.write('POST /api/x:upload HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\nbegin');
      await until('the answer', () => socket.text().includes('APP_STOPPED'));
      expect(await door.visitors()).toBe(1);
      socket.write('12345');
      await nothingLeft(door);
      socket.destroy();
    });
  });

  /** Of the key that these tests send: HAProxy asks for the right one. */
  const ACCEPT = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n';

  describe('heads pass to the letter', () => {
    // `café` in UTF-8 and in latin1: Node gives and takes one character for each byte.
    const BYTES = 'X-Name: caf\xc3\xa9 caf\xe9\r\n';
    const FIELDS = `x-b: 1\r\nX-A: 2\r\n${BYTES}X-B: 3\r\n`;
    /** HAProxy writes names in lower case. */
    const named = (head: string) => (isDoor ? head.replace(/^[\w-]+(?=:)/gm, (name) => name.toLowerCase()) : head);
    const withoutNames = (head: string) =>
      named(head)
        .split('\r\n')
        .filter((line) => !/^(X-App|X-Forwarded|Connection|Date|Keep-Alive)/i.test(line))
        .join('\r\n');

    it.each([
      ['without a body', 'GET', '', ''],
      ['with a body', 'POST', 'Content-Length: 4\r\n', 'body'],
      ['in chunks', 'POST', 'Transfer-Encoding: chunked\r\n', '4\r\nbody\r\n0\r\n\r\n'],
    ])('of a request %s', async (_what, method, framing, body) => {
      const target = keep(await recorder(undefined, body || '\r\n\r\n'));
      const door = await simple(target);
      const socket = await bare(door.port);
      socket.write(`${method} /api/x:get?a=1 HTTP/1.1\r\nX-First: 1\r\nhOST: h\r\n${FIELDS}${framing}\r\n`, 'latin1');
      await until('the head was read', () => target.received.length === 1);
      socket.write(body);
      await until('the answer', () => socket.text().endsWith('ok'));
      const [head] = target.received[0].split('\r\n\r\n');
      expect(withoutNames(head)).toBe(
        withoutNames(`${method} /api/x:get?a=1 HTTP/1.1\r\nX-First: 1\r\nhOST: h\r\n${FIELDS}${framing}`.trimEnd()),
      );
      socket.destroy();
      await nothingLeft(door, target);
    });

    it.each([
      ['with its body', (head: string) => [`${head}Content-Length: 2\r\n\r\nok`]],
      ['before its body', (head: string) => [`${head}Content-Length: 2\r\n\r\n`, 'ok']],
      [
        'in chunks, before its body',
        (head: string) => [`${head}Transfer-Encoding: chunked\r\n\r\n`, '2\r\nok\r\n0\r\n\r\n'],
      ],
      ['without a body', (head: string) => [`${head}Content-Length: 0\r\n\r\n`]],
    ])('of an answer %s', async (_what, parts) => {
      const [first, second] = parts(`HTTP/1.1 200 Caf\xe9\r\n${FIELDS}`);
      const workers: Socket[] = [];
      const target = keep(
        await rawWorker((socket) => {
          workers.push(socket);
          socket.once('data', () => socket.write(first, 'latin1'));
          socket.on('end', () => socket.end());
        }),
      );
      const door = await simple(target);
      const socket = await bare(door.port);
      socket.write('GET /api/x:get HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the head', () => socket.text().includes('\r\n\r\n'));
      if (second) workers[0].write(second);
      if (second) await until('the body', () => socket.text().includes('ok'));
      const [head] = socket.text().split('\r\n\r\n');
      expect(withoutNames(head).replace(/\r\n(Transfer|Content)-.*$/i, '')).toBe(
        named(`HTTP/1.1 200 Caf\xe9\r\n${FIELDS}`).trimEnd(),
      );
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('of an upgrade, both ways', async () => {
      const upgrade = 'Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
      const target = keep(
        await recorder(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${ACCEPT}${FIELDS}\r\n`,
        ),
      );
      const door = await simple(target);
      const socket = await bare(door.port);
      socket.write(
        `GET /ws HTTP/1.1\r\nX-First: 1\r\nhOST: h\r\nConnection: Upgrade\r\n${upgrade}${FIELDS}\r\n`,
        'latin1',
      );
      await until('the answer', () => socket.text().includes('\r\n\r\n'));
      for (const head of [target.received[0], socket.text()]) {
        const lines = named(head).split('\r\n');
        expect(lines).toContain(named(BYTES).trimEnd());
        expect(lines.filter((line) => /^x-b/i.test(line)).map((line) => line.slice(3))).toEqual([': 1', ': 3']);
        expect(lines).toContain(named('X-A: 2'));
      }
      expect(target.received[0]).toContain(named('\r\nhOST: h\r\n'));
      socket.destroy();
      await nothingLeft(door, target);
    });
  });

  describe('invariant 14: what belongs to main or to another app', () => {
    const signed = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"userId":1}').toString('base64url')}`;
    const TOKEN = `${signed}.${createHmac('sha256', MAIN_SECRET).update(signed).digest('base64url')}`;
    const SENT = [
      'Cookie: nb_auth_token_main=SECRET; a=1; nb_role_app1=kept; app_environment=app1.a',
      'Cookie: nb_csrf_token_other=SECRET',
      `Authorization: Bearer ${TOKEN}`,
      `Authorization: Bearer ${TOKEN}, Bearer x`,
      `Token: ${TOKEN}`,
      `Referer: http://h/admin?token=${TOKEN}`,
    ].join('\r\n');
    const SET = [
      'Set-Cookie: nb_auth_token_main=SECRET; Path=/',
      'Set-Cookie: nb_auth_token_app1=kept; Path=/; Domain=test',
      'Set-Cookie: app_environment=SECRET; Path=/',
    ].join('\r\n');
    const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

    const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${ACCEPT}${SET}\r\n\r\n`;

    it.each([
      ['an answer', '', `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${SET}\r\n\r\n`],
      ['hints', '', `HTTP/1.1 103 Early Hints\r\n${SET}\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n`],
      ['an upgrade', UPGRADE, SWITCH],
      ['an upgrade that expects an answer', `${UPGRADE}Expect: 100-continue\r\n`, SWITCH],
      ['no upgrade', UPGRADE, `HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n${SET}\r\n\r\n`],
    ])('stays out, both ways, and the rest passes: %s', async (_, upgrade, reply) => {
      const target = keep(await recorder(reply));
      const door = await simple(target);
      const socket = await bare(door.port);
      const path = `${upgrade ? '/ws' : '/x'}?a=%20&token=${TOKEN}&b=2`;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\n${SENT}\r\n${upgrade}\r\n`);
      await until('the answer', () => /HTTP\/1.1 (?!103)[\s\S]*\r\n\r\n/.test(socket.text()));
      const [head] = target.received;
      expect(head).toContain('?a=%20&b=2 HTTP/1.1');
      expect(head).toMatch(/\r\nCookie: a=1; nb_role_app1=kept\r\n/i);
      expect(head).not.toMatch(/SECRET|app_environment|eyJ|authorization|csrf/i);
      expect(socket.text()).toMatch(/\r\nSet-Cookie: nb_auth_token_app1=kept; Path=\/\r\n/i);
      expect(socket.text()).not.toMatch(/SECRET|Domain/);
      socket.destroy();
      await nothingLeft(door, target);
    });
  });

  describe('limits', () => {
    const said = (socket: { text: () => string }) =>
      /^HTTP\/1.1 (\d+)[\s\S]*"code":"(\w+)"/.exec(socket.text())?.slice(1);
    const retryAfter = (socket: { text: () => string }) => /Retry-After: (\d+)/i.exec(socket.text())?.[1];
    const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const SWITCH = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${ACCEPT}\r\n`;
    const asks = async (door: Front, head: string) => {
      const socket = await bare(door.port);
      socket.write(head);
      return socket;
    };

    it.each([
      ['an app', { requestsPerApp: 1 }, 'app1 requests_per_app'],
      ['an environment', { requestsPerEnvironment: 1 }, 'app1 requests_per_environment'],
    ])('requests of %s: the next one is told to come again, until one has ended', async (_, bounds, limited) => {
      const target = keep(await recorder('', ' never'));
      const door = await simple(target, { bounds });
      const GET = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n';
      const first = await asks(door, GET);
      await until('it is under way', () => target.received.length === 1);
      const second = await asks(door, GET);
      await until('the answer', () => said(second) !== undefined);
      expect([said(second), retryAfter(second)]).toEqual([['503', 'APP_BUSY'], '5']);
      ofModule(() => expect(door.results).toContain(' APP_BUSY'));
      ofModule(() => expect(door.limited).toEqual([limited]));
      first.destroy();
      await until('its place is free', async () => (await door.underWay()) === 0);
      const third = await asks(door, GET);
      await until('it is under way', () => target.received.length === 2);
      for (const socket of [second, third]) socket.destroy();
      await nothingLeft(door, target);
    });

    it('WebSockets of an address, those without one together, and of an app', async () => {
      const target = keep(await recorder(SWITCH));
      const door = await simple(target, { bounds: { webSocketsPerAddress: 1, webSocketsPerApp: 3 } });
      const open = (fields = '') => asks(door, `GET /ws HTTP/1.1\r\nHost: h\r\n${UPGRADE}${fields}\r\n`);
      const of = (address: string) => open(`X-Forwarded-For: ${address}\r\n`);
      const first = await of('192.0.2.1');
      await until('it is open', () => first.text().includes('101'));
      const refused = await of('192.0.2.1');
      await until('the answer', () => said(refused) !== undefined);
      expect([said(refused), retryAfter(refused)]).toEqual([['429', 'ADDRESS_BUSY'], '30']);
      const others = [await open(), await of('192.0.2.2')];
      await until('they are open', () => others.every((socket) => socket.text().includes('101')));
      const last = await of('192.0.2.3');
      await until('the answer', () => said(last)?.[1] === 'APP_BUSY');
      ofModule(() => expect(door.limited).toEqual(['app1 websockets_per_address', 'app1 websockets_per_app']));
      others.pop()?.destroy();
      await until('its end has arrived', () => target.sockets.size === 2);
      const unknown = await open();
      await until('the answer', () => said(unknown)?.[1] === 'ADDRESS_BUSY');
      unknown.destroy();
      first.destroy();
      await until('its end has arrived', () => target.sockets.size === 1);
      const again = await of('192.0.2.1');
      await until('it is open', () => again.text().includes('101'));
      for (const socket of [refused, last, again, ...others]) socket.destroy();
      await nothingLeft(door, target);
    });

    it('WebSockets of main, which the core opens', async () => {
      const target = keep(await recorder());
      const door = await simple(target, { bounds: { webSocketsPerAddress: 1 } });
      const head = `GET /ws HTTP/1.1\r\nHost: h\r\nX-App: main\r\nX-Forwarded-For: 192.0.2.1\r\n${UPGRADE}\r\n`;
      // The harness plays the core, and closes what it gets.
      for (let visit = 0; visit < 3; visit++) {
        const socket = await asks(door, head);
        await until('its end', () => (isDoor ? / 50[23] /.test(socket.text()) : socket.ended()));
        if (!isDoor) expect(socket.text()).toBe('');
        socket.destroy();
      }
      const other = await simple(target, { bounds: { webSocketsPerApp: 0 } });
      const refused = await asks(other, head);
      await until('the answer', () => said(refused)?.[1] === 'APP_BUSY');
      ofModule(() => expect(other.limited).toEqual(['main websockets_per_app']));
      refused.destroy();
      await nothingLeft(other, target);
    });

    it('apps that an address wakes', async () => {
      const target = keep(await recorder());
      const door = await simple(target, { statuses: { a: 'dormant' }, bounds: { wakesPerAddress: 0 } });
      const socket = await asks(door, 'GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n');
      await until('the answer', () => said(socket)?.[1] === 'ADDRESS_BUSY');
      ofModule(() => expect(door.limited).toEqual(['app1 wakes_per_address']));
      const unknown = await asks(door, 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the answer', () => said(unknown)?.[1] === 'ADDRESS_BUSY');
      for (const one of [socket, unknown]) one.destroy();
      await nothingLeft(door, target);
    });

    it('fields of an upgrade', async () => {
      const target = keep(await recorder(SWITCH));
      const door = await simple(target, { bounds: { headers: 10 } });
      const open = (more: number) =>
        asks(door, `GET /ws HTTP/1.1\r\nHost: h\r\n${UPGRADE}${'X: y\r\n'.repeat(more)}\r\n`);
      // HAProxy counts the request line and the end of the fields, too.
      const few = await open(isDoor ? 4 : 6);
      await until('it is open', () => few.text().includes('101'));
      const many = await open(7);
      await until('the answer', () => said(many) !== undefined || / 400 /.test(many.text()));
      if (isDoor) return expect(many.text()).toMatch(/ 400 /);
      expect(said(many)).toEqual(['431', 'HEADERS_TOO_MANY']);
      ofModule(() => expect(door.limited).toEqual([' headers']));
      for (const socket of [few, many]) socket.destroy();
      await nothingLeft(door, target);
    });

    /** Begins a body of which nothing more arrives, or a byte now and then. @returns how to end it */
    const begin = (socket: { write(text: string): unknown }, kind: string) => {
      if (kind === 'silent') return () => undefined;
      const drip = setInterval(() => socket.write('a'), 20);
      return () => clearInterval(drip);
    };

    it.each(['slow', 'silent'])('a %s body ends, and the worker’s request with it', async (kind) => {
      const target = keep(await recorder('', ' never'));
      const door = await simple(target, { bounds: { bodySilence: 100 } });
      const socket = await asks(door, 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
      const end = begin(socket, kind);
      await until('the answer', () => said(socket) !== undefined);
      end();
      expect(said(socket)).toEqual(['408', 'BODY_TOO_SLOW']);
      ofModule(() => expect(door.limited).toEqual(['app1 body_silence']));
      await until('the worker’s request has ended', () => target.sockets.size === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it.each([
      ['too large', 'Transfer-Encoding: chunked', 'BODY_TOO_LARGE'],
      ['compressed', 'Transfer-Encoding: chunked\r\nContent-Encoding: br', 'BODY_ENCODED'],
    ])('a body for an app without a token, %s, ends, and the worker’s request with it', async (_, fields, code) => {
      const target = keep(await recorder('', ' never'));
      const door = await simple(target, { bounds: { anonymousBody: 1_000 } });
      const socket = await asks(
        door,
        `POST /x HTTP/1.1\r\nHost: h\r\n${fields}\r\n\r\n${'3e8\r\n'}${'a'.repeat(1_000)}\r\n`,
      );
      socket.write('1\r\na\r\n');
      await until('the answer', () => said(socket) !== undefined);
      expect(said(socket)?.[1]).toBe(code);
      ofModule(() => expect(door.limited).toEqual(['app1 anonymous_body']));
      await until('the worker’s request has ended', () => target.sockets.size === 0);
      socket.destroy();
      await nothingLeft(door, target);
    });

    describe('of main', () => {
      const limited: string[] = [];
      let read = 0;
      let asked = 0;
      let requests = 0;
      let gone = 0;
      let main: http.Server;
      const start = async (bounds: Partial<typeof BOUNDS>) => {
        const guard = createGuard({
          isLoaded: () => true,
          isKnown: () => false,
          appNameOf: () => 'main',
          hasPackage: () => true,
          clock: systemClock,
          apiBase: '/api',
          pluginStaticsPath: '/static/plugins/',
          publicPath: '/',
          origins: originsOf(),
          bounds: { ...BOUNDS, ...bounds },
          trusts: () => false,
          secretOf: () => MAIN_SECRET,
          metrics: { request: () => {}, limited: (app, limit) => limited.push(`${app} ${limit}`) },
          serve: null,
        });
        // The core asks its handlers when more than the head may be here.
        main = http.createServer(async (req, res) => {
          requests++;
          res.once('close', () => gone++);
          await null;
          if ((await guard(req, res)) !== false) return;
          asked++;
          req.on('data', (chunk) => {
            read += chunk.length;
          });
          req.on('end', () => res.end(`read ${read}`));
          req.on('error', () => {});
        });
        recordBodies(main);
        await new Promise<void>((resolve) => main.listen(0, '127.0.0.1', resolve));
        return bare((main.address() as AddressInfo).port);
      };
      beforeEach(() => {
        limited.length = 0;
        read = 0;
        asked = 0;
        requests = 0;
        gone = 0;
      });
      afterEach(() => new Promise((resolve) => main.close(resolve)));

      it('an endless body of somebody who is not signed in', async () => {
        const chunk = `c350\r\n${'a'.repeat(50_000)}\r\n`;
        const head = 'POST /api/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
        const allowed = await start({ anonymousBody: 50_000 });
        allowed.write(`${head}${chunk}0\r\n\r\n`);
        await until('the answer', () => allowed.text().includes('read 50000'));
        read = 0;
        const socket = await bare((main.address() as AddressInfo).port);
        socket.write(head);
        const pour = setInterval(() => socket.writable && socket.write(chunk), 5);
        await until('the answer', () => said(socket) !== undefined);
        clearInterval(pour);
        expect(said(socket)).toEqual(['413', 'BODY_TOO_LARGE']);
        expect(limited).toEqual(['main anonymous_body']);
        expect(read).toBeLessThanOrEqual(50_000);
        for (const one of [allowed, socket]) one.destroy();
      });

      it('a body that is too long, and here before anybody asks', async () => {
        const socket = await start({ anonymousBody: 1_000 });
        socket.write(
          `POST /api/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${'a'.repeat(1_001)}\r\n0\r\n\r\n`,
        );
        await until('the answer', () => said(socket) !== undefined);
        expect(said(socket)).toEqual(['413', 'BODY_TOO_LARGE']);
        socket.destroy();
      });

      it.each([true, false])('a form with a file, but not what is beside it (chunked: %s)', async (isChunked) => {
        const send = async (name: string) => {
          const socket = await bare((main.address() as AddressInfo).port);
          const body = `--edge\r\nContent-Disposition: form-data; ${name}\r\n\r\n${'a'.repeat(200_000)}\r\n--edge--\r\n`;
          const framed = isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
          const length = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
          const head = `POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=edge\r\n${length}`;
          socket.write(`${head}\r\n\r\n${framed}`);
          await until('the answer', () => /\r\n\r\n./.test(socket.text()));
          socket.destroy();
          return socket.text();
        };
        (await start({})).destroy();
        expect(await send('name="x"; filename="a.png"')).toMatch(/read 200\d\d\d/);
        expect(await send('name="x"')).toContain('BODY_TOO_LARGE');
        expect(limited).toEqual(['main anonymous_upload']);
      });

      it('nobody reads a body before all of it is here, larger than what Node keeps', async () => {
        const socket = await start({});
        socket.write(`POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n${'a'.repeat(50_000)}`);
        const left = await bare((main.address() as AddressInfo).port);
        left.write('POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nabc');
        await until('both are here', () => requests === 2);
        left.destroy();
        await until('it is gone', () => gone === 1);
        expect(asked).toBe(0);
        socket.write('a'.repeat(10_000));
        await until('the answer', () => socket.text().includes('read 60000'));
        expect(asked).toBe(1);
        socket.destroy();
      });

      it.each(['slow', 'silent'])('a %s body', async (kind) => {
        const socket = await start({ bodySilence: 100 });
        socket.write('POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n');
        const end = begin(socket, kind);
        await until('the answer', () => said(socket) !== undefined);
        end();
        expect(said(socket)).toEqual(['408', 'BODY_TOO_SLOW']);
        expect(limited).toEqual(['main body_silence']);
        socket.destroy();
      });

      it('fields of a request', async () => {
        const socket = await start({ headers: 10 });
        socket.write(`GET / HTTP/1.1\r\nHost: h\r\n${'X: y\r\n'.repeat(10)}\r\n`);
        await until('the answer', () => said(socket) !== undefined);
        expect(said(socket)).toEqual(['431', 'HEADERS_TOO_MANY']);
        expect(limited).toEqual([' headers']);
        socket.destroy();
      });
    });
  });

  describe('an interim answer', () => {
    const HINTS =
      'HTTP/1.1 103 Early Hints\r\nLink: </a.js>; rel=preload\r\nLink: </b.js>; rel=preload\r\nX-A: caf\xe9\r\n\r\n';

    async function hinting(request: string) {
      const workers: Socket[] = [];
      const hop = HINTS.replace('X-A', 'Connection: X-Hop\r\nX-Hop: 1\r\nX-A');
      const target = keep(
        await rawWorker((socket) => {
          workers.push(socket);
          socket.once('data', () => socket.write(`HTTP/1.1 102 Processing\r\n\r\n${hop}`, 'latin1'));
          socket.on('end', () => socket.end());
        }),
      );
      const door = await simple(target);
      const socket = await bare(door.port);
      socket.write(request);
      await until('the worker has it', () => workers.length > 0);
      return { target, door, socket, end: () => workers[0].write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') };
    }

    it('passes at once, without the headers of the connection', async () => {
      const { target, door, socket, end } = await hinting('GET /x HTTP/1.1\r\nHost: h\r\n\r\n');
      await until('the hints', () => socket.text().includes('103'));
      expect(socket.text()).toBe(`HTTP/1.1 102 Processing\r\n\r\n${HINTS}`);
      end();
      await until('the answer', () => socket.text().endsWith('ok'));
      expect(socket.text().slice(socket.text().indexOf(HINTS) + HINTS.length)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      socket.destroy();
      await nothingLeft(door, target);
    });

    it('is nothing for a visitor of HTTP/1.0', async () => {
      const { target, door, socket, end } = await hinting('GET /x HTTP/1.0\r\nHost: h\r\n\r\n');
      end();
      await until('the answer', () => socket.ended());
      expect(socket.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      await nothingLeft(door, target);
    });

    it('waits for no visitor whose answers before it are under way', async () => {
      const { target, door, socket, end } = await hinting(
        'GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n',
      );
      await until('both are under way', () => target.sockets.size === 2 && socket.text().includes(' 103 '));
      expect(socket.text().match(/ 103 /g)).toHaveLength(1);
      end();
      await until('the first answer', () => socket.text().endsWith('ok'));
      socket.destroy();
      await nothingLeft(door, target);
    });
  });

  describe('the host of a request', () => {
    const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

    it.each([
      ['for a page', 'GET /x HTTP/1.1\r\n', ''],
      ['for a WebSocket', 'GET /ws HTTP/1.1\r\n', UPGRADE],
    ])('that is named twice is refused: %s', async (_what, line, more) => {
      const target = keep(await recorder());
      const door = await simple(target);
      // Of two that are equal, HAProxy takes one.
      for (const second of isDoor ? ['other'] : ['h', 'other']) {
        const socket = await bare(door.port);
        socket.write(`${line}Host: h\r\n${more}hOst: ${second}\r\n\r\n`);
        await until('the end', () => socket.ended() || (isDoor && socket.text().includes('\r\n\r\n')));
        expect(socket.text()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/i);
        if (!isDoor) expect(socket.text()).toMatch(/\r\nConnection: close\r\n/i);
        socket.destroy();
      }
      expect(target.received).toEqual([]);
      await nothingLeft(door, target);
    });

    /** As in a real process: the guard is in front, and finds the app by its domain. */
    async function guarded(reply?: string) {
      const target = keep(await recorder(reply));
      const domains = { appByDomain: (host: string | undefined) => (host === 'shop.test' ? 'app1' : null) };
      const appNameOf = createNaming({ apiBasePath: '/api/', publicPath: '/', domains });
      const door = await simple(target, { appNameOf });
      const guard = createGuard({
        isLoaded: () => true,
        isKnown: () => true,
        appNameOf,
        hasPackage: () => true,
        clock: systemClock,
        apiBase: '/api',
        pluginStaticsPath: '/static/plugins/',
        publicPath: '/',
        origins: originsOf(),
        bounds: BOUNDS,
        trusts: () => false,
        secretOf: () => null,
        serve: door.proxy.web,
      });
      const main = http.createServer((req, res) => {
        if (guard(req, res) === false) res.end(`main of ${req.headers.host} ${req.url}`);
      });
      main.on(
        'upgrade',
        async (req, socket, head) => (await door.proxy.ws(req, socket, head)) || socket.end(`main ${req.url}`),
      );
      await new Promise<void>((resolve) => main.listen(0, '127.0.0.1', resolve));
      keep({ close: () => main.close(() => {}).closeAllConnections() });
      const say = async (text: string) => {
        const socket = await bare((main.address() as { port: number }).port);
        socket.write(text);
        await until('the end', () => socket.ended() || socket.text().endsWith('ok'));
        socket.destroy();
        return socket.text();
      };
      return { target, say };
    }

    it('is the one that an absolute target names, also to find the app', async () => {
      const { target, say } = await guarded();
      const end = 'Connection: close\r\n\r\n';
      const got = await say(`GET http://shop.test/x?a=1 HTTP/1.1\r\nX-First: 1\r\nHost: other.test\r\n${end}`);
      expect(got).toMatch(/ok$/);
      const [head] = target.received[0].split('\r\n\r\n');
      expect(head).toMatch(/^GET \/x\?a=1 HTTP\/1\.1\r\nX-First: 1\r\nHost: shop\.test\r\n/);
      expect(head).toMatch(/X-Forwarded-Host: shop\.test\r\n/);
      expect(head).not.toContain('other.test');
      expect(await say(`GET http://other.test:8080/x HTTP/1.1\r\nHost: shop.test\r\n${end}`)).toMatch(
        /main of other\.test:8080 \/x$/,
      );
      expect(target.received).toHaveLength(1);
    });

    it('is the one of an absolute target for WebSockets, too', async () => {
      const { target, say } = await guarded('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok');
      const got = await say(`GET http://shop.test/ws HTTP/1.1\r\nHost: other.test\r\n${UPGRADE}\r\n`);
      expect(got).toMatch(/^HTTP\/1\.1 404 /);
      expect(target.received[0]).toMatch(/^GET \/ws HTTP\/1\.1\r\nHost: shop\.test\r\n/);
      expect(await say(`GET http://other.test/ws HTTP/1.1\r\nHost: shop.test\r\n${UPGRADE}\r\n`)).toBe('main /ws');
    });

    it.each([
      ['two hosts', 'GET /x HTTP/1.1\r\nHost: other.test\r\nHost: shop.test\r\n'],
      ['a user in the target', 'GET http://user@shop.test/x HTTP/1.1\r\nHost: shop.test\r\n'],
    ])('is refused in front of the main app: %s', async (_what, request) => {
      const { target, say } = await guarded();
      expect(await say(`${request}\r\n`)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(target.received).toEqual([]);
    });
  });
};
