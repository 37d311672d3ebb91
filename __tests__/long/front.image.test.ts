import fs from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENTS, launchBrowser, PATIENCE } from '../../scripts/browser';
import type { Fleet } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { sharedFleet } from '../setup/fleet';
import { eventually } from '../support/browser';
import { type Front, startImageNginx } from '../support/front';
import { type Answer, ask } from '../support/http';
import { Manager } from '../support/manager';
import { signInAtMain, whoIsOn } from '../support/sso';
import { read, type Session, signInAt, upload } from '../support/uploads';
import { NAVIGATION } from '../support/visitor';

/** A fleet behind the nginx of NocoBase’s own image. */

const DOMAIN = 'fronted.example.test';

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('fronted');
  await manager.create({ name: 'fronted', environments: ['env_a'], cname: DOMAIN });
});
afterAll(() => manager.clear('fronted'));

describe('behind the nginx of the official image, which stands before the Supervisor and before the Worker', () => {
  const LOGO = path.join(ROOT, 'node_modules/@nocobase/plugin-system-settings/dist/server/logo.png');
  let front: Front;
  let worker: Front;
  let session: Session;

  beforeAll(async () => {
    [front, worker] = await Promise.all([fleet.supervisor, fleet.worker('env_a')].map(startImageNginx));
    await moveWorkerTo(worker.url);
    session = await signInAt(front.url, 'fronted');
  });
  afterAll(async () => {
    await moveWorkerTo(fleet.worker('env_a').url);
    await Promise.all([front?.stop(), worker?.stop()]);
  });

  async function moveWorkerTo(url: string): Promise<void> {
    await fleet.worker('env_a').restartWith({ ENVIRONMENT_PROXY_URL: url });
    await manager.confirmAddress('env_a', url);
    await manager.untilEnvironment('env_a', ({ proxyUrl }) => proxyUrl === url, { what: `is reached at ${url}` });
  }

  const shown = ({ status, text, headers }: Answer) => ({
    status,
    text,
    type: headers['content-type'],
    disposition: headers['content-disposition'],
    policy: headers['content-security-policy'],
    sniff: headers['x-content-type-options'],
  });

  it.each(['a note.txt', 'report.html', '报告 100%.md'])(
    'the upload %j of an app is read as at its Worker, by who is signed in, and by nobody else',
    async (name) => {
      const { Cookie } = session;
      const content = `Content of ${name}`;
      const url = await upload(front.url, 'fronted', session, { name, content });
      const here = await read(front.url, url, { Cookie });
      expect(here).toMatchObject({ status: 200, text: content, headers: { 'x-app-environment': 'env_a' } });
      expect(here.headers['cache-control']).toContain('private, no-store');
      expect(shown(here)).toEqual(shown(await read(worker.url, url, { Cookie })));
      expect((await read(front.url, url)).status).toBe((await read(worker.url, url)).status);
      const { location } = (await ask(front.url, url, { headers: { Cookie } })).headers;
      expect(location).toMatch(/^\/files\/fronted\/~storage\//);
      expect((await ask(front.url, location!)).status).toBe(401);
      expect((await ask(front.url, location!.replace('/fronted/', '/main/'), { headers: { Cookie } })).status).toBe(
        404,
      );
    },
  );

  it('a part of it is read, as of a video, and it is read on the app’s own domain', async () => {
    const url = await upload(front.url, 'fronted', session, { name: 'part.txt', content: '0123456789' });
    const headers = { Cookie: session.Cookie, Host: DOMAIN };
    expect((await read(front.url, url, headers)).text).toBe('0123456789');
    expect(await read(front.url, url, { ...headers, Range: 'bytes=2-4' })).toMatchObject({
      status: 206,
      text: '234',
      headers: { 'content-range': 'bytes 2-4/10' },
    });
  });

  it('the logo of an app is read', async () => {
    const { logo } = (await ask(front.url, '/api/systemSettings:get', { headers: { 'X-App': 'fronted' } })).json.data;
    const answer = await fetch(`${front.url}${logo.url}`, { headers: { Cookie: session.Cookie } });
    expect(Buffer.from(await answer.arrayBuffer()).equals(fs.readFileSync(LOGO))).toBe(true);
    expect(answer.headers.get('content-type')).toBe('image/png');
  });

  it('uploads of the main app are read from the disk beside it, as ever', async () => {
    const own = await signInAt(front.url, 'main');
    const url = await upload(front.url, 'main', own, { name: 'main.txt', content: 'Of the Supervisor' });
    const answer = await read(front.url, url, { Cookie: own.Cookie });
    expect(answer).toMatchObject({ status: 200, text: 'Of the Supervisor' });
    expect(answer.headers['x-app-environment']).toBeUndefined();
  });

  // It has the pages of the classic client on its disk, and asks the Supervisor for those of the modern one alone.
  describe.each(CLIENTS)('App SSO in the $client client', ({ client, base }) => {
    const PASSWORD = 'of-a-visitor-1';
    const ASKED = `${base}apps/fronted/admin/settings`;
    let browser: Browser;
    let page: Page;

    beforeAll(async () => {
      await manager.update('fronted', { options: { sso: { enabled: true, autoSignup: true } } });
      const { data } = await manager.api.get('users:list', { filter: { username: 'fronted_bob' } });
      if (!data.length)
        await manager.api.post('users:create', { username: 'fronted_bob', nickname: 'Bob', password: PASSWORD });
      browser = await launchBrowser();
      page = await (await browser.newContext({ locale: 'en-US' })).newPage();
      page.context().setDefaultTimeout(PATIENCE);
    });
    afterAll(() => browser?.close());

    it('who is signed in nowhere meets main’s sign-in, and gets the page that he asked for', async () => {
      const { status } = await ask(front.url, ASKED, { headers: NAVIGATION });
      expect(status).toBe(client === 'legacy' ? 200 : 302);
      await page.goto(`${front.url}${ASKED}?asked=1`);
      await signInAtMain(page, 'fronted_bob', PASSWORD);
      await eventually(() => whoIsOn(page, 'fronted')).toBe('fronted_bob');
      expect(new URL(page.url()).pathname).toContain(ASKED);
    });

    it('who signs out of the app stays at its sign-in page, and comes back by an address', async () => {
      await page.goto(`${front.url}${base}apps/fronted/admin/`);
      await page.getByTestId('user-center-button').hover();
      await page.getByText('Sign out', { exact: true }).filter({ visible: true }).click();
      await page.getByTestId('sso-button').waitFor();
      await page.waitForLoadState('networkidle');
      expect(new URL(page.url()).pathname).toBe(`${base}apps/fronted/signin`);
      const tab = await page.context().newPage();
      await tab.goto(`${front.url}${base}apps/fronted/admin/`);
      await eventually(() => whoIsOn(tab, 'fronted')).toBe('fronted_bob');
    });
  });
});
