import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { type Front, type FrontKind, startFront } from '../support/front';
import { ask, Tab } from '../support/http';
import { Manager, signInTo } from '../support/manager';

/** A fleet behind a real nginx and a real Caddy, which run the files of docs/deploy; behind the nginx of NocoBase’s own image: long/front.image.test.ts. */

const DOMAIN = 'fronted.example.test';
/** More than the 1 MB that nginx takes unless it is told otherwise. */
const UPLOAD = Buffer.alloc(12 * 2 ** 20, 'upload ');

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('fronted');
  await manager.create({ name: 'fronted', environments: ['env_a'], cname: DOMAIN });
});
afterAll(() => manager.clear('fronted'));

describe.each<FrontKind>(['nginx', 'caddy'])('behind %s', (kind) => {
  let front: Front;
  beforeAll(async () => {
    front = await startFront(kind, fleet.supervisor.url);
  });
  afterAll(() => front?.stop());

  it('apps are found by path and by custom domain (#5918)', async () => {
    const named = async (target: string, headers: Record<string, string> = {}) =>
      (await ask(front.url, target, { headers })).json?.data?.name;
    expect(await named('/api/app:getInfo')).toBe('main');
    expect(await named('/api/__app/fronted/app:getInfo')).toBe('fronted');
    expect(await named('/api/app:getInfo', { Host: DOMAIN })).toBe('fronted');
    expect(await named('/api/app:getInfo', { Host: `${DOMAIN}:8443` })).toBe('fronted');
  });

  it('a custom domain gets its page and every script that the page names (#5918)', async () => {
    const headers = { Host: DOMAIN };
    for (const address of ['/admin/', '/v/admin/']) {
      const page = await ask(front.url, address, { headers: { ...headers, Accept: 'text/html' } });
      expect(page).toMatchObject({ status: 200, headers: { 'x-app-environment': 'env_a' } });
      const scripts = [...page.text.matchAll(/<script[^>]+src="([^"]+)"/g)].map(([, src]) => src);
      expect(scripts.length).toBeGreaterThan(0);
      for (const script of scripts) {
        const answer = await ask(front.url, script, { headers });
        expect([script, answer.status, answer.headers['content-type']]).toEqual([
          script,
          200,
          expect.stringContaining('javascript'),
        ]);
      }
    }
  });

  it.each<[string, Record<string, string>]>([
    ['/ws?__appName=fronted', {}],
    ['/ws', { Host: DOMAIN }],
  ])('a WebSocket passes: %s %o (#3433)', async (target, headers) => {
    const { token } = await signInTo(fleet.supervisor, 'fronted');
    const tab = (await Tab.open(front.url, target, headers)) as Tab;
    tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
    await tab.message(({ type }) => type === 'authorized');
    tab.close();
  });

  it('an upload beyond its own limit arrives whole, and is downloaded whole', async () => {
    const { token } = await signInTo(fleet.supervisor, 'fronted');
    const headers = { Authorization: `Bearer ${token}` };
    const body = new FormData();
    body.append('file', new Blob([UPLOAD]), 'large.bin');
    const address = `${front.url}/api/__app/fronted/attachments:create`;
    const answer = await fetch(address, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    const { data } = (await answer.json()) as { data: { url: string } };
    const file = await fetch(new URL(data.url, front.url), { headers });
    expect(Buffer.from(await file.arrayBuffer()).equals(UPLOAD)).toBe(true);
  });

  it('apps that are stopped or unknown are told apart as without it', async () => {
    expect(await ask(front.url, '/api/__app/nosuch/app:getInfo')).toMatchObject({ status: 404, code: 'APP_NOT_FOUND' });
  });
});
