import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { BOUNDS } from '../../src/server/config/bounds';
import { Bucket, boundMessages, boundSocket, type MessageServer } from '../../src/server/proxy/web-sockets';
import { FakeClock } from '../support/clock';

it('a bucket gives what it holds, and more as time passes, up to that again', () => {
  const bucket = new Bucket(10, 2, 0);
  expect([bucket.take(10, 0), bucket.take(1, 400), bucket.take(1, 500)]).toEqual([true, false, false]);
  expect([bucket.take(8, 100_000), bucket.take(2, 100_000), bucket.take(1, 100_000)]).toEqual([true, true, false]);
});

describe('what a visitor sends on a WebSocket', () => {
  const bounds = { ...BOUNDS, webSocketMessage: 1_000, webSocketMessages: 60 };
  let server: http.Server;
  let clock: FakeClock;
  let client: WebSocket;
  let read: number;
  const over = vi.fn();

  beforeEach(async () => {
    over.mockClear();
    read = 0;
    clock = new FakeClock();
    const wss = new WebSocketServer({ noServer: true });
    wss.on('connection', (socket) => socket.on('error', () => undefined).on('message', () => read++));
    boundMessages(wss as unknown as MessageServer, bounds, clock, () => over('messages'));
    server = http.createServer();
    // As the core does, and then as this module is called.
    server.on('upgrade', (req, socket, head) =>
      wss.handleUpgrade(req, socket, head, (one) => wss.emit('connection', one, req)),
    );
    server.on('upgrade', (_, socket) => boundSocket(socket, bounds, clock, () => over('bytes')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(client, 'open');
  });
  afterEach(() => {
    client.terminate();
    server.close();
  });

  it('arrives: what a page sends, for as long as it is open', async () => {
    client.send('x'.repeat(1_000));
    for (let minute = 0; minute < 20; minute++) {
      client.send('ping');
      await vi.waitFor(() => expect(read).toBe(minute + 2));
      clock.pass(60_000);
    }
    expect(over).not.toHaveBeenCalled();
  });

  it('ends with a message that is too large', async () => {
    client.send('x'.repeat(1_001));
    expect((await once(client, 'close'))[0]).toBe(1009);
    expect(read).toBe(0);
  });

  it('ends with too many bytes, whatever they are', async () => {
    for (let sent = 0; sent < 3; sent++) client.send('x'.repeat(900));
    await once(client, 'close');
    expect(over.mock.calls).toEqual([['bytes']]);
  });

  it.each(['message', 'ping', 'pong'] as const)(
    'ends with too many of the kind %s, and they are not read',
    async (kind) => {
      for (let sent = 0; sent < 150; sent++) kind === 'message' ? client.send('x') : client[kind]();
      await once(client, 'close');
      expect(over.mock.calls).toEqual([['messages']]);
      expect(read).toBeLessThanOrEqual(61);
    },
  );
});
