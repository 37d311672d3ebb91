import fs from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOST } from '../../scripts/fleet';
import { makeSelfSigned } from '../support/certificates';
import { type Front, type FrontKind, startFront, startFrontWithDomain } from '../support/front';
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

describe.each<FrontKind>(['nginx', 'caddy'])('%s with a domain for apps', (kind) => {
  const [main, apps] = ['main.front.test', 'apps.front.test'];
  let front: Front;
  let certificates: string;
  beforeAll(async () => {
    certificates = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-front-'));
    makeSelfSigned(certificates, main, [main]);
    makeSelfSigned(certificates, apps, [`*.${apps}`]);
    front = await startFrontWithDomain(kind, address(), { main, apps, certificates });
  });
  afterAll(async () => {
    await front?.stop();
    fs.rmSync(certificates, { recursive: true, force: true });
  });

  /** @returns the certificate's names and the answer; null without a connection */
  const visit = (name: string) =>
    new Promise<{ names: string | undefined; text: string } | null>((resolve) => {
      const port = new URL(front.url).port;
      const options = { host: HOST, port, servername: name, rejectUnauthorized: false, agent: false };
      const request = https.get({ ...options, path: '/x', headers: { Host: `${name}:${port}` } }, async (answer) => {
        const names = (answer.socket as TLSSocket).getPeerCertificate().subjectaltname;
        let text = '';
        for await (const chunk of answer) text += chunk;
        resolve({ names, text });
      });
      request.on('error', () => resolve(null));
    });

  it('main and every app are reached by their names, each with its certificate, and nothing else is', async () => {
    for (const [name, names] of [
      [main, `DNS:${main}`],
      [`crm.${apps}`, `DNS:*.${apps}`],
    ]) {
      expect(await visit(name)).toEqual({ names, text: 'heard' });
      const host = `${name}:${new URL(front.url).port}`;
      const forwarded = { 'x-forwarded-host': host, 'x-forwarded-proto': 'https', 'x-forwarded-for': HOST };
      expect(seen.at(-1)!.headers).toMatchObject({ host, ...forwarded });
    }
    const count = seen.length;
    expect(await visit('other.test')).toBeNull();
    expect(seen.length).toBe(count);
  });
});
