import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, freePort, HOST } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { SimulatedApp } from '../support/simulated-app';

/** The real Supervisor as the front door: what it lets through, and what it says when nobody is behind it. */

const DOMAIN = 'door.example.test';
const BROWSER = { Accept: 'text/html,application/xhtml+xml', 'Accept-Language': 'en' };

let fleet: Fleet;
let app: SimulatedApp;

beforeAll(async () => {
  fleet = await sharedFleet();
  app = await SimulatedApp.begin(fleet, 'door', DOMAIN);
});
afterAll(() => app?.end());

const api = (path = 'anything', headers: Record<string, string> = {}) =>
  ask(fleet.supervisor.url, `/api/__app/door/${path}`, { headers });
const page = () => ask(fleet.supervisor.url, '/admin/', { headers: { Host: DOMAIN, ...BROWSER } });

function request(options: http.RequestOptions): http.ClientRequest {
  const { port } = fleet.supervisor;
  return http.request({ host: HOST, port, path: '/api/__app/door/x', agent: false, ...options });
}
const read = async (stream: IncomingMessage) => {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
};

describe('what passes', () => {
  it('trailers, both ways', async () => {
    app.answer = async (req, res) => {
      const body = await read(req);
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write(`${body} ${req.trailers['x-checked']}`);
      res.addTrailers({ 'X-Sum': '42' });
      res.end();
    };
    const outgoing = request({ method: 'POST', headers: { 'Transfer-Encoding': 'chunked', Trailer: 'X-Checked' } });
    outgoing.write('body');
    outgoing.addTrailers({ 'X-Checked': 'yes' });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(await read(incoming)).toBe('body yes');
    expect(incoming.trailers).toEqual({ 'x-sum': '42' });
  });

  it('server-sent events, each at once, until the visitor leaves', async () => {
    let left = false;
    let say = (_: string) => {};
    app.answer = (_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.flushHeaders();
      say = (text) => res.write(`data: ${text}\n\n`);
      res.once('close', () => {
        left = true;
      });
    };
    const outgoing = request({});
    outgoing.on('error', () => {});
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.on('error', () => {});
    for (const word of ['one', 'two']) {
      const event = once(incoming, 'data');
      say(word);
      expect(String((await event)[0])).toBe(`data: ${word}\n\n`);
    }
    outgoing.destroy();
    await expect.poll(() => left).toBe(true);
  });

  it('a range, and the permission to go on with a body', async () => {
    app.answer = async (req, res) => {
      const { range } = req.headers;
      if (range) return void res.writeHead(206, { 'Content-Range': `${range} of 10` }).end('bcd');
      res.end((await read(req)).toUpperCase());
    };
    expect(await api('x', { Range: 'bytes=1-3' })).toMatchObject({
      status: 206,
      text: 'bcd',
      headers: { 'content-range': 'bytes=1-3 of 10' },
    });
    const outgoing = request({ method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 4 } });
    outgoing.flushHeaders();
    await once(outgoing, 'continue');
    outgoing.end('body');
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(await read(incoming)).toBe('BODY');
  });

  it('who the visitor is: as a proxy in front says, or as it is without one', async () => {
    app.answer = (req, res) => void res.end(JSON.stringify(req.headers));
    expect((await api()).json).toMatchObject({
      'x-app': 'door',
      'x-forwarded-for': HOST,
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(fleet.supervisor.url).host,
    });
    const said = { 'X-Forwarded-For': '198.51.100.7', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'apps.test' };
    expect((await api('x', { Host: 'inner:8080', ...said })).json).toMatchObject({
      host: 'inner:8080',
      'x-forwarded-for': `198.51.100.7, ${HOST}`,
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'apps.test',
    });
  });
});

describe('what is said when nobody is behind it', () => {
  /** Programs get the core's error shape, a browser's address bar a page. */
  async function expectSaid(code: string, status: number, retryAfter: string | undefined) {
    for (const get of [() => api(), page]) {
      const answer = await get();
      expect(answer.status).toBe(status);
      expect(answer.headers['retry-after']).toBe(retryAfter);
      expect(answer.headers['cache-control']).toBe('no-store');
      if (get !== page) {
        expect(answer.json).toEqual({ error: { status, code, maintaining: true, message: expect.any(String) } });
      } else {
        expect(answer.headers['content-type']).toContain('text/html');
        expect(answer.text).toContain('<h1>');
        expect(answer.text).not.toContain(code);
        // Whoever starts an app that was stopped tells nobody who waits for it.
        const isReloaded = retryAfter !== undefined || code === 'APP_STOPPED';
        expect(answer.text.includes('http-equiv="refresh"')).toBe(isReloaded);
      }
    }
  }

  afterEach(async () => {
    app.answer = (_req, res) => void res.end('simulated');
  });

  it('an unknown app: 404, and no promise that waiting helps', async () => {
    const answer = await ask(fleet.supervisor.url, '/api/__app/nosuch/x');
    expect(answer).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
    expect(answer.headers['retry-after']).toBeUndefined();
  });

  it('a Worker that breaks off', async () => {
    app.answer = (req) => void req.socket.resetAndDestroy();
    await expectSaid('UPSTREAM_RESET', 502, '5');
  });

  it('a Worker that refuses, and then the environment that is left alone for it', async () => {
    await app.moveTo(`http://${HOST}:${await freePort()}`);
    // The routes follow in a moment; the first refusal is told once.
    const refused = { status: 502, code: 'UPSTREAM_REFUSED', headers: { 'retry-after': '5' } };
    await expect.poll(() => api()).toMatchObject(refused);
    await expectSaid('APP_ENVIRONMENT_UNAVAILABLE', 503, '5');
    await app.moveTo(app.url);
    await expect.poll(async () => (await api()).text).toBe('simulated');
  });

  it('an address that leads back to the Supervisor: a loop is seen at once', async () => {
    await app.moveTo(fleet.supervisor.url);
    await expect.poll(async () => (await api()).code).toBe('APP_PROXY_LOOP');
    await expectSaid('APP_PROXY_LOOP', 508, undefined);
    await app.moveTo(app.url);
    await expect.poll(async () => (await api()).text).toBe('simulated');
  });

  it('a stopped app', async () => {
    await app.wish('stop');
    await expect.poll(async () => (await api()).code).toBe('APP_STOPPED');
    await expectSaid('APP_STOPPED', 503, undefined);
  });
});
