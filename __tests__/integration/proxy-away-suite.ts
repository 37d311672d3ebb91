import fs from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { type Front as Nginx, startOwnNginx } from '../support/front';
import { ask, type Front, type Listening, worker } from './proxy-harness';
import type { Lane } from './proxy-lanes';

export const proxyAway = ({ front, it, isDoor, ofModule }: Lane): void => {
  /** Workers behind the nginx of the image, a real one with the files of docker/, whose NocoBase does not answer. */

  const portOf = ({ url }: Nginx) => Number(new URL(url).port);
  const nginxOf = (port: number, role: 'supervisor' | 'worker' = 'worker') =>
    startOwnNginx({ url: `http://127.0.0.1:${port}`, storage: tmpdir() }, role);

  /** A request that may be repeated. */
  const READ = '/api/posts:list';

  let deadPort: number;
  let dying: Listening;
  let other: Listening;
  /** In front of a NocoBase that is not there, and of one that ends at each request. */
  let dead: Nginx;
  let ending: Nginx;
  let forwarded: http.IncomingHttpHeaders;
  let door: Front;

  beforeAll(async () => {
    deadPort = await freePort();
    dying = await worker((req) => req.socket.destroy(), { upgrade: (_, socket) => socket.destroy() });
    other = await worker((req, res) => {
      forwarded = req.headers;
      // As if an app wanted its environment to be avoided.
      if (req.url === '/api/claims') res.writeHead(502, { 'X-App-Supervisor-Away': 'refused' }).end('of the app');
      else res.end('of the other');
    });
    [dead, ending] = await Promise.all([nginxOf(deadPort), nginxOf(dying.port)]);
  });
  afterEach(() => door?.close());
  afterAll(async () => {
    await Promise.all([dead?.stop(), ending?.stop(), dying?.close(), other?.close()]);
  });

  const doorTo = async (environments: Record<string, number>) => {
    door = await front({ environments });
    return door;
  };

  /** A door asks the first environment each time, and the module only once. */
  const reads = async (port: number) => {
    for (let i = 0; i < 5; i++) expect(await ask(port, READ)).toMatchObject({ status: 200, body: 'of the other' });
  };

  describe('a NocoBase that is not there', () => {
    it('is asked for once: reads, and then everything, go to the other environment', async () => {
      const { port, unreachable } = await doorTo({ a: portOf(dead), b: other.port });
      await reads(port);
      // The nginx of the image has answered, and for HAProxy that is an answer: what may change something is sent once.
      const answer = isDoor ? { status: 502, code: 'UPSTREAM_REFUSED' } : { status: 200 };
      expect(await ask(port, '/api/x', { method: 'POST', body: 'x' })).toMatchObject(answer);
      ofModule(() => expect(unreachable).toEqual(['a']));
    });

    it('gets visitors the page of the Supervisor, and programs its answer', async () => {
      const { port } = await doorTo({ a: portOf(dead) });
      const page = await ask(port, '/admin/files/x', {
        headers: { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate' },
      });
      expect(page.body).not.toContain('nginx');
      const posted = await ask(port, '/api/x', { method: 'POST', body: 'x'.repeat(3_000_000) });
      expect(posted).toMatchObject({ status: 502, code: 'UPSTREAM_REFUSED', headers: { 'retry-after': '5' } });
    });

    it('is named by its nginx with no address that somebody has asked for, nor by that of one that ends', async () => {
      const secret = `of-somebody-${Date.now()}`;
      for (const nginx of [dead, ending]) {
        const headers = { Referer: `http://crm.test/admin/?token=${secret}` };
        expect(await ask(portOf(nginx), `${READ}?token=${secret}`, { headers })).toMatchObject({ status: 502 });
        expect(fs.readFileSync(nginx.log, 'utf8')).not.toContain(secret);
      }
    });

    it('opens no WebSocket', async () => {
      const { port, unreachable } = await doorTo({ a: portOf(dead) });
      const answer = await upgrade(port);
      expect(answer).toMatchObject({ status: 502, code: 'UPSTREAM_REFUSED' });
      ofModule(() => expect(unreachable).toEqual(['a']));
    });
  });

  describe('a NocoBase that ends at a request', () => {
    it('is not avoided for it, and reads go to the other environment', async () => {
      const { port, unreachable } = await doorTo({ a: portOf(ending), b: other.port });
      await reads(port);
      expect(await ask(port, '/api/x', { method: 'POST', body: 'x' })).toMatchObject({
        status: 502,
        code: 'UPSTREAM_RESET',
      });
      ofModule(() => expect(unreachable).toEqual([]));
    });
  });

  describe('an app', () => {
    it('has its pages below the main app’s address from NocoBase, not from the disk of its nginx', async () => {
      const nginx = await nginxOf(other.port);
      for (const path of ['/apps/crm/admin/', '/v/apps/crm/admin/', '/files/main/x'])
        expect(await ask(portOf(nginx), path)).toMatchObject({ status: 200, body: 'of the other' });
      expect((await ask(portOf(nginx), '/admin/')).body).not.toBe('of the other');
      await nginx.stop();
    });

    it('cannot say that its environment is away', async () => {
      const nginx = await nginxOf(other.port);
      const { port, unreachable } = await doorTo({ a: portOf(nginx) });
      const answer = await ask(port, '/api/claims');
      await nginx.stop();
      expect(answer).toMatchObject({ status: 502, body: 'of the app' });
      ofModule(() => expect(unreachable).toEqual([]));
    });

    it('learns the visitor of a WebSocket as of any other request, whatever the visitor says', async () => {
      const nginx = await nginxOf(other.port);
      const headers = { 'X-Forwarded-For': '203.0.113.9' };
      for (const path of ['/ws', '/api/x']) {
        await ask(portOf(nginx), path, { headers });
        expect(forwarded['x-forwarded-for']).toBe('203.0.113.9, 127.0.0.1');
      }
      await nginx.stop();
    });
  });

  it('the nginx of a Supervisor answers nothing in its place, so that a proxy in front asks another one', async () => {
    const nginx = await nginxOf(deadPort, 'supervisor');
    await expect(ask(portOf(nginx), '/api/x')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await nginx.stop();
  });

  function upgrade(port: number): Promise<{ status: number; code: string }> {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    return new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path: '/ws', headers }, async (answer) => {
        let text = '';
        for await (const chunk of answer) text += chunk;
        resolve({ status: answer.statusCode ?? 0, code: JSON.parse(text).error.code });
      });
      request.on('error', reject);
    });
  }
};
