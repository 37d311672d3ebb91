import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, waitFor } from '../../scripts/fleet';
import type { ChecklistRow } from '../../src/shared/checklist';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager } from '../support/manager';
import { Visitor } from '../support/visitor';

/** Sign-in to an app by the main app, on real NocoBase: the path through both, and what must not pass. */

/** Of the app; a user of the main app without permissions calls himself so, too. */
const ADMINISTRATOR = 'keeper';
const PASSWORD = 'of-a-visitor-1';
const PAGE = '/apps/sso_shop/admin/orders?filter=1#here';
const APP = '/api/__app/sso_shop';

let fleet: Fleet;
let manager: Manager;
let bob: Visitor;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('sso_shop');
  await manager.create({
    name: 'sso_shop',
    environments: ['env_a'],
    options: { sso: { enabled: true, mapping: 'username', autoSignup: true } },
    initialAdmin: { username: ADMINISTRATOR, email: 'sso@example.test', password: PASSWORD },
  });
  for (const username of ['bob', ADMINISTRATOR])
    await manager.api.post('users:create', { username, nickname: username, password: PASSWORD }).catch(() => null);
});
afterAll(() => manager.clear('sso_shop'));

const openApp = async (visitor: Visitor) => {
  const { status, text } = await visitor.open(PAGE.split('#')[0]);
  const [last] = visitor.trail.slice(-1);
  return { status, text, url: new URL(last ?? 'http://none') };
};
/** Who the app says that the token belongs to. */
const whoIs = async (token: string) => {
  const answer = await ask(fleet.supervisor.url, `${APP}/auth:check`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return answer.status === 200 ? answer.json.data.username : answer.status;
};

describe('a user of the main app', () => {
  let token: string;
  let ofMain: string;

  it('opens an address of an app, and is signed in there, on the page that he asked for (#3387, #2738)', async () => {
    bob = new Visitor(fleet.supervisor.url);
    ofMain = await bob.signIn({ account: 'bob', password: PASSWORD });
    const { status, url } = await openApp(bob);
    expect(status).toBe(200);
    expect(url.pathname + url.search).toBe('/apps/sso_shop/admin/orders?filter=1');
    token = bob.session;
    expect(await whoIs(token)).toBe('bob');
    expect(bob.cookies().has('nb_auth_token_sso_shop')).toBe(true);
    // With a session in the app nothing is asked again.
    await bob.open('/apps/sso_shop/admin/');
    expect(bob.trail).toEqual([]);
  });

  it('is recorded in Activity', async () => {
    const events = await manager.api.get('appEvents:list', { filter: JSON.stringify({ kind: 'signIn' }) });
    expect(events.data[0]).toMatchObject({
      appName: 'sso_shop',
      message: { code: 'SSO_ENTERED', params: { user: 'bob', address: '127.0.0.1' } },
    });
  });

  it('brings a code that is worth nothing a second time, in another browser, or from a script', async () => {
    bob.cookies().delete('nb_auth_token_sso_shop');
    const callback = await bob.openUntil(PAGE, 'appSso:callback');
    expect((await new Visitor(fleet.supervisor.url).ask(callback)).status).toBe(403);
    const script = { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' };
    expect((await bob.ask(callback, { headers: script })).status).toBe(403);
    const cookies = new Map(bob.cookies());
    expect((await bob.ask(callback)).status).toBe(200);
    for (const [name, value] of cookies) bob.cookies().set(name, value);
    expect((await bob.ask(callback)).status).toBe(403);
    for (const address of [`${APP}/appSso:start`, '/api/appSso:authorize?app=sso_shop'])
      expect((await bob.ask(address, { headers: script })).status).toBe(403);
  });

  it('signs out of the main app, and within 10 s is signed out of the app, too', async () => {
    await bob.signOut(ofMain);
    await waitFor(async () => (await whoIs(token)) === 401, { timeout: 10_000, what: 'The end of the session' });
    bob.cookies().delete('nb_auth_token_sso_shop');
    await openApp(bob);
    expect(bob.trail.at(-1)).toContain('/app-sso?app=sso_shop');
  });

  it('does not become an administrator of the app by his name', async () => {
    const namesake = new Visitor(fleet.supervisor.url);
    await namesake.signIn({ account: ADMINISTRATOR, password: PASSWORD });
    const { status, text } = await openApp(namesake);
    expect([status, text.includes('is not bound to you')]).toEqual([403, true]);
  });
});

it('an app that gives accounts by name is red in the checklist, until nobody can sign up to the main app any more', async () => {
  const row = async () => {
    const { data } = await manager.api.get('appFleet:checklist');
    return (data as ChecklistRow[]).find(({ check }) => check === 'SAFE_SSO_MAPPING');
  };
  const [basic] = (await manager.api.get('authenticators:list', { filter: { name: 'basic' } })).data;
  const update = (options: object) =>
    manager.api.post(`authenticators:update?filterByTk=${basic.id}`, { enabled: true, options });
  expect(await row()).toMatchObject({ level: 'red', code: 'SSO_MAPS_NAMES', apps: ['sso_shop'] });
  try {
    await update({ public: { allowSignUp: false } });
    await waitFor(async () => (await row())?.level === 'ok', { timeout: 10_000, what: 'The end of the row' });
  } finally {
    await update(basic.options);
  }
});
