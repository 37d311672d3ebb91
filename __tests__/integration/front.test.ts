import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOST } from '../../scripts/fleet';
import { type Front, type FrontKind, startFront } from '../support/front';
import { ask } from '../support/http';

/** What the files of docs/deploy pass on to the Supervisor, which here only notes what comes. */

const seen: IncomingMessage[] = [];
const supervisor = http.createServer((req, res) => {
  seen.push(req);
  res.end('heard');
});
beforeAll(() => new Promise<void>((resolve) => supervisor.listen(0, HOST, resolve)));
afterAll(() => {
  supervisor.close();
  supervisor.closeAllConnections();
});
const address = () => `http://${HOST}:${(supervisor.address() as AddressInfo).port}`;

describe.each<FrontKind>(['nginx', 'caddy'])('%s', (kind) => {
  let front: Front;
  beforeAll(async () => {
    front = await startFront(kind, address());
  });
  afterAll(() => front?.stop());

  it('keeps the path as it came and the port of the host (#8976, #9383)', async () => {
    const target = '/apps/a%2Fb/..%2Fx//y/?q=%20&__appName=crm';
    await ask(front.url, target, { headers: { Host: 'crm.example.test:8443' } });
    const { url, headers } = seen.at(-1)!;
    expect(url).toBe(target);
    expect(headers.host).toBe('crm.example.test:8443');
    expect(headers['x-forwarded-host']).toBe('crm.example.test:8443');
  });

  it('says who the visitor is, whatever the visitor says', async () => {
    const claims = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.test' };
    await ask(front.url, '/', { headers: { Host: 'crm.example.test', ...claims } });
    expect(seen.at(-1)!.headers).toMatchObject({
      'x-forwarded-for': HOST,
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'crm.example.test',
    });
  });

  it('keeps its connections', async () => {
    const [first, second] = [await ask(front.url, '/1'), await ask(front.url, '/2')];
    expect([first.text, second.text]).toEqual(['heard', 'heard']);
    const [before, after] = seen.slice(-2);
    expect(after.socket.remotePort).toBe(before.socket.remotePort);
  });
});
