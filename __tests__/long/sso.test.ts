import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { APP_ADMIN, type Fleet, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask } from '../support/http';
import { Manager, signInTo } from '../support/manager';
import { aloneOnPostgres, type TestTarget } from '../support/test-targets';
import { Visitor } from '../support/visitor';

/** Sign-in by the main app where more than the thin path counts: places, outages, and who becomes whom on real NocoBase. */

const PASSWORD = 'of-a-visitor-1';
const APP = 'long_sso';
const DOMAIN = 'long-sso.localhost';

async function addUser(manager: Manager, username: string, more: object = {}): Promise<void> {
  const values = { username, nickname: username, password: PASSWORD, ...more };
  await manager.api.post('users:create', values).catch((error) => {
    if (!String(error).includes('unique')) throw error;
  });
}

/** A user of the main app who has opened the app. @returns his session in the app, or the text of the page that he got */
async function enter(visitor: Visitor, page = `/apps/${APP}/admin/`): Promise<{ token: string; text: string }> {
  const { text } = await visitor.open(page);
  return { token: visitor.session, text };
}

const forget = (visitor: Visitor, host?: string) => visitor.cookies(host).delete(`nb_auth_token_${APP}`);

describe('in a fleet', () => {
  let fleet: Fleet;
  let manager: Manager;

  beforeAll(async () => {
    fleet = await sharedFleet();
    manager = await Manager.of(fleet);
    await manager.clear(APP);
    await manager.create({
      name: APP,
      environments: ['env_a', 'env_b'],
      cname: DOMAIN,
      options: { sso: { enabled: true, mapping: 'username', autoSignup: true } },
    });
    await manager.untilApp(APP, ({ domainCheck }) => domainCheck?.state === 'verified', { what: 'to have its domain' });
    for (const name of ['long_bob', 'long_eve']) await addUser(manager, name, { email: `${name}@example.test` });
  });
  afterAll(async () => {
    await fleet.heal();
    await manager.clear(APP);
  });

  const asked = (token: string, environment: string) => {
    const headers = { Authorization: `Bearer ${token}`, 'X-App-Environment': environment };
    return ask(fleet.supervisor.url, `/api/__app/${APP}/auth:check`, { headers });
  };
  const check = async (token: string, environment: string) => {
    const answer = await asked(token, environment);
    return answer.status === 200 ? answer.json.data.username : answer.status;
  };
  const in10s = (what: string, ask: () => Promise<unknown>) =>
    waitFor(async () => Boolean(await ask()), { timeout: 10_000, interval: 200, what });
  const visitor = async (account: string): Promise<[Visitor, string]> => {
    const made = new Visitor(fleet.supervisor.url);
    return [made, await made.signIn({ account, password: PASSWORD })];
  };
  const settings = (sso: object) =>
    manager.update(APP, { options: { sso: { enabled: true, mapping: 'username', autoSignup: true, ...sso } } });

  it('a session counts in both environments, and its end does in all browsers, also in an environment that was away', async () => {
    const [bob, ofMain] = await visitor('long_bob');
    const { token } = await enter(bob);
    expect([await check(token, 'env_a'), await check(token, 'env_b')]).toEqual(['long_bob', 'long_bob']);
    const [elsewhere] = await visitor('long_bob');
    const ofOtherBrowser = (await enter(elsewhere)).token;
    expect(await check(ofOtherBrowser, 'env_a')).toBe('long_bob');
    const away = fleet.worker('env_b');
    await away.stop();
    await bob.signOut(ofMain);
    for (const each of [token, ofOtherBrowser])
      await in10s('The end in env_a', async () => (await check(each, 'env_a')) === 401);
    await away.start();
    await fleet.waitForWorkers();
    await manager.untilApp(
      APP,
      (app) => app.statuses.env_b?.status === 'running' || app.statuses.env_b?.status === 'dormant',
      {
        what: 'to be in env_b again',
      },
    );
    // Until it is there, the other one answers.
    const endsThere = async () => {
      const { status, headers } = await asked(token, 'env_b');
      return status === 401 && headers['x-app-environment'] === 'env_b';
    };
    await waitFor(endsThere, {
      timeout: 120_000,
      interval: 500,
      what: 'The end in the environment that was away',
    });
  });

  it('signing out of the app ends that session alone', async () => {
    const [one] = await visitor('long_bob');
    const [other] = await visitor('long_bob');
    const [first, second] = [(await enter(one)).token, (await enter(other)).token];
    const headers = { Authorization: `Bearer ${first}`, 'X-Authenticator': 'app-sso', 'X-App-Environment': 'env_a' };
    await ask(fleet.supervisor.url, `/api/__app/${APP}/auth:signOut`, { method: 'POST', headers });
    expect([await check(first, 'env_a'), await check(second, 'env_a')]).toEqual([401, 'long_bob']);
  });

  it('on the app’s own domain, with the page that was asked for', async () => {
    const [bob] = await visitor('long_bob');
    const { port } = new URL(fleet.supervisor.url);
    await bob.open(`http://${DOMAIN}:${port}/admin/orders`);
    const url = new URL(bob.trail.at(-1)!);
    expect([url.host, url.pathname]).toEqual([`${DOMAIN}:${port}`, '/admin/orders']);
    expect(url.search).toBe('');
    expect(await check(bob.session, 'env_a')).toBe('long_bob');
  });

  it('8 redemptions at once let one in', async () => {
    const [bob] = await visitor('long_bob');
    const callback = await bob.openUntil(`/apps/${APP}/admin/`, 'appSso:callback');
    const cookies = [...bob.cookies()];
    const browsers = Array.from({ length: 8 }, () => {
      const same = new Visitor(fleet.supervisor.url);
      for (const [name, value] of cookies) same.cookies().set(name, value);
      return same;
    });
    const statuses = await Promise.all(browsers.map(async (each) => (await each.ask(callback)).status));
    expect(statuses.sort()).toEqual([200, 403, 403, 403, 403, 403, 403, 403]);
  });

  it('a code is worth nothing for another user, after signing out, or when its user has changed', async () => {
    const [bob, ofMain] = await visitor('long_bob');
    const callback = await bob.openUntil(`/apps/${APP}/admin/`, 'appSso:callback');
    await bob.signOut(ofMain);
    expect((await bob.ask(callback)).status).toBe(403);

    await bob.signIn({ account: 'long_bob', password: PASSWORD });
    const bobs = (await enter(bob)).token;
    expect(await check(bobs, 'env_a')).toBe('long_bob');
    forget(bob);
    const second = await bob.openUntil(`/apps/${APP}/admin/`, 'appSso:callback');
    await bob.signIn({ account: 'long_eve', password: PASSWORD });
    expect((await bob.ask(second)).status).toBe(403);
    await in10s('The end of the session of who was there before', async () => (await check(bobs, 'env_a')) === 401);
    const { token } = await enter(bob);
    expect(await check(token, 'env_a')).toBe('long_eve');
  });

  it('who takes the name of a bound account gets nothing, and who changes his own keeps his account', async () => {
    const [bob] = await visitor('long_bob');
    await enter(bob);
    const idOf = async (username: string) =>
      (await manager.api.get('users:list', { filter: { username } })).data[0].id as number;
    const rename = async (from: string, to: string) =>
      manager.api.post(`users:update?filterByTk=${await idOf(from)}`, { username: to });
    await rename('long_bob', 'long_bob_formerly');
    try {
      forget(bob);
      expect(await check((await enter(bob)).token, 'env_a')).toBe('long_bob');
      await addUser(manager, 'long_bob');
      const [namesake] = await visitor('long_bob');
      expect((await enter(namesake)).text).toContain('belongs to somebody else');
      await manager.api.post(`users:destroy?filterByTk=${await idOf('long_bob')}`);
    } finally {
      await rename('long_bob_formerly', 'long_bob');
    }
  });

  it('a user who is deleted in the main app is signed out and not let in again', async () => {
    await addUser(manager, 'long_gone');
    const [gone] = await visitor('long_gone');
    const { token } = await enter(gone);
    expect(await check(token, 'env_a')).toBe('long_gone');
    const { data } = await manager.api.get('users:list', { filter: { username: 'long_gone' } });
    await manager.api.post(`users:destroy?filterByTk=${data[0].id}`);
    await in10s('The end of the session', async () => (await check(token, 'env_a')) === 401);
    forget(gone);
    await enter(gone);
    expect(gone.trail.at(-1)).toContain('/app-sso?');
  });

  it('a new password in the main app ends the sessions of its user', async () => {
    await addUser(manager, 'long_careful');
    const [careful] = await visitor('long_careful');
    const { token } = await enter(careful);
    expect(await check(token, 'env_a')).toBe('long_careful');
    const { data } = await manager.api.get('users:list', { filter: { username: 'long_careful' } });
    await manager.api.post(`users:update?filterByTk=${data[0].id}`, { password: PASSWORD });
    await in10s('The end of the session', async () => (await check(token, 'env_a')) === 401);
  });

  it('a created account has the role that the settings name, or the app’s default one', async () => {
    const roleOf = async (account: string) => {
      await addUser(manager, account);
      const [fresh] = await visitor(account);
      const headers = { Authorization: `Bearer ${(await enter(fresh)).token}`, 'X-App-Environment': 'env_a' };
      return (await ask(fleet.supervisor.url, `/api/__app/${APP}/roles:check`, { headers })).json.data.role;
    };
    const app = await signInTo(fleet.supervisor, APP);
    await app.post('roles:create', { name: 'clerk', title: 'Clerk', snippets: ['!ui.*', '!pm', '!pm.*'] });
    await settings({ signupRole: 'clerk' });
    expect(await roleOf('long_clerk')).toBe('clerk');
    await settings({ signupRole: 'nosuch' });
    expect(await roleOf('long_member')).toBe('member');
    await settings({});
  });

  it('settings are in force without a restart', async () => {
    await addUser(manager, 'long_new', { email: 'long_new@example.test' });
    const [fresh] = await visitor('long_new');
    await settings({ autoSignup: false });
    expect((await enter(fresh)).text).toContain('You have no account');
    await settings({ signupRole: 'clerk', signupFor: ['root'] });
    expect((await enter(fresh)).text).toContain('You have no account');
    const byPassword = () =>
      ask(fleet.supervisor.url, `/api/__app/${APP}/auth:signIn`, {
        method: 'POST',
        body: { account: APP_ADMIN.email, password: APP_ADMIN.password },
      });
    expect((await byPassword()).status).toBe(200);
    await settings({ passwordSignIn: false });
    expect(await byPassword()).toMatchObject({ status: 403, code: 'OWN_SIGN_IN_OFF' });
    await settings({ mapping: 'email' });
    expect(await check((await enter(fresh)).token, 'env_a')).toBe('long_new');
    await settings({});
  });

  it('turned off, it lets nobody in any more and ends no session: signing out of the main app still does', async () => {
    const [bob, ofMain] = await visitor('long_bob');
    const { token } = await enter(bob);
    forget(bob);
    const callback = await bob.openUntil(`/apps/${APP}/admin/`, 'appSso:callback');
    await settings({ enabled: false, passwordSignIn: false });
    try {
      await in10s('The page of the app itself', async () => {
        const { text } = await enter(bob);
        return bob.trail.length === 0 && text.includes('<html');
      });
      // Somebody who was on his way, and who knows the address.
      expect((await bob.ask(callback)).status).toBe(403);
      expect((await bob.ask(`/api/__app/${APP}/appSso:start`)).status).toBe(403);
      expect([await check(token, 'env_a'), await check(token, 'env_b')]).toEqual(['long_bob', 'long_bob']);
      expect((await signInTo(fleet.supervisor, APP)).token).toBeTruthy();
      await bob.signOut(ofMain);
      await in10s('The end of the session', async () => (await check(token, 'env_a')) === 401);
    } finally {
      await settings({});
    }
  });

  it('without Redis nobody new gets in, with a clear answer; who is in goes on', async () => {
    const [bob] = await visitor('long_bob');
    const { token } = await enter(bob);
    await fleet.redis!.kill();
    try {
      forget(bob);
      const { text } = await enter(bob);
      expect(text).toContain('does not work right now');
      expect(await check(token, 'env_a')).toBe('long_bob');
    } finally {
      await fleet.redis!.start();
    }
    await waitFor(async () => (await enter(bob)).token, {
      timeout: 30_000,
      interval: 500,
      what: 'A sign-in after that',
    });
  });
});

describe('in one process', () => {
  let one: TestTarget;
  beforeAll(async () => {
    one = await aloneOnPostgres(inject('postgres'));
  });
  afterAll(() => one?.stop());

  it('a user is signed in to an app, and out', async () => {
    const { manager, entry } = one;
    await manager.create({ name: APP, options: { sso: { enabled: true, autoSignup: true } } });
    await addUser(manager, 'long_bob');
    const bob = new Visitor(entry.url);
    const ofMain = await bob.signIn({ account: 'long_bob', password: PASSWORD });
    const { token } = await enter(bob);
    const check = async () => {
      const headers = { Authorization: `Bearer ${token}` };
      return (await ask(entry.url, `/api/__app/${APP}/auth:check`, { headers })).status;
    };
    expect(await check()).toBe(200);
    await bob.signOut(ofMain);
    await waitFor(async () => (await check()) === 401, { timeout: 10_000, interval: 200, what: 'The end' });
  });
});
