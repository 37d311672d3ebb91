import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GracefulShutdown } from '../../src/server/core/graceful-shutdown';
import { ask } from '../support/http';
import { until } from '../support/wait';

describe('a Supervisor that shuts down', () => {
  let shutdown: GracefulShutdown;
  let server: http.Server;
  let url: string;
  /** Requests that the core works on. */
  let begun: http.ServerResponse[];

  const start = async (patience?: number) => {
    shutdown = new GracefulShutdown(patience);
    begun = [];
    server = http.createServer((req, res) => {
      if (!shutdown.handle(req, res)) begun.push(res);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  beforeEach(() => start());
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('completes open requests before its database closes, and answers later ones with "try again"', async () => {
    const before = ask(url, '/api/apps:list');
    await until('It to be begun', () => begun.length === 1);
    let left = false;
    const leaving = shutdown.leave().then(() => {
      left = true;
    });
    const after = await ask(url, '/api/apps:start', { method: 'POST' });
    expect(after).toMatchObject({
      status: 503,
      json: { errors: [{ code: 'LEAVING', params: {}, message: expect.stringContaining('shutting down') }] },
    });
    expect([begun.length, left]).toEqual([1, false]);
    begun[0].end('the list');
    expect((await before).text).toBe('the list');
    await leaving;
  });

  it('does not wait if there are no open requests', async () => {
    const answered = ask(url, '/');
    await until('It to be begun', () => begun.length === 1);
    begun[0].end();
    await answered;
    await shutdown.leave();
    expect((await ask(url, '/')).status).toBe(503);
  });

  it('does not wait forever', async () => {
    server.close();
    await start(50);
    const never = ask(url, '/').catch(() => null);
    await until('It to be begun', () => begun.length === 1);
    await shutdown.leave();
    begun[0].destroy();
    await never;
  });
});
