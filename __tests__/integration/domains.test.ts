import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { proveDomainBy } from '../../src/server/protocol/domain-proof';
import { createDomainFront, RoutingTable, trustOf } from '../../src/server/proxy';
import { createDomainProbe } from '../../src/server/supervisor/domains/domain-probe';
import { makeSelfSigned } from '../support/certificates';

/** Whether a domain leads to this fleet, asked of real servers. */

const servers: Server[] = [];
const HOST = 'crm.localhost';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'domains-'));
});
afterAll(async () => {
  for (const server of servers) {
    (server as http.Server).closeAllConnections?.();
    server.close();
  }
  await rm(folder, { recursive: true });
});

async function serve(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
const answering = (listener: RequestListener) => serve(http.createServer(listener));

/** A Supervisor of a fleet, as far as it answers at the domains of its apps. */
function supervisor(secret: string, publicPath = '/'): RequestListener {
  const table = new RoutingTable();
  const app = (name: string, cname: string | null) => ({
    name,
    cname,
    desired: 'running' as const,
    environments: [],
    targetEnvironment: null,
    statuses: new Map(),
  });
  table.replaceApps([app('crm', HOST), app('shop', null)]);
  const prove = proveDomainBy(Buffer.from(secret));
  const front = createDomainFront({ table, trusts: trustOf(['loopback'], () => {}), prove, publicPath });
  return (req, res) => {
    if (!front(req, res)) res.writeHead(404).end();
  };
}
const probeOf = (secret: string, publicPath = '/') =>
  createDomainProbe({ prove: proveDomainBy(Buffer.from(secret)), publicPath, clock: systemClock });
const ask = (port: number, { host = HOST, publicPath = '/' } = {}) =>
  probeOf('ours', publicPath)(`http://${host}:${port}`);

describe('a domain', () => {
  it('leads here, with a public path, too, and by a front that passes the host on', async () => {
    const port = await answering(supervisor('ours'));
    expect(await ask(port)).toBeNull();
    const below = await answering(supervisor('ours', '/portal/'));
    expect(await ask(below, { publicPath: '/portal/' })).toBeNull();
    const front = await answering((req, res) => {
      const headers = { ...req.headers, host: 'inside:13000', 'x-forwarded-host': req.headers.host };
      http.get({ port, path: req.url, headers }, (answer) => answer.pipe(res));
    });
    expect(await ask(front)).toBeNull();
  });

  it('leads elsewhere: to a stranger, to another fleet, to one that sends on, or without its host', async () => {
    const ours = await answering(supervisor('ours'));
    const stranger = await answering((_, res) => res.end('hello'));
    const echo = await answering((req, res) => res.end(req.url?.split('/').at(-1)?.repeat(2)));
    const endless = await answering((_, res) => {
      res.writeHead(200);
      res.write(Buffer.alloc(1_000_000, 'a'));
    });
    const redirecting = await answering((req, res) => {
      res.writeHead(302, { Location: `http://${HOST}:${ours}${req.url}` }).end();
    });
    const hiding = await answering((req, res) => {
      http.get({ port: ours, path: req.url, headers: { host: 'inside' } }, (answer) => {
        res.statusCode = answer.statusCode ?? 500;
        answer.pipe(res);
      });
    });
    const another = await answering(supervisor('theirs'));
    for (const port of [stranger, echo, endless, redirecting, hiding, another])
      expect(await ask(port)).toBe('elsewhere');
    // A host that is no app's, or no custom domain.
    expect(await ask(ours, { host: 'shop.localhost' })).toBe('elsewhere');
  });

  it('has no address, nobody who answers, or no HTTPS', async () => {
    const closed = await answering(() => {});
    const plain = await answering(supervisor('ours'));
    await new Promise((resolve) => servers.at(-2)?.close(resolve));
    expect(await ask(closed)).toBe('unreachable');
    expect(await probeOf('ours')('http://no-such-name.invalid')).toBe('unresolved');
    expect(await probeOf('ours')(`https://${HOST}:${plain}`)).toBe('tls');
    makeSelfSigned(folder, 'crm', [HOST]);
    const [cert, key] = await Promise.all(['pem', 'key'].map((end) => readFile(path.join(folder, `crm.${end}`))));
    const untrusted = https.createServer({ cert, key }, supervisor('ours'));
    expect(await probeOf('ours')(`https://${HOST}:${await serve(untrusted)}`)).toBe('tls');
  });

  it('is asked only by GET, for a number of the right form', async () => {
    const port = await answering(supervisor('ours'));
    const status = (url: string, method = 'GET') =>
      new Promise((resolve) => {
        http.request({ port, path: url, method, headers: { host: HOST } }, (res) => resolve(res.statusCode)).end();
      });
    const nonce = 'a'.repeat(32);
    expect(await status(`/.well-known/app-supervisor/${nonce}`)).toBe(200);
    for (const wrong of ['', 'a', `${nonce}a`, `${nonce}/x`, nonce.toUpperCase()])
      expect(await status(`/.well-known/app-supervisor/${wrong}`)).toBe(404);
    expect(await status(`/.well-known/app-supervisor/${nonce}`, 'POST')).toBe(404);
  });
});
