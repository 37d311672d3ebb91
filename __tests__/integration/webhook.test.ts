import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createReceiver, isGenuine } from '../../examples/webhook-receiver';
import { bodyOf, post, WEBHOOK_TIMEOUT } from '../../src/server/supervisor/notices/webhook';
import { failed } from '../../src/shared/message';
import { FakeClock } from '../support/clock';
import { eventOf } from '../support/fixtures';

/** The requests of webhooks, with real servers. */

const servers: http.Server[] = [];

async function serve(server: http.Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=1`;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** With the time of now, because the receiver compares it. */
const clockOfNow = () => {
  const clock = new FakeClock();
  clock.wall = Date.now();
  return clock;
};
const row = { ...eventOf({ cause: failed('ECONNREFUSED') }), appTitle: null, createdBy: null, operation: null };
const body = bodyOf({ id: 'd-1', type: 'events', fleet: 'f' }, [{ row, phase: 'begun' }], Date.UTC(2026, 0, 1));

describe('a webhook', () => {
  it('reaches a receiver that checks the signature, once for each delivery', async () => {
    const received: unknown[] = [];
    const url = await serve(createReceiver('secret', (delivery) => received.push(delivery)));
    for (let time = 0; time < 2; time++)
      expect(await post(clockOfNow(), url, 'secret', body)).toEqual({ ok: true, status: 204, error: null, done: [] });
    expect(await post(clockOfNow(), url, 'another', body)).toMatchObject({ ok: false, status: 401 });
    const old = clockOfNow();
    old.wall -= 400_000;
    expect(await post(old, url, 'secret', body)).toMatchObject({ status: 401 });
    expect(received).toEqual([body]);
    expect(body).toMatchObject({
      sentAt: '2026-01-01T00:00:00.000Z',
      events: [{ notice: 'environmentDown', phase: 'begun', text: 'Environment "env_a" is down. ECONNREFUSED' }],
    });
  });

  it('is not genuine if anything was changed', async () => {
    const found: { header: string; text: string }[] = [];
    const url = await serve(
      http.createServer(async (request, response) => {
        let text = '';
        for await (const chunk of request) text += chunk;
        expect(request.method).toBe('POST');
        expect(request.url).toBe('/hook?key=1');
        expect(request.headers['x-app-supervisor-delivery']).toBe('d-1');
        found.push({ header: String(request.headers['x-app-supervisor-signature']), text });
        response.end();
      }),
    );
    await post(clockOfNow(), url, 'secret', body);
    const [{ header, text }] = found;
    const now = Date.now() / 1_000;
    expect(isGenuine(header, text, 'secret', now)).toBe(true);
    expect(isGenuine(header, text.replace('env_a', 'env_b'), 'secret', now)).toBe(false);
    expect(
      isGenuine(
        header.replace(/t=\d+/, (t) => `${t}0`),
        text,
        'secret',
        now,
      ),
    ).toBe(false);
    expect(isGenuine('', text, 'secret', now)).toBe(false);
    expect(isGenuine(header, text, 'secret', now + 400)).toBe(false);
  });

  it('follows no redirect', async () => {
    let visits = 0;
    const inside = await serve(
      http.createServer((_, response) => {
        visits++;
        response.end();
      }),
    );
    const url = await serve(
      http.createServer((_, response) => void response.writeHead(307, { Location: inside }).end()),
    );
    expect(await post(clockOfNow(), url, 's', body)).toMatchObject({
      ok: false,
      status: 307,
      error: { code: 'WEBHOOK_STATUS', params: { status: 307 } },
    });
    expect(visits).toBe(0);
  });

  it('does not wait for an answer that never ends, and reads none of it', async () => {
    const url = await serve(
      http.createServer((_, response) => {
        response.writeHead(200);
        const more = setInterval(() => response.write('x'.repeat(100_000)), 5);
        response.on('close', () => clearInterval(more));
      }),
    );
    expect(await post(clockOfNow(), url, 's', body)).toMatchObject({ ok: true, status: 200 });
  });

  it('says what is wrong with a receiver that is silent, absent, or no HTTP server', async () => {
    const clock = clockOfNow();
    const asked: Promise<void>[] = [];
    const url = await serve(
      http.createServer(() => {
        asked.push(Promise.resolve());
      }),
    );
    const attempt = post(clock, url, 's', body);
    await expect.poll(() => asked.length).toBe(1);
    clock.pass(WEBHOOK_TIMEOUT);
    expect(await attempt).toMatchObject({ ok: false, status: null, error: { code: 'WEBHOOK_TIMEOUT' } });
    expect(clock.waiting).toBe(0);
    expect(await post(clock, 'http://127.0.0.1:1/', 's', body)).toMatchObject({
      ok: false,
      error: { code: 'WEBHOOK_FAILED', params: { cause: expect.stringContaining('ECONNREFUSED') } },
    });
    expect(clock.waiting).toBe(0);
    expect(await post(clock, 'no address', 's', body)).toMatchObject({ error: { code: 'WEBHOOK_FAILED' } });
  });
});
