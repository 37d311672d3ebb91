import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { launchBrowser } from '../../scripts/browser';
import { freePort } from '../../scripts/fleet';
import { filesOf } from '../../src/server/door/rules';
import { rawWorker } from '../integration/proxy-harness';
import { makeSelfSigned } from '../support/certificates';
import { PLACE, routesOf } from '../support/door';
import { doorFolder, startHaproxy } from '../support/haproxy';

/** docs/threat-model.md, G10: what becomes of the cookies of an interim answer, to which HAProxy applies no rule. */

const HINTS =
  'HTTP/1.1 103 Early Hints\r\nLink: </hinted.css>; rel=preload; as=style\r\nSet-Cookie: nb_role_main=hinted; Path=/\r\n\r\n';
const PAGE = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: final=1; Path=/\r\nContent-Length: 2\r\n\r\nok';

it('a browser that follows the hints of a Worker, over HTTP/2, keeps none of their cookies', async () => {
  const asked: string[] = [];
  const worker = await rawWorker((socket) =>
    socket.on('data', (data) => {
      const [, target] = String(data).split(' ');
      asked.push(target);
      socket.write(HINTS);
      // The browser has time to follow them.
      const isHinted = () => target !== '/page' || asked.includes('/hinted.css');
      const answer = setInterval(() => {
        if (!isHinted()) return;
        clearInterval(answer);
        socket.write(PAGE);
      }, 20);
    }),
  );
  const [folder, port] = [doorFolder(), await freePort()];
  const certificates = path.join(folder, 'certificates');
  mkdirSync(certificates);
  makeSelfSigned(certificates, 'localhost', ['localhost']);
  renameSync(`${certificates}/localhost.key`, `${certificates}/localhost.pem.key`);
  const listeners = [{ address: `127.0.0.1:${port}`, certificates, proxyProtocol: false, redirects: false }];
  const routes = routesOf([{ uid: 'u1', name: 'crm', hosts: ['localhost'] }], { a: `http://127.0.0.1:${worker.port}` });
  const haproxy = await startHaproxy(folder, filesOf({ ...PLACE, folder, listeners }, routes), port);
  const browser = await launchBrowser();
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`https://localhost:${port}/page`);
    expect(asked).toContain('/hinted.css');
    expect((await context.cookies()).map(({ name }) => name)).toEqual(['final']);
  } finally {
    await browser.close();
    await haproxy.stop();
    await worker.close();
  }
});
